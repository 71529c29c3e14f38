// Which spool this is, and whether it still stands where it was made: `state/identity`.
//
// A copy has other inodes than what it was copied from; a snapshot has the same, on another device and under another path. A
// spool that is moved on its file system keeps its inode and device, and one whose device has another number after a
// restart keeps its inode and path. So a spool is the one that was made when the inode is the same, and the device or the path.

import Glibc

/// What a spool is called, and where it was made.
public struct SpoolIdentity: Sendable, Equatable {
    public static let file = "\(Layout.state)/identity"

    /// Stands in the header of each segment of the journal.
    public var id: String
    /// Of `state/`, as stat(2) has it.
    public var inode: UInt64
    public var device: UInt64
    /// The spool's, absolute.
    public var path: String

    public init(id: String, inode: UInt64, device: UInt64, path: String) {
        self.id = id
        self.inode = inode
        self.device = device
        self.path = path
    }

    /// The identity of a spool that was made at this path.
    public init(id: String, of fs: some FileSystem, path: String) throws(SystemError) {
        guard let status = try fs.status(Layout.state) else { throw SystemError(call: "stat", path: Layout.state, errno: ENOENT) }
        self.init(id: id, inode: status.inode, device: status.device, path: path)
    }

    /// `id=k3f9ab inode=12 device=34 path=/var/spool/spoold`, the path to the end of the file; nil for anything else.
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

    /// What the spool says of itself; nil when it says nothing, as one of an earlier version, or nothing that can be read.
    public static func read(_ fs: some FileSystem) throws(SystemError) -> SpoolIdentity? {
        guard case .file(_, let bytes) = try fs.take(file, limit: 16 << 10, ignoringWriters: true) else { return nil }
        return SpoolIdentity(bytes)
    }

    public func write(_ fs: some FileSystem) throws(SystemError) {
        try fs.replaceDurably(Self.file, bytes)
        try fs.sync(Layout.state)
    }

    /// Whether a spool that calls itself so is the one that was made here.
    public func isSamePlace(as here: SpoolIdentity) -> Bool {
        inode == here.inode && (device == here.device || path == here.path)
    }
}
