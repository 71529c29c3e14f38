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
        let (count, processor) = try DaemonUnderTest.serve(self, spool: spool) { daemon in
            try daemon.awaitReady()
            let ended = try EndedJobs(self, spool: spool)
            func processorSeconds() throws -> Double {
                // Idle workers outlive the measure, so their processor time is counted to the end.
                try ([daemon.pid] + system.children(of: daemon.pid)).reduce(0) { try $0 + self.seconds(ofProcess: $1) }
            }
            // The first runs start the workers.
            try ended.wait(for: 10, from: daemon, until: Deadline(seconds: 30))
            let before = try processorSeconds()
            let count = ended.ids.count
            try ended.wait(for: count + 10 * seconds, from: daemon, until: Deadline(seconds: Double(seconds) + 30))
            return (ended.ids.count - count, try processorSeconds() - before)
        }
        let share = processor / Double(count) * 10
        report.add(
            Row(
                measure: name, ours: "\(decimal(share * 100)) % of a processor, without the jobs", reference: "\(count) due times",
                figure: (share * 100, "%"), bar: "below 0.50 %", isMet: share < 0.005))
    }

    /// The processor seconds of a process itself, from /proc/PID/stat.
    private func seconds(ofProcess pid: pid_t) throws -> Double {
        let text = String(decoding: try FileDescriptor.open("/proc/\(pid)/stat", O_RDONLY).readAll(limit: .max), as: UTF8.self)
        // The name of the program, in brackets, may contain anything.
        guard let end = text.lastIndex(of: ")") else { throw Trouble.unavailable("/proc/\(pid)/stat has no name") }
        let words = text[end...].split(separator: " ")
        guard words.count > 13, let user = Double(words[12]), let system = Double(words[13]) else {
            throw Trouble.unavailable("/proc/\(pid)/stat has no times")
        }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}
