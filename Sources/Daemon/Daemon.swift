import CLinux
import Glibc
import Linux
import Scheduler
import Store
import WorkerProtocol

/// spoold: one thread around one epoll set. Each turn gathers what happened as events, lets the scheduler decide, and carries out the
/// decisions in order: journal (one sync for all of them), places, starts, stops, answers.
///
/// This class builds the parts, connects them, and runs the loop. Each part keeps its own state and reaches others by what it was given; so
/// there are more constants here than in other types, and no other state than why the daemon ends.
///
/// Failures and their consequences:
/// - The disk is full or read-only: the turn waits and is tried again each second, the first one too. Running jobs go on, nothing new
///   starts, nothing is acknowledged.
/// - Descriptors have run out: what is under way is finished with a reserve, and dropped files wait.
/// - The machine starts no more processes: jobs wait, and one is tried now and then.
/// - The log reports each of these once when it begins and once when it is over; see Trouble.swift.
/// - A sync fails, or blocks cannot be read or written: the kernel's memory of the disk cannot be trusted any more. The daemon lets go of
///   the spool and waits for a disk that takes changes; see AwaitedSpool.swift.
/// - The journal is damaged: the daemon does not start, and names file and line.
/// - Input that cannot be used is set aside with its reason, and stops nothing.
public final class Daemon {
    /// The number of descriptors that are kept in reserve. Current work needs few at once.
    private static let reserveCount = 8

    private let options: DaemonOptions
    private let log: Log
    private let notification = Notification()
    private let signals: SignalDescriptor
    private let loop: EventLoop
    private let world = RealWorld()
    private let service: SpoolService
    private let configuration: ConfigurationFile
    private let location: SpoolLocation
    private let programs: PatternPrograms
    private let workers: WorkerPool
    /// Only where the spool is root's and serves everybody.
    private let users: UserDaemons?
    /// Only in the daemon of one user, which root's daemon has started.
    private let link: UserLink?
    private let status: StatusFile
    private let upgrade: Upgrade
    private let disk: BrokenDisk

    /// The next turn is the last one.
    private var isStopping = false
    /// This is because there is nothing to do, and root's daemon starts this one again.
    private var isResting = false

    // MARK: Starting

    /// Serves the spool until told to end; before that, with `isStandby`, waits until nobody else does.
    public static func serve(_ options: DaemonOptions) throws(DaemonFailure) {
        umask(0o077)
        // Each user, worker and watched directory needs at least one.
        DescriptorLimit.raise()
        do {
            // Before anything of that user's is opened.
            if let name = options.user { try UserSpool.become(name) }
            let startup = Startup(options)
            let program = try Linux.Process.ownPath()
            do {
                guard let lock = try startup.takeLock(program: program) else { return }
                try Daemon(startup, lock, program: program).run()
            } catch let error as SystemError {
                if error.isOfBrokenDisk, let awaited = startup.awaited { try awaited.next.hand(to: program) }
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
        do { try Startup(options).check() } catch let failure as DaemonFailure { throw failure } catch { throw DaemonFailure("\(error)") }
    }

    /// For the service manager, when the daemon has ended: lifts what keeps it from starting the next one; see ``CgroupTree/disable()``.
    public static func releaseGroups() throws(DaemonFailure) {
        do throws(RunNotPrepared) { try Cgroups.release() } catch { throw DaemonFailure(error.why) }
    }

    private init(_ startup: Startup, _ lock: consuming SpoolLock, program: String) throws(SystemError) {
        options = startup.options
        log = startup.log
        let path = options.spool
        let spool = Spool(try DiskFileSystem(path: path), host: startup.host)
        let identity = try SpoolIdentity.settle(of: spool, path: path)
        let database = ZoneDatabase()
        service = SpoolService(spool, zones: database, log: log, spoolID: identity.id, world: world)
        service.recovery.copy = identity.copy
        service.scheduler.settings.spool = path
        loop = try EventLoop()
        signals = try SignalDescriptor(Startup.signals)

        let files = FileWatches(loop, service, log)
        configuration = ConfigurationFile(path: options.configuration, database, files, service, log)
        let watch = SpoolWatch(path: path, files, service)
        location = try SpoolLocation(path: path, id: identity.id, lock, watch, service, log)
        let zones = ZoneWatch(database, files, configuration, service, log)
        let slots = SlotLimit(isShared: startup.isForEverybody || options.user != nil, service)
        let surroundings = RunSurroundings(spool: path, user: try startup.ownUser())
        programs = PatternPrograms(loop, service, surroundings, log)
        let paths = PathWatcher(loop, service, log)
        let gate = StartGate(path: path, configuration, service, log)
        for part in [service, notification, files, location, configuration, programs, paths, gate] as [any Part] { loop.add(part) }
        for part in [watch, zones, configuration] as [any FileWatcher] { files.add(part) }
        workers = WorkerPool(
            surroundings, program: options.worker, isQuiet: options.user != nil, loop, slots, configuration, service, log)
        users = startup.isForEverybody
            ? UserDaemons(options, program: program, loop, files, watch, slots, configuration, service, log) : nil
        link = options.user == nil ? nil : UserLink(loop, files, slots, gate, service)
        status = StatusFile(options, configuration, slots, gate, users, service, log)
        upgrade = Upgrade(program: program, options, location, programs, notification, service, log)
        if let link { loop.add(link) }
        for part in [status, log, upgrade] as [any Part] { loop.add(part) }
        disk = BrokenDisk(startup.awaited, spoolID: identity.id, program: program, options, service, log)

        world.connect(
            RealWorld.Parts(
                configuration: configuration, zones: zones, paths: paths, programs: programs, workers: workers, gate: gate, status: status,
                reserve: spool.fs.reserve))
        connect(slots)
        try listen()
        listenForMounts(paths)
        signal(SIGPIPE, SIG_IGN)
        // The processes that a dead worker leaves behind become our children, so that they can be killed and reaped.
        _ = linux_set_child_subreaper(1)
    }

    /// Has each part reach the others.
    private func connect(_ slots: SlotLimit) {
        let (service, workers, users, status, configuration) = (service, workers, users, status, configuration)
        world.onStart = { [unowned self] in logStart() }
        world.diskWait = { [unowned self] error throws(SystemError) in try waitForDisk(error) }
        if geteuid() == 0 {
            service.spool.isRoots = true
            service.spool.owner = { [unowned workers] in workers.owner($0) }
        } else {
            service.owner = SpoolOwner.current
        }
        configuration.onChange = { new in
            service.scheduler.settings.zone = new.zone
            service.scheduler.settings.mailCommand = new.mailCommand
            workers.configure(new)
            slots.configure(new)
            users?.configure(new)
        }
        configuration.onReload = { users?.configurationChanged() }
        configuration.onNews = { status.hurry() }
        location.onMove = {
            configuration.load(isChanged: false)
            users?.wakeAll()
        }
        location.onReturn = {
            configuration.load(isChanged: false)
            users?.lookAtAll()
        }
        location.onNewState = { workers.forgetRecords() }
        location.onNewDirectories = { () throws(SystemError) in try users?.openSpool() }
        link?.onEnd = { [unowned self] in isStopping = true }
        link?.onRest = { [unowned self] in
            isResting = true
            isStopping = true
        }
        upgrade.onEnd = { [unowned self] in isStopping = true }
        loop.clockWasSet = {
            service.clockWasSet()
            // Accounts expire by the clock.
            users?.lookAtAll()
            users?.wakeAll()
        }
    }

    private func listen() throws(SystemError) {
        _ = try loop.add(signals.descriptor.raw) { [unowned self] () throws(SystemError) in try takeSignals() }
        if let link { _ = try loop.add(link.raw) { [unowned link] in link.takeWords() } }
    }

    /// In a sandbox without /proc, mounts are not noticed.
    private func listenForMounts(_ paths: PathWatcher) {
        guard let mounts = try? FileDescriptor.open("/proc/self/mountinfo", O_RDONLY).release() else { return }
        // Open as long as the daemon runs. As above, where it cannot be waited for.
        _ = try? loop.add(mounts, .priority) { [location] in
            location.suspect()
            paths.mountsChanged()
        }
    }

    private func run() throws {
        for owner in ([self, world, workers, users] as [AnyObject?]).compactMap(\.self) { loop.assertHasParts(of: owner) }
        configuration.load(isFirst: true)
        service.wasDiskBroken = disk.wasBroken
        do throws(SystemError) {
            try users?.openSpool()
            try location.begin()
            users?.begin()
            try service.begin(boot: try Linux.Process.bootID(), version: options.version)
            // This process may have children of the program that it was before, and some may have ended.
            reapChildren()
            programs.startWaiting()
            if link == nil { workers.removeEndedGroups() }
            users?.lookAtAll()
            notification.send("READY=1\nSTATUS=Serving \(options.spool)\n")
            disk.served()
            service.spool.fs.reserve.keep(Self.reserveCount)
            try serve()
        } catch {
            log.flush()
            try disk.letGo(for: error, isStopping: isStopping) { users?.end() }
            throw error
        }
        if let lost = location.lost { throw DaemonFailure("\(lost); what runs is left to its workers") }
    }

    private func logStart() {
        log.write(
            .notice, "started", at: service.now, ["spool": options.spool, "pid": "\(getpid())", "version": options.version])
        // Nothing is logged where that cannot be found out.
        guard let kind = try? NetworkFileSystem.name(at: options.spool) else { return }
        let effect = "what was synced may be lost with the server, and two machines may serve one spool: use a disk of this machine"
        log.write(.warning, "network-file-system", at: service.now, ["kind": kind, "effect": effect])
    }

    // MARK: The loop

    private func serve() throws(SystemError) {
        while true {
            notification.isAlive()
            log.flush()
            try loop.wait(isBusy: service.hasWork || programs.canStartMore || isStopping)
            try loop.beforeTurn()
            if location.lost != nil { return }
            if isStopping { return try stop() }
            try service.turn()
            try loop.afterTurn()
        }
    }

    private func takeSignals() throws(SystemError) {
        while let signal = try signals.next() {
            switch signal.number {
            case SIGTERM, SIGINT:
                if !isStopping { log.write(.notice, "stopping", at: service.now, ["signal": Signal.name(signal.number)]) }
                isStopping = true
            case SIGHUP: configuration.load()
            case SIGUSR2: upgrade.begin()
            case SIGCHLD: reapChildren()
            default: break
            }
        }
    }

    /// Reaps all children that have ended: workers, the processes that these left behind, programs, users' daemons, the successor's check.
    private func reapChildren() {
        while case let pid = linux_ended_child(), pid > 0 {
            let run = programs.childEnded(pid)
            upgrade.childEnded(pid)
            var status: Int32 = 0
            waitpid(pid, &status, WNOHANG)
            workers.childEnded(pid)
            if users?.childEnded(pid, status) ?? false { continue }
            if let run { programs.take(status, of: run) }
            upgrade.childReaped(pid, status)
        }
    }

    /// Waits for a second, for a signal or for a word of root's daemon; other events wait. False: the daemon was told to stop, or the
    /// disk was taken away.
    private func waitForDisk(_ error: SystemError) throws(SystemError) -> Bool {
        if error.isShortage { workers.endIdle(keeping: 0) }
        // A broken disk that was taken away to be mended is not kept busy.
        if error.isOfBrokenDisk, !location.isAtPath { return false }
        if service.isPublishDue { status.write(.running) }
        // A start that has to wait is not one that hangs.
        notification.send("STATUS=\(error)\nEXTEND_TIMEOUT_USEC=10000000\n")
        var descriptors = [signals.descriptor.raw, link?.raw ?? -1].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        _ = Glibc.poll(&descriptors, 2, 1000)
        // Root's daemon must not take this one for one that has stopped.
        if descriptors[1].revents != 0 { link?.takeWords() }
        link?.report()
        notification.isAlive()
        try takeSignals()
        return !isStopping
    }

    // MARK: Ending

    private func stop() throws(SystemError) {
        notification.send("STOPPING=1\n")
        programs.endAll()
        upgrade.end()
        try service.finish()
        users?.end()
        status.write(isResting ? .resting : .stopped)
        log.countLeftOut(isLast: true)
        log.write(.notice, "stopped", at: service.now, ["running": "\(service.scheduler.runningCount)"])
        log.flush()
    }
}

extension Service: Part {
    package var wakeAt: Wake { Wake(wall: nextWake) }

    package var isIdle: Bool { scheduler.jobs.isEmpty && !hasWork && !hasUnplaced && !hasUnready && troubles.isEmpty }
}
