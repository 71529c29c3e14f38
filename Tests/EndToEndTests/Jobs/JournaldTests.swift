import Documents
import Glibc
import Linux
import Testing

extension SpoolUnderTest {
    /// The variable by which the service manager says that standard error, here the log of the test, goes to the journal.
    func journalStream() throws -> String {
        if !Files.exists("\(base)/log") { try Files.write("\(base)/log", "") }
        let status = try Files.status("\(base)/log")
        return "JOURNAL_STREAM=\(status.device):\(status.inode)"
    }
}

/// A journald of the test's own.
private final class TestJournal {
    let socket: String
    private let file: String
    private let program: Commands.Running

    /// Takes messages once it is made.
    init(_ spool: SpoolUnderTest) throws {
        socket = "\(spool.base)/journal.socket"
        file = "\(spool.out)/journal"
        program = try Commands.Running("python3", ["\(ShippedTextTests.root)/Tests/journal/receiver.py", socket, file])
        let (socket, file) = (socket, file)
        try spool.wait(for: "the journal's socket") { Files.exists(socket) && Files.exists(file) }
    }

    deinit {
        program.child.kill(SIGCONT)
        program.child.kill(SIGKILL)
    }

    func signal(_ number: Int32) { program.child.kill(number) }

    var messages: [[String: String]] {
        let text = (try? Files.text(file)) ?? ""  // none yet
        return text.split(separator: "\n").compactMap { line in
            guard case .table(let table)? = try? JSON.parse(Array(line.utf8)).kind else { return nil }  // a line that is not whole yet
            var message: [String: String] = [:]
            for entry in table.entries {
                switch entry.value.kind {
                case .string(let text): message[entry.key] = text
                case .boolean(let isTrue): message[entry.key] = "\(isTrue)"
                default: break
                }
            }
            return message
        }
    }

    /// Waits for messages with these fields.
    @discardableResult
    func wait(_ spool: SpoolUnderTest, for fields: [String: String], count: Int = 1) throws -> [[String: String]] {
        try spool.wait(for: "\(count) messages with \(fields)") { () throws -> [[String: String]]? in
            let found = messages.filter { message in fields.allSatisfy { message[$0.key] == $0.value } }
            return found.count >= count ? found : nil
        }
    }
}

/// Events and output in the journal of systemd, in its native protocol.
@Suite("The journal of systemd", .ownThreads, .enabled(if: Commands.has("python3"), "needs python3"))
struct JournaldTests {
    private func start(_ spool: SpoolUnderTest, _ journal: TestJournal) throws {
        try spool.start(environment: [try spool.journalStream(), "SPOOLD_JOURNAL_SOCKET=\(journal.socket)"])
    }

    /// The ids of the catalogue, each with its event.
    static func catalogue() throws -> [String: String] {
        var events: [String: String] = [:]
        for entry in try Files.text("\(ShippedTextTests.root)/etc/systemd/spoold.catalog").split(separator: "\n-- ").dropFirst() {
            let id = String(entry.prefix { $0 != "\n" })
            let event = entry.split(separator: "\n").first { $0.hasPrefix("Event ") }
            events[id] = event.map { String($0.dropFirst("Event ".count).dropLast()) }
        }
        return events
    }

    @Test("W4: Events are messages with the fields of their job, each kind with its id of the catalogue; nothing is on standard error")
    func events() throws {
        let spool = try SpoolUnderTest(starting: false)
        let journal = try TestJournal(spool)
        try start(spool, journal)
        try spool.task("bad", "command = \"exit 3\"\nqueue = \"heavy\"")
        try journal.wait(spool, for: ["SPOOL_EVENT": "defined", "SPOOL_FILE": "tasks/bad"])
        let id = try spool.ctl("run", "bad").id
        let about = ["SPOOL_JOB_ID": id, "SPOOL_TASK": "bad", "SPOOL_QUEUE": "heavy", "SPOOL_NAME": "bad"]
        let ended = try journal.wait(
            spool, for: about.merging(["SPOOL_EVENT": "ended", "SPOOL_EXIT_CODE": "3", "SPOOL_REASON": "exit", "PRIORITY": "4"]) { $1 })
        #expect(ended[0]["SYSLOG_IDENTIFIER"] == "spoold" && ended[0]["SYSLOG_FACILITY"] == "3")
        #expect(ended[0]["MESSAGE"]?.hasPrefix("event=ended id=\(id) try=1 state=failed") == true, "\(ended[0])")
        try journal.wait(spool, for: about.merging(["SPOOL_EVENT": "accepted"]) { $1 })
        try journal.wait(spool, for: about.merging(["SPOOL_EVENT": "started", "SPOOL_TRY": "1", "PRIORITY": "6"]) { $1 })
        // A text of several lines is one value.
        try spool.define("tasks/worse.toml", "comand = 1\nnor = 2")
        let refused = try journal.wait(spool, for: ["SPOOL_EVENT": "refused", "PRIORITY": "3"], count: 2)
        #expect(refused.allSatisfy { $0["SPOOL_ERROR"]?.contains("unknown key") == true })
        try spool.stop()
        try journal.wait(spool, for: ["SPOOL_EVENT": "stopped"])
        #expect(spool.log.isEmpty)
        let catalogue = try Self.catalogue()
        for message in journal.messages {
            #expect(catalogue[message["MESSAGE_ID"] ?? ""] == message["SPOOL_EVENT"], "\(message)")
        }
    }

    @Test("W4: Each message names the unit of the daemon, and one of a user's service manager in a field of its own",
        .enabled(if: SpoolUnderTest.canContain, "needs root and unshare"),
        arguments: [
            ("0::/system.slice/spoold.service", ["UNIT": "spoold.service"], "USER_UNIT"),
            ("0::/system.slice/spoold.service/jobs/x", ["UNIT": "spoold.service"], "USER_UNIT"),
            ("0::/user.slice/user-7.slice/user@7.service/app.slice/my.service", ["USER_UNIT": "my.service"], "UNIT"),
        ])
    func units(_ cgroup: String, _ fields: [String: String], _ missing: String) throws {
        let spool = try SpoolUnderTest(starting: false)
        let journal = try TestJournal(spool)
        try Files.write("\(spool.base)/cgroup", "\(cgroup)\n")
        // The kernel's file of the process, as a service manager would have it.
        let script = "mount --make-rprivate /; mount --bind \(spool.base)/cgroup /proc/$$/cgroup; exec \"$@\""
        try spool.launch(
            environment: [try spool.journalStream(), "SPOOLD_JOURNAL_SOCKET=\(journal.socket)"],
            tracer: ["/usr/bin/unshare", "-m", "/bin/sh", "-c", script, "sh"])
        try spool.notification("READY=1")
        #expect(try spool.ctl("submit", "-w", "--output", "journal", "--", "echo", "hello").code == 0)
        let event = try journal.wait(spool, for: fields.merging(["SPOOL_EVENT": "ended"]) { $1 })
        #expect(event[0][missing] == nil, "\(event[0])")
        let line = try journal.wait(spool, for: ["MESSAGE": "hello"])
        #expect(fields.allSatisfy { line[0][$0.key] == $0.value } && line[0][missing] == nil, "\(line[0])")
    }

    @Test("W4: The catalogue explains each event that spoold(8) lists, and journalctl takes it")
    func catalogueIsWhole() throws {
        let events = try Self.catalogue().values.sorted()
        let page = try Files.text("\(ShippedTextTests.root)/man/spoold.8")
        let begin = try #require(page.firstRange(of: "\n.Sh LOG\n")).upperBound
        let end = try #require(page[begin...].firstRange(of: "\n.Sh ")).lowerBound
        var listed: [String] = []
        for line in page[begin..<end].split(separator: "\n") where line.hasPrefix(".It ") {
            if line.hasPrefix(".It Ql ") { listed.append(String(line.dropFirst(".It Ql ".count))) }
            listed += line.split(separator: "\\(oq").dropFirst().map { String($0.prefix { $0 != "\\" }) }
        }
        #expect(events.count > 60 && events == listed.sorted(), "\(Set(events).symmetricDifference(listed))")
        guard Commands.has("journalctl") else { return }
        let spool = try SpoolUnderTest(starting: false)
        let root = "\(spool.base)/root"
        try Commands.succeed("mkdir", "-p", "\(root)/usr/lib/systemd/catalog", "\(root)/var/lib/systemd/catalog")
        try Commands.succeed("cp", "\(ShippedTextTests.root)/etc/systemd/spoold.catalog", "\(root)/usr/lib/systemd/catalog/")
        try Commands.succeed("journalctl", "--root=\(root)", "--update-catalog")
        let taken = try Commands.run("journalctl", "--root=\(root)", "--list-catalog")
        #expect(taken.output.split(separator: "\n").count == events.count, "\(taken.output)\(taken.error)")
        let said = try Commands.run("journalctl", "--root=\(root)", "--dump-catalog").output
        #expect(said.contains("Subject: A try of job @SPOOL_JOB_ID@ has ended"))
        #expect(said.contains("\nThe result is @SPOOL_STATE@. A failure has its reason in SPOOL_REASON and SPOOL_ERROR"))
    }

    @Test("W4: With output = \"journal\" a job's lines are messages with the same fields, while it runs and at its end; a long one too")
    func output() throws {
        let spool = try SpoolUnderTest(starting: false)
        let journal = try TestJournal(spool)
        try start(spool, journal)
        let gate = try spool.gate()
        try spool.task("backup", """
            command = 'echo first; echo "<3>worse" >&2; read x < \(gate.path); head -c 300000 /dev/zero | tr "\\0" x; echo; printf last'
            output = "journal"
            """)
        try journal.wait(spool, for: ["SPOOL_EVENT": "defined"])
        let id = try spool.ctl("run", "backup").id
        let about = ["SPOOL_JOB_ID": id, "SPOOL_TASK": "backup", "SPOOL_QUEUE": "default", "SPOOL_TRY": "1"]
        // The job waits at its gate meanwhile.
        let first = try journal.wait(spool, for: about.merging(["MESSAGE": "first", "SPOOL_STREAM": "stdout", "PRIORITY": "6"]) { $1 })
        #expect(first[0]["SYSLOG_IDENTIFIER"] == "backup" && first[0]["MESSAGE_ID"] == nil)
        try journal.wait(spool, for: about.merging(["MESSAGE": "worse", "SPOOL_STREAM": "stderr", "PRIORITY": "3"]) { $1 })
        try gate.release()
        try journal.wait(spool, for: about.merging(["MESSAGE": "last"]) { $1 })
        let long = String(repeating: "x", count: 300_000)
        try journal.wait(spool, for: about.merging(["MESSAGE": long, "_file": "true"]) { $1 })
        try journal.wait(spool, for: ["SPOOL_EVENT": "ended", "SPOOL_JOB_ID": id])
        let lines = journal.messages.filter { $0["SPOOL_STREAM"] != nil }
        #expect(lines.count == 4, "each line once")
        #expect(try spool.end(of: "backup").stdout == "first\n\(long)\nlast")
    }

    @Test("W4: A journal that takes nothing holds up neither the daemon nor a job; what it did not take is counted")
    func full() throws {
        let spool = try SpoolUnderTest(starting: false)
        let journal = try TestJournal(spool)
        try start(spool, journal)
        try journal.wait(spool, for: ["SPOOL_EVENT": "started"])
        journal.signal(SIGSTOP)
        // More events and more lines than the socket keeps.
        let count = 600
        for number in 0..<20 {
            let command = "i=0; while [ $i -lt \(count) ]; do echo $i; i=$((i+1)); done"
            try spool.drop("j\(number).toml", "command = '\(command)'\noutput = \"journal\"")
        }
        let ended = try spool.ended(count: 20)
        #expect(try ended.allSatisfy { try $0.stdout.split(separator: "\n").count == count })
        for number in 0..<300 { try spool.drop("k\(number).toml", "command = 'true'") }
        _ = try spool.ended(count: 320)
        journal.signal(SIGCONT)
        // The next event tells of those before it.
        try spool.wait(for: "the number of messages that were left out") {
            try spool.drop("after-\(journal.messages.count).toml", "command = 'true'")
            let told = journal.messages.first { $0["SPOOL_EVENT"] == "left-out" && $0["SPOOL_OF"] == "journal" }
            return told.map { Int($0["SPOOL_COUNT"] ?? "") ?? 0 > 0 } ?? false
        }
    }

    @Test("W4: NUL bytes, as in a part of the output that was given back to the disk, are not sent")
    func gaps() throws {
        let spool = try SpoolUnderTest(starting: false)
        let journal = try TestJournal(spool)
        try start(spool, journal)
        try spool.drop("gaps.toml", "command = '''printf 'a\\0\\0b\\n\\0c\\0\\n\\0\\0\\nlast\\0' '''\noutput = \"journal\"")
        try journal.wait(spool, for: ["MESSAGE": "last", "SPOOL_STREAM": "stdout"])
        #expect(journal.messages.filter { $0["SPOOL_STREAM"] != nil }.map { $0["MESSAGE"] } == ["a b", "c", "last"])
    }

    @Test("W4: Without a journal, a job whose output goes there runs as any other")
    func absent() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.start(environment: [try spool.journalStream(), "SPOOLD_JOURNAL_SOCKET=\(spool.base)/nobody"])
        let result = try spool.ctl("submit", "-w", "--output", "journal", "--", "echo", "hello")
        #expect(result.code == 0 && result.output == "hello\n")
        // The log is written at the end of a turn, after the record.
        #expect(try spool.logLine("event=ended ").hasPrefix("<6>event=ended "))
    }
}
