@testable import Simulation
import Store
import Testing

/// Records are removed when their time is up by a clock that is credible.
@Suite struct RecordKeepingTests {
    private static let tenYears: Int64 = 3653 * 86_400_000
    private static let hour: Int64 = 3_600_000

    enum Way: CaseIterable { case whileItRuns, overARestart }

    private func move(_ world: SimulatedWorld, by milliseconds: Int64, _ way: Way) throws {
        if way == .overARestart { world.killDaemon() }
        world.setClock(byMilliseconds: milliseconds)
        if way == .overARestart { try world.startDaemon() }
        try live(world)
    }

    private func live(_ world: SimulatedWorld) throws {
        for _ in 0..<20 {
            try world.turn()
            while world.work(0) {}
        }
    }

    private func records(_ world: SimulatedWorld) throws -> Int { try world.disk.node(Layout.done).entries.count }

    /// The number of records, including those of failed runs. Some runs fail by chance.
    private func ended(_ world: SimulatedWorld) throws -> Int {
        try [Layout.done, Layout.failed].reduce(0) { try $0 + world.disk.node($1).entries.count }
    }

    @Test("Segments of the journal that exceed its limit go when the next one begins, however young they are")
    func theJournalHasALimit() throws {
        let world = SimulatedWorld()
        try world.startDaemon()
        for _ in 0..<4 { try world.rotate() }
        let segments = try world.disk.node(Layout.journal).entries.count
        #expect(segments > 3)
        world.configuration.journalMaxBytes = 0
        try world.rotate()
        #expect(try world.disk.node(Layout.journal).entries.count == 1)
        world.killDaemon()
        try world.startDaemon()
        try live(world)
    }

    /// The time that records stay, and the time that the daemon has served when the job ends.
    static let stays: [(keep: Int64, servedFor: Int64)] = [
        (hour, 0), (hour, 5 * hour), (60_000, 30 * hour), (30 * hour, 0), (30 * hour, 23 * hour),
    ]

    @Test(
        "A record goes when its configured stay ends, not a day later, over a restart too; the daemon sleeps until then", arguments: stays,
        Way.allCases)
    func aStay(_ row: (keep: Int64, servedFor: Int64), _ way: Way) throws {
        let world = SimulatedWorld()
        world.configuration.keepMilliseconds = row.keep
        try world.startDaemon()
        // Time passes as the daemon sees it: from one of its wakes to the next.
        func go(to instant: Instant) throws {
            try live(world)
            func left() -> Int64 { instant.milliseconds - world.now.milliseconds }
            while let next = world.millisecondsToWake, next <= left() {
                world.pass(milliseconds: next)
                try live(world)
            }
            world.pass(milliseconds: left())
        }
        try go(to: world.now.advanced(byMilliseconds: row.servedFor))
        try world.disk.write("\(Layout.new)/one.toml", Array("command = ':'".utf8))
        try world.disk.write("\(Layout.new)/two.toml", Array("command = ':'\nkeep = '40h'".utf8))
        try live(world)
        try #require(try ended(world) == 2)
        let end = world.now
        if way == .overARestart {
            world.killDaemon()
            try world.startDaemon()
        }
        try go(to: end.advanced(byMilliseconds: row.keep - 1))
        #expect(try ended(world) == 2, "it stays that long")
        try go(to: end.advanced(byMilliseconds: row.keep + 1000))
        #expect(try ended(world) == 1, "and no longer")
        try go(to: end.advanced(byMilliseconds: 40 * Self.hour + 1000))
        #expect(try ended(world) == 0, "nor does one that says so itself")
    }

    @Test("A changed configured stay also counts for existing records")
    func aChangedStay() throws {
        let world = SimulatedWorld()
        try world.startDaemon()
        for index in 0..<100 { try world.disk.write("\(Layout.new)/j\(index).toml", Array("command = ':'".utf8)) }
        for _ in 0..<20 { try live(world) }
        try #require(try ended(world) == 100)
        world.configuration.keepMilliseconds = 2 * Self.hour
        try live(world)
        world.configuration.keepMilliseconds = 3 * Self.hour
        try live(world)
        world.pass(milliseconds: 2 * Self.hour + 1000)
        try live(world)
        #expect(try ended(world) == 100)
        world.configuration.keepMilliseconds = Self.hour
        for _ in 0..<20 { try live(world) }
        #expect(try ended(world) == 0)
    }

    @Test(
        "Attacks 54, 59: a clock that jumps ahead by years and is corrected within the hour costs no record; if it stays, they go",
        arguments: Way.allCases)
    func aJump(_ way: Way) throws {
        let world = SimulatedWorld()
        try world.startDaemon()
        try world.disk.write("\(Layout.new)/one.toml", Array("command = ':'".utf8))
        // The daemon remembers records whose stay ends within a day, and does not scan for them.
        try world.disk.write("\(Layout.new)/two.toml", Array("command = ':'\nkeep = '2h'".utf8))
        try live(world)
        try #require(try records(world) == 2)
        try move(world, by: Self.tenYears, way)
        #expect(try records(world) == 2, "ahead")
        try move(world, by: -Self.tenYears, way)
        #expect(try records(world) == 2, "corrected")
        try move(world, by: 3 * Self.hour, way)
        #expect(try records(world) == 1, "three hours later")
        try move(world, by: Self.tenYears, way)
        #expect(try records(world) == 1, "ahead again")
        let segments = try world.disk.node(Layout.journal).entries.count
        try world.rotate()
        #expect(try world.disk.node(Layout.journal).entries.count == segments + 1, "the journal is as long as the records")
        world.pass(milliseconds: Self.hour - 1)
        try live(world)
        #expect(try records(world) == 1, "within the hour")
        #expect(world.millisecondsToWake.map { $0 > 0 } ?? false, "it sleeps until then")
        world.pass(milliseconds: 1)
        try live(world)
        #expect(try records(world) == 0)
    }
}
