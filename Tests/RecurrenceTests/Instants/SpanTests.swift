import Testing

@testable import Recurrence

@Suite struct SpanTests {
    static let day: Int64 = 86_400_000

    @Test(
        arguments: [
            ("90s", 0, 90_000), ("1h30m", 0, 5_400_000), ("2 days", 0, 2 * day), ("PT1H30M", 0, 5_400_000), ("P1Y2M", 14, 0),
            ("500ms", 0, 500), ("5 minutes", 0, 300_000), ("1.5h", 0, 5_400_000), ("1h 30min", 0, 5_400_000), ("90", 0, 90_000),
            ("0.25", 0, 250), ("0", 0, 0), ("1M", 1, 0), ("1m", 0, 60_000), ("1 month 2 weeks", 1, 14 * day),
            ("1.5 M", 1, 1_314_900_000),
            ("0.5y", 6, 0), ("1y2M", 14, 0), ("1 Hour", 0, 3_600_000), ("2 hrs 3 mins 4 secs", 0, 7_384_000),
            ("499us", 0, 0), ("500µs", 0, 1), ("500μs", 0, 1), ("999999ns", 0, 1), ("1h30", 0, 3_630_000),
            ("P1W", 0, 7 * day), ("PT0.5S", 0, 500), ("PT0,5S", 0, 500), ("P1DT12H", 0, 36 * 3_600_000), ("+5s", 0, 5_000),
            ("pt5m", 0, 300_000),
        ] as [(String, Int, Int64)])
    func reads(_ text: String, _ months: Int, _ milliseconds: Int64) throws {
        #expect(try Span.parse(text) == Span(months: months, milliseconds: milliseconds))
    }

    /// All units that systemd.time(7) lists.
    @Test(
        arguments: [
            (["usec", "us", "µs", "μs"], 1), (["msec", "ms"], 1_000), (["seconds", "second", "sec", "s"], 1_000_000),
            (["minutes", "minute", "min", "m"], 60_000_000), (["hours", "hour", "hr", "h"], 3_600_000_000),
            (["days", "day", "d"], 86_400_000_000), (["weeks", "week", "w"], 604_800_000_000),
            (["months", "month", "M"], 2_629_800_000_000), (["years", "year", "y"], 31_557_600_000_000),
        ] as [([String], Int64)])
    func systemdUnits(_ names: [String], _ microseconds: Int64) throws {
        for name in names {
            for text in ["3000\(name)", "3000 \(name)", "1000\(name) 2000 \(name)"] {
                #expect(try Span.parse(text).approximateMilliseconds == microseconds * 3, "\(text)")
            }
        }
    }

    @Test(arguments: [
        "", " ", "-5s", "-0", "5x", "s", ".", ".s", "5 .", "1h-30m", "P", "PT", "P1H", "PT1D", "P1M1Y", "PT1S1M", "P1Y1Y",
        "P-1D",
        "infinity", "99999999999999999999s", "11111111111111y", "10001y", "P10001Y", "1e5", "0x10", "3.+1s", "12..34",
        "12.34.56", "1,5h", "١s",
        "9223372036854775808ns ago", "5H", "P0001-13-00T00:00:00",
    ])
    func refuses(_ text: String) {
        #expect(throws: RecurrenceError.self, "\(text)") { try Span.parse(text) }
    }

    @Test func errorsSayWhere() {
        #expect(
            throws: RecurrenceError(
                #"unknown unit "minuts" in the duration "5 minuts""#, offset: 2, hint: "did you mean minutes?")
        ) {
            try Span.parse("5 minuts")
        }
        #expect(throws: RecurrenceError(#"unknown unit "H" in the duration "5H""#, offset: 1, hint: "did you mean h?")) {
            try Span.parse("5H")
        }
        #expect(throws: RecurrenceError(#"a duration can't be negative: "-5s""#, offset: 0)) { try Span.parse("-5s") }
    }

    @Test func numbersAreSeconds() throws {
        #expect(try Span(seconds: 1.5) == Span(milliseconds: 1500))
        #expect(try Span(seconds: 0) == .zero)
        for refused in [-1, .nan, .infinity, 1e300] { #expect(throws: RecurrenceError.self) { try Span(seconds: refused) } }
    }

    @Test(
        arguments: [
            (0, 0, "0s"), (0, 5_400_000, "1h30m"), (0, 2 * day, "2 days"), (0, day, "1 day"), (1, 0, "1 month"),
            (12, 0, "1 year"), (14, 0, "1y2M"),
            (0, 500, "500ms"), (0, 90_061_001, "1d1h1m1s1ms"), (1, 60_000, "1M1m"), (0, 600_000, "10m"), (24, 0, "2 years"),
        ] as [(Int, Int64, String)])
    func describes(_ months: Int, _ milliseconds: Int64, _ text: String) throws {
        let span = Span(months: months, milliseconds: milliseconds)
        #expect(span.description == text)
        #expect(try Span.parse(text) == span)
    }

    // MARK: Other projects' cases

    @Test(.vectors("durations/durations_go.jsonl")) func goDurations() throws {
        for row in try Vectors.lines("durations/durations_go.jsonl") {
            guard let input = row["input"].string else { continue }  // skips texts that are not UTF-8
            if row["kind"].string == "invalid" {
                // Units and bare numbers that systemd accepts, and durations beyond Go's limit of 292 years, are valid here.
                if ["3", "1d"].contains(input) || input.contains(where: \.isNumber) { continue }
                #expect(throws: RecurrenceError.self, "\(input)") { try Span.parse(input) }
            } else if input.hasPrefix("-") {
                #expect(throws: RecurrenceError.self, "\(input)") { try Span.parse(input) }
            } else {
                let nanoseconds = try #require(row["nanoseconds"].number)
                let found = try Span.parse(input).milliseconds
                // The JSON reader of these tests has numbers of 53 bits.
                #expect(abs(Double(found) - nanoseconds / 1e6) <= 0.5 + nanoseconds / 1e16, "\(input)")
            }
        }
    }

    @Test(.vectors("durations/durations_iso.jsonl")) func isoDurations() throws {
        for row in try Vectors.lines("durations/durations_iso.jsonl") {
            let input = try #require(row["input"].string)
            if input.hasPrefix("-") {
                #expect(throws: RecurrenceError.self, "\(input)") { try Span.parse(input) }
                continue
            }
            let years = try #require(Double(row["years"].string ?? ""))
            let months = try #require(Double(row["months"].string ?? ""))
            let seconds = try #require(row["seconds"].number)
            #expect(
                try Span.parse(input) == Span(months: Int(years * 12 + months), milliseconds: Int64(seconds * 1000)), "\(input)"
            )
        }
    }

    @Test(.vectors("systemd/systemd_timespan.jsonl")) func systemdSpans() throws {
        for row in try Vectors.lines("systemd/systemd_timespan.jsonl") {
            let input = try #require(row["input"].string)
            let parser = row["parser"].string ?? ""
            if row["kind"].string == "invalid" {
                #expect(throws: RecurrenceError.self, "\(input)") { try Span.parse(input) }
                continue
            }
            // An infinite duration is not accepted here.
            if input.contains("infinity") || row["value"].string == "infinity" { continue }
            // These rows have another default unit than the second.
            if let unit = row["default_unit_usec"].number, unit != 1_000_000, !input.contains("s") { continue }
            guard let value = row["value"].number else { continue }
            if parser == "parse_nsec", !input.contains("s") || input.contains("s.") || input.hasPrefix("3.1 .") { continue }
            let milliseconds = parser == "parse_nsec" ? value / 1e6 : value / 1e3
            let found = Double(try Span.parse(input).approximateMilliseconds)
            // This project rounds to milliseconds.
            #expect(abs(found - milliseconds) <= 0.5, "\(input)")
        }
    }
}
