import CLinux
import Glibc

/// The numbers that say who a process is, credentials(7).
public struct Credentials: Hashable, Sendable {
    public var user: uid_t
    public var group: gid_t
    /// All of them, ``group`` too.
    public var groups: [gid_t]

    public init(user: uid_t, group: gid_t, groups: [gid_t]) {
        self.user = user
        self.group = group
        self.groups = groups
    }

    /// As one word: `UID:GID:GID,GID…`.
    public var text: String { "\(user):\(group):\(groups.map(String.init).joined(separator: ","))" }

    /// Nil for a text that ``text`` does not write. No user or group has the number -1, which system calls take for "leave it as it is".
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

    /// Does something with their rights and no more, and is this process, which is root's, again; see ``Acting``.
    public func acting<Value, Failure: Error>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        let acting = Acting(self)
        defer { acting.end() }
        return try body()
    }

    /// Has this process, which is root's, act with their rights, seteuid(2). It stays root's to others: the user can neither stop nor end
    /// it, nor look into it. A process that cannot change ends, for nothing after would be done as meant.
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

        /// Does something as root in between.
        public func pausing<Value, Failure: Error>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
            end()
            defer { begin() }
            return try body()
        }
    }

    /// Makes this process, which is root's and has one thread, theirs for good: groups, group, user, in this order, then every
    /// capability and the session keyring; and looks whether all that came true and there is no way back. What throws has
    /// stopped halfway: the process must end.
    public func assume() throws(SystemError) {
        try check("setgroups", setgroups(groups.count, groups))
        try check("setresgid", setresgid(group, group, group))
        try check("setresuid", setresuid(user, user, user))
        if user != 0 { try check("capset", linux_drop_capabilities()) }
        // Its record and its socket are out of the reach of whom it now belongs to.
        try check("prctl", linux_close_to_tracing())
        // A user who may not have one may not use the inherited one either.
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
        // EINVAL: there are more.
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
