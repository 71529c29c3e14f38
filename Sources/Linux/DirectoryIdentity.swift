import CLinux
import Glibc

/// Which directory stands at a path, and by which mount it got there.
public struct DirectoryIdentity: Sendable, Equatable {
    /// The mount's number, statx(2) STATX_MNT_ID (Linux 5.8); 0 where the system does not tell.
    public let mount: UInt64
    public let device: UInt64
    public let inode: UInt64

    /// Nil when nothing stands there, or nothing that can be looked at; follows symbolic links.
    public static func read(_ path: String) -> DirectoryIdentity? {
        guard let status = try? FileStatus.read(path, followingLinks: true) else { return nil }
        return DirectoryIdentity(status, mount: mount { linux_statx(AT_FDCWD, path, 0, UInt32(STATX_MNT_ID), &$0) })
    }

    init(_ status: FileStatus, mount: UInt64) {
        self.mount = mount
        device = status.device
        inode = status.inode
    }

    static func mount(_ read: (inout statx) -> Int32) -> UInt64 {
        var status = statx()
        return read(&status) == 0 && status.stx_mask & UInt32(STATX_MNT_ID) != 0 ? status.stx_mnt_id : 0
    }

    /// Whether one of the two is there for something that was mounted or unmounted; else it was moved or made anew.
    public func isElsewhere(than other: DirectoryIdentity) -> Bool { mount != other.mount || device != other.device }
}

extension Directory {
    public borrowing func identity() throws(SystemError) -> DirectoryIdentity {
        let raw = raw
        return DirectoryIdentity(
            try descriptor.status(), mount: DirectoryIdentity.mount { linux_statx(raw, "", LINUX_AT_EMPTY_PATH, UInt32(STATX_MNT_ID), &$0) })
    }
}
