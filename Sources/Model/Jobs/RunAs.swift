// The user and the group of a job: the keys `user` and `group`.

/// A user or a group in the form of a definition.
public enum Account: Sendable, Hashable, CustomStringConvertible {
    case name(String)
    case number(UInt32)

    /// A text of digits without leading zeros is a number: `0day` is a name, and `00` is invalid. -1, which the system takes as
    /// "leave unchanged", is not accepted.
    public init?(_ text: String) {
        guard let first = text.utf8.first, text.utf8.count <= 256 else { return nil }
        if text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            guard first != 0x30 || text.utf8.count == 1, let number = UInt32(text), number != .max else { return nil }
            self = .number(number)
        } else {
            // `:` ends a name in passwd(5), `,` one in group(5).
            guard first != UInt8(ascii: "-"),
                text.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F && $0 != ":" && $0 != "," && $0 != "/" })
            else { return nil }
            self = .name(text)
        }
    }

    public var description: String {
        switch self {
        case .name(let name): name
        case .number(let number): String(number)
        }
    }

    /// True when this names the account with that number and name.
    public func isAccount(_ number: UInt32, _ name: String?) -> Bool {
        switch self {
        case .number(let own): own == number
        case .name(let own): own == name
        }
    }
}

/// The owner of the spool that definitions are read for, unless it is root: the only user as whom its jobs can run.
public struct SpoolOwner: Sendable {
    public var user: UInt32
    /// Nil when the user database has none.
    public var userName: String?
    public var group: UInt32
    public var groupName: String?

    public init(user: UInt32, userName: String?, group: UInt32, groupName: String?) {
        self.user = user
        self.userName = userName
        self.group = group
        self.groupName = groupName
    }
}

extension TableReader {
    mutating func user(_ key: String) -> Account? {
        guard let (account, position) = account(key) else { return nil }
        if let owner = context.owner, !account.isAccount(owner.user, owner.userName) {
            fail(
                position, "\(key): only root's own jobs may run as another user",
                hint: "those of this spool run as \(owner.userName ?? String(owner.user))")
        }
        return account
    }

    mutating func group(_ key: String) -> Account? {
        guard let (account, position) = account(key) else { return nil }
        if let owner = context.owner, !account.isAccount(owner.group, owner.groupName) {
            fail(
                position, "\(key): only root's own jobs may run with another group",
                hint: "those of this spool run with \(owner.groupName ?? String(owner.group))")
        }
        return account
    }

    private mutating func account(_ key: String) -> (Account, Position)? {
        guard let value = value(key) else { return nil }
        let account: Account? =
            switch value.kind {
            case .string(let text): Account(text)
            case .integer(let number): Account(String(number))
            default: nil
            }
        guard let account else {
            fail(value.position, "\(key) must be the name of a \(key) or its number")
            return nil
        }
        return (account, value.position)
    }
}
