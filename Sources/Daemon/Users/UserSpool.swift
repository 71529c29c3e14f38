import CLinux
import Glibc
import Linux
import Store

/// Makes each user's part of a spool that serves everybody, see UserPart, and checks that it belongs to the user.
enum UserSpool {
    // MARK: Being the user

    /// Gives this process, which root's daemon has started, the user's identity for good.
    static func become(_ name: String) throws {
        guard geteuid() == 0, let user = try UserPart.owner(ofName: name) else {
            throw DaemonFailure("--serve-user is for spoold itself: root's spoold starts it so for a user; \(name) cannot be served")
        }
        try user.credentials().assume()
    }

    // MARK: The spool of all

    /// Sets the modes that a spool for everybody needs. In the shared directories each user can make a directory of their own name, unless
    /// the configuration names the users. Only root can list the directories in which jobs are.
    static func openSpool(_ spool: borrowing Directory, isForNamedUsers: Bool) throws(SystemError) {
        for name in Layout.directories where !name.utf8.contains(UInt8(ascii: "/")) {
            let mode: mode_t = !Layout.shared.contains(name) ? 0o711 : isForNamedUsers ? 0o755 : 0o1777
            try set(mode, of: name, in: spool)
        }
        do throws(SystemError) { try spool.makeDirectory(Layout.users) } catch where error.errno == EEXIST {}
        try set(0o755, of: Layout.users, in: spool)
    }

    private static func set(_ mode: mode_t, of name: String, in spool: borrowing Directory) throws(SystemError) {
        let directory = try spool.openFile(name, O_RDONLY | O_DIRECTORY)
        if try directory.status().mode != mode { try directory.setMode(mode) }
    }

    // MARK: Admission

    /// Creates the file by which a refused user learns of the refusal: users may not be able to read the configuration.
    static func deny(_ name: String, in spool: borrowing Directory) throws(SystemError) {
        _ = try spool.openFile(UserPart.denial(of: name), O_WRONLY | O_CREAT | O_NOFOLLOW)
    }

    /// Removes the file that ``deny(_:in:)`` creates.
    static func admit(_ name: String, in spool: borrowing Directory) throws(SystemError) {
        do throws(SystemError) { try spool.unlink(UserPart.denial(of: name)) } catch where error.errno == ENOENT {}
    }

    // MARK: One user

    /// The state of a user's name in a shared directory.
    enum Claim: Equatable {
        /// The name is free.
        case none
        /// The user's own directory.
        case directory
        /// Something has the name and cannot be the user's directory, for this reason.
        case refused(String)
    }

    /// Finds the user's directory in a shared one. Refuses it unless it belongs to the user and nobody else can write to it.
    static func claim(_ user: User, in shared: String, _ spool: borrowing Directory) throws(SystemError) -> Claim {
        let path = "\(shared)/\(user.name)"
        // Never stat a mount point: a user's FUSE file system might hang.
        if try spool.isMountPoint(path) { return .refused("\(path): something is mounted there") }
        let status: FileStatus
        do throws(SystemError) { status = try spool.status(path) } catch {
            if error.errno == ENOENT { return .none }
            throw error
        }
        guard status.kind == .directory else { return .refused("\(path) is not a directory") }
        guard status.owner == user.id else { return .refused("\(path) belongs to user \(status.owner), not to \(user.name)") }
        guard status.mode & 0o022 == 0 else { return .refused("\(path) can be written by others; chmod 700 it") }
        return .directory
    }

    /// Something that had a user's name in a shared directory and was moved away.
    struct SetAside {
        let path: String
        let target: String
        let owner: uid_t
    }

    /// Moves what others have put in the place of the user's directory to `state/lost+found/`: otherwise they could keep the user from
    /// being served. Nothing of it is removed. Returns nil when nothing is in the way. A directory that the user had already under another
    /// number stays where it is.
    static func setAside(inTheWayOf user: User, in shared: String, _ fs: DiskFileSystem) throws(SystemError) -> SetAside? {
        let path = "\(shared)/\(user.name)"
        if try fs.isMountPoint(path) { return nil }
        guard let status = try fs.status(path), isInTheWay(status, of: user) else { return nil }
        // Only root's daemon decides whose this directory is.
        let served = try fs.status("\(UserPart.path(of: user.name))/\(Layout.state)")
        if let former = served?.owner, former == status.owner { return nil }
        do throws(SystemError) {
            let (target, isSwapped) = try moveAside(path, status.inode, fs)
            // Between the two calls, others may have taken theirs back, and the user may have made the directory.
            if let moved = try fs.status(target), !isInTheWay(moved, of: user) {
                guard isSwapped else {
                    try fs.renameNoReplace(target, to: path)
                    return nil
                }
                _ = try fs.exchange(target, path)
                try fs.directory().removeDirectory(target)
                return nil
            }
            if isSwapped { try fs.directory().removeDirectory(path) }
            return SetAside(path: path, target: target, owner: status.owner)
        } catch {
            if error.errno == ENOENT { return nil }
            throw error
        }
    }

    /// Moves something to `state/lost+found/` by a swap with an empty directory, which has the name then: nobody can take the name before
    /// the moved thing is known. Where the file system cannot swap, the name is free.
    private static func moveAside(
        _ path: String, _ number: UInt64, _ fs: DiskFileSystem
    ) throws(SystemError) -> (target: String, isSwapped: Bool) {
        let spool = try fs.directory()
        let target = try fs.withNameAside(path, number: number) { name throws(SystemError) in try spool.makeDirectory(name) }
        var isSwapped = false
        // After a swap, the empty directory is elsewhere.
        defer { if !isSwapped { try? spool.removeDirectory(target) } }  // an empty directory is left
        isSwapped = try fs.exchange(target, path)
        return isSwapped ? (target, true) : (try fs.setAside(path, number: number), false)
    }

    /// True for a file that is not the user's. Anybody can make a hard link to a file, so its owner says nothing then.
    private static func isInTheWay(_ status: FileStatus, of user: User) -> Bool {
        (status.owner != user.id && status.owner != 0) || (status.kind != .directory && status.links > 1)
    }

    /// Makes what is missing of a user's spool. Throws EPERM when something there belongs to another user. A new spool gets its name when
    /// it is complete.
    static func make(_ user: User, in spool: borrowing Directory) throws(SystemError) {
        let place = UserPart.path(of: user.name)
        do throws(SystemError) { _ = try spool.status(place) } catch where error.errno == ENOENT {
            let unfinished = UserPart.path(of: ".\(user.name).tmp")
            do throws(SystemError) { try spool.makeDirectory(unfinished) } catch where error.errno == EEXIST {}
            try fill(unfinished, user, in: spool)
            return try spool.rename(unfinished, to: place)
        }
        try fill(place, user, in: spool)
    }

    private static func fill(_ place: String, _ user: User, in spool: borrowing Directory) throws(SystemError) {
        try set(0o755, of: place, in: spool)
        for name in UserPart.linked {
            try give("\(name)/\(user.name)", to: user, in: spool)
            let link = "\(place)/\(name)"
            let target = "../../\(name)/\(user.name)"
            do throws(SystemError) { try spool.makeSymbolicLink(link, to: target) } catch where error.errno == EEXIST {}
        }
        for name in UserPart.own { try give("\(place)/\(name)", to: user, in: spool) }
    }

    /// Makes a directory and gives it to the user. A directory that exists and belongs to root was made here earlier, by a daemon that
    /// ended before it could give it to the user.
    private static func give(_ path: String, to user: User, in spool: borrowing Directory) throws(SystemError) {
        do throws(SystemError) { try spool.makeDirectory(path) } catch where error.errno == EEXIST {}
        if try spool.isMountPoint(path) { throw SystemError(call: "use", path: "\(path), where something is mounted", errno: EPERM) }
        let directory = try spool.openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        let status = try directory.status()
        if status.owner == 0 {
            try directory.setMode(0o700)
            try directory.setOwner(user.id, group: user.group)
        } else if status.owner != user.id {
            throw SystemError(call: "use", path: "\(path) of user \(status.owner)", errno: EPERM)
        } else if status.mode & 0o7077 != 0, status.mode & 0o022 == 0 {
            // Only removes permissions of others. Permissions that users have taken from themselves are theirs to give back.
            try directory.setMode(status.mode & 0o700)
        }
    }
}
