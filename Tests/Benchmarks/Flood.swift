import Glibc
import Linux

/// Many waiting jobs: how long jobs wait that are dropped behind them, and how long a restart takes.
extension Suite {
    private static let floodGuardSeconds = 300.0

    func measureFlood(_ name: String, on place: Place) throws {
        let count = options.scale ?? (options.isSmoke ? 5000 : 100_000)
        let few = options.isSmoke ? 20 : 200
        let spool = try place.freshSpool()
        let from = try Directory.open("\(spool)/tmp")
        let to = try Directory.open("\(spool)/new")
        for number in 0..<count { try from.writeFile("\(number).toml", Array("command = 'true'\nstart = 'in 1 day'\n".utf8)) }
        for number in 0..<few { try from.writeFile("few-\(number).toml", Array("command = '/bin/true'\npriority = 1\n".utf8)) }
        try from.writeFile("last.toml", Array("command = '/bin/true'\n".utf8))
        try from.writeFile("next.toml", Array("command = '/bin/true'\n".utf8))
        let (first, all, last) = try DaemonUnderTest.serve(self, spool: spool) { daemon in
            try daemon.awaitReady()
            let ended = try EndedJobs(self, spool: spool)
            for number in 0..<count { try from.rename("\(number).toml", into: to, as: "\(number).toml") }
            func seconds(until number: Int, since start: MonotonicInstant) throws -> Double {
                try ended.wait(for: number, from: daemon, until: Deadline(seconds: Self.floodGuardSeconds))
                return Double(MonotonicInstant.now().nanoseconds(since: start)) / 1e9
            }
            let start = MonotonicInstant.now()
            for number in 0..<few { try from.rename("few-\(number).toml", into: to, as: "few-\(number).toml") }
            let first = try seconds(until: 1, since: start)
            let all = try seconds(until: few, since: start)
            // A job without a priority waits until all files before it have been read.
            try from.rename("last.toml", into: to, as: "last.toml")
            return (first, all, try seconds(until: few + 1, since: start))
        }
        report.add(
            Row(
                measure: name, ours: "\(few) urgent jobs behind \(count) files: \(perSecond(few, in: all))",
                figure: (Double(few) / all, "jobs/s"), bar: "at least 1000/s", isMet: Double(few) / all >= 1000))
        report.add(
            Row(measure: "  the first of them has ended", ours: "after \(decimal(first * 1000, 0)) ms", figure: (first * 1000, "ms")))
        report.add(Row(measure: "  all files have been read", ours: "after \(decimal(last)) s", figure: (last, "s")))

        let ended = try EndedJobs(self, spool: spool)
        try from.rename("next.toml", into: to, as: "next.toml")
        let start = MonotonicInstant.now()
        let restart = try DaemonUnderTest.serve(self, spool: spool) { daemon in
            try ended.wait(for: 1, from: daemon, until: Deadline(seconds: Self.floodGuardSeconds))
            return Double(MonotonicInstant.now().nanoseconds(since: start)) / 1e9
        }
        report.add(
            Row(
                measure: "  restart until the first job has ended", ours: "\(decimal(restart)) s with \(count) waiting",
                figure: (restart, "s"), bar: "below 1 s", isMet: restart < 1))
    }
}
