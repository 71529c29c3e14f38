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

    @Test("A last cell that is too long continues between words, below itself or, where little room is left, below the row")
    func continuing() {
        var table = TextTable()
        table.add([.init("key"), .init("a text that is longer than the terminal")])
        #expect(table.lines(isForTerminal: true, columns: 30) == ["key  a text that is longer", "     than the terminal"])
        #expect(table.fits(into: 50) && !table.fits(into: 30))
        var wide = TextTable()
        wide.add([.init("a key of twenty chars"), .init("a text that goes on below the row")])
        #expect(wide.lines(isForTerminal: true, columns: 44) == ["a key of twenty chars  a text that goes on", "    below the row"])
    }

    @Test("In a pipe a row is a line of fields, and no character of a field ends the line")
    func pipe() { #expect(Self.table().lines(isForTerminal: false) == ["backup\tok\t", "r\ta\\tb\\nc\tlast"]) }

    @Test("Colours do not count as width")
    func colours() {
        let lines = Self.table().lines(isForTerminal: true) { text, colour in colour == .green ? "<\(text)>" : text }
        #expect(lines[1] == "backup  <ok>")
    }

    @Test("Numbers are aligned to the right, and flexible columns are cut to the terminal, the first one first")
    func fitting() {
        var table = TextTable(["NAME", "TOOK", "NOTE"], right: [1], fitting: [.init(column: 2, least: 6), .init(column: 0, least: 4)])
        table.add([.init("backup"), .init("5s"), .init("a long note", .red)])
        table.add([.init("b"), .init("3h27m"), .init("日本語の名前")])
        func lines(_ columns: Int) -> [String] { table.lines(isForTerminal: true, columns: columns) }
        #expect(lines(80) == ["NAME     TOOK  NOTE", "backup     5s  a long note", "b       3h27m  日本語の名前"])
        #expect(lines(23) == ["NAME     TOOK  NOTE", "backup     5s  a long …", "b       3h27m  日本語…"])
        #expect(lines(19) == ["NAME   TOOK  NOTE", "bac…     5s  a lon…", "b     3h27m  日本…"])
        #expect(lines(5) == lines(19), "a column keeps its least width")
        var optional = TextTable(["NAME", "TITLE"], fitting: [.init(column: 1, least: 0)])
        optional.add([.init("backup"), .init("Nightly dump of it all")])
        #expect(optional.lines(isForTerminal: true, columns: 20) == ["NAME    TITLE", "backup  Nightly dum…"])
        #expect(optional.lines(isForTerminal: true, columns: 14) == ["NAME", "backup"], "a few characters say nothing")
    }

    static let schedules = [
        ("At 16:00 every day", "daily 16:00"), ("Every hour at minute 5", "hourly at :05"),
        ("At 02:30, on Monday to Friday", "02:30 Mon-Fri"),
        ("Every 10m, counted from the end of the last run", "every 10m"), ("At 00:00, on the 1st", "00:00 the 1st"),
    ]

    @Test("The times of a task in few words", arguments: schedules)
    func schedule(_ row: (sentence: String, words: String)) { #expect(ScheduleWords.shortened(row.sentence) == row.words) }

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

    // MARK: Times in the past

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

    @Test("A time of day means the last one, and a duration means that long ago", arguments: past)
    func pastTime(_ row: (text: String, instant: String)) throws {
        #expect(try Instant.parse(row.text, zone: .utc, now: now, as: .past).rfc3339 == row.instant)
    }

    /// The present time is Saturday, 2026-11-21, 03:00 in Berlin.
    static let spoken: [(instant: String, brief: String, spoken: String)] = [
        ("2026-11-21T12:30:00.000Z", "13:30", "Sat 21 Nov 13:30 CET"), ("2026-11-20T23:00:00.000Z", "00:00", "Sat 21 Nov 00:00 CET"),
        ("2026-11-20T22:59:59.000Z", "Fri 23:59", "Fri 20 Nov 23:59:59 CET"), ("2026-11-27T01:30:00.000Z", "Fri 02:30",
        "Fri 27 Nov 02:30 CET"),
        ("2026-11-28T01:30:00.000Z", "28 Nov 02:30", "Sat 28 Nov 02:30 CET"), ("2027-07-01T10:00:00.000Z", "1 Jul 12:00",
        "Thu 1 Jul 2027 12:00 CEST"),
        ("2028-02-29T10:00:00.000Z", "2028-02-29", "Tue 29 Feb 2028 11:00 CET"), ("1970-01-01T00:00:00.000Z", "1970-01-01",
        "Thu 1 Jan 1970 01:00 CET"),
    ]

    @Test("An instant is as short as the nearest days allow, or written out for a sentence", arguments: spoken)
    func spokenTime(_ row: (instant: String, brief: String, spoken: String)) throws {
        let zone = try ZoneDatabase().zone("Europe/Berlin")
        let instant = try #require(Instant(fixed: row.instant.utf8))
        #expect(TimeText.brief(instant, zone, now: now) == row.brief)
        #expect(TimeText.spoken(instant, zone, now: now) == row.spoken)
    }

    @Test("A time of another clock has its day only if the day differs")
    func besideTime() throws {
        let (berlin, tokyo) = (try ZoneDatabase().zone("Europe/Berlin"), try ZoneDatabase().zone("Asia/Tokyo"))
        #expect(TimeText.beside(now, tokyo, berlin) == "11:00 JST")
        #expect(TimeText.beside(now.advanced(byMilliseconds: 14 * 3_600_000), tokyo, berlin) == "Sun 01:00 JST")
    }

    @Test("A text that is no time is refused", arguments: ["", "25:00", "soon", "12:"])
    func noTime(_ text: String) { #expect(throws: RecurrenceError.self) { try Instant.parse(text, zone: .utc, now: now, as: .past) } }

    // MARK: Values of single commands

    static let fractions: [(text: String, fraction: Double?)] = [
        ("0", 0), ("0.4", 0.4), ("1", 1), ("40%", 0.4), ("100%", 1), ("1.01", nil),
        ("-0.1", nil), ("101%", nil), ("", nil), ("%", nil), ("nan", nil), ("half", nil),
    ]

    @Test("A fraction is 0 to 1, or 0 % to 100 %", arguments: fractions)
    func fraction(_ row: (text: String, fraction: Double?)) { #expect(SpoolCommand.fraction(row.text) == row.fraction) }

    @Test("extend takes its duration before or after the ids")
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
