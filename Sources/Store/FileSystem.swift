import CLinux
import Glibc
@_exported import Linux

/// The store's only door to the disk. Paths are relative to the spool. Every call is one file operation, so that a
/// simulated disk can stop, fail or forget between any two of them.
public protocol FileSystem: AnyObject {
    associatedtype Log: AppendLog

    /// The entries of a directory without `.` and `..`, in no order. A directory that is missing has none.
    func list(_ path: String) throws(SystemError) -> [DirectoryEntry]
    /// What stands at the path itself (links are not followed); nil when nothing does.
    func status(_ path: String) throws(SystemError) -> FileStatus?
    /// Opens once without following a link and without blocking, looks at what it has opened, and reads at most `limit`.
    /// A file that somebody has open for writing is `busy`, unless writers are ignored.
    func take(_ path: String, limit: Int, ignoringWriters: Bool) throws(SystemError) -> TakenFile
    /// Writes a file that nobody else looks at yet.
    func create(_ path: String, _ bytes: [UInt8], mode: UInt32) throws(SystemError)
    /// Replaces a file by rename: readers see the old or the new, whole.
    func replace(_ path: String, _ bytes: [UInt8]) throws(SystemError)
    /// Makes a directory for its owner alone; one that is there already will do.
    func makeDirectory(_ path: String) throws(SystemError)
    func rename(_ from: String, to: String) throws(SystemError)
    /// Like rename, but fails with EEXIST rather than replace.
    func renameNoReplace(_ from: String, to: String) throws(SystemError)
    func removeFile(_ path: String) throws(SystemError)
    func removeTree(_ path: String) throws(SystemError)
    /// Makes a file's content, or a directory's entries, durable.
    func sync(_ path: String) throws(SystemError)
    /// Makes everything written so far durable.
    func syncAll() throws(SystemError)
    func openLog(_ path: String) throws(SystemError) -> Log
}

/// A file that grows at its end.
public protocol AppendLog: AnyObject {
    var size: Int64 { get }
    /// On failure some of the bytes may have been written: truncate before trying again.
    func append(_ bytes: [UInt8]) throws(SystemError)
    func syncData() throws(SystemError)
    func truncate(to size: Int64) throws(SystemError)
}

/// What `take` found.
public enum TakenFile {
    case file(FileStatus, [UInt8])
    /// Somebody has it open for writing.
    case busy
    /// More than the limit, with its size.
    case tooLarge(FileStatus)
    case other(FileKind)
    case missing
}

extension FileSystem {
    public func take(_ path: String, limit: Int) throws(SystemError) -> TakenFile {
        try take(path, limit: limit, ignoringWriters: false)
    }

    /// Reads a file of the spool's own, of any size, whoever writes it.
    func takeOwn(_ path: String) throws(SystemError) -> TakenFile {
        try take(path, limit: Int.max - 1, ignoringWriters: true)
    }
}

/// The real disk.
public final class DiskFileSystem: FileSystem {
    public let path: String
    let root: Directory

    /// Opens the spool at an absolute path.
    public init(path: String) throws(SystemError) {
        self.path = path
        root = try Directory.open(path)
        // Whoever opens a file just while `take` keeps writers out has the kernel say so, which would end the process.
        _ = linux_ignore_signal(SIGIO)
    }

    public func list(_ path: String) throws(SystemError) -> [DirectoryEntry] {
        do throws(SystemError) { return try root.openDirectory(path).list() } catch {
            if error.errno == ENOENT { return [] }
            throw error
        }
    }

    public func status(_ path: String) throws(SystemError) -> FileStatus? {
        do throws(SystemError) { return try root.status(path) } catch {
            if error.errno == ENOENT || error.errno == ENOTDIR { return nil }
            throw error
        }
    }

    public func take(_ path: String, limit: Int, ignoringWriters: Bool) throws(SystemError) -> TakenFile {
        let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
        do throws(SystemError) {
            // A FIFO or device is told by its name first: opening a device can have effects.
            let look = try root.status(path)
            guard look.kind == .file else { return .other(look.kind) }
            let file = try root.openFile(path, flags)
            // Before anything is known of it, so that all that is known is of one moment.
            if !ignoringWriters, !file.excludeWriters() { return .busy }
            // The opened inode decides, whatever the name meant a moment ago.
            let status = try file.status()
            guard status.kind == .file else { return .other(status.kind) }
            guard status.size <= Int64(limit) else { return .tooLarge(status) }
            let bytes = try file.readAll(limit: limit + 1)
            guard bytes.count <= limit else { return .tooLarge(status) }
            return .file(status, bytes)
        } catch {
            switch error.errno {
            case ENOENT: return .missing
            case ELOOP: return .other(.symbolicLink)
            case EAGAIN: return .busy
            default: throw error
            }
        }
    }

    public func create(_ path: String, _ bytes: [UInt8], mode: UInt32) throws(SystemError) {
        try root.writeFile(path, bytes, mode: mode)
    }

    public func replace(_ path: String, _ bytes: [UInt8]) throws(SystemError) {
        let temporary = path + ".tmp"
        try root.writeFile(temporary, bytes, mode: 0o600)
        try root.rename(temporary, to: path)
    }

    /// Gives a file a second name, link(2).
    public func link(_ existing: String, to new: String) throws(SystemError) { try root.link(existing, to: new) }

    public func makeDirectory(_ path: String) throws(SystemError) {
        do throws(SystemError) { try root.makeDirectory(path) } catch {
            if error.errno != EEXIST { throw error }
        }
    }

    public func rename(_ from: String, to: String) throws(SystemError) { try root.rename(from, to: to) }

    public func renameNoReplace(_ from: String, to: String) throws(SystemError) {
        try root.renameNoReplace(from, to: to)
    }

    public func removeFile(_ path: String) throws(SystemError) { try root.unlink(path) }

    public func removeTree(_ path: String) throws(SystemError) { try root.removeTree(path) }

    public func sync(_ path: String) throws(SystemError) {
        try root.openFile(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC).sync()
    }

    public func syncAll() throws(SystemError) {
        guard linux_syncfs(root.raw) == 0 else { throw SystemError(call: "syncfs", path: path, errno: errno) }
    }

    public func openLog(_ path: String) throws(SystemError) -> DiskLog {
        let file = try root.openFile(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC)
        return DiskLog(size: try file.status().size, file: file)
    }
}

public final class DiskLog: AppendLog {
    public private(set) var size: Int64
    private let file: FileDescriptor

    init(size: Int64, file: consuming FileDescriptor) {
        self.size = size
        self.file = file
    }

    public func append(_ bytes: [UInt8]) throws(SystemError) {
        try file.write(bytes)
        size += Int64(bytes.count)
    }

    public func syncData() throws(SystemError) { try file.syncData() }

    public func truncate(to size: Int64) throws(SystemError) {
        try file.truncate(to: size)
        self.size = size
    }
}
