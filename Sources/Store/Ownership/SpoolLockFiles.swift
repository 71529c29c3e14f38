import Glibc
import Linux

/// The open files for taking a spool's lock, or for waiting for it: `state/lock`, and the directories that are locked too.
public final class SpoolLockFiles: Sendable {
    let file: FileDescriptor
    let anchors: SpoolAnchors

    /// Opens the files that are now at the spool's path.
    public init(spool path: String) throws(SystemError) {
        file = try FileDescriptor.open("\(path)/\(Layout.lock)", O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode: 0o600)
        anchors = try SpoolAnchors(spool: path)
    }

    /// As above, but reuses files that are held and still in place: opening them again would give another lock owner.
    init(spool path: String, keeping held: SpoolLockFiles) throws(SystemError) {
        if try Self.isLock(held.file, ofSpool: path) {
            file = try held.file.duplicate()
        } else {
            file = try FileDescriptor.open("\(path)/\(Layout.lock)", O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode: 0o600)
        }
        anchors = try held.anchors.areInPlace(spool: path) ? held.anchors : SpoolAnchors(spool: path, keeping: held.anchors)
    }

    private init(file: consuming FileDescriptor, anchors: SpoolAnchors) {
        self.file = file
        self.anchors = anchors
    }

    /// Takes the lock when its holder releases it. Blocks the calling thread.
    public func awaitLock() throws(SystemError) {
        try anchors.awaitLock()
        try file.awaitRecordLock()
    }

    func areInPlace(spool path: String) throws(SystemError) -> Bool {
        guard try Self.isLock(file, ofSpool: path) else { return false }
        return try anchors.areInPlace(spool: path)
    }

    private static func isLock(_ file: borrowing FileDescriptor, ofSpool path: String) throws(SystemError) -> Bool {
        let own = try file.status()
        do throws(SystemError) {
            let named = try FileStatus.read("\(path)/\(Layout.lock)")
            return named.inode == own.inode && named.device == own.device
        } catch where error.errno == ENOENT {
            return false
        }
    }

    /// Writes the holder of the lock into the file.
    func name(_ host: String) throws(SystemError) {
        let text = Array("\(getpid()) \(host)\n".utf8)
        do throws(SystemError) {
            // Overwrite the existing content, which needs no room on a full disk.
            try file.write(text, at: 0)
            try file.truncate(to: Int64(text.count))
        } catch {
            // The file is locked all the same. Only the name of the holder is missing.
            guard error.errno == ENOSPC || error.errno == EDQUOT else { throw error }
        }
    }

    // MARK: Keeping the lock across exec

    private static let variable = "SPOOLD_LOCK"

    func handOver() throws(SystemError) {
        try file.setCloseOnExec(false)
        setenv(Self.variable, String(file.raw), 1)
        try anchors.handOver()
    }

    func keep() throws(SystemError) {
        unsetenv(Self.variable)
        try file.setCloseOnExec(true)
        try anchors.keep()
    }

    /// The lock that this process held before it executed this program. Nil when there was none, or when it is another spool's.
    static func inherited(spool path: String) throws(SystemError) -> SpoolLockFiles? {
        // The files are closed if the lock is another spool's.
        let anchors = try SpoolAnchors.inherited(spool: path)
        guard let text = getenv(variable).map({ String(cString: $0) }) else { return nil }
        unsetenv(variable)
        // Anybody may have set the variable: only a descriptor that is open on the lock file is accepted.
        guard let raw = Int32(text), raw > 2, fcntl(raw, F_GETFD) >= 0 else { return nil }
        let file = FileDescriptor(owning: raw)
        guard try isLock(file, ofSpool: path) else {
            _ = file.release()
            return nil
        }
        try file.setCloseOnExec(true)
        if let anchors, try anchors.areInPlace(spool: path) { return SpoolLockFiles(file: file, anchors: anchors) }
        // An older program set no such variable.
        return SpoolLockFiles(file: file, anchors: try SpoolAnchors(spool: path))
    }
}
