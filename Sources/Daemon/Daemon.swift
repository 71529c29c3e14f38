import CLinux
import Glibc
import Linux
import Scheduler
import Store
import WorkerProtocol

/// spoold: one thread around one epoll set. Each turn gathers events, lets the scheduler decide, and carries out the decisions in a fixed
/// order: journal (one sync for all of them), moves of directories, starts, stops, answers.
///
/// This class builds the parts, connects them and runs the loop. Each part keeps its own state and reaches the others through what it was
/// given. Therefore this class has more constants than others, and as state only the reason why the daemon ends.
///
/// Failures and their consequences:
/// - The disk is full or read-only: the turn waits and is tried again every second, at the start too. Running jobs continue, nothing new
///   starts, and nothing is acknowledged.
/// - Descriptors have run out: work under way is finished with a reserve, and dropped files wait.
/// - The machine starts no more processes: jobs wait, and one is tried now and then.
/// - The log reports each of these once when it begins and once when it is over; see Trouble.swift.
/// - A sync fails, or blocks cannot be read or written: the kernel's memory of the disk cannot be trusted any more. The daemon closes all
///   files of the spool and waits for a disk that takes changes; see AwaitedSpool.swift.
/// - The journal is damaged: the daemon does not start, and reports the file and the line.
/// - Input that cannot be used is set aside with its reason, and stops nothing else.
public final class Daemon {
    /// The number of descriptors that are kept in reserve, to finish the work under way when descriptors have run out.
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
    private let executors: Executors
    private let workers: WorkerPool
    /// Nil when the output of jobs is in files alone.
    private let output: JobOutput?
    /// The crontabs of the machine. Nil except in root's daemon.
    private let crontabs: CrontabWatch?
    private let given: GivenFiles
    /// The daemons of users. Nil except in root's daemon.
    private let users: UserDaemons?
    /// The link to root's daemon. Nil except in the daemon of one user, which root's daemon has started.
    private let link: UserLink?
    private let drain: Drain
    private let status: StatusFile
    private let metrics: MetricsFile
    private let upgrade: Upgrade
    private let disk: BrokenDisk

    /// True when the daemon ends instead of taking another turn.
    private var isStopping = false
    /// True when it ends because it has nothing to do. Root's daemon starts it again.
    private var isResting = false

    // MARK: Starting

    /// Serves the spool until a signal ends the daemon. With `isStandby` first waits until no other daemon serves the spool.
    public static func serve(_ options: DaemonOptions) throws(DaemonFailure) {
        umask(0o077)
        // A signal that process 1 neither handles nor blocks does nothing: one that is sent during the start must count later.
        if getpid() == 1 { blockSignals() }
        // Each user and each worker needs at least one descriptor.
        DescriptorLimit.raise()
        do {
            // A user's daemon becomes the user before it opens anything of the user's.
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

    private static func blockSignals() {
        _ = try? SignalDescriptor.block(Startup.signals)  // fails for no signal of the list
    }

    /// Throws unless this program could serve the spool. Changes nothing.
    public static func check(_ options: DaemonOptions) throws(DaemonFailure) {
        do { try Startup(options).check() } catch let failure as DaemonFailure { throw failure } catch { throw DaemonFailure("\(error)") }
    }

    /// Run by the service manager when the daemon has ended, so that it can start the next one; see ``CgroupTree/disable()``.
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
        service.scheduler.settings.isAfterRest = options.isAfterRest
        loop = try EventLoop()
        signals = try SignalDescriptor(Startup.signals)

        let files = FileWatches(loop, service, log)
        configuration = ConfigurationFile(path: options.configuration, database, files, service, log)
        let watch = SpoolWatch(path: path, files, service)
        location = try SpoolLocation(path: path, id: identity.id, lock, watch, service, log)
        let zones = ZoneWatch(database, files, configuration, service, log)
        let slots = SlotLimit(isShared: startup.isForEverybody || options.user != nil, service)
        let surroundings = RunSurroundings(spool: path, user: try User.own())
        programs = PatternPrograms(loop, service, surroundings, log)
        let runs = RunWatches(spool: path, files, service)
        executors = Executors(surroundings, worker: options.worker, loop, runs, service, log)
        let paths = PathWatcher(loop, service, log)
        let gate = StartGate(path: path, configuration, service, log)
        let parts: [any Part] = [service, notification, files, location, configuration, programs, executors, paths, gate]
        for part in parts { loop.add(part) }
        for part in [watch, zones, configuration, runs] as [any FileWatcher] { files.add(part) }
        if let form = options.output { output = JobOutput(form, loop, service, log) } else { output = nil }
        workers = WorkerPool(
            surroundings, program: options.worker, of: program, isQuiet: options.user != nil, loop, slots,
            inheriting: options.crontab == nil ? .none : .all, output, configuration, service, log)
        crontabs = startup.isForEverybody ? CrontabWatch(files, service, log) : nil
        if let crontabs {
            files.add(crontabs)
            loop.add(crontabs)
        }
        given = GivenFiles(options, user: surroundings.user.name, files, service, log)
        files.add(given)
        loop.add(given)
        users = startup.isForEverybody
            ? UserDaemons(options, program: program, loop, files, watch, crontabs, slots, configuration, service, log) : nil
        if let user = options.user { link = UserLink(of: user, loop, files, slots, gate, service) } else { link = nil }
        drain = Drain(options.drain, gate, users, notification, service, log)
        status = StatusFile(options, configuration, slots, gate, drain, output, users, service, log)
        metrics = MetricsFile(options, configuration, slots, gate, isForEverybody: startup.isForEverybody, service, log)
        upgrade = Upgrade(program: program, options, location, programs, executors, workers, notification, service, log)
        if let link { loop.add(link) }
        if let output { loop.add(output) }
        for part in [drain, status, metrics, log, upgrade] as [any Part] { loop.add(part) }
        disk = BrokenDisk(startup.awaited, spoolID: identity.id, program: program, options, service, log)

        world.connect(
            RealWorld.Parts(
                configuration: configuration, zones: zones, paths: paths, programs: programs, executors: executors, workers: workers,
                gate: gate, status: status,
                mail: MailProgram(configuration, log), reserve: spool.fs.reserve))
        connect(slots)
        try listen()
        listenForMounts(paths, files)
        signal(SIGPIPE, SIG_IGN)
        // The processes that a dead worker leaves behind become children of this daemon, which can then kill and reap them.
        _ = linux_set_child_subreaper(1)
    }

    /// Connects the parts that need one another.
    private func connect(_ slots: SlotLimit) {
        let (service, workers, executors, users, status, configuration) = (service, workers, executors, users, status, configuration)
        let crontabs = crontabs
        service.setUsers { name throws(SystemError) in try User.find(name: name) != nil }
        if link != nil { service.awaitCrontab() }
        crontabs?.onUserChange = { users?.crontabChanged($0) }
        users?.onAccounts = { crontabs?.accountsChanged() }
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
            service.scheduler.settings.taskDefaults = new.taskDefaults
            service.scheduler.settings.calendars = new.calendars
            workers.configure(new)
            executors.configure(new)
            slots.configure(new)
            users?.configure(new)
            if let crontabs { crontabs.configure(new) }
        }
        configuration.onCalendars = { service.calendarsChanged() }
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
        drain.onEnd = { [unowned self] in isStopping = true }
        link?.onDrain = { [drain] in drain.begin() }
        link?.onStopJobs = { [drain] in drain.stopJobs(because: "spoold was told to end") }
        link?.onEnd = { [unowned self] in isStopping = true }
        link?.onRest = { [unowned self] in
            isResting = true
            isStopping = true
        }
        upgrade.onEnd = { [unowned self] in isStopping = true }
        loop.clockWasSet = { moved in
            service.clockWasSet(movedByMilliseconds: moved)
            // Accounts expire by the wall clock.
            users?.lookAtAll()
            users?.wakeAll()
        }
    }

    private func listen() throws(SystemError) {
        _ = try loop.add(signals.descriptor.raw) { [unowned self] () throws(SystemError) in try takeSignals() }
        if let link { _ = try loop.add(link.raw) { [unowned link] in link.takeWords() } }
    }

    /// Has the loop report when something is mounted or unmounted. In a sandbox without /proc the daemon does not notice that.
    private func listenForMounts(_ paths: PathWatcher, _ files: FileWatches) {
        // The descriptor stays open as long as the daemon runs.
        guard let mounts = try? FileDescriptor.open("/proc/self/mountinfo", O_RDONLY).release() else { return }  // no /proc
        _ = try? loop.add(mounts, .priority) { [location] () throws(SystemError) in  // fails where this /proc cannot be polled
            location.suspect()
            paths.mountsChanged()
            try files.mountsChanged()
        }
    }

    private func run() throws {
        for owner in ([self, world, workers, users] as [AnyObject?]).compactMap(\.self) { loop.assertHasParts(of: owner) }
        Memory.keepLargeBlocksApart()
        configuration.load(isFirst: true)
        // Nobody knows whether crontabs count, so their tasks stay as they are.
        if configuration.isRefused { service.awaitCrontab() }
        given.begin()
        service.wasDiskBroken = disk.wasBroken
        do throws(SystemError) {
            try users?.openSpool()
            try location.begin()
            users?.begin()
            try service.begin(boot: try Linux.Process.bootID(), version: options.version)
            // This process may have children from before it executed this program, and some may have ended.
            reapChildren()
            programs.startWaiting()
            if link == nil { workers.removeEndedGroups() }
            users?.lookAtAll()
            // Reading the journal and all definitions takes several times the memory that the state takes.
            Memory.giveBack()
            notification.send("READY=1\nSTATUS=Serving \(options.spool)\n")
            disk.served()
            service.spool.fs.reserve.keep(Self.reserveCount)
            try serve()
        } catch {
            log.flush()
            try disk.letGo(for: error, isStopping: isStopping || drain.isUnderWay) { users?.end() }
            throw error
        }
        if let lost = location.lost { throw DaemonFailure("\(lost); running jobs continue with their workers") }
    }

    private func logStart() {
        log.write(
            .notice, "started", at: service.now, ["spool": options.spool, "pid": "\(getpid())", "version": options.version])
        guard let kind = try? NetworkFileSystem.name(at: options.spool) else { return }  // not known: no warning
        let effect = "synced records may be lost with the server, and two machines may serve one spool: use a disk of this machine"
        log.write(.warning, "network-file-system", at: service.now, ["kind": kind, "effect": effect])
    }

    // MARK: The loop

    private func serve() throws(SystemError) {
        while true {
            notification.isAlive()
            log.flush()
            try loop.wait(isBusy: service.hasWork || programs.canStartMore || isStopping && isOutputWritten())
            try loop.beforeTurn()
            if location.lost != nil { return }
            if isStopping, isOutputWritten() { return try stop() }
            try service.turn()
            try loop.afterTurn()
        }
    }

    /// True when this daemon, which ends, has written the output of the jobs that have ended, or has waited long enough for its reader.
    private func isOutputWritten() -> Bool {
        guard output != nil else { return true }
        service.isEnding = true
        workers.endIdle(keeping: 0)
        return workers.isOutputWritten()
    }

    private func takeSignals() throws(SystemError) {
        while let signal = try signals.next() {
            switch signal.number {
            case let number where Startup.endSignals.contains(number): if !isStopping { drain.signaled(signal.number) }
            case SIGHUP: configuration.load()
            case SIGUSR2: upgrade.begin()
            case SIGCHLD: reapChildren()
            default: break
            }
        }
    }

    /// Reaps all children that have ended: workers, processes that they left behind, programs of patterns, users' daemons, and the check of
    /// a new program.
    private func reapChildren() {
        while case let pid = linux_ended_child(), pid > 0 {
            let run = programs.childEnded(pid)
            let call = executors.childEnded(pid)
            upgrade.childEnded(pid)
            var status: Int32 = 0
            waitpid(pid, &status, WNOHANG)
            workers.childEnded(pid)
            if users?.childEnded(pid, status) ?? false { continue }
            if let run { programs.take(status, of: run) }
            if let call { executors.take(status, of: call) }
            upgrade.childReaped(pid, status)
        }
    }

    /// Waits up to a second for a signal or a message of root's daemon. Other events wait. Returns false when a signal ends the daemon, or
    /// when a broken disk is not at the spool's path any more.
    private func waitForDisk(_ error: SystemError) throws(SystemError) -> Bool {
        if error.isShortage { workers.endIdle(keeping: 0) }
        // A broken disk that was unmounted to be mended must not stay in use by this daemon.
        if error.isOfBrokenDisk, !location.isAtPath { return false }
        if service.isPublishDue { status.write(.running) }
        // systemd must not take a start that waits for one that hangs.
        notification.send("STATUS=\(error)\nEXTEND_TIMEOUT_USEC=10000000\n")
        var descriptors = [signals.descriptor.raw, link?.raw ?? -1].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        _ = Glibc.poll(&descriptors, 2, 1000)
        // Root's daemon kills a daemon that does not answer.
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
        executors.endAll()
        upgrade.end()
        try service.finish()
        users?.end()
        status.write(isResting ? .resting : .stopped)
        // Root's daemon serves a user whose daemon rests.
        metrics.write(isUp: isResting)
        log.countLeftOut(isLast: true)
        log.write(.notice, "stopped", at: service.now, ["running": "\(service.scheduler.runningCount)"])
        log.flush()
    }
}

extension Service: Part {
    package var isIdle: Bool { scheduler.jobs.isEmpty && !hasWork && !hasUnplaced && !hasUnready && troubles.isEmpty }
}
