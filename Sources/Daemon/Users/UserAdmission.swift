import Linux
import Scheduler
import Store

/// Decides which users are served: those who have a directory in the spool or a crontab, and those whom the configuration names in `allow`,
/// unless something prevents it.
struct UserAdmission {
    enum Verdict {
        /// There is no user of this name, and none of this name was served.
        case nobody
        /// There is no user of this name now, but one was served. The user may have been removed. Or the user database is on another
        /// machine that does not answer.
        case unknown
        /// There is such a user, who has no directory here.
        case absent
        /// The user is not served, for this reason.
        case refused(String)
        case admitted(UserAccount)
    }

    private let service: SpoolService
    private let configuration: ConfigurationFile
    private let accounts: AccountWatch
    private let crontabs: CrontabWatch?

    init(_ service: SpoolService, _ configuration: ConfigurationFile, _ accounts: AccountWatch, _ crontabs: CrontabWatch?) {
        self.crontabs = crontabs
        self.service = service
        self.configuration = configuration
        self.accounts = accounts
    }

    /// Decides on one name. When the configuration refuses the user, creates the file from which the user's spoolctl learns it.
    func verdict(on name: String, isServed: Bool) throws(SystemError) -> Verdict {
        let fs = service.spool.fs
        let place = UserPart.path(of: name)
        guard let user = try UserPart.owner(ofName: name) else {
            if isServed { return .unknown }
            return try fs.status(place) == nil ? .nobody : .unknown
        }
        let account = try UserAccount(user)
        let directory = try fs.directory()
        let isAdmitted = configuration.inForce.admits(user: name)
        if isAdmitted { try UserSpool.admit(name, in: directory) }
        try makeWay(for: user)
        var claims: [UserSpool.Claim] = []
        for shared in UserPart.claimable { claims.append(try UserSpool.claim(user, in: shared, directory)) }
        for case .refused(let why) in claims { return .refused(why) }
        let isNamed = configuration.inForce.allow?.contains(name) ?? false
        let hasCrontab = crontabs?.hasCrontab(of: name) ?? false
        if try fs.status(place) == nil, !isNamed, !hasCrontab, !claims.contains(.directory) { return .absent }
        guard isAdmitted else {
            try UserSpool.deny(name, in: directory)
            return .refused("user \(name) may not use this spool, by allow and deny in the configuration")
        }
        let today = AccountWatch.day(of: service.now)
        accounts.noteChange(onDay: account.aging?.nextChange(afterDay: today))
        if let why = account.aging?.refusal(onDay: today) { return .refused("nothing is run for user \(name): \(why)") }
        return .admitted(account)
    }

    /// Others must not keep a user from being served by taking the user's name in a shared directory.
    private func makeWay(for user: User) throws(SystemError) {
        for shared in Layout.shared {
            guard let one = try UserSpool.setAside(inTheWayOf: user, in: shared, service.spool.fs) else { continue }
            service.log.write(
                .warning, "set-aside", at: service.now,
                [
                    "file": one.path, "to": one.target,
                    "why": "belongs to user \(one.owner), and only \(user.name) may have something of that name there",
                ], causedBy: "\(one.owner)")
        }
    }
}
