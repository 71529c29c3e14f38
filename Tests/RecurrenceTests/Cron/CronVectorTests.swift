import Testing

@testable import Recurrence

/// The test cases of croniter, cronsim, robfig/cron, gronx, Quartz and cron-utils whose expressions mean the same here.
@Suite struct CronVectorTests {
    /// The reason why a case is left out, or nil if it must hold. Each reason covers one class of cases, and names its source.
    static func exclusion(_ row: JSON) -> String? {
        let expression = row["expr"].string ?? ""
        let fields = expression.split(separator: " ").map { $0.lowercased() }
        let kind = row["kind"].string ?? ""
        let suite = row["suite"].string ?? ""

        if kind == "normalize" || kind == "unasserted" { return "says nothing about due times" }
        if row["dialect"].string?.contains("croniter7") == true { return "croniter puts seconds and years last" }
        if suite == "quartz" || row["dialect"].string == "cronutils-quartz" { return quartzExclusion(row, fields) }
        if suite == "adhocore/gronx", kind != "invalid" {
            if fields.count > 5, !fields.contains("?") { return "gronx takes a sixth field for years, and no ? beside seven" }
            if ["@always", "@5minutes"].contains(expression) { return "a word of gronx's own" }
            if fields.count == 6 || fields.count == 7 && fields[..<3].contains(where: { $0.contains("?") }) {
                return "gronx takes ? for * anywhere"
            }
            if fields.count == 5, fields[4].hasSuffix("-7") { return "gronx leaves Sunday out of 3-7" }
        }
        if row["id"].string == "cronutils-0604" { return "cron-utils's prev passes over the run that a gap moved" }
        if ["cronutils-0084", "cronutils-0085", "cronutils-0260"].contains(row["id"].string) {
            return "Spring and cron4j want both of two restricted day fields"
        }
        if row["dialect"].string == "cronutils-spring" || row["dialect"].string == "cronutils-spring53" {
            if fields.contains("?") { return "Spring's ? with Sunday as 0: six fields with ? are Quartz's here" }
            if fields.contains(where: { $0.hasPrefix("/") }) { return "Spring's /n: */n here" }
        }
        if !row["opts"].isEmpty {
            let options = row["opts"]
            for known in ["expand_from_start_time", "hash_id"] where !isNull(options[known]) {
                return "croniter's option \(known)"
            }
            if !isNull(options["max_years_between_matches"]), kind == "none" { return "croniter's limit of years" }
        }
        if fields.count == 6, suite == "croniter", isNull(row["opts"]["second_at_beginning"]) { return "seconds last" }
        if kind != "invalid", !expression.hasPrefix("@") {
            if fields.contains(where: { $0.hasPrefix("l/") || $0.hasPrefix("lw/") }) { return "cronsim takes a step after L" }
            if fields.contains(where: { $0.hasSuffix("/0") }) { return "gronx takes a step of 0" }
            if suite == "croniter", fields.contains("31w") {
                return "croniter lets 31W run on the last weekday of a shorter month, Quartz skips it"
            }
            if fields.contains(where: isReversedOrWhole) { return "croniter wraps reversed ranges and reads a-a as all" }
            if suite != "cronsim", fields.count >= 5, isNull(row["opts"]["implement_cron_bug"]),
                isSteppedBesideRestricted(fields)
            {
                return "croniter and robfig/cron take */n in a day field for a restriction; Vixie takes it for a star"
            }
            if ["croniter-0068", "croniter-0070", "croniter-0202", "croniter-0203", "croniter-0216", "croniter-0359", "croniter-0438"]
                .contains(row["id"].string)
            {
                return "made with croniter's day_or=False, which the case does not record"
            }
            if suite == "croniter",
                fields.count == 5, fields[2] != "*", fields[4] != "*", fields[4].contains("#") || fields[2].hasSuffix("w")
            {
                return "croniter wants both of two restricted day fields when one has # or W"
            }
            if fields.contains("57-57/2") { return "cronsim errs on 57-57/2" }
            if row["start"].string.map({ $0 >= "2200" }) == true { return "after 2199" }
        } else {
            if row["why"].string?.contains("Day(s)") == true || row["why"].string == "Bad day-of-month", isReadableDate(fields)
            {
                return "a date that never comes is not an error: it is never due"
            }
            if ["0 0 * * 5,6#3", "0 0 * * 5,l6", "0 9 1,15w * *"].contains(fields.joined(separator: " ")) {
                return "croniter does not take #, L and W in a list with others"
            }
            if fields.count == 5, fields.contains(where: { $0.contains("?") }) { return "? of robfig/cron stands in any of five fields" }
            if expression == "* * * * MONL" { return "cronsim takes L after a number alone" }
        }
        if kind == "next", !isWildcard(fields) {
            if suite == "croniter", repeatsWallTime(row) { return "croniter runs fixed jobs twice in an overlap" }
            if suite == "robfig/cron", changesOffset(row) {
                return "robfig/cron runs fixed jobs twice in an overlap, never in a gap"
            }
        }
        if suite == "cronsim", fields.count == 6, row["tz"].string == "Europe/Riga", !isWildcard(fields), changesOffset(row) {
            return "cronsim treats every expression with seconds as a wildcard"
        }
        if row["tz"].string == "Australia/Lord_Howe", suite == "cronsim" { return "cronsim errs at Lord_Howe" }
        return nil
    }

    /// The reason why a case of Quartz or cron-utils is left out. Quartz's own form, with ?, means the same here.
    private static func quartzExclusion(_ row: JSON, _ fields: [String]) -> String? {
        // A six-field expression without ?, which Quartz refuses for another reason, is a Unix expression here.
        if !fields.contains("?"), row["kind"].string != "invalid" { return "cron-utils takes it without ?" }
        if fields.count == 6, row["kind"].string == "invalid", !fields.contains("?") {
            return "six fields without ? are Unix cron after seconds here"
        }
        return nil
    }

    private static func isNull(_ value: JSON) -> Bool { if case .null = value { true } else { false } }

    private static func isSteppedBesideRestricted(_ fields: [String]) -> Bool {
        let day = fields[fields.count - 3]
        let weekday = fields[fields.count - 1]
        return day != "*" && weekday != "*" && (day.hasPrefix("*/") || weekday.hasPrefix("*/"))
    }

    private static func isWildcard(_ fields: [String]) -> Bool {
        let time = fields.count == 6 ? fields.dropFirst() : fields[...]
        return time.prefix(2).contains { $0.hasPrefix("*") }
    }

    /// True if the fields are numbers and stars, so that only the date can be wrong.
    private static func isReadableDate(_ fields: [String]) -> Bool {
        fields.count == 5 && fields.allSatisfy { $0 == "*" || Int($0) != nil } && (Int(fields[2]).map { 1...31 ~= $0 } ?? false)
            && (Int(fields[3]).map { 1...12 ~= $0 } ?? false)
    }

    private static func changesOffset(_ row: JSON) -> Bool {
        let offsets = ([row["start"].string ?? ""] + row["next"].strings).map { String($0.suffix(6)) }
        return Set(offsets).count > 1
    }

    private static func repeatsWallTime(_ row: JSON) -> Bool {
        let times = row["next"].strings.map { $0.prefix(19) }
        return Set(times).count < times.count
    }

    private static func isReversedOrWhole(_ field: String) -> Bool {
        field.split(separator: ",").contains { item in
            let ends = item.split(separator: "/")[0].split(separator: "-")
            guard ends.count == 2 else { return false }
            func number(_ text: Substring) -> Int? {
                for kind in [CronField.month, .dayOfWeek] {
                    if let index = kind.names.firstIndex(of: String(text)) { return index + kind.firstName }
                }
                return Int(text)
            }
            guard let low = number(ends[0]), let high = number(ends[1]) else { return false }
            return low >= high || low == 7
        }
    }

    /// `floating` means no zone, and `fixed+0530` a zone without a name.
    private static func zone(_ name: String) throws -> Zone {
        if name == "floating" || name == "Z" { return .utc }
        let name = name.hasPrefix("+") || name.hasPrefix("-") ? "fixed" + name.filter { $0 != ":" } : name
        guard name.hasPrefix("fixed") else { return try database.zone(name) }
        let sign = name.dropFirst(5).prefix(1) == "+" ? "-" : "+"
        let rule = try #require(PosixRule("<\(name.dropFirst(5))>\(sign)\(name.suffix(4).prefix(2)):\(name.suffix(2))".utf8))
        let file = TimeZoneFile(rule: rule)
        return Zone(name: name, ranges: file.ranges, abbreviations: file.abbreviations)
    }

    @Test(
        .vectors("cron/cron_cronsim.jsonl"), .tzdata,
        arguments: [
            "cron/cron_croniter.jsonl", "cron/cron_cronsim.jsonl", "cron/cron_robfig.jsonl", "cron/cron_gronx.jsonl",
            "cron/cron_quartz.jsonl", "cron/cron_cronutils.jsonl",
        ])
    func suites(_ path: String) throws {
        var held = 0
        for row in try Vectors.lines(path) where row["dialect"].string != "robfig-field" {
            guard Self.exclusion(row) == nil else { continue }
            held += 1
            let expression = try #require(row["expr"].string)
            let id = row["id"].string ?? ""
            let name = row["tz"].string ?? "floating"
            let zone = try Self.zone(name)
            let comment: Comment = "\(id) \(expression) \(name) \(row["why"].string ?? "")"
            switch row["kind"].string {
            case "invalid":
                #expect(throws: RecurrenceError.self, comment) { try cron(expression, zone) }
            case "valid":
                #expect(throws: Never.self, comment) { try cron(expression, zone) }
            case "none":
                if row["dir"].string == "prev" { continue }
                let start = try instant(row["start"].string ?? "2020-01-01", zone)
                #expect(try cron(expression, zone).next(after: start, origin: start) == nil, comment)
            case "match":
                let at = try instant(#require(row["at"].string), zone)
                let before = at - Span(milliseconds: 1)
                #expect(try (cron(expression, zone).next(after: before, origin: before) == at) == row["expect"].bool, comment)
            case "prev":
                // The due times are the last ones before the start. No other due time lies between them and the start.
                let rule = try cron(expression, zone)
                let expected = try row["next"].strings.reversed().map { try instant($0, zone) }
                let due = rule.due(after: expected[0] - Span(milliseconds: 1), limit: expected.count + 1)
                #expect(Array(due.prefix(expected.count)) == expected, comment)
                let start = try instant(#require(row["start"].string), zone)
                #expect(due.count == expected.count || due[expected.count] >= start, comment)
            case "next":
                let expected = try row["next"].strings.map { try instant($0, zone) }
                let due = try cron(expression, zone).due(
                    after: instant(#require(row["start"].string), zone), limit: expected.count)
                #expect(due == expected, comment)
            default:
                Issue.record("unknown kind in \(id)")
            }
        }
        #expect(held > 20)
    }

    /// robfig/cron's own table of single fields (parser_test.go, TestRange). Each is tested in the field with the same bounds.
    @Test(.vectors("cron/cron_robfig.jsonl"))
    func singleFields() throws {
        for row in try Vectors.lines("cron/cron_robfig.jsonl") where row["dialect"].string == "robfig-field" {
            let expression = try #require(row["expr"].string)
            guard row["max"].number == 7 || row["kind"].string == "invalid" && row["max"].number == 0 else { continue }
            if row["kind"].string == "invalid" {
                #expect(throws: RecurrenceError.self, "\(expression)") { try cron("0 0 * * \(expression)") }
                continue
            }
            let set = row["values"].array?.compactMap(\.number).reduce(UInt8(0)) { $0 | 1 << (UInt8($1) % 7) }
            guard case .cron(let schedule, _) = try cron("0 0 * * \(expression)").rule else { return }
            #expect(schedule.rule.days.daysOfWeek == set, "\(expression)")
        }
    }
}
