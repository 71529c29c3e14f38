import Glibc
import Linux

/// The rate at which jobs run for files that arrive at the patterns of `on_path`.
extension Suite {
    private static let pathGuardSeconds = 300.0

    func measurePaths(_ name: String, on place: Place) throws {
        let many = options.isSmoke ? 50 : 1000
        let few = 10
        let spread = try arrivals(many, over: many, on: place)
        let gathered = try arrivals(many, over: few, on: place)
        let ratio = gathered / spread
        report.add(
            Row(
                measure: name, ours: "\(many) files at \(many) patterns, \(perSecond(many, in: spread))",
                reference: "at \(few) patterns, \(perSecond(many, in: gathered))", ratio: ratio,
                figure: (Double(many) / spread, "jobs/s"), bar: "at least 0.80", isMet: ratio >= 0.8))
        let flood = options.isSmoke ? 200 : 10_000
        let seconds = try arrivals(flood, over: 1, on: place)
        report.add(
            Row(
                measure: "  at once at one pattern", ours: "\(flood) files, \(perSecond(flood, in: seconds))",
                figure: (Double(flood) / seconds, "jobs/s")))
    }

    /// The seconds from the first arrival until the jobs of all files have ended.
    private func arrivals(_ count: Int, over patterns: Int, on place: Place) throws -> Double {
        let spool = try place.freshSpool()
        let watched = try place.fresh("watched")
        let root = try Directory.open(watched)
        let tasks = try Directory.open("\(spool)/tasks")
        for number in 0..<patterns {
            try root.makeDirectory("\(number)")
            let text = "command = [\"/bin/true\"]\noverlap = \"allow\"\n[[schedule]]\non_path = \"\(watched)/\(number)/*.csv\"\n"
            try tasks.writeFile("at-\(number).toml", Array(text.utf8))
        }
        try root.makeDirectory("made")
        let made = try root.openDirectory("made")
        for number in 0..<count { try made.writeFile("\(number).csv", []) }
        return try DaemonUnderTest.serve(self, spool: spool) { daemon in
            try daemon.awaitReady()
            let ended = try EndedJobs(self, spool: spool)
            return try System.seconds {
                for number in 0..<count {
                    try made.rename("\(number).csv", into: try root.openDirectory("\(number % patterns)"), as: "\(number).csv")
                }
                try ended.wait(for: count, from: daemon, until: Deadline(seconds: Self.pathGuardSeconds))
            }
        }
    }
}
