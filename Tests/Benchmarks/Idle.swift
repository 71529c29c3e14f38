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
            let before = try contextSwitches(daemon.pid)
            try system.pause(milliseconds: seconds * 1000)
            return (
                try contextSwitches(daemon.pid) - before,
                try figure("VmRSS", in: "/proc/\(daemon.pid)/status"), try figure("Pss", in: "/proc/\(daemon.pid)/smaps_rollup")
            )
        }
        report.add(
            Row(measure: name, ours: "\(wakes) wake-ups in \(seconds) s", bar: "none", isMet: wakes == 0))
        func megabytes(_ kibibytes: Int) -> String { decimal(Double(kibibytes) * 1024 / 1e6, 1) }
        report.add(
            Row(
                measure: "  memory", ours: "RSS \(megabytes(resident)), PSS \(megabytes(proportional)) MB",
                figure: (Double(resident) * 1024 / 1e6, "MB"),
                bar: "RSS below 8 MB", isMet: resident * 1024 < 8_000_000))
    }

    private func contextSwitches(_ pid: pid_t) throws -> Int {
        try figure("voluntary_ctxt_switches", in: "/proc/\(pid)/status")
    }

    /// The number on the line `name:` of a file of proc(5). Sizes are in KiB.
    private func figure(_ name: String, in path: String) throws -> Int {
        let text = String(decoding: try FileDescriptor.open(path, O_RDONLY).readAll(limit: .max), as: UTF8.self)
        for line in text.split(separator: "\n") where line.hasPrefix("\(name):") {
            let digits = line.dropFirst(name.count + 1).drop { $0 == " " || $0 == "\t" }.prefix { $0.isNumber }
            if let number = Int(digits) { return number }
        }
        throw Trouble.unavailable("\(path) has no \(name)")
    }
}
