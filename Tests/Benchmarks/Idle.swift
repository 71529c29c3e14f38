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
        let (wakes, resident, proportional) = try DaemonUnderTest.serve(self, spool: spool) { daemon in
            try daemon.awaitReady()
            try system.pause(milliseconds: 1000)
            let figures = ProcessFigures(pid: daemon.pid)
            let before = try figures.wakeUps()
            try system.pause(milliseconds: seconds * 1000)
            return (try figures.wakeUps() - before, try figures.residentBytes(), try figures.proportionalBytes())
        }
        report.add(
            Row(measure: name, ours: "\(wakes) wake-ups in \(seconds) s", bar: "none", isMet: wakes == 0))
        report.add(
            Row(
                measure: "  memory", ours: "RSS \(megabytes(resident)), PSS \(megabytes(proportional)) MB",
                figure: (Double(resident) / 1e6, "MB"), bar: "RSS below 8 MB", isMet: resident < 8_000_000))
    }
}
