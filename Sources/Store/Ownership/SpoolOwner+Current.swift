import Glibc

extension SpoolOwner {
    /// The owner of this process's own spool. Nil for root, whose jobs may run as any user.
    public static var current: SpoolOwner? {
        guard geteuid() != 0 else { return nil }
        // A user who cannot be looked up is known by number.
        let user = try? User.find(id: geteuid())
        return SpoolOwner(user: geteuid(), userName: user?.name, group: getegid(), groupName: (try? Group.name(of: getegid())) ?? nil)
    }
}
