import CLinux
import Glibc
import Linux
import Store

// A user's part of a spool that serves everybody. What people put files into stands where they look for it, `new/alice`, and so do the
// jobs, `done/alice`; `users/alice` holds links to these and the rest, and is to a daemon and to spoolctl a spool like any other.
// All of it but `users/alice` itself and its links is hers.

enum UserSpool {
    /// A directory of hers in one of these is how a user asks to be served.
    static let claimable = [Layout.new, Layout.tasks, Layout.schedules, Layout.control]
    /// Directories of jobs and programs: each user's are in one of these, which only root changes.
    private static let closed = [Layout.running, Layout.done, Layout.failed, Layout.patterns]
    /// Nobody else looks for anything here.
    private static let own = [Layout.journal, Layout.state]

    static func path(of name: String) -> String { "\(Layout.users)/\(name)" }

    // MARK: Being the user

    /// Makes this process, which root's daemon has started, the user's for good.
    static func become(_ name: String) throws {
        guard geteuid() == 0, let user = try owner(ofName: name) else {
            throw DaemonFailure("--serve-user is for spoold itself, when root's serves the spool of a user; \(name) cannot be served so")
        }
        try user.credentials().assume()
    }

    // MARK: The spool of all

    /// Has the directories as a spool that serves everybody needs them: one of each user's name can be made in some of them by that user,
    /// unless the configuration names the users, and none can be listed by anybody but root where jobs stand.
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

    // MARK: One user

    /// Who may have a directory of this name: the user called so, or the one of this number if the number has no name.
    /// Nil: nobody.
    static func owner(ofName name: String) throws(SystemError) -> User? {
        if name.utf8.allSatisfy({ (48...57).contains($0) }) {
            // A name of digits alone is no name: it would be taken for somebody's number.
            guard let id = uid_t(name), id != 0, id < uid_t.max, String(id) == name, try User.find(id: id) == nil else { return nil }
            return User(id: id, group: id, name: name, home: "/", shell: "/bin/sh")
        }
        guard Name.isValid(name), let user = try User.find(name: name), user.id != 0, user.name == name else { return nil }
        return user
    }

    /// What a user has put into the shared directories.
    enum Claim: Equatable {
        case none
        case directory
        /// A directory of that name cannot be the user's, for this reason.
        case refused(String)
    }

    /// Whether a directory of the user's stands in a shared one, and is as it must be.
    static func claim(_ user: User, in shared: String, _ spool: borrowing Directory) throws(SystemError) -> Claim {
        let path = "\(shared)/\(user.name)"
        // What is mounted there is asked nothing: it may be the user's own file system, and never answer.
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

    /// Makes what is missing of a user's spool. Throws EPERM where something of that name is somebody else's. What there is of a new one
    /// has its name when it is whole.
    static func make(_ user: User, in spool: borrowing Directory) throws(SystemError) {
        let place = path(of: user.name)
        do throws(SystemError) { _ = try spool.status(place) } catch where error.errno == ENOENT {
            let unfinished = path(of: ".\(user.name).tmp")
            do throws(SystemError) { try spool.makeDirectory(unfinished) } catch where error.errno == EEXIST {}
            try fill(unfinished, user, in: spool)
            return try spool.rename(unfinished, to: place)
        }
        try fill(place, user, in: spool)
    }

    private static func fill(_ place: String, _ user: User, in spool: borrowing Directory) throws(SystemError) {
        try set(0o755, of: place, in: spool)
        for name in Layout.shared + closed {
            try give("\(name)/\(user.name)", to: user, in: spool)
            let link = "\(place)/\(name)"
            do throws(SystemError) { try spool.makeSymbolicLink(link, to: "../../\(name)/\(user.name)") } catch where error.errno == EEXIST {}
        }
        for name in own { try give("\(place)/\(name)", to: user, in: spool) }
    }

    /// A directory of the user's, made if it is missing. Root alone can have made one that is root's: that one was cut short.
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
        } else if status.mode & 0o7777 != 0o700, status.mode & 0o022 == 0 {
            try directory.setMode(0o700)
        }
    }
}
