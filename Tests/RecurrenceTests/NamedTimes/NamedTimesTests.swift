import Testing

@testable import Recurrence

@Suite struct NamedTimesTests {
    private static let berlin = try! database.zone("Europe/Berlin")

    private func times(_ name: String = "c", dates: [String] = [], windows: [String] = [], ics: String? = nil) throws -> NamedTimes {
        let events = try ics.map { text in
            let lines = "BEGIN:VCALENDAR\n\(text)\nEND:VCALENDAR\n"
            return try CalendarFile.events(Array(lines.utf8), zone: Self.berlin, zones: database)
        }
        return try NamedTimes(name: name, zone: nil, dates: dates, windows: windows, events: events ?? [])
    }

    private func event(_ lines: String...) -> String { "BEGIN:VEVENT\n\(lines.joined(separator: "\n"))\nEND:VEVENT" }

    private func filter(except: [NamedTimes] = [], only: [NamedTimes] = [], _ when: TimeFilter.WhenExcluded = .skip) -> TimeFilter {
        TimeFilter(except: except, only: only, whenExcluded: when, zone: Self.berlin)
    }

    private func due(_ text: String, _ filter: TimeFilter, after start: String, count: Int) throws -> [String] {
        try cron(text, Self.berlin).filtered(by: filter).due(after: instant(start, Self.berlin), limit: count)
            .map { String($0.rfc3339(in: Self.berlin).prefix(16)).replacing("T", with: " ") }
    }

    // MARK: Windows and dates

    @Test(arguments: [
        ("Mon-Fri 22:00-06:00", "2026-12-04 22:00", true), ("Mon-Fri 22:00-06:00", "2026-12-05 05:59", true),
        ("Mon-Fri 22:00-06:00", "2026-12-05 06:00", false), ("Mon-Fri 22:00-06:00", "2026-12-05 22:00", false),
        ("Fri-Mon", "2026-12-06 12:00", true), ("Fri-Mon", "2026-12-08 00:00", false), ("sat, sunday", "2026-12-05 00:00", true),
        ("12:00-13:00", "2026-12-08 12:30", true), ("12:00-13:00", "2026-12-08 13:00", false), ("Mon..Wed 00:00-24:00",
        "2026-12-08 23:59", true),
    ])
    func windows(text: String, time: String, isIn: Bool) throws {
        #expect(try times(windows: [text]).contains(instant(time, Self.berlin), outer: Self.berlin) == isIn)
    }

    /// In Berlin the clock shows 02:00 to 03:00 twice on the 25th of October 2026.
    @Test(arguments: [
        ("02:00-03:00", ["00:00", "00:30", "01:00", "01:30"]), ("02:15-02:45", ["00:30", "01:30"]),
        ("01:00-02:30", ["23:00", "23:30", "00:00", "01:00"]), ("02:30-04:00", ["00:30", "01:30", "02:00", "02:30"]),
    ])
    func bothPassesOfARepeatedHour(window: String, inUTC: [String]) throws {
        let times = try times(windows: [window])
        let start = try instant("2026-10-24T23:00:00Z", Zone.utc)
        let found = (0..<10).map { start.advanced(byMilliseconds: $0 * 1_800_000) }
            .filter { times.contains($0, outer: Self.berlin) }
        #expect(found.map { String($0.rfc3339.prefix(16).suffix(5)) } == inUTC)
    }

    @Test(
        arguments: [
            "", "Mon-", "Monday-Frx", "25:00-26:00", "10:00", "10:00-", "Mon 10-11", "Mon 10:00-11:00 x", "Mon,", "Mo 10:00-11:00",
        ])
    func unusableWindows(text: String) {
        guard !text.isEmpty else { return }
        #expect(throws: RecurrenceError.self) { try times(windows: [text]) }
    }

    @Test(arguments: ["2026-13-01", "2026-02-29", "2026-2-1", "26-12-24", "2026-12-24T10:00", "1969-12-31", "2026-1224"])
    func unusableDates(text: String) {
        #expect(throws: RecurrenceError.self) { try times(dates: [text]) }
    }

    // MARK: Due times

    @Test func excludedDueTimesDoNotExist() throws {
        let holidays = try times("holidays", dates: ["2026-12-25", "20261226"])
        #expect(
            try due("30 2 * * *", filter(except: [holidays]), after: "2026-12-23 12:00", count: 3)
                == ["2026-12-24 02:30", "2026-12-27 02:30", "2026-12-28 02:30"])
        let night = try times("night", windows: ["22:00-06:00"])
        #expect(
            try due("0 * * * *", filter(except: [holidays], only: [night]), after: "2026-12-24 20:30", count: 4)
                == ["2026-12-24 22:00", "2026-12-24 23:00", "2026-12-27 00:00", "2026-12-27 01:00"])
        #expect(try due("0 12 * * *", filter(only: [night]), after: "2026-12-24 20:30", count: 1) == [])
        #expect(
            try due("0 9 25 12 *", filter(except: [times(dates: ["2026-12-25"])]), after: "2026-01-01 00:00", count: 1)
                == ["2027-12-25 09:00"])
    }

    @Test func excludedDueTimesMove() throws {
        let holidays = try times("holidays", dates: ["2027-01-01"], windows: ["Sat,Sun"])
        // With excluded days the time of day stays the same.
        #expect(
            try due("0 9 1 * *", filter(except: [holidays], .next), after: "2026-12-31 12:00", count: 3)
                == ["2027-01-04 09:00", "2027-02-01 09:00", "2027-03-01 09:00"])
        // The next due time is the same from any instant in between.
        for from in ["2027-01-01 09:00", "2027-01-02 10:00", "2027-01-04 08:59"] {
            #expect(try due("0 9 1 * *", filter(except: [holidays], .next), after: from, count: 1) == ["2027-01-04 09:00"], "\(from)")
        }
        // Several due times that move to the same time make one run.
        #expect(
            try due("0 9 * * *", filter(except: [holidays], .next), after: "2026-12-31 12:00", count: 2)
                == ["2027-01-04 09:00", "2027-01-05 09:00"])
        // With excluded windows the due time moves to the window's end, or to the beginning of the next one that is allowed.
        let office = try times("office", windows: ["Mon-Fri 08:00-18:00"])
        let day = try due("0 */6 * * *", filter(except: [office], .next), after: "2026-12-08 03:00", count: 3)
        #expect(day == ["2026-12-08 06:00", "2026-12-08 18:00", "2026-12-09 00:00"])
        let night = try times("night", windows: ["22:00-06:00"])
        #expect(
            try due("0 12 * * *", filter(only: [night], .next), after: "2026-12-08 13:00", count: 2)
                == ["2026-12-08 22:00", "2026-12-09 22:00"])
    }

    /// In Berlin the clock skips 02:00 to 03:00 on Sunday the 28th of March 2027, in Nuuk 23:00 to 24:00 on Saturday the 27th.
    @Test(arguments: [
        // The window of the night has no time that day, and the schedule's own rule for gaps gives the run.
        ("30 2 * * *", "only", "02:00-03:00", ["28 03:00", "29 02:30"], ["28 03:00", "29 02:30"]),
        ("30 1,2 * * *", "only", "02:00-03:00", ["28 03:00", "29 02:30"], ["28 03:00", "29 02:00"]),
        // The gap does not move it into an exclusion.
        ("30 2 * * *", "except", "03:00-04:00", ["28 03:00", "29 02:30"], ["28 03:00", "29 02:30"]),
        ("30 2 * * *", "except", "02:00-03:00", [], ["28 03:00", "29 03:00"]),
        ("30 2 * * *", "except", "01:00-04:00", [], ["28 04:00", "29 04:00"]),
        ("30 2 * * *", "only", "03:00-04:00", [], ["28 03:00", "29 03:00"]),
        ("30 2 * * *", "except", "Sun", ["29 02:30", "30 02:30"], ["29 02:30", "30 02:30"]),
        // A run for several times that the clock skips needs one that is allowed.
        ("15,45 2 * * *", "only", "02:40-03:00", ["28 03:00", "29 02:45"], ["28 03:00", "29 02:40"]),
        ("15,45 2 * * *", "except", "02:00-02:30", ["28 03:00", "29 02:45"], ["28 03:00", "29 02:30"]),
        // A wildcard is not due in the gap at all.
        ("*/30 * * * *", "only", "02:00-03:00", ["29 02:00", "29 02:30"], ["29 02:00", "29 02:30"]),
    ] as [(String, String, String, [String], [String])])
    func aGapOfTheClockExcludesNothing(text: String, key: String, window: String, skip: [String], next: [String]) throws {
        let times = [try times(windows: [window])]
        for (when, expected) in [(TimeFilter.WhenExcluded.skip, skip), (.next, next)] {
            let filter = key == "only" ? filter(only: times, when) : filter(except: times, when)
            let found = try due(text, filter, after: "2027-03-28 00:00", count: 2)
            #expect(found == expected.map { "2027-03-\($0)" }, "\(when)")
        }
    }

    @Test func aGapThatEndsADayKeepsTheDayOfItsDueTime() throws {
        let nuuk = try database.zone("America/Nuuk")
        for (window, next) in [("Sat", "2027-03-28 23:30"), ("Sun", "2027-03-28 00:00")] {
            let filter = TimeFilter(except: [try times(windows: [window])], only: [], whenExcluded: .next, zone: nuuk)
            let rule = try cron("30 23 * * sat", nuuk).filtered(by: filter)
            for after in ["2027-03-27 20:00", "2027-03-27 22:59"] + (window == "Sat" ? ["2027-03-28 01:00", "2027-03-28 23:00"] : []) {
                let due = try #require(rule.next(after: instant(after, nuuk), origin: instant(after, nuuk)))
                #expect(due.rfc3339(in: nuuk).prefix(16).replacing("T", with: " ") == next, "\(window) \(after)")
            }
        }
    }

    @Test func everyQuestionInBetweenHasTheSameAnswer() throws {
        let rule = try cron("17 */5 * * *", Self.berlin).filtered(
            by: filter(
                except: [times(dates: ["2026-12-24", "2026-12-25"], windows: ["Mon 08:00-18:00"])],
                only: [times(windows: ["Mon-Fri 06:00-23:00"])],
                .next))
        let all = try rule.due(after: instant("2026-12-18 00:00", Self.berlin), before: instant("2027-01-05 00:00", Self.berlin))
        #expect(all.count > 20 && all == Array(Set(all)).sorted())
        for (before, due) in zip(all, all.dropFirst()) {
            var between = before
            while between < due {
                #expect(rule.next(after: between, origin: between) == due)
                between = between.advanced(byMilliseconds: 1_800_000)
            }
        }
    }

    @Test func remarksSayWhatWasLeftOut() throws {
        let holidays = try times("holidays", dates: ["2026-12-25", "2026-12-26"])
        let rule = try cron("30 2 * * *", Self.berlin)
        let after = try instant("2026-12-24 12:00", Self.berlin)
        let skipped = rule.filtered(by: filter(except: [holidays])).nextOccurrence(after: after, origin: after)
        #expect(skipped?.words == "skips 2026-12-25 02:30 and 2026-12-26 02:30: holidays")
        let monthly = try cron("0 9 25 12 *", Self.berlin).filtered(by: filter(except: [holidays], .next))
        #expect(monthly.nextOccurrence(after: after, origin: after)?.words == "moved from 2026-12-25 09:00: holidays")
        let night = try times("night", windows: ["22:00-06:00"])
        let kept = try cron("* * * * *", Self.berlin).filtered(by: filter(only: [night])).nextOccurrence(after: after, origin: after)
        #expect(kept?.words == "skips 2026-12-24 12:01 and 598 more: not in night")
    }

    // MARK: Cost

    /// 24 windows a day make 4,800 stretches in each of the chunks of 199 days, which are asked for one after another.
    @Test func aCalendarKeepsFewStretches() throws {
        let windows = try (0..<24).flatMap { hour in
            let hour = "\(hour < 10 ? "0" : "")\(hour)"
            return try WeeklyWindow.parse("\(hour):00-\(hour):30")
        }
        let covers = Covers(days: [], windows: windows, events: [])
        let start = try instant("2026-01-01 12:15", .utc)
        for chunk in 0..<60 {
            let at = start.advanced(byMilliseconds: Int64(chunk) * 199 * Civil.millisecondsPerDay)
            #expect(covers.in(.utc).contains(at, .times) && !covers.in(.utc).contains(at.advanced(byMilliseconds: 1_800_000), .times))
            #expect(covers.keptCount <= Covers.stretchesMax)
        }
        // The first chunks are computed again.
        #expect(covers.keptCount > Covers.stretchesMax / 2 && covers.in(.utc).contains(start, .times))
    }

    @Test func rangesAreSortedAndMerged() {
        func range(_ from: Int64, _ to: Int64) -> Range<Instant> { Instant(milliseconds: from)..<Instant(milliseconds: to) }
        let ranges = InstantRanges([range(50, 60), range(10, 20), range(20, 30), range(15, 18)])
        #expect(ranges.ranges == [range(10, 30), range(50, 60)])
        for (at, isIn) in [(9, false), (10, true), (29, true), (30, false), (49, false), (59, true), (60, false)] as [(Int64, Bool)] {
            #expect(ranges.contains(Instant(milliseconds: at)) == isIn, "\(at)")
        }
    }

    // MARK: Files

    @Test(arguments: [
        (
            ["DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227"], ["2026-12-24 00:00", "2026-12-26 23:59"],
            ["2026-12-23 23:59", "2026-12-27 00:00"]
        ),
        (["DTSTART;VALUE=DATE:20001003", "RRULE:FREQ=YEARLY"], ["2026-10-03 12:00", "2031-10-03 00:00"], ["2026-10-04 00:00"]),
        (
            ["DTSTART;TZID=America/New_York:20260302T090000", "DTEND;TZID=America/New_York:20260302T100000", "RRULE:FREQ=WEEKLY"],
            // On 9 March New York has changed its clock, and Berlin has not.
            ["2026-03-02 15:30", "2026-03-09 14:30"], ["2026-03-09 15:30"]
        ),
        (["DTSTART:20260302T090000Z", "DURATION:PT90M"], ["2026-03-02 11:29"], ["2026-03-02 11:30", "2026-03-02 09:59"]),
        (["DTSTART:20260302T090000", "DTEND:20260302T100000"], ["2026-03-02 09:30"], ["2026-03-02 10:00"]),
        (
            ["DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAI", " LY;COUNT=3", "EXDATE;VALUE=DATE:20260102"], ["2026-01-03 05:00"],
            ["2026-01-02 05:00"]
        ),
        (["DTSTART;VALUE=DATE:20260101", "STATUS:CANCELLED"], [], ["2026-01-01 05:00"]),
        (
            ["DTSTART;VALUE=DATE:20260101", "RDATE;VALUE=DATE:20260105,20260107", "EXDATE;VALUE=DATE:20260107"],
            ["2026-01-01 12:00", "2026-01-05 12:00"], ["2026-01-06 12:00", "2026-01-07 12:00"]
        ),
        (
            [
                "DTSTART:20260302T090000Z", "DURATION:PT1H",
                "RDATE;VALUE=PERIOD:20260303T090000Z/PT30M,20260304T090000Z/20260304T093000Z",
            ],
            ["2026-03-02 10:59", "2026-03-03 10:29", "2026-03-04 10:29"], ["2026-03-03 10:30", "2026-03-04 10:30"]
        ),
        (
            [
                "UID:a", "DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY;COUNT=5", "END:VEVENT", "BEGIN:VEVENT", "UID:a",
                "RECURRENCE-ID;VALUE=DATE:20260103", "DTSTART;VALUE=DATE:20260120",
            ], ["2026-01-02 12:00", "2026-01-04 12:00", "2026-01-20 12:00"], ["2026-01-03 12:00"]
        ),
        (
            [
                "UID:a", "DTSTART;TZID=Europe/Berlin:20260302T090000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3", "END:VEVENT",
                "BEGIN:VEVENT", "UID:a", "RECURRENCE-ID;TZID=Europe/Berlin:20260303T090000",
                "DTSTART;TZID=Europe/Berlin:20260303T150000", "DURATION:PT1H",
            ], ["2026-03-02 09:30", "2026-03-03 15:30", "2026-03-04 09:30"], ["2026-03-03 09:30"]
        ),
        // The occurrence that is replaced by a canceled event is canceled.
        (
            [
                "UID:a", "DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY;COUNT=3", "END:VEVENT", "BEGIN:VEVENT", "UID:a",
                "STATUS:CANCELLED", "RECURRENCE-ID;VALUE=DATE:20260102", "DTSTART;VALUE=DATE:20260102",
            ], ["2026-01-01 12:00", "2026-01-03 12:00"], ["2026-01-02 12:00"]
        ),
        (
            [
                "DTSTART;TZID=Office:20260302T090000", "DURATION:PT1H", "END:VEVENT", "BEGIN:VTIMEZONE", "TZID:Office",
                "X-LIC-LOCATION:America/New_York", "END:VTIMEZONE", "BEGIN:VEVENT",
            ], ["2026-03-02 15:30"], ["2026-03-02 09:30"]
        ),
        (["DTSTART;VALUE=DATE:20260101", "BEGIN:VALARM", "DURATION:PT1S", "END:VALARM"], ["2026-01-01 05:00"], ["2026-01-02 00:00"]),
    ] as [([String], [String], [String])])
    func files(lines: [String], inside: [String], outside: [String]) throws {
        let calendar = try times(ics: "BEGIN:VEVENT\n\(lines.joined(separator: "\r\n"))\nEND:VEVENT")
        for time in inside { #expect(try calendar.contains(instant(time, Self.berlin), outer: Self.berlin), "\(time)") }
        for time in outside { #expect(try !calendar.contains(instant(time, Self.berlin), outer: Self.berlin), "\(time)") }
    }

    @Test(arguments: [
        ("x", "it is no iCalendar file: BEGIN:VCALENDAR is missing"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101\nEND:VEVENT\n", "the file is cut off: END:VCALENDAR is missing"),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:tomorrow\nEND:VEVENT\nEND:VCALENDAR\n",
            "line 3: DTSTART: \"tomorrow\" is not a date or time such as"
        ),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;TZID=Mars/Olympus:20260101T000000\nEND:VEVENT\nEND:VCALENDAR\n", "line 3: DTSTART: "),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101\nRRULE:FREQ=SOMETIMES\nEND:VEVENT\nEND:VCALENDAR\n", "line 4: RRULE: "),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101\nDTEND:20280101\nRRULE:FREQ=DAILY\nEND:VEVENT\nEND:VCALENDAR\n",
            "line 3: an event that repeats can last 366 days at most"
        ),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101\nEXDATE:\(String(repeating: "20260102,", count: 5001))\nEND:VEVENT\n"
                + "END:VCALENDAR\n", "line 3: the event has more than 5000 dates"
        ),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260101\nEND:VEVENT\nEND:VCALENDAR\n",
            "line 4: RECURRENCE-ID: RANGE"
        ),
        // 42 events of each hour, which count twice because they are long.
        (
            "BEGIN:VCALENDAR\n"
                + String(
                    repeating: "BEGIN:VEVENT\nDTSTART:20260101T000000Z\nDURATION:P366D\nRRULE:FREQ=HOURLY\nEND:VEVENT\n", count: 42)
                + "END:VCALENDAR\n", "line 208: there are more than 2000 events"
        ),
    ])
    func unusableFiles(text: String, says: String) {
        let error = #expect(throws: RecurrenceError.self) {
            try CalendarFile.events(Array(text.utf8), zone: Self.berlin, zones: database)
        }
        #expect(error?.message.hasPrefix(says) == true, "\(error?.message ?? "")")
    }
}

extension NamedTimes {
    func contains(_ instant: Instant, outer: Zone) -> Bool {
        Covers.Kind.allCases.contains { stretches(outer: outer).contains(instant, $0) }
    }
}
