// Decides which files count. The owner of a file is not always its author: anybody can hard-link or rename another user's file
// into a directory where both may write. So the directory gives the authority, and a file in it counts only if it belongs to the
// directory's owner and nobody else could have written it.

import Glibc

/// The requirements for a file that the daemon obeys.
public struct Trust: Sendable, Equatable {
    /// The owner whose files count.
    public var owner: uid_t
    /// True when others may put files beside them: the directory is sticky and writable for everybody.
    public var isShared: Bool
    /// True when a user cannot link to another user's file that the user may not write, proc_sys_fs(5).
    public var areLinksProtected: Bool

    public init(owner: uid_t, isShared: Bool, areLinksProtected: Bool = Self.areLinksProtected()) {
        self.owner = owner
        self.isShared = isShared
        self.areLinksProtected = areLinksProtected
    }

    /// The kernel's setting. If it cannot be read, links are not protected.
    public static func areLinksProtected() -> Bool {
        let path = "/proc/sys/fs/protected_hardlinks"
        let setting = try? FileDescriptor.open(path, O_RDONLY).readAll(limit: 16)  // not readable: not protected
        return setting?.first == UInt8(ascii: "1")
    }

    /// The rules for a spool, from its owner and mode. Nil for the spool of one user that nobody else can reach.
    init?(in spool: borrowing Directory) throws(SystemError) {
        func status(_ name: String, followingLinks: Bool = false) throws(SystemError) -> FileStatus? {
            do throws(SystemError) { return try spool.status(name, followingLinks: followingLinks) } catch {
                if error.errno == ENOENT { return nil }
                throw error
            }
        }
        guard let new = try status(Layout.new) else { return nil }
        if new.kind == .symbolicLink {
            guard let own = try status(Layout.new, followingLinks: true) else { return nil }
            self.init(owner: own.owner, isShared: false)
        } else if try status(Layout.users) != nil {
            self.init(owner: new.owner, isShared: new.mode & 0o002 != 0)
        } else {
            return nil
        }
    }

    /// The reason why a file of the owner cannot be used. Nil when it can.
    public func objection(to status: FileStatus) -> String? {
        if status.mode & 0o7000 != 0 { return "has a setuid, setgid or sticky bit; chmod \(Self.octal(status.mode & 0o777)) it" }
        // The bits of the group are also those of an access control list's mask, so this is the most that anybody but the owner
        // may do.
        if status.mode & 0o022 != 0 { return "can be written by others than its owner; chmod go-w it" }
        // Somebody may have linked a file of the owner from elsewhere into this directory.
        if isShared, !areLinksProtected, status.links > 1 { return "has \(status.links) names (hard links); copy it instead" }
        return nil
    }

    private static func octal(_ mode: mode_t) -> String { "0" + String(mode, radix: 8) }

    /// True for a path that the daemon obeys: a name directly in one of these directories, or the job's own file in a directory
    /// there.
    static func concerns(_ path: String) -> Bool {
        let names = path.split(separator: "/", maxSplits: 3)
        guard names.count > 1, [Layout.new, Layout.tasks, Layout.schedules, Layout.control].contains(where: { $0 == names[0] }) else {
            return false
        }
        return names.count == 2 || names.count == 3 && Source.fileNames.contains(String(names[2]))
    }
}
