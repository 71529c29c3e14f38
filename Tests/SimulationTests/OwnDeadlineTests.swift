import Glibc
@testable import Simulation
import Store
import Testing

/// The service's own waits use the monotonic clock, which nobody can set.
@Suite struct OwnDeadlineTests {
    enum Obstacle: CaseIterable {
        /// A file is in the place of the job's directory.
        case placeIsTaken
        /// The disk cannot read the dropped file.
        case fileIsUnreadable
    }

    @Test(
        "A wall clock that is set while the service waits delays no retry, and hastens none",
        arguments: Obstacle.allCases, [-365 * 86_400_000, -3_600_000, 0, 3_600_000] as [Int64])
    func aClockThatIsSet(obstacle: Obstacle, change: Int64) throws {
        let world = SimulatedWorld()
        try world.startDaemon()
        try world.disk.write("\(Layout.new)/one.toml", Array("command = ':'".utf8))
        switch obstacle {
        case .placeIsTaken:
            try world.turn()
            let id = try #require(world.service?.scheduler.jobs.keys.first)
            for state in [JobState.done, .failed] { try world.disk.write(Layout.directory(of: id, state), []) }
            while world.work(0) {}
            try world.turn()
            for state in [JobState.done, .failed] { try world.disk.removeFile(Layout.directory(of: id, state)) }
        case .fileIsUnreadable:
            world.disk.lookFault = (EIO, times: 1, after: 0)
            try world.turn()
            world.disk.lookFault = nil
        }
        func waits() -> Bool { world.service.map { $0.hasUnplaced || $0.hasUnready } ?? false }
        try #require(waits())
        let left = try #require(world.service?.wakeAt.monotonic?.millisecondsLeft(at: world.monotonicNow))
        #expect(left > 0 && left <= 1000)
        world.setClock(byMilliseconds: change)
        world.pass(milliseconds: left - 1)
        try world.turn()
        #expect(waits(), "not before its time")
        world.pass(milliseconds: 1)
        try world.turn()
        #expect(!waits(), "in time")
    }
}
