import Testing

@testable import Recurrence

/// The test cases of Python's dateutil that follow RFC 5545.
@Suite struct RRuleVectorTests {
    /// Parsed lines such as `DTSTART:…`, `RRULE:…`, `EXDATE:…`, in any case, possibly on one line.
    struct Lines {
        var rules: [String] = []
        var start: String?
        var excluding: [String] = []
        var others: [String] = []

        init(_ row: JSON) {
            var text = row["text"].string ?? ""
            if row["kwargs"]["unfold"].string == "True" { text = text.split(separator: "\n ").joined() }
            // The argument `datetime(1997, 9, 2, 9, 0)`.
            if row["kwargs"]["dtstart"].string == "datetime(1997, 9, 2, 9, 0)" { start = "19970902T090000" }
            for word in text.split(whereSeparator: \.isWhitespace) {
                let parts = word.split(separator: ":", maxSplits: 1).map(String.init)
                switch (parts.first?.lowercased(), parts.count) {
                case ("rrule", 2), (_, 1): rules.append(String(word))
                case ("dtstart", _): start = parts[1]
                case ("exdate", _): excluding.append(parts[1])
                default: others.append(parts[0])
                }
            }
        }
    }

    /// The reason why a case is left out, or nil if it must hold.
    static func exclusion(_ lines: Lines) -> String? {
        if lines.rules.count != 1 || !lines.others.isEmpty { return "RDATE, EXRULE and several rules: a schedule is one rule" }
        if lines.rules[0].contains("BYEASTER") || lines.rules[0].contains("BYWEEKDAY") { return "dateutil's own parts" }
        if lines.start?.hasPrefix("9997") == true { return "starts after 2199, which is refused" }
        return nil
    }

    /// True for rules that RFC 5545 forbids. dateutil accepts them without a warning.
    static func isForbidden(_ rule: String) -> Bool {
        func has(_ part: String) -> Bool { rule.contains(part) }
        return has("BYWEEKNO") && !has("YEARLY") || has("BYMONTHDAY") && has("WEEKLY")
            || has("BYYEARDAY") && (has("DAILY") || has("WEEKLY") || has("MONTHLY"))
    }

    @Test(.vectors("rrule/rrule_dateutil.jsonl"))
    func dateutil() throws {
        var held = 0
        var refused = 0
        for row in try Vectors.lines("rrule/rrule_dateutil.jsonl") {
            let id = row["id"].string ?? ""
            guard row["kind"].string == "occ" else {
                Issue.record("unknown kind in \(id)")
                continue
            }
            let lines = Lines(row)
            if Self.exclusion(lines) != nil { continue }
            let rule = lines.rules[0]
            if Self.isForbidden(rule) {
                refused += 1
                #expect(throws: RecurrenceError.self, "\(id) \(rule)") { try rrule(rule, from: lines.start) }
                continue
            }
            held += 1
            let due = try rrule(rule, from: lines.start, excluding: lines.excluding).due(after: Instant(milliseconds: -1))
            #expect(due.map { String($0.rfc3339.prefix(19)) } == row["occ"].strings, "\(id) \(rule)")
        }
        #expect(held > 80 && refused > 20, "\(held) \(refused)")
    }
}
