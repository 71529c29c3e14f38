import Glibc
import Linux
import Scheduler
import Store

// What the daemon does about full disks and descriptors that have run out: it waits, and tells.

extension Daemon {
    /// How many descriptors are kept in reserve. What is under way needs few at once.
    static let reserveCount = 8
    /// A status of the daemon that has its room on the disk already, for when the disk is full; and how much room that is.
    private static let spareStatus = "\(Layout.state)/status.spare"
    private static let spareBytes = 16 << 10

    package func canOpenMore() -> Bool { spool.fs.reserve.refill() }

    /// Waits for a second, for a signal to end or for a word of root's daemon; whatever else happens stays where it is.
    package func waitForDisk(_ error: SystemError) throws(SystemError) -> Bool {
        if error.isShortage { endIdleWorkers(keeping: 0) }
        // Taken away to be mended: it is not kept busy.
        if error.isOfBrokenDisk, !isAtPath { return false }
        if service.isPublishDue { publish(state: "running") }
        // A start that has to wait is not one that hangs.
        notification.send("STATUS=\(error)\nEXTEND_TIMEOUT_USEC=10000000\n")
        var descriptors = [signals.descriptor.raw, link?.raw ?? -1].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        _ = Glibc.poll(&descriptors, 2, 1000)
        // Root's daemon must not take a user's for one that has stopped.
        if descriptors[1].revents != 0 { takeWords() }
        reportToRoot()
        if notification.watchdogMilliseconds != nil { notification.send("WATCHDOG=1\n") }
        try takeSignals()
        return !isStopping
    }

    /// Puts `state/status.json` in place, on a full disk over what was kept for that.
    func publish(_ bytes: [UInt8]) {
        do throws(SystemError) {
            do throws(SystemError) {
                try spool.fs.replace(Layout.daemonStatus, bytes)
            } catch {
                guard error.isOfDisk else { throw error }
                try spool.fs.replace(Layout.daemonStatus, bytes, inRoomOf: Self.spareStatus)
                isUnpublished = false
                return
            }
            isUnpublished = false
            try keepSpare()
        } catch {
            // What is published is a convenience: the next change tries again.
            if !isUnpublished { log.write(.warning, "not-published", at: now, ["error": "\(error)"]) }
            isUnpublished = true
        }
    }

    private func keepSpare() throws(SystemError) {
        guard service.troubles[.disk] == nil, try spool.fs.status(Self.spareStatus)?.size ?? 0 < Self.spareBytes else { return }
        do throws(SystemError) {
            try spool.fs.create(Self.spareStatus, [UInt8](repeating: UInt8(ascii: " "), count: Self.spareBytes), mode: 0o600)
        } catch {
            // There is no room: the next one tries again.
            guard error.isOfDisk else { throw error }
            try spool.fs.removeTreeIfThere(Self.spareStatus)
        }
    }
}
