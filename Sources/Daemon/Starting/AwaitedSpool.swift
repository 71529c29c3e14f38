// The disk may break under a daemon: a sync fails, blocks cannot be read or written, the file system shuts itself down or stays
// read-only once it is unmounted. What must hold then:
// - Nothing that was not recorded is acknowledged or started. Runs go on with their workers. A run that ends unrecorded is `lost`.
// - The daemon keeps nothing of the spool open, so that the disk can be unmounted, checked and mounted again: it becomes its program
//   anew, exec(3), and waits until the spool is at its path and its disk takes changes. Then the spool is served as after a power cut:
//   only what is on the disk counts.
// - The log reports the beginning once, and the end once.
// - Data that a failed sync could not write stays in the kernel's memory, reads as ever, and is never written: the next sync succeeds. So
//   the disk counts as mended only when the journal has been written anew, to a file of its own, and the records that are relied on too. A
//   failed sync is noted for the daemon that serves the spool next on this boot, also when a start, an end or a user's daemon met it.

import Glibc
import Linux
import Scheduler
import Store

/// A spool that was served until its disk broke.
struct AwaitedSpool {
    /// The spool's own name.
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

    /// The next wait, which is longer: the spool could not be served after all.
    var next: AwaitedSpool {
        var next = self
        next.delayMilliseconds = min(2 * delayMilliseconds, Self.delayMillisecondsMax)
        return next
    }

    /// Becomes the program that waits for it.
    func hand(to program: String) throws(SystemError) -> Never {
        setenv(Self.variable, "\(delayMilliseconds) \(id)", 1)
        try Linux.Process.becomeProgram(program)
    }

    // MARK: For the daemon that serves it next

    /// The file exists, with the boot's name in it, from the moment the disk broke until the spool is served again: this process may end
    /// before that.
    private static func mark(of id: String) -> String {
        // Only root writes to /run; others have no directory of their own that is sure to exist.
        "\(geteuid() == 0 ? "/run" : "/dev/shm")/spoold-\(geteuid())-\(id.filter { $0.isASCII && ($0.isLetter || $0.isNumber) })"
    }

    /// Where that directory does not exist, only this process knows.
    static func noteBroken(_ id: String) {
        guard let boot = try? Process.bootID() else { return }
        try? FileDescriptor.open(mark(of: id), O_WRONLY | O_CREAT | O_NOFOLLOW, mode: 0o600).write(Array(boot.utf8))
    }

    /// Another user's file of that name does not count, nor one of an earlier boot, nor one that cannot be read.
    static func wasBroken(_ id: String) -> Bool {
        guard let file = try? FileDescriptor.open(mark(of: id), O_RDONLY | O_NOFOLLOW | O_NONBLOCK),
            (try? file.status().owner) == geteuid(),
            let boot = try? Process.bootID(), let text = try? file.readAll(limit: 64)
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
                    "effect": "nothing of it is open here; its disk can be unmounted, checked and mounted again",
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
            while let signal = try signals.next() {
                guard [SIGTERM, SIGINT].contains(signal.number) else { continue }  // the other signals are for a daemon that serves
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

    /// True when serving the spool is worth a try. A daemon writes the journal anew before it serves; if that fails, it waits again, and
    /// longer.
    private func isBack(at path: String) throws(DaemonFailure) -> Bool {
        // A spool that cannot be opened, read or written now may be usable later.
        guard let fs = try? DiskFileSystem(path: path), let identity = try? SpoolIdentity.read(fs) else { return false }
        guard identity.id == id else { throw DaemonFailure("another spool stands at \(path) now than the one that was served") }
        return (try? fs.tryWriting(isSynced: true)) != nil
    }
}
