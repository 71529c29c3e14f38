import Documents
import Glibc
import Linux
import Testing

/// The time-zone database changes while spoold runs.
@Suite("Time zones that change", .ownThreads)
struct ZoneTests {
    /// A time-zone file of one offset, RFC 8536: version 1, one local time type, no transitions.
    static func file(hours: Int) -> [UInt8] {
        func big(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
        var bytes = Array("TZif".utf8) + [UInt8](repeating: 0, count: 16)
        for count in [0, 0, 0, 0, 1, 4] { bytes += big(count) }
        return bytes + big(hours * 3600) + [0, 0] + Array("TST\0".utf8)
    }

    static func write(_ path: String, hours: Int) throws {
        let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
        try file.write(Self.file(hours: hours))
    }

    /// Replaces the file by rename.
    static func replace(_ path: String, hours: Int) throws {
        try write("\(path).new", hours: hours)
        try Files.rename("\(path).new", path)
    }

    /// The hour at which the task is due: none that comes during the test in any of the zones, which are 2 hours behind UTC to 7 ahead.
    let hour = Int(Clock.now() / 3_600_000 + 13) % 24

    /// A spool whose daemon reads `zoneinfo/Test/Zone`, which is an hour ahead of UTC, and a task that is due once a day in that zone.
    func spool(zone: String, environment: [String] = []) throws -> SpoolUnderTest {
        let spool = try SpoolUnderTest(starting: false)
        try Files.makeDirectory("\(spool.base)/zoneinfo")
        try Files.makeDirectory("\(spool.base)/zoneinfo/Test")
        try Self.write("\(spool.base)/zoneinfo/Test/Zone", hours: 1)
        try Files.symlink("zoneinfo/Test/Zone", "\(spool.base)/localtime")
        try spool.task("t", "command = [\"true\"]\n[[schedule]]\ncron = \"0 \(hour) * * *\"\ntimezone = \"\(zone)\"")
        try spool.start(environment: ["TZDIR=\(spool.base)/zoneinfo", "TZ=:\(spool.base)/localtime"])
        try due(spool, ahead: 1)
        return spool
    }

    /// Waits until the task is next due at its hour of some day in a zone that is so many hours ahead of UTC.
    func due(_ spool: SpoolUnderTest, ahead hours: Int) throws {
        let utc = (hour - hours + 24) % 24
        let time = "T\(utc < 10 ? "0" : "")\(utc):00:00.000Z"
        try spool.wait(for: "the next due time to be \(time)") {
            guard case .string(let next)? = try spool.daemonStatus()?["next_due"]?.kind else { return false }
            return next.hasSuffix(time)
        }
    }

    func count(_ spool: SpoolUnderTest, _ event: String) -> Int { spool.log.split(separator: "\n").filter { $0.contains(event) }.count }

    static let ways = ["rename", "in place", "removed and written", "a directory", "the whole database", "a link", "a link's target"]

    @Test("Attack 58: a zone's file that changes in any way is read again and reported once; due times are computed anew", arguments: ways)
    func changes(_ way: String) throws {
        let spool = try spool(zone: "Test/Zone")
        let database = "\(spool.base)/zoneinfo"
        switch way {
        case "rename": try Self.replace("\(database)/Test/Zone", hours: 3)
        case "in place": try Self.write("\(database)/Test/Zone", hours: 3)
        case "removed and written":
            try Files.remove("\(database)/Test/Zone")
            try spool.logLine("event=refused", "file=\"time zone Test/Zone\"", "in_force=\"the time zone as it was read before\"")
            try Self.write("\(database)/Test/Zone", hours: 3)
        case "a directory":
            try Files.makeDirectory("\(database)/New")
            try Self.write("\(database)/New/Zone", hours: 3)
            try Files.rename("\(database)/Test", "\(database)/Old")
            try Files.rename("\(database)/New", "\(database)/Test")
        case "the whole database":
            try Files.makeDirectory("\(spool.base)/new")
            try Files.makeDirectory("\(spool.base)/new/Test")
            try Self.write("\(spool.base)/new/Test/Zone", hours: 3)
            try Files.rename(database, "\(spool.base)/old")
            try Files.rename("\(spool.base)/new", database)
        case "a link":
            try Self.write("\(database)/Other", hours: 3)
            try Files.symlink("../Other", "\(database)/Test/Zone.new")
            try Files.rename("\(database)/Test/Zone.new", "\(database)/Test/Zone")
        default:
            // A link to the same content changes nothing. A change of its target does.
            try Self.write("\(database)/Other", hours: 1)
            try Files.symlink("../Other", "\(database)/Test/Zone.new")
            try Files.rename("\(database)/Test/Zone.new", "\(database)/Test/Zone")
            #expect(try spool.runsOn() && count(spool, "event=zones-changed") == 0)
            try Self.replace("\(database)/Other", hours: 3)
        }
        try spool.logLine("event=zones-changed", "zones=Test/Zone")
        try due(spool, ahead: 3)
        #expect(count(spool, "event=zones-changed") == 1)
        // The daemon watches the file at its new place.
        try Self.replace("\(database)/Test/Zone", hours: -2)
        try due(spool, ahead: -2)
        #expect(try spool.ended("t").isEmpty && TaskTests.problems(spool).isEmpty)
    }

    @Test("When the link that names the machine's zone is replaced, the new zone counts")
    func local() throws {
        let spool = try spool(zone: "local")
        try Self.write("\(spool.base)/zoneinfo/Test/Other", hours: 3)
        try Files.symlink("zoneinfo/Test/Other", "\(spool.base)/localtime.new")
        try Files.rename("\(spool.base)/localtime.new", "\(spool.base)/localtime")
        try spool.logLine("event=zones-changed")
        try due(spool, ahead: 3)
        // The machine's zone as the configured zone is watched, too.
        try Files.write(spool.configuration, "timezone = \"local\"")
        try spool.logLine("event=configured")
        try spool.acceptedTask("t", "command = [\"true\"]\n[[schedule]]\ncron = \"0 \(hour) * * *\"")
        try Self.replace("\(spool.base)/zoneinfo/Test/Other", hours: 5)
        try due(spool, ahead: 5)
    }

    @Test("A damaged zone file is reported once and changes nothing; other files in the database are ignored")
    func damaged() throws {
        let spool = try spool(zone: "Test/Zone")
        try Files.write("\(spool.base)/zoneinfo/Test/Zone.new", "TZif")
        try Files.rename("\(spool.base)/zoneinfo/Test/Zone.new", "\(spool.base)/zoneinfo/Test/Zone")
        try spool.logLine("event=refused", "is truncated")
        try Self.replace("\(spool.base)/zoneinfo/Test/Another", hours: 7)
        #expect(try spool.runsOn())
        try spool.wait(for: "the problem in status.json") { try TaskTests.problems(spool).count == 1 }
        try due(spool, ahead: 1)
        try Self.replace("\(spool.base)/zoneinfo/Test/Zone", hours: 1)
        try spool.wait(for: "the problem to be gone") { try TaskTests.problems(spool).isEmpty }
        #expect(count(spool, "event=refused") == 1 && count(spool, "event=zones-changed") == 0)
    }
}
