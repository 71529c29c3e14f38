import Glibc
import Linux
import Scheduler
import Store

/// Where a daemon is to serve, before it does: the spool is looked at and locked, or waited for.
struct Place {
    let options: DaemonOptions
    let host: String
    let log: Log
    /// Why this process is not the first one to serve the spool: its disk broke.
    let awaited = AwaitedSpool.inherited()

    /// This process is root of a user namespace without other users: an ordinary user outside, who can become nobody else.
    let isNamespaceRoot: Bool
    /// A spool of root's serves everybody.
    let isForEverybody: Bool

    /// What a daemon takes in its loop. Blocked from the first moment it has something to lose.
    static let signals = [SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGCHLD]

    init(_ options: DaemonOptions) {
        self.options = options
        isNamespaceRoot = geteuid() == 0 && !UserNamespace.hasOtherUsers()
        isForEverybody = options.user == nil && geteuid() == 0 && !isNamespaceRoot
        host = Machine.name()
        log = Log(isJournal: getenv("JOURNAL_STREAM") != nil, user: options.user)
    }

    /// Makes the spool if it is missing, and takes its lock. Nil: told to end while it waited.
    func takeLock(program: String) throws -> SpoolLock? {
        if let awaited, try !awaited.wait(at: self) { return nil }
        if let lock = try SpoolLock.inherited(spool: options.spool, host: host) {
            try prepare()
            return lock
        }
        guard options.isStandby else { return try takeFreeLock() }
        try prepare()
        if let lock = try SpoolLock.acquire(spool: options.spool, host: host) { return lock }
        // Whether the one on another machine has ended, its lock there cannot tell for sure.
        if let kind = try NetworkFileSystem.name(at: options.spool) {
            throw DaemonFailure("--standby: the spool \(options.spool) is on a network file system, \(kind); it must be on a disk of this machine")
        }
        let wait = try StandbyWait(self)
        while true {
            guard let file = try wait.next(program: program) else { return nil }
            // The spool may have been moved to another format meanwhile, or been made anew.
            try prepare()
            guard let lock = try SpoolLock.acquire(file, spool: options.spool, host: host) else { continue }
            try wait.end()
            return lock
        }
    }

    /// Takes the lock of a spool that nobody serves. A daemon that was killed while it started a worker still has its locks in that child,
    /// until the child has become its program: they are waited for.
    private func takeFreeLock() throws -> SpoolLock {
        let end = Clock.monotonicMilliseconds() + Self.deadHolderMilliseconds
        while true {
            // Asked before anything is made in the spool: its holder may be about to put back what somebody took away.
            let holder = try SpoolLock.holder(spool: options.spool)
            if holder == nil {
                try prepare()
                if let lock = try SpoolLock.acquire(spool: options.spool, host: host) { return lock }
            }
            guard holder?.isAlive(asSeenFrom: host) != true, Clock.monotonicMilliseconds() < end else { throw refusal(holder) }
            poll(nil, 0, Self.deadHolderPauseMilliseconds)
        }
    }

    private static let deadHolderMilliseconds: Int64 = 5_000
    private static let deadHolderPauseMilliseconds: Int32 = 5

    private func refusal(_ holder: SpoolLock.Holder?) -> DaemonFailure {
        DaemonFailure(
            """
            the spool \(options.spool) is held by spoold, pid \(holder?.pid ?? 0) on \(holder?.host ?? "?"); \
            with --standby this one waits and takes over when that one ends
            """)
    }

    /// Whether this program could serve the spool as it is: it knows the formats, and the configuration can be used. Changes nothing.
    func check() throws {
        if access(options.spool, F_OK) == 0 { try known { fs throws(SpoolError) in try Spool.check(fs) } }
        guard let path = options.configuration, access(path, F_OK) == 0 else { return }
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

    /// Does what can refuse the spool, and names it then.
    private func known(_ body: (DiskFileSystem) throws(SpoolError) -> Void) throws {
        let fs = try DiskFileSystem(path: options.spool)
        do throws(SpoolError) { try body(fs) } catch {
            if case .system(let error) = error { throw error }
            throw DaemonFailure("\(options.spool): \(error)")
        }
    }

    /// Whoever may write a directory above the spool may put another one in the spool's place.
    private static func checkAncestors(_ path: String) throws {
        var above = ""
        for part in path.split(separator: "/").dropLast() {
            above += "/\(part)"
            let status = try FileStatus.read(above, followingLinks: true)
            guard status.owner == 0 || status.owner == geteuid() else {
                throw DaemonFailure("\(above), above the spool, belongs to user \(status.owner), who could put another spool in its place")
            }
            guard status.mode & 0o022 == 0 || status.mode & 0o1000 != 0 else {
                throw DaemonFailure("\(above), above the spool, can be written by others, who could put another spool in its place; chmod go-w it")
            }
        }
    }

    private static func makeDirectories(_ path: String, isForEverybody: Bool) throws(SystemError) {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/\(part)"
            if mkdir(made, 0o700) == 0 {
                if isForEverybody { chmod(made, 0o755) }  // where that fails, users hear that they may not
                continue
            }
            guard errno == EEXIST || errno == EROFS || errno == EACCES else {
                throw SystemError(call: "mkdir", path: made, errno: errno)
            }
        }
    }
}
