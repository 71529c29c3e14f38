import CLinux
import Glibc

/// The user and group numbers with which a process runs, credentials(7).
public struct Credentials: Hashable, Sendable {
    public var user: uid_t
    public var group: gid_t
    /// All groups, including ``group``.
    public var groups: [gid_t]

    public init(user: uid_t, group: gid_t, groups: [gid_t]) {
        self.user = user
        self.group = group
        self.groups = groups
    }

    /// The text form: `UID:GID:GID,GID…`.
    public var text: String { "\(user):\(group):\(groups.map(String.init).joined(separator: ","))" }

    /// Reads a text that ``text`` has written. Nil for any other text, and for the number -1, which system calls take for "leave it as it
    /// is".
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let user = uid_t(parts[0]), user != .max, let group = gid_t(parts[1]), group != .max else { return nil }
        var groups: [gid_t] = []
        for word in parts[2].split(separator: ",", omittingEmptySubsequences: false) {
            guard let number = gid_t(word), number != .max else { return nil }
            groups.append(number)
        }
        self.init(user: user, group: group, groups: groups)
    }

    /// Calls `body` while this process, which is root, has only these rights; see ``Acting``.
    public func acting<Value, Failure: Error>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        let acting = Acting(self)
        defer { acting.end() }
        return try body()
    }

    /// Has this process, which is root, act with these rights, seteuid(2). The user can neither signal nor trace it meanwhile. When a
    /// change of rights fails, the process aborts, because everything after would be done with the wrong rights.
    public struct Acting: Sendable {
        private let credentials: Credentials
        private let groupsBefore: [gid_t]

        public init(_ credentials: Credentials) {
            var before = [gid_t](repeating: 0, count: 65_536)
            let count = getgroups(Int32(before.count), &before)
            guard count >= 0 else { abort() }
            groupsBefore = Array(before.prefix(Int(count)))
            self.credentials = credentials
            begin()
        }

        private func begin() {
            guard setgroups(credentials.groups.count, credentials.groups) == 0, setegid(credentials.group) == 0,
                seteuid(credentials.user) == 0
            else { abort() }
        }

        public func end() { if seteuid(0) != 0 || setegid(0) != 0 || setgroups(groupsBefore.count, groupsBefore) != 0 { abort() } }

        /// Calls `body` as root.
        public func pausing<Value, Failure: Error>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
            end()
            defer { begin() }
            return try body()
        }
    }

    /// Gives this process, which is root and has one thread, these rights for good. Sets groups, group and user in this order, drops every
    /// capability, and replaces the session keyring. Then checks that all this has happened and that there is no way back. When it throws,
    /// it has stopped halfway, and the process must end.
    public func assume() throws(SystemError) {
        try check("setgroups", setgroups(groups.count, groups))
        try check("setresgid", setresgid(group, group, group))
        try check("setresuid", setresuid(user, user, user))
        if user != 0 { try check("capset", linux_drop_capabilities()) }
        // The user must not reach the process's record and socket through ptrace(2) or /proc.
        try check("prctl", linux_close_to_tracing())
        // Where a new keyring is refused, the system refuses the use of the inherited one too.
        if linux_new_session_keyring() < 0, errno != ENOSYS, errno != EPERM { throw SystemError(call: "keyctl", errno: errno) }
        try verify()
    }

    private func verify() throws(SystemError) {
        var users: (uid_t, uid_t, uid_t) = (0, 0, 0)
        try check("getresuid", getresuid(&users.0, &users.1, &users.2))
        guard users == (user, user, user) else { throw SystemError(call: "setresuid", errno: EPERM) }
        var all: (gid_t, gid_t, gid_t) = (0, 0, 0)
        try check("getresgid", getresgid(&all.0, &all.1, &all.2))
        guard all == (group, group, group) else { throw SystemError(call: "setresgid", errno: EPERM) }
        var found = [gid_t](repeating: 0, count: groups.count)
        // Fails with EINVAL when the process has more groups.
        let count = getgroups(Int32(clamping: found.count), &found)
        guard count == found.count, Set(found) == Set(groups) else { throw SystemError(call: "setgroups", errno: EPERM) }
        guard user != 0 else { return }
        guard linux_has_capabilities() == 0 else { throw SystemError(call: "capset", errno: EPERM) }
        if setuid(0) == 0 || setresuid(.max, 0, .max) == 0 { throw SystemError(call: "setuid", errno: EPERM) }
    }

    private func check(_ call: String, _ result: Int32) throws(SystemError) {
        if result != 0 { throw SystemError(call: call, errno: errno) }
    }
}
