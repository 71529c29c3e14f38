@testable import Simulation
import Store
import Testing

/// Records go when their time is up by a clock that can be believed.
@Suite struct RecordKeeping {
    private static let tenYears: Int64 = 3653 * 86_400_000
    private static let hour: Int64 = 3_600_000

    enum Way: CaseIterable { case whileItRuns, overARestart }

    private func move(_ world: SimulatedWorld, by milliseconds: Int64, _ way: Way) throws {
        if way == .overARestart { world.killDaemon() }
        world.now = world.now.advanced(byMilliseconds: milliseconds)
        if way == .overARestart { try world.startDaemon() } else { world.service?.clockWasSet() }
        try live(world)
    }

    private func live(_ world: SimulatedWorld) throws {
        for _ in 0..<20 {
            try world.turn()
            while world.work(0) {}
        }
    }

    private func records(_ world: SimulatedWorld) throws -> Int { try world.disk.node(Layout.done).entries.count }

    @Test("Attacks 54, 59: a clock that jumps ahead by years and is corrected within the hour costs no record; if it stays, they go", arguments: Way.allCases)
    func aJump(_ way: Way) throws {
        let world = SimulatedWorld()
        try world.startDaemon()
        try world.disk.write("\(Layout.new)/one.toml", Array("command = ':'".utf8))
        // Of a record that ends its stay within the day the daemon knows without looking.
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
        world.now = world.now.advanced(byMilliseconds: Self.hour - 1)
        try live(world)
        #expect(try records(world) == 1, "within the hour")
        #expect(world.service?.nextWake.map { $0 > world.now } ?? false, "it sleeps until then")
        world.now = world.now.advanced(byMilliseconds: 1)
        try live(world)
        #expect(try records(world) == 0)
    }
}
