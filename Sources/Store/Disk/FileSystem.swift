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
    /// Opens a file of the spool's own to be read piece by piece, whoever writes it, in the way of ``take``. The journal alone is of any
    /// size; all else is read by ``take``, whole and within a limit.
    func openLines(_ path: String, from offset: Int64) throws(SystemError) -> OpenedFile
    /// Gives a file a second name. False: that name is another file's.
    func keep(_ path: String, as name: String) throws(SystemError) -> Bool
    /// Whose a name is that does not count, because it is not the owner's; nil when it does.
    func foreignOwner(_ path: String) throws(SystemError) -> uid_t?
    /// Whether another file system is mounted at a path. That is not asked anything: it may never answer.
    func isMountPoint(_ path: String) throws(SystemError) -> Bool
    /// Writes a file that nobody else looks at yet. It belongs to whom its directory belongs to.
    func create(_ path: String, _ bytes: [UInt8], mode: UInt32) throws(SystemError)
    /// Replaces a file by rename: readers see the old or the new, whole.
    func replace(_ path: String, _ bytes: [UInt8]) throws(SystemError)
    /// Makes a directory for its owner alone; one that is there already will do.
    func makeDirectory(_ path: String) throws(SystemError)
    /// Makes a directory, and what its owner has put into it so far, somebody else's for their own use: all the files directly in it,
    /// or those of these names alone. A job's own file stays its owner's and can be read, so that it is known to say what it said.
    /// A directory that is theirs already is left as it is.
    func give(_ path: String, to owner: FileOwner, only names: [String]?) throws(SystemError)
    /// Makes a directory that was given away the spool owner's again; what is in it stays whose it is.
    func takeBack(_ path: String) throws(SystemError)
    func rename(_ from: String, to: String) throws(SystemError)
    /// Like rename, but fails with EEXIST rather than replace.
    func renameNoReplace(_ from: String, to: String) throws(SystemError)
    func removeFile(_ path: String) throws(SystemError)
    func removeTree(_ path: String) throws(SystemError)
    /// Removes about so many names of a tree; true when all of it is gone. `raised` is kept from one call to the next.
    func removeTree(_ path: String, atMost count: Int, _ raised: inout Int) throws(SystemError) -> Bool
    /// Makes a file's content, or a directory's entries, durable.
    func sync(_ path: String) throws(SystemError)
    /// Makes everything written so far durable.
    func syncAll() throws(SystemError)
    func openLog(_ path: String) throws(SystemError) -> Log
    /// Reads many records quickly; nil where that cannot be done.
    func recordReader() -> RecordReader?
}

extension FileSystem {
    public func removeTree(_ path: String, atMost count: Int, _ raised: inout Int) throws(SystemError) -> Bool {
        try removeTree(path)
        return true
    }
}

/// Whose a file is.
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
    /// What was opened, as stat(2) has it.
    var inode: UInt64 { get }
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
    /// It must not be used, by the rules of ``Trust``.
    case refused(FileStatus, why: String)
    /// It is not the owner's, and does not count.
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

    /// Whether a name among jobs is a user's own directory in a spool that serves everybody, or what a user has left beside it, or
    /// mounted there.
    public func isStranger(_ name: String, in directory: String, isDirectory: Bool) throws(SystemError) -> Bool {
        if isDirectory, JobID(name) != nil { return false }
        let path = "\(directory)/\(name)"
        if try isMountPoint(path) { return true }
        return try foreignOwner(path) != nil
    }

    /// Puts another file, with this content, in a file's place. It is on the disk before it has the name; the name is, once its directory
    /// is synced. After ``replace(_:_:)`` a sync may fail, which leaves under the name what can be read and will never be on the disk.
    func replaceDurably(_ path: String, _ bytes: [UInt8], mode: UInt32 = 0o600) throws(SystemError) {
        let temporary = path + ".tmp"
        // Not over what an earlier attempt has left: of that nothing may be believed.
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
