import Store
import TestSupport
import Testing

@testable import SpoolCommands

@Suite("Jobs on the command line") struct JobTests {
    static let tables: [(words: [String], toml: String)] = [
        (["--timeout", "1h", "--queue", "heavy"], "timeout = \"1h\"\nqueue = \"heavy\"\n"),
        (["--tag", "a", "--tag", "b"], "tags = [\"a\", \"b\"]\n"),
        (["--tries", "3", "--priority", "-5"], "tries = 3\npriority = -5\n"),
        (["--success", "0,2"], "success = [0, 2]\n"),
        (["--retry-on", "75,timeout"], "retry_on = [75, \"timeout\"]\n"),
        (["--directory", "~/data"], "directory = \"~/data\"\n"),
        (["--start", "2026-12-24T18:00:00+01:00"], "start = \"2026-12-24T17:00:00.000Z\"\n"),
        (["--pause-on-failure"], "pause_on_failure = true\n"),
        (["--mail", "ops@example.org"], "mail = \"ops@example.org\"\n"),
        (["--unique", "k"], "unique = \"k\"\n"),
    ]

    @Test("Each option becomes its key", arguments: tables)
    func options(_ row: (words: [String], toml: String)) throws {
        let session = try call(.submit, row.words)
        var expected = Set(row.toml.split(separator: "\n"))
        for line in TOML.write(try JobOptions(session).table).split(separator: "\n") { #expect(expected.remove(line) != nil, "\(line)") }
        #expect(expected.isEmpty, "\(expected)")
    }

    static let mistakes: [(words: [String], message: String)] = [
        (["--set-env", "NAME"], "--set-env needs NAME=VALUE, not \"NAME\""),
        (["--set-env", "=x"], "--set-env needs NAME=VALUE, not \"=x\""),
        (["--limit", "nofile"], "--limit needs NAME=VALUE, not \"nofile\""),
        (["--start", "2026-12-24", "--in", "1h"], "--start and --in both say when to start"),
    ]

    @Test("Options that cannot be taken are refused by their names", arguments: mistakes)
    func mistake(_ row: (words: [String], message: String)) throws {
        let session = try call(.submit, row.words)
        #expect(failure { () throws(Failure) in _ = try JobOptions(session) }?.lines == [row.message])
    }

    @Test("A fault of a value is reported of the option that gave it")
    func spelled() throws {
        var job = try JobOptions(try call(.submit, "--priority", "many"))
        try job.setCommand(["true"])
        do throws(Problems) {
            _ = try JobDefinition.accept(job.table, ReadingContext(now: now, zones: ZoneDatabase()))
            Issue.record("accepted")
        } catch {
            #expect(job.failure(error).lines.allSatisfy { $0.hasPrefix("--priority: ") }, "\(job.failure(error).lines)")
        }
    }

    static let commands: [(words: [String], isLine: Bool)] = [
        (["true"], false), (["make test"], true), (["make", "a b"], false), (["a|b"], true), (["~/bin/x"], true),
        (["/bin/echo"], false), (["a=b"], false),
    ]

    @Test("One word with a character for the shell in it is a shell line; other commands run without a shell", arguments: commands)
    func command(_ row: (words: [String], isLine: Bool)) throws {
        var job = try JobOptions(try call(.submit))
        try job.setCommand(row.words)
        switch job.table["command"]?.kind {
        case .string(let line)?: #expect(row.isLine && [line] == row.words)
        case .array(let words)?: #expect(!row.isLine && words.count == row.words.count)
        default: Issue.record("no command")
        }
    }

    static let names = [("/usr/bin/rsync -a", "rsync"), ("make", "make"), ("'x'", "x"), ("", "job"), ("./a b", "a")]

    @Test("A job is named after its program", arguments: names)
    func name(_ row: (line: String, name: String)) { #expect(JobOptions.name(of: [row.line]).contains(row.name)) }

    // MARK: Status

    static let statuses: [(reason: FailureReason?, state: JobState, exit: Int?, signal: Int32?, code: Int32)] = [
        (nil, .done, 0, nil, 0), (nil, .done, 3, nil, 3), (.exit, .failed, 7, nil, 7), (.exit, .failed, 0, nil, ExitCode.failed),
        (.signal, .failed, nil, 9, 137), (.canceled, .failed, nil, 15, 143), (.canceled, .failed, nil, nil, ExitCode.neverRan),
        (.timeout, .failed, nil, 15, ExitCode.timeout), (.rejected, .failed, nil, nil, ExitCode.neverRan),
        (.deadline, .failed, nil, nil, ExitCode.neverRan),
        (.lost, .failed, nil, nil, ExitCode.neverRan), (.dependency, .failed, nil, nil, ExitCode.neverRan),
    ]

    @Test("wait exits with the job's own code, or says why there is none", arguments: statuses)
    func exitStatus(_ row: (reason: FailureReason?, state: JobState, exit: Int?, signal: Int32?, code: Int32)) {
        var status = JobStatus(id: "x", name: "x", due: now, createdAt: now, host: "h")
        (status.state, status.reason, status.exitCode, status.signal) = (row.state, row.reason, row.exit, row.signal)
        #expect(status.exitStatus == row.code)
    }

    // MARK: Lists

    @Test("Headers of columns", arguments: [("id", "ID"), ("started_at", "STARTED"), ("exit_code", "EXIT CODE"), ("took", "TOOK")])
    func header(_ row: (name: String, header: String)) throws { #expect(try JobColumn(row.name, option: "columns").header == row.header) }

    @Test("An unknown column is answered with the nearest")
    func unknownColumn() {
        let failure = failure { () throws(Failure) in _ = try JobColumn("stat", option: "sort") }
        #expect(failure?.code == ExitCode.usage && failure?.lines.first?.hasSuffix("; did you mean \"state\"?") == true)
    }

    static let order: [(a: JobColumn.Key, b: JobColumn.Key, ascending: Bool?, descending: Bool?)] = [
        (.number(1), .number(2), true, false), (.number(2), .number(2), nil, nil), (.text("a"), .text("b"), true, false),
        (.nothing, .number(1), false, false), (.text("a"), .nothing, true, true), (.nothing, .nothing, nil, nil),
        (.number(1), .text("a"), true, false),
    ]

    @Test("Jobs without a value are last in either direction", arguments: order)
    func sorted(_ row: (a: JobColumn.Key, b: JobColumn.Key, ascending: Bool?, descending: Bool?)) {
        #expect(row.a.comes(before: row.b, descending: false) == row.ascending)
        #expect(row.a.comes(before: row.b, descending: true) == row.descending)
    }

    static let filters: [(words: [String], id: String, judgement: JobFilter.Judgement)] = [
        ([], "20261121T010000.000Z-backup-k3f9ab", .matches),
        (["--name", "backup"], "20261121T010000.000Z-backup-k3f9ab", .matches),
        (["--name", "report"], "20261121T010000.000Z-backup-k3f9ab", .no),
        (["--since", "2026-11-21T00:00:00Z"], "20261121T010000.000Z-backup-k3f9ab", .matches),
        (["--since", "2026-11-21T02:00:00Z"], "20261121T010000.000Z-backup-k3f9ab", .olderThanAll),
        (["--until", "2026-11-21T00:30:00Z"], "20261121T010000.000Z-backup-k3f9ab", .no),
        // The name of a dropped file has no time.
        (["--name", "report", "--since", "2026-11-21T02:00:00Z"], "dropped", .matches),
    ]

    @Test("An id alone may show if a job matches a filter", arguments: filters)
    func filter(_ row: (words: [String], id: String, judgement: JobFilter.Judgement)) throws {
        let filter = try JobFilter(try call(.jobs, row.words))
        #expect(filter.judge(row.id) == row.judgement)
    }
}
