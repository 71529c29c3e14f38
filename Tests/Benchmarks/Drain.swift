import Linux

/// How fast dropped jobs that do nothing are run.
extension Suite {
    private var drainCount: Int { options.isSmoke ? 200 : 5000 }
    private var drainRounds: Int { options.isSmoke ? 1 : 3 }
    private static let drainGuardSeconds = 300.0

    private struct Drain {
        var wall: Double
        var processor: Double
    }

    func measureDrain(_ name: String, on place: Place) throws {
        let count = drainCount
        let bare = BareProgram(["/bin/true"])
        var bareWalls = Samples(), bareProcessors = Samples()
        func measureBare() throws {
            let result = try bare.drain(count, atOnce: DaemonUnderTest.slots)
            bareWalls.add(result.wall)
            bareProcessors.add(result.processor)
        }

        // Bare, ours, bare, …: each round of ours is compared with the mean of the two beside it.
        func compare(_ drain: () throws -> Drain) throws -> (wall: Double, rate: Double, processor: Double, load: Double) {
            var walls = Samples(), processors = Samples(), rates = Samples(), loads = Samples()
            try measureBare()
            for _ in 0..<drainRounds {
                let ours = try drain()
                try measureBare()
                func beside(_ samples: Samples) -> Double { samples.values.suffix(2).reduce(0, +) / 2 }
                walls.add(ours.wall)
                processors.add(ours.processor)
                rates.add(beside(bareWalls) / ours.wall)
                loads.add(ours.processor / beside(bareProcessors))
            }
            return (walls.median, rates.median, processors.median, loads.median)
        }

        let dropped = try compare { try drainDropped(count, on: place) }
        let bar = place.isMemory ? 0.8 : 0.65
        report.add(
            Row(
                measure: name, ours: "\(count) jobs, \(perSecond(count, in: dropped.wall))",
                reference: "posix_spawn, 8 at once, \(perSecond(count, in: bareWalls.median))",
                ratio: dropped.rate, bar: "at least \(decimal(bar))", isMet: dropped.rate >= bar))
        func microseconds(_ seconds: Double) -> String { "\(decimal(seconds / Double(count) * 1e6, 0)) µs" }
        report.add(
            Row(
                measure: "  processor time a job", ours: "\(microseconds(dropped.processor)), daemon and workers included",
                reference: "\(microseconds(bareProcessors.median)), spawning included", ratio: dropped.load))

        let backlog = try compare { try drainBacklog(count, on: place) }
        report.add(
            Row(
                measure: "  waiting before the start", ours: "\(count) jobs, \(perSecond(count, in: backlog.wall))",
                reference: "posix_spawn, 8 at once, \(perSecond(count, in: bareWalls.median))", ratio: backlog.rate))
    }

    /// Jobs renamed into `new/` while the daemon is idle: from the first rename to the last job's arrival in `done/`.
    private func drainDropped(_ count: Int, on place: Place) throws -> Drain {
        let spool = try place.freshSpool()
        try writeJobs(count, spool: spool, to: "tmp")
        try place.settle()
        let processor = System.childrenSeconds()
        let wall = try DaemonUnderTest.serve(self, spool: spool) { daemon in
            try daemon.awaitReady()
            let ended = try EndedJobs(self, spool: spool)
            let from = try Directory.open("\(spool)/tmp")
            let to = try Directory.open("\(spool)/new")
            let deadline = Deadline(seconds: Self.drainGuardSeconds)
            return try System.seconds {
                for number in 0..<count { try from.rename("\(number).toml", into: to, as: "\(number).toml") }
                try ended.wait(for: count, from: daemon, until: deadline)
            }
        }
        return Drain(wall: wall, processor: System.childrenSeconds() - processor)
    }

    /// Jobs that are in `new/` before the daemon starts: from its start to the last job's arrival in `done/`.
    private func drainBacklog(_ count: Int, on place: Place) throws -> Drain {
        let spool = try place.freshSpool()
        try writeJobs(count, spool: spool, to: "new")
        try place.settle()
        let ended = try EndedJobs(self, spool: spool)
        let deadline = Deadline(seconds: Self.drainGuardSeconds)
        let processor = System.childrenSeconds()
        let start = Clock.monotonicNanoseconds()
        let end = try DaemonUnderTest.serve(self, spool: spool) { daemon in
            try ended.wait(for: count, from: daemon, until: deadline)
            return Clock.monotonicNanoseconds()
        }
        return Drain(wall: Double(end - start) / 1e9, processor: System.childrenSeconds() - processor)
    }

    private func writeJobs(_ count: Int, spool: String, to name: String) throws {
        let directory = try Directory.open("\(spool)/\(name)")
        let job = Array("command = [\"/bin/true\"]\n".utf8)
        for number in 0..<count { try directory.writeFile("\(number).toml", job) }
    }
}
