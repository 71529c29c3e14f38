import CLinux
import Glibc

/// Identifies the directory at a path, and the mount through which it is there.
public struct DirectoryIdentity: Sendable, Equatable {
    /// The mount's number, statx(2) STATX_MNT_ID. 0 before Linux 5.8.
    public let mount: UInt64
    public let device: UInt64
    public let inode: UInt64

    /// The identity of the directory at a path, following symbolic links. Nil when there is no directory or it cannot be reached.
    public static func read(_ path: String) -> DirectoryIdentity? {
        try? Directory(owning: FileDescriptor.open(path, LINUX_O_PATH | O_DIRECTORY)).identity()  // the caller needs no reason
    }

    /// True when the two are on different mounts: something was mounted or unmounted in between. Otherwise, if they differ at all, the
    /// directory was moved or made again.
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
