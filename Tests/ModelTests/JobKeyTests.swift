import Model
import TestSupport
import Testing

/// A line of a job's file, and the value that is read from it.
struct Accepted: CustomTestStringConvertible, Sendable {
    let line: String
    let value: String
    let read: @Sendable (JobDefinition) -> String

    /// `line` follows a command in the file. `read` returns the text that must equal `value`.
    init(_ line: String, means value: String, _ read: @escaping @Sendable (JobDefinition) -> String) {
        self.line = line
        self.value = value
        self.read = read
    }

    var testDescription: String { "\(line) means \(value)" }
}

/// A text, and all of its errors.
struct Refused: CustomTestStringConvertible, Sendable {
    let text: String
    let errors: [String]

    init(_ text: String, _ errors: String...) {
        self.text = text
        self.errors = errors
    }

    var testDescription: String { "\(text) is refused" }
}

private func text(_ value: (some Any)?) -> String { value.map { "\($0)" } ?? "nil" }

private func text(_ payload: [UInt8]?) -> String { payload.map { String(decoding: $0, as: UTF8.self) } ?? "nil" }

private func text(_ rule: RetryRule) -> String {
    guard let kinds = rule.kinds else { return "any" }
    return (kinds.map(\.rawValue).sorted() + rule.exitCodes.sorted().map(String.init)).joined(separator: " ")
}

private func text(_ backoff: Backoff) -> String {
    "\(backoff.initialMilliseconds) × \(backoff.factor) ≤ \(backoff.maxMilliseconds) ± \(backoff.jitter)"
}

@Suite struct JobKeyTests {
    @Test func whatIsNotGivenHasItsDefault() throws {
        let job = try readJob("command = [\"true\"]")
        #expect(job.action == .arguments(["true"]))
        #expect(job.description == nil && job.payload == nil && job.standardInput == nil && job.directory == nil)
        #expect(job.environment.isEmpty && job.environmentFile == nil && job.umask == nil)
        #expect(job.shell == ["/bin/sh", "-c"])
        #expect(job.start == nil && job.deadline == nil && job.timeoutMilliseconds == nil)
        #expect(job.queue == "default" && job.priority == 0 && job.tags == [] && job.overlap == .wait)
        #expect(job.killAfterMilliseconds == 10_000 && job.stopSignal == 15 && job.success == [0] && job.tries == 1)
        #expect(text(job.backoff) == "10000 × 1.0 ≤ 3600000 ± 0.0")
        #expect(job.retryOn.kinds == nil && job.onCrash == .fail && job.leftovers == .leave)
        #expect(job.keepMilliseconds == nil && job.keepCount == nil)
    }

    @Test func linesForSbatchAreReadUpToTheFirstCommand() {
        let script = "#!/bin/sh\n#SBATCH --time=5 \t\r\n# else\n\n #SBATCH no\n#SBATCHx\n#SBATCH\t-p long\nset -e\n#SBATCH --late\n"
        #expect(ScriptDirectives.read(Array(script.utf8)) == ["--time=5", "-p long"])
        #expect(ScriptDirectives.read([]).isEmpty)
    }

    static let actions: [(String, JobDefinition.Action)] = [
        (#"command = ["echo", "a b", ""]"#, .arguments(["echo", "a b", ""])),
        (#"command = "echo $HOME | wc""#, .line("echo $HOME | wc")),
        ("script = '''\necho\n'''", .script("echo\n")),
        ("script = \"#!/usr/bin/env python3\\nprint()\"", .script("#!/usr/bin/env python3\nprint()")),
        (#"command = ["échо", "\u2028"]"#, .arguments(["échо", "\u{2028}"])),
    ]

    @Test(arguments: actions)
    func whatToRunIsAnArgvALineOrAScript(text: String, action: JobDefinition.Action) throws {
        #expect(try readJob(text).action == action)
    }

    @Test func aDroppedScriptIsItselfWhatRuns() throws {
        let source = Source(format: .script, bytes: Array("#!/bin/sh\n#SPOOL timeout = 5\necho\n".utf8))
        let job = try JobDefinition.read(try source.table(), isScript: true, context)
        #expect(job.action == .droppedScript)
        #expect(job.timeoutMilliseconds == 5000)
        let other = Source(format: .script, bytes: Array("#!/bin/sh\n#SPOOL command = \"x\"\n".utf8))
        #expect(
            problems { _ = try JobDefinition.read(try other.table(), isScript: true, context) } == [
                "2:18: command in a script: the script itself is what runs"
            ])
    }

    static let accepted: [Accepted] = [
        Accepted(#"title = "Nächtlicher Dump: \"alles\"""#, means: "Nächtlicher Dump: \"alles\"") { text($0.title) },
        Accepted(#"description = "nightly""#, means: "nightly") { text($0.description) },
        Accepted("payload = {a = [1, 2.5], b = \"x\"}", means: #"{"a":[1,2.5],"b":"x"}"#) { text($0.payload) },
        Accepted("payload = 2026-11-21T02:00:00Z", means: #""2026-11-21T02:00:00Z""#) { text($0.payload) },
        Accepted("payload = false", means: "false") { text($0.payload) },
        Accepted("payload = \"\"", means: "\"\"") { text($0.payload) },
        Accepted(#"stdin = "/srv/in.csv""#, means: "file(\"/srv/in.csv\")") { text($0.standardInput) },
        Accepted("stdin = {text = \"a\\nb\"}", means: "text(\"a\\nb\")") { text($0.standardInput) },
        Accepted(#"directory = "/srv""#, means: "/srv") { text($0.directory) },
        Accepted(#"env_file = "/etc/default/x""#, means: "/etc/default/x") { text($0.environmentFile) },
        Accepted("env = {B = \"x=y\", A = 5, C = true, D = \"\"}", means: "B=x=y A=5 C=true D=") {
            $0.environment.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
        },
        Accepted("env.PATH = \"/bin\"", means: "PATH=/bin") { $0.environment.map { "\($0.name)=\($0.value)" }.joined() },
        Accepted(#"shell = "/bin/bash""#, means: "/bin/bash -c") { $0.shell.joined(separator: " ") },
        Accepted(#"shell = ["/bin/bash", "-euc"]"#, means: "/bin/bash -euc") { $0.shell.joined(separator: " ") },
        Accepted(#"umask = "022""#, means: "18") { text($0.umask) },
        Accepted(#"umask = "77""#, means: "63") { text($0.umask) },
        Accepted("umask = 0o027", means: "23") { text($0.umask) },
        Accepted("umask = 0", means: "0") { text($0.umask) },
        Accepted("umask = \"777\"", means: "511") { text($0.umask) },

        Accepted(#"start = "2026-12-24T18:00:00+01:00""#, means: "2026-12-24T17:00:00.000Z") { text($0.start) },
        Accepted("start = 2026-12-24T18:00:00Z", means: "2026-12-24T18:00:00.000Z") { text($0.start) },
        Accepted(#"start = "2026-12-24 18:00""#, means: "2026-12-24T18:00:00.000Z") { text($0.start) },
        Accepted("start = \"2026-12-24 18:00\"\ntimezone = \"Europe/Berlin\"", means: "2026-12-24T17:00:00.000Z") { text($0.start) },
        Accepted("timezone = \"Europe/Berlin\"\nstart = 2026-12-24", means: "2026-12-23T23:00:00.000Z") { text($0.start) },
        Accepted("start = 2026-12-24 18:00:00", means: "2026-12-24T18:00:00.000Z") { text($0.start) },
        Accepted(#"start = "@1790000000""#, means: "2026-09-21T14:13:20.000Z") { text($0.start) },
        Accepted("start = 1790000000123", means: "2026-09-21T14:13:20.123Z") { text($0.start) },
        Accepted(#"start = "in 2 hours""#, means: "2026-11-21T04:00:00.000Z") { text($0.start) },
        Accepted(#"start = "+2h""#, means: "2026-11-21T04:00:00.000Z") { text($0.start) },

        Accepted(#"queue = "gpu-2.x_y""#, means: "gpu-2.x_y") { $0.queue },
        Accepted("priority = -1000", means: "-1000") { "\($0.priority)" },
        Accepted("priority = 1000", means: "1000") { "\($0.priority)" },
        Accepted("tags = [\"b\", \"a\"]", means: "b a") { $0.tags.joined(separator: " ") },
        Accepted("tags = []", means: "") { $0.tags.joined() },
        Accepted(#"deadline = "2h""#, means: "after(7200000)") { text($0.deadline) },
        Accepted("deadline = 90", means: "after(90000)") { text($0.deadline) },
        Accepted("deadline = 0.5", means: "after(500)") { text($0.deadline) },
        Accepted(#"deadline = "PT1M""#, means: "after(60000)") { text($0.deadline) },
        Accepted(#"deadline = "2026-11-21 03:00""#, means: "2026-11-21T03:00:00.000Z") { text($0.deadline?.instant(due: now)) },
        Accepted("deadline = 2026-11-21T03:00:00Z", means: "2026-11-21T03:00:00.000Z") { text($0.deadline?.instant(due: now)) },
        Accepted("deadline = 1790000000000", means: "2026-09-21T14:13:20.000Z") { text($0.deadline?.instant(due: now)) },
        Accepted(#"deadline = "in 2h""#, means: "2026-11-21T04:00:00.000Z") {
            text($0.deadline?.instant(due: instant("2026-01-01T00:00:00.000Z")))
        },
        Accepted(#"overlap = "queue""#, means: "queue") { $0.overlap.rawValue },
        Accepted(#"overlap = "replace""#, means: "replace") { $0.overlap.rawValue },

        Accepted(#"timeout = "1h30m""#, means: "5400000") { text($0.timeoutMilliseconds) },
        Accepted(#"timeout = "90s""#, means: "90000") { text($0.timeoutMilliseconds) },
        Accepted(#"timeout = "2 days""#, means: "172800000") { text($0.timeoutMilliseconds) },
        Accepted(#"timeout = "PT1H30M""#, means: "5400000") { text($0.timeoutMilliseconds) },
        Accepted(#"timeout = "500ms""#, means: "500") { text($0.timeoutMilliseconds) },
        Accepted("timeout = 90", means: "90000") { text($0.timeoutMilliseconds) },
        Accepted("timeout = 1.5", means: "1500") { text($0.timeoutMilliseconds) },
        Accepted(#"kill_after = "1s""#, means: "1000") { "\($0.killAfterMilliseconds)" },
        Accepted("kill_after = 0", means: "0") { "\($0.killAfterMilliseconds)" },
        Accepted(#"stop_signal = "INT""#, means: "2") { "\($0.stopSignal)" },
        Accepted(#"stop_signal = "SIGUSR1""#, means: "10") { "\($0.stopSignal)" },
        Accepted(#"stop_signal = "sighup""#, means: "1") { "\($0.stopSignal)" },
        Accepted(#"stop_signal = "34""#, means: "34") { "\($0.stopSignal)" },
        Accepted("stop_signal = 9", means: "9") { "\($0.stopSignal)" },
        Accepted("success = [0, 2, 255]", means: "[0, 2, 255]") { "\($0.success)" },
        Accepted("tries = 1000000", means: "1000000") { "\($0.tries)" },
        Accepted(#"backoff = "30s""#, means: "30000 × 1.0 ≤ 3600000 ± 0.0") { text($0.backoff) },
        Accepted("backoff = 0", means: "0 × 1.0 ≤ 3600000 ± 0.0") { text($0.backoff) },
        Accepted(#"backoff = "2h""#, means: "7200000 × 1.0 ≤ 7200000 ± 0.0") { text($0.backoff) },
        Accepted(#"backoff = {initial = "5s", factor = 2, max = "1m", jitter = 0.2}"#, means: "5000 × 2.0 ≤ 60000 ± 0.2") {
            text($0.backoff)
        },
        Accepted("backoff = {}", means: "10000 × 1.0 ≤ 3600000 ± 0.0") { text($0.backoff) },
        Accepted(#"backoff = {initial = "2h", factor = 1.5}"#, means: "7200000 × 1.5 ≤ 7200000 ± 0.0") { text($0.backoff) },
        Accepted(#"retry_on = ["timeout", "signal", 75]"#, means: "signal timeout 75") { text($0.retryOn) },
        Accepted(#"retry_on = "lost""#, means: "lost") { text($0.retryOn) },
        Accepted("retry_on = 75", means: "75") { text($0.retryOn) },
        Accepted("retry_on = []", means: "") { text($0.retryOn) },
        Accepted(#"retry_on = ["exit", "spawn"]"#, means: "exit spawn") { text($0.retryOn) },
        Accepted(#"on_crash = "retry""#, means: "retry") { $0.onCrash.rawValue },
        Accepted(#"leftovers = "kill""#, means: "kill") { $0.leftovers.rawValue },
        Accepted(#"keep = "14d""#, means: "1209600000 nil") { "\(text($0.keepMilliseconds)) \(text($0.keepCount))" },
        Accepted("keep = 0", means: "0 nil") { "\(text($0.keepMilliseconds)) \(text($0.keepCount))" },
        Accepted(#"keep = {age = "1d", count = 100}"#, means: "86400000 100") { "\(text($0.keepMilliseconds)) \(text($0.keepCount))" },
        Accepted("keep = {count = 0}", means: "nil 0") { "\(text($0.keepMilliseconds)) \(text($0.keepCount))" },
        Accepted("nice = -20", means: "nice=-20") { confinement($0) },
        // ioprio_set(2): the class is above the lowest 13 bits.
        Accepted(#"ionice = "idle""#, means: "ioprio=24576") { confinement($0) },
        Accepted(#"ionice = "realtime:0""#, means: "ioprio=8192") { confinement($0) },
        Accepted(#"ionice = "best-effort""#, means: "ioprio=16388") { confinement($0) },
        Accepted(
            #"limits = {nofile = 1024, core = "unlimited", fsize = "1.5G"}"#,
            means: "rlimit=1:1610612736 rlimit=4:unlimited rlimit=7:1024") { confinement($0) },
        Accepted(#"limits = {cpu = "1m500ms", as = "64 KiB", nproc = 0}"#, means: "rlimit=0:61 rlimit=6:0 rlimit=9:65536") {
            confinement($0)
        },
        Accepted(#"limits = {memory = "1G", cpu_percent = 150, tasks = 9}"#, means: "1073741824 150.0 9 true") { cgroup($0) },
        Accepted("limits = {tasks = 9, required = false}", means: "nil nil 9 false") { cgroup($0) },
        Accepted("limits = {}", means: "none") { cgroup($0) },
        Accepted(#"output_limit = "1kb""#, means: "1024") { text($0.outputLimitBytes) },
        Accepted("locks = \"a\"", means: "a") { $0.locks.joined(separator: " ") },
        Accepted("locks = [\"b\", \"a\", \"b\"]", means: "b a") { $0.locks.joined(separator: " ") },
        Accepted("after = []", means: "nil") { text($0.after?.all) },
        Accepted("after = [\"t\", \"20261121T020000.000Z-a-k3f9ab\"]", means: "success t 20261121T020000.000Z-a-k3f9ab") { after($0) },
        Accepted("after = {all = \"t\", when = \"end\"}", means: "end t") { after($0) },
        Accepted("unique = {key = \"k\", while = \"active\"}", means: "k active") { text($0.unique.map { "\($0.key) \($0.holding)" }) },
        Accepted("unique = {key = \"k\"}", means: "k recorded") { text($0.unique.map { "\($0.key) \($0.holding)" }) },
        Accepted("unique = \"a/b c\"", means: "a/b c recorded") { text($0.unique.map { "\($0.key) \($0.holding)" }) },
        Accepted("on_success = \"task-1\"", means: "on_success success task(\"task-1\")") { follow($0) },
        Accepted("on_failure = \"mail me\"", means: "on_failure failure line(\"mail me\")") { follow($0) },
        Accepted("on_end = [\"a\", \"\"]", means: "on_end end arguments([\"a\", \"\"])") { follow($0) },
        Accepted("mail = \"a, b@c\"", means: "mail failure a, b@c report") { follow($0) },
        Accepted("mail = {to = \"a\", when = \"output\"}", means: "mail output a report") { follow($0) },
        Accepted("mail = false\non_failure = false", means: "") { follow($0) },
        Accepted("mail = {to = \"a\", when = \"always\"}", means: "mail end a report") { follow($0) },
        Accepted("mail = {to = \"a\", form = \"cron\", from = \"b@c\"}", means: "mail failure a cron b@c") { follow($0) },
        Accepted("pause_on_failure = true", means: "true") { "\($0.pausesOnFailure)" },
        Accepted("fallback = true", means: "true") { "\($0.fallsBack)" },
        Accepted("output_limit = 4096", means: "4096") { text($0.outputLimitBytes) },
        Accepted("output = \"journal\"", means: "journal") { $0.output.rawValue },
        Accepted("combine_output = true", means: "true") { text($0.combinesOutput) },
        Accepted("executor = \"slurm\"", means: "slurm") { text($0.executor) },
        Accepted("executor = \"local\"\nlimits.nofile = 9", means: "local") { text($0.executor) },
        Accepted("resources = {cpus = 4, memory = \"8G\", gpus = 0, nodes = 2}", means: "4 8589934592 0 2") {
            let resources = $0.executorKeys?.resources
            return [resources?.cpus, resources?.memoryBytes.map { Int($0) }, resources?.gpus, resources?.nodes].map(text)
                .joined(separator: " ")
        },
        Accepted("executor_args = [\"--partition=long\"]", means: "[\"--partition=long\"]") { text($0.executorKeys?.arguments) },
        Accepted("executor = \"ssh\"\nhost = \"build1\"", means: "[\"build1\"]") { text($0.executorKeys?.hosts) },
        Accepted("executor = \"ssh\"\nhost = [\"a\", \"b\"]", means: "[\"a\", \"b\"]") { text($0.executorKeys?.hosts) },
    ]

    private static func after(_ job: JobDefinition) -> String {
        ([job.after?.when.rawValue].compactMap { $0 } + (job.after?.all ?? [])).joined(separator: " ")
    }

    private static func follow(_ job: JobDefinition) -> String {
        job.followUps.map { followUp in
            guard case .mail(let mail) = followUp.action else { return "\(followUp.key) \(followUp.when) \(followUp.action)" }
            return (["mail", "\(followUp.when)", mail.to, mail.form.rawValue] + (mail.from.map { [$0] } ?? [])).joined(separator: " ")
        }.joined(separator: "; ")
    }

    private static func confinement(_ job: JobDefinition) -> String { job.confinement.map(\.text).joined(separator: " ") }

    private static func cgroup(_ job: JobDefinition) -> String {
        guard let limits = job.cgroupLimits else { return "none" }
        return "\(text(limits.memoryBytes)) \(text(limits.processorPercent)) \(text(limits.tasks)) \(limits.isRequired)"
    }

    @Test(arguments: accepted)
    func aKeyMeansWhatTheManualSays(_ form: Accepted) throws {
        #expect(form.read(try readJob("command = [\"true\"]\n\(form.line)")) == form.value)
    }

    /// Each text follows the line `command = ":"`, so it is on line 2.
    static let refused: [Refused] = [
        Refused("executor = \"a b\"", "2:12: executor \"a b\" is not a name: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with . or -"),
        Refused(
            "executor = \"slurm\"\nlimits.nofile = 9",
            "3:1: limits is carried out on this machine, and executor \"slurm\" runs the job elsewhere; "
                + "resources says what the job needs there"),
        Refused(
            "executor = \"slurm\"\nenv_file = \"x\"",
            "3:12: env_file is carried out on this machine, and executor \"slurm\" runs the job elsewhere; env holds variables for it"),
        Refused(
            "executor = \"local\"\nhost = \"a\"", "3:8: host is for an executor, and executor = \"local\" is this machine"),
        Refused("host = \"-oProxyCommand=x\"", "2:8: host: \"-oProxyCommand=x\" is not the name of a host"),
        Refused("resources.cpus = 0", "2:18: cpus is 0, outside 1 to 1000000"),
        Refused("resources.cpu = 1", "2:11: unknown key \"cpu\"; did you mean \"cpus\"?"),
        Refused("resources = 4", "2:13: resources must be a table such as {cpus = 4, memory = \"8G\", gpus = 1}, not a whole number"),
        Refused("title = 1", "2:9: title must be a string, not a whole number"),
        Refused(
            #"title = "a\nb""#, #"2:9: title contains \n: a title is one line of visible text; longer text goes into description"#),
        Refused(
            #"title = "a\u202Eb""#,
            #"2:9: title contains \u{202e}: a title is one line of visible text; longer text goes into description"#),
        Refused(#"title = "  ""#, "2:9: title is 2 bytes long; a title has 1 to 200, not all blank; longer text goes into description"),
        Refused(
            "title = \"\(String(repeating: "ä", count: 101))\"",
            "2:9: title is 202 bytes long; a title has 1 to 200, not all blank; longer text goes into description"),
        Refused("description = 1", "2:15: description must be a string, not a whole number"),
        Refused(#"description = "a\u0000""#, "2:15: description contains a NUL character"),
        Refused(#"stdin = ["x"]"#, "2:9: stdin must be the path of a file, or {text = \"…\"}, not a list"),
        Refused("stdin = {}", "2:9: stdin has no text; add text = \"…\""),
        Refused("mail = {to = \"a\", from = \"b\\nBcc: c\"}", "2:26: from must be an address, in printable ASCII"),
        Refused(
            "payload = 1\nstdin = \"/x\"",
            "3:9: stdin and payload both claim the job's standard input; keep one of them"),
        Refused("directory = true", "2:13: directory must be a string, not a truth value"),
        Refused("env = [\"A=b\"]", "2:7: env must be a table of variables, not a list"),
        Refused("env = {\"A=B\" = \"x\"}", #"2:8: "A=B" cannot be the name of a variable"#),
        Refused("env = {\"\" = \"x\"}", #"2:8: "" cannot be the name of a variable"#),
        Refused("env = {A = []}", "2:12: env.A must be a string, not a list"),
        Refused("env = {A = 1.5}", "2:12: env.A must be a string, not a number"),
        Refused(#"env = {A = "\u0000"}"#, "2:12: env.A contains a NUL character"),
        Refused(
            "shell = \"bash\"",
            #"2:9: shell must be an absolute path, or a list that begins with one, such as ["/bin/bash", "-ec"], not a string"#),
        Refused(
            "shell = []",
            #"2:9: shell must be an absolute path, or a list that begins with one, such as ["/bin/bash", "-ec"], not a list"#),
        Refused("umask = \"888\"", #"2:9: umask must be octal from "000" to "777""#),
        Refused("umask = \"1000\"", #"2:9: umask must be octal from "000" to "777""#),
        Refused("umask = \"\"", #"2:9: umask must be octal from "000" to "777""#),
        Refused("umask = 512", #"2:9: umask must be octal from "000" to "777""#),
        Refused("umask = -1", #"2:9: umask must be octal from "000" to "777""#),
        Refused("umask = \"+22\"", #"2:9: umask must be octal from "000" to "777""#),

        Refused("start = true", #"2:9: start must be an instant such as "2026-12-24T18:00:00Z", not a truth value"#),
        Refused("start = 07:30:00", "2:9: start must be an instant; 07:30:00 has no date"),
        Refused(
            #"start = "2026-13-01""#,
            #"2:9: start: month 13 is out of range 1-12 in "2026-13-01""#),
        Refused("start = 5", "2:9: start: a bare number is epoch milliseconds, and 5 is too small for that; epoch seconds are written @5"),
        Refused(
            "timezone = \"Europe/Berln\"",
            #"2:12: timezone: unknown time zone "Europe/Berln"; did you mean "Europe/Berlin"?"#),
        Refused("timezone = 1", "2:12: timezone must be a time zone's name, not a whole number"),
        Refused(
            "queue = \"a b\"",
            #"2:9: queue "a b" is not a name: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with . or -"#),
        Refused("queue = 1", "2:9: queue must be a name, not a whole number"),
        Refused("priority = 1001", "2:12: priority is 1001, outside -1000 to 1000"),
        Refused("priority = 1.0", "2:12: priority must be a whole number, not a number"),
        Refused("priority = -9223372036854775808", "2:12: priority is -9223372036854775808, outside -1000 to 1000"),
        Refused("tags = \"a\"", "2:8: tags must be a list of strings, not a string"),
        Refused("tags = [\"a\", 1]", "2:14: tags must hold strings without NUL, not a whole number"),
        Refused("deadline = -5", "2:12: deadline: a duration can't be negative: -5.0 seconds"),
        Refused("deadline = []", #"2:12: deadline must be a duration such as "2h" or an instant, not a list"#),
        Refused(
            "overlap = \"skipp\"",
            #"2:11: overlap must be one of wait, queue, skip, allow, replace, not "skipp"; did you mean "skip"?"#),
        Refused(
            "locks = [\"a\", \"-\"]",
            "2:15: locks must hold a name: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with . or -; \"-\" is not one"),
        Refused(
            "locks = 1", "2:9: locks must hold a name: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with . or -; a whole number is not one"),
        Refused("after = [\"a/b\"]", "2:10: after must hold a job's id or a task's name; \"a/b\" is not one"),
        Refused("after = {all = [\"a\"], wen = \"end\"}", "2:23: unknown key \"wen\"; did you mean \"when\"?"),
        Refused("after = {all = [\"a\"], when = \"done\"}", "2:30: when must be one of success, failure, end, not \"done\""),
        Refused("unique = \"\"", "2:10: unique is empty"),
        Refused(
            "unique = \"\(String(repeating: "/", count: 81))\"",
            "2:10: unique is 81 bytes long; about 240 are allowed; use a digest of it"),
        Refused("on_end = []", "2:10: on_end must be a task's name, a line for the shell, or a list of strings (an argv)"),
        Refused("on_end = \" \"", "2:10: on_end must be a task's name, a line for the shell, or a list of strings (an argv)"),
        Refused("mail = {when = \"always\"}", "2:8: mail has no address; add to = \"ADDRESS\""),
        Refused("mail = \"a\\nBcc: b\"", "2:8: mail must be an address, or several with commas between them, in printable ASCII"),
        Refused("expect = \"26h\"", "2:10: expect is a key of tasks; a job has no runs to expect"),
        Refused("on_overdue = \"t\"", "2:14: on_overdue is a key of tasks; a job has no runs to expect"),
        Refused("overlap = 1", "2:11: overlap must be one of wait, queue, skip, allow, replace, not a whole number"),

        Refused(
            "timeout = true",
            #"2:11: timeout must be a duration such as "90s", "1h30m" or a number of seconds, not a truth value"#),
        Refused("timeout = -1", "2:11: timeout: a duration can't be negative: -1.0 seconds"),
        Refused("timeout = nan", "2:11: timeout: a duration must be a finite number of seconds"),
        Refused("timeout = inf", "2:11: timeout: a duration must be a finite number of seconds"),
        Refused(
            "timeout = \"10 mins 5 secnds\"",
            #"2:11: timeout: unknown unit "secnds" in the duration "10 mins 5 secnds"; did you mean seconds?"#),
        Refused("timeout = \"\"", "2:11: timeout: the duration is empty; for example 90s, 1h30m, 2 days or PT1H30M"),
        Refused("stop_signal = \"TREM\"", #"2:15: stop_signal "TREM" is not a signal; did you mean "TERM"?"#),
        Refused("stop_signal = 65", #"2:15: stop_signal must be a signal's name or number, such as "TERM", not a whole number"#),
        Refused("stop_signal = \"0\"", #"2:15: stop_signal "0" is not a signal"#),
        Refused("success = 0", "2:11: success must be a list of exit codes such as [0, 2], not a whole number"),
        Refused("success = []", "2:11: success must be a list of exit codes such as [0, 2], not a list"),
        Refused("success = [0, 256]", "2:15: success must hold exit codes from 0 to 255"),
        Refused("success = [\"0\"]", "2:12: success must hold exit codes from 0 to 255"),
        Refused("tries = 0", "2:9: tries is 0, outside 1 to 1000000"),
        Refused("tries = \"2\"", "2:9: tries must be a whole number, not a string"),
        Refused(
            "backoff = true",
            #"2:11: backoff must be a duration such as "90s", "1h30m" or a number of seconds, not a truth value"#),
        Refused("backoff = {factor = 0.5}", "2:21: factor is 0.5, outside 1.0 to 1000.0"),
        Refused("backoff = {jitter = 2}", "2:21: jitter is 2.0, outside 0.0 to 1.0"),
        Refused("backoff = {factor = nan}", "2:21: factor is nan, outside 1.0 to 1000.0"),
        Refused("backoff = {inital = \"1s\"}", #"2:12: unknown key "inital"; did you mean "initial"?"#),
        Refused(
            "retry_on = [\"timeot\"]",
            #"2:13: retry_on knows exit, timeout, signal, spawn, lost, short and exit codes, not "timeot"; did you mean "timeout"?"#),
        Refused("retry_on = [-1]", "2:13: retry_on must hold exit codes from 0 to 255"),
        Refused("on_crash = \"rerun\"", #"2:12: on_crash must be one of fail, retry, not "rerun""#),
        Refused("output = \"mail\"", #"2:10: output must be one of files, journal, not "mail""#),
        Refused("leftovers = \"keep\"", #"2:13: leftovers must be one of leave, kill, not "keep""#),
        Refused("keep = {age = \"1d\", number = 1}", #"2:21: unknown key "number""#),
        Refused("nice = 20", "2:8: nice is 20, outside -20 to 19"),
        Refused(
            "ionice = \"best-effort:8\"",
            #"2:10: ionice must be idle, best-effort or realtime, the latter two with a level such as "best-effort:7""#),
        Refused(
            "ionice = \"idle:1\"",
            #"2:10: ionice must be idle, best-effort or realtime, the latter two with a level such as "best-effort:7""#),
        Refused("limits = {nofiles = 5}", #"2:11: unknown key "nofiles"; did you mean "nofile"?"#),
        Refused("limits = 5", #"2:10: limits must be a table such as {nofile = 1024, memory = "1G"}, not a whole number"#),
        Refused("limits = {memory = \"1X\"}", #"2:20: memory must be a size: bytes, or a number with K, M, G or T such as "64M""#),
        Refused(
            "limits = {memory = \"99999999999999999999T\"}",
            #"2:20: memory must be a size: bytes, or a number with K, M, G or T such as "64M""#),
        Refused("limits = {as = -1}", #"2:16: as must be a size: bytes, or a number with K, M, G or T such as "64M""#),
        Refused("output_limit = 10", "2:16: output_limit is 10; at least 1024"),
        Refused("keep = {count = -1}", "2:17: count is -1, outside 0 to 1000000000"),
        Refused("Timeout = 5", #"2:1: unknown key "Timeout"; did you mean "timeout"?"#),
        Refused(
            "timout = 5\nkil_after = 1", #"2:1: unknown key "timout"; did you mean "timeout"?"#,
            #"3:1: unknown key "kil_after"; did you mean "kill_after"?"#),
        Refused("xyzzy = 5", #"2:1: unknown key "xyzzy""#),
        Refused("[env]\nA = 1\n[limit]\nnofile = 5", #"4:2: unknown key "limit"; did you mean "limits"?"#),
        Refused("tries = 0\npriority = 5000", "2:9: tries is 0, outside 1 to 1000000", "3:12: priority is 5000, outside -1000 to 1000"),
    ]

    @Test(arguments: refused)
    func aKeyThatCannotBeUsedSaysWhereAndWhy(_ form: Refused) {
        #expect(problems { _ = try readJob("command = \":\"\n\(form.text)") } == form.errors)
    }

    static let wholeFiles: [Refused] = [
        Refused("", "1:1: nothing to run: give command, script or task; the file is empty"),
        Refused("# nothing\n", "1:1: nothing to run: give command, script or task; the file is empty"),
        Refused("tries = 2", "1:1: nothing to run: give command, script or task"),
        Refused("comand = [\"x\"]", #"1:1: unknown key "comand"; did you mean "command"?"#),
        Refused("skript = \"x\"", #"1:1: unknown key "skript"; did you mean "script"?"#),
        Refused("command = 3", "1:11: command must be a list of strings (an argv) or a string (a shell line), not a whole number"),
        Refused("command = []", "1:11: command is empty"),
        Refused("command = [\"\"]", "1:11: command is empty"),
        Refused("command = \"  \"", "1:11: command is empty"),
        Refused("command = [\"a\", 3]", "1:17: command must hold strings without NUL, not a whole number"),
        Refused(#"command = ["a", "\u0000"]"#, "1:17: command must hold strings without NUL, not a string"),
        Refused(#"command = "a\u0000""#, "1:11: command contains a NUL character"),
        Refused("script = \" \\n \"", "1:10: script is empty"),
        Refused("script = 3", "1:10: script must be a string, not a whole number"),
        Refused("command = \"a\"\nscript = \"b\"", "2:10: command and script are both given; keep one of them"),
    ]

    @Test(arguments: wholeFiles)
    func aJobNeedsOneThingToRun(_ form: Refused) {
        #expect(problems { _ = try readJob(form.text) } == form.errors)
    }

    @Test func theSameKeysCanBeWrittenInJSON() throws {
        let source = Source(
            format: .json,
            bytes: Array(
                #"{"command": ["a"], "payload": {"x": null}, "timeout": "10m", "tries": 3, "start": 1790000000123}"#.utf8))
        let job = try JobDefinition.read(try source.table(), context)
        #expect(text(job.payload) == #"{"x":null}"#)
        #expect(job.timeoutMilliseconds == 600_000 && job.tries == 3)
        #expect(job.start == instant("2026-09-21T14:13:20.123Z"))
        let list = Source(format: .json, bytes: Array(" [1]".utf8))
        #expect(problems { _ = try list.table() } == ["1:2: expected an object, found a list"])
    }

    @Test(arguments: [0, 1])
    func aPayloadMayHave256KiBAsJSON(excess: Int) throws {
        let text = String(repeating: "x", count: JobDefinition.payloadBytesMax - 2 + excess)
        let said = problems { _ = try readJob("command = \":\"\npayload = \"\(text)\"") }
        #expect(said == (excess == 0 ? [] : ["2:11: payload is 262145 bytes as JSON; at most 262144 are allowed"]))
    }

    @Test func everyKeyOfTheManualIsRead() {
        // A key that is not read would be reported as unknown.
        for key in JobDefinition.keys where key != "task" {
            let said = problems { _ = try readJob("command = \":\"\n\(key) = 1900-01-01T00:00:00Z") }
            #expect(!said.contains { $0.contains("unknown key") }, "\(key): \(said)")
        }
    }
}
