import Glibc

/// A user of the system, as the user database has it.
public struct User: Sendable, Equatable {
    public var id: uid_t
    public var group: gid_t
    public var name: String
    public var home: String
    public var shell: String

    public init(id: uid_t, group: gid_t, name: String, home: String, shell: String) {
        self.id = id
        self.group = group
        self.name = name
        self.home = home
        self.shell = shell
    }

    /// Looks up a user by number, getpwuid_r(3). Nil when there is none.
    public static func find(id: uid_t) throws(SystemError) -> User? {
        try find("getpwuid") { getpwuid_r(id, $0, $1, $2, $3) }
    }

    /// Looks up a user by name, getpwnam_r(3). Nil when there is none.
    public static func find(name: String) throws(SystemError) -> User? {
        try find("getpwnam") { entry, buffer, size, result in
            name.withCString { getpwnam_r($0, entry, buffer, size, result) }
        }
    }

    /// The names of all users that the system lists, getpwent(3). Must be called by one thread at a time.
    public static func names() -> [String] {
        var names: [String] = []
        setpwent()
        while let entry = getpwent() { names.append(string(entry.pointee.pw_name)) }
        endpwent()
        return names
    }

    /// The groups of the user, with `group` as the first, getgrouplist(3).
    public func groups(with group: gid_t) throws(SystemError) -> [gid_t] {
        var capacity: Int32 = 64
        while true {
            var groups = [gid_t](repeating: 0, count: Int(capacity))
            var count = capacity
            let result = name.withCString { getgrouplist($0, group, &groups, &count) }
            if result >= 0 { return Array(groups.prefix(Int(count))) }
            // NGROUPS_MAX, credentials(7).
            guard capacity < 65_536 else { throw SystemError(call: "getgrouplist", path: name, errno: E2BIG) }
            capacity = min(65_536, max(count, 2 * capacity))
        }
    }

    /// The credentials of a login as this user. A user who is not in the database has only the number and the group.
    public func credentials() throws(SystemError) -> Credentials {
        let isKnown = try User.find(id: id)?.name == name
        return Credentials(user: id, group: group, groups: isKnown ? try groups(with: group) : [group])
    }

    private typealias Lookup = (
        UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int, UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
    ) -> Int32

    private static func find(_ call: String, _ lookup: Lookup) throws(SystemError) -> User? {
        try entry(call, in: "/etc/passwd") { buffer, size, failure in
            var entry = passwd()
            var result: UnsafeMutablePointer<passwd>?
            failure = lookup(&entry, buffer, size, &result)
            guard failure == 0, result != nil else { return nil }
            return User(
                id: entry.pw_uid, group: entry.pw_gid, name: string(entry.pw_name), home: string(entry.pw_dir),
                shell: string(entry.pw_shell))
        }
    }

    private static func string(_ text: UnsafeMutablePointer<CChar>?) -> String {
        guard let text else { return "" }
        let bytes = UnsafeRawBufferPointer(start: text, count: strlen(text)).assumingMemoryBound(to: UInt8.self)
        return FileName.string(from: bytes)
    }
}

/// A group of the system, as the group database has it.
public enum Group {
    /// The name of a group, getgrgid_r(3). Nil when there is none.
    public static func name(of number: gid_t) throws(SystemError) -> String? {
        try entry("getgrgid", in: "/etc/group") { buffer, size, failure in
            var entry = group()
            var result: UnsafeMutablePointer<group>?
            failure = getgrgid_r(number, &entry, buffer, size, &result)
            return failure == 0 && result != nil ? String(cString: entry.gr_name) : nil
        }
    }

    /// The names of all groups that the system lists, getgrent(3). Must be called by one thread at a time.
    public static func names() -> [String] {
        var names: [String] = []
        setgrent()
        while let entry = getgrent() { names.append(String(cString: entry.pointee.gr_name)) }
        endgrent()
        return names
    }

    /// The number of a group, getgrnam_r(3). Nil when there is none.
    public static func number(of name: String) throws(SystemError) -> gid_t? {
        try entry("getgrnam", in: "/etc/group") { buffer, size, failure in
            var entry = group()
            var result: UnsafeMutablePointer<group>?
            failure = name.withCString { getgrnam_r($0, &entry, buffer, size, &result) }
            return failure == 0 && result != nil ? entry.gr_gid : nil
        }
    }
}

/// Calls `lookup` with a buffer, and again with longer ones until the result fits. With the GNU C library, an entry that does not exist is
/// no failure: any error number says that the database did not answer, also those that getpwnam(3) lists for "not found". Without `file`,
/// as in a small container, there are no entries.
func entry<Found>(
    _ call: String, in file: String, _ lookup: (UnsafeMutablePointer<CChar>, Int, inout Int32) -> Found?
) throws(SystemError) -> Found? {
    var size = 1024
    while true {
        let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: size)
        defer { buffer.deallocate() }
        var failure: Int32 = 0
        let found = lookup(buffer, size, &failure)
        switch failure {
        case 0: return found
        case ERANGE where size < 1 << 20: size *= 2
        case EINTR: continue
        case ENOENT where access(file, F_OK) != 0: return nil
        default: throw SystemError(call: call, errno: failure)
        }
    }
}
