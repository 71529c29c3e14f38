import Glibc
import Linux
import Scheduler
import Store

/// A standby's wait for the lock. A thread of its own blocks in the kernel until the lock is free, so that the moment is not missed
/// and nothing wakes up before; this one waits for that thread and for signals.
final class StandbyWait {
    private let place: Place
    private let signals: SignalDescriptor
    private let notification = Notification()
    private var file: StandbyFile?

    init(_ place: Place) throws {
        self.place = place
        // Before the thread is begun, which has them blocked too.
        signals = try SignalDescriptor(Place.signals)
        let spool = place.options.spool
        try Standby.removeStale(ofSpool: spool)
        let since = Instant(milliseconds: Clock.now())
        file = try StandbyFile.make(
            Standby(pid: getpid(), host: place.host, version: place.options.version, since: since), spool: spool)
    }

    /// Waits until nobody has the lock, and returns its file, locked. Nil when told to end.
    func next(program: String) throws -> SpoolLockFiles? {
        let spool = place.options.spool
        let lock = try SpoolLockFiles(spool: spool)
        let pipe = try Pipe()
        // What the thread uses stays open as long as it may, in `Wait`.
        let wait = Wait(lock: lock, bell: try pipe.writing.duplicate())
        try wait.begin()
        let holder = try SpoolLock.holder(spool: spool)
        place.log.write(
            .notice, "standby", at: Instant(milliseconds: Clock.now()),
            ["spool": spool, "pid": "\(getpid())", "held_by": holder.map { "\($0.pid)" }, "host": holder?.host])
        place.log.flush()
        notification.send("READY=1\nSTATUS=Standby for \(spool)\n")
        while true {
            var descriptors = [
                pollfd(fd: pipe.reading.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals.descriptor.raw, events: Int16(POLLIN), revents: 0),
                // Root's daemon has let go of this one, which serves a user.
                pollfd(fd: place.options.user == nil ? -1 : UserLink.descriptor, events: 0, revents: 0),
            ]
            // Only a watchdog wants a sign of life now and then.
            let timeout = notification.watchdogMilliseconds.map { Int32(clamping: $0) } ?? -1
            if Glibc.poll(&descriptors, 3, timeout) == 0 { notification.send("WATCHDOG=1\n") }
            if descriptors[2].revents != 0 {
                try end()
                return nil
            }
            while let signal = try signals.next() {
                switch signal.number {
                case SIGTERM, SIGINT:
                    say("stopping")
                    try end()
                    return nil
                case SIGUSR2: becomeAnew(program)
                default: break  // the configuration is read when it takes over
                }
            }
            var failure: Int32 = 0
            let count = withUnsafeMutableBytes(of: &failure) { read(pipe.reading.raw, $0.baseAddress, $0.count) }
            guard count == MemoryLayout<Int32>.size else { continue }
            guard failure == 0 else { throw SystemError(call: "lock", path: Layout.lock, errno: failure) }
            say("takes-over")
            return lock
        }
    }

    /// Takes its file away: it waits no more.
    func end() throws { try file.take()?.remove() }

    private func say(_ event: StaticString) {
        place.log.write(.notice, event, at: Instant(milliseconds: Clock.now()), ["spool": place.options.spool, "pid": "\(getpid())"])
        place.log.flush()
    }

    /// Nothing is lost if the new program does not come up: another still serves the spool.
    private func becomeAnew(_ program: String) {
        say("restarting")
        do throws(SystemError) { try Linux.Process.becomeProgram(program) } catch {
            place.log.write(.error, "not-restarted", at: Instant(milliseconds: Clock.now()), ["error": "\(error)"])
            place.log.flush()
        }
    }

    /// What the thread waits for, and by what it tells: four bytes in a pipe, 0 or errno.
    private final class Wait: Sendable {
        private let lock: SpoolLockFiles
        private let bell: FileDescriptor

        init(lock: SpoolLockFiles, bell: consuming FileDescriptor) {
            self.lock = lock
            self.bell = bell
        }

        func begin() throws(SystemError) {
            var thread = pthread_t()
            let failure = pthread_create(
                &thread, nil,
                { argument in
                    guard let argument else { return nil }
                    Unmanaged<Wait>.fromOpaque(argument).takeRetainedValue().run()
                    return nil
                }, Unmanaged.passRetained(self).toOpaque())
            if failure != 0 { throw SystemError(call: "pthread_create", errno: failure) }
            pthread_detach(thread)
        }

        private func run() {
            var failure: Int32 = 0
            do throws(SystemError) { try lock.awaitLock() } catch { failure = error.errno }
            // Nobody hears it: then the process is ending.
            _ = withUnsafeBytes(of: &failure) { write(bell.raw, $0.baseAddress, $0.count) }
        }
    }
}
