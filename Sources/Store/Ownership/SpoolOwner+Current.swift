import Glibc

extension SpoolOwner {
    /// The owner of this process's own spool. Nil for root, whose jobs may run as any user.
    public static var current: SpoolOwner? {
        guard geteuid() != 0 else { return nil }
        let user = try? User.find(id: geteuid())  // a user who cannot be looked up is known by number
        let group = try? Group.name(of: getegid())  // so is a group
        return SpoolOwner(user: geteuid(), userName: user?.name, group: getegid(), groupName: group ?? nil)
    }
}
