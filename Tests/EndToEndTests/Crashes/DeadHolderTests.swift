import Glibc
import Linux
import TestSupport
import Testing

/// A daemon that was killed while it started a worker: its child holds the daemon's locks for a moment longer.
@Suite("Locks of a dead daemon")
struct DeadHolderTests {
    /// The locks that the child still holds, by their paths.
    static let locks = ["state/lock", "running"]

    @Test("A starting daemon waits for the locks of a dead one, and serves when they are free", arguments: locks)
    func waits(on lock: String) throws {
        let spool = try SpoolUnderTest()
        try spool.crash()
        let dead = try #require(spool.daemon?.pid)
        let holder = try Holder(of: lock, of: dead, in: spool)
        let inotify = try Inotify()
        _ = try inotify.add("\(spool.path)/\(lock)", InotifyMask(rawValue: UInt32(IN_OPEN)))
        spool.forgetNotifications()
        try spool.launch()
        // When the daemon opens the path a second time, it has found the lock taken once.
        var asked: [InotifyEvent] = []
        let daemon = try #require(spool.daemon)
        while asked.count < 2 {
            #expect(
                awaitReadable(
                    [inotify.descriptor.raw, daemon.pidfd], until: MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)))
            if daemon.hasEnded { throw spool.failure("spoold ended and did not wait") }
            _ = try inotify.readEvents(into: &asked)
        }
        holder.letGo()
        try spool.notification("READY=1")
        #expect(try spool.runsOn())
    }

    @Test("A starting daemon does not wait for a living one, and reports who has the spool")
    func refuses() throws {
        let spool = try SpoolUnderTest()
        let leader = try #require(spool.daemon?.pid)
        let second = try Commands.run("\(SpoolUnderTest.programs)/spoold", ["--spool", spool.path], environment: spool.environment)
        #expect(second.code == 1 && second.error.contains("is held by spoold, pid \(leader)"), "\(second)")
    }

    /// Holds one of the locks as the child of a dead daemon would do.
    final class Holder {
        private var lock: FileDescriptor?
        private var child: Child?

        init(of name: String, of dead: pid_t, in spool: SpoolUnderTest) throws {
            let path = "\(spool.path)/\(name)"
            if name == "running" {
                // The kernel names flock(1), which has ended, as the process that took the lock.
                let line = "exec 9< '\(path)'; flock 9; echo locked > '\(spool.out)/locked'; exec sleep infinity"
                let log = try FileDescriptor.open("\(spool.base)/holder", O_WRONLY | O_CREAT, mode: 0o600)
                child = try Child("/bin/sh", ["-c", line], environment: spool.environment, output: log.raw, error: log.raw)
                try spool.lines("locked", count: 1)
            } else {
                lock = try FileDescriptor.open(path, O_RDWR)
                #expect(try lock!.tryRecordLock())
                try lock!.write(Array("\(dead) \(Machine.name())\n".utf8), at: 0)
            }
        }

        func letGo() {
            lock = nil
            child = nil  // its end kills it
        }
    }
}
