import Glibc
import Linux

/// The lock that allows at most one daemon to serve a spool. It is an open-file-description lock on `state/lock`. The kernel
/// releases it when its holder dies, and it can be tested without taking it. The file contains the holder. Somebody may remove
/// that file, so directories are locked too; see ``SpoolAnchors``.
///
/// A daemon that executes its successor with exec(3) keeps the lock: the descriptors stay open, and the environment passes their
/// numbers.
public struct SpoolLock: ~Copyable {
    private let held: SpoolLockFiles

    /// The holder of the lock.
    public struct Holder: Sendable, Equatable {
        /// 0 means that the pid is unknown.
        public var pid: Int32
        public var host: String

        public init(pid: Int32, host: String) {
            self.pid = pid
            self.host = host
        }

        /// False when the holder's process has ended or is unknown: a child that it was starting may keep the locks for a moment.
        /// A holder on another machine counts as alive.
        public func isAlive(asSeenFrom own: String) -> Bool { pid > 0 && (host != own || kill(pid, 0) == 0 || errno != ESRCH) }
    }

    /// Takes the lock of the spool at `path`. Returns nil when another process has it, which `holder` then identifies.
    public static func acquire(spool path: String, host: String) throws(SystemError) -> SpoolLock? {
        try acquire(try SpoolLockFiles(spool: path), spool: path, host: host)
    }

    /// Takes a lock whose files are open. Also returns nil when these files are no longer the spool's, because somebody created
    /// them anew.
    public static func acquire(_ files: SpoolLockFiles, spool path: String, host: String) throws(SystemError) -> SpoolLock? {
        guard try files.anchors.tryLock(), try files.file.tryRecordLock(), try files.areInPlace(spool: path) else { return nil }
        try files.name(host)
        return SpoolLock(held: files)
    }

    private init(held: SpoolLockFiles) { self.held = held }

    /// True when the locked files are still those at the spool's path. Otherwise another daemon may serve the spool.
    public borrowing func isInPlace(spool path: String) throws(SystemError) -> Bool { try held.areInPlace(spool: path) }

    /// True when the lock's file has been removed, and not just moved away with `state/`.
    public borrowing func isRemoved() throws(SystemError) -> Bool { try held.file.status().links == 0 }

    /// The lock of the present files at the spool's path, some of which were created anew. Returns nil when another process has
    /// it. The old locks stay held until this lock is released.
    public borrowing func renewed(spool path: String, host: String) throws(SystemError) -> SpoolLock? {
        let files = try SpoolLockFiles(spool: path, keeping: held)
        guard try files.anchors.tryLock(), try files.file.tryRecordLock(), try files.areInPlace(spool: path) else { return nil }
        try files.name(host)
        return SpoolLock(held: files)
    }

    // MARK: Keeping the lock across exec

    /// Keeps the descriptors open, and the variable set, across exec.
    public borrowing func handOver() throws(SystemError) { try held.handOver() }

    /// Undoes the preparation after a failed exec.
    public borrowing func keep() throws(SystemError) { try held.keep() }

    /// The lock that this process held before it executed this program. Nil when there was none, or when it is another spool's.
    public static func inherited(spool path: String, host: String) throws(SystemError) -> SpoolLock? {
        guard let files = try SpoolLockFiles.inherited(spool: path) else { return nil }
        return try acquire(files, spool: path, host: host)
    }

    // MARK: Testing the lock

    /// The daemon that serves the spool now. Nil when there is none.
    public static func holder(spool path: String) throws(SystemError) -> Holder? {
        if let named = try namedHolder(spool: path) { return named }
        // Its lock file was removed, and it has not created another yet.
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
