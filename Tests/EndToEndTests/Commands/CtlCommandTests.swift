// Each command of spoolctl, used on a spool that a daemon serves.

import Documents
import Glibc
import Linux
import TestSupport
import Testing

extension CtlResult {
    /// The output as JSON.
    var json: Value { get throws { try JSON.parse(Array(output.utf8)) } }

    /// The output as a list of objects.
    var objects: [Table] {
        get throws {
            guard case .array(let elements) = try json.kind else { throw WaitFailed(description: "no list: \(output)") }
            return try elements.map(object)
        }
    }

    /// The output as an object on each line.
    var lineObjects: [Table] { get throws { try output.split(separator: "\n").map { try object(JSON.parse(Array($0.utf8))) } } }

    private func object(_ value: Value) throws -> Table {
        guard case .table(let table) = value.kind else { throw WaitFailed(description: "no object: \(output)") }
        return table
    }

    /// The fields of each line that a command writes into a pipe.
    var rows: [[String]] {
        output.split(separator: "\n").map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
    }
}

extension SpoolUnderTest {
    /// The output of `status --json` for a job.
    func status(_ id: String) throws -> Table {
        guard case .table(let table) = try ctl("status", "--json", id).json.kind else { throw failure("no status of \(id)") }
        return table
    }
}

extension Table {
    func text(_ key: String) -> String? {
        guard case .string(let text)? = self[key]?.kind else { return nil }
        return text
    }
}

@Suite("spoolctl's commands", .ownThreads)
struct CtlCommandTests {
    @Test(
        "--help of each command shows its usage with examples, and needs no spool", arguments: CommandTableTests.uses.map(\.command)
    )
    func help(_ command: String) throws {
        let result = try Commands.run("\(SpoolUnderTest.programs)/spoolctl", command, "--help")
        #expect(result.code == 0 && result.error.isEmpty)
        #expect(result.output.hasPrefix("usage: spoolctl \(command)"))
        #expect(command == "version" || result.output.contains("\nExamples:\n"))
        #expect(!result.output.contains("\u{1B}"), "no colour in a pipe")
        #expect(result.output.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(result.output)")
    }

    @Test("Long options can be abbreviated, before and after the command; an ambiguous abbreviation names the candidates")
    func abbreviations() throws {
        let spool = try SpoolUnderTest(starting: false)
        func ctl(_ words: String...) throws -> Commands.Result { try Commands.run("\(SpoolUnderTest.programs)/spoolctl", words) }
        #expect(try ctl("--sp", spool.path, "create", "t", "--timeo", "5m", "--des=what for", "--", "true").code == 0)
        let shown = try ctl("show", "t", "--sp=\(spool.path)", "--js")
        #expect(shown.code == 0 && shown.output.contains("what for"), "\(shown)")
        let ambiguous = try ctl("create", "u", "--ti", "5m", "--", "true")
        #expect(ambiguous.code == 2 && ambiguous.error == "spoolctl: --ti is ambiguous: --timezone, --title, --timeout\n", "\(ambiguous)")
        // `--s` means --spool before the command, and is not ambiguous because of an option of the command.
        #expect(try ctl("--s", spool.path, "jobs").code == 0)
        #expect(try ctl("list", "-V").output == ctl("version").output)
    }

    @Test("-n for --dry-run and --name still works, with a remark that names the new option")
    func formerLetters() throws {
        let spool = try SpoolUnderTest(starting: false)
        let named = try spool.ctl("submit", "-n", "mine", "--", "true")
        #expect(named.code == 0 && named.id.contains("-mine-"))
        #expect(
            named.errors
                == "spoolctl: -n for --name will not work in a later release; write --name or -N\n"
                + "spoolctl: spoold is not running: nothing runs and no file is accepted until it starts\n")
        _ = try spool.ctl("submit", "-N", "other", "--", "true")
        #expect(try spool.ctl("jobs", "-q", "-n", "mine").lines == [named.id])
        #expect(try spool.ctl("jobs", "-q", "-n", "1").lines.count == 1)
        let pruned = try spool.ctl("prune", "-n")
        #expect(pruned.code == 0)
        #expect(pruned.errors.hasPrefix("spoolctl: -n for --dry-run will not work in a later release; write --dry-run\n"))
    }

    @Test("-v prints the spool, daemon and configuration in use, and the changed files")
    func verbose() throws {
        let spool = try SpoolUnderTest()
        let result = try spool.ctl("create", "t", "-v", "--", "true")
        let lines = result.errors.split(separator: "\n").map(String.init)
        #expect(result.code == 0 && lines.count == 4, "\(result)")
        #expect(lines.first == "spoolctl: spool: \(spool.path), from --spool" || lines.first?.hasSuffix("from SPOOL_DIR") == true)
        #expect(lines.dropFirst().first?.hasPrefix("spoolctl: daemon: process ") == true)
        #expect(lines.dropFirst(2).first?.hasPrefix("spoolctl: configuration: /") == true)
        #expect(lines.last?.hasPrefix("spoolctl: renamed tmp/") == true && lines.last?.hasSuffix(" to tasks/t.toml") == true)
    }

    // MARK: Submitting

    static let options: [(options: [String], key: String, value: String)] = [
        (["--priority", "7"], "priority", "7"), (["-p", "-3"], "priority", "-3"), (["--queue", "slow"], "queue", "\"slow\""),
        (["--tag", "a", "--tag", "b"], "tags", "[\"a\",\"b\"]"), (["--tries", "4"], "tries", "4"),
        (["--payload", "{\"a\": [1, null]}"], "payload", "{\"a\":[1,null]}"), (["--name", "mine"], "name", "\"mine\""),
        (["--keep", "2 days"], "keep_ms", "172800000"),
    ]

    @Test("submit has an option for each key of a job, and the status shows its value", arguments: options)
    func option(_ row: (options: [String], key: String, value: String)) throws {
        let spool = try SpoolUnderTest()
        let result = try spool.ctl(list: ["submit", "-w"] + row.options + ["--", "true"])
        #expect(result.code == 0, "\(result.errors)")
        let status = try spool.ctl("status", "--json", result.id)
        guard case .table(let table) = try status.json.kind, let value = table[row.key] else {
            return #expect(Bool(false), "no \(row.key) in \(status.output)")
        }
        #expect(JSON.write(value) == row.value)
    }

    @Test("submit takes the caller's directory, umask and PATH along; --env all of the environment")
    func surroundings() throws {
        let spool = try SpoolUnderTest()
        let script = "umask 027; cd \"$1\"; PATH=\"$1:$PATH\"; shift; export OWN=1; exec \"$@\""
        let ctl = ["\(SpoolUnderTest.programs)/spoolctl", "--spool", spool.path, "submit", "-q"]
        let job = "pwd; umask; echo $PATH; echo ${OWN-none}"
        for (options, own) in [([], "none"), (["--env"], "1")] {
            let result = try Commands.run("sh", ["-c", script, "sh", spool.out] + ctl + options + [job])
            #expect(result.code == 0, "\(result.error)")
            let id = String(result.output.dropLast())
            #expect(try spool.ctl("wait", id).code == 0)
            let lines = try spool.ctl("logs", id).lines
            #expect(lines.count == 4)
            #expect(lines.first == spool.out && lines.dropFirst().first == "0027" && lines.last == own)
            #expect(lines.dropFirst(2).first?.hasPrefix("\(spool.out):") == true)
        }
    }

    @Test("submit --file takes each kind of job, and - standard input; a bad one is refused before it is dropped")
    func file() throws {
        let spool = try SpoolUnderTest()
        try Files.write("\(spool.base)/a.toml", "command = [\"echo\", \"toml\"]")
        try Files.write("\(spool.base)/a.json", "{\"command\": [\"echo\", \"json\"]}")
        try Files.write("\(spool.base)/a.sh", "#!/bin/sh\n#SPOOL tags = [\"s\"]\necho script\n", mode: 0o755)
        for (file, output) in [("a.toml", "toml\n"), ("a.json", "json\n"), ("a.sh", "script\n")] {
            let result = try spool.ctl("submit", "-w", "--file", "\(spool.base)/\(file)")
            #expect(result.code == 0, "\(result.errors)")
            #expect(try spool.ctl("logs", result.id).output == output)
        }
        let piped = try Commands.run(
            "\(SpoolUnderTest.programs)/spoolctl", ["--spool", spool.path, "submit", "-w", "-"], input: "command = [\"echo\", \"piped\"]")
        #expect(piped.code == 0, "\(piped.error)")
        try Files.write("\(spool.base)/bad.toml", "command = 'true'\ntimout = 3\n")
        let bad = try spool.ctl("submit", "--file", "\(spool.base)/bad.toml")
        #expect(bad.code == 4)
        #expect(bad.errors.contains("bad.toml:2:1: unknown key \"timout\"; did you mean \"timeout\"?"))
        #expect(try spool.ended().count == 4)
    }

    @Test(
        "When submit prints an id, the job's file and its name in new/ are on the disk",
        .enabled(if: Commands.has("strace"), "strace is not installed"))
    func durable() throws {
        let spool = try SpoolUnderTest(starting: false)
        _ = try spool.ctl("submit", "--", "true")
        let trace = "\(spool.base)/trace"
        let result = try Commands.run(
            "strace", ["-y", "-o", trace, "\(SpoolUnderTest.programs)/spoolctl", "--spool", spool.path, "submit", "--", "true"])
        #expect(result.code == 0, "\(result.error)")
        let id = result.output.split(separator: "\n")[0]
        // These steps must follow one another: the text is synced, the file gets its name, the name is synced, the id is printed.
        var steps = ["fsync(@/tmp/\(id).toml>) = 0", "renameat2(@new/\(id).toml@) = 0", "fsync(@/new>) = 0", "write(1<@\(id)@"][...]
        let calls = try Files.text(trace)
        for line in calls.split(separator: "\n") {
            guard let step = steps.first else { break }
            let squeezed = line.split(separator: " ").joined(separator: " ")
            var rest = squeezed[...]
            let parts = step.split(separator: "@")
            guard squeezed.hasPrefix(parts[0]) else { continue }
            let matches = parts.allSatisfy { part in
                guard let range = rest.firstRange(of: part) else { return false }
                rest = rest[range.upperBound...]
                return true
            }
            if matches { steps.removeFirst() }
        }
        #expect(steps.isEmpty, "\(steps.first ?? "") is missing:\n\(calls)")
    }

    @Test("submit --lines submits every line of standard input, and each runs once")
    func lines() throws {
        let spool = try SpoolUnderTest()
        let result = try Commands.run(
            "\(SpoolUnderTest.programs)/spoolctl", ["--spool", spool.path, "submit", "--lines"],
            input: (0..<200).map { "echo \($0) >> \(spool.out)/ran\n" }.joined())
        #expect(result.code == 0, "\(result.error)")
        let ids = result.output.split(separator: "\n").map(String.init)
        #expect(Set(ids).count == 200)
        #expect(try spool.ctl(list: ["wait"] + ids).code == 0)
        #expect(try spool.linesNow("ran").sorted() == (0..<200).map(String.init).sorted())
    }

    @Test("Many callers at once get an id each, and every job runs once")
    func manyCallers() throws {
        let spool = try SpoolUnderTest()
        let script = "i=0; while [ $i -lt 10 ]; do \"$1\" --spool \"$2\" submit -q \"echo $3-$i >> $4/ran\" || exit 1; i=$((i + 1)); done"
        let callers = try (0..<8).map {
            try Commands.Running("sh", ["-c", script, "sh", "\(SpoolUnderTest.programs)/spoolctl", spool.path, "\($0)", spool.out])
        }
        let ids = try callers.flatMap { caller in
            let result = try caller.end()
            #expect(result.code == 0, "\(result.error)")
            return result.output.split(separator: "\n").map(String.init)
        }
        #expect(Set(ids).count == 80)
        #expect(try spool.ctl(list: ["wait"] + ids).code == 0)
        #expect(try Set(spool.linesNow("ran")).count == 80 && spool.linesNow("ran").count == 80)
    }

    // MARK: Waiting and looking

    @Test("wait takes several, and exits with the first code that is not 0; an unknown id is 125")
    func wait() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let ids = try ["true", "exit 5", "read x < \(gate.path); exit 6"].map { try spool.ctl("submit", $0).id }
        #expect(try spool.ctl("wait", "--any", ids[2], ids[1]).code == 5)
        try gate.release()
        #expect(try spool.ctl(list: ["wait"] + ids).code == 5)
        #expect(try spool.ctl("wait", ids[2]).code == 6)
        #expect(try spool.ctl("wait", "20200101T000000.000Z-none-abcd").code == 125)
    }

    @Test("logs -f shows output as it is written, and ends with the job")
    func follow() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let wait = "read x < \(gate.path)"
        let id = try spool.ctl("submit", "echo first; echo > \(spool.out)/began; \(wait); echo last; \(wait); echo err >&2").id
        let follower = try spool.startCtl(["logs", "-f", id])
        try spool.output("began")
        #expect(try spool.ctl("logs", id).output == "first\n")
        try gate.release()
        // The two outputs have no common order.
        try follower.awaitOutput("last\n")
        try gate.release()
        let result = try follower.end()
        #expect(result.code == 0 && result.output == "first\nlast\nstderr| err\n")
        #expect(try spool.ctl("logs", "--stderr", id).output == "err\n")
    }

    @Test("logs shows the output of each try, and says when there is none")
    func logsOfTries() throws {
        let spool = try SpoolUnderTest()
        let id = try spool.ctl("submit", "-w", "--tries", "2", "--backoff", "1ms", "echo try $SPOOL_TRY; test $SPOOL_TRY = 2").id
        #expect(try spool.ctl("logs", id).output == "try 2\n")
        #expect(try spool.ctl("logs", "--try", "1", id).output == "try 1\n")
        #expect(try spool.ctl("logs", "--try", "7", id).code != 0)
        #expect(try spool.ctl("logs", "20200101T000000.000Z-none-abcd").code == 3)
    }

    @Test("jobs lists waiting, running and ended jobs, and selects by state, task, tag, queue and number")
    func jobs() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.acceptedTask("t", "command = \"exit 2\"")
        let done = try spool.ctl("submit", "-w", "--tag", "x", "true").id
        let failed = try spool.ctl("run", "-w", "t").id
        let running = try spool.ctl("submit", "-Q", "slow", "echo > \(spool.out)/began; read x < \(gate.path)").id
        let waiting = try spool.ctl("submit", "--in", "1h", "true").id
        try spool.output("began")
        let choices: [([String], [String])] = [
            ([], [done, failed, running, waiting]), (["--state", "done"], [done]), (["--state", "failed"], [failed]),
            (["--state", "running"], [running]), (["--state", "new"], [waiting]), (["--state", "done,failed"], [done, failed]),
            (["--task", "t"], [failed]), (["--tag", "x"], [done]), (["--queue", "slow"], [running]), (["--reason", "exit"], [failed]),
            (["--since", "1h", "--state", "done"], [done]), (["--since", "2099-01-01", "--state", "done"], []),
        ]
        for (options, ids) in choices {
            #expect(Set(try spool.ctl(list: ["jobs", "-q"] + options).lines) == Set(ids), "\(options)")
            #expect(Set(try spool.ctl(list: ["jobs", "--json"] + options).objects.compactMap { $0.text("id") }) == Set(ids), "\(options)")
        }
        #expect(try spool.ctl("jobs", "--limit", "1", "-q").lines.count == 1)
        let rows = try spool.ctl("jobs").rows
        #expect(rows.count == 4 && Set(rows.map(\.count)).count == 1, "one line each, the same fields in all")
        #expect(try spool.ctl("jobs", "--state", "nosuch").code == 2)
        try gate.release()
    }

    @Test("A13: status shows a job or the daemon, or reports that no daemon runs")
    func status() throws {
        let spool = try SpoolUnderTest()
        let id = try spool.ctl("submit", "-w", "exit 3").id
        let job = try spool.ctl("status", id)
        #expect(job.output.contains(id) && job.output.contains("exit"))
        // The end of an id is enough when no other id ends so.
        #expect(try spool.ctl("status", "-q", String(id.suffix(6))).id == id)
        #expect(try spool.ctl("status").output.contains("pid \(spool.daemon?.pid ?? 0)"))
        guard case .table(let table) = try spool.ctl("status", "--json").json.kind else { return #expect(Bool(false), "no object") }
        #expect(table["is_running"].map { JSON.write($0) } == "true")
        try spool.stop()
        guard case .table(let after) = try spool.ctl("status", "--json").json.kind else { return #expect(Bool(false), "no object") }
        #expect(after["is_running"].map { JSON.write($0) } == "false")
        #expect(try spool.ctl("status", id).code == 0, "reading needs no daemon")
    }

    // MARK: Ending and running again

    @Test("cancel and kill end a running job, each in its way")
    func cancelAndKill() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        func begin(_ name: String) throws -> String {
            let id = try spool.ctl("submit", gate.waiting(trap: "USR1", "exit 9", ready: "echo > \(spool.out)/\(name)")).id
            try spool.output(name)
            return id
        }
        let canceled = try begin("canceled")
        #expect(try spool.ctl("cancel", canceled).code == 0)
        _ = try spool.ctl("wait", canceled)
        #expect(try spool.ctl("status", "--json", canceled).output.contains("\"reason\":\"canceled\""))
        let killed = try begin("killed")
        #expect(try spool.ctl("kill", killed).code == 0)
        #expect(try spool.ctl("wait", killed).code == 137)
        let told = try begin("told")
        #expect(try spool.ctl("kill", "-s", "USR1", told).code == 0)
        #expect(try spool.ctl("wait", told).code == 9)
        #expect(try spool.ctl("kill", told).code == 1)
        #expect(try spool.ctl("kill", "-s", "NOSUCH", told).code != 0)
        #expect(try spool.ctl("cancel", "20200101T000000.000Z-none-abcd").code == 3)
    }

    @Test("E5: a waiting job is canceled with the daemon down too, and does not run", arguments: [0, 50])
    func cancelWhileDown(others: Int) throws {
        let spool = try SpoolUnderTest(starting: false)
        for index in 0..<others { try spool.drop("other-\(index).toml", "command = [\"true\"]") }
        let id = try spool.ctl("submit", "touch \(spool.out)/ran").id
        #expect(try spool.ctl("cancel", id).code == 0)
        try spool.start()
        #expect(try spool.runsOn())
        try spool.ended(count: others + 1)
        #expect(!Files.exists("\(spool.out)/ran"))
    }

    @Test("E5: a job that cancel reports as canceled does not run, even right after its submission")
    func cancelAtOnce() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let gate = try spool.gate()
        _ = try spool.ctl("submit", "echo > \(spool.out)/began; read x < \(gate.path)")
        try spool.output("began")
        for _ in 0..<20 {
            // The daemon is stopped, so it sees both files in one turn.
            spool.signal(SIGSTOP)
            let id = try spool.ctl("submit", "echo ran >> \(spool.out)/ran").id
            try spool.define("control/c.request", "{\"do\": \"cancel\", \"id\": \"\(id)\"}")
            spool.signal(SIGCONT)
            let answer = try spool.wait(for: "the answer") { () throws -> String? in
                guard Files.exists("\(spool.path)/control/c.answer"), !Files.exists("\(spool.path)/control/c.request") else { return nil }
                return try Files.text("\(spool.path)/control/c.answer")
            }
            #expect(answer.contains("\"code\":0"), "\(answer)")
            try Files.remove("\(spool.path)/control/c.answer")
        }
        try gate.release()
        #expect(try spool.runsOn())
        #expect(!Files.exists("\(spool.out)/ran"))
        #expect(try spool.jobs(in: "failed").count == 20)
    }

    // MARK: Tasks

    @Test("create, show, list, schedule, unschedule, update and delete, with the daemon up: it follows each")
    func tasks() throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.ctl("create", "t", "--description", "a task", "--cron", "0 5 * * *", "--", "echo", "one").code == 0)
        #expect(try spool.ctl("create", "t", "--", "echo", "other").code != 0, "it is there already")
        #expect(try spool.ctl("run", "-w", "t").code == 0)
        let run = try spool.ctl("run", "-w", "--payload", "{\"n\": 1}", "t")
        #expect(try spool.ctl("logs", run.id).output == "one\n")
        #expect(try spool.ctl("status", "--json", run.id).output.contains("\"payload\":{\"n\":1}"))

        let added = try spool.ctl("schedule", "t", "--every", "1h")
        #expect(added.code == 0 && added.lines.count == 1)
        #expect(try Files.list("\(spool.path)/schedules") == ["\(added.id).toml"])
        try spool.logLine("event=defined", "file=schedules/\(added.id)")
        let task = try #require(try spool.ctl("list", "--json").objects.first)
        #expect(task.text("name") == "t")
        guard case .array(let schedules)? = task["schedules"]?.kind else { return #expect(Bool(false), "no schedules") }
        #expect(schedules.count == 2)
        #expect(try spool.ctl("show", "t").output.contains("cron \"0 5 * * *\""))
        #expect(try spool.ctl("show", "nosuch").code == 3)
        #expect(try spool.ctl("unschedule", added.id).code == 0)
        #expect(try Files.list("\(spool.path)/schedules") == [])
        #expect(try spool.ctl("unschedule", added.id).code == 3)

        #expect(try spool.ctl("update", "t", "--", "echo", "two").code == 0)
        let again = try spool.ctl("run", "-w", "t")
        #expect(try spool.ctl("logs", again.id).output == "two\n")
        #expect(try spool.ctl("list", "--names").lines == ["t"])
        #expect(try spool.ctl("delete", "-f", "t").code == 0)
        #expect(try spool.ctl("list", "--names").lines == [])
        #expect(try spool.ctl("delete", "-f", "t").code == 3)
        #expect(try spool.ctl("run", "t").code == 3)
        try spool.logLine("event=removed", "file=tasks/t")
    }

    @Test("A1: a task that is created with a cron expression runs by it")
    func createdTaskRuns() throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.ctl("create", "tick", "--cron", "* * * * * *", "--", "true").code == 0)
        #expect(try spool.ended("tick", count: 2).allSatisfy { $0.outcome == "done 0" })
        #expect(try spool.ctl("jobs", "--task", "tick", "-q", "--state", "done").lines.count >= 2)
    }

    @Test("M10: list shows all tasks, or a given number from an offset on")
    func listParts() throws {
        let spool = try SpoolUnderTest(starting: false)
        let names = (0..<25).map { "t\($0 + 10)" }
        for name in names { try spool.task(name, "command = [\"true\"]") }
        #expect(try spool.ctl("list").rows.compactMap(\.first) == names)
        #expect(try spool.ctl("list", "--limit", "10").rows.compactMap(\.first) == Array(names[..<10]))
        #expect(try spool.ctl("list", "-q", "--offset", "10", "--limit", "5").lines == Array(names[10..<15]))
        #expect(try spool.ctl("list", "-q", "--limit", "0").lines == names)
        #expect(try spool.ctl("list", "--names").lines == names)
    }

    // MARK: When

    static let dues: [(cron: String, zone: String, from: String, due: [String])] = [
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
        ("0 */2 * * *", "Europe/Berlin", "2026-10-24T23:00:00Z", ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T03:00:00Z"]),
        ("0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z", ["2026-09-06T04:00:00Z"]),
        ("*/5 9-17 * * mon-fri", "UTC", "2026-01-02T17:52:00Z", ["2026-01-02T17:55:00Z", "2026-01-05T09:00:00Z"]),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]),
    ]

    @Test("A1: next --cron prints the due times of a crontab's expression, without a spool", arguments: dues)
    func next(_ row: (cron: String, zone: String, from: String, due: [String])) throws {
        let spool = try SpoolUnderTest(starting: false)
        let result = try spool.ctl(
            "next", "--cron", row.cron, "--timezone", row.zone, "--from", row.from, "-n", "\(row.due.count)", "--json")
        #expect(result.code == 0, "\(result.errors)")
        #expect(try result.objects.map { ($0.text("due") ?? "").replacing(".000Z", with: "Z") } == row.due)
        #expect(try result.objects.allSatisfy { $0["note"] != nil && $0.text("local") != nil })
    }

    @Test(
        "A payload's numbers keep their digits from the command line to the job, its record, a restart and a retry",
        arguments: [true, false]
    )
    func payloadNumbers(_ isJSON: Bool) throws {
        // TOML has no null, so a null in the payload makes the job's file JSON.
        let numbers = "\"id\":123456789012345678901234567890,\"sum\":0.1000000000000000055511151231257827"
        let payload = "{\(numbers),\"more\":[-99999999999999999999,1e400,1.10,6E2\(isJSON ? ",null" : "")]}"
        let spool = try SpoolUnderTest()
        _ = try spool.ctl("pause")
        let id = try #require(
            try spool.ctl("submit", "--payload", payload, "--name", "n", "--", "sh", "-c", "cat; echo; cat $SPOOL_PAYLOAD").lines.first)
        try spool.wait(for: "the job to be taken up") { try spool.ctl("status", id).code == 0 }
        // After this only the journal has the payload.
        try spool.stop()
        try spool.start()
        _ = try spool.ctl("resume")
        let job = try spool.end(of: "n")
        #expect(try job.stdout == "\(payload)\n\(payload)")
        #expect(try job.text("status.json").contains("\"payload\":\(payload)"))
        #expect(try spool.ctl("status", id, "--json").output.contains("\"payload\":\(payload)"))
        #expect(try spool.ctl("jobs", "--json").output.contains(payload))
        let retry = try #require(try spool.ctl("retry", id).lines.first)
        #expect(try spool.ctl("wait", retry).code == 0)
        #expect(try spool.ctl("logs", retry).output == "\(payload)\n\(payload)")
        // Payloads of a task, and of one run of the task.
        #expect(try spool.ctl("create", "t", "--payload", payload, "--", "cat").code == 0)
        #expect(try spool.ctl("run", "-w", "t").output == payload)
        #expect(try spool.ctl("run", "-w", "t", "--payload", "[18446744073709551616]").output == "[18446744073709551616]")
        // The result of a job.
        #expect(
            try spool.ctl(
                "submit", "-w", "--name", "r", "--", "sh", "-c",
                "echo 0.10000000000000000555 | \(SpoolUnderTest.programs)/spoolctl result -").code
                == 0)
        #expect(try spool.end(of: "r").text("status.json").contains("\"result\":0.10000000000000000555"))
    }

    @Test("create, schedule and next take calendar expressions")
    func calendars() throws {
        let spool = try SpoolUnderTest(starting: false)
        let expression = "Fri *-*~07/1 17:00"
        #expect(try spool.ctl("create", "t", "--calendar", expression, "--timezone", "Europe/Berlin", "--", "true").code == 0)
        let schedule = try spool.ctl("schedule", "t", "--calendar", "daily Asia/Tokyo")
        #expect(try spool.ctl("show", "t").output.contains("calendar \"\(expression)\""))
        let next = try spool.ctl("next", "t", "--from", "2026-03-27T15:59:59Z", "-n", "2", "--json").objects
        #expect(next.map { $0.text("local") } == ["2026-03-27T17:00:00.000+01:00", "2026-03-29T00:00:00.000+09:00"])
        #expect(next.map { $0.text("schedule") == schedule.lines.first } == [false, true])
        let asked = try spool.ctl("next", "--calendar", expression, "--from", "2026-03-27T15:59:59Z", "-n", "1", "-q")
        #expect(asked.lines == ["2026-03-27T17:00:00.000Z"])
    }

    @Test("create, schedule, next and explain take recurrence rules")
    func recurrenceRules() throws {
        let spool = try SpoolUnderTest(starting: false)
        let rule = "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR"
        let options = ["--rrule", rule, "--dtstart", "20260302T083000", "--timezone", "Europe/Berlin"]
        #expect(
            try spool.ctl(list: ["create", "t"] + options + ["--exdate", "2026-03-16", "--exdate", "20260330T083000", "--", "true"]).code
                == 0)
        #expect(try spool.ctl("schedule", "t", "--rrule", "FREQ=YEARLY", "--dtstart", "now").code == 0)
        #expect(
            try spool.ctl("show", "t").output.contains(
                "rrule \"\(rule)\" from 2026-03-02T08:30:00 without 2026-03-16 without 2026-03-30T08:30:00"))
        let next = try spool.ctl("next", "t", "--from", "2026-03-07", "-n", "2", "--json").objects
        #expect(next.map { $0.text("local") } == ["2026-03-20T08:30:00.000+01:00", "2026-04-03T08:30:00.000+02:00"])
        let asked = try spool.ctl(list: ["next", "--from", "2026-03-07", "-n", "2", "-q"] + options)
        #expect(asked.lines == ["2026-03-16T07:30:00.000Z", "2026-03-20T07:30:00.000Z"])
        let explained = try spool.ctl(list: ["explain"] + options)
        #expect(
            explained.output.contains(
                "Every 2 weeks on Monday and Friday, at 08:30, from 2026-03-02 08:30 on, in the time of Europe/Berlin"))
        #expect(try spool.ctl("explain", "FREQ=MONTHLY;BYDAY=2TU").output.contains("Every month on the 2nd Tuesday of the month, at 00:00"))
    }

    @Test("next shows the due times of the spool's tasks, the earliest first")
    func nextOfTasks() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.task("a", "command = [\"true\"]\n[[schedule]]\ncron = \"0 5 1 1 *\"\n[[schedule]]\nat = \"2099-01-01T00:00:00Z\"")
        try spool.task("b", "command = [\"true\"]\n[[schedule]]\ncron = \"* * * * *\"")
        let next = try spool.ctl("next", "--json", "--from", "2026-06-01").objects
        #expect(next.first?.text("task") == "b")
        #expect(next.compactMap { $0.text("due") } == next.compactMap { $0.text("due") }.sorted())
        #expect(try spool.ctl("next", "a", "--json").objects.allSatisfy { $0.text("task") == "a" })
        #expect(try spool.ctl("next", "-n", "1", "-q").output.split(separator: "\n").count == 1)
        let tooMany = try spool.ctl("next", "-n", "2000000000")
        #expect(tooMany.code == 2 && tooMany.errors.contains("--count is at most 100000, not 2000000000"), "\(tooMany.errors)")
        #expect(try spool.ctl("next", "nosuch").code == 3)
        #expect(try spool.ctl("next", "--cron", "61 * * * *").code == 4)
    }

    // MARK: Pausing

    static let scopes: [(options: [String], job: [String])] = [
        ([], ["submit", "true"]), (["--queue", "slow"], ["submit", "-Q", "slow", "true"]), (["--task", "t"], ["run", "t"]),
    ]

    @Test("U7: pause keeps jobs from starting and resume ends that, also with the daemon down", arguments: scopes, [true, false])
    func pause(_ row: (options: [String], job: [String]), isUp: Bool) throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.task("t", "command = [\"true\"]")
        if isUp { try spool.start() }
        #expect(try spool.ctl(list: ["pause", "--note", "why not"] + row.options).code == 0)
        let id = try spool.ctl(list: row.job).id
        if !isUp { try spool.start() }
        try spool.logLine("event=paused", "why not")
        try spool.wait(for: "the pause in status.json") {
            guard case .array(let paused)? = try spool.daemonStatus()?["paused"]?.kind else { return false }
            return paused.count == 1
        }
        #expect(try spool.ctl("status").output.contains("why not"))
        if !row.options.isEmpty { #expect(try spool.runsOn()) }
        #expect(try spool.ctl("status", "--json", id).output.contains("\"state\":\"new\""))
        #expect(try spool.ctl(list: ["resume"] + row.options).code == 0)
        #expect(try spool.ctl("wait", id).code == 0)
        #expect(try spool.ctl(list: ["resume"] + row.options).errors.contains(row.options.isEmpty ? "Nothing is paused." : "not paused"))
    }

    // MARK: Checking

    @Test("next reports a task that is never due, and marks the last due time of one that ends")
    func nextAndLast() throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(try spool.ctl("create", "never", "--cron", "0 0 31 2 *", "--", "true").code == 0)
        #expect(try spool.ctl("create", "ends", "--cron", "0 0 0 1 1 ? 2190-2191", "--", "true").code == 0)
        let result = try spool.ctl("next", "-n", "5")
        #expect(result.code == 0)
        #expect(result.errors.contains("task never: cron \"0 0 31 2 *\" is never due after "))
        #expect(result.lines.count == 2)
        #expect(result.lines[0].hasPrefix("2190-01-01") && !result.lines[0].contains("last"))
        #expect(result.lines[1].hasPrefix("2191-01-01") && result.lines[1].hasSuffix("the last due time of this schedule"))
    }

    @Test("N3: explain shows syntax, meaning, next due times and warnings; check gives the same warnings and exits with 0")
    func explain() throws {
        let spool = try SpoolUnderTest(starting: false)
        let result = try spool.ctl("explain", "--from", "2026-11-20T12:00:00Z", "*/7 2 * * mon-fri")
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.lines.contains("syntax\tcron, five fields as crontab(5)"))
        #expect(result.lines.contains("meaning\tEvery 7 minutes between 02:00 and 02:59, on Monday to Friday, in UTC"))
        #expect(result.lines.count { $0.hasPrefix("next\t2026-11-23T02:") } == 3)
        let warning = "the step of 7 minutes begins anew each hour: from minute 56 to the next 0 it is 4 minutes"
        #expect(result.lines.contains("warning\t\(warning)"))
        guard case .table(let table) = try spool.ctl("explain", "--json", "--from", "2026-11-20T12:00:00Z", "0 0 31 2 *").json.kind,
            case .array(let warnings)? = table["warnings"]?.kind, case .array(let next)? = table["next"]?.kind
        else { return #expect(Bool(false)) }
        #expect(warnings.count == 1 && next.isEmpty)

        try Files.write("\(spool.path)/tasks/a.toml", "command = 'true'\n[[schedule]]\n  cron = '*/7 2 * * *'\n")
        let check = try spool.ctl("check")
        #expect(check.code == 0)
        #expect(check.lines == ["tasks/a.toml:3:10: warning: cron \"*/7 2 * * *\": \(warning)"])
    }

    @Test("N3: a crontab's line and a unit's setting may be pasted to explain; elsewhere the error says what to leave out")
    func explainPasted() throws {
        let spool = try SpoolUnderTest(starting: false)
        let line = try spool.ctl("explain", "*/5 * * * * /usr/bin/php x")
        #expect(line.code == 0 && line.lines.contains("meaning\tEvery 5 minutes, in UTC"), "\(line.errors)")
        #expect(line.lines.contains("warning\t\"/usr/bin/php x\" is left out: in a crontab that is the command"))
        let unit = try spool.ctl("explain", "OnCalendar=Mon 05:00")
        #expect(unit.code == 0 && unit.lines.contains("meaning\tAt 05:00, on Monday, in UTC"), "\(unit.errors)")
        let cron = try spool.ctl("create", "t", "--cron", "*/5 * * * * /usr/bin/php x", "--", "true")
        #expect(
            cron.code == 4 && cron.errors.hasSuffix("\"/usr/bin/php x\"; a schedule is the time fields alone: leave the command out\n"),
            "\(cron.errors)")
        let calendar = try spool.ctl("next", "--calendar", "OnCalendar=Mon 05:00")
        #expect(
            calendar.code == 4 && calendar.errors.contains("OnCalendar= names the setting of a timer unit; leave it out"),
            "\(calendar.errors)")
    }

    @Test("create, schedule and check warn of a step that is longer than its field, and accept it")
    func longSteps() throws {
        let spool = try SpoolUnderTest(starting: false)
        func warning(_ cron: String, _ rest: String) -> String { "warning: cron \"\(cron)\": \(rest)" }
        let minutes = warning(
            "*/90 * * * *", "minute: the step of */90 is longer than 0 to 59, which leaves 0 alone; write @every 90m for equal steps")
        let days = warning(
            "0 0 */40 * *", "day of month: the step of */40 is longer than 1 to 31, which leaves 1 alone; write @every 40d for equal steps")
        let create = try spool.ctl("create", "t", "--cron", "*/90 * * * *", "--", "true")
        #expect(create.code == 0 && create.errors.hasPrefix("spoolctl: \(minutes)\nspoolctl: next due "), "\(create.errors)")
        let schedule = try spool.ctl("schedule", "t", "--cron", "0 0 */40 * *", "--id", "s")
        #expect(schedule.code == 0 && schedule.output == "s\n")
        #expect(schedule.errors.hasPrefix("spoolctl: \(days)\nspoolctl: next due "), "\(schedule.errors)")
        let check = try spool.ctl("check")
        #expect(
            check.code == 0 && check.lines.contains { $0.hasSuffix(": \(minutes)") } && check.lines.contains { $0.hasSuffix(": \(days)") },
            "\(check.output)")
        let none = try spool.ctl("create", "u", "--cron", "*/15 * * * *", "--", "true")
        #expect(none.code == 0 && none.errors.hasPrefix("spoolctl: next due "))
    }

    @Test("N3: explain finds the syntax by the form, and an error names the place", arguments: [
        ("30 2 * * *", "cron, five fields as crontab(5)"), ("@daily", "cron, five fields as crontab(5)"),
        ("0 0 12 * * ?", "cron as Quartz has it: second first, year last, Sunday is 1"),
        ("0 10 ? * MON *", "cron as AWS EventBridge has it: year last, Sunday is 1"),
        ("5 minutes", "an interval"), ("1.5h", "an interval"), ("50.seconds", "an interval"), ("**.01.05.00.00", "a pattern"),
        ("saturday|sunday.22.00.00", "a pattern"), ("ext:key:args", "a pattern"),
        ("FREQ=WEEKLY;BYDAY=MO", "a recurrence rule of iCalendar (RFC 5545)"),
        ("Mon..Fri 09:00 UTC", "a calendar expression as systemd.time(7)"), ("*:0/15", "a calendar expression as systemd.time(7)"),
        ("2026-12-24T18:00:00Z", "an instant"), ("@reboot", "cron's @reboot"),
    ])
    func explainGuesses(_ text: String, _ syntax: String) throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(try spool.ctl("explain", text).lines.contains("syntax\t\(syntax)"))
        let wrong = try spool.ctl("explain", "60 * * * *")
        #expect(wrong.code == 4 && wrong.errors == "spoolctl: cron \"60 * * * *\": minute 60 is out of range 0-59\n", "\(wrong.errors)")
    }

    @Test("check reads as the daemon would: places, hints and exit code 4; silent and 0 when all is well")
    func check() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.task("good", "command = [\"true\"]\n[[schedule]]\ncron = \"@daily\"")
        let good = try spool.ctl("check")
        #expect(good.code == 0 && good.output.isEmpty && good.errors.isEmpty)
        try spool.task("bad", "command = [\"true\"]\n[[schedule]]\ncron = \"0 25 * * *\"\n")
        try spool.define("schedules/s.toml", "tsk = \"good\"\nevery = \"1h\"")
        try spool.drop("job.json", "{\"command\": \"true\",}")
        let bad = try spool.ctl("check")
        #expect(bad.code == 4)
        for place in ["tasks/bad.toml:3:", "schedules/s.toml:1:1: ", "did you mean \"task\"", "new/job.json:1:"] {
            #expect((bad.output + bad.errors).contains(place), "\(place) in \(bad.errors)\(bad.output)")
        }
        let objects = try spool.ctl("check", "--json", "\(spool.path)/tasks/bad.toml").objects
        #expect(objects.count == 1 && objects[0].text("file")?.hasSuffix("tasks/bad.toml") == true)
        #expect(objects[0]["line"].map { JSON.write($0) } == "3" && objects[0].text("message") != nil && objects[0]["hint"] != nil)
    }

    @Test("Every example is one that spoold accepts, but for the one that shows a mistake")
    func examples() throws {
        let directory = Self.examples
        for task in try Files.list("\(directory)/tasks") {
            let result = try Commands.run("\(SpoolUnderTest.programs)/spoolctl", "check", "--task", "\(directory)/tasks/\(task)")
            #expect(result.code == 0, "\(task): \(result.error)\(result.output)")
        }
        var refused: [String] = []
        for job in try Files.list("\(directory)/new") {
            let result = try Commands.run("\(SpoolUnderTest.programs)/spoolctl", "check", "\(directory)/new/\(job)")
            if result.code != 0 { refused.append(job) }
        }
        #expect(refused.count == 1, "\(refused)")
    }

    static let examples = "\(Package.root)/examples"

    // MARK: Records

    @Test("prune removes older records than the given age, and only lists them with --dry-run")
    func prune() throws {
        let spool = try SpoolUnderTest()
        let done = try spool.ctl("submit", "-w", "true").id
        let failed = try spool.ctl("submit", "-w", "false").id
        #expect(try spool.ctl("prune").code == 0)
        #expect(try spool.ctl("jobs", "-q").lines.count == 2, "their time is not up")
        #expect(try spool.ctl("prune", "--dry-run", "--older-than", "0s", "-q").lines.sorted() == [done, failed].sorted())
        #expect(try spool.ctl("jobs", "-q").lines.count == 2)
        #expect(try spool.ctl("prune", "--older-than", "0s", "--state", "done").code == 0)
        #expect(try spool.ctl("jobs", "-q").lines == [failed])
        #expect(try spool.ctl("prune", "--older-than", "0s").code == 0)
        #expect(try spool.ctl("jobs", "-q").lines == [])
        #expect(try spool.runsOn())
    }

    @Test("A record whose end is of a wrong clock stays for as long as the time in its id says")
    func pruneAfterWrongClock() throws {
        let spool = try SpoolUnderTest()
        let recent = try spool.ctl("submit", "-w", "true").id
        let other = try spool.ctl("submit", "-w", "true").id
        let old = "2001\(other.dropFirst(4))"
        try spool.stop()
        try Files.rename("\(spool.path)/done/\(other)", "\(spool.path)/done/\(old)")
        for id in [recent, old] {
            let status = "\(spool.path)/done/\(id)/status.json"
            let text = try Files.text(status).replacing("ed_at\":\"20", with: "ed_at\":\"19").replacing(other, with: old)
            try Files.write(status, text, mode: 0o600)
        }
        #expect(try spool.ctl("status", recent, "--json").output.contains("\"ended_at\":\"19"))
        #expect(try spool.ctl("prune", "-n", "-q").lines == [old])
        #expect(try spool.ctl("prune", "-n", "-q", "--older-than", "1d").lines == [old])
        try spool.start()
        try spool.logLine("event=forgotten", old)
        #expect(try spool.ctl("jobs", "-q").lines == [recent])
    }

    @Test("journal prints a job's records in order, and damage with file and line")
    func journal() throws {
        let spool = try SpoolUnderTest()
        let id = try spool.ctl("submit", "-w", "exit 2").id
        #expect(try spool.ctl("journal", "--id", id).rows.map { $0.count > 1 ? $0[1] : "" } == ["accepted", "started", "ended"])
        let all = try spool.ctl("journal")
        #expect(all.code == 0 && all.rows.count > 4)
        try spool.stop()
        let file = try #require(try spool.journalFiles.last)
        var lines = try Files.text(file).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        lines[2] = lines[2].replacing("20", with: "21")
        try Files.write(file, lines.joined(separator: "\n"), mode: 0o600)
        let damaged = try spool.ctl("journal")
        #expect(damaged.code == 1 && damaged.errors.contains(".log:3: "))
    }

    // MARK: The demonstration

    @Test("demo shows real work and leaves nothing running")
    func demo() throws {
        let result = try Commands.run(
            "\(SpoolUnderTest.programs)/spoolctl", ["demo", "--examples", Self.examples], environment: ["NO_COLOR=1"])
        #expect(result.code == 0, "\(result.error)")
        #expect(!result.output.contains("\u{1B}"))
        for word in ["done", "failed", "timeout", "rejected", "did you mean"] { #expect(result.output.contains(word), "\(word)") }
        // The demo works in one directory, which it names. No process works there any more.
        let paths = Set(result.output.split { " \n\t\"':,()".contains($0) }.filter { $0.hasPrefix("/") }.map(String.init))
        for path in paths { #expect(Processes.workers(ofSpool: path) == [] && Processes.jobs(ofSpool: path) == []) }
        let last = result.output.split(separator: "\n").last { $0.contains("rm -r ") }
        try Files.removeTree(#require(last?.split(separator: " ").last.map(String.init)))
    }
}
