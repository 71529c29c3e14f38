import struct TestSupport.SeededGenerator
import Testing

@testable import Recurrence

@Suite struct ZoneTests {
    @Test func utcNeedsNoFile() throws {
        let empty = ZoneDatabase(directories: ["/nonexistent"])
        #expect(try empty.zone("UTC") === Zone.utc)
        #expect(try empty.zone("Etc/UTC").offsetSeconds(at: Instant(milliseconds: 0)) == 0)
        #expect(Zone.utc.offset(at: Instant(milliseconds: .max)).abbreviation == "UTC")
    }

    @Test func missingDatabaseNamesThePackage() {
        let error = #expect(throws: RecurrenceError.self) {
            try ZoneDatabase(directories: ["/nonexistent"]).zone("Europe/Berlin")
        }
        #expect(error?.hint?.contains("tzdata") == true)
    }

    @Test(.tzdata) func zonesAreShared() throws {
        let copy = database
        #expect(try database.zone("Europe/Berlin") === copy.zone("Europe/Berlin"))
    }

    @Test(
        .tzdata,
        arguments: [
            ("Europe/Berln", #"did you mean "Europe/Berlin"?"#), ("europe/berlin", #"did you mean "Europe/Berlin"?"#),
            ("Berlin", #"did you mean "Europe/Berlin"?"#), ("Amercia/New_York", #"did you mean "America/New_York"?"#),
            ("Europe/Kathmandu", #"did you mean "Asia/Kathmandu"?"#),
        ])
    func unknownNamesGetTheNearest(_ name: String, _ hint: String) {
        #expect(throws: RecurrenceError("unknown time zone \(quoted(name))", hint: hint)) { try database.zone(name) }
    }

    @Test(arguments: [
        "", "..", "../etc/passwd", "/etc/localtime", "Europe/../Europe/Berlin", "Europe//Berlin", "Europe/", "./UTC",
        "zone.tab", "Europe",
        "a\0b", "tzdata.zi", "é", "Europe/Berlin ", String(repeating: "a", count: 70), "right/UTC",
    ])
    func implausibleNamesAreRefused(_ name: String) {
        #expect(throws: RecurrenceError.self) { try database.zone(name) }
    }

    @Test(.tzdata) func wallTimesResolve() throws {
        let berlin = try database.zone("Europe/Berlin")
        #expect(try berlin.resolve(wall: instant("2026-07-01T12:00Z")) == .unique(instant("2026-07-01T10:00Z")))
        #expect(try berlin.resolve(wall: instant("2026-03-29T02:30Z")) == .gap(transition: instant("2026-03-29T01:00Z")))
        #expect(try berlin.resolve(wall: instant("2026-03-29T03:00Z")) == .unique(instant("2026-03-29T01:00Z")))
        #expect(
            try berlin.resolve(wall: instant("2026-10-25T02:30:00.5Z"))
                == .repeated(first: instant("2026-10-25T00:30:00.5Z"), second: instant("2026-10-25T01:30:00.5Z")))
        #expect(
            try database.zone("Pacific/Apia").resolve(wall: instant("2011-12-30T12:00Z"))
                == .gap(transition: instant("2011-12-30T10:00Z")))
        for edge in [Int64.min, .max] { _ = berlin.resolve(wall: Instant(milliseconds: edge)) }
    }

    /// The wall time of any instant resolves to that instant.
    @Test(.tzdata, arguments: ["Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "America/Nuuk"])
    func resolvingUndoesTheOffset(_ name: String) throws {
        let zone = try database.zone(name)
        var generator = SeededGenerator(seed: 11)
        var moments = (0..<500).map { _ in Int64.random(in: 100_000..<(Civil.endSeconds - 100_000), using: &generator) }
        for range in zone.ranges.dropFirst() { moments += [-7200, -1, 0, 1, 1800, 7200].map { range.start + $0 } }
        for moment in moments {
            let instant = Instant(seconds: moment)
            let wall = Instant(seconds: moment + Int64(zone.offsetSeconds(at: instant)))
            switch zone.resolve(wall: wall) {
            case .unique(let found): #expect(found == instant)
            case .repeated(let first, let second): #expect(first == instant || second == instant)
            case .gap: Issue.record("\(wall) is shown, and not in a gap")
            }
        }
    }

    @Test(.tzdata) func dublinWinterIsDaylightSaving() throws {
        let dublin = try database.zone("Europe/Dublin")
        let winter = try dublin.offset(at: instant("2026-01-01"))
        let summer = try dublin.offset(at: instant("2100-07-01"))
        #expect(winter.seconds == 0 && winter.abbreviation == "GMT")
        #expect(summer.seconds == 3600 && summer.abbreviation == "IST")
    }
}
