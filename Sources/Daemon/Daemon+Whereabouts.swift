import Glibc
import Linux
import Scheduler
import Store

// The spool may be moved, unmounted or deleted while it is served, or a directory of it. What holds:
// - All that the daemon writes goes to the spool that it has opened and locked, wherever that is now; nothing goes to what stands
//   at its path instead.
// - Nothing is started while the spool is not at its path, for a job finds its directory by path.
// - A directory that is gone for longer than somebody takes to put another in its place is made anew; the journal from memory. Only
//   for state/, with the lock and the records of runs, the daemon waits.
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
        guard try lock.isInPlace(spool: options.spool) else { return "\(Layout.lock) is not the file that this spoold has locked" }
        guard try isJournalInPlace() else { return "\(Layout.journal)/\(spool.journal.segment) is missing" }
        return nil
    }

    private func missingDirectories() throws(SystemError) -> [String] {
        var missing: [String] = []
        for directory in Layout.directories where try !spool.fs.isDirectory(directory) { missing.append(directory) }
        return missing
    }

    private func isJournalInPlace() throws(SystemError) -> Bool {
        try spool.fs.status("\(Layout.journal)/\(spool.journal.segment)") != nil
    }

    private func makeMissing() throws(SystemError) {
        if !isAtPath { try holdOnlyIfSound() }
        guard isAtPath, try spool.fs.status(Layout.state) != nil else { return }
        for directory in try missingDirectories() {
            // Something else may stand there, which is not ours to remove.
            guard try spool.fs.status(directory) == nil else { continue }
            try service.persistently { () throws(SystemError) in try self.spool.fs.makeDirectory(directory) }
            log.write(.warning, "mended", at: now, ["what": "made \(directory)/, which was gone"])
            isSpoolSuspect = true
        }
        if spool.journal.hasPending { try service.persistently { () throws(SystemError) in try self.spool.journal.commit() } }
        guard try spool.fs.status(Layout.journal) != nil, try !isJournalInPlace(), !service.hasUnplaced else { return }
        try service.rotateJournal()
        log.write(.warning, "mended", at: now, ["what": "wrote \(Layout.journal)/\(spool.journal.segment) from memory, as the journal was gone"])
        isSpoolSuspect = true
    }
}
