import Glibc
import Linux
import Scheduler
import Store

/// The steps before a daemon serves its spool: it prepares the spool and locks it, or waits for its lock or its disk.
struct Startup {
    let options: DaemonOptions
    let host: String
    let log: Log
    /// The spool whose disk broke while this process served it, before it executed this program. Nil when there is none.
    let awaited = AwaitedSpool.inherited()

    /// True when this process is root in a user namespace without other users. Outside it is an ordinary user and cannot become another
    /// one.
    let isNamespaceRoot: Bool
    /// True for a spool of root, which serves all users.
    let isForEverybody: Bool

    /// The signals that a daemon handles in its loop. While it waits for its lock or its disk they are blocked too.
    static let signals = endSignals + [SIGHUP, SIGUSR2, SIGCHLD]
    /// The signals that ask a daemon to end.
    static let endSignals = [SIGTERM, SIGINT, SIGQUIT]

    init(_ options: DaemonOptions) {
        self.options = options
        isNamespaceRoot = geteuid() == 0 && !UserNamespace.hasOtherUsers()
        isForEverybody = options.user == nil && geteuid() == 0 && !isNamespaceRoot
        host = Machine.name()
        log = Log(journal: SystemdJournal(), user: options.user)
    }

    /// Creates the spool if it is missing, and takes its lock. Nil when this process was asked to end while it waited.
    func takeLock(program: String) throws -> SpoolLock? {
        if let awaited, try !awaited.wait(at: self) { return nil }
        if let lock = try SpoolLock.inherited(spool: options.spool, host: host) {
            try prepare()
            return lock
        }
        guard options.isStandby else { return try takeFreeLock() }
        try prepare()
        if let lock = try SpoolLock.acquire(spool: options.spool, host: host) { return lock }
        // On a network file system the lock may become free although the daemon on another machine still runs.
        if let kind = try NetworkFileSystem.name(at: options.spool) {
            throw DaemonFailure(
                "--standby: the spool \(options.spool) is on a network file system, \(kind); it must be on a disk of this machine")
        }
        let wait = try StandbyWait(self)
        while true {
            guard let file = try wait.next(program: program) else { return nil }
            // Meanwhile the spool may have been removed and made again, or converted to another format.
            try prepare()
            guard let lock = try SpoolLock.acquire(file, spool: options.spool, host: host) else { continue }
            try wait.end()
            return lock
        }
    }

    /// Takes the lock of a spool that nobody serves. Waits for half a minute when the daemon that has the lock is dead: if it was killed
    /// while it started a worker, that child has the daemon's locks until it executes the worker program. The looks are counted, not the
    /// time: on a busy machine this process may stand still as long as the child does.
    private func takeFreeLock() throws -> SpoolLock {
        var looksLeft = Self.deadHolderLooks
        while true {
            // The holder is read before anything is made in the spool: the holder may be about to mend the spool.
            let holder = try SpoolLock.holder(spool: options.spool)
            if holder == nil {
                try prepare()
                if let lock = try SpoolLock.acquire(spool: options.spool, host: host) { return lock }
            }
            guard holder?.isAlive(asSeenFrom: host) != true, looksLeft > 0 else { throw refusal(holder) }
            looksLeft -= 1
            poll(nil, 0, Self.deadHolderPauseMilliseconds)
        }
    }

    /// Half a minute of pauses, for a child that a busy machine lets wait.
    private static let deadHolderLooks = 6_000
    private static let deadHolderPauseMilliseconds: Int32 = 5

    private func refusal(_ holder: SpoolLock.Holder?) -> DaemonFailure {
        DaemonFailure(
            """
            the spool \(options.spool) is held by spoold, pid \(holder?.pid ?? 0) on \(holder?.host ?? "?"); \
            with --standby this one waits and takes over when that one ends
            """)
    }

    /// Throws unless this program could serve the spool as it is: it knows the formats, and the configuration can be used. Changes nothing.
    func check() throws {
        if FileName.isAccessible(options.spool) { try known { fs throws(SpoolError) in try Spool.check(fs) } }
        guard let path = options.configuration, FileName.isAccessible(path) else { return }
        let bytes = try FileDescriptor.open(path, O_RDONLY).readAll(limit: Source.bytesMax)
        do throws(Problems) { _ = try Configuration(bytes, zones: ZoneDatabase(), now: Instant(milliseconds: Clock.now())) } catch {
            throw DaemonFailure(error.all.map { "\(path):\($0)" }.joined(separator: "; "))
        }
    }

    private func prepare() throws {
        if options.user == nil {
            try Self.makeDirectories(options.spool, isForEverybody: isForEverybody)
            if isForEverybody { try Self.checkAncestors(options.spool) }
        }
        try known { fs throws(SpoolError) in
            try Spool.check(fs)
            try Spool.prepare(fs)
        }
    }

    /// Calls `body`, and adds the spool's path to an error that refuses the spool.
    private func known(_ body: (DiskFileSystem) throws(SpoolError) -> Void) throws {
        let fs = try DiskFileSystem(path: options.spool)
        do throws(SpoolError) { try body(fs) } catch {
            if case .system(let error) = error { throw error }
            throw DaemonFailure("\(options.spool): \(error)")
        }
    }

    /// Throws when another user can write to a directory above the spool, and so could replace the spool.
    private static func checkAncestors(_ path: String) throws {
        var above = ""
        for part in path.split(separator: "/").dropLast() {
            above += "/\(part)"
            let status = try FileStatus.read(above, followingLinks: true)
            guard status.owner == 0 || status.owner == geteuid() else {
                throw DaemonFailure(
                    "\(above), above the spool, belongs to user \(status.owner), who could put another spool in its place")
            }
            guard status.mode & 0o022 == 0 || status.mode & 0o1000 != 0 else {
                throw DaemonFailure(
                    "\(above), above the spool, can be written by others, who could put another spool in its place; chmod go-w it")
            }
        }
    }

    private static func makeDirectories(_ path: String, isForEverybody: Bool) throws(SystemError) {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/\(part)"
            if mkdir(made, 0o700) == 0 {
                if isForEverybody { chmod(made, 0o755) }  // if this fails, users cannot reach their directories
                continue
            }
            guard errno == EEXIST || errno == EROFS || errno == EACCES else {
                throw SystemError(call: "mkdir", path: made, errno: errno)
            }
        }
    }
}
