// A spool of root's serves everybody, and each user has a part of it. What people put files into stands where they look for it,
// `new/alice`, and so do the jobs, `done/alice`; `users/alice` holds links to these and the rest, and is to a daemon and to
// spoolctl a spool like any other. All of it but `users/alice` itself and its links is hers.

import Glibc
import Linux

/// How a user's part of a spool that serves everybody is laid out, and whose it is.
public enum UserPart {
    /// A directory of hers in one of these is how a user asks to be served.
    public static let claimable = [Layout.new, Layout.tasks, Layout.schedules, Layout.control]
    /// Where a directory of each user's stands, to which a link in her part leads: those she can make herself, and those that only root
    /// changes.
    public static let linked = Layout.shared + [Layout.running, Layout.done, Layout.failed, Layout.patterns]
    /// What stands in the part itself: nobody else looks for anything there.
    public static let own = [Layout.journal, Layout.state]

    public static func path(of name: String) -> String { "\(Layout.users)/\(name)" }

    public static func path(of name: String, inSpool spool: String) -> String { "\(spool)/\(path(of: name))" }

    /// The spool of all, by the path of a user's part of it.
    public static func spool(ofPart part: String, of name: String) -> String { String(part.dropLast(path(of: name).count + 1)) }

    /// Whether the spool at this path serves everybody. What cannot be looked at is not taken for one.
    public static func servesEverybody(_ spool: String) -> Bool {
        guard let users = try? FileStatus.read("\(spool)/\(Layout.users)") else { return false }
        return users.kind == .directory && users.owner == 0
    }

    // MARK: Names

    /// A name of a user's task or job, as root speaks of it: `alice/backup`.
    public static func qualified(_ name: String, of owner: String) -> String { "\(owner)/\(name)" }

    /// A name as root speaks of it, taken apart; without an owner it is root's own.
    public static func split(_ name: String) -> (owner: String?, name: String) {
        guard let slash = name.firstIndex(of: "/") else { return (nil, name) }
        return (String(name[..<slash]), String(name[name.index(after: slash)...]))
    }

    // MARK: Whose

    /// A user by number; one whom nobody is called by stands for itself.
    public static func user(id: uid_t, group: gid_t, name: String? = nil) throws(SystemError) -> User {
        try User.find(id: id) ?? User(id: id, group: group, name: name ?? String(id), home: "/", shell: "/bin/sh")
    }

    /// Who may have a part of this name: the user called so, or the one of this number if the number has no name. Nil: nobody.
    public static func owner(ofName name: String) throws(SystemError) -> User? {
        if name.utf8.allSatisfy({ (48...57).contains($0) }) {
            // A name of digits alone is no name: it would be taken for somebody's number.
            guard let id = uid_t(name), id != 0, id < uid_t.max, String(id) == name, try User.find(id: id) == nil else { return nil }
            return try user(id: id, group: id)
        }
        guard Name.isValid(name), let user = try User.find(name: name), user.id != 0, user.name == name else { return nil }
        return user
    }

    /// The first of her directories on which something is mounted. That is not asked anything: it may be her own file system, and
    /// never answer.
    public static func mountPoint(inPart name: String, ofSpool spool: String) throws(SystemError) -> String? {
        let top = try Directory.open(spool)
        for directory in own.map({ "\(path(of: name))/\($0)" }) + linked.map({ "\($0)/\(name)" }) {
            if try top.isMountPoint(directory) { return directory }
        }
        return nil
    }

    /// The user whose part of this name there is, by whom its files belong to; nil: there is none, or it is being made.
    public static func owner(ofPart name: String, inSpool spool: String) throws(SystemError) -> User? {
        // What is mounted there cannot say whose it is.
        if try mountPoint(inPart: name, ofSpool: spool) != nil { return try owner(ofName: name) }
        guard let status = try? FileStatus.read("\(path(of: name, inSpool: spool))/\(Layout.state)"), status.owner != 0 else { return nil }
        return try user(id: status.owner, group: status.group, name: name)
    }

    /// The names of the parts that there are, sorted.
    public static func names(inSpool spool: String) throws(SystemError) -> [String] {
        try Directory.open("\(spool)/\(Layout.users)").list().map(\.name).filter { !$0.hasPrefix(".") }.sorted()
    }

    // MARK: Who is kept out

    /// A file that root's daemon keeps for a user who asked to be served and may not be, so that whoever asks again is told at once.
    public static func denial(of name: String) -> String { "\(Layout.users)/.\(name)\(denialSuffix)" }

    private static let denialSuffix = ".denied"

    /// The user whom a file in `users/` keeps out; nil: it keeps nobody out.
    public static func denied(byFile name: String) -> String? {
        guard name.hasPrefix("."), name.hasSuffix(denialSuffix) else { return nil }
        return String(name.dropFirst().dropLast(denialSuffix.utf8.count))
    }

    /// Whether root's daemon has said that this user may not use the spool.
    public static func isDenied(_ name: String, inSpool spool: String) -> Bool { access("\(spool)/\(denial(of: name))", F_OK) == 0 }
}

extension JobStatus {
    /// Has it speak of its owner's jobs and tasks as root does.
    public mutating func qualify(by owner: String) {
        id = UserPart.qualified(id, of: owner)
        name = UserPart.qualified(name, of: owner)
        task = task.map { UserPart.qualified($0, of: owner) }
        retryOf = retryOf.map { UserPart.qualified($0, of: owner) }
        waitsFor = waitsFor.map { UserPart.qualified($0, of: owner) }
        parent = parent.map { UserPart.qualified($0, of: owner) }
    }
}
