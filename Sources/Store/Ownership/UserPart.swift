// A spool of root serves everybody, and each user has a part of it. Users put files into `new/alice`, where they look for them,
// and find jobs in `done/alice`. `users/alice` contains links to these directories and the other files of the part; a daemon and
// spoolctl use it like any other spool. All of the part belongs to the user, except `users/alice` itself and its links.

import Glibc
import Linux

/// The layout and the owner of a user's part of a shared spool.
public enum UserPart {
    /// A user asks to be served by creating a directory of the user's own name in one of these.
    public static let claimable = [Layout.new, Layout.tasks, Layout.schedules, Layout.control]
    /// The directories that contain one directory for each user, to which a link in the part leads: those that users can create
    /// themselves, and those that only root changes.
    public static let linked = Layout.shared + [Layout.running, Layout.done, Layout.failed, Layout.patterns]
    /// The names in the part itself. Nobody else reads them.
    public static let own = [Layout.journal, Layout.state]

    public static func path(of name: String) -> String { "\(Layout.users)/\(name)" }

    public static func path(of name: String, inSpool spool: String) -> String { "\(spool)/\(path(of: name))" }

    /// The path of the shared spool, from the path of a user's part of it.
    public static func spool(ofPart part: String, of name: String) -> String { String(part.dropLast(path(of: name).count + 1)) }

    /// True when the spool at this path serves everybody. False when it cannot be examined.
    public static func servesEverybody(_ spool: String) -> Bool {
        let users = try? FileStatus.read("\(spool)/\(Layout.users)")  // not there, or not to be examined
        return users?.kind == .directory && users?.owner == 0
    }

    // MARK: Names

    /// The name of a user's task or job in root's notation: `alice/backup`.
    public static func qualified(_ name: String, of owner: String) -> String { "\(owner)/\(name)" }

    /// Splits a name in root's notation. A name without an owner belongs to root.
    public static func split(_ name: String) -> (owner: String?, name: String) {
        guard let slash = name.firstIndex(of: "/") else { return (nil, name) }
        return (String(name[..<slash]), String(name[name.index(after: slash)...]))
    }

    // MARK: Owners

    /// The name of a user, or the number for a user without a name.
    public static func user(id: uid_t, group: gid_t, name: String? = nil) throws(SystemError) -> User {
        try User.find(id: id) ?? User(id: id, group: group, name: name ?? String(id), home: "/", shell: "/bin/sh")
    }

    /// The user who may have a part of this name: the user with this name, or with this number if the number has no name. Nil
    /// when there is none.
    public static func owner(ofName name: String) throws(SystemError) -> User? {
        if name.utf8.allSatisfy({ (48...57).contains($0) }) {
            // A name of digits alone is not accepted: it could be confused with a user's number.
            guard let id = uid_t(name), id != 0, id < uid_t.max, String(id) == name, try User.find(id: id) == nil else { return nil }
            return try user(id: id, group: id)
        }
        guard Name.isValid(name), let user = try User.find(name: name), user.id != 0, user.name == name else { return nil }
        return user
    }

    /// The first of the user's directories on which something is mounted. Nothing is read there: a FUSE file system of the user
    /// might never answer.
    public static func mountPoint(inPart name: String, ofSpool spool: String) throws(SystemError) -> String? {
        let top = try Directory.open(spool)
        for directory in own.map({ "\(path(of: name))/\($0)" }) + linked.map({ "\($0)/\(name)" }) {
            if try top.isMountPoint(directory) { return directory }
        }
        return nil
    }

    /// The user who owns the existing part of this name, from the owner of its files. Nil when there is none, or while it is
    /// being created.
    public static func owner(ofPart name: String, inSpool spool: String) throws(SystemError) -> User? {
        // A mounted file system cannot show who owns the part.
        if try mountPoint(inPart: name, ofSpool: spool) != nil { return try owner(ofName: name) }
        let state = try? FileStatus.read("\(path(of: name, inSpool: spool))/\(Layout.state)")  // not there yet: being created
        guard let status = state, status.owner != 0 else { return nil }
        return try user(id: status.owner, group: status.group, name: name)
    }

    /// The names of the existing parts, sorted.
    public static func names(inSpool spool: String) throws(SystemError) -> [String] {
        try Directory.open("\(spool)/\(Layout.users)").list().map(\.name).filter { !$0.hasPrefix(".") }.sorted()
    }

    // MARK: Refused users

    /// A file that root's daemon keeps for a user who asked to be served and may not be, so that the user's next command fails at
    /// once.
    public static func denial(of name: String) -> String { "\(Layout.users)/.\(name)\(denialSuffix)" }

    private static let denialSuffix = ".denied"

    /// The user whom a file in `users/` refuses. Nil when it refuses nobody.
    public static func denied(byFile name: String) -> String? {
        guard name.hasPrefix("."), name.hasSuffix(denialSuffix) else { return nil }
        return String(name.dropFirst().dropLast(denialSuffix.utf8.count))
    }

    /// True when root's daemon has refused this user.
    public static func isDenied(_ name: String, inSpool spool: String) -> Bool { access("\(spool)/\(denial(of: name))", F_OK) == 0 }
}

extension JobStatus {
    /// Changes the names of the owner's jobs and tasks to root's notation.
    public mutating func qualify(by owner: String) {
        id = UserPart.qualified(id, of: owner)
        name = UserPart.qualified(name, of: owner)
        task = task.map { UserPart.qualified($0, of: owner) }
        retryOf = retryOf.map { UserPart.qualified($0, of: owner) }
        waitsFor = waitsFor.map { UserPart.qualified($0, of: owner) }
        parent = parent.map { UserPart.qualified($0, of: owner) }
        overdueTask = overdueTask.map { UserPart.qualified($0, of: owner) }
    }
}
