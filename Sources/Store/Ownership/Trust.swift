// Whose files count. A file's owner is not its author: anybody can hard-link or rename another's file into a directory that both may
// write. So authority is the directory, and within it a file counts only if it is its owner's, and nobody else could have written it.

import Glibc

/// What a file must be to count, where people put files that are then obeyed.
public struct Trust: Sendable, Equatable {
    /// Whose files these are.
    public var owner: uid_t
    /// Others may put files beside them: the directory is sticky and everybody's.
    public var isShared: Bool
    /// Nobody can link to a file of another's that he may not write, proc_sys_fs(5).
    public var areLinksProtected: Bool

    public init(owner: uid_t, isShared: Bool, areLinksProtected: Bool = Self.areLinksProtected()) {
        self.owner = owner
        self.isShared = isShared
        self.areLinksProtected = areLinksProtected
    }

    /// What the kernel says; where that cannot be read, they are not.
    public static func areLinksProtected() -> Bool {
        guard let setting = try? FileDescriptor.open("/proc/sys/fs/protected_hardlinks", O_RDONLY).readAll(limit: 16) else { return false }
        return setting.first == UInt8(ascii: "1")
    }

    /// The rules of a spool, by what it looks like. Nil where it is one person's, whom nobody else can reach.
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

    /// Why a file of the owner's cannot be used; nil: it can.
    public func objection(to status: FileStatus) -> String? {
        if status.mode & 0o7000 != 0 { return "has a setuid, setgid or sticky bit; chmod \(Self.octal(status.mode & 0o777)) it" }
        // The group's bits are also those of an access control list's mask, so this is what anybody but the owner may do at most.
        if status.mode & 0o022 != 0 { return "can be written by others than its owner; chmod go-w it" }
        // Somebody may have given a file of the owner's, from elsewhere, a name here.
        if isShared, !areLinksProtected, status.links > 1 { return "has \(status.links) names (hard links); copy it instead" }
        return nil
    }

    private static func octal(_ mode: mode_t) -> String { "0" + String(mode, radix: 8) }

    /// Whether a path is of what is obeyed: a name directly in one of the directories for that, or the job's own file in a directory there.
    static func concerns(_ path: String) -> Bool {
        let names = path.split(separator: "/", maxSplits: 3)
        guard names.count > 1, [Layout.new, Layout.tasks, Layout.schedules, Layout.control].contains(where: { $0 == names[0] }) else {
            return false
        }
        return names.count == 2 || names.count == 3 && Source.fileNames.contains(String(names[2]))
    }
}
