import CLinux
import Glibc

/// The kind of file that a name leads to.
public enum FileKind: UInt8, Sendable {
    case file, directory, symbolicLink, fifo, socket, characterDevice, blockDevice, unknown
    /// Another file system is mounted here, and it was not asked for the kind.
    case mountPoint

    init(mode: mode_t) {
        self =
            switch mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .directory
            case S_IFLNK: .symbolicLink
            case S_IFIFO: .fifo
            case S_IFSOCK: .socket
            case S_IFCHR: .characterDevice
            case S_IFBLK: .blockDevice
            default: .unknown
            }
    }

    /// The kind for `d_type` of getdents64(2), which has the upper bits of the mode.
    init(directoryEntryType type: UInt8) { self.init(mode: mode_t(type) << 12) }
}

/// The attributes of a file, stat(2).
public struct FileStatus: Sendable, Equatable {
    public var kind: FileKind
    /// Permission bits, 07777.
    public var mode: mode_t
    /// Bytes.
    public var size: Int64
    public var inode: UInt64
    public var device: UInt64
    /// Hard links.
    public var links: UInt64
    public var owner: uid_t
    public var group: gid_t
    /// The time of the last change of the content, in nanoseconds since the epoch.
    public var modifiedNanoseconds: Int64
    /// The time of the last change of content, owner, mode or links, in nanoseconds since the epoch.
    public var changedNanoseconds: Int64

    /// Makes the attributes of a file on a simulated disk.
    public init(
        kind: FileKind, mode: mode_t, size: Int64, inode: UInt64, device: UInt64 = 0, links: UInt64, owner: uid_t = 0,
        group: gid_t = 0, modifiedNanoseconds: Int64, changedNanoseconds: Int64
    ) {
        self.kind = kind
        self.mode = mode
        self.size = size
        self.inode = inode
        self.device = device
        self.links = links
        self.owner = owner
        self.group = group
        self.modifiedNanoseconds = modifiedNanoseconds
        self.changedNanoseconds = changedNanoseconds
    }

    /// The attributes of the file at a path, stat(2). Those of a symbolic link itself, lstat(2), unless `followingLinks` is true.
    public static func read(_ path: String, followingLinks: Bool = false) throws(SystemError) -> FileStatus {
        var status = stat()
        try attempt("stat", at: path) { fstatat(AT_FDCWD, $0, &status, followingLinks ? 0 : AT_SYMLINK_NOFOLLOW) }
        return FileStatus(status)
    }

    init(_ status: stat) {
        kind = FileKind(mode: status.st_mode)
        mode = status.st_mode & 0o7777
        size = Int64(status.st_size)
        inode = UInt64(status.st_ino)
        device = UInt64(status.st_dev)
        links = UInt64(status.st_nlink)
        owner = status.st_uid
        group = status.st_gid
        modifiedNanoseconds = FileStatus.nanoseconds(status.st_mtim)
        changedNanoseconds = FileStatus.nanoseconds(status.st_ctim)
    }

    init(_ status: statx) {
        kind = FileKind(mode: mode_t(status.stx_mode))
        mode = mode_t(status.stx_mode) & 0o7777
        size = Int64(bitPattern: status.stx_size)
        inode = status.stx_ino
        device = linux_makedev(status.stx_dev_major, status.stx_dev_minor)
        links = UInt64(status.stx_nlink)
        owner = status.stx_uid
        group = status.stx_gid
        modifiedNanoseconds = FileStatus.nanoseconds(status.stx_mtime)
        changedNanoseconds = FileStatus.nanoseconds(status.stx_ctime)
    }

    // A file can have any time (touch -d @9e18), so this wraps on overflow and does not trap.
    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }

    private static func nanoseconds(_ time: statx_timestamp) -> Int64 { time.tv_sec &* 1_000_000_000 &+ Int64(time.tv_nsec) }
}

extension FileKind {
    /// The kind for a message, with its article.
    public var article: String {
        switch self {
        case .file: "a regular file"
        case .directory: "a directory"
        case .symbolicLink: "a symbolic link"
        case .fifo: "a FIFO"
        case .socket: "a socket"
        case .characterDevice, .blockDevice: "a device"
        case .unknown: "something unknown"
        case .mountPoint: "where another file system is mounted"
        }
    }
}
