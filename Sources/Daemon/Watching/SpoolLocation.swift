import Glibc
import Linux
import Scheduler
import Store

/// The location of the spool, and the lock on it. Somebody may move, unmount or delete the spool or one of its directories while it is
/// served.
///
/// Invariants:
/// - The daemon writes only to the spool that it has opened and locked, wherever that is now, and never to another directory at its path.
/// - Nothing is started while the spool is not at its path, because a job finds its directory by path.
/// - A missing directory is made again after a second, in which somebody may put it back. A missing segment of the journal is written again
///   from memory at once.
/// - For a `state/` that was moved away the daemon waits, because the lock and the records of runs are in it. A `state/` that was removed
///   is made again. The spool stays locked meanwhile, because running/ is locked too. Runs continue, and this daemon records their ends.
/// - The daemon ends with exit code 1 when the spool cannot return: it was deleted, or another one is at its path.
final class SpoolLocation: Part {
    /// The time for which something may be missing before it is made again. Also the interval of the checks while it is missing.
    private static let missingMilliseconds: Int64 = 1000

    /// True when something may be wrong: the next turn checks everything.
    private var isSuspect = true
    /// The next time at which something missing is checked. Nil while nothing is missing.
    private var lookAt: MonotonicInstant?
    /// True when the whole spool must be read again as soon as nothing is missing.
    private var isFullLookDue = false
    /// The reason why there is no spool to serve any more. Nil while there is one.
    private(set) var lost: String?

    private var lock: SpoolLock
    /// The status of the spool's directory when it was opened.
    private let root: FileStatus
    private let path: String
    private let spoolID: String
    private let watch: SpoolWatch
    private let service: SpoolService
    private let log: Log

    /// Called when the spool or a directory of it was moved, removed or created.
    var onMove: () -> Void = {}
    /// Called when the spool is complete again.
    var onReturn: () -> Void = {}
    /// Called when `state/` was made again. The records of runs, which were in it, are gone.
    var onNewState: () -> Void = {}
    /// Called when directories were made again. In a spool for everybody they need their modes.
    var onNewDirectories: () throws(SystemError) -> Void = {}

    init(
        path: String, id: String, _ lock: consuming SpoolLock, _ watch: SpoolWatch, _ service: SpoolService, _ log: Log
    ) throws(SystemError) {
        self.path = path
        spoolID = id
        self.lock = lock
        self.watch = watch
        self.service = service
        self.log = log
        root = try service.spool.fs.ownStatus()
        watch.onSuspicion = { [unowned self] in suspect() }
        watch.onMove = { [unowned self] () throws(SystemError) in try moved() }
    }

    private var spool: Spool<DiskFileSystem> { service.spool }

    /// A suspicion may come after ``beforeTurn()``, from the events that are read after the turn.
    var wakeAt: Wake { Wake(monotonic: isSuspect ? .now() : lookAt) }
    var isIdle: Bool { lookAt == nil }

    // MARK: The lock

    func handOverLock() throws(SystemError) { try lock.handOver() }
    func keepLock() throws(SystemError) { try lock.keep() }

    // MARK: Looking

    /// Called once, before the daemon serves.
    func begin() throws(SystemError) { try watch.watch() }

    /// Has the next turn check everything.
    func suspect() { isSuspect = true }

    /// Called when other directories than the watched ones may be at the spool's paths now.
    private func moved() throws(SystemError) {
        // When the spool itself was moved, the watches have moved with it.
        if isAtPath { try watch.watchAnew() }
        onMove()
        isSuspect = true
        isFullLookDue = true
    }

    /// Checks the spool when something may be wrong, and mends what can be mended. Whether the spool is at its path is checked in every
    /// turn, which costs one system call.
    func beforeTurn() throws(SystemError) {
        let now = MonotonicInstant.now()
        if !isSuspect, !isAtPath { isSuspect = true }
        if let due = lookAt, now >= due { isSuspect = true }
        guard isSuspect else { return }
        isSuspect = false
        lookAt = nil
        guard let why = try whatIsWrong() else {
            if service.troubles[.spool] != nil {
                service.end(.spool)
                try watch.watchAnew()
                isFullLookDue = true
            }
            // The spool is read only now that nothing is missing. Otherwise the jobs in a missing directory would count as withdrawn.
            guard isFullLookDue else { return }
            isFullLookDue = false
            try service.lookAtAll()
            return onReturn()
        }
        if lost != nil { return }
        lookAt = now.advanced(byMilliseconds: Self.missingMilliseconds)
        guard service.troubles[.spool] == nil else { return try makeMissing() }
        service.begin(.spool, why, effect: "nothing is started until this is over")
        // If only the journal is missing, it is written at once: it is in memory alone and could be lost at any moment.
        if isAtPath, try missingDirectories().isEmpty, try lock.isInPlace(spool: path) { try makeMissing() }
    }

    /// True while the directory at the spool's path is the one that was opened.
    var isAtPath: Bool {
        guard let status = try? FileStatus.read(path, followingLinks: true) else { return false }  // unreadable counts as missing
        if status.inode == root.inode, status.device == root.device { return true }
        // On some file systems the numbers of a file change. So the open directory is read again.
        guard let own = try? spool.fs.ownStatus() else { return false }  // unreadable: treated as not at its path
        return status.inode == own.inode && status.device == own.device
    }

    /// The first fault of the spool's location. Nil when there is none.
    private func whatIsWrong() throws(SystemError) -> String? {
        guard isAtPath else {
            // Throws when the disk is broken. The daemon then lets go of the spool and waits for one at its path.
            try requireSoundDisk()
            if try spool.fs.status(".")?.links == 0 {
                lost = "the spool \(path) was deleted while it was served"
            } else if access("\(path)/\(Layout.format)", F_OK) == 0 {
                lost = "another spool is at \(path) now than the one that was served"
            }
            return "the spool is not at \(path) any more: it was moved or unmounted"
        }
        if let missing = try missingDirectories().first { return "\(missing)/ is missing" }
        guard try lock.isInPlace(spool: path) else { return "\(Layout.lock) or \(Layout.running)/ is not what this spoold has locked" }
        let segment = "\(Layout.journal)/\(spool.journal.segment)"
        guard try spool.journal.isInPlace() else { return "\(segment) is missing, or another file" }
        guard try spool.journal.isAsWritten() else {
            return "\(segment) is not what this spoold has written: somebody has cut it off or written to it"
        }
        return nil
    }

    private func missingDirectories() throws(SystemError) -> [String] {
        var missing: [String] = []
        for directory in Layout.directories where try !spool.fs.isDirectory(directory) { missing.append(directory) }
        return missing
    }

    /// Throws when the disk of the opened spool is broken.
    private func requireSoundDisk() throws(SystemError) {
        do throws(SystemError) { try spool.fs.tryWriting(isSynced: false) } catch {
            if error.isOfBrokenDisk { throw error }
        }
    }

    // MARK: Mending

    private func makeMissing() throws(SystemError) {
        if !isAtPath { try requireSoundDisk() }
        guard isAtPath else { return }
        let isStateGone = try spool.fs.status(Layout.state) == nil
        // A `state/` that was moved away may return.
        if isStateGone, try !lock.isRemoved() { return }
        for directory in try missingDirectories() {
            // A file may have the directory's name. It is not removed.
            guard try spool.fs.status(directory) == nil else { continue }
            try service.persistently { () throws(SystemError) in try self.spool.fs.makeDirectory(directory) }
            log.write(.warning, "mended", at: service.now, ["what": "made \(directory)/, which was gone"])
            isSuspect = true
        }
        if isSuspect { try onNewDirectories() }
        if isStateGone { try fillState() }
        try renewLock()
        if lost != nil { return }
        if spool.journal.hasPending { try service.persistently { () throws(SystemError) in try self.spool.journal.commit() } }
        guard try spool.fs.status(Layout.journal) != nil else { return }
        if try service.writeJournalAnew() { isSuspect = true }
    }

    /// Writes the files of a new state/ again, except the lock.
    private func fillState() throws(SystemError) {
        do throws(SpoolError) { try Spool.prepare(spool.fs) } catch {
            if case .system(let inner) = error { throw inner }
            throw SystemError(call: "open", path: Layout.format, errno: EPROTONOSUPPORT)
        }
        // Without its identity the spool would count as a copy of another one.
        if service.recovery.copy == nil { try SpoolIdentity(id: spoolID, of: spool.fs, path: path).write(spool.fs) }
        try service.uniqueKeys.claimAgain()
        onNewState()
        service.isPublishDue = true
    }

    /// Locks the files that are at the spool's path now, if they are not those that this daemon has locked.
    private func renewLock() throws(SystemError) {
        guard try !lock.isInPlace(spool: path) else { return }
        guard let renewed = try lock.renewed(spool: path, host: spool.host) else {
            lost = "another spoold has locked \(path)"
            return
        }
        lock = renewed
        let what = "locked the spool anew, as \(Layout.lock) or \(Layout.running)/ was gone"
        log.write(.warning, "mended", at: service.now, ["what": what])
        isSuspect = true
    }
}
