import Glibc
@testable import Simulation
import Store
import Testing

/// A disk that refuses changes for a while: whichever it refuses, the daemon waits, and nothing is lost or runs twice. Only a sync
/// that fails, or a journal that cannot be opened, ends it, and then the next start goes on.
@Suite struct DiskFaults {
    @Test("Attacks 46, 47: a disk that takes no changes is waited for", arguments: [ENOSPC, EROFS, EDQUOT, EMFILE])
    func aDiskThatTakesNoChangesIsWaitedFor(errno: Int32) throws {
        for after in 0..<40 {
            let world = SimulatedWorld()
            try world.startDaemon()
            try drop("one", world)
            world.disk.fault = SimulatedDisk.Fault(.error(errno, times: 3), after: after)
            try live(world)
            try expectOneRun(of: ["one"], world, "\(SystemError.message(errno)) at change \(after)")
        }
    }

    @Test("Attacks 47, 79: a daemon that is started on such a disk waits, too", arguments: [ENOSPC, EROFS, EDQUOT])
    func aDaemonThatIsStartedOnSuchADiskWaitsToo(errno: Int32) throws {
        for after in 0..<30 {
            let world = SimulatedWorld()
            try world.startDaemon()
            try drop("one", world)
            // Decided and journaled, and not carried out.
            world.disk.fault = SimulatedDisk.Fault(.kill, after: after / 2)
            try live(world)
            try drop("two", world)
            world.killDaemon()
            world.disk.fault = SimulatedDisk.Fault(.error(errno, times: 3), after: after % 15)
            try surviving(world) { () throws(Violation) in try world.startDaemon() }
            try live(world)
            try expectOneRun(of: ["one", "two"], world, "\(SystemError.message(errno)) at change \(after)")
        }
    }

    private func drop(_ name: String, _ world: SimulatedWorld) throws {
        try world.disk.write("\(Layout.temporary)/\(name)", Array("command = ':'".utf8))
        try world.disk.move("\(Layout.temporary)/\(name)", to: "\(Layout.new)/\(name).toml")
    }

    private func live(_ world: SimulatedWorld) throws {
        for _ in 0..<20 {
            try surviving(world) { () throws(Violation) in
                try world.startDaemon()
                try world.turn()
            }
            _ = world.work(0)
            world.now = world.now.advanced(byMilliseconds: 1000)
        }
    }

    private func surviving(_ world: SimulatedWorld, _ body: () throws(Violation) -> Void) throws {
        do throws(Violation) { try body() } catch {
            guard Self.mayEnd("\(error)") else { throw error }
        }
    }

    private static func mayEnd(_ error: String) -> Bool { error.contains("sync") || error.contains("open journal/") }

    private func expectOneRun(of names: [String], _ world: SimulatedWorld, _ what: String) throws {
        #expect(world.isUp && world.gaveUp.allSatisfy(Self.mayEnd), "\(what): \(world.gaveUp)")
        #expect(world.service?.troubles.isEmpty == true, "\(what)")
        let ended = try [Layout.done, Layout.failed].flatMap { try world.disk.node($0).entries.keys }
        for name in names { #expect(ended.filter { $0.contains("-\(name)-") }.count == 1, "\(what): \(ended)") }
        #expect(world.begun.count == names.count && world.begun.values.allSatisfy { $0 == 1 }, "\(what): \(world.begun)")
    }
}
