// The disk may break under a daemon: a sync fails, blocks cannot be read or written, the file system shuts itself down or stays
// read-only once it is unmounted. What holds then:
// - Nothing that was not recorded is acknowledged or started. What runs goes on with its worker; what ends and could not be recorded is
//   `lost`.
// - The daemon keeps nothing of the spool open, so that the disk can be unmounted, checked and mounted again: it becomes its program
//   anew, exec(3), and that waits until the spool stands at its path and its disk takes changes. Then it is served as after a power
//   cut: what is on the disk counts.
// - It is said once when it begins and once when the spool is served again.
// - What a failed sync could not write is in the kernel's memory, reads as ever, and is never written: the next sync of it succeeds. So
//   the disk is back only when the journal has been written anew, to a file of its own, and what is believed of the records too. A failed
//   sync is noted for whoever serves the spool next on this boot, also when it met a start, an end or a user's daemon.

import Glibc
import Linux
import Scheduler
import Store

/// A spool that was served until its disk broke.
struct AwaitedSpool {
    /// What the spool calls itself.
    var id: String
    /// How long nothing is tried.
    var delayMilliseconds: Int64

    static let delayMillisecondsMin: Int64 = 1000
    private static let delayMillisecondsMax: Int64 = 60_000
    private static let variable = "SPOOLD_AWAITS"

    init(id: String) {
        self.id = id
        delayMilliseconds = Self.delayMillisecondsMin
    }

    /// What this process was told before it became this program; nil: nothing broke.
    static func inherited() -> AwaitedSpool? {
        guard let text = getenv(variable).map({ String(cString: $0) }) else { return nil }
        unsetenv(variable)
        let words = text.split(separator: " ")
        guard words.count == 2, let delay = Int64(words[0]), (delayMillisecondsMin...delayMillisecondsMax).contains(delay) else { return nil }
        var awaited = AwaitedSpool(id: String(words[1]))
        awaited.delayMilliseconds = delay
        return awaited
    }

    /// Once more, and longer: the spool could not be served after all.
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

    // MARK: For whoever serves it next

    /// Stands there, with the boot's name in it, from when the disk broke until the spool is served again: this process may be ended before
    /// that.
    private static func mark(of id: String) -> String {
        // Only root writes to /run; others have no place of their own that is sure to be there.
        "\(geteuid() == 0 ? "/run" : "/dev/shm")/spoold-\(geteuid())-\(id.filter { $0.isASCII && ($0.isLetter || $0.isNumber) })"
    }

    /// Where there is no such place, only this process knows.
    static func noteBroken(_ id: String) {
        guard let boot = try? Process.bootID() else { return }
        try? FileDescriptor.open(mark(of: id), O_WRONLY | O_CREAT | O_NOFOLLOW, mode: 0o600).write(Array(boot.utf8))
    }

    /// Somebody else's file of that name says nothing, nor does one that a boot before this one left, or that cannot be read.
    static func wasBroken(_ id: String) -> Bool {
        guard let file = try? FileDescriptor.open(mark(of: id), O_RDONLY | O_NOFOLLOW | O_NONBLOCK), (try? file.status().owner) == geteuid(),
            let boot = try? Process.bootID(), let text = try? file.readAll(limit: 64)
        else { return false }
        return text == Array(boot.utf8)
    }

    static func noteServed(_ id: String) { unlink(mark(of: id)) }

    // MARK: Waiting

    /// Waits until it can be served. False: told to end.
    func wait(at place: Place) throws -> Bool {
        let signals = try SignalDescriptor(Place.signals)
        let notification = Notification()
        if delayMilliseconds == Self.delayMillisecondsMin {
            place.log.write(
                .warning, "let-go", at: Instant(milliseconds: Clock.now()),
                ["spool": place.options.spool, "effect": "nothing of it is open here; its disk can be unmounted, checked and mounted again"])
            place.log.flush()
        }
        notification.send("STATUS=Waiting for the disk of \(place.options.spool)\n")
        var tryAt = Clock.monotonicMilliseconds() + delayMilliseconds
        while true {
            let delay = max(0, tryAt - Clock.monotonicMilliseconds())
            var descriptor = pollfd(fd: signals.descriptor.raw, events: Int16(POLLIN), revents: 0)
            _ = Glibc.poll(&descriptor, 1, Int32(clamping: min(delay, notification.watchdogMilliseconds ?? delay)))
            if notification.watchdogMilliseconds != nil { notification.send("WATCHDOG=1\n") }
            while let signal = try signals.next() {
                guard [SIGTERM, SIGINT].contains(signal.number) else { continue }  // the rest is for one that serves
                place.log.write(.notice, "stopping", at: Instant(milliseconds: Clock.now()), ["signal": Signal.name(signal.number)])
                place.log.flush()
                return false
            }
            guard Clock.monotonicMilliseconds() >= tryAt else { continue }
            if try isBack(at: place.options.spool) { return true }
            tryAt = Clock.monotonicMilliseconds() + Self.delayMillisecondsMin
        }
    }

    /// True when serving the spool is worth a try. A daemon writes the journal anew before it serves; if that fails, it waits again, and
    /// longer.
    private func isBack(at path: String) throws(DaemonFailure) -> Bool {
        // What cannot be opened, read or written now may be later.
        guard let fs = try? DiskFileSystem(path: path), let identity = try? SpoolIdentity.read(fs) else { return false }
        guard identity.id == id else { throw DaemonFailure("another spool stands at \(path) now than the one that was served") }
        return (try? fs.tryWriting(isSynced: true)) != nil
    }
}

extension Daemon {
    /// The daemon cannot go on: if that is for the disk, becomes the program that waits for it. Comes back when it is not.
    ///
    /// A user's daemon just ends, as one does that is being ended: who serves the spool next is told all the same.
    func letGo(for error: SystemError) throws(SystemError) {
        guard error.isOfBrokenDisk else { return }
        // One that never served may have found it broken, or read-only, and has recorded nothing unless a sync of its own failed.
        if isServing || error.isFailedSync { AwaitedSpool.noteBroken(spoolID) }
        guard isServing, !isStopping, link == nil else { return }
        service.begin(.disk, "\(error)", effect: "nothing is recorded, started or acknowledged until the spool is at \(options.spool) again and takes changes")
        endUsers()
        log.flush()
        // One that breaks again and again is not tried each second.
        let isNew = Clock.monotonicMilliseconds() - servingSince >= Self.provenMilliseconds
        try (isNew ? AwaitedSpool(id: spoolID) : awaited?.next ?? AwaitedSpool(id: spoolID)).hand(to: program)
    }

    /// Throws when the spool, which is not at its path, cannot be written to where it is: there it will not be mended.
    func holdOnlyIfSound() throws(SystemError) {
        do throws(SystemError) { try spool.fs.tryWriting(isSynced: false) } catch {
            if error.isOfBrokenDisk { throw error }
        }
    }
}
