import Foundation
import TestSupport
import Testing

@testable import Scheduler

/// Time zones that change while the daemon runs.
@Suite struct ZoneChangeTests {
    /// A database with one zone, `Test/Zone`, whose offset from UTC a test can set.
    final class Database {
        private let directory = FileManager.default.temporaryDirectory.appendingPathComponent("zones-\(UUID().uuidString)")
        let zones: ZoneDatabase

        init(hours: Double) throws {
            try FileManager.default.createDirectory(at: directory.appendingPathComponent("Test"), withIntermediateDirectories: true)
            zones = ZoneDatabase(directories: [directory.path])
            try write(hours)
        }

        deinit { try? FileManager.default.removeItem(at: directory) }  // litter in the temporary directory

        private func write(_ hours: Double) throws {
            // RFC 8536: version 1, one local time type, no transitions.
            func big(_ value: Int32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
            var bytes = Array("TZif".utf8) + [UInt8](repeating: 0, count: 16)
            for count: Int32 in [0, 0, 0, 0, 1, 4] { bytes += big(count) }
            bytes += big(Int32(hours * 3600)) + [0, 0] + Array("TST\0".utf8)
            try Data(bytes).write(to: directory.appendingPathComponent("Test/Zone"))
        }

        /// Sets the offset and returns what has changed.
        func set(hours: Double) throws -> Event {
            try write(hours)
            return .zonesChanged(zones.reload().changes)
        }
    }

    func world(_ schedule: String, hours: Double, at time: String = "02:00") throws -> (World, Database) {
        let database = try Database(hours: hours)
        let world = World(at: time, zones: database.zones)
        world.task("t", "overlap = \"allow\"\n[[schedule]]\ntimezone = \"Test/Zone\"\n\(schedule)")
        world.lines()
        return (world, database)
    }

    func accepted(_ said: [String]) -> [String] {
        said.filter { $0.contains("accepted") }.map { String($0.split(separator: " ").last ?? "") }
    }

    @Test func aLineOfACrontabStaysOne() throws {
        let (world, database) = try world("cron = \"0 9 * * *\"", hours: 1)
        var line = try #require(world.scheduler.tasks["t"]?.definition)
        line.crontab = "/etc/crontab"
        world.handle(.task(line, since: at("02:00")))
        world.handle(try database.set(hours: 3))
        #expect(world.scheduler.tasks["t"]?.crontab == "/etc/crontab")
        #expect(world.scheduler.nextDue()?.instant == at("06:00"))
    }

    @Test func whatIsYetToComeComesByTheNewRules() throws {
        for schedule in ["cron = \"0 9 * * *\"", "pattern = \"**.09.00.00\"", "at = \"2026-11-21 09:00\""] {
            let (world, database) = try world(schedule, hours: 1)
            #expect(world.scheduler.nextDue()?.instant == at("08:00"))
            world.handle(try database.set(hours: 3))
            world.lines()
            #expect(world.scheduler.nextDue()?.instant == at("06:00"), "\(schedule)")
            world.handle(try database.set(hours: -2))
            #expect(accepted(world.until("20:00", endingRuns: true)) == ["11:00:00"], "\(schedule)")
        }
    }

    @Test func anUnchangedZoneAndWhatReadsNoneAreLeftAlone() throws {
        let (world, database) = try world("cron = \"0 9 * * *\"", hours: 1)
        world.task("u", "[[schedule]]\nevery = \"5m\"")
        world.lines()
        guard case .zonesChanged(let none, _) = try database.set(hours: 1) else { return }
        #expect(none.isEmpty)
        world.handle(try database.set(hours: 2))
        #expect(world.lines() == [])
        #expect(world.scheduler.nextDue()?.task == "u")
    }

    /// The calendar leaves nothing of this out, and changes nothing of it.
    @Test(arguments: ["skip", "next"]) func aScheduleWithACalendarNeitherLosesNorRepeats(mode: String) throws {
        for (now, hours, due) in [("07:30", 3.0, ["06:00:00"]), ("08:30", 0.0, [])] {
            let database = try Database(hours: 1)
            let world = World(at: "02:00", zones: database.zones)
            world.configure(["c": ["2026-12-30"]])
            world.task(
                "t",
                "overlap = \"allow\"\n[[schedule]]\ntimezone = \"Test/Zone\"\ncron = \"0 9 * * *\"\nexcept = \"c\"\n"
                    + "when_excluded = \"\(mode)\"")
            world.lines()
            world.until(now, endingRuns: true)
            world.handle(try database.set(hours: hours))
            #expect(accepted(world.until("20:00", endingRuns: true)) == due)
        }
    }

    /// A wall time that has passed does not occur again, even if its instant has moved into the future.
    @Test(
        arguments: [
            "cron = \"0 9 * * *\"", "pattern = \"**.09.00.00\"", "at = \"2026-11-21 09:00\"", "at = \"2026-11-21 09:00\"\nid = \"s\"",
        ]
    )
    func whatHasBeenDoesNotComeAgain(schedule: String) throws {
        let (world, database) = try world(schedule, hours: 1)
        #expect(accepted(world.until("08:30", endingRuns: true)) == ["08:00:00"])
        world.handle(try database.set(hours: 0))
        #expect(accepted(world.until("20:00", endingRuns: true)) == [])
        let next = world.restarted(at: "20:00")
        #expect(accepted(next.lines()) == [])
        world.handle(try database.set(hours: 1))
        #expect(accepted(world.until("22:00", endingRuns: true)) == [])
        #expect(world.scheduler.nextDue()?.instant == (schedule.hasPrefix("at") ? nil : at("2026-11-22T08:00:00.000Z")))
    }

    /// A due time of long ago does not occur again either, if the new rules move it past the accounted time.
    @Test func whatHasBeenLongAgoDoesNotComeAgain() throws {
        let (world, database) = try world("cron = \"0 9 21 * *\"", hours: 1)
        world.until("08:00", endingRuns: true)
        world.until("2026-12-10T00:00:00.000Z")
        world.handle(try database.set(hours: -5))
        #expect(accepted(world.until("2026-12-21T20:00:00.000Z", endingRuns: true)) == ["2026-12-21T14:00:00"])
    }

    /// A due time that should have passed by the new rules is late, and is handled like a missed one.
    @Test(arguments: [
        ("cron = \"0 9 * * *\"", ["06:00:00"]), ("pattern = \"**.09.00.00\"", ["06:00:00"]), ("at = \"2026-11-21 09:00\"", ["06:00:00"]),
        ("at = \"2026-11-21 09:00\"\nid = \"s\"", ["06:00:00"]), ("cron = \"0 9 * * *\"\ncatch_up = \"none\"", []),
    ])
    func whatShouldHaveComeComesLate(schedule: String, due: [String]) throws {
        let (world, database) = try world(schedule, hours: 1)
        world.until("07:30")
        world.handle(try database.set(hours: 3))
        #expect(accepted(world.lines()) == due)
        #expect(accepted(world.until("20:00", endingRuns: true)) == [])
    }

    /// A wildcard schedule continues from now. Instants that the new rules would have had before are not caught up.
    @Test func aWildcardScheduleGoesOn() throws {
        let (world, database) = try world("cron = \"0 * * * *\"", hours: 1)
        world.until("04:45", endingRuns: true)
        world.handle(try database.set(hours: 1.5))
        #expect(accepted(world.until("06:45", endingRuns: true)) == ["05:30:00", "06:30:00"])
    }

    @Test func whatIsDueJustThenIsDue() throws {
        let (world, database) = try world("cron = \"0 * * * *\"", hours: 1)
        world.until("02:59")
        world.now = at("03:00:00.010")
        world.handle(try database.set(hours: 1.5))
        #expect(accepted(world.lines()) == ["03:00:00"])
    }

    @Test func schedulesInFilesOfTheirOwnAndTheConfiguredZone() throws {
        let database = try Database(hours: 1)
        let world = World(zones: database.zones)
        world.scheduler.settings.zone = try database.zones.zone("Test/Zone")
        world.handle(.limits(SchedulerLimits(slots: 2)))
        world.task("u", "")
        world.schedule("f", of: "u", "cron = \"0 9 * * *\"\ntimezone = \"Test/Zone\"")
        world.lines()
        let change = try database.set(hours: 3)
        world.scheduler.settings.zone = try database.zones.zone("Test/Zone")
        world.handle(change)
        world.lines()
        #expect(world.scheduler.nextDue()?.instant == at("06:00"))
        #expect(accepted(world.until("07:00", endingRuns: true)) == ["06:00:00"])
    }

    @Test func aProgramsAnswerStays() throws {
        let (world, database) = try world("pattern = \"ext:k:\"", hours: 1)
        world.answer("09:00")
        world.lines()
        world.handle(try database.set(hours: 3))
        #expect(world.lines() == [] && world.questions.isEmpty)
        #expect(world.scheduler.nextDue()?.instant == at("09:00"))
    }

    @Test func theDefinitionThatWasAcceptedLastIsTheOneThatIsReadAgain() throws {
        let (world, database) = try world("cron = \"0 9 * * *\"", hours: 1)
        world.handle(.taskUnusable("t"))
        world.handle(try database.set(hours: 2))
        world.lines()
        #expect(world.scheduler.nextDue()?.instant == at("07:00"))
    }
}
