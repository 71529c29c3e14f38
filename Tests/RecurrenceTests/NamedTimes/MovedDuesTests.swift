import Testing
import TestSupport

@testable import Recurrence

/// `when_excluded = "next"`, beside a slow computation of the same that knows no stretches.
@Suite struct MovedDuesTests {
    private static let berlin = try! database.zone("Europe/Berlin")
    private static let minute: Int64 = 60_000

    private func times(_ dates: [String] = [], _ windows: [String] = [], zone: Zone? = nil) throws -> NamedTimes {
        try NamedTimes(name: "c", zone: zone, dates: dates, windows: windows, events: [])
    }

    private func moves(_ text: String, except: [NamedTimes] = [], only: [NamedTimes] = []) throws -> Recurrence {
        try cron(text, Self.berlin).filtered(
            by: TimeFilter(except: except, only: only, whenExcluded: .next, zone: Self.berlin))
    }

    private func show(_ due: [Instant]) -> [String] {
        due.map { String($0.rfc3339(in: Self.berlin).prefix(16)).replacing("T", with: " ") }
    }

    // MARK: Found by reviews

    @Test func aNightAfterAHolidayLosesNoRun() throws {
        // Due at 23:00 of the holiday; 23:00 of the next day is in the night, which ends at 06:00 of the day after.
        let rule = try moves("0 23 24 12 *", except: [times(["2026-12-24"]), times([], ["22:00-06:00"])])
        for after in ["2026-12-23 00:00", "2026-12-24 23:30", "2026-12-25 12:00", "2026-12-25 23:30", "2026-12-26 05:59"] {
            #expect(try show(rule.due(after: instant(after, Self.berlin), limit: 1)) == ["2026-12-26 06:00"], "\(after)")
        }
    }

    @Test func anEventLongerThanAWeekLosesNoRun() throws {
        let ics = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261201T080000\nDTEND:20270301T170000\nEND:VEVENT\nEND:VCALENDAR\n"
        let move = try NamedTimes(
            name: "move", zone: nil, dates: [], windows: [],
            events: CalendarFile.events(Array(ics.utf8), zone: Self.berlin, zones: database))
        let rule = try moves("0 9 2 12 *", except: [move])
        for after in ["2026-12-02 10:00", "2026-12-31 10:00", "2027-03-01 16:59"] {
            #expect(try show(rule.due(after: instant(after, Self.berlin), limit: 1)) == ["2027-03-01 17:00"], "\(after)")
        }
    }

    @Test func manyDaysOfADenseScheduleAreMergedInFewSteps() throws {
        let year = try times((1...28).map { "2026-12-\($0 < 10 ? "0" : "")\($0)" })
        let rule = try moves("* * * * * *", except: [year])
        let noon = try instant("2026-12-29 12:00", Self.berlin)
        let clock = ContinuousClock()
        let middle = try instant("2026-12-10 00:00", Self.berlin)
        let took = clock.measure {
            #expect(show(rule.due(after: middle, limit: 2)) == ["2026-12-29 00:00", "2026-12-29 00:00"])
            for second in 0..<100 {
                let after = noon.advanced(byMilliseconds: Int64(second) * 1000)
                #expect(rule.next(after: after, origin: after) == after.advanced(byMilliseconds: 1000))
            }
        }
        #expect(took < .seconds(10))
    }

    @Test func aDueTimeThatAGapHasMovedKeepsItsTimeOfDay() throws {
        // The clock skips 02:30 on Sunday the 28th, so the due time is at 03:00.
        let rule = try moves("30 2 * * *", except: [times([], ["Sat,Sun"])])
        #expect(
            try show(rule.due(after: instant("2027-03-27 00:00", Self.berlin), limit: 3))
                == ["2027-03-29 02:30", "2027-03-30 02:30", "2027-03-31 02:30"])
        let many = try moves("0,30,45 2-3 * * *", except: [times([], ["Sat,Sun"])])
        #expect(
            try show(many.due(after: instant("2027-03-27 00:00", Self.berlin), limit: 6)).map { String($0.suffix(5)) }
                == ["02:00", "02:30", "02:45", "03:00", "03:30", "03:45"])
    }

    /// The clock skips 02:00 to 03:00 in Berlin on the 28th of March 2027, and 23:00 to 24:00 in Nuuk on the 27th. Each question there is
    /// compared with the due times that follow from questions a week before.
    @Test(arguments: 0..<24) func aGapOfTheClockChangesNoAnswer(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        func pick<T>(_ values: [T]) -> T { values[Int(random.next() % UInt64(values.count))] }
        let zone = seed % 2 == 0 ? Self.berlin : try database.zone("America/Nuuk")
        let windows = ["02:00-03:00", "23:00-24:00", "Sat,Sun", "Sun", "22:30-02:30", "02:15-02:45", "Mon-Fri 08:00-18:00", "03:00-05:00"]
        let rules = ["30 2 * * *", "15,45 2,23 * * *", "30 23 * * *", "0,30 0-3 * * *", "10 23 * * sat", "30 2 * * sun", "0 3 * * *"]
        let text = pick(rules)
        for when in TimeFilter.WhenExcluded.allCases {
            let filter = TimeFilter(
                except: [try times([], [pick(windows)])], only: seed % 3 == 0 ? [try times([], [pick(windows), pick(windows)])] : [],
                whenExcluded: when, zone: zone)
            let rule = try cron(text, zone).filtered(by: filter)
            let to = try instant("2027-04-02 00:00", zone)
            let start = try instant("2027-03-20 00:00", zone)
            guard let first = rule.next(after: start, origin: start), first < to else { continue }
            let all = rule.due(after: start, before: to)
            let end = to.advanced(byMilliseconds: -1)
            #expect(rule.count(after: start, through: end, origin: start, settled: nil, max: 10_000) == all.count)
            var at = try instant("2027-03-27 12:00", zone)
            // A question after the last due time takes long when calendars exclude all others.
            while let last = all.last, at < last {
                let got = rule.next(after: at, origin: at)
                #expect(got == all.first { $0 > at }, "seed \(seed) \(text) \(filter.words) \(when) after \(at.rfc3339(in: zone))")
                if let got { #expect(when == .next || rule.exclusion(of: got) == nil) }
                at = at.advanced(byMilliseconds: Int64(random.next() % 90) * Self.minute + 1)
            }
        }
    }

    // MARK: Beside the definition

    /// The same as the manual says it, minute by minute.
    private struct Slow {
        let zone: Zone
        private let start: Instant
        /// What excludes each minute from the start on.
        private let kinds: [Covers.Kind?]
        /// The same without whole days.
        private let isTimes: [Bool]

        init(_ filter: TimeFilter, _ zone: Zone, from start: Instant, days: Int) {
            self.zone = zone
            self.start = start
            let minutes = (0..<days * 1440).map { start.advanced(byMilliseconds: Int64($0) * minute) }
            func isIn(_ all: [NamedTimes], _ kind: Covers.Kind) -> [Bool] {
                minutes.map { minute in all.contains { $0.stretches(outer: zone).contains(minute, kind) } }
            }
            var found = [Covers.Kind.days: isIn(filter.except, .days), .times: isIn(filter.except, .times)]
            if !filter.only.isEmpty {
                let only = (isIn(filter.only, .days), isIn(filter.only, .times))
                var ending = Covers.Kind.times
                for index in minutes.indices.reversed() {
                    if only.0[index] { ending = .days } else if only.1[index] { ending = .times } else { found[ending]![index] = true }
                }
            }
            kinds = minutes.indices.map { found[.days]![$0] ? .days : found[.times]![$0] ? .times : nil }
            isTimes = found[.times]!
        }

        func moved(_ due: Instant) -> Instant {
            var at = Int((due.milliseconds - start.milliseconds) / minute)
            func time(_ index: Int) -> Int64 {
                Wall(start.advanced(byMilliseconds: Int64(index) * minute), zone).milliseconds % Civil.millisecondsPerDay
            }
            while let kind = kinds[at] {
                let time0 = time(at)
                while kind == .days ? kinds[at] == .days : isTimes[at] { at += 1 }
                if kind == .days { while time(at) != time0 { at += 1 } }
            }
            return start.advanced(byMilliseconds: Int64(at) * minute)
        }
    }

    @Test(arguments: 0..<12) func theNextDueTimeIsTheFirstThatMovesPastAnyInstant(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        func pick<T>(_ values: [T]) -> T { values[Int(random.next() % UInt64(values.count))] }
        let zones: [Zone?] = [nil, nil, try database.zone("America/New_York")]
        let windows = [["Sat,Sun"], ["22:00-06:00"], ["Mon-Fri 08:00-18:00"], ["Wed"], ["Tue 18:00-24:00"], ["Mon,Wed,Fri"]]
        let dates = [[], ["2026-11-09"], ["2026-11-09", "2026-11-10", "2026-11-13"], ["2026-11-12"]]
        let rules = ["0 9 * * *", "30 23 * * *", "0 * * * *", "0 */5 * * *", "15 7 * * mon", "0 0 * * *"]
        let except = [
            try times(pick(dates), pick(windows), zone: pick(zones)), try times(pick(dates), [], zone: pick(zones)),
        ]
        let only = seed % 3 == 0 ? [try times([], pick([["Mon-Fri"], ["06:00-23:00"], ["Tue-Thu 10:00-20:00", "Sat"]]))] : []
        let text = pick(rules)
        let rule = try moves(text, except: except, only: only)
        let filter = try #require(rule.filter)
        let (start, from, to) = try (
            instant("2026-10-28 00:00", Self.berlin), instant("2026-11-07 12:17", Self.berlin), instant("2026-11-16 00:00", Self.berlin)
        )
        let slow = Slow(filter, Self.berlin, from: start, days: 33)
        let dues = rule.filtered(by: nil).due(after: start, before: to.advanced(byMilliseconds: 7 * Civil.millisecondsPerDay))
        let all = Set(dues.map(slow.moved)).sorted()
        let counted = rule.count(after: from, through: to, origin: from, settled: nil, max: 10_000)
        #expect(counted == all.count { $0 > from && $0 <= to }, "seed \(seed) \(text) \(filter.words)")
        #expect(rule.count(after: from, through: to, origin: from, settled: nil, max: 3) == min(counted, 3))
        var at = from
        while at < to {
            let expected = all.first { $0 > at }
            let got = rule.next(after: at, origin: at)
            #expect(got == expected, "seed \(seed) \(text) \(filter.words) after \(show([at])) gives \(got.map { show([$0]) } ?? [])")
            if got != expected { return }
            at = at.advanced(byMilliseconds: Int64(random.next() % 420) * Self.minute + 1)
        }
    }
}
