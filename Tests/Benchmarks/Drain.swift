import Linux

/// The rate at which dropped jobs run that do nothing.
extension Suite {
    private var drainCount: Int { options.scale ?? (options.isSmoke ? 200 : 5000) }
    private var drainRounds: Int { options.isSmoke || drainCount > 20_000 ? 1 : 3 }
    private var drainGuardSeconds: Double { max(300, Double(drainCount) / 100) }

    private struct Drain {
        var wall: Double
        var processor: Double
    }

    /// The medians of the rounds, in seconds, of the daemon and of bare programs, and the medians of each round's ratios.
    private struct Comparison {
        var ours: Drain
        var bare: Drain
        /// The ratio of jobs for each second, daemon to bare.
        var rate: Double
        /// The ratio of processor time, daemon to bare.
        var load: Double
    }

    func measureDrain(_ name: String, on place: Place) throws {
        let count = drainCount
        func ours(_ wall: Double) -> String { "\(count) jobs, \(perSecond(count, in: wall))" }
        func bare(_ wall: Double) -> String { "posix_spawn, 8 at once, \(perSecond(count, in: wall))" }
        func rate(_ wall: Double) -> (Double, String) { (Double(count) / wall, "jobs/s") }
        func each(_ seconds: Double) -> String { "\(decimal(seconds / Double(count) * 1e6, 0)) µs" }

        let dropped = try compareDrain(count) { try drainDropped(count, on: place) }
        let bar = place.isMemory ? 0.85 : 0.75
        report.add(
            Row(
                measure: name, ours: ours(dropped.ours.wall), reference: bare(dropped.bare.wall), ratio: dropped.rate,
                figure: rate(dropped.ours.wall), bar: "at least \(decimal(bar))", isMet: dropped.rate >= bar))
        report.add(
            Row(
                measure: "  processor time a job", ours: "\(each(dropped.ours.processor)), daemon and workers included",
                reference: "\(each(dropped.bare.processor)), spawning included", ratio: dropped.load))
        let backlog = try compareDrain(count) { try drainBacklog(count, on: place) }
        report.add(
            Row(
                measure: "  waiting before the start", ours: ours(backlog.ours.wall), reference: bare(backlog.bare.wall),
                ratio: backlog.rate, figure: rate(backlog.ours.wall)))
        if place.isMemory { return }
        let worn = try compareDrain(count) { try drainDropped(count, on: place, afterRecords: options.isSmoke ? 100 : 5400) }
        report.add(
            Row(
                measure: "  where records came and went", ours: ours(worn.ours.wall), reference: bare(worn.bare.wall), ratio: worn.rate,
                bar: "at least 0.55", isMet: worn.rate >= 0.55))
    }

    /// Measures bare, daemon, bare, and so on. Each round of the daemon is compared with the mean of the two bare rounds beside
    /// it.
    private func compareDrain(_ count: Int, _ drain: () throws -> Drain) throws -> Comparison {
        let program = BareProgram(["/bin/true"])
        func drainBare() throws -> Drain {
            let result = try program.drain(count, atOnce: DaemonUnderTest.slots)
            return Drain(wall: result.wall, processor: result.processor)
        }
        var ours: [Drain] = []
        var bare = [try drainBare()]
        for _ in 0..<drainRounds {
            ours.append(try drain())
            bare.append(try drainBare())
        }
        func median(_ drains: [Drain]) -> Drain {
            Drain(wall: Samples(drains.map(\.wall)).median, processor: Samples(drains.map(\.processor)).median)
        }
        func ratios(_ value: (Drain) -> Double) -> [Double] {
            ours.indices.map { value(ours[$0]) * 2 / (value(bare[$0]) + value(bare[$0 + 1])) }
        }
        return Comparison(
            ours: median(ours), bare: median(bare), rate: Samples(ratios(\.wall).map { 1 / $0 }).median,
            load: Samples(ratios(\.processor)).median)
    }

    /// Jobs are renamed into `new/` while the daemon is idle. Measures from the first rename until the last job is in `done/`. Before that,
    /// `afterRecords` records are made and removed.
    private func drainDropped(_ count: Int, on place: Place, afterRecords worn: Int = 0) throws -> Drain {
        let spool = try place.freshSpool()
        try writeJobs(count, spool: spool, to: "tmp")
        try place.settle()
        let processor = System.childrenSeconds()
        let wall = try DaemonUnderTest.serve(self, spool: spool) { daemon in
            try daemon.awaitReady()
            if worn > 0 { try wear(spool, records: worn, on: place) }
            let ended = try EndedJobs(self, spool: spool)
            let from = try Directory.open("\(spool)/tmp")
            let to = try Directory.open("\(spool)/new")
            let deadline = Deadline(seconds: drainGuardSeconds)
            return try System.seconds {
                for number in 0..<count { try from.rename("\(number).toml", into: to, as: "\(number).toml") }
                try ended.wait(for: count, from: daemon, until: deadline)
            }
        }
        return Drain(wall: wall, processor: System.childrenSeconds() - processor)
    }

    /// Jobs are in `new/` before the daemon starts. Measures from its start until the last job is in `done/`.
    private func drainBacklog(_ count: Int, on place: Place) throws -> Drain {
        let spool = try place.freshSpool()
        try writeJobs(count, spool: spool, to: "new")
        try place.settle()
        let ended = try EndedJobs(self, spool: spool)
        let deadline = Deadline(seconds: drainGuardSeconds)
        let processor = System.childrenSeconds()
        let start = MonotonicInstant.now()
        let end = try DaemonUnderTest.serve(self, spool: spool) { daemon in
            try ended.wait(for: count, from: daemon, until: deadline)
            return MonotonicInstant.now()
        }
        return Drain(wall: Double(end.nanoseconds(since: start)) / 1e9, processor: System.childrenSeconds() - processor)
    }

    /// Makes records as jobs make them, and removes all of them: ext4 does not use their inodes again for some minutes.
    private func wear(_ spool: String, records count: Int, on place: Place) throws {
        let running = try Directory.open("\(spool)/running")
        let done = try Directory.open("\(spool)/done")
        for number in 0..<count {
            try running.makeDirectory(".\(number)")
            for name in ["job.toml", "status.json", "stdout", "stderr", "environment"] {
                try running.writeFile(".\(number)/\(name)", Array("worn".utf8))
            }
            try running.rename(".\(number)", into: done, as: ".\(number)")
        }
        for number in 0..<count { try done.removeTree(".\(number)") }
        try place.settle()
    }

    private func writeJobs(_ count: Int, spool: String, to name: String) throws {
        let directory = try Directory.open("\(spool)/\(name)")
        let job = Array("command = [\"/bin/true\"]\n".utf8)
        for number in 0..<count { try directory.writeFile("\(number).toml", job) }
    }
}
