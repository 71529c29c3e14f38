import func TestSupport.readFile
import struct TestSupport.SeededGenerator
import Testing

@testable import Recurrence

@Suite struct TimeZoneFileTests {
    // MARK: Rules

    @Test(arguments: [
        // POSIX.1, RFC 8536 §3.3.1 and zones in use: the rule, the year, and the start and end in UTC.
        ("CET-1CEST,M3.5.0,M10.5.0/3", 2026, "2026-03-29T01:00:00.000Z", "2026-10-25T01:00:00.000Z"),
        ("EST5EDT,M3.2.0,M11.1.0", 2026, "2026-03-08T07:00:00.000Z", "2026-11-01T06:00:00.000Z"),
        ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 2026, "2026-10-03T15:30:00.000Z", "2026-04-04T15:00:00.000Z"),
        ("<-04>4<-03>,M9.1.6/24,M4.1.6/24", 2026, "2026-09-06T04:00:00.000Z", "2026-04-05T03:00:00.000Z"),
        ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 2026, "2026-03-29T01:00:00.000Z", "2026-10-25T01:00:00.000Z"),
        ("IST-2IDT,M3.4.4/26,M10.5.0", 2026, "2026-03-27T00:00:00.000Z", "2026-10-24T23:00:00.000Z"),
        ("AAA0BBB,J60,J61/0:30:15", 2028, "2028-03-01T02:00:00.000Z", "2028-03-01T23:30:15.000Z"),
        ("AAA0BBB,59,60/167", 2028, "2028-02-29T02:00:00.000Z", "2028-03-07T22:00:00.000Z"),
    ])
    func rules(_ text: String, _ year: Int, _ start: String, _ end: String) throws {
        let rule = try #require(PosixRule(text.utf8))
        let changes = try #require(rule.changes(in: year))
        #expect(Instant(seconds: changes.start).rfc3339 == start)
        #expect(Instant(seconds: changes.end).rfc3339 == end)
    }

    @Test(arguments: [
        "", "CET", "CE-1", "CET-25", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J1", "CET-1CEST,366,1", "CET-1CEST,M3.5.0/168,M10.5.0", "<CET-1",
        "CET-1CEST,M3.5.0,M10.5.0x",
        "CET-1:60", "CET--1",
    ])
    func malformedRules(_ text: String) {
        #expect(PosixRule(text.utf8) == nil)
    }

    /// RFC 8536 §3.3.1: daylight saving all year is a rule without a gap.
    @Test func daylightSavingAllYear() throws {
        let file = TimeZoneFile(rule: try #require(PosixRule("EST5EDT,0/0,J365/25".utf8)))
        let zone = Zone(name: "EDT", ranges: file.ranges, abbreviations: file.abbreviations)
        for year in [1970, 2027, 2028, 2100, 2199] {
            for day in ["01-01", "01-02", "07-01", "12-31"] {
                #expect(try zone.offset(at: instant("\(year)-\(day)T12:00:00Z", .utc)).seconds == -14_400)
            }
        }
    }

    // MARK: Files

    private static func big(_ value: Int64, _ count: Int) -> [UInt8] {
        (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> Int64($0 * 8)) }
    }

    /// A file as zic(8) would write it.
    private static func file(
        version: Character, transitions: [(Int64, UInt8)], types: [(Int32, Bool, UInt8)], names: String, footer: String? = nil,
        leaps: Int = 0
    ) -> [UInt8] {
        func block(_ timeBytes: Int) -> [UInt8] {
            var bytes = Array("TZif\(version == "1" ? "\0" : version)".utf8) + [UInt8](repeating: 0, count: 15)
            for count in [0, 0, leaps, transitions.count, types.count, names.utf8.count] { bytes += big(Int64(count), 4) }
            for (time, _) in transitions { bytes += big(time, timeBytes) }
            bytes += transitions.map(\.1)
            for type in types { bytes += big(Int64(type.0), 4) + [type.1 ? 1 : 0, type.2] }
            bytes += Array(names.utf8)
            bytes += [UInt8](repeating: 0, count: leaps * (timeBytes + 4))
            return bytes
        }
        return block(4) + (version == "1" ? [] : block(8)) + (footer.map { Array("\n\($0)\n".utf8) } ?? [])
    }

    @Test func versionOneHasNoFooter() throws {
        let bytes = Self.file(
            version: "1", transitions: [(1_000_000, 1)], types: [(0, false, 0), (3600, true, 2)], names: "A\0B\0")
        let file = try TimeZoneFile(bytes)
        #expect(file.ranges.map(\.offset) == [0, 3600])
        #expect(file.abbreviations == ["A", "B"])
        #expect(file.ranges[1].start == 1_000_000)
    }

    @Test(arguments: ["2", "3", "4"] as [Character]) func laterVersionsFollowTheirFooter(_ version: Character) throws {
        let bytes = Self.file(
            version: version, transitions: [(-5_000_000_000, 0), (1_000_000_000, 1)],
            types: [(3600, false, 0), (7200, true, 4)],
            names: "CET\0CEST\0", footer: "CET-1CEST,M3.5.0,M10.5.0/3")
        let file = try TimeZoneFile(bytes)
        let zone = Zone(name: "x", ranges: file.ranges, abbreviations: file.abbreviations)
        #expect(
            try zone.offset(at: instant("2199-07-01", .utc)) == Zone.Offset(seconds: 7200, isDaylight: true, abbreviation: "CEST"))
        #expect(
            try zone.offset(at: instant("2199-12-01", .utc)) == Zone.Offset(seconds: 3600, isDaylight: false, abbreviation: "CET"))
        #expect(file.ranges.count > 390)
    }

    @Test("Attack 60: malformed files are refused, and those that count leap seconds") func malformedFilesAreRefused() {
        let types: [(Int32, Bool, UInt8)] = [(0, false, 0)]
        let refused: [(String, [UInt8])] = [
            ("empty", []), ("text", Array("Europe/Berlin\n".utf8)),
            ("no types", Self.file(version: "2", transitions: [], types: [], names: "A\0", footer: "")),
            ("leap seconds", Self.file(version: "2", transitions: [], types: types, names: "A\0", footer: "", leaps: 1)),
            ("unknown type", Self.file(version: "2", transitions: [(5, 1)], types: types, names: "A\0", footer: "")),
            ("out of order", Self.file(version: "2", transitions: [(5, 0), (5, 0)], types: types, names: "A\0", footer: "")),
            ("27 hours", Self.file(version: "2", transitions: [], types: [(97_200, false, 0)], names: "A\0", footer: "")),
            ("no such name", Self.file(version: "2", transitions: [], types: [(0, false, 2)], names: "A\0", footer: "")),
            ("bad footer", Self.file(version: "2", transitions: [], types: types, names: "A\0", footer: "nonsense")),
            ("no footer", Self.file(version: "2", transitions: [], types: types, names: "A\0")),
            ("too long", [UInt8](repeating: 0, count: TimeZoneFile.longestFile + 1)),
        ]
        for (what, bytes) in refused {
            #expect(throws: TimeZoneFile.Malformed.self, "\(what)") { try TimeZoneFile(bytes) }
        }
    }

    @Test(.tzdata) func everyTruncationIsRefused() throws {
        let whole = try #require(readFile("/usr/share/zoneinfo/Europe/Berlin"))
        #expect(throws: Never.self) { try TimeZoneFile(whole) }
        for length in 0..<whole.count {
            #expect(throws: TimeZoneFile.Malformed.self) { try TimeZoneFile(Array(whole.prefix(length))) }
        }
    }

    /// Damaged and random bytes are refused, or read as a zone that can be used. They never trap.
    @Test(.tzdata) func damagedFilesNeverTrap() throws {
        var generator = SeededGenerator(seed: 8536)
        let whole = try #require(readFile("/usr/share/zoneinfo/America/Santiago"))
        let small = Self.file(
            version: "2", transitions: [(1_000_000, 1)], types: [(0, false, 0), (3600, true, 2)], names: "A\0B\0",
            footer: "AAA0BBB,M3.5.0,M10.5.0")
        for round in 0..<3000 {
            var bytes: [UInt8]
            switch round % 10 {
            case 0:
                bytes = (0..<Int.random(in: 0...300, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator)
                }
            case 1: bytes = whole
            default: bytes = small
            }
            for _ in 0..<Int.random(in: 1...6, using: &generator) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            guard let file = try? TimeZoneFile(bytes) else { continue }
            let zone = Zone(name: "damaged", ranges: file.ranges, abbreviations: file.abbreviations)
            let start = Instant(seconds: Int64.random(in: 0..<Civil.endSeconds, using: &generator))
            for text in ["30 2 * * *", "*/5 * * * *"] {
                if let due = try cron(text, zone).next(after: start, origin: start) { #expect(due > start) }
            }
            _ = zone.resolve(wall: start)
            _ = zone.offset(at: start)
        }
    }
}
