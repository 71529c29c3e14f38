import Glibc
import Linux
import Scheduler
import Store

// The spool may be moved, unmounted or deleted while it is served, or a directory of it. What holds:
// - All that the daemon writes goes to the spool that it has opened and locked, wherever that is now; nothing goes to what stands
//   at its path instead.
// - Nothing is started while the spool is not at its path, for a job finds its directory by path.
// - A directory that is gone for longer than somebody takes to put another in its place is made anew; the journal from memory, and at once
//   when it is a segment alone that is gone. For a state/ that was moved away, with the lock and the records of runs, the daemon waits. One
//   that was removed is made anew: the spool is locked all the while, for the lock hangs on other directories too. What runs goes on, and
//   its end is told as long as this daemon lives.
// - It ends, with exit code 1, when there is nothing to come back: the spool was deleted, or another one stands at its path.

extension Daemon {
    /// How long something may be missing before it is made anew, and how often it is looked for.
    private static let missingMilliseconds: Int64 = 1000

    /// Looks whether the spool is where it was, when that is in doubt; the path itself is looked at each time, which costs one call.
    func lookAtSpool() throws(SystemError) {
        let time = Clock.monotonicMilliseconds()
        if !isSpoolSuspect, !isAtPath { isSpoolSuspect = true }
        if let due = spoolLookAt, time >= due { isSpoolSuspect = true }
        guard isSpoolSuspect else { return }
        isSpoolSuspect = false
        spoolLookAt = nil
        guard let why = try whatIsWrong() else {
            if service.troubles[.spool] != nil {
                service.end(.spool)
                try watchAnew()
                isLookDue = true
            }
            // What waits in a directory that is gone has not been taken away before it is clear that it does not come back.
            guard isLookDue else { return }
            isLookDue = false
            try service.lookAtAll()
            return lookAtUsers()
        }
        if lostSpool != nil { return }
        spoolLookAt = time + Self.missingMilliseconds
        guard service.troubles[.spool] == nil else { return try makeMissing() }
        service.begin(.spool, why, effect: "nothing is started until this is over")
        // Nobody replaces the journal of a daemon that runs, and what is in memory alone may be lost any moment.
        if isAtPath, try missingDirectories().isEmpty, try lock.isInPlace(spool: options.spool) { try makeMissing() }
    }

    /// Whether the directory at the spool's path is the one that was opened.
    var isAtPath: Bool {
        // Not to be looked at: not there.
        guard let status = try? FileStatus.read(options.spool, followingLinks: true) else { return false }
        if status.inode == root.inode, status.device == root.device { return true }
        // Some file systems give numbers that do not last.
        guard let own = try? spool.fs.ownStatus() else { return false }
        return status.inode == own.inode && status.device == own.device
    }

    /// What of the spool is not where it should be; nil: nothing.
    private func whatIsWrong() throws(SystemError) -> String? {
        guard isAtPath else {
            // One that is broken there is looked for at its path alone.
            try holdOnlyIfSound()
            if try spool.fs.status(".")?.links == 0 {
                lostSpool = "the spool \(options.spool) was deleted while it was served"
            } else if access("\(options.spool)/\(Layout.format)", F_OK) == 0 {
                lostSpool = "another spool stands at \(options.spool) now than the one that was served"
            }
            return "the spool is not at \(options.spool) any more: it was moved or unmounted"
        }
        if let missing = try missingDirectories().first { return "\(missing)/ is missing" }
        guard try lock.isInPlace(spool: options.spool) else { return "\(Layout.lock) or \(Layout.running)/ is not what this spoold has locked" }
        guard try spool.journal.isInPlace() else { return "\(Layout.journal)/\(spool.journal.segment) is missing, or another file" }
        guard try spool.journal.isAsWritten() else {
            return "\(Layout.journal)/\(spool.journal.segment) is not what this spoold has written: somebody has cut it off or written to it"
        }
        return nil
    }

    private func missingDirectories() throws(SystemError) -> [String] {
        var missing: [String] = []
        for directory in Layout.directories where try !spool.fs.isDirectory(directory) { missing.append(directory) }
        return missing
    }

    private func makeMissing() throws(SystemError) {
        if !isAtPath { try holdOnlyIfSound() }
        guard isAtPath else { return }
        let isStateGone = try spool.fs.status(Layout.state) == nil
        // Moved away, it may come back.
        if isStateGone, try !lock.isRemoved() { return }
        for directory in try missingDirectories() {
            // Something else may stand there, which is not ours to remove.
            guard try spool.fs.status(directory) == nil else { continue }
            try service.persistently { () throws(SystemError) in try self.spool.fs.makeDirectory(directory) }
            log.write(.warning, "mended", at: now, ["what": "made \(directory)/, which was gone"])
            isSpoolSuspect = true
        }
        // As at the start: what is everybody's is so again.
        if isSpoolSuspect { try openForEverybody() }
        if isStateGone { try fillState() }
        try renewLock()
        if lostSpool != nil { return }
        if spool.journal.hasPending { try service.persistently { () throws(SystemError) in try self.spool.journal.commit() } }
        guard try spool.fs.status(Layout.journal) != nil else { return }
        if try service.writeJournalAnew() { isSpoolSuspect = true }
    }

    /// Writes what state/ holds besides the lock, as far as this daemon knows it.
    private func fillState() throws(SystemError) {
        do throws(SpoolError) { try Spool.prepare(spool.fs) } catch {
            if case .system(let inner) = error { throw inner }
            throw SystemError(call: "open", path: Layout.format, errno: EPROTONOSUPPORT)
        }
        // By it the spool knows that it is no copy.
        if service.copy == nil { try SpoolIdentity(id: spoolID, of: spool.fs, path: options.spool).write(spool.fs) }
        try service.claimAgain()
        // Their records have no name any more: who has none of a run could not be found by the next daemon.
        endIdleWorkers(keeping: 0)
        for worker in workers.values { worker.isLast = true }
        service.isPublishDue = true
    }

    /// Locks what stands at the spool's path now.
    private func renewLock() throws(SystemError) {
        guard try !lock.isInPlace(spool: options.spool) else { return }
        guard let renewed = try lock.renewed(spool: options.spool, host: host) else {
            lostSpool = "another spoold has locked \(options.spool)"
            return
        }
        lock = renewed
        log.write(.warning, "mended", at: now, ["what": "locked the spool anew, as \(Layout.lock) or \(Layout.running)/ was gone"])
        isSpoolSuspect = true
    }
}
