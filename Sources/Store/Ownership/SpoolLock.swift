import Glibc
import Linux

/// The lock by which one daemon at most serves a spool: an open-file-description lock on `state/lock`, which the kernel
/// lets go of when its holder dies, and which can be asked about without being taken. The file says who holds it.
/// Somebody may remove that file, so the lock hangs on directories too; see ``SpoolAnchors``.
///
/// A daemon that becomes its successor, exec(3), keeps the lock all the while: the descriptors stay open and their numbers go along in
/// the environment.
public struct SpoolLock: ~Copyable {
    private let held: SpoolLockFiles

    /// Who has the spool.
    public struct Holder: Sendable, Equatable {
        /// 0: nobody can tell.
        public var pid: Int32
        public var host: String

        public init(pid: Int32, host: String) {
            self.pid = pid
            self.host = host
        }

        /// False when its process has ended, or nobody can tell: a child that it was starting may have the locks for a moment more. One on
        /// another machine counts as alive.
        public func isAlive(asSeenFrom own: String) -> Bool { pid > 0 && (host != own || kill(pid, 0) == 0 || errno != ESRCH) }
    }

    /// Takes the lock of the spool at `path`. Nil when another process has it: `holder` says which.
    public static func acquire(spool path: String, host: String) throws(SystemError) -> SpoolLock? {
        try acquire(try SpoolLockFiles(spool: path), spool: path, host: host)
    }

    /// Takes a lock that was opened. Nil also when what was opened is not the spool's any more, because somebody made it anew.
    public static func acquire(_ files: SpoolLockFiles, spool path: String, host: String) throws(SystemError) -> SpoolLock? {
        guard try files.anchors.tryLock(), try files.file.tryRecordLock(), try files.areInPlace(spool: path) else { return nil }
        try files.name(host)
        return SpoolLock(held: files)
    }

    private init(held: SpoolLockFiles) { self.held = held }

    /// Whether what is locked is still what stands at the spool's path: else somebody else may have the spool.
    public borrowing func isInPlace(spool path: String) throws(SystemError) -> Bool { try held.areInPlace(spool: path) }

    /// Whether the lock's file has been removed, and not only moved away with `state/`.
    public borrowing func isRemoved() throws(SystemError) -> Bool { try held.file.status().links == 0 }

    /// The lock of what stands at the spool's path now, of which something was made anew. Nil when another process has it. What has
    /// been held stays so until this one is let go of.
    public borrowing func renewed(spool path: String, host: String) throws(SystemError) -> SpoolLock? {
        let files = try SpoolLockFiles(spool: path, keeping: held)
        guard try files.anchors.tryLock(), try files.file.tryRecordLock(), try files.areInPlace(spool: path) else { return nil }
        try files.name(host)
        return SpoolLock(held: files)
    }

    // MARK: Over exec

    /// Lets the descriptors, and the word of them, outlive exec.
    public borrowing func handOver() throws(SystemError) { try held.handOver() }

    /// Exec has failed: all as before.
    public borrowing func keep() throws(SystemError) { try held.keep() }

    /// The lock that this process held before it became this program; nil when there is none, or it is another spool's.
    public static func inherited(spool path: String, host: String) throws(SystemError) -> SpoolLock? {
        guard let files = try SpoolLockFiles.inherited(spool: path) else { return nil }
        return try acquire(files, spool: path, host: host)
    }

    // MARK: Asking

    /// The daemon that serves the spool now; nil when none does.
    public static func holder(spool path: String) throws(SystemError) -> Holder? {
        if let named = try namedHolder(spool: path) { return named }
        // Its lock's file was removed, and it has not made another yet.
        return try SpoolAnchors.holder(spool: path).map { Holder(pid: $0, host: Machine.name()) }
    }

    private static func namedHolder(spool path: String) throws(SystemError) -> Holder? {
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
