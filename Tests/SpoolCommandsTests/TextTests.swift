import Store
import TestSupport
import Testing

@testable import SpoolCommands

@Suite("Tables, words and times") struct TextTests {
    private static func table() -> TextTable {
        var table = TextTable(["NAME", "STATE", "NOTE"])
        table.add([.init("backup"), .init("ok", .green), .init("")])
        table.add([.init("r"), .init("a\tb\nc"), .init("last")])
        return table
    }

    @Test("On a terminal columns are aligned under a header, without blanks at the ends of lines")
    func terminal() {
        #expect(Self.table().lines(isForTerminal: true) == ["NAME    STATE    NOTE", "backup  ok", "r       a\\tb\\nc  last"])
    }

    @Test("In a pipe a row is a line of fields, and nothing in a field ends it")
    func pipe() { #expect(Self.table().lines(isForTerminal: false) == ["backup\tok\t", "r\ta\\tb\\nc\tlast"]) }

    @Test("Colours do not count as width")
    func colours() {
        let lines = Self.table().lines(isForTerminal: true) { text, colour in colour == .green ? "<\(text)>" : text }
        #expect(lines[1] == "backup  <ok>")
    }

    @Test("An empty table is its header on a terminal, and nothing in a pipe")
    func empty() {
        #expect(TextTable(["A", "B"]).lines(isForTerminal: true) == ["A  B"])
        #expect(TextTable(["A", "B"]).lines(isForTerminal: false).isEmpty)
    }

    @Test("White space at the ends is cut off", arguments: [("", ""), (" \n", ""), ("a", "a"), ("\t a b \r\n", "a b")])
    func trim(_ row: (text: String, trimmed: String)) { #expect(row.text.trimmed == row.trimmed) }

    @Test("A word that is nearly another is answered with it")
    func suggestions() {
        #expect(suggestion(for: "cancle", among: ["cancel", "kill"]) == "did you mean \"cancel\"?")
        #expect(suggestion(for: "zzz", among: ["cancel", "kill"]) == nil)
        #expect("no such thing".suggesting("kil", among: ["kill"]) == "no such thing; did you mean \"kill\"?")
        #expect("no such thing".suggesting("zzz", among: ["kill"]) == "no such thing")
    }

    static let badNames = ["", "-a", ".a", "a b", "a/b", String(repeating: "x", count: 65)]

    @Test("A name of the wrong form is refused, with the form", arguments: badNames)
    func badName(_ name: String) {
        let failure = failure { () throws(Failure) in try Name.check(name, option: "--name") }
        #expect(failure?.code == ExitCode.invalid)
        #expect(failure?.lines == ["--name: \"\(name)\" is not a name: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with . or -"])
    }

    @Test("A name of the right form is taken", arguments: ["a", "A.b_c-9", String(repeating: "x", count: 64)])
    func goodName(_ name: String) { #expect(failure { () throws(Failure) in try Name.check(name) } == nil) }

    // MARK: Times that are over

    static let past: [(text: String, instant: String)] = [
        ("2h", "2026-11-21T00:00:00.000Z"),
        ("2h ago", "2026-11-21T00:00:00.000Z"),
        (" 1d ", "2026-11-20T02:00:00.000Z"),
        ("01:30", "2026-11-21T01:30:00.000Z"),
        ("02:00", "2026-11-21T02:00:00.000Z"),
        ("02:30", "2026-11-20T02:30:00.000Z"),
        ("23:59:59", "2026-11-20T23:59:59.000Z"),
        ("yesterday 02:30", "2026-11-20T02:30:00.000Z"),
        ("2026-11-19 10:00", "2026-11-19T10:00:00.000Z"),
        ("2026-11-19T10:00:00+01:00", "2026-11-19T09:00:00.000Z"),
        ("@1790000000", "2026-09-21T14:13:20.000Z"),
    ]

    @Test("A time of day is the last one, and a duration is so long ago", arguments: past)
    func pastTime(_ row: (text: String, instant: String)) throws {
        #expect(try Instant.past(row.text, zone: .utc, now: now).rfc3339 == row.instant)
    }

    @Test("What is no time is refused", arguments: ["", "25:00", "soon", "12:"])
    func noTime(_ text: String) { #expect(throws: RecurrenceError.self) { try Instant.past(text, zone: .utc, now: now) } }

    // MARK: Values of single commands

    static let fractions: [(text: String, fraction: Double?)] = [
        ("0", 0), ("0.4", 0.4), ("1", 1), ("40%", 0.4), ("100%", 1), ("1.01", nil),
        ("-0.1", nil), ("101%", nil), ("", nil), ("%", nil), ("nan", nil), ("half", nil),
    ]

    @Test("A fraction is 0 to 1, or 0 % to 100 %", arguments: fractions)
    func fraction(_ row: (text: String, fraction: Double?)) { #expect(SpoolCommand.fraction(row.text) == row.fraction) }

    @Test("extend takes its duration before the ids or behind them")
    func extendDuration() throws {
        let id = "20261121T020000.000Z-backup-k3f9ab"
        for words in [["10m", id], [id, "10m"]] {
            let (milliseconds, ids) = try #require(try SpoolCommand.duration(words))
            #expect(milliseconds == 600_000 && ids == [id])
        }
        #expect(try SpoolCommand.duration([]) == nil)
        let failure = failure { () throws(Failure) in _ = try SpoolCommand.duration([id, "soon"]) }
        #expect(failure?.code == ExitCode.invalid && failure?.lines.first?.hasPrefix("\"soon\": ") == true)
    }
}
