import Glibc
@_exported import Linux

/// The store accesses the disk only through this protocol. Paths are relative to the spool. Every call is one file operation, so
/// that a simulated disk can stop, fail or lose data between any two calls.
public protocol FileSystem: AnyObject {
    associatedtype Log: AppendLog

    /// The entries of a directory without `.` and `..`, in no order. A missing directory has no entries.
    func list(_ path: String) throws(SystemError) -> [DirectoryEntry]
    /// The status of the path itself, without following a link. Nil when nothing exists there.
    func status(_ path: String) throws(SystemError) -> FileStatus?
    /// Opens a file once, without following a link and without blocking, checks the opened file, and reads at most `limit` bytes.
    /// A file that is open for writing is `busy`, unless writers are ignored.
    func take(_ path: String, limit: Int, ignoringWriters: Bool) throws(SystemError) -> TakenFile
    /// The same for a regular file whose attributes the caller has found in a survey just before. Nil means the same as without them.
    func take(_ path: String, lookedAt status: FileStatus?, limit: Int) throws(SystemError) -> TakenFile
    /// The entries of a directory with their attributes. An entry that cannot be looked at, or that something is mounted over, has none.
    func survey(_ directory: String) throws(SystemError) -> [(entry: DirectoryEntry, status: FileStatus?)]
    /// True when there may be names that are ignored because they do not belong to the spool's owner.
    var hasForeign: Bool { get }
    /// True for a name that is ignored because it does not belong to the spool's owner.
    func isForeign(_ status: FileStatus) -> Bool
    /// True for a file that ``take`` reads.
    func isUsable(_ status: FileStatus) -> Bool
    /// Opens a file of the spool itself to read it in pieces, like ``take`` but whether or not it is being written. Only the
    /// journal may have any size; all other files are read whole by ``take``, within a limit.
    func openLines(_ path: String, from offset: Int64) throws(SystemError) -> OpenedFile
    /// Gives a file a second name. Returns false when that name belongs to another file.
    func keep(_ path: String, as name: String) throws(SystemError) -> Bool
    /// The owner of a name that is ignored because it does not belong to the spool's owner. Nil when the name counts.
    func foreignOwner(_ path: String) throws(SystemError) -> uid_t?
    /// True when another file system is mounted at a path. No call is made into that file system, which may never answer.
    func isMountPoint(_ path: String) throws(SystemError) -> Bool
    /// Writes a file that nobody else reads yet. It gets the owner of its directory.
    func create(_ path: String, _ bytes: [UInt8], mode: UInt32) throws(SystemError)
    /// Replaces a file by rename: readers see the whole old file or the whole new one.
    func replace(_ path: String, _ bytes: [UInt8]) throws(SystemError)
    /// Creates a directory for its owner alone. An existing directory is accepted.
    func makeDirectory(_ path: String) throws(SystemError)
    /// Where the file system can do so, distributes the directories that are made in this one over the disk.
    func spreadDirectories(in path: String)
    /// Gives a directory and its owner's files in it to another user: all files directly in it, or only those with these names.
    /// The job's own file keeps its owner and becomes readable, so that its content stays known. A directory that belongs to that
    /// user already is left unchanged.
    func give(_ path: String, to owner: FileOwner, only names: [String]?) throws(SystemError)
    /// Gives a directory back to the spool's owner. The files in it keep their owners.
    func takeBack(_ path: String) throws(SystemError)
    func rename(_ from: String, to: String) throws(SystemError)
    /// Like rename, but fails with EEXIST rather than replace.
    func renameNoReplace(_ from: String, to: String) throws(SystemError)
    func removeFile(_ path: String) throws(SystemError)
    func removeTree(_ path: String) throws(SystemError)
    /// Removes about this many names of a tree. Returns true when all of it is gone. `raised` is kept from one call to the next.
    func removeTree(_ path: String, atMost count: Int, _ raised: inout Int) throws(SystemError) -> Bool
    /// Makes a file's content, or a directory's entries, durable.
    func sync(_ path: String) throws(SystemError)
    /// Makes everything written so far durable.
    func syncAll() throws(SystemError)
    func openLog(_ path: String) throws(SystemError) -> Log
    /// A fast reader for many records. Nil where the platform does not support it.
    func recordReader() -> RecordReader?
}

extension FileSystem {
    public func take(_ path: String, lookedAt status: FileStatus?, limit: Int) throws(SystemError) -> TakenFile {
        try take(path, limit: limit, ignoringWriters: false)
    }

    public func survey(_ directory: String) throws(SystemError) -> [(entry: DirectoryEntry, status: FileStatus?)] {
        var found: [(entry: DirectoryEntry, status: FileStatus?)] = []
        for entry in try list(directory) {
            let status = try? status("\(directory)/\(entry.name)")  // an entry that cannot be looked at has none
            found.append((entry, status))
        }
        return found
    }

    public var hasForeign: Bool { false }

    public func isForeign(_ status: FileStatus) -> Bool { false }

    public func isUsable(_ status: FileStatus) -> Bool { status.kind == .file }

    public func spreadDirectories(in path: String) {}

    public func removeTree(_ path: String, atMost count: Int, _ raised: inout Int) throws(SystemError) -> Bool {
        try removeTree(path)
        return true
    }
}

/// The owner of a file.
public struct FileOwner: Hashable, Sendable {
    public var user: UInt32
    public var group: UInt32

    public init(user: UInt32, group: UInt32) {
        self.user = user
        self.group = group
    }
}

/// A file that grows at its end.
public protocol AppendLog: AnyObject {
    var size: Int64 { get }
    /// The status of the opened file, from stat(2).
    var inode: UInt64 { get }
    /// After a failure some of the bytes may have been written: truncate the file before trying again.
    func append(_ bytes: [UInt8]) throws(SystemError)
    func syncData() throws(SystemError)
    func truncate(to size: Int64) throws(SystemError)
}

/// The result of `take`.
public enum TakenFile {
    case file(FileStatus, [UInt8])
    /// Another process has the file open for writing.
    case busy
    /// The file is larger than the limit. The value is its size.
    case tooLarge(FileStatus)
    /// The file must not be used, by the rules of ``Trust``.
    case refused(FileStatus, why: String)
    /// The file does not belong to the spool's owner and is ignored.
    case foreign(FileStatus)
    case other(FileKind)
    case missing
}

extension FileSystem {
    public func take(_ path: String, limit: Int) throws(SystemError) -> TakenFile {
        try take(path, limit: limit, ignoringWriters: false)
    }

    public func recordReader() -> RecordReader? { nil }

    public func foreignOwner(_ path: String) throws(SystemError) -> uid_t? { nil }

    public func isMountPoint(_ path: String) throws(SystemError) -> Bool { false }

    /// True when a name among the jobs is a user's own directory in a shared spool, or something that a user has left beside it
    /// or mounted there.
    public func isStranger(_ name: String, in directory: String, isDirectory: Bool) throws(SystemError) -> Bool {
        if isDirectory, JobID(name) != nil { return false }
        let path = "\(directory)/\(name)"
        if try isMountPoint(path) { return true }
        return try foreignOwner(path) != nil
    }

    /// Replaces a file by another one with this content. The content is on the disk before the file gets the name, and the name
    /// is once its directory is synced. With ``replace(_:_:)``, a failed sync could leave a file that can be read and will never
    /// be on the disk.
    func replaceDurably(_ path: String, _ bytes: [UInt8], mode: UInt32 = 0o600) throws(SystemError) {
        let temporary = path + ".tmp"
        // Don't write over the file of an earlier attempt: its state on the disk is unknown.
        try removeTreeIfThere(temporary)
        try create(temporary, bytes, mode: mode)
        try sync(temporary)
        try rename(temporary, to: path)
    }
}

public final class DiskLog: AppendLog {
    public private(set) var size: Int64
    public let inode: UInt64
    private let file: FileDescriptor

    init(_ status: FileStatus, file: consuming FileDescriptor) {
        size = status.size
        inode = status.inode
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
