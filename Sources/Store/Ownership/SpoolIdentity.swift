// The identity of the spool, and whether the spool is still at the place where it was created: `state/identity`.
//
// A copy has other inodes than the original. A snapshot has the same inodes, on another device and under another path. A spool
// that is moved on its file system keeps its inode and device. A spool whose device gets another number at a restart keeps its
// inode and path. So it is the original spool if the inode is the same, and the device or the path too.

import Glibc

/// The name of a spool, and the place where it was created.
public struct SpoolIdentity: Sendable, Equatable {
    public static let file = "\(Layout.state)/identity"

    /// The id is in the header of each journal segment.
    public var id: String
    /// The status of `state/`, from stat(2).
    public var inode: UInt64
    public var device: UInt64
    /// The absolute path of the spool.
    public var path: String

    public init(id: String, inode: UInt64, device: UInt64, path: String) {
        self.id = id
        self.inode = inode
        self.device = device
        self.path = path
    }

    /// The identity of a spool that was created at this path.
    public init(id: String, of fs: some FileSystem, path: String) throws(SystemError) {
        guard let status = try fs.status(Layout.state) else { throw SystemError(call: "stat", path: Layout.state, errno: ENOENT) }
        self.init(id: id, inode: status.inode, device: status.device, path: path)
    }

    /// Reads `id=k3f9ab inode=12 device=34 path=/var/spool/spoold`. The path extends to the end of the file. Returns nil for
    /// anything else.
    public init?(_ bytes: [UInt8]) {
        let words = bytes.dropLast().split(separator: UInt8(ascii: " "), maxSplits: 3, omittingEmptySubsequences: false)
        func value(_ index: Int, _ key: String) -> [UInt8]? {
            words[index].starts(with: key.utf8) ? Array(words[index].dropFirst(key.utf8.count)) : nil
        }
        guard words.count == 4, bytes.last == UInt8(ascii: "\n"), let id = value(0, "id="), !id.isEmpty,
            let inode = value(1, "inode=").flatMap({ UInt64(String(decoding: $0, as: UTF8.self)) }),
            let device = value(2, "device=").flatMap({ UInt64(String(decoding: $0, as: UTF8.self)) }), let path = value(3, "path=")
        else { return nil }
        self.init(id: String(decoding: id, as: UTF8.self), inode: inode, device: device, path: FileName.string(from: path))
    }

    public var bytes: [UInt8] {
        Array("id=\(id) inode=\(inode) device=\(device) path=".utf8) + FileName.bytes(of: path) + [UInt8(ascii: "\n")]
    }

    /// The recorded identity. Nil when it is unreadable or missing, as in a spool of an earlier version.
    public static func read(_ fs: some FileSystem) throws(SystemError) -> SpoolIdentity? {
        guard case .file(_, let bytes) = try fs.take(file, limit: 16 << 10, ignoringWriters: true) else { return nil }
        return SpoolIdentity(bytes)
    }

    public func write(_ fs: some FileSystem) throws(SystemError) {
        try fs.replaceDurably(Self.file, bytes)
        try fs.sync(Layout.state)
    }

    /// True when the spool with this recorded identity was created at this place.
    public func isSamePlace(as here: SpoolIdentity) -> Bool {
        inode == here.inode && (device == here.device || path == here.path)
    }
}
