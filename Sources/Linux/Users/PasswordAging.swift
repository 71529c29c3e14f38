import CLinux
import Glibc

/// Until when an account may be used: its part of shadow(5). Days count from the beginning of 1970, by UTC.
public struct PasswordAging: Sendable, Equatable {
    /// The first day on which the account has expired.
    public var expires: Int?
    /// When the password was changed last; 0: it must be changed before anything else.
    public var lastChange: Int?
    /// How many days after that the password is too old.
    public var daysMax: Int?

    public init(expires: Int? = nil, lastChange: Int? = nil, daysMax: Int? = nil) {
        self.expires = expires
        self.lastChange = lastChange
        self.daysMax = daysMax
    }

    /// The entry of a user, getspnam_r(3). Nil when there is none, or this process may not read it: then nothing expires.
    public static func find(name: String) throws(SystemError) -> PasswordAging? {
        try entry("getspnam") { buffer, size, failure in
            var entry = spwd()
            var result: UnsafeMutablePointer<spwd>?
            failure = name.withCString { getspnam_r($0, &entry, buffer, size, &result) }
            // A process that may not read shadow(5) is no failure of the database.
            if failure == EACCES { failure = 0 }
            guard failure == 0, result != nil else { return nil }
            // An empty field is -1.
            func field(_ value: Int) -> Int? { value < 0 ? nil : value }
            return PasswordAging(expires: field(entry.sp_expire), lastChange: field(entry.sp_lstchg), daysMax: field(entry.sp_max))
        }
    }

    /// Why nothing may be run for the account on this day; nil: it may. As pam_unix(8) decides for cron(8): a locked password does not
    /// matter, an account that has expired and a password that must be changed do.
    public func refusal(onDay day: Int) -> String? {
        if let expires, day >= expires { return "the account has expired" }
        guard let lastChange else { return nil }
        if lastChange == 0 { return "the password must be changed" }
        if let daysMax, day - lastChange > daysMax { return "the password has expired" }
        return nil
    }

    /// The next day on which that may be another answer.
    public func nextChange(afterDay day: Int) -> Int? {
        var days: [Int] = []
        if let expires { days.append(expires) }
        if let lastChange, lastChange > 0, let daysMax {
            let (end, isTooFar) = lastChange.addingReportingOverflow(daysMax)
            if !isTooFar, end < Int.max { days.append(end + 1) }
        }
        return days.filter { $0 > day }.min()
    }
}

/// A user of the system with all that decides what runs as that user may do, and whether it may run.
public struct UserAccount: Sendable, Equatable {
    public var user: User
    public var groups: [gid_t]
    /// Nil when the account does not expire.
    public var aging: PasswordAging?

    /// As the system has it now.
    public init(_ user: User) throws(SystemError) {
        self.user = user
        groups = try user.credentials().groups
        aging = try PasswordAging.find(name: user.name)
    }

    /// The same person with the same rights: a later date of expiry changes neither.
    public func isSame(as other: UserAccount) -> Bool { user == other.user && Set(groups) == Set(other.groups) }
}
