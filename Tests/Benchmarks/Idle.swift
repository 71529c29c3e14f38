import Glibc
import Linux

/// The cost of a daemon with nothing to do: 100 tasks, none of them due.
extension Suite {
    func measureIdle(_ name: String, on place: Place) throws {
        let spool = try place.freshSpool()
        let tasks = try Directory.open("\(spool)/tasks")
        // The last second of a leap day is years away on nearly every day.
        let task = Array("command = [\"/bin/true\"]\n[[schedule]]\ncron = \"59 59 23 29 2 *\"\n".utf8)
        for number in 0..<100 { try tasks.writeFile("task-\(number).toml", task) }
        let seconds = options.isSmoke ? 2 : 10
        let count = options.isSmoke ? 50 : 5000
        let composed = try Directory.open("\(spool)/tmp")
        for number in 0..<count { try composed.writeFile("\(number).toml", Array("command = [\"/bin/true\"]\n".utf8)) }
        let (wakes, resident, proportional, later) = try DaemonUnderTest.serve(self, spool: spool) { daemon in
            try daemon.awaitReady()
            try system.pause(milliseconds: 1000)
            let figures = ProcessFigures(pid: daemon.pid)
            let before = try figures.wakeUps()
            try system.pause(milliseconds: seconds * 1000)
            let wakes = try figures.wakeUps() - before
            let (resident, proportional) = (try figures.residentBytes(), try figures.proportionalBytes())
            try drain(count, in: spool, daemon)
            // The workers end ten seconds after the last job.
            try system.pause(milliseconds: options.isSmoke ? 0 : 12_000)
            return (wakes, resident, proportional, try figures.residentBytes())
        }
        report.add(
            Row(measure: name, ours: "\(wakes) wake-ups in \(seconds) s", bar: "none", isMet: wakes == 0))
        report.add(
            Row(
                measure: "  memory", ours: "RSS \(megabytes(resident)), PSS \(megabytes(proportional)) MB",
                figure: (Double(resident) / 1e6, "MB"), bar: "RSS below 8 MB", isMet: resident < 8_000_000))
        report.add(
            Row(
                measure: "  memory after \(count) jobs", ours: "RSS \(megabytes(later)) MB", figure: (Double(later) / 1e6, "MB"),
                bar: "no growth above 10 %", isMet: later <= resident / 10 * 11))
    }

    private func drain(_ count: Int, in spool: String, _ daemon: DaemonUnderTest) throws {
        let ended = try EndedJobs(self, spool: spool)
        let from = try Directory.open("\(spool)/tmp")
        let to = try Directory.open("\(spool)/new")
        for number in 0..<count { try from.rename("\(number).toml", into: to, as: "\(number).toml") }
        try ended.wait(for: count, from: daemon, until: Deadline(seconds: 300))
    }
}
