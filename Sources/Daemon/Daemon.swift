// spoold: one thread around one epoll set. Each turn gathers what happened as events, lets the scheduler decide, and
// carries out its turn in order: journal (one sync for all of it), places, starts, stops, answers.
//
// What may go wrong, and what then:
// - The disk is full or read-only: the turn waits and is tried again each second, the first one too. Running jobs go on,
//   nothing new starts, nothing is acknowledged.
// - Descriptors have run out: what is under way is brought to its end with a reserve, and what is dropped waits.
// - The machine starts no more processes: jobs wait, and one is tried now and then.
// - Each of these is said once in the log, and once more when it is over; see Trouble.swift.
// - A failed sync, blocks that cannot be read or written: what the kernel then has in memory is no longer to be trusted. The daemon
//   lets go of the spool and waits for a disk that takes changes; see AwaitedSpool.swift.
// - The journal is damaged: the daemon does not start, and says file and line.
// - Input that cannot be used is set aside with its reason and stops nothing.

import CLinux
import Glibc
import Linux
import Scheduler
import Store
import WorkerProtocol

public struct DaemonOptions: Sendable {
    public var spool: String
    public var configuration: String?
    public var worker: String
    public var version: String
    /// Waits while another serves the spool.
    public var isStandby: Bool
    /// Serves a user's part of a spool that root's daemon serves, which started this one. From the first moment it is that user's.
    public var user: String?

    public init(spool: String, configuration: String?, worker: String, version: String, isStandby: Bool, user: String? = nil) {
        self.spool = spool
        self.configuration = configuration
        self.worker = worker
        self.version = version
        self.isStandby = isStandby || user != nil
        self.user = user
    }
}

/// Why the daemon cannot go on; for standard error and exit code 1.
public struct DaemonFailure: Error, CustomStringConvertible {
    public var description: String

    init(_ description: String) { self.description = description }
}

typealias SpoolService = Service<DiskFileSystem, Daemon>

public final class Daemon: World {
    /// How long a worker without work is kept.
    static let idleWorkerMilliseconds: Int64 = 10_000
    /// How many new workers are given a job in vain, one after another, before it fails with `spawn`.
    static let newWorkersMax = 3
    /// How soon after a change `state/status.json` is written anew at the latest, and how often at most.
    static let publishMilliseconds: Int64 = 1000

    let options: DaemonOptions
    /// The path that this program was started by, at which its successor is found.
    let program: String
    let host: String
    let spool: Spool<DiskFileSystem>
    let zones = ZoneDatabase()
    var lock: SpoolLock
    let loop: EventLoop
    let signals: SignalDescriptor
    /// Nil: the system has none for us now.
    var watcher: Watcher?
    let notification = Notification()
    let spoolID: String
    /// What the spool says of where it was made, when that is elsewhere.
    private let original: SpoolIdentity?

    /// What is done in the spool; this class is the world around it.
    lazy var service = Service(spool, zones: zones, log: log, spoolID: spoolID, world: self)
    package internal(set) var configuration = Configuration()
    var surroundings: RunSurroundings
    let cgroups = Cgroups()
    let log: Log
    var watches = Watches()
    /// When what cannot be watched is looked at again, in milliseconds of the monotonic clock; nil: all is watched.
    var unwatchedLookAt: Int64?
    /// The spool as it was opened.
    let root: FileStatus
    /// Has a priority event when something was mounted or unmounted; nil where there is no /proc. Open as long as the daemon runs.
    let mounts: Int32?
    /// The spool, or a directory of it, may not be where it was; when that is looked at next, as above; and whether all that is in it
    /// is looked at then.
    var isSpoolSuspect = true
    var spoolLookAt: Int64?
    var isLookDue = false
    /// Why there is no spool to serve any more.
    var lostSpool: String?
    var zoneWatches = ZoneWatches()
    private(set) lazy var paths = PathWatcher(loop, service, log)
    var workers: [Int: Worker] = [:]
    var idleWorkers: [Worker] = []
    var adopted = AdoptedWorkers()
    private(set) lazy var programs = PatternPrograms(loop, service, surroundings, log)
    var configurationFile: ConfigurationFile?
    /// Why nothing is started, and when that is looked at again.
    var held: String?
    var remarksTold = RemarksTold()
    /// While the machine refuses to start more processes.
    var startLimit: StartLimit?
    /// `state/status.json` could not be written, which has been said.
    var isUnpublished = false
    var gateLookAt = Instant(milliseconds: 0)
    var startedAt = Instant(milliseconds: 0)
    var publishedAt = Instant(milliseconds: 0)
    var idleSince: Instant?
    var isStopping = false

    /// The spool is root's, and serves everybody.
    let isForEverybody: Bool
    /// The daemons of users, by name.
    var users: [String: UserDaemon] = [:]
    var nextUserNumber: UInt64 = 1
    /// Users whose directories could not be looked at or made, and when that is tried again, in milliseconds of the monotonic clock.
    var unsettledUsers: [String: (at: Int64, delay: Int64)] = [:]
    var shares = FairShare(slots: 0)
    /// When the running jobs of users of whom no daemon tells are counted, in milliseconds of the monotonic clock; nil: they never were.
    var usersCountAt: Int64?
    var accounts = AccountWatch()
    /// The users whose daemon rests, by the watches of their directories.
    var restingUsers: [Int32: String] = [:]
    /// The spool's disk had broken, and this process waited for it.
    let awaited: AwaitedSpool?
    /// It has come so far that it serves the spool; and when that was, in milliseconds of the monotonic clock.
    private(set) var isServing = false
    private(set) var servingSince: Int64 = 0
    /// A disk that breaks sooner than this has not been mended.
    static let provenMilliseconds: Int64 = 60_000

    /// To root's daemon, of which this one is a part.
    var link: UserLink?
    var heldByRoot: String?
    var idleTime = IdleTime()
    /// It ends because it has nothing to do, and root's daemon starts it again.
    var isResting = false

    /// The successor that is being looked at before it takes over; and whether it has passed.
    var check: ProgramCheck?
    var isRestartDue = false

    // MARK: Starting

    /// Serves the spool until told to end; before that, with `isStandby`, waits until nobody else does.
    public static func serve(_ options: DaemonOptions) throws(DaemonFailure) {
        umask(0o077)
        // Each user, worker and watched directory needs one or some.
        DescriptorLimit.raise()
        do {
            // Before anything of that user's is looked at.
            if let name = options.user { try UserSpool.become(name) }
            let place = Place(options)
            let program = try Linux.Process.ownPath()
            do {
                guard let lock = try place.takeLock(program: program) else { return }
                try Daemon(place, lock, program: program).run()
            } catch let error as SystemError {
                if error.isOfBrokenDisk, let awaited = place.awaited { try awaited.next.hand(to: program) }
                throw error
            }
        } catch let failure as DaemonFailure {
            throw failure
        } catch {
            throw DaemonFailure("\(error)")
        }
    }

    /// Finds out whether this program could serve the spool, and changes nothing.
    public static func check(_ options: DaemonOptions) throws(DaemonFailure) {
        do { try Place(options).check() } catch let failure as DaemonFailure { throw failure } catch { throw DaemonFailure("\(error)") }
    }

    private init(_ place: Place, _ lock: consuming SpoolLock, program: String) throws(SystemError) {
        options = place.options
        awaited = place.awaited
        isForEverybody = place.isForEverybody
        if options.user != nil { link = UserLink() }
        configurationFile = options.configuration.map { ConfigurationFile(path: $0) }
        host = place.host
        log = place.log
        self.lock = lock
        self.program = program
        let fs = try DiskFileSystem(path: options.spool)
        spool = Spool(fs, host: host)
        let known = try SpoolIdentity.read(fs)
        var here = try SpoolIdentity(id: Self.newSpoolID(host: host, path: options.spool), of: fs, path: options.spool)
        if let known, known.isSamePlace(as: here) { here.id = known.id }
        // That of a copy is written when the copy has been settled.
        original = known.flatMap { $0.isSamePlace(as: here) ? nil : $0 }
        if original == nil, known != here { try here.write(fs) }
        spoolID = here.id
        let id = getuid()
        // The user database has the home of the machine's root, which a namespace's root may not enter.
        let user = place.isNamespaceRoot ? nil : try User.find(id: id)
        surroundings = RunSurroundings(
            spool: options.spool,
            user: user ?? User(
                id: id, group: getgid(), name: place.isNamespaceRoot ? "root" : String(id), home: getenv("HOME").map { String(cString: $0) } ?? "",
                shell: "/bin/sh"))
        loop = try EventLoop()
        signals = try SignalDescriptor(Place.signals)
        root = try spool.fs.ownStatus()
        // In a sandbox without it, mounts are simply not noticed.
        mounts = try? FileDescriptor.open("/proc/self/mountinfo", O_RDONLY).release()
        _ = try loop.add(signals.descriptor.raw) { [unowned self] () throws(SystemError) in try takeSignals() }
        if let link { _ = try loop.add(link.raw) { [unowned self] in takeWords() } }
        signal(SIGPIPE, SIG_IGN)
        // What a dead worker leaves behind comes to us, so that it can be ended and reaped.
        _ = linux_set_child_subreaper(1)
        guard let mounts else { return }
        _ = try? loop.add(mounts, .priority) { [unowned self] in  // likewise
            isSpoolSuspect = true
            paths.mountsChanged()
        }
    }

    /// A name for a spool that has none, or another's.
    private static func newSpoolID(host: String, path: String) -> String {
        Base32.encode(stableHash("\(host)\u{0}\(path)\u{0}\(Clock.now())"), characters: 8)
    }

    private func run() throws {
        startedAt = now
        scheduler.spool = options.spool
        if let original {
            service.copy = SpoolCopy(of: original.path) { [spool, spoolID, options] () throws(SystemError) in
                try SpoolIdentity(id: spoolID, of: spool.fs, path: options.spool).write(spool.fs)
            }
        }
        loop.add(self)
        loop.add(programs)
        loop.add(paths)
        loop.clockWasSet = { [unowned self] in clockWasSet() }
        cgroups.listen = { [unowned self] raw throws(SystemError) in
            _ = try loop.add(raw) { [unowned self] () throws(SystemError) in try cgroups.takeEvents() }
        }
        if geteuid() == 0 {
            spool.isRoots = true
            spool.owner = { [unowned self] in owner($0) }
        } else {
            service.owner = SpoolOwner.current
        }
        loadConfiguration(isFirst: true)
        service.wasDiskBroken = awaited != nil || AwaitedSpool.wasBroken(spoolID)
        do throws(SystemError) {
            try openForEverybody()
            try watchSpool()
            watchAccounts()
            try service.begin(boot: try Linux.Process.bootID(), version: options.version)
            // Of what this process was before there may be children that have ended.
            reapChildren()
            programs.startWaiting()
            removeEndedGroups()
            lookAtUsers()
            notification.send("READY=1\nSTATUS=Serving \(options.spool)\n")
            isServing = true
            servingSince = Clock.monotonicMilliseconds()
            AwaitedSpool.noteServed(spoolID)
            if awaited != nil { log.write(.notice, "recovered", at: now, ["of": Trouble.Kind.disk.rawValue]) }
            spool.fs.reserve.keep(Self.reserveCount)
            try serve()
        } catch {
            log.flush()
            try letGo(for: error)
            throw error
        }
        if let lostSpool { throw DaemonFailure("\(lostSpool); what runs is left to its workers") }
    }

    package var now: Instant { Instant(milliseconds: Clock.now()) }

    var scheduler: Scheduler { service.scheduler }

    // MARK: The loop

    private func serve() throws(SystemError) {
        while true {
            if notification.watchdogMilliseconds != nil { notification.send("WATCHDOG=1\n") }
            log.flush()
            try loop.wait(isBusy: service.hasWork || programs.canStartMore || isStopping)
            try lookAtUnwatched()
            try lookAtSpool()
            if lostSpool != nil { return }
            try lookAtUnseenWorkers()
            programs.endOverdue()
            endOverdueCheck()
            if let lookAt = configurationFile?.lookAt, now >= lookAt { loadConfiguration(isFirst: false) }
            lookAtAccounts()
            wakeDue()
            log.countLeftOut(at: now)
            if isStopping {
                try stop()
                return
            }
            try service.turn()
            programs.startWaiting()
            endIdleWorkers()
            tendUsers()
            shareSlots()
            reportToRoot()
            publishIfDue()
            try restIfIdle()
            try restartIfAsked()
        }
    }

    func takeSignals() throws(SystemError) {
        while let signal = try signals.next() {
            switch signal.number {
            case SIGTERM, SIGINT:
                if !isStopping { log.write(.notice, "stopping", at: now, ["signal": Signal.name(signal.number)]) }
                isStopping = true
            case SIGHUP: loadConfiguration(isFirst: false)
            case SIGUSR2: checkProgram()
            case SIGCHLD: reapChildren()
            default: break
            }
        }
    }

    /// Reaps all children that have ended: workers and what these left behind, programs, users' daemons, the successor's check.
    func reapChildren() {
        while case let pid = linux_ended_child(), pid > 0 {
            let run = programs.childEnded(pid)
            if pid == check?.pid { check?.kill() }
            var status: Int32 = 0
            waitpid(pid, &status, WNOHANG)
            workers.values.first { $0.pid == pid }?.isReaped = true
            if userDaemonEnded(pid, status) { continue }
            if let run { programs.take(status, of: run) }
            if pid == check?.pid { checkEnded(status) }
        }
    }

    package func gather(isFirst: Bool) throws(SystemError) {
        if isFirst { logStart() }
        watchNewZones()
        paths.look(isStart: isFirst)
        // Before anybody is answered who asked for the restart.
        if isFirst { publish(state: "running") }
        tryMoreStarts()
    }

    private func logStart() {
        log.write(.notice, "started", at: now, ["spool": options.spool, "pid": "\(getpid())", "version": options.version])
        // Where the kind of file system cannot be found out, nothing is logged.
        guard let kind = try? NetworkFileSystem.name(at: options.spool) else { return }
        log.write(
            .warning, "network-file-system", at: now,
            [
                "kind": kind,
                "effect": "what was synced may be lost with the server, and two machines may serve one spool: use a disk of this machine",
            ])
    }

    package func ask(_ question: Question) { programs.ask(question) }

    // MARK: Ending

    private func stop() throws(SystemError) {
        notification.send("STOPPING=1\n")
        programs.endAll()
        check?.kill()
        try service.finish()
        endUsers()
        publish(state: isResting ? "resting" : "stopped")
        log.countLeftOut(at: now, isLast: true)
        log.write(.notice, "stopped", at: now, ["running": "\(scheduler.runningCount)"])
        log.flush()
    }
}
