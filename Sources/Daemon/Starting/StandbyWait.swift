import Glibc
import Linux
import Scheduler
import Store

/// The wait of a standby for the lock of the spool. A second thread blocks in the kernel until the lock is free: so the standby takes over
/// at once and sleeps until then. The main thread waits for the second thread and for signals, and reaps children: as process 1 of a
/// container, a standby gets processes that have lost their parents.
final class StandbyWait {
    private let startup: Startup
    private let signals: SignalDescriptor
    private let notification = Notification()
    private var file: StandbyFile?

    init(_ startup: Startup) throws {
        self.startup = startup
        // The signals are blocked before the second thread starts, so that they are blocked in it too.
        signals = try SignalDescriptor(Startup.signals)
        let spool = startup.options.spool
        try Standby.removeStale(ofSpool: spool)
        let since = Instant(milliseconds: Clock.now())
        file = try StandbyFile.make(
            Standby(pid: getpid(), host: startup.host, version: startup.options.version, since: since), spool: spool)
    }

    /// Waits for the lock, and returns its locked files. Nil when this process was asked to end.
    func next(program: String) throws -> SpoolLockFiles? {
        let spool = startup.options.spool
        let lock = try SpoolLockFiles(spool: spool)
        let pipe = try Pipe()
        // The thread may run longer than this function. `Wait` keeps the descriptors open that the thread uses.
        let wait = Wait(lock: lock, bell: try pipe.writing.duplicate())
        try wait.begin()
        let holder = try SpoolLock.holder(spool: spool)
        startup.log.write(
            .notice, "standby", at: Instant(milliseconds: Clock.now()),
            ["spool": spool, "pid": "\(getpid())", "held_by": holder.map { "\($0.pid)" }, "host": holder?.host])
        startup.log.flush()
        notification.send("READY=1\nSTATUS=Standby for \(spool)\n")
        // A child that ended before SIGCHLD was blocked wakes nobody here. This process has children from the beginning when it was another
        // program before: exec keeps them.
        Children.reapAll()
        while true {
            var descriptors = [
                pollfd(fd: pipe.reading.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals.descriptor.raw, events: Int16(POLLIN), revents: 0),
                // A user's daemon ends when root's daemon closes the link.
                pollfd(fd: startup.options.user == nil ? -1 : UserLink.descriptor, events: 0, revents: 0),
            ]
            // Without a watchdog the wait has no limit.
            let timeout = notification.watchdogMilliseconds.map { Int32(clamping: $0) } ?? -1
            if Glibc.poll(&descriptors, 3, timeout) == 0 { notification.send("WATCHDOG=1\n") }
            if descriptors[2].revents != 0 {
                try end()
                return nil
            }
            while let signal = try signals.next() {
                switch signal.number {
                case let number where Startup.endSignals.contains(number):
                    say("stopping")
                    try end()
                    return nil
                case SIGUSR2: becomeAnew(program)
                case SIGCHLD: Children.reapAll()
                default: break  // the configuration is read when the standby takes over
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

    /// Removes the file of this standby, because it does not wait any more.
    func end() throws { try file.take()?.remove() }

    private func say(_ event: StaticString) {
        let now = Instant(milliseconds: Clock.now())
        startup.log.write(.notice, event, at: now, ["spool": startup.options.spool, "pid": "\(getpid())"])
        startup.log.flush()
    }

    /// Becomes the new program. Nothing is lost if that fails: another daemon serves the spool.
    private func becomeAnew(_ program: String) {
        say("restarting")
        do throws(SystemError) { try Linux.Process.becomeProgram(program) } catch {
            startup.log.write(.error, "not-restarted", at: Instant(milliseconds: Clock.now()), ["error": "\(error)"])
            startup.log.flush()
        }
    }

    /// The second thread. When it has the lock or has failed, it writes four bytes into the pipe: 0 or errno.
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
            // If nobody reads the pipe any more, this process is ending.
            _ = withUnsafeBytes(of: &failure) { write(bell.raw, $0.baseAddress, $0.count) }
        }
    }
}
