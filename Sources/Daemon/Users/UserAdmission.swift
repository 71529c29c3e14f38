import Linux
import Scheduler
import Store

/// Decides who is served: a user who has something in the spool, or whom the configuration names, unless something prevents it.
struct UserAdmission {
    enum Verdict {
        /// No user has this name, and nothing of a user is here. A directory of root's is not ours to judge.
        case nobody
        /// No user has this name now, and something of a user is here. A database on another machine that does not answer has no users,
        /// either.
        case unknown
        /// The user has nothing here.
        case absent
        /// The user is not served, for this reason.
        case refused(String)
        case admitted(UserAccount)
    }

    private let service: SpoolService
    private let configuration: ConfigurationFile
    private let accounts: AccountWatch

    init(_ service: SpoolService, _ configuration: ConfigurationFile, _ accounts: AccountWatch) {
        self.service = service
        self.configuration = configuration
        self.accounts = accounts
    }

    /// Finds out about one name, and has the spool tell the user when the configuration keeps them out.
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
        var claims: [UserSpool.Claim] = []
        for shared in UserPart.claimable { claims.append(try UserSpool.claim(user, in: shared, directory)) }
        for case .refused(let why) in claims { return .refused(why) }
        let isNamed = configuration.inForce.allow?.contains(name) ?? false
        if try fs.status(place) == nil, !isNamed, !claims.contains(.directory) { return .absent }
        guard isAdmitted else {
            try UserSpool.deny(name, in: directory)
            return .refused("user \(name) may not use this spool: allow and deny in the configuration say so")
        }
        let today = AccountWatch.day(of: service.now)
        accounts.noteChange(onDay: account.aging?.nextChange(afterDay: today))
        if let why = account.aging?.refusal(onDay: today) { return .refused("nothing is run for user \(name): \(why)") }
        return .admitted(account)
    }
}
