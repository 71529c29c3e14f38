import CLinux
import Glibc

/// The dates until which an account may be used, from shadow(5). Days are counted from the beginning of 1970 in UTC.
public struct PasswordAging: Sendable, Equatable {
    /// The first day on which the account has expired.
    public var expires: Int?
    /// The day of the last change of the password. 0 means that the user must change it now.
    public var lastChange: Int?
    /// The number of days after the last change for which the password is valid.
    public var daysMax: Int?

    public init(expires: Int? = nil, lastChange: Int? = nil, daysMax: Int? = nil) {
        self.expires = expires
        self.lastChange = lastChange
        self.daysMax = daysMax
    }

    /// The entry of a user, getspnam_r(3). Nil when there is none or this process may not read it: the account then counts as not expiring.
    public static func find(name: String) throws(SystemError) -> PasswordAging? {
        try entry("getspnam", in: "/etc/shadow") { buffer, size, failure in
            var entry = spwd()
            var result: UnsafeMutablePointer<spwd>?
            failure = name.withCString { getspnam_r($0, &entry, buffer, size, &result) }
            // EACCES means that this process may not read shadow(5). This is not a failure of the database.
            if failure == EACCES { failure = 0 }
            guard failure == 0, result != nil else { return nil }
            // An empty field is -1.
            func field(_ value: Int) -> Int? { value < 0 ? nil : value }
            return PasswordAging(expires: field(entry.sp_expire), lastChange: field(entry.sp_lstchg), daysMax: field(entry.sp_max))
        }
    }

    /// The reason why no job may run for the account on this day. Nil when jobs may run. The decision is that of pam_unix(8) for cron(8):
    /// an expired account and an expired password are reasons, a locked password is not.
    public func refusal(onDay day: Int) -> String? {
        if let expires, day >= expires { return "the account has expired" }
        guard let lastChange else { return nil }
        if lastChange == 0 { return "the password must be changed" }
        if let daysMax, day - lastChange > daysMax { return "the password has expired" }
        return nil
    }

    /// The next day on which ``refusal(onDay:)`` may change. Nil when it never does.
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

/// A user of the system, with everything that decides whether jobs may run as the user, and with which rights.
public struct UserAccount: Sendable, Equatable {
    public var user: User
    public var groups: [gid_t]
    /// Nil when the account does not expire.
    public var aging: PasswordAging?

    /// Reads the present groups and dates of the user.
    public init(_ user: User) throws(SystemError) {
        self.user = user
        groups = try user.credentials().groups
        aging = try PasswordAging.find(name: user.name)
    }

    /// True for the same person with the same rights. The dates of expiry are not compared.
    public func isSame(as other: UserAccount) -> Bool { user == other.user && Set(groups) == Set(other.groups) }
}
