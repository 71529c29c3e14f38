// The disk may break while a daemon serves a spool on it: a sync fails, blocks cannot be read or written, or the file system shuts itself
// down or turns read-only because of an error. What must hold then:
// - Nothing is acknowledged or started that was not recorded. Runs continue with their workers. A run that ends unrecorded is `lost`.
// - The daemon keeps nothing of the spool open, so that the disk can be unmounted, checked and mounted again. For this it executes its own
//   program again, exec(3), and waits until the spool is at its path and its disk takes changes. Then it serves the spool as after a power
//   cut: only what is on the disk counts.
// - The log reports the beginning once, and the end once.
// - Data that a failed sync could not write stays in the kernel's memory and can be read, but is never written, and the next sync succeeds.
//   So the disk counts as mended only when the journal, and the records that recovery relies on, have been written to new files.
// - A failed sync is noted for the daemon that serves the spool next on this boot, whichever daemon met it.

import Glibc
import Linux
import Scheduler
import Store

/// A spool that was served until its disk broke.
struct AwaitedSpool {
    /// The identity of the spool.
    var id: String
    /// The time before the first try.
    var delayMilliseconds: Int64

    static let delayMillisecondsMin: Int64 = 1000
    private static let delayMillisecondsMax: Int64 = 60_000
    private static let variable = "SPOOLD_AWAITS"

    init(id: String) {
        self.id = id
        delayMilliseconds = Self.delayMillisecondsMin
    }

    /// The spool for which this process was waiting when it executed this program. Nil when there was none.
    static func inherited() -> AwaitedSpool? {
        guard let text = getenv(variable).map({ String(cString: $0) }) else { return nil }
        unsetenv(variable)
        let words = text.split(separator: " ")
        let delays = delayMillisecondsMin...delayMillisecondsMax
        guard words.count == 2, let delay = Int64(words[0]), delays.contains(delay) else { return nil }
        var awaited = AwaitedSpool(id: String(words[1]))
        awaited.delayMilliseconds = delay
        return awaited
    }

    /// The next, longer wait, for a spool that could not be served after all.
    var next: AwaitedSpool {
        var next = self
        next.delayMilliseconds = min(2 * delayMilliseconds, Self.delayMillisecondsMax)
        return next
    }

    /// Becomes the program that waits for the spool.
    func hand(to program: String) throws(SystemError) -> Never {
        setenv(Self.variable, "\(delayMilliseconds) \(id)", 1)
        try Linux.Process.becomeProgram(program)
    }

    // MARK: Notes for the next daemon

    /// The path of a file that shows the next daemon that the disk broke: this process may end before the spool is served again. The file
    /// contains the identity of the boot. It exists from the moment the disk breaks until the spool is served again.
    private static func mark(of id: String) -> String {
        // Only root can write to /run. For other users, /dev/shm is the one directory in memory that exists nearly everywhere.
        "\(geteuid() == 0 ? "/run" : "/dev/shm")/spoold-\(geteuid())-\(id.filter { $0.isASCII && ($0.isLetter || $0.isNumber) })"
    }

    /// Creates the file. When that is impossible, only this process knows that the disk broke, and passes it on by exec(3) alone.
    static func noteBroken(_ id: String) {
        guard let boot = try? Process.bootID() else { return }  // no /proc: there is no note
        try? FileDescriptor.open(mark(of: id), O_WRONLY | O_CREAT | O_NOFOLLOW, mode: 0o600).write(Array(boot.utf8))  // as above: no note
    }

    /// True when the file exists. A file of another user or of an earlier boot does not count.
    static func wasBroken(_ id: String) -> Bool {
        guard let file = try? FileDescriptor.open(mark(of: id), O_RDONLY | O_NOFOLLOW | O_NONBLOCK),  // missing: nothing was noted
            (try? file.status().owner) == geteuid(),  // unreadable counts as another user's
            let boot = try? Process.bootID(),  // no /proc: nothing was noted
            let text = try? file.readAll(limit: 64)  // unreadable counts as another boot's
        else { return false }
        return text == Array(boot.utf8)
    }

    static func noteServed(_ id: String) { unlink(mark(of: id)) }

    // MARK: Waiting

    /// Waits until the spool can be served. Returns false when this process was asked to end.
    func wait(at startup: Startup) throws -> Bool {
        let signals = try SignalDescriptor(Startup.signals)
        let notification = Notification()
        if delayMilliseconds == Self.delayMillisecondsMin {
            startup.log.write(
                .warning, "let-go", at: Instant(milliseconds: Clock.now()),
                [
                    "spool": startup.options.spool,
                    "effect": "spoold has closed all its files; its disk can be unmounted, checked and mounted again",
                ])
            startup.log.flush()
        }
        notification.send("STATUS=Waiting for the disk of \(startup.options.spool)\n")
        var tryAt = MonotonicInstant.now().advanced(byMilliseconds: delayMilliseconds)
        while true {
            let delay = tryAt.millisecondsLeft()
            var descriptor = pollfd(fd: signals.descriptor.raw, events: Int16(POLLIN), revents: 0)
            _ = Glibc.poll(&descriptor, 1, Int32(clamping: min(delay, notification.watchdogMilliseconds ?? delay)))
            if notification.watchdogMilliseconds != nil { notification.send("WATCHDOG=1\n") }
            // Workers of the daemon that has let the spool go, and what they leave behind.
            Children.reapAll()
            while let signal = try signals.next() {
                guard Startup.endSignals.contains(signal.number) else { continue }  // the others concern a daemon that serves
                let name = Signal.name(signal.number)
                startup.log.write(.notice, "stopping", at: Instant(milliseconds: Clock.now()), ["signal": name])
                startup.log.flush()
                return false
            }
            guard .now() >= tryAt else { continue }
            if try isBack(at: startup.options.spool) { return true }
            tryAt = .now().advanced(byMilliseconds: Self.delayMillisecondsMin)
        }
    }

    /// True when the spool is at its path again and its disk takes changes. Then the daemon tries to serve it: it writes the journal to a
    /// new file first, and waits again, longer, if that fails.
    private func isBack(at path: String) throws(DaemonFailure) -> Bool {
        guard let fs = try? DiskFileSystem(path: path), let identity = try? SpoolIdentity.read(fs) else { return false }  // not yet
        guard identity.id == id else { throw DaemonFailure("another spool is at \(path) now than the one that was served") }
        return (try? fs.tryWriting(isSynced: true)) != nil  // not yet
    }
}
