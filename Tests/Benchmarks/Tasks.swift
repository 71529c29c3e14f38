import Glibc
import Linux

/// Many tasks: the time of a start, the memory and the journal for each task, and the time of commands that name some of them.
extension Suite {
    private static let taskGuardSeconds = 600.0
    /// The number of tasks that are due each second, one job each.
    private static let tickCount = 10

    func measureTasks(_ name: String, on place: Place) throws {
        let count = options.scale ?? (options.isSmoke ? 500 : 100_000)
        // The bars are for 100,000 tasks and more: below that the daemon's own start and memory count for more than the tasks.
        let isLarge = count >= 100_000
        let empty = try residentBytesWithoutTasks(on: place)
        let spool = try place.freshSpool()
        try writeTasks(count, in: spool)
        try place.settle()

        func bar(_ text: String, _ isMet: Bool) -> (text: String, isMet: Bool?) { isLarge ? (text, isMet) : ("", nil) }
        func add(_ measure: String, _ ours: String, _ value: Double, _ unit: String, _ bar: (text: String, isMet: Bool?) = ("", nil)) {
            report.add(Row(measure: measure, ours: ours, figure: (value, unit), bar: bar.text, isMet: bar.isMet))
        }
        func addStart(_ measure: String, _ ours: String, _ seconds: Double, microseconds: Int) {
            let limit = Double(count * microseconds) / 1e6
            add(measure, "\(decimal(seconds)) s, \(ours)", seconds, "s", bar("below \(decimal(limit, 0)) s", seconds < limit))
        }

        var ended = try EndedJobs(self, spool: spool)
        try dropJob("first", in: spool)
        var start = MonotonicInstant.now()
        try DaemonUnderTest.serve(self, spool: spool) { daemon in
            let seconds = try firstEnd(since: start, ended, daemon)
            try daemon.awaitReady()
            addStart(name, "\(count) tasks until the first job has ended", seconds, microseconds: 20)
            let resident = try ProcessFigures(pid: daemon.pid).residentBytes()
            let each = Double(max(0, resident - empty)) / Double(count)
            add(
                "  memory", "\(megabytes(resident)) MB, \(decimal(each, 0)) B a task beyond \(megabytes(empty)) MB", each, "B",
                bar("at most 500 B a task", each <= 500))
            report.add(
                Row(measure: "  memory in all", ours: "\(megabytes(resident)) MB", figure: (Double(resident) / 1e6, "MB")))
            try addJournal("  journal", spool, count)
            let edits = try edit(of: count, in: spool, daemon)
            add(
                "  an edited task is taken up",
                "median \(decimal(edits.median, 1)), largest \(decimal(edits.largest, 1)) ms of \(edits.count)", edits.median, "ms",
                bar("median below 5 ms", edits.median < 5))
            try timeCommands("", spool, count) { add($0, "\(decimal($1, 3)) s", $1, "s", bar("below \(decimal($2, 1)) s", $1 < $2)) }
        }

        ended = try EndedJobs(self, spool: spool)
        try dropJob("second", in: spool)
        start = MonotonicInstant.now()
        try DaemonUnderTest.serve(self, spool: spool) { daemon in
            let seconds = try firstEnd(since: start, ended, daemon)
            try daemon.awaitReady()
            addStart("  restart", "until the first job has ended", seconds, microseconds: 10)
            try addJournal("  journal after the restart", spool, count)
            try measureTicks("  \(Self.tickCount) due times a second beside them", spool, ended, daemon)
        }
        try timeCommands(", no daemon", spool, count) { add($0, "\(decimal($1, 3)) s", $1, "s", bar("below \(decimal($2, 1)) s", $1 < $2)) }
    }

    // MARK: The spool

    private func residentBytesWithoutTasks(on place: Place) throws -> Int {
        try DaemonUnderTest.serve(self, spool: try place.freshSpool()) { daemon in
            try daemon.awaitReady()
            return try ProcessFigures(pid: daemon.pid).residentBytes()
        }
    }

    /// Writes tasks that are due daily, each in a minute between 2 and 22 hours from now, so that none is due during the measure.
    private func writeTasks(_ count: Int, in spool: String) throws {
        let tasks = try Directory.open("\(spool)/tasks")
        var seconds = time(nil)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        for number in 0..<count {
            let hour = (Int(parts.tm_hour) + 2 + number / 60 % 20) % 24
            try tasks.writeFile("\(Self.taskName(number)).toml", Array("""
                command = ["true", "\(number)"]
                description = "task number \(number) of a large spool"

                [[schedule]]
                cron = "\(number % 60) \(hour) * * *"

                """.utf8))
        }
    }

    private static func taskName(_ number: Int) -> String {
        let digits = String(number)
        return "task-" + String(repeating: "0", count: max(0, 7 - digits.count)) + digits
    }

    private func dropJob(_ name: String, in spool: String) throws {
        try Directory.open(spool).writeFile("tmp/\(name).toml", Array("command = [\"/bin/true\"]\n".utf8))
        try Directory.open("\(spool)/tmp").rename("\(name).toml", into: try Directory.open("\(spool)/new"), as: "\(name).toml")
    }

    private func firstEnd(since start: MonotonicInstant, _ ended: EndedJobs, _ daemon: DaemonUnderTest) throws -> Double {
        try ended.wait(for: 1, from: daemon, until: Deadline(seconds: Self.taskGuardSeconds))
        return Double(MonotonicInstant.now().nanoseconds(since: start)) / 1e9
    }

    // MARK: The journal

    private func journalBytes(_ spool: String) throws -> Int {
        let journal = try Directory.open("\(spool)/journal")
        return try journal.list().reduce(0) { try $0 + Int(journal.status($1.name).size) }
    }

    private func addJournal(_ measure: String, _ spool: String, _ count: Int) throws {
        let bytes = try journalBytes(spool)
        let each = Double(bytes) / Double(count)
        report.add(
            Row(measure: measure, ours: "\(megabytes(bytes)) MB, \(decimal(each, 0)) B a task", figure: (each, "B")))
    }

    /// The milliseconds from the rename of a changed task's file until the journal has a record of it.
    private func edit(of count: Int, in spool: String, _ daemon: DaemonUnderTest) throws -> Samples {
        let tasks = try Directory.open("\(spool)/tasks")
        let composing = try Directory.open("\(spool)/tmp")
        let inotify = try Inotify()
        _ = try inotify.add("\(spool)/journal", [.modified])
        var events: [InotifyEvent] = []
        var taken = Samples()
        for number in 0..<min(count, options.isSmoke ? 4 : 16) {
            let file = "\(Self.taskName(number * (count / 16))).toml"
            let text = try FileDescriptor.open("\(spool)/tasks/\(file)", O_RDONLY).readAll(limit: .max)
            try composing.writeFile(file, text + Array("# edited\n".utf8))
            _ = try inotify.readEvents(into: &events)
            let start = MonotonicInstant.now()
            try composing.rename(file, into: tasks, as: file)
            let deadline = Deadline(seconds: 30)
            while try !daemon.wait(for: inotify.descriptor.raw, until: deadline, "take up an edited task") {}
            taken.add(Double(MonotonicInstant.now().nanoseconds(since: start)) / 1e6)
        }
        return taken
    }

    // MARK: Commands

    /// Measures commands that show few of the tasks, and gives each one's median of three calls and the seconds of its bar. Of many tasks
    /// each call takes seconds, and one is enough.
    private func timeCommands(_ remark: String, _ spool: String, _ count: Int, _ body: (String, Double, Double) -> Void) throws {
        guard let control = programs.control else { return report.skip("  spoolctl\(remark)", "spoolctl is not built") }
        let name = Self.taskName(count / 2)
        for (words, bar) in [
            (["next", "-n", "3"], 0.3), (["list", "--limit", "3"], 0.1), (["why", name], 0.1), (["show", name], 0.1),
        ] {
            var seconds = Samples()
            for _ in 0..<(count > 300_000 ? 1 : 3) {
                let start = MonotonicInstant.now()
                let code = try system.run(
                    control, ["--spool", spool] + words, environment: BareProgram.environment, seconds: Self.taskGuardSeconds)
                seconds.add(Double(MonotonicInstant.now().nanoseconds(since: start)) / 1e9)
                guard code == 0 else { throw Trouble.failed("spoolctl \(words.joined(separator: " ")) exited with \(code)") }
            }
            body("  \(words.map { $0 == name ? "NAME" : $0 }.joined(separator: " "))\(remark)", seconds.median, bar)
        }
    }

    // MARK: Due times

    /// The processor time for ten due times a second beside the tasks.
    private func measureTicks(_ measure: String, _ spool: String, _ ended: EndedJobs, _ daemon: DaemonUnderTest) throws {
        let tasks = try Directory.open("\(spool)/tasks")
        let composing = try Directory.open("\(spool)/tmp")
        let text = Array("command = [\"/bin/true\"]\noverlap = \"allow\"\n[[schedule]]\ncron = \"* * * * * *\"\n".utf8)
        for number in 0..<Self.tickCount {
            try composing.writeFile("tick-\(number).toml", text)
            try composing.rename("tick-\(number).toml", into: tasks, as: "tick-\(number).toml")
        }
        report.add(try steadyRow(measure, ended, daemon, seconds: options.isSmoke ? 3 : 20))
    }
}
