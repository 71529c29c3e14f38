import Linux
import Store
import TestSupport
import Testing

@testable import SpoolCommands

@Suite("Tasks of other schedulers") struct MovingTests {
    static let words: [(word: String, shell: String, unit: String)] = [
        ("plain", "plain", "plain"),
        ("/usr/bin/a-b_c.d:e=f@g,h+1", "/usr/bin/a-b_c.d:e=f@g,h+1", "/usr/bin/a-b_c.d:e=f@g,h+1"),
        ("", "''", "\"\""),
        ("a b", "'a b'", "\"a b\""),
        ("it's", "'it'\\''s'", "\"it's\""),
        ("100%", "'100%'", "\"100%%\""),
        ("$HOME", "'$HOME'", "\"$$HOME\""),
        ("\"q\"", "'\"q\"'", "\"\\\"q\\\"\""),
        ("a\\b", "'a\\b'", "\"a\\\\b\""),
        ("a\nb\u{1}", "'a\nb\u{1}'", "\"a\\nb\\x01\""),
    ]

    @Test("A word is quoted as its reader needs it", arguments: words)
    func quoting(_ row: (word: String, shell: String, unit: String)) {
        #expect(ExportWords.quoted(row.word) == row.shell)
        #expect(ExportUnits.word(row.word, dollars: true) == row.unit)
    }

    @Test("Outside of a command a unit keeps dollars")
    func dollars() { #expect(ExportUnits.word("A=$B", dollars: false) == "\"A=$B\"") }

    // MARK: Exports

    private func task(_ toml: String) throws -> ExportedTask {
        let context = ReadingContext(now: now, zones: ZoneDatabase())
        let task = try TaskDefinition(name: "t", source: Source(format: .toml, bytes: Array(toml.utf8)), context)
        return ExportedTask(
            name: "t", job: try task.job(context).definition, table: try task.source.table(),
            schedules: task.schedules.map { .init(definition: $0, isLocal: true) },
            owner: User(id: 1000, group: 1000, name: "alice", home: "/home/alice", shell: "/bin/sh"))
    }

    private static func daily(_ keys: String, _ when: String = "0 1 * * *") -> String {
        "\(keys)[[schedule]]\ncron = \"\(when)\"\ncatch_up = \"none\"\n"
    }

    static let crontabs: [(toml: String, line: String, lost: [String])] = [
        (daily("command = \"backup\"\noverlap = \"allow\"\n", "30 2 * * *"), "30 2 * * * backup", []),
        (daily("command = \"backup\"\noverlap = \"allow\"\n", "@daily"), "@daily backup", []),
        (daily("command = [\"echo\", \"a b\"]\noverlap = \"allow\"\n", "0 1 * * mon"), "0 1 * * mon echo 'a b'", []),
        (daily("command = \"date +%F\"\noverlap = \"allow\"\n"), "0 1 * * * date +\\%F", []),
        (daily("command = \"x\"\ndirectory = \"/srv\"\noverlap = \"allow\"\n"), "0 1 * * * cd /srv || exit; x", []),
        (
            daily("command = \"x\"\noverlap = \"allow\"\ntimeout = \"1h\"\n"), "0 1 * * * x",
            ["t: timeout has no counterpart in a crontab"]
        ),
        (daily("command = \"x\"\n"), "0 1 * * * x", ["t: overlap: cron starts a run also while another is running"]),
    ]

    @Test("A task becomes a line of a crontab, and each loss is reported", arguments: crontabs)
    func crontab(_ row: (toml: String, line: String, lost: [String])) throws {
        var export = ExportCrontab(isSystem: false, localZone: "UTC")
        export.add(try task(row.toml))
        #expect(export.text.split(separator: "\n").last.map(String.init) == row.line, "\(export.text)")
        #expect(export.losses.lost == row.lost)
    }

    static let timers: [(schedule: String, line: String)] = [
        ("cron = \"30 2 * * *\"", "OnCalendar=*-*-* 02:30:00"), ("every = \"5m\"", "OnUnitInactiveSec=300000ms"),
        ("every = \"5m\"\nfrom = \"start\"", "OnUnitActiveSec=300000ms"), ("cron = \"@reboot\"", "OnBootSec=0"),
    ]

    @Test("A schedule becomes a setting of a timer", arguments: timers)
    func timer(_ row: (schedule: String, line: String)) throws {
        var export = ExportUnits(try task("command = \"x\"\n[[schedule]]\n\(row.schedule)\n"), isForUser: false)
        #expect(export.text().split(separator: "\n").contains { $0 == row.line }, "\(export.text())")
    }

    // MARK: at

    static let names: [(file: String, queue: Character?, number: Int, minutes: Int64)] = [
        ("a0000c01b5c0d8", "a", 12, 28_688_600), (".SEQ", nil, 0, 0), ("a0000c01b5c0d", nil, 0, 0),
        ("a0000C01b5c0d8", nil, 0, 0), ("=0000201b5c0d8", "=", 2, 28_688_600),
    ]

    @Test("The name of at's file has the queue, the number and the minute", arguments: names)
    func atName(_ row: (file: String, queue: Character?, number: Int, minutes: Int64)) {
        let name = AtJob.Name(row.file)
        #expect(name?.queue == row.queue)
        if let name { #expect(name.number == row.number && name.start.milliseconds == row.minutes * 60_000) }
    }

    private static let script = """
        #!/bin/sh
        # atrun uid=0 gid=0
        # mail root 0
        umask 22
        cd /root || {
        \t echo 'Execution directory inaccessible' >&2
        \t exit 1
        }
        echo hello

        """

    @Test("A job of at becomes a job with its script, start, queue and mail")
    func atJob() throws {
        let name = try #require(AtJob.Name("c0000c01b5c0d8"))
        let job = try AtJob(name, text: Array(Self.script.utf8), owner: 0, user: "alice", path: "/var/spool/cron/atjobs/c")
        let table = try job.source.table()
        #expect(table.text("description") == "at job 12: echo hello" && table.text("queue") == "c" && table.text("user") == "alice")
        #expect(table.whole("nice") == 4 && table.text("script") == Self.script && table.text("start") == name.start.rfc3339)
        #expect(try AtJob(name, text: Array(Self.script.utf8), owner: 0, user: nil, path: "x").id == job.id)
    }

    static let refusals: [(text: String, why: String)] = [
        ("echo hello\n", "does not begin with #!"), ("#!/bin/sh\n\0", "zero byte"), ("#!/bin/sh\n# atrun uid=7 gid=7\n", "names user 7"),
    ]

    @Test("A file that is no job of at is refused", arguments: refusals)
    func atRefusal(_ row: (text: String, why: String)) throws {
        let name = try #require(AtJob.Name("a0000c01b5c0d8"))
        do throws(AtJob.Refusal) {
            _ = try AtJob(name, text: Array(row.text.utf8), owner: 0, user: nil, path: "x")
            Issue.record("accepted")
        } catch { #expect(error.why.contains(row.why), "\(error.why)") }
    }
}
