import Glibc

extension SpoolOwner {
    /// Who this process is, for its own spool; nil when that is root, whose jobs may run as anybody.
    public static var current: SpoolOwner? {
        guard geteuid() != 0 else { return nil }
        // Who cannot be looked up is known by number.
        let user = try? User.find(id: geteuid())
        return SpoolOwner(user: geteuid(), userName: user?.name, group: getegid(), groupName: (try? Group.name(of: getegid())) ?? nil)
    }
}
