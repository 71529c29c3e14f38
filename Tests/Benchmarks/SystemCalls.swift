import Glibc
import Linux

/// The system calls and the inodes that one job costs, counted by strace(1). Other work on the machine does not change these figures.
extension Suite {
    private static let callGuardSeconds = 300.0

    func measureCalls(_ name: String, on place: Place) throws {
        guard let strace = System.find("strace") else { throw Trouble.unavailable("strace is not installed") }
        let warmUp = DaemonUnderTest.slots * 2
        let count = options.isSmoke ? 50 : 1000
        let spool = try place.freshSpool()
        let trace = "\(try place.fresh("calls"))/trace"
        let from = try Directory.open("\(spool)/tmp")
        let to = try Directory.open("\(spool)/new")
        for number in 0..<warmUp + count { try from.writeFile("\(number).toml", Array("command = [\"/bin/true\"]\n".utf8)) }
        try DaemonUnderTest.serve(self, spool: spool, under: [strace, "-D", "-f", "-s", "0", "-o", trace, "--"]) { daemon in
            try daemon.awaitReady()
            let ended = try EndedJobs(self, spool: spool)
            func drain(_ numbers: Range<Int>) throws {
                for number in numbers { try from.rename("\(number).toml", into: to, as: "\(number).toml") }
                try ended.wait(for: numbers.upperBound, from: daemon, until: Deadline(seconds: Self.callGuardSeconds))
            }
            // The first jobs start the workers.
            try drain(0..<warmUp)
            try daemon.markTrace()
            try drain(warmUp..<warmUp + count)
            try daemon.markTrace()
        }
        let counts = try TracedCalls(FileDescriptor.open(trace, O_RDONLY).readAll(limit: .max))
        guard counts.marks == 2 else { throw Trouble.failed("strace did not record the beginning and the end of the jobs") }
        func each(_ calls: Int) -> String { decimal(Double(calls) / Double(count), 1) }
        func row(_ measure: String, _ role: TracedCalls.Role, bar: Double? = nil) -> Row {
            let calls = counts.total(of: role)
            return Row(
                measure: measure, ours: "\(each(calls)) calls a job", figure: (Double(calls) / Double(count), "calls"),
                bar: bar.map { "at most \(decimal($0, 0))" } ?? "",
                isMet: bar.map { Double(calls) <= $0 * Double(count) })
        }
        report.add(row(name, .daemon, bar: 25))
        report.add(row("  worker", .worker, bar: 22))
        report.add(row("  worker's child before its exec", .child))
        report.add(
            Row(
                measure: "  inodes besides the dropped file", ours: "\(each(counts.inodes)) a job", bar: "at most 4",
                isMet: counts.inodes <= 4 * count))
        for call in counts.names where counts.all(call) * 20 >= count {
            let parts = TracedCalls.counted.map { "\($0.rawValue) \(each(counts.count(call, of: $0)))" }
            report.add(Row(measure: "    \(call)", ours: parts.joined(separator: ", ")))
        }
    }
}

/// Counts the system calls in a trace between two marks. A mark is SIGCONT, sent to the daemon.
struct TracedCalls {
    /// The process that made a call. A worker's child becomes the command when it executes.
    enum Role: String { case daemon, worker, child, command }
    /// The command's own calls are not counted.
    static let counted: [Role] = [.daemon, .worker, .child]

    private(set) var marks = 0
    /// Directories and files that were created.
    private(set) var inodes = 0
    private var counts: [Role: [String: Int]] = [:]

    /// Reads a file of `strace -f -o`: lines of `PID CALL(ARGUMENTS) = RESULT`. A call that was interrupted by another process has two
    /// lines: `PID CALL(ARGUMENTS <unfinished ...>` and `PID <... CALL resumed>) = RESULT`.
    init(_ trace: [UInt8]) throws {
        var roles: [Substring: Role] = [:]
        var creating: Set<Substring> = []
        for bytes in trace.split(separator: UInt8(ascii: "\n")) {
            let line = Substring(decoding: bytes, as: UTF8.self)
            guard let space = line.firstIndex(of: " ") else { continue }
            let pid = line[..<space]
            let text = line[space...].drop { $0 == " " }
            if text.hasPrefix("--- SIGCONT") { marks += 1 }
            // After "+++ exited with 0 +++" another process may get the same pid.
            if text.hasPrefix("+++") { roles[pid] = nil }
            if text.hasPrefix("+++") || text.hasPrefix("---") { continue }
            if text.hasPrefix("<...") {
                if creating.remove(pid) != nil, marks == 1, Self.succeeded(text) { inodes += 1 }
                continue
            }
            guard let bracket = text.firstIndex(of: "(") else { continue }
            let call = String(text[..<bracket])
            let role = roles[pid] ?? (roles.isEmpty ? .daemon : .child)
            roles[pid] = role
            if call == "execve", role == .child { roles[pid] = text.contains("/spool-worker\"") ? .worker : .command }
            guard Self.counted.contains(role) else { continue }
            if marks == 1 { counts[role, default: [:]][call, default: 0] += 1 }
            guard Self.creates(call, text) else { continue }
            if text.hasSuffix("<unfinished ...>") { creating.insert(pid) } else if marks == 1, Self.succeeded(text) { inodes += 1 }
        }
    }

    private static func creates(_ call: String, _ text: Substring) -> Bool {
        switch call {
        case "mkdir", "mkdirat", "mknod", "mknodat", "symlink", "symlinkat": true
        case "open", "openat", "openat2": text.contains("O_CREAT") || text.contains("O_TMPFILE")
        default: false
        }
    }

    private static func succeeded(_ text: Substring) -> Bool { !text.contains(" = -1 ") }

    func count(_ call: String, of role: Role) -> Int { counts[role]?[call] ?? 0 }

    func total(of role: Role) -> Int { counts[role]?.values.reduce(0, +) ?? 0 }

    func all(_ call: String) -> Int { Self.counted.reduce(0) { $0 + count(call, of: $1) } }

    /// The names of the calls, the most frequent first.
    var names: [String] { Set(counts.values.flatMap(\.keys)).sorted { (all($1), $0) < (all($0), $1) } }
}
