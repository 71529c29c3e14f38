import CLinux
import Glibc

/// Which directory stands at a path, and by which mount it got there.
public struct DirectoryIdentity: Sendable, Equatable {
    /// The mount's number, statx(2) STATX_MNT_ID (Linux 5.8); 0 where the system does not tell.
    public let mount: UInt64
    public let device: UInt64
    public let inode: UInt64

    /// Nil when no directory stands there, or none that can be looked at; follows symbolic links.
    public static func read(_ path: String) -> DirectoryIdentity? {
        // Why it cannot be looked at does not matter to whoever asks which one it is.
        try? Directory(owning: FileDescriptor.open(path, LINUX_O_PATH | O_DIRECTORY)).identity()
    }

    /// Whether one of the two is there for something that was mounted or unmounted; else it was moved or made anew.
    public func isElsewhere(than other: DirectoryIdentity) -> Bool { mount != other.mount || device != other.device }
}

extension Directory {
    /// Which one it is, fstat(2) and statx(2).
    public borrowing func identity() throws(SystemError) -> DirectoryIdentity {
        let own = try descriptor.status()
        var status = statx()
        // Before Linux 5.8 the mount is not told, before 4.11 nothing.
        let isTold = linux_statx(raw, "", LINUX_AT_EMPTY_PATH, UInt32(STATX_MNT_ID), &status) == 0 && status.stx_mask & UInt32(STATX_MNT_ID) != 0
        return DirectoryIdentity(mount: isTold ? status.stx_mnt_id : 0, device: own.device, inode: own.inode)
    }
}
