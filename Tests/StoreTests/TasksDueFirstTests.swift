import Recurrence
import Scheduler
import TestSupport
import Testing

@testable import Store

/// Tasks that are left out because others are due before them. That the result is the same as without this is tested by
/// `EndToEndTests/FirstDueTests`.
@Suite struct TasksDueFirstTests {
    private static let boot = "3c3f0a06-0000-4000-8000-000000000001"
    private static let daily = "[[schedule]]\ncron = \"0 9 * * *\"\n"

    /// Texts after `command`, and whether a task with this text is left out when another task is due before it.
    private static let texts: [(String, Bool)] = [
        (daily, true),
        ("description = \"it's 'due' often\"\n\(daily)", true),
        ("[env]\nA = \"[[schedule]]\\n[[schedule]]\"\n\(daily)", true),
        ("[[schedule]]\ncalendar = \"Thu *-*-* 09:00\"\n", true),
        ("[[schedule]]\ncron = \"0 9 * mar thu\"\njitter = \"1h\"\ntimezone = \"Asia/Tokyo\"\n", true),
        ("\(daily)\n[[schedule]]\ncron = \"@monthly\"\nenabled = false\n", true),
        ("[[schedule]]\ncron = \"@reboot\"\n", true),
        // The due times do not follow from the text of the schedules alone.
        ("timezone = \"Asia/Tokyo\"\n\(daily)", false),
        ("[[schedule]]\ncron = \"H 9 * * *\"\n", false),
        ("[[schedule]]\ncron = \"0 h(3-5) * * *\"\n", false),
        ("[[schedule]]\nevery = \"1 day\"\n", false),
        ("[[schedule]]\npattern = \"monday.09.00.00\"\n", false),
        ("[[schedule]]\nat = \"2099-01-01T00:00:00Z\"\n", false),
        ("\(daily)not_before = 2030-01-01\n", false),
        // There is something to say about them.
        ("[[schedule]]\ncron = \"0 0 31 2 *\"\n", false),
        ("[[schedule]]\non_path = \"/srv/*.csv\"\n", false),
        ("[[schedule]]\npattern = \"ext:key:1\"\n", false),
        // The line need not be where the schedules begin.
        ("description = \"\"\"\n[[schedule]]\n\"\"\"\n\(daily)", false),
        ("description = '''\n[[schedule]]\n'''\n\(daily)", false),
        ("schedule = [{cron = \"0 9 * * *\"}]\n", false),
        ("[[ schedule ]]\ncron = \"0 9 * * *\"\n", false),
        ("[[ schedule ]]\ncron = \"0 1 * * *\"\n[[schedule]]\ncron = \"0 9 * * *\"\n", false),
        ("  [[schedule]]\ncron = \"0 1 * * *\"\n[[schedule]]\ncron = \"0 9 * * *\"\n", false),
        ("\"timezon\\u0065\" = \"Asia/Tokyo\"\n[[schedule]]\ncron = \"0 9 * * *\"\n", false),
        // Without a schedule there is nothing to know.
        ("description = \"x\"\n", false),
    ]

    private func context() -> ReadingContext { ReadingContext(now: Self.now, zones: ZoneDatabase()) }

    private static let now = Instant(milliseconds: 1_796_000_000_000)

    /// Writes tasks with these texts, and a journal in which they are in force. Returns the names of those that cannot be left out when
    /// `count` are asked for.
    private func first(
        _ count: Int, of texts: [(name: String, text: String)], boot: String = boot, others: Set<String> = [], more: [Record] = [],
        _ change: (TemporarySpool) throws -> Void = { _ in }
    ) throws -> [String]? {
        let temporary = try TemporarySpool()
        var records: [(at: Instant, record: Record)] = [(Self.now, .daemonStarted(boot: Self.boot, version: "1"))]
        for (name, text) in texts {
            try temporary.write("tasks/\(name).toml", text)
            let file = try #require(try temporary.spool().definition(in: "tasks", stem: name, files: ["\(name).toml"]))
            let definition = RecordedDefinition(file.source, writtenAt: file.writtenAt, stamp: file.stamp)
            records.append((Self.now, .defined(file: "tasks/\(name)", definition)))
        }
        records += more.map { (Self.now, $0) }
        try Journal(temporary.spool().fs).rotate(snapshot: records, spool: "s", at: Self.now)
        try change(temporary)
        let spool = try temporary.spool()
        return try spool.tasksDueFirst(count, after: Self.now, with: others, boot: boot, context()) { () throws(SystemError) in
            try spool.fs.survey(Layout.tasks)
        }?.map(\.stem)
    }

    private static let soon = (name: "soon", text: "command = 'a'\n[[schedule]]\ncron = \"* * * * * *\"\n")

    @Test("A task is left out when others come before it and nothing is to be said about it", arguments: texts)
    func leftOut(_ text: String, _ isLeftOut: Bool) throws {
        let names = try first(1, of: [Self.soon, ("t", "command = [\"true\"]\n\(text)")])
        #expect(names == (isLeftOut ? ["soon"] : ["soon", "t"]), "\(text)")
    }

    @Test("A file that has changed, has another beside it or may have changed is read")
    func changed() throws {
        let tasks = [Self.soon, ("t", "command = 'a'\n\(Self.daily)")]
        #expect(try first(1, of: tasks) == ["soon"])
        #expect(try first(1, of: tasks) { try $0.write("tasks/t.toml", "command = 'a'\n\(Self.daily)# changed\n") } == ["soon", "t"])
        #expect(try first(1, of: tasks) { try $0.write("tasks/t.json", "{}") } == ["soon", "t"])
        #expect(try first(1, of: tasks) { try $0.write("tasks/new.toml", "command = 'a'\n") } == ["new", "soon"])
        #expect(try first(1, of: tasks, more: [.stamped(file: "tasks/t", nil)]) == ["soon", "t"])
        #expect(try first(1, of: tasks, more: [.undefined(file: "tasks/t")]) == ["soon", "t"])
        #expect(try first(1, of: tasks, others: ["t"]) == ["soon", "t"])
        let settled = Record.settled(task: "t", schedule: "s", SettledDues(through: Self.now, open: [Self.now.advanced(byMilliseconds: 9)]))
        #expect(try first(1, of: tasks, more: [settled]) == ["soon", "t"])
        // After a restart of the machine a stamp says nothing.
        #expect(try first(1, of: tasks, boot: "other") == nil)
    }

    @Test("Of tasks that are due together those with the first names come first")
    func together() throws {
        let tasks = (0..<3000).map { (name: "t\(10_000 + $0 * 7 % 3000)", text: "command = [\"\($0)\"]\n\(Self.daily)") }
        #expect(try first(2, of: tasks) == ["t10000", "t10001"])
        #expect(try first(0, of: tasks) == [])
    }
}
