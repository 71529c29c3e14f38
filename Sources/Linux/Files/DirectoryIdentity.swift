import CLinux
import Glibc

/// Tells the directory at a path from others, and the mount by which it is there.
public struct DirectoryIdentity: Sendable, Equatable {
    /// The mount's number, statx(2) STATX_MNT_ID (Linux 5.8); 0 where the system does not tell.
    public let mount: UInt64
    public let device: UInt64
    public let inode: UInt64

    /// Nil when no directory is there, or none that can be read; follows symbolic links.
    public static func read(_ path: String) -> DirectoryIdentity? {
        // The reason does not matter to the caller, who asks only which directory is there.
        try? Directory(owning: FileDescriptor.open(path, LINUX_O_PATH | O_DIRECTORY)).identity()
    }

    /// True when something was mounted or unmounted between the two. Otherwise the directory was moved or made anew.
    public func isElsewhere(than other: DirectoryIdentity) -> Bool { mount != other.mount || device != other.device }
}

extension Directory {
    /// The identity of the directory, fstat(2) and statx(2).
    public borrowing func identity() throws(SystemError) -> DirectoryIdentity {
        let own = try descriptor.status()
        var status = statx()
        // Before Linux 5.8 the mount is unknown. Before 4.11 there is no statx(2).
        let hasAnswer = linux_statx(raw, "", LINUX_AT_EMPTY_PATH, UInt32(STATX_MNT_ID), &status) == 0
        let isTold = hasAnswer && status.stx_mask & UInt32(STATX_MNT_ID) != 0
        return DirectoryIdentity(mount: isTold ? status.stx_mnt_id : 0, device: own.device, inode: own.inode)
    }
}
