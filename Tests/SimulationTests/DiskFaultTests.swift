import Glibc
@testable import Simulation
import Store
import Testing

extension SimulatedWorld {
    /// Takes a turn in which the disk fails once.
    fileprivate func takeUpFaults(isLook: Bool, after: Int) throws(Violation) {
        if isLook {
            disk.lookFault = (EIO, times: 1, after: after)
        } else {
            disk.fault = SimulatedDisk.Fault(.error(EIO, times: 1), after: after)
        }
        do throws(Violation) { try turn() } catch {
            // A failed sync has ended the daemon.
            guard !isUp else { throw error }
        }
        disk.fault = nil
        disk.lookFault = nil
    }
}

/// A disk refuses changes for a while. The daemon waits, whichever change is refused, and no job is lost or runs twice. Only a
/// failed sync, or a journal that cannot be opened, ends the daemon. The next start then continues.
@Suite struct DiskFaultTests {
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

    @Test("Attacks 47, 79: a daemon that is started on a disk that takes no changes waits, too", arguments: [ENOSPC, EROFS, EDQUOT])
    func aDaemonThatIsStartedOnSuchADiskWaitsToo(errno: Int32) throws {
        for after in 0..<30 {
            let world = SimulatedWorld()
            try world.startDaemon()
            try drop("one", world)
            // The start is decided and journaled, but not carried out.
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

    /// The daemon acts only on records of the journal that are on the disk, not on records in memory alone.
    @Test(
        "After any failed sync, a power cut or a kernel that needs its memory costs nothing that was acknowledged",
        arguments: [true, false])
    func aFailedSyncIsNotBelieved(isPowerCut: Bool) throws {
        for after in 0..<16 {
            for seed in UInt64(0)..<12 {
                let world = SimulatedWorld()
                try world.startDaemon()
                try drop("one", world)
                try drop("two", world)
                world.disk.syncFault = after
                try live(world)
                try surviving(world) { () throws(Violation) in try world.rotate() }
                world.disk.syncFault = nil
                try live(world)
                try surviving(world) { () throws(Violation) in try world.rotate() }
                try live(world)
                let before = try records(world)
                #expect(before.count == 2)
                var random = Random(seed)
                if isPowerCut { world.cutPower(&random) } else {
                    world.killDaemon()
                    world.disk.forgetFailed(&random)
                }
                try live(world)
                try expectOneRun(of: ["one", "two"], world, "sync \(after), seed \(seed)")
                #expect(try records(world) == before, "sync \(after), seed \(seed)")
            }
        }
    }

    @Test(
        "Data that a killed daemon wrote and did not sync, and that the kernel then failed to write, is not trusted",
        arguments: 0..<12)
    func aFailedWritebackIsNotBelieved(after: Int) throws {
        for seed in UInt64(0)..<8 {
            let world = SimulatedWorld()
            try world.startDaemon()
            try drop("one", world)
            try drop("two", world)
            world.disk.fault = SimulatedDisk.Fault(.kill, after: after)
            try surviving(world) { () throws(Violation) in try world.turn() }
            world.killDaemon()
            world.disk.failWriteback()
            try live(world)
            let before = try records(world)
            #expect(before.count == 2)
            var random = Random(seed)
            world.cutPower(&random)
            try live(world)
            try expectOneRun(of: ["one", "two"], world, "change \(after), seed \(seed)")
            #expect(try records(world) == before, "change \(after), seed \(seed)")
        }
    }

    /// Each record, with the result of its job.
    private func records(_ world: SimulatedWorld) throws -> [String] {
        try [Layout.done, Layout.failed].flatMap { state in
            try world.disk.node(state).entries.map { name, node in
                let bytes = node.entries[Layout.statusFile]?.bytes ?? []
                guard let table = JSON.readableTable(bytes) else { return "\(state)/\(name): no status" }
                return "\(state)/\(name): \(table.text("state") ?? "?") \(table.text("reason") ?? "")"
            }
        }.sorted()
    }

    /// No event tells the daemon that descriptors are free again.
    @Test(arguments: [EIO, EMFILE])
    func aPauseThatIsLiftedWhileNothingCanBeLookedAtIsOver(errno: Int32) throws {
        let world = SimulatedWorld()
        try world.startDaemon()
        try world.disk.write("\(Layout.control)/pause", Array("note".utf8))
        try drop("one", world)
        try world.turn()
        #expect(world.service?.scheduler.pauses[.all] == "note")
        try world.disk.unlink("\(Layout.control)/pause")
        world.disk.lookFault = (errno, times: 2, after: 0)
        try live(world)
        try expectOneRun(of: ["one"], world, SystemError.message(errno))
    }

    @Test(arguments: [EIO, EMFILE])
    func aTaskThatCouldNotBeReadIsReadLater(errno: Int32) throws {
        for after in 0..<4 {
            let world = SimulatedWorld()
            try world.startDaemon()
            try world.disk.write("\(Layout.tasks)/one.toml", Array("command = ':'".utf8))
            world.disk.lookFault = (errno, times: 1, after: after)
            try live(world)
            #expect(world.service?.scheduler.tasks["one"]?.definition != nil, "\(SystemError.message(errno)) at look \(after)")
        }
    }

    /// The job's way to `running/` may be interrupted anywhere. It then has one record, and its command does not begin.
    @Test func aJobThatIsCanceledBeforeItIsInItsPlaceIsNotBegun() throws {
        var canceled = 0
        for isLook in [false, true] {
            for after in 0..<20 {
                let world = SimulatedWorld()
                try world.startDaemon()
                try drop("one", world)
                try world.takeUpFaults(isLook: isLook, after: after)
                guard let service = world.service, service.hasUnplaced, let id = service.scheduler.jobs.keys.first else { continue }
                canceled += 1
                try world.disk.write("\(Layout.control)/a.request", Array("{\"do\": \"cancel\", \"id\": \"\(id)\"}".utf8))
                try world.turn()
                // The time at which the daemon places the job again.
                world.pass(milliseconds: 1000)
                try live(world)
                let places = JobState.allCases.filter { world.disk.exists(Layout.directory(of: id, $0)) }
                #expect(places == [.failed] && world.begun.isEmpty, "look \(isLook), \(after): \(places), \(world.begun)")
            }
        }
        #expect(canceled > 3)
    }

    /// The journal rotates without waiting for the job's place, and keeps the job.
    @Test(arguments: [false, true])
    func anEndedJobWhosePlaceIsTakenOutlivesTheJournalsSegment(hasFollowUp: Bool) throws {
        let world = SimulatedWorld()
        try world.startDaemon()
        let followUp = hasFollowUp ? "\non_end = ':'" : ""
        try world.disk.write("\(Layout.new)/one.toml", Array("command = ':'\(followUp)".utf8))
        try world.turn()
        let id = try #require(world.service?.scheduler.jobs.keys.first)
        let places = [JobState.done, .failed].map { Layout.directory(of: id, $0) }
        for place in places { try world.disk.write(place, []) }
        for _ in 0..<10 { try live(world) }
        #expect(world.service?.hasUnplaced == true)
        let begun = world.begun.count
        for _ in 0..<2 {
            try world.rotate()
            let service = try #require(world.service)
            try service.spool.journal.prune(before: world.now.advanced(byMilliseconds: 1 << 40), bytesMax: .max)
            world.killDaemon()
            try live(world)
            #expect(world.service?.hasUnplaced == true && world.service?.scheduler.jobs.isEmpty == true)
        }
        for place in places { try world.disk.removeFile(place) }
        world.pass(milliseconds: 120_000)
        try live(world)
        #expect(places.filter { world.disk.exists("\($0)/\(Layout.statusFile)") }.count == 1)
        #expect(world.begun.count == begun && world.begun.values.allSatisfy { $0 == 1 }, "nothing runs again: \(world.begun)")
        #expect(world.service?.hasUnplaced == false)
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
            world.pass(milliseconds: 1000)
        }
    }

    private func surviving(_ world: SimulatedWorld, _ body: () throws(Violation) -> Void) throws {
        do throws(Violation) { try body() } catch {
            guard Self.mayEnd("\(error)") else { throw error }
        }
    }

    private static func mayEnd(_ error: String) -> Bool { error.contains("sync") || error.contains("open journal/") }

    /// A read that fails once must not count as a missing record.
    @Test("An end that is on record is not lost because the record cannot be read at once", arguments: [EIO, EMFILE], [false, true])
    func aRecordedEndIsNotLost(errno: Int32, isOfEarlierDaemon: Bool) throws {
        let world = SimulatedWorld()
        try world.startDaemon()
        try drop("one", world)
        try world.turn()
        while world.running.isEmpty { try #require(world.work(0)) }
        if isOfEarlierDaemon {
            world.killDaemon()
            try world.startDaemon()
        }
        // The command ends, and its worker is killed before it reports that.
        #expect(world.work(0))
        world.disk.lookFault = (errno, times: 2, after: 0)
        world.killWorker(0)
        world.disk.lookFault = nil
        try live(world)
        try expectOneRun(of: ["one"], world, "\(SystemError.message(errno))")
        let failed = try world.disk.node(Layout.failed).entries.keys
        for id in failed {
            let status = "\(Layout.failed)/\(id)/status.json"
            guard case .file(_, let bytes) = try world.disk.take(status, limit: 1 << 20, ignoringWriters: true) else { continue }
            #expect(!String(decoding: bytes, as: UTF8.self).contains("\"lost\""))
        }
    }

    private func expectOneRun(of names: [String], _ world: SimulatedWorld, _ what: String) throws {
        #expect(world.isUp && world.gaveUp.allSatisfy(Self.mayEnd), "\(what): \(world.gaveUp)")
        #expect(world.service?.troubles.isEmpty == true, "\(what)")
        let ended = try [Layout.done, Layout.failed].flatMap { try world.disk.node($0).entries.keys }
        for name in names { #expect(ended.filter { $0.contains("-\(name)-") }.count == 1, "\(what): \(ended)") }
        #expect(world.begun.values.allSatisfy { $0 == 1 }, "\(what): \(world.begun)")
        // A decision just before a failed sync is lost with it, so that job may not have begun.
        if !world.gaveUp.contains(where: { $0.contains("sync") }) { #expect(world.begun.count == names.count, "\(what): \(world.begun)") }
    }
}
