import CLinux
import Glibc
import Linux
import Store

// Makes each user's part of a spool that serves everybody, see UserPart, and keeps it the user's own.

enum UserSpool {
    // MARK: Being the user

    /// Makes this process, which root's daemon has started, the user's for good.
    static func become(_ name: String) throws {
        guard geteuid() == 0, let user = try UserPart.owner(ofName: name) else {
            throw DaemonFailure("--serve-user is for spoold itself, when root's serves the spool of a user; \(name) cannot be served so")
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

    /// Creates the file that shows a refused user, who cannot read the configuration, that it refuses them.
    static func deny(_ name: String, in spool: borrowing Directory) throws(SystemError) {
        _ = try spool.openFile(UserPart.denial(of: name), O_WRONLY | O_CREAT | O_NOFOLLOW)
    }

    /// Removes that file.
    static func admit(_ name: String, in spool: borrowing Directory) throws(SystemError) {
        do throws(SystemError) { try spool.unlink(UserPart.denial(of: name)) } catch where error.errno == ENOENT {}
    }

    // MARK: One user

    /// The directory of a user's name in a shared directory.
    enum Claim: Equatable {
        case none
        case directory
        /// A directory of that name cannot be the user's, for this reason.
        case refused(String)
    }

    /// Finds the user's directory in a shared one, and refuses it unless it is as it must be.
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

    /// Makes what is missing of a user's spool. Throws EPERM where something of that name is another user's. A new spool gets its name when
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

    /// Makes a directory of the user's if it is missing. One that is root's was made here before, and the daemon ended before it could give
    /// the directory to the user.
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
            // Permissions that the user has taken from themselves are not given back: nobody would do that at any other time, either.
            try directory.setMode(status.mode & 0o700)
        }
    }
}
