import Glibc
import struct TestSupport.SeededGenerator
import Testing

@testable import Recurrence

/// `next` is compared with a walk through every minute of a year by the C library's clock, and all zones with the C library's
/// offsets. The tests are serialized, because the C library has one zone for the whole process.
@Suite(.serialized) struct ReferenceTests {
    /// A simple independent matcher: numbers, lists, ranges, steps, stars.
    struct Matcher {
        var minute, hour, day, month, weekday: UInt64
        var either: Bool
        var isWildcard: Bool

        init(_ text: String) {
            let words = text.split(separator: " ").map(String.init)
            func set(_ word: String, _ low: Int, _ high: Int) -> UInt64 {
                var set: UInt64 = 0
                for item in word.split(separator: ",") {
                    let parts = item.split(separator: "/")
                    let ends = parts[0] == "*" ? [low, high] : parts[0].split(separator: "-").map { Int($0)! }
                    for value in stride(from: ends[0], through: ends.last!, by: parts.count > 1 ? Int(parts[1])! : 1) {
                        set |= 1 << UInt64(value)
                    }
                }
                return set
            }
            minute = set(words[0], 0, 59)
            hour = set(words[1], 0, 23)
            day = set(words[2], 1, 31)
            month = set(words[3], 1, 12)
            weekday = set(words[4], 0, 7)
            if weekday & 0x80 != 0 { weekday |= 1 }
            either = !words[2].hasPrefix("*") && !words[4].hasPrefix("*")
            isWildcard = words[0].hasPrefix("*") || words[1].hasPrefix("*")
        }

        /// `wall` is in minutes of the wall clock since 1970.
        func matches(wall: Int) -> Bool {
            if minute & 1 << UInt64(wall % 60) == 0 || hour & 1 << UInt64(wall / 60 % 24) == 0 { return false }
            var seconds = time_t(wall * 60)
            var parts = tm()
            gmtime_r(&seconds, &parts)
            if month & 1 << UInt64(parts.tm_mon + 1) == 0 { return false }
            let byDay = day & 1 << UInt64(parts.tm_mday) != 0
            let byWeekday = weekday & 1 << UInt64(parts.tm_wday) != 0
            return either ? byDay || byWeekday : byDay && byWeekday
        }
    }

    static let expressions = [
        "30 2 * * *", "0 0 * * *", "15,45 1-3 * * *", "0 */2 * * *", "7-59/13 * * * *", "*/17 3 * * *", "0 12 * * 1-5",
        "5 0 13 * 5", "59 23 */2 * 1", "0 0-23 28-31 2,12 *", "0 3 1-7 * 7", "20 4 29 2 *",
    ]

    /// Zones in a year with an unusual change: half an hour of daylight saving, a suspension for Ramadan, negative daylight
    /// saving, a skipped day, a change of a quarter of an hour, a change at midnight, two hours.
    static let years = [
        ("Australia/Lord_Howe", 2026), ("Africa/Casablanca", 2026), ("Europe/Dublin", 2026), ("Pacific/Apia", 2011),
        ("Asia/Kathmandu", 1986), ("America/Santiago", 2026), ("Antarctica/Troll", 2026), ("Europe/Berlin", 2150),
    ]

    @Test(.tzdata, arguments: years)
    func everyMinuteOfAYear(_ name: String, _ year: Int) throws {
        let zone = try database.zone(name)
        let start = Int(Civil.days(year: year, month: 1, day: 1)) * 1440
        let end = Int(Civil.days(year: year + 1, month: 1, day: 1)) * 1440
        let matchers = Self.expressions.map(Matcher.init)
        var expected = [[Int]](repeating: [], count: matchers.count)

        // In all of these zones the offset changes at a quarter of an hour.
        let offsets = Self.withClock(of: name) { clock in
            stride(from: start - 15, to: end, by: 15).map { clock($0 * 60) / 60 }
        }
        // Most minutes match no expression. The candidates of each minute are computed first, which keeps the walk fast in debug
        // builds.
        let candidates: [[Int]] = (0..<1440).map { time in
            let minute: UInt64 = 1 << UInt64(time % 60)
            let hour: UInt64 = 1 << UInt64(time / 60)
            return matchers.indices.filter { matchers[$0].minute & minute != 0 && matchers[$0].hour & hour != 0 }
        }
        var latest = start - 1 + offsets[0]
        for minute in start..<end {
            let wall = minute + offsets[(minute - start) / 15 + 1]
            for number in candidates[wall % 1440] where matchers[number].isWildcard || wall > latest {
                if matchers[number].matches(wall: wall) { expected[number].append(minute) }
            }
            if wall > latest + 1, wall - latest - 1 <= 180 {
                for (number, matcher) in matchers.enumerated() where !matcher.isWildcard {
                    guard ((latest + 1)..<wall).contains(where: matcher.matches), expected[number].last != minute else {
                        continue
                    }
                    expected[number].append(minute)
                }
            }
            latest = max(latest, wall)
        }
        for (expression, minutes) in zip(Self.expressions, expected) {
            let recurrence = try cron(expression, zone)
            let due = recurrence.due(
                after: Instant(seconds: Int64(start * 60 - 1)), before: Instant(seconds: Int64(end * 60)), limit: .max)
            let found = due.map { Int($0.milliseconds / 60_000) }
            #expect(found == minutes, "\(expression)")
        }
    }

    /// Tests every zone at random instants and around its own changes.
    @Test(.tzdata)
    func offsetsAreThoseOfTheCLibrary() throws {
        var generator = SeededGenerator(seed: 20_261_121)
        let names = ZoneFiles.zoneNames(in: "/usr/share/zoneinfo").sorted()
        #expect(names.count > 300)
        for name in names where name != "Factory" {
            let zone = try database.zone(name)
            var moments = (0..<40).map { _ in Int.random(in: 0..<Int(Civil.endSeconds), using: &generator) }
            for range in zone.ranges.dropFirst().suffix(3) + zone.ranges.dropFirst().prefix(20) {
                moments += [Int(range.start) - 1, Int(range.start)]
            }
            let wanted = Self.withClock(of: name) { clock in moments.map(clock) }
            for (moment, offset) in zip(moments, wanted) {
                let found = zone.offsetSeconds(at: Instant(seconds: Int64(moment)))
                #expect(found == offset, "\(name) at \(moment)")
            }
        }
    }

    /// tzset(3): `local` is the zone that TZ names.
    @Test(
        .tzdata,
        arguments: [
            ("Europe/Berlin", "Europe/Berlin", 3600), (":America/New_York", "America/New_York", -18_000), ("", "UTC", 0),
            ("/usr/share/zoneinfo/Asia/Kathmandu", "Asia/Kathmandu", 20_700), ("UTC", "UTC", 0),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "CET-1CEST,M3.5.0,M10.5.0/3", 3600),
        ])
    func localFollowsTZ(_ setting: String, _ name: String, _ winterOffset: Int) throws {
        setenv("TZ", setting, 1)
        defer { unsetenv("TZ") }
        let zone = try ZoneDatabase().zone("local")
        #expect(zone.name == name)
        #expect(zone.offsetSeconds(at: try instant("2026-01-15T00:00:00Z")) == winterOffset)
    }

    @Test func localWithAnImpossibleTZIsRefused() {
        setenv("TZ", "Nowhere/At all", 1)
        defer { unsetenv("TZ") }
        #expect(throws: RecurrenceError.self) { try ZoneDatabase().zone("local") }
    }

    /// Calls `body` with a function that returns the C library's offset at an instant. Both are in seconds.
    private static func withClock<T>(of zone: String, _ body: ((Int) -> Int) -> T) -> T {
        setenv("TZ", ":" + zone, 1)
        tzset()
        defer {
            unsetenv("TZ")
            tzset()
        }
        return body { moment in
            var seconds = time_t(moment)
            var parts = tm()
            localtime_r(&seconds, &parts)
            return parts.tm_gmtoff
        }
    }
}
