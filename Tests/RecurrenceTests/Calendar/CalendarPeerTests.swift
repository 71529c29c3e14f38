import struct TestSupport.SeededGenerator
import Testing

@testable import Recurrence

/// systemd-analyze(1) and this project read the same expressions.
@Suite struct CalendarPeerTests {
    struct Answer {
        var normalized = ""
        /// The printed seconds.
        var due: [Int64] = []
    }

    /// systemd's answers to the expressions that it accepts.
    static func answers(
        _ expressions: [String], after start: Int64, in zone: String, iterations: Int = 4
    ) throws -> [String: Answer] {
        let words = [
            "env", "TZ=:\(zone)", "LC_ALL=C", "systemd-analyze", "calendar", "--iterations=\(iterations)", "--base-time=@\(start)", "--",
        ]
        // systemd-analyze fails when it refuses one of many expressions, but still answers the others.
        let output = try #require(Peer.output(of: ["sh", "-c", "\"$@\"; true", "sh"] + words + expressions))
        var answers: [String: Answer] = [:]
        var original = ""
        for line in output.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.isEmpty { original = "" }
            guard let colon = line.range(of: ": ")?.lowerBound else { continue }
            let value = String(line[line.index(colon, offsetBy: 2)...])
            let key = line[..<colon].drop { $0 == " " }
            if key == "Original form" {
                original = value
            } else if key == "Normalized form" {
                // An expression that is in its normalized form already is not printed a second time.
                if original.isEmpty { original = value }
                answers[original] = Answer(normalized: value)
            } else if key == "Next elapse" || key.hasPrefix("Iter"), value != "never", zone == "UTC" {
                answers[original]?.due.append(try seconds(value))
            } else if key == "(in UTC)" {
                answers[original]?.due.append(try seconds(value))
            }
        }
        return answers
    }

    /// `Mon 2026-01-05 09:00:00 UTC`.
    private static func seconds(_ text: String) throws -> Int64 {
        let parts = text.split(separator: " ")
        try #require(parts.count == 4 && parts[3] == "UTC", "\(text)")
        return try instant("\(parts[1])T\(parts[2])Z").milliseconds / 1000
    }

    /// systemd's treatment of daylight saving, in the words of `dst_gap` and `dst_repeat`.
    static let daylight = DaylightRule(gap: .skip, repeated: .first)

    /// - Parameter mayGiveUp: true if systemd may find no due times for an expression that it accepts.
    private static func compare(
        _ samples: [CalendarSample], after start: Int64, in zone: Zone, mayGiveUp: Bool = false
    ) throws {
        let normalized = try answers(samples.map(\.text), after: start, in: "UTC", iterations: 1)
        // systemd up to 258 loses due times when an open step leads into the next day, month or year (its issue 40260: `*:0/7`
        // never elapses at 00:00). Steps with an end are correct, so these are compared.
        let due = try answers(samples.map(\.closedText), after: start, in: zone.name)
        for sample in samples {
            let comment: Comment = "\(sample.text) after \(start) in \(zone.name)"
            let ours = try Recurrence.calendar(sample.text, zone: zone, zones: database, daylight: daylight)
            #expect(ours.normalized == normalized[sample.text]?.normalized, comment)
            guard let wanted = due[sample.closedText]?.due else {
                #expect(mayGiveUp, comment)
                continue
            }
            let found = ours.due(after: Instant(seconds: start), limit: 4).map { $0.milliseconds / 1000 }
            #expect(found == wanted, comment)
        }
    }

    @Test(.program("systemd-analyze", "--version"))
    func randomExpressions() throws {
        var generator = SeededGenerator(seed: 20_261_121)
        for _ in 0..<20 {
            let start = Int64.random(in: 0..<Civil.endSeconds, using: &generator)
            try Self.compare((0..<150).map { _ in CalendarSample(using: &generator) }, after: start, in: .utc)
        }
    }

    /// Starts an hour and a half before the clock changes.
    @Test(
        .program("systemd-analyze", "--version"), .tzdata,
        arguments: ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago"])
    func overChangesOfTheClock(_ name: String) throws {
        var generator = SeededGenerator(seed: 20_260_329)
        let zone = try database.zone(name)
        for change in zone.ranges.filter({ $0.start > 1_700_000_000 }).prefix(8) {
            // In a zone that skips midnight, systemd fails with "Infinite loop in calendar calculation".
            try Self.compare(
                (0..<40).map { _ in CalendarSample(using: &generator) }, after: change.start - 5400, in: zone,
                mayGiveUp: name == "America/Santiago")
        }
    }

    /// Both refuse the same garbled texts. Left out are blanks, which systemd allows singly only; lists of days from the end of
    /// the month, which systemd reads in its own way; and `@` with blanks, signs or zones.
    @Test(.program("systemd-analyze", "--version"))
    func garbledExpressions() throws {
        var generator = SeededGenerator(seed: 4711)
        let alphabet = Array("0123456789*/,.-~:MonTue")
        var texts = Set<String>()
        while texts.count < 3000 {
            var text = Array(CalendarSample(using: &generator).text)
            for _ in 0..<Int.random(in: 1...2, using: &generator) where !text.isEmpty {
                let place = Int.random(in: 0..<text.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: text.remove(at: place)
                case 1: text[place] = alphabet.randomElement(using: &generator)!
                default: text.insert(alphabet.randomElement(using: &generator)!, at: place)
                }
            }
            let isFromEnd = text.contains("~") && text.drop { $0 != "~" }.prefix { $0 != " " }.contains(",")
            if text.first != " ", text.last != " ", text.first != "-", !isFromEnd { texts.insert(String(text)) }
        }
        let start: Int64 = 1_795_000_000
        let theirs = try Self.answers(texts.sorted(), after: start, in: "UTC", iterations: 1)
        #expect(theirs.count > 200 && theirs.count < 2700, "\(theirs.count)")
        for text in texts.sorted() {
            let ours = try? Recurrence.calendar(text, zone: .utc, zones: database)  // nil is compared, too
            #expect(ours?.normalized == theirs[text]?.normalized, "\(text)")
        }
    }
}
