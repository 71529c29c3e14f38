import Glibc
import Linux
import Scheduler
import Store

// A daemon of root's serves root's own files, and sees to it that each user who has a directory of her name in new/, tasks/, schedules/ or
// control/ is served by a daemon of her own. It reads nothing of theirs and writes nothing into it: what a user puts into her files is between
// her and a process that has no more rights than she.

extension Daemon {
    /// The name by which root's own jobs take part in sharing the slots: no user is called so.
    static let own = FairShare.root

    /// Makes the spool one for everybody. Before anything is read from it.
    func openForEverybody() throws(SystemError) {
        guard isForEverybody else { return }
        try UserSpool.openSpool(spool.fs.directory(), isForNamedUsers: configuration.allow != nil)
        try spool.fs.rulesChanged()
    }

    // MARK: Who is served

    /// Looks at everybody who has something in the spool, and everybody who may.
    func lookAtUsers() {
        guard isForEverybody else { return }
        var names = Set(configuration.allow ?? [])
        names.formUnion(users.keys)
        do throws(SystemError) {
            for directory in UserPart.claimable + [Layout.users] {
                for entry in try spool.fs.list(directory) {
                    if entry.kind == .directory {
                        names.insert(entry.name)
                    } else if let name = UserPart.denied(byFile: entry.name) {
                        names.insert(name)
                    }
                }
            }
        } catch {
            log.write(.error, "unreadable", at: now, ["error": "\(error)"])
        }
        for name in names.sorted() { lookAtUser(name) }
    }

    /// Something of this name has come or gone. What cannot be done about it now, for it may have changed meanwhile, is tried again: nothing
    /// that a user does to her directories ends the daemon of all.
    func lookAtUser(_ name: String) {
        guard isForEverybody, !isStopping, JobID(name) == nil else { return }
        let place = UserPart.path(of: name)
        let before = unsettledUsers.removeValue(forKey: name)
        do throws(SystemError) {
            if try serve(name, place) { return }
        } catch {
            note("\(error)", of: name)
        }
        let delay = min(2 * (before?.delay ?? Self.unsettledMillisecondsMin / 2), Self.unsettledMillisecondsMax)
        unsettledUsers[name] = (Clock.monotonicMilliseconds() + delay, delay)
    }

    /// How long after a failure a user is looked at again, at first, and after many.
    private static let unsettledMillisecondsMin: Int64 = 1000
    private static let unsettledMillisecondsMax: Int64 = 3_600_000

    /// False: what was found may be otherwise in a while, and nothing tells when.
    private func serve(_ name: String, _ place: String) throws(SystemError) -> Bool {
        guard let user = try UserPart.owner(ofName: name) else {
            let isKnown = try spool.fs.status(place) != nil
            guard isKnown || users[name] != nil else {
                // What root keeps there is not ours to judge.
                for shared in UserPart.claimable { lookAtStranger(name, in: shared) }
                return true
            }
            note("no user is called \(name)", of: name)
            // A database on another machine that cannot be asked has no users, either.
            letGo(name)
            return false
        }
        let account = try UserAccount(user)
        let directory = try spool.fs.directory()
        let isAdmitted = configuration.admits(user: name)
        if isAdmitted { try UserSpool.admit(name, in: directory) }
        var claims: [UserSpool.Claim] = []
        for shared in UserPart.claimable { claims.append(try UserSpool.claim(user, in: shared, directory)) }
        for case .refused(let why) in claims {
            note(why, of: name)
            letGo(name)
            return true
        }
        let isNamed = configuration.allow?.contains(name) ?? false
        let wasServed = try spool.fs.status(place) != nil
        guard wasServed || isNamed || claims.contains(.directory) else {
            service.problems[place] = nil
            return true
        }
        guard isAdmitted else {
            try UserSpool.deny(name, in: directory)
            note("user \(name) may not use this spool: allow and deny in the configuration say so", of: name)
            letGo(name)
            return true
        }
        let today = AccountWatch.day(of: now)
        accounts.noteChange(onDay: account.aging?.nextChange(afterDay: today))
        if let why = account.aging?.refusal(onDay: today) {
            note("nothing is run for user \(name): \(why)", of: name)
            letGo(name)
            return true
        }
        if let one = users[name] {
            guard one.account.isSame(as: account) else {
                let effect = "the daemon of that user is begun anew"
                log.write(.notice, "user-changed", at: now, ["user": name, "effect": effect], causedBy: name)
                letGo(name)
                if users[name] == nil { return try serve(name, place) }
                return true
            }
            one.account = account
            one.lookedUpAt = Clock.monotonicMilliseconds()
            // Of what she removed, her daemon needs some.
            try UserSpool.make(user, in: directory)
            service.problems[place] = nil
            return true
        }
        service.problems[place] = nil
        let one = UserDaemon(account, number: nextUserNumber)
        nextUserNumber += 1
        users[name] = one
        start(one)
        return true
    }

    /// Something in a shared directory that is no user's own directory.
    func lookAtStranger(_ name: String, in shared: String) {
        let path = "\(shared)/\(name)"
        // What cannot be looked at counts no more than what can.
        if let owner = try? spool.fs.foreignOwner(path) { service.sayForeign(path, of: owner, in: shared) }
    }

    private func note(_ why: String, of name: String) {
        service.report(problem: [why], of: UserPart.path(of: name), inForce: "nothing of that user is looked at", causedBy: name)
    }

    /// Nothing of the user's is served any more.
    private func letGo(_ name: String) {
        guard let one = users[name] else { return }
        unlink(one)
        endRest(one)
        one.letGo()
        // What it has started goes on; how much that is gets counted.
        shares.leave(name, running: .max)
        if !one.isRunning { users[name] = nil }
    }

    // MARK: Their daemons

    private func start(_ one: UserDaemon) {
        let name = one.user.name
        do throws(SystemError) {
            endRest(one)
            try UserSpool.make(one.user, in: spool.fs.directory())
            var arguments = [program, "--spool", UserPart.path(of: name, inSpool: options.spool), "--worker", options.worker]
            if let configuration = options.configuration { arguments += ["--config", configuration] }
            try one.start(program: program, arguments: arguments + ["--serve-user", name], environment: Self.environmentOfUsers())
            let number = one.number
            if let descriptor = one.descriptor { one.token = try loop.add(descriptor) { [unowned self] in takeUserReport(number) } }
            shares.add(name)
            service.problems[UserPart.path(of: name)] = nil
            log.write(.notice, "serving-user", at: now, ["user": name, "pid": "\(one.pid)"], causedBy: name)
        } catch {
            if one.isRunning { one.kill() }
            note("\(error)", of: name)
            _ = one.ended()
        }
        service.isPublishDue = true
    }

    /// What of root's daemon's surroundings concerns how the others work, and nothing that it has for itself.
    private static func environmentOfUsers() -> [String] {
        var variables = ["PATH=\(RunSurroundings.path)", "LANG=C.UTF-8"]
        for name in ["JOURNAL_STREAM", "TZDIR"] {
            if let value = getenv(name) { variables.append("\(name)=\(String(cString: value))") }
        }
        return variables
    }

    /// A child has been reaped. False: it is no user's daemon.
    func userDaemonEnded(_ pid: pid_t, _ status: Int32) -> Bool {
        guard let one = users.values.first(where: { $0.pid == pid }) else { return false }
        let name = one.user.name
        one.wasReaped()
        if one.descriptor != nil { takeUserReport(one.number) }
        let isWanted = one.descriptor != nil
        unlink(one)
        shares.leave(name, running: UserProcesses.workers(ofSpool: options.spool)[name] ?? 0)
        if isWanted, !isStopping, status == 0, let rest = one.rest {
            one.rests()
            log.write(.notice, "user-rests", at: now, ["user": name, "pid": "\(pid)"], causedBy: name)
            if rest.isOver { one.startNow() }
            service.isPublishDue = true
            return true
        }
        endRest(one)
        let delay = one.ended()
        if isWanted, !isStopping {
            log.write(
                .warning, "user-daemon-ended", at: now,
                ["user": name, "pid": "\(pid)", "status": "\(status)", "again_ms": "\(delay)"], causedBy: name)
        } else {
            users[name] = nil
            // What kept her from being served may be over since she was let go.
            lookAtUser(name)
        }
        service.isPublishDue = true
        return true
    }

    private func unlink(_ one: UserDaemon) {
        guard let descriptor = one.descriptor, let token = one.token else { return }
        loop.remove(descriptor, token)
        one.token = nil
    }

    /// Starts those again that have ended, and ends those that do not answer.
    func tendUsers() {
        let now = Clock.monotonicMilliseconds()
        for (name, again) in unsettledUsers where again.at <= now { lookAtUser(name) }
        countUntold(now)
        for one in users.values.sorted(by: { $0.number < $1.number }) {
            if let at = one.startAt, at <= now { start(one) }
            if let by = one.answerBy, by <= now, one.isRunning {
                // What it has said meanwhile may not have been read.
                if one.descriptor != nil { takeUserReport(one.number) }
                guard one.isSilent(at: now) else { continue }
                log.write(
                    .error, "user-daemon-silent", at: self.now,
                    ["user": one.user.name, "pid": "\(one.pid)", "effect": "it is killed"], causedBy: one.user.name)
                one.answered()
                one.kill()
            }
        }
    }

    var millisecondsUntilUsersNeedTending: Int64? {
        let next = users.values.lazy.flatMap { [$0.startAt, $0.answerBy] }.compactMap(\.self).min()
        let again = unsettledUsers.values.map(\.at).min()
        let count = shares.untold.isEmpty ? nil : usersCountAt
        return [next, again, count].compactMap(\.self).min().map { max(0, $0 - Clock.monotonicMilliseconds()) }
    }

    /// Has all of them end in order, and waits for that, but not for ever.
    func endUsers() {
        for one in users.values {
            unlink(one)
            one.letGo()
        }
        let limit = Clock.monotonicMilliseconds() + 5000
        for one in users.values where one.isRunning {
            // Without a descriptor for it there is nothing to wait for; it ends by itself.
            guard let ending = try? Linux.Process.openPidfd(one.pid) else { continue }
            var descriptor = pollfd(fd: ending.raw, events: Int16(POLLIN), revents: 0)
            _ = Glibc.poll(&descriptor, 1, Int32(clamping: max(0, limit - Clock.monotonicMilliseconds())))
        }
    }

    // MARK: Slots

    /// The configuration is new.
    func slotsChanged() {
        shares.slots = configuration.slots
        shares.userSlots = configuration.slotsOfOneUser
        guard isForEverybody else { return }
        countUsersAtStart()
        guard shares.limit(Self.own) == 0 else { return }
        // All of them are root's, until somebody else wants some.
        shares.add(Self.own)
        reportOwn(isShort: true)
        settleShares()
    }

    /// Before anything is granted: what users' daemons of an earlier one of root's have started goes on, and counts.
    private func countUsersAtStart() {
        guard usersCountAt == nil else { return }
        UserProcesses.endDaemons(ofSpool: options.spool)
        usersCountAt = Clock.monotonicMilliseconds()
        for (name, count) in UserProcesses.workers(ofSpool: options.spool) { shares.leave(name, running: count) }
    }

    /// Counts the jobs that go on without a daemon that tells of them.
    private func countUntold(_ now: Int64) {
        guard let due = usersCountAt, due <= now, !shares.untold.isEmpty else { return }
        usersCountAt = now + Self.countMilliseconds
        let workers = UserProcesses.workers(ofSpool: options.spool)
        for name in shares.untold { shares.recount(name, running: workers[name] ?? 0) }
    }

    private static let countMilliseconds: Int64 = 2000

    /// After each turn: shares the slots anew if somebody lacks some.
    func shareSlots() {
        guard isForEverybody, !users.isEmpty || shares.limit(Self.own) < configuration.slots || !shares.untold.isEmpty else { return }
        reportOwn(isShort: isShortOfSlots)
        settleShares()
        let held = scheduler.pauses[.all].map { "everything is paused by root" + ($0.isEmpty ? "" : ": \($0)") }
        for one in users.values where one.held != held {
            one.held = held
            one.send("held \(String((held ?? "").map { $0.isNewline ? " " : $0 }))")
        }
    }

    /// Whether more slots would be used: not while the machine refuses to start more.
    var isShortOfSlots: Bool { scheduler.isShortOfSlots && startLimit == nil }

    private func reportOwn(isShort: Bool) {
        shares.report(Self.own, running: scheduler.runningCount, isShort: isShort, number: shares.number(Self.own))
    }

    private func settleShares() {
        var grants = shares.settle()
        while !grants.isEmpty {
            var isChanged = false
            for one in grants {
                if one.user == Self.own {
                    limitSlots()
                    reportOwn(isShort: isShortOfSlots)
                    isChanged = true
                } else if one.slots == 0 || isAsServed(one.user) {
                    users[one.user]?.send("slots \(one.slots) \(one.number)", isAnswered: true)
                } else {
                    // Others may have them.
                    isChanged = true
                }
            }
            grants = isChanged ? shares.settle() : []
        }
    }

    /// True when a user's account is the one that the user's daemon was started for. Looks the account up at most once a second.
    private func isAsServed(_ name: String) -> Bool {
        guard let one = users[name] else { return false }
        if Clock.monotonicMilliseconds() - one.lookedUpAt >= Self.lookupMilliseconds {
            one.lookedUpAt = Clock.monotonicMilliseconds()
            lookAtUser(name)
        }
        return users[name] === one && one.descriptor != nil
    }

    private static let lookupMilliseconds: Int64 = 1000

    /// A user's daemon says how things stand.
    func takeUserReport(_ number: UInt64) {
        guard let one = users.values.first(where: { $0.number == number }) else { return }
        guard let lines = one.receive() else {
            // Its end is reaped in a moment. One that closes its link, or says what it never would, and lives on is ended in a while.
            unlink(one)
            return one.isToEnd()
        }
        for line in lines {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == "rest", let until = Int64(words[1]) {
                grantRest(one, until: Instant(milliseconds: until))
                continue
            }
            guard words.count == 5, words[0] == "needs", let running = Int(words[1]), let isShort = Int(words[2]),
                let answered = Int(words[3]), let waiting = Int(words[4])
            else { continue }
            one.answered()
            endRest(one)
            if one.running != running || one.waiting != waiting { service.isPublishDue = true }
            (one.running, one.waiting) = (running, waiting)
            shares.report(one.user.name, running: running, isShort: isShort == 1, number: answered)
        }
        settleShares()
    }
}
