import Glibc
import Linux

/// The lock by which one daemon at most serves a spool: an open-file-description lock on `state/lock`, which the kernel
/// lets go of when its holder dies, and which can be asked about without being taken. The file says who holds it.
///
/// A daemon that becomes its successor, exec(3), keeps the lock all the while: the descriptor stays open and its number goes along in
/// the environment.
public struct SpoolLock: ~Copyable {
    private let file: FileDescriptor

    /// Who has the spool.
    public struct Holder: Sendable, Equatable {
        public var pid: Int32
        public var host: String
    }

    /// Opens the lock of the spool at `path`, to be waited for.
    public static func open(spool path: String) throws(SystemError) -> FileDescriptor {
        try FileDescriptor.open("\(path)/\(Layout.lock)", O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
    }

    /// Takes the lock of the spool at `path`. Nil when another process has it: `holder` says which.
    public static func acquire(spool path: String, host: String) throws(SystemError) -> SpoolLock? {
        try acquire(try open(spool: path), spool: path, host: host)
    }

    /// Takes a lock that was opened. Nil also when the file is not the spool's any more, because somebody made the spool anew.
    public static func acquire(_ file: consuming FileDescriptor, spool path: String, host: String) throws(SystemError) -> SpoolLock? {
        guard try file.tryRecordLock(), try isLock(file, ofSpool: path) else { return nil }
        let text = Array("\(getpid()) \(host)\n".utf8)
        do throws(SystemError) {
            // Over what is there, which needs no room on a full disk.
            try file.write(text, at: 0)
            try file.truncate(to: Int64(text.count))
        } catch {
            // It is locked all the same; who has it cannot be read in it.
            guard error.errno == ENOSPC || error.errno == EDQUOT else { throw error }
        }
        return SpoolLock(file: file)
    }

    private init(file: consuming FileDescriptor) { self.file = file }

    /// Whether the lock's file is still the one at its path: else somebody else may have the spool.
    public borrowing func isInPlace(spool path: String) throws(SystemError) -> Bool { try Self.isLock(file, ofSpool: path) }

    private static func isLock(_ file: borrowing FileDescriptor, ofSpool path: String) throws(SystemError) -> Bool {
        let own = try file.status()
        do throws(SystemError) {
            let named = try FileStatus.read("\(path)/\(Layout.lock)")
            return named.inode == own.inode && named.device == own.device
        } catch where error.errno == ENOENT {
            return false
        }
    }

    // MARK: Over exec

    private static let variable = "SPOOLD_LOCK"

    /// Lets the descriptor, and the word of it, outlive exec.
    public borrowing func handOver() throws(SystemError) {
        try file.setCloseOnExec(false)
        setenv(Self.variable, String(file.raw), 1)
    }

    /// Exec has failed: all as before.
    public borrowing func keep() throws(SystemError) {
        unsetenv(Self.variable)
        try file.setCloseOnExec(true)
    }

    /// The lock that this process held before it became this program; nil when there is none, or it is another spool's.
    public static func inherited(spool path: String, host: String) throws(SystemError) -> SpoolLock? {
        guard let text = getenv(variable).map({ String(cString: $0) }) else { return nil }
        unsetenv(variable)
        // Anybody may have set the variable: only a descriptor that is open on the lock file is taken over.
        guard let raw = Int32(text), raw > 2, fcntl(raw, F_GETFD) >= 0 else { return nil }
        let file = FileDescriptor(owning: raw)
        guard try isLock(file, ofSpool: path) else {
            _ = file.release()
            return nil
        }
        try file.setCloseOnExec(true)
        return try acquire(file, spool: path, host: host)
    }

    // MARK: Asking

    /// The daemon that serves the spool now; nil when none does.
    public static func holder(spool path: String) throws(SystemError) -> Holder? {
        let file: FileDescriptor
        do throws(SystemError) {
            file = try FileDescriptor.open("\(path)/\(Layout.lock)", O_RDONLY | O_NOFOLLOW)
        } catch {
            if error.errno == ENOENT { return nil }
            throw error
        }
        guard try file.isRecordLocked() else { return nil }
        let words = String(decoding: try file.read(count: 512, at: 0), as: UTF8.self).split(whereSeparator: \.isWhitespace)
        return Holder(pid: words.first.flatMap { Int32($0) } ?? 0, host: words.dropFirst().first.map(String.init) ?? "?")
    }
}
