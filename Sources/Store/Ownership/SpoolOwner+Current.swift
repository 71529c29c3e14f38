import Linux

extension SpoolOwner {
    /// The owner of this process's own spool. Nil for root, whose jobs may run as any user.
    public static var current: SpoolOwner? {
        guard Reader.user != 0 else { return nil }
        let user = try? User.find(id: Reader.user)  // a user who cannot be looked up is known by number
        let group = try? Group.name(of: Reader.group)  // so is a group
        return SpoolOwner(user: Reader.user, userName: user?.name, group: Reader.group, groupName: group ?? nil)
    }
}
