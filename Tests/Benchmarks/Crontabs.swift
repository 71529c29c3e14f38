import Glibc
import Linux

/// The crontabs of a machine: an edit of a long one, many of them, and many edits.
extension Suite {
    private static let crontabGuardSeconds = 300.0
    /// The daemon has at least this long to read lines before the minute at which they are due.
    private static let readSeconds = 20

    func measureCrontabs(_ name: String, on place: Place) throws {
        guard geteuid() == 0 else { return report.skip(name, "crontabs are root's") }
        let count = options.scale ?? (options.isSmoke ? 200 : 10_000)
        try measureLongCrontab(name, lines: count, on: place)
        try measureManyCrontabs(files: options.isSmoke ? 20 : 1000, on: place)
        try measureManyEdits(options.isSmoke ? 500 : 100_000, on: place)
    }

    // MARK: The machine

    /// The directory of a machine whose crontabs a daemon reads, and that daemon's spool.
    private struct CrontabMachine {
        let spool: String
        let root: String
        var configuration: String { "crontabs = true\ncrontab_root = \"\(root)\"\n" }

        init(on place: Place) throws {
            (spool, root) = (try place.freshSpool(), try place.fresh("machine"))
            let directory = try Directory.open(root)
            for name in ["etc", "etc/cron.d", "var", "var/spool", "var/spool/cron", "var/spool/cron/crontabs"] {
                try directory.makeDirectory(name)
            }
        }

        func write(_ file: String, _ text: String) throws {
            let directory = try Directory.open(root)
            try directory.writeFile("new", Array(text.utf8))
            try FileDescriptor.open("\(root)/new", O_RDONLY).setMode(0o644)
            try directory.rename("new", to: file)
        }

        /// True when a record in the journal of the daemon has this text.
        func journalHas(_ text: String) throws -> Bool {
            let directory = try Directory.open("\(spool)/journal")
            return try directory.list().contains { entry in
                let bytes = try FileDescriptor.open("\(spool)/journal/\(entry.name)", O_RDONLY).readAll(limit: .max)
                return bytes.firstRange(of: Array(text.utf8)) != nil
            }
        }
    }

    /// Waits until the journal has a text, and returns the seconds for that.
    private func seconds(
        until text: String, in machine: CrontabMachine, _ daemon: DaemonUnderTest, _ change: () throws -> Void
    ) throws -> Double {
        let inotify = try Inotify()
        _ = try inotify.add("\(machine.spool)/journal", [.modified, .created])
        let start = MonotonicInstant.now()
        try change()
        let deadline = Deadline(seconds: Self.crontabGuardSeconds)
        var events: [InotifyEvent] = []
        while true {
            guard try daemon.wait(for: inotify.descriptor.raw, until: deadline, "take up an edit") else { continue }
            let seconds = Double(MonotonicInstant.now().nanoseconds(since: start)) / 1e9
            events.removeAll(keepingCapacity: true)
            _ = try inotify.readEvents(into: &events)
            if try machine.journalHas(text) { return seconds }
        }
    }

    // MARK: The measures

    private func measureLongCrontab(_ name: String, lines count: Int, on place: Place) throws {
        let machine = try CrontabMachine(on: place)
        var lines = (0..<count).map { "\($0 % 60) 3 1 1 * root job-\($0) --of=many >/dev/null" }
        func write() throws { try machine.write("etc/crontab", lines.joined(separator: "\n") + "\n") }
        try write()
        try DaemonUnderTest.serve(self, spool: machine.spool, configuration: machine.configuration) { daemon in
            try daemon.awaitReady()
            var (wall, processor) = (Samples(), Samples())
            for number in 0..<(options.isSmoke ? 3 : 16) {
                // Two looks at one file are half a second apart, and the first is at once.
                try system.pause(milliseconds: 600)
                lines[count / 2 + number] = "\(number % 60) 4 1 1 * root edited-\(number)"
                let before = try ProcessFigures(pid: daemon.pid).processorSeconds()
                wall.add(try seconds(until: "edited-\(number)", in: machine, daemon, write) * 1e3)
                processor.add((try ProcessFigures(pid: daemon.pid).processorSeconds() - before) * 1e3)
            }
            report.add(
                Row(
                    measure: name,
                    ours: "an edit of \(count) lines: median \(decimal(wall.median, 0)), largest \(decimal(wall.largest, 0)) ms",
                    figure: (wall.median, "ms")))
            report.add(
                Row(measure: "  processor time of it", ours: "median \(decimal(processor.median, 0)) ms", figure: (processor.median, "ms")))
        }
    }

    private func measureManyCrontabs(files count: Int, on place: Place) throws {
        let machine = try CrontabMachine(on: place)
        var second = time(nil) % 60
        while 60 - second < Self.readSeconds {
            try system.pause(milliseconds: 1000)
            second = time(nil) % 60
        }
        let due = (time(nil) / 60 + 1) * 60
        var (seconds, parts) = (due, tm())
        gmtime_r(&seconds, &parts)
        // The local time of the daemon is UTC, and no line is due again during the measure.
        let others = (1..<10).map { "\(($0 * 7) % 60) \((Int(parts.tm_hour) + 2) % 24) * * * root job-\($0)\n" }.joined()
        for number in 0..<count {
            try machine.write("etc/cron.d/user-\(number)", "\(parts.tm_min) \(parts.tm_hour) * * * root true\n\(others)")
        }
        let ended = try EndedJobs(self, spool: machine.spool)
        let start = MonotonicInstant.now()
        try DaemonUnderTest.serve(self, spool: machine.spool, configuration: machine.configuration + "timezone = \"UTC\"\n") { daemon in
            try daemon.awaitReady()
            let took = Double(MonotonicInstant.now().nanoseconds(since: start)) / 1e9
            report.add(
                Row(measure: "  \(count) crontabs of 10 lines, start", ours: "\(decimal(took)) s", figure: (took, "s")))
            let resident = try ProcessFigures(pid: daemon.pid).residentBytes()
            let each = Double(resident) / Double(10 * count)
            report.add(
                Row(measure: "  memory", ours: "\(megabytes(resident)) MB, \(decimal(each, 0)) B a line", figure: (each, "B")))
            try ended.wait(for: count, from: daemon, until: Deadline(seconds: Self.crontabGuardSeconds))
            let late = Double(System.wallNanoseconds() - Int64(due) * 1_000_000_000) / 1e9
            report.add(
                Row(measure: "  \(count) lines of one minute have ended", ours: "\(decimal(late)) s after it", figure: (late, "s")))
        }
    }

    private func measureManyEdits(_ count: Int, on place: Place) throws {
        let machine = try CrontabMachine(on: place)
        try machine.write("etc/cron.d/x", "0 3 1 1 * root same\n")
        try DaemonUnderTest.serve(self, spool: machine.spool, configuration: machine.configuration) { daemon in
            try daemon.awaitReady()
            let before = try ProcessFigures(pid: daemon.pid).processorSeconds()
            let took = try System.seconds {
                for number in 0..<count {
                    try machine.write("etc/cron.d/x", "0 3 1 1 * root same\n\(number % 60) 4 1 1 * root edit-\(number)\n")
                }
            }
            let last = try seconds(until: "last-edit", in: machine, daemon) {
                try machine.write("etc/cron.d/x", "0 3 1 1 * root same\n0 4 1 1 * root last-edit\n")
            }
            let processor = try ProcessFigures(pid: daemon.pid).processorSeconds() - before
            report.add(
                Row(
                    measure: "  \(count) edits in a row",
                    ours: "\(perSecond(count, in: took)), the daemon: \(decimal(processor)) s of a processor",
                    figure: (processor, "s")))
            report.add(
                Row(
                    measure: "  the last of them is taken up", ours: "\(decimal(last * 1e3, 0)) ms after it", figure: (last * 1e3, "ms"),
                    bar: "below 1 s", isMet: last < 1))
        }
    }
}
