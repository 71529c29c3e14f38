import Glibc
import Linux
import Scheduler
import Store

/// The daemons of users, which root's daemon starts and ends. Each admitted user, see ``UserAdmission``, is served by a daemon of their
/// own. Root's daemon neither reads a user's files nor writes files for the user: a process with no more rights than the user does that.
///
/// Invariant: nothing that a user does to their directories ends root's daemon. A step that fails is tried again later.
final class UserDaemons: Part, FileWatcher {
    /// The time from a failure to the next examination of a user: after the first failure, and after many.
    private static let unsettledMillisecondsMin: Int64 = 1000
    private static let unsettledMillisecondsMax: Int64 = 3_600_000
    /// The minimum time between two look-ups of a user's account, before slots are granted to the user.
    private static let lookupMilliseconds: Int64 = 1000
    /// The time between two questions to daemons of users that wait for their jobs.
    private static let drainMilliseconds: Int64 = 10_000
    /// The time that daemons of users may take to end when root's ends.
    private static let endMilliseconds: Int64 = 5000

    /// The daemons, by the name of their user.
    private var users: [String: UserDaemon] = [:]
    private var lastNumber: UInt64 = 0
    /// The users who could not be examined or served, with the time of the next try.
    private var unsettled: [String: (at: MonotonicInstant, delayMilliseconds: Int64)] = [:]
    /// True when the spool is open, so that users can be served. All are examined after that.
    private var hasBegun = false
    /// True when no daemon is started any more, because this one ends.
    private var isStopping = false
    /// The next time at which the daemons of users are told to end when their jobs have ended, and must answer. Nil until this one waits
    /// for its jobs.
    private var drainAt: MonotonicInstant?
    /// Called when the accounts of the machine may have changed.
    var onAccounts: () -> Void = {}
    private var foreign = ForeignNames()
    private let shares: UserShares
    private let rests: UserRests
    private let accounts: AccountWatch
    private let admission: UserAdmission
    private let crontabs: CrontabWatch?
    private let options: DaemonOptions
    private let program: String
    private let loop: EventLoop
    private let watch: SpoolWatch
    private let configuration: ConfigurationFile
    private let service: SpoolService
    private let log: Log

    init(
        _ options: DaemonOptions, program: String, _ loop: EventLoop, _ files: FileWatches, _ watch: SpoolWatch, _ crontabs: CrontabWatch?,
        _ slots: SlotLimit,
        _ configuration: ConfigurationFile, _ service: SpoolService, _ log: Log
    ) {
        self.options = options
        self.program = program
        self.loop = loop
        self.watch = watch
        self.configuration = configuration
        self.service = service
        self.log = log
        shares = UserShares(spool: options.spool, slots, service)
        rests = UserRests(path: options.spool, files, service)
        accounts = AccountWatch(files, service, log)
        admission = UserAdmission(service, configuration, accounts, crontabs)
        self.crontabs = crontabs
        accounts.onChange = { [unowned self] in
            onAccounts()
            lookAtAll()
        }
        shares.send = { [unowned self] in send($0) }
        for part in [shares, rests, accounts, self] as [any Part] { loop.add(part) }
        for part in [rests, accounts, self] as [any FileWatcher] { files.add(part) }
    }

    private var spool: Spool<DiskFileSystem> { service.spool }

    // MARK: The spool of all

    /// Sets the modes with which the spool serves everybody. Called before anything is read from it, and when they may have changed.
    func openSpool() throws(SystemError) {
        try UserSpool.openSpool(spool.fs.directory(), isForNamedUsers: configuration.inForce.allow != nil)
        try spool.fs.rulesChanged()
    }

    /// Called once, before the daemon serves.
    func begin() {
        accounts.watch()
        hasBegun = true
    }

    func configure(_ configuration: Configuration) { shares.configure(configuration) }

    /// Called when the configuration has been read again.
    func configurationChanged() {
        try? openSpool()  // the modes stay as they are; the next start fails for the same reason and reports it
        lookAtAll()
        rests.wakeAll()
    }

    func wakeAll() { rests.wakeAll() }

    // MARK: Who is served

    func take(_ events: [InotifyEvent]) {
        for event in events where !event.name.isEmpty {
            guard let shared = watch.shared(event.watch) else { continue }
            // For a served user, something else than a directory may have replaced the user's directory.
            if event.mask.contains(.isDirectory) || users[event.name] != nil {
                look(at: event.name)
            } else if isForeign(event.name, in: shared) {
                foreign.add(ForeignNames.Name(event.name, in: shared), at: .now())
            } else if shared != Layout.new {
                lookAtStranger(event.name, in: shared)
            }
        }
    }

    /// True for something that another user has made under a name that may be the name of a user.
    private func isForeign(_ name: String, in shared: String) -> Bool {
        // Almost all names are those of jobs and definitions, which need no look at the disk.
        guard Name.isValid(name), !name.hasSuffix(".toml"), !name.hasSuffix(".json") else { return false }
        return (try? spool.fs.foreignOwner("\(shared)/\(name)")) ?? nil != nil  // what cannot be looked at is in nobody's place
    }

    /// Examines the users under whose names others have made something.
    private func lookAtForeign() {
        for one in foreign.next(at: .now(), foreignNames) where isForeign(one.name, in: one.shared) {
            do throws(SystemError) {
                if try UserPart.owner(ofName: one.name) != nil {
                    look(at: one.name)
                } else if one.shared != Layout.new {
                    lookAtStranger(one.name, in: one.shared)
                }
            } catch {
                foreign.notAnswered(at: .now())
            }
        }
    }

    private func foreignNames() -> [ForeignNames.Name] {
        Layout.shared.flatMap { shared in
            let entries = (try? spool.fs.list(shared)) ?? []  // what cannot be listed is in nobody's place
            return entries.map { ForeignNames.Name($0.name, in: shared) }.filter { isForeign($0.name, in: shared) }
        }
    }

    func lookAnew() { lookAtAll() }
    func mountsChanged() {}

    /// Examines every name that has something in the spool, every served user and every user whom the configuration names.
    func lookAtAll() {
        var names = Set(configuration.inForce.allow ?? [])
        names.formUnion(users.keys)
        if let crontabs { names.formUnion(crontabs.users) }
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
            log.write(.error, "unreadable", at: service.now, ["error": "\(error)"])
        }
        for name in names.sorted() { look(at: name) }
    }

    /// Examines a name, and plans another examination when this one has no lasting result.
    private func look(at name: String) {
        guard !isStopping, JobID(name) == nil else { return }
        let before = unsettled.removeValue(forKey: name)
        do throws(SystemError) {
            if try serve(name) { return }
        } catch {
            note("\(error)", of: name)
        }
        let delay = min(2 * (before?.delayMilliseconds ?? Self.unsettledMillisecondsMin / 2), Self.unsettledMillisecondsMax)
        unsettled[name] = (.now().advanced(byMilliseconds: delay), delay)
    }

    /// Serves the user of this name, or stops serving them. Returns false when the result may change later without an event.
    private func serve(_ name: String) throws(SystemError) -> Bool {
        let verdict = try admission.verdict(on: name, isServed: users[name] != nil)
        if let crontabs, let path = crontabs.path(of: name) {
            // Root's daemon reports no other problem of a user's crontab. The user's daemon reports those of its lines.
            if case .nobody = verdict, crontabs.hasCrontab(of: name) {
                service.report(problem: ["\(path): there is no user \"\(name)\", whose crontab this is"], of: path, inForce: "none")
                return true
            }
            service.health.solvedIfReported(path)
        }
        switch verdict {
        case .nobody:
            for shared in UserPart.claimable { lookAtStranger(name, in: shared) }
        case .unknown:
            note("no user is called \(name)", of: name)
            letGo(name)
            return false
        case .absent: service.problems[UserPart.path(of: name)] = nil
        case .refused(let why):
            note(why, of: name)
            letGo(name)
        case .admitted(let account): return try serve(account)
        }
        return true
    }

    private func serve(_ account: UserAccount) throws(SystemError) -> Bool {
        let name = account.user.name
        if let one = users[name] {
            let isOfSession = !one.isRunning || one.pamService == configuration.inForce.pamService
            guard one.account.isSame(as: account), isOfSession else {
                let effect = "the daemon of that user is started again"
                let why = isOfSession ? "the account has changed" : "pam_service has changed"
                log.write(.notice, "user-changed", at: service.now, ["user": name, "why": why, "effect": effect], causedBy: name)
                letGo(name)
                return try users[name] == nil ? serve(name) : true
            }
            one.wasLookedUp(account)
            // The user may have removed directories that the user's daemon needs.
            try UserSpool.make(account.user, in: spool.fs.directory())
            if one.refusal == nil { service.problems[UserPart.path(of: name)] = nil } else if !one.isRunning { one.startNow() }
            return true
        }
        service.problems[UserPart.path(of: name)] = nil
        lastNumber += 1
        let one = UserDaemon(account, number: lastNumber)
        users[name] = one
        start(one)
        return true
    }

    /// Reports something in a shared directory that is not the directory of a user.
    private func lookAtStranger(_ name: String, in shared: String) {
        let path = "\(shared)/\(name)"
        if let owner = try? spool.fs.foreignOwner(path) {  // unreadable or removed: not reported, and not used either
            service.intake.sayForeign(path, of: owner, in: shared)
        }
    }

    private func note(_ why: String, of name: String) {
        service.report(problem: [why], of: UserPart.path(of: name), inForce: "nothing of that user is read", causedBy: name)
    }

    /// Stops serving a user.
    private func letGo(_ name: String) {
        guard let one = users[name] else { return }
        hearNoMore(of: one)
        rests.end(one)
        one.letGo()
        // The jobs that the daemon has started run on, and are counted from now on.
        shares.leave(name, isCounted: false)
        if !one.isRunning { users[name] = nil }
    }

    // MARK: Crontabs

    /// Called when the crontab of a user has changed, or may count or not count now.
    func crontabChanged(_ name: String) {
        guard hasBegun else { return }
        guard let one = users[name] else { return look(at: name) }
        one.isCrontabDue = true
        one.wake()
    }

    /// Sends a user's daemon the crontab of the user. Another change is sent when this one was taken.
    private func sendCrontab(to one: UserDaemon) {
        guard let path = crontabs?.path(of: one.user.name) else {
            if crontabs != nil { one.send(crontab: "-", .gone) }
            return
        }
        let opened: OpenedCrontab
        do throws(SystemError) { opened = try crontabs?.open(crontabOf: one.user) ?? .gone } catch {
            return one.send(crontab: path, .refused("\(error)"))
        }
        one.send(crontab: path, opened)
    }

    // MARK: Their lives

    private func start(_ one: UserDaemon) {
        let name = one.user.name
        do throws(SystemError) {
            let isAfterRest = one.rest != nil
            rests.end(one)
            try UserSpool.make(one.user, in: spool.fs.directory())
            var arguments = [program, "--spool", UserPart.path(of: name, inSpool: options.spool), "--worker", options.worker]
            if let path = options.configuration { arguments += ["--config", path] }
            if isAfterRest { arguments.append("--after-rest") }
            arguments += ["--serve-user", name]
            let pamService = configuration.inForce.pamService
            if let pamService { arguments = Session(service: pamService, program: program).arguments(for: name, program, arguments) }
            try one.start(program: program, arguments: arguments, pamService: pamService)
            if let descriptor = one.descriptor { one.token = try loop.add(descriptor) { [unowned self, unowned one] in take(one) } }
            shares.add(name)
            if one.refusal == nil { service.problems[UserPart.path(of: name)] = nil }
            log.write(.notice, "serving-user", at: service.now, ["user": name, "pid": "\(one.pid)"], causedBy: name)
        } catch {
            if one.isRunning { one.kill() }
            note("\(error)", of: name)
            hearNoMore(of: one)
            _ = one.ended()
        }
        service.isPublishDue = true
    }

    /// Called when a child has been reaped. Returns false when the child was not a user's daemon.
    func childEnded(_ pid: pid_t, _ status: Int32) -> Bool {
        guard let one = users.values.first(where: { $0.pid == pid }) else { return false }
        let name = one.user.name
        one.wasReaped()
        if one.descriptor != nil { take(one) }
        let isWanted = one.descriptor != nil
        hearNoMore(of: one)
        shares.leave(name, isCounted: true)
        if isWanted, !isStopping, status == 0, let rest = one.rest {
            one.rests()
            log.write(.notice, "user-rests", at: service.now, ["user": name, "pid": "\(pid)"], causedBy: name)
            if rest.isOver { one.startNow() }
            service.isPublishDue = true
            return true
        }
        rests.end(one)
        let delay = one.ended()
        if isWanted, !isStopping {
            log.write(
                .warning, "user-daemon-ended", at: service.now,
                ["user": name, "pid": "\(pid)", "status": "\(status)", "again_ms": "\(delay)"], causedBy: name)
        } else {
            users[name] = nil
            // The reason for which the user is not served may not hold any more.
            look(at: name)
        }
        service.isPublishDue = true
        return true
    }

    /// Stops reading the link of a user's daemon.
    private func hearNoMore(of one: UserDaemon) {
        guard let descriptor = one.descriptor, let token = one.token else { return }
        loop.remove(descriptor, token)
        one.token = nil
    }

    /// Starts daemons again that have ended, kills those that do not answer, and shares the slots.
    func afterTurn() {
        let now = MonotonicInstant.now()
        for (name, again) in unsettled where again.at <= now { look(at: name) }
        if foreign.wakeAt != nil { lookAtForeign() }
        if let at = drainAt, at <= now { askToDrain() }
        for one in users.values.sorted(by: { $0.number < $1.number }) {
            if let at = one.startAt, at <= now { start(one) }
            if one.isCrontabDue, !one.isTakingCrontab, one.descriptor != nil { sendCrontab(to: one) }
            if let by = one.answerBy, by <= now, one.isRunning {
                // The answer may have arrived without having been read.
                if one.descriptor != nil { take(one) }
                guard one.isSilent(at: now) else { continue }
                log.write(
                    .error, "user-daemon-silent", at: service.now,
                    ["user": one.user.name, "pid": "\(one.pid)", "effect": "it is killed"], causedBy: one.user.name)
                one.answered()
                one.kill()
            }
        }
        if !users.isEmpty || shares.areDivided { share() }
    }

    var wakeAt: Wake {
        let next = users.values.lazy.flatMap { [$0.startAt, $0.answerBy] }.compactMap(\.self).min()
        var wake = Wake(monotonic: next)
        wake.include(Wake(monotonic: unsettled.values.lazy.map(\.at).min()))
        wake.include(Wake(monotonic: foreign.wakeAt))
        wake.include(Wake(monotonic: drainAt))
        return wake
    }

    /// Has all users' daemons end when their jobs have ended, because this one does. None is started any more: those that rest, or wait for
    /// their next start, are let go, and nobody is examined.
    func drain() {
        isStopping = true
        unsettled = [:]
        for (name, one) in users { if one.isRunning { rests.end(one) } else { letGo(name) } }
        askToDrain()
    }

    /// Orders the drain, again and again: the user can stop the daemon by a signal. One that does not answer is killed, so that it does not
    /// hold up the end of this one. Its jobs run on with their workers.
    private func askToDrain() {
        drainAt = .now().advanced(byMilliseconds: Self.drainMilliseconds)
        for one in users.values where one.isRunning {
            if one.descriptor == nil { one.letGo() } else { one.send("drain", isAnswered: true) }
        }
    }

    /// Has all users' daemons ask their jobs to end.
    func stopJobs() { for one in users.values { one.send("stop jobs", isAnswered: true) } }

    /// True when no daemon of a user has a job to wait for: they have ended.
    var isDrained: Bool { users.values.allSatisfy { isStopping ? !$0.isRunning : $0.running == 0 } }

    /// The number of jobs that the daemons of users run.
    var runningCount: Int { users.values.reduce(0) { $0 + $1.running } }

    /// Has all users' daemons end in order, and waits a limited time for their ends.
    func end() {
        isStopping = true
        for one in users.values {
            hearNoMore(of: one)
            one.letGo()
        }
        let limit = MonotonicInstant.now().advanced(byMilliseconds: Self.endMilliseconds)
        for one in users.values where one.isRunning {
            guard let ending = try? Linux.Process.openPidfd(one.pid) else { continue }  // not waited for: it ends by itself
            var descriptor = pollfd(fd: ending.raw, events: Int16(POLLIN), revents: 0)
            _ = Glibc.poll(&descriptor, 1, limit.pollTimeout())
        }
    }

    // MARK: Slots

    private func share() {
        shares.settleAfterTurn()
        let held = service.scheduler.pauses[.all].map { "everything is paused by root" + ($0.isEmpty ? "" : ": \($0)") }
        for one in users.values where one.held != held {
            one.held = held
            one.send("held \(String((held ?? "").map { $0.isNewline ? " " : $0 }))")
        }
    }

    private func send(_ grant: FairShare.Grant) -> Bool {
        guard grant.slots == 0 || isAsServed(grant.user) else { return false }
        users[grant.user]?.send("slots \(grant.slots) \(grant.number)", isAnswered: true)
        return true
    }

    /// True when the user's account is still the one for which the user's daemon was started. Looks the account up at most once a second.
    private func isAsServed(_ name: String) -> Bool {
        guard let one = users[name] else { return false }
        if MonotonicInstant.now().milliseconds(since: one.lookedUpAt) >= Self.lookupMilliseconds {
            one.wasLookedUp(one.account)
            look(at: name)
        }
        return users[name] === one && one.descriptor != nil
    }

    /// Reads what a user's daemon reports.
    private func take(_ one: UserDaemon) {
        guard let lines = one.receive() else {
            // The daemon usually has ended, and SIGCHLD follows. If it has closed its link or sent garbage and runs on, it is killed after
            // a while.
            hearNoMore(of: one)
            return one.isToEnd()
        }
        for line in lines {
            switch UserReport(line: String(line)) {
            case .rest(let until): rests.grant(one, until: until)
            case .refused(let why):
                one.refusal = why
                note(why, of: one.user.name)
            case .tookCrontab: one.crontabTaken()
            case .needs(let running, let isShort, let grant, let waiting):
                one.answered()
                rests.end(one)
                if one.refusal != nil {
                    one.refusal = nil
                    service.health.solved(UserPart.path(of: one.user.name))
                }
                if one.running != running || one.waiting != waiting { service.isPublishDue = true }
                (one.running, one.waiting) = (running, waiting)
                shares.report(one.user.name, running: running, isShort: isShort, number: grant)
            case nil: continue
            }
        }
        shares.settle()
    }

    // MARK: Publishing

    /// Writes the member `users` of `state/status.json`.
    func write(to writer: inout JSONWriter) {
        writer.beginArray()
        for (name, one) in users.sorted(by: { $0.key < $1.key }) {
            writer.beginObject()
            writer.member("name", name)
            writer.member("pid", one.isRunning ? Int(one.pid) : nil)
            writer.member("resting", one.rest != nil && !one.isRunning)
            writer.member("running", one.running)
            writer.member("waiting", one.waiting)
            writer.member("slots", shares.limit(of: name))
            writer.endObject()
        }
        writer.endArray()
    }
}
