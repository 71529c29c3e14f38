import Documents
import Glibc
import Linux
import Testing

/// Properties of every command of spoolctl: a right use, each kind of wrong use with its exit code and its line, and JSON.
@Suite("Every command", .ownThreads)
struct CommandTableTests {
    /// Correct and wrong uses of a command. The words DONE, FAILED, NEW and RUN are replaced by ids of such jobs, FILE and
    /// CRONTAB by paths. Nil or empty if there is no such use.
    struct Use: CustomTestStringConvertible {
        var command: String
        /// Exits with 0, and prints `says`.
        var right: [String]
        var says: String
        /// An argument is missing, or there is one too many. Exits with 2.
        var missing: [String]?
        var tooMuch: [String]?
        /// Names a job, task or schedule that does not exist. Exits with 3.
        var unknown: [String]?
        /// Gives a value that cannot be read. Exits with 4.
        var invalid: [String]?
        /// True if the command prints data.
        var json = true

        var testDescription: String { command }
    }

    static let uses: [Use] = [
        Use(
            command: "submit", right: ["--", "true"], says: "-true-", missing: [], tooMuch: ["--task", "t", "true"],
            unknown: ["--task", "nosuch"], invalid: ["--timeout", "soon", "true"]),
        Use(
            command: "run", right: ["t"], says: "-t-", missing: [], tooMuch: ["t", "u"], unknown: ["nosuch"],
            invalid: ["t", "--payload", "{"]),
        Use(
            command: "backfill", right: ["t", "--from", "3h", "--dry-run"], says: "-t-",
            missing: ["t"], tooMuch: ["t", "u", "--from", "1h"],
            unknown: ["nosuch", "--from", "1h"], invalid: ["t", "--from", "soon"]),
        Use(command: "wait", right: ["DONE"], says: "", missing: [], unknown: ["DONE", "nosuch"], invalid: ["--timeout", "soon", "DONE"]),
        Use(command: "logs", right: ["DONE"], says: "hello", missing: [], unknown: ["nosuch"]),
        Use(command: "status", right: ["DONE"], says: "done", unknown: ["nosuch"]),
        Use(command: "health", right: [], says: "", tooMuch: ["more"], invalid: ["--timeout", "soon"], json: false),
        Use(command: "jobs", right: [], says: "-sh-", tooMuch: ["DONE"], invalid: ["--since", "soon"]),
        // summary exits with 1 because of the failed job. SummaryTests covers it.
        Use(
            command: "summary", right: ["--help"], says: "usage: spoolctl summary", tooMuch: ["t"], invalid: ["--since", "soon"],
            json: false),
        Use(command: "top", right: [], says: "running", tooMuch: ["more"]),
        Use(command: "cancel", right: ["NEW"], says: "canceled", missing: [], unknown: ["nosuch"]),
        Use(command: "kill", right: ["-s", "CONT", "RUN"], says: "SIGCONT sent", missing: [], unknown: ["nosuch"]),
        Use(command: "retry", right: ["FAILED"], says: "-exit-", missing: [], unknown: ["nosuch"]),
        Use(command: "forget", right: ["FAILED"], says: ": forgotten", missing: [], unknown: ["nosuch"]),
        Use(command: "progress", right: ["0.5", "--job", "RUN"], says: "", missing: [], unknown: ["0.5", "--job", "nosuch"]),
        Use(
            command: "result", right: ["FILE", "--job", "RUN"], says: "", missing: [], tooMuch: ["FILE", "FILE", "--job", "RUN"],
            unknown: ["FILE", "--job", "nosuch"]),
        Use(
            command: "extend", right: ["1h", "RUN"], says: "may run until", missing: [], unknown: ["1h", "nosuch"],
            invalid: ["soon", "RUN"]),
        Use(
            command: "create", right: ["-q", "new", "--", "true"], says: "new", missing: [],
            invalid: ["x", "--cron", "61 * * * *", "true"]),
        Use(
            command: "update", right: ["-q", "t", "--timeout", "5m"], says: "t", missing: [], unknown: ["nosuch", "--timeout", "5m"],
            invalid: ["t", "--timeout", "soon"]),
        Use(command: "edit", right: ["t"], says: "", missing: [], tooMuch: ["t", "u"], unknown: ["no such"], json: false),
        Use(command: "delete", right: ["-q", "-f", "t"], says: "t", missing: [], tooMuch: ["-f", "t", "u"], unknown: ["-f", "nosuch"]),
        Use(
            command: "schedule", right: ["t", "--every", "1h", "--id", "own"], says: "own", missing: ["t"],
            tooMuch: ["t", "u", "--every", "1h"], unknown: ["nosuch", "--every", "1h"], invalid: ["t", "--every", "soon"]),
        Use(command: "unschedule", right: ["-q", "sched"], says: "sched", missing: [], tooMuch: ["sched", "other"], unknown: ["nosuch"]),
        Use(command: "list", right: [], says: "t\t", tooMuch: ["t"]),
        Use(command: "show", right: ["t"], says: "cron \"@hourly\"", missing: [], tooMuch: ["t", "u"], unknown: ["nosuch"]),
        Use(
            command: "next", right: ["t"], says: "\tt\t", tooMuch: ["--cron", "@daily", "t"], unknown: ["nosuch"],
            invalid: ["--cron", "61 * * * *"]),
        Use(
            command: "explain", right: ["@daily"], says: "meaning\t", missing: [], tooMuch: ["--cron", "@daily", "@daily"],
            invalid: ["61 * * * *"]),
        Use(command: "simulate", right: [], says: "t\t", tooMuch: ["t"], unknown: ["--run-time", "nosuch=1h"], invalid: ["--to", "soon"]),
        Use(command: "timeline", right: ["t"], says: "\tdue\tt\t-", unknown: ["nosuch"], invalid: ["--from", "soon"]),
        Use(
            command: "why", right: ["FAILED"], says: "exited with 3", missing: [], tooMuch: ["t", "u"], unknown: ["nosuch"],
            invalid: ["t@nonsense"]),
        Use(command: "check", right: [], says: ""),
        Use(
            command: "import", right: ["crontab", "--dry-run", "CRONTAB"], says: "# tasks/true.toml", missing: [], tooMuch: ["at", "more"],
            invalid: ["crontab", "FILE"]),
        Use(
            command: "export", right: ["u", "--crontab"], says: "@hourly true", missing: ["u"], tooMuch: ["t", "u", "--systemd"],
            unknown: ["nosuch", "--crontab"]),
        // ApplyTests covers its correct uses.
        Use(command: "apply", right: ["--help"], says: "usage: spoolctl apply", missing: [], tooMuch: ["a", "b"], json: false),
        Use(command: "pause", right: ["--task", "t"], says: "", tooMuch: ["t", "t"],
            unknown: ["--task", "nosuch"], invalid: ["--queue", ".x"]),
        Use(command: "resume", right: ["--task", "t"], says: "", tooMuch: ["t", "t"],
            unknown: ["--task", "nosuch"], invalid: ["--queue", ".x"]),
        // Other suites cover its correct uses.
        Use(command: "restart", right: ["--help"], says: "usage: spoolctl restart", tooMuch: ["more"], json: false),
        Use(command: "prune", right: [], says: "removed 0 records", tooMuch: ["DONE"], invalid: ["--older-than", "soon"]),
        Use(command: "fsck", right: [], says: "", tooMuch: ["more"]),
        Use(command: "doctor", right: [], says: "daemon\t", tooMuch: ["more"]),
        Use(command: "journal", right: ["--id", "DONE"], says: "ended", tooMuch: ["DONE"], invalid: ["--since", "soon"]),
        Use(
            command: "metrics", right: [], says: "\n# TYPE spoold_up gauge\n", tooMuch: ["more"], invalid: ["--format", "xml"],
            json: false),
        // MonitorTests covers its correct use.
        Use(command: "monitor", right: ["--help"], says: "usage: spoolctl monitor", tooMuch: ["more"], json: false),
        // CtlCommandTests covers its correct use.
        Use(command: "demo", right: ["--help"], says: "usage: spoolctl demo", tooMuch: ["more"], json: false),
        Use(command: "completion", right: ["bash"], says: "complete", missing: [], tooMuch: ["bash", "zsh"], json: false),
        Use(command: "version", right: [], says: ".", tooMuch: ["more"]),
        Use(command: "help", right: ["list"], says: "usage: spoolctl list", tooMuch: ["list", "jobs"], json: false),
    ]

    @Test("The table has every command that spoolctl has, in its order")
    func all() throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(try ShippedTextTests.commands(spool) == Self.uses.map(\.command))
    }

    @Test("A right use exits with 0; a wrong one with the code of its kind and one line on standard error; --json is JSON", arguments: uses)
    func use(_ use: Use) throws {
        let example = try Example()
        defer { example.end() }
        func check(_ words: [String]?, _ code: Int32, _ what: String) throws {
            guard let words else { return }
            let result = try example.ctl([use.command] + words)
            #expect(result.code == code, "\(what): \(words): \(result.code) \(result.errors)")
            #expect(
                result.errors.hasPrefix("spoolctl: ") && result.errors.hasSuffix("\n") && result.errors.split(separator: "\n").count == 1,
                "\(what): \(words): \(result.errors)")
            #expect(result.output.isEmpty, "\(what): \(result.output)")
        }
        // The other exit codes of wait are those of jobs.
        let own: Int32? = use.command == "wait" ? 125 : nil
        try check(use.missing, own ?? 2, "missing")
        try check(use.tooMuch, own ?? 2, "too much")
        try check(["--nonsense"], own ?? 2, "an unknown option")
        try check(use.unknown, own ?? 3, "unknown")
        try check(use.invalid, own ?? 4, "invalid")
        let right = try example.ctl([use.command] + use.right)
        #expect(right.code == 0 && right.output.contains(use.says), "\(right.code) \(right.output)\(right.errors)")
    }

    @Test("--json prints JSON, with the same exit code", arguments: uses.filter(\.json))
    func json(_ use: Use) throws {
        let example = try Example()
        defer { example.end() }
        let result = try example.ctl(["--json", use.command] + use.right.filter { $0 != "-q" })
        #expect(result.code == 0 && !result.output.isEmpty, "\(result.code) \(result.errors)")
        // The output is one JSON value, or one value on each line.
        let isWhole = (try? JSON.parse(Array(result.output.utf8))) != nil
        let lines = try result.lines.filter { _ in !isWhole }.map { try JSON.parse(Array($0.utf8)) }
        #expect(isWhole || !lines.isEmpty, "\(result.output)")
    }

    /// A spool with tasks, schedules and jobs of each state.
    final class Example {
        let spool: SpoolUnderTest
        private let gate: Gate
        private var words: [String: String] = [:]

        init() throws {
            spool = try SpoolUnderTest()
            gate = try spool.gate()
            try spool.acceptedTask("t", "command = [\"true\"]\n[[schedule]]\ncron = \"@hourly\"")
            try spool.acceptedTask("u", "command = \"true\"\noverlap = \"allow\"\n[[schedule]]\ncron = \"@hourly\"\ncatch_up = \"none\"")
            #expect(try spool.ctl("schedule", "t", "--at", "2099-01-01", "--id", "sched").code == 0)
            try spool.logLine("event=defined", "file=schedules/sched")
            words["DONE"] = try spool.ctl("submit", "-w", "-q", "-N", "sh", "echo hello").id
            words["FAILED"] = try spool.ctl("submit", "-w", "-q", "exit 3").id
            words["NEW"] = try spool.ctl("submit", "--in", "1h", "--", "true").id
            words["RUN"] = try spool.ctl("submit", "--timeout", "1h", "echo > \(spool.out)/began; read x < \(gate.path)").id
            try spool.output("began")
            words["FILE"] = "\(spool.base)/file"
            words["CRONTAB"] = "\(spool.base)/crontab"
            try Files.write("\(spool.base)/file", "[1]")
            try Files.write("\(spool.base)/crontab", "0 5 * * * true\n")
        }

        func ctl(_ arguments: [String]) throws -> CtlResult {
            // `true` is an editor that changes nothing.
            let call = ["EDITOR=true", "\(SpoolUnderTest.programs)/spoolctl", "--config", spool.configuration] + arguments.map {
                words[$0] ?? $0
            }
            let result = try Commands.run("env", call, environment: ["SPOOL_DIR=\(spool.path)"])
            return CtlResult(code: result.code, output: result.output, errors: result.error)
        }

        func end() {
            try? gate.release()  // otherwise the end of the spool ends the job
        }
    }
}
