import Glibc
import Linux

/// The processor time of a daemon, beyond the jobs' own, at ten due times a second.
extension Suite {
    func measureSteady(_ name: String, on place: Place) throws {
        let seconds = options.isSmoke ? 3 : 60
        let spool = try place.freshSpool()
        let tasks = try Directory.open("\(spool)/tasks")
        let task = Array("command = [\"/bin/true\"]\noverlap = \"allow\"\n[[schedule]]\ncron = \"* * * * * *\"\n".utf8)
        for number in 0..<10 { try tasks.writeFile("tick-\(number).toml", task) }
        try DaemonUnderTest.serve(self, spool: spool) { daemon in
            try daemon.awaitReady()
            report.add(try steadyRow(name, EndedJobs(self, spool: spool), daemon, seconds: seconds))
        }
    }

    /// Measures a daemon at ten due times a second for some seconds. An hour costs as many times more as it is longer: each due time takes
    /// the same path, and what an hour has besides, two or three new segments of the journal, costs milliseconds.
    func steadyRow(_ measure: String, _ ended: EndedJobs, _ daemon: DaemonUnderTest, seconds: Int) throws -> Row {
        func processorSeconds() throws -> Double {
            // Idle workers outlive the measure, so their processor time is counted to the end.
            try ([daemon.pid] + system.children(of: daemon.pid)).reduce(0) { try $0 + ProcessFigures(pid: $1).processorSeconds() }
        }
        // The first runs start the workers.
        try ended.wait(for: ended.ids.count + 10, from: daemon, until: Deadline(seconds: 300))
        let before = try processorSeconds()
        let first = ended.ids.count
        try ended.wait(for: first + 10 * seconds, from: daemon, until: Deadline(seconds: Double(seconds) + 300))
        let (count, processor) = (ended.ids.count - first, try processorSeconds() - before)
        let share = processor / Double(count) * 10
        return Row(
            measure: measure, ours: "\(decimal(share * 100)) % of a processor, without the jobs",
            reference: "\(count) due times; an hour: \(decimal(share * 3600, 1)) s", figure: (share * 100, "%"), bar: "below 0.50 %",
            isMet: share < 0.005)
    }
}
