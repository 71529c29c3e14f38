import Glibc
import Linux
import Model
import Scheduler
import Store

/// The user and group that a job runs as.
struct RunIdentity {
    let user: User
    /// Nil means that the job keeps the daemon's user and groups.
    let credentials: Credentials?
    /// False for a number without an entry in the user database.
    var isKnown = true
    /// Explains a user or group other than those that the job names. Nil when the job gets what it names.
    var remark: String?
}

/// Looks up the users and groups that jobs name. It keeps no answer, because accounts are created and removed at any time.
struct RunIdentities {
    /// The daemon's own user.
    let own: User

    /// Looks up the user and group that a definition names.
    ///
    /// Throws when one of them is missing or the account has expired. A job with `fallback` then runs without the group, and otherwise as
    /// the user nobody: a job that names another user never gets the rights of root.
    func find(_ definition: JobDefinition, at now: Instant) throws(RunNotPrepared) -> RunIdentity {
        do throws(RunNotPrepared) {
            let found = try runAs(definition.user, definition.group)
            try refuseExpired(found.user, at: now)
            return found
        } catch {
            guard definition.fallsBack, geteuid() == 0 else { throw error }
            let hasBoth = definition.user != nil && definition.group != nil
            let withoutGroup = hasBoth ? try? runAs(definition.user, nil) : nil  // nil: the user is missing, too
            if var found = withoutGroup, (try? refuseExpired(found.user, at: now)) != nil {  // nil: expired, so nobody
                found.remark = "\(error.why); it runs with the user's own group"
                return found
            }
            return try nobody("\(error.why); it runs as nobody")
        }
    }

    /// Throws for an account that has expired: cron(8) starts nothing for it either.
    private func refuseExpired(_ user: User, at now: Instant) throws(RunNotPrepared) {
        guard user.id != own.id else { return }
        let aging = try look("user \(user.name)") { () throws(SystemError) in try PasswordAging.find(name: user.name) }
        if let why = aging?.refusal(onDay: AccountWatch.day(of: now)) { throw RunNotPrepared(why: "user \"\(user.name)\": \(why)") }
    }

    private func nobody(_ remark: String) throws(RunNotPrepared) -> RunIdentity {
        let found = try look("user nobody") { () throws(SystemError) in try User.find(name: "nobody") }
        let user = found ?? User(id: 65_534, group: 65_534, name: "nobody", home: "/", shell: "/bin/sh")
        return RunIdentity(user: user, credentials: Credentials(user: user.id, group: user.group, groups: [user.group]), remark: remark)
    }

    private func runAs(_ account: Account?, _ groupAccount: Account?) throws(RunNotPrepared) -> RunIdentity {
        guard account != nil || groupAccount != nil else { return RunIdentity(user: own, credentials: nil) }
        let group = try group(groupAccount)
        let (user, isKnown) = try user(account, group: group)
        let chosen = group ?? user.group
        // setresuid(2) takes -1 as "leave it unchanged", and the job would keep the rights of root.
        guard user.id != .max, chosen != .max else {
            throw RunNotPrepared(why: "user \"\(user.name)\" or its group has the number -1, with which no process can run")
        }
        if user.id == own.id, chosen == own.group { return RunIdentity(user: user, credentials: nil) }
        guard geteuid() == 0 else { throw RunNotPrepared(why: "only root's own jobs may run as another user or with another group") }
        let groups = try isKnown ? look("user \(user.name)") { () throws(SystemError) in try user.groups(with: chosen) } : [chosen]
        return RunIdentity(user: user, credentials: Credentials(user: user.id, group: chosen, groups: groups), isKnown: isKnown)
    }

    private func group(_ account: Account?) throws(RunNotPrepared) -> gid_t? {
        switch account {
        case nil: return nil
        case .number(let number)?: return number
        case .name(let name)?:
            let number = try look("group \(name)") { () throws(SystemError) in try Group.number(of: name) }
            guard let number else { throw RunNotPrepared(why: "group \"\(name)\": there is no such group") }
            return number
        }
    }

    /// Looks up a user. `isKnown` is false for a number without an entry in the user database: such a user runs with `group` alone.
    private func user(_ account: Account?, group: gid_t?) throws(RunNotPrepared) -> (User, isKnown: Bool) {
        switch account {
        case nil: return (own, true)
        case .name(let name)?:
            let found = try look("user \(name)") { () throws(SystemError) in try User.find(name: name) }
            guard let found else { throw RunNotPrepared(why: "user \"\(name)\": there is no such user") }
            if found.id == 0, name != "root" {
                throw RunNotPrepared(why: "user \"\(name)\" has number 0 and is root under another name: write \"root\"")
            }
            return (found, true)
        case .number(let number)?:
            let found = try look("user \(number)") { () throws(SystemError) in try User.find(id: number) }
            if let found { return (found, true) }
            guard let group else {
                throw RunNotPrepared(
                    why: "user \(number) is not in the user database, so its group is unknown: set group, too")
            }
            return (User(id: number, group: group, name: String(number), home: "", shell: "/bin/sh"), false)
        }
    }

    private func look<Found>(_ what: String, _ body: () throws(SystemError) -> Found) throws(RunNotPrepared) -> Found {
        do throws(SystemError) { return try body() } catch { throw RunNotPrepared(why: "\(what): \(error)") }
    }

    /// The owner of the directory of a job with this definition. Nil means the daemon's own user. Nil also when the named user is missing.
    func owner(_ definition: JobDefinition, at now: Instant) -> FileOwner? {
        guard geteuid() == 0 else { return nil }
        // `runAs` accepts an expired account, which still owns the records of its jobs.
        let found = definition.fallsBack
            ? try? find(definition, at: now)  // no nobody either: the daemon's own
            : try? runAs(definition.user, definition.group)  // missing: the job will not start, and root keeps its record
        guard let credentials = found?.credentials else { return nil }
        return FileOwner(user: credentials.user, group: credentials.group)
    }
}
