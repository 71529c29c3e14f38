import Glibc
import Linux

/// Locks of a spool besides `state/lock`, which somebody may remove: flock(2) on the directory of running jobs and on the spool
/// itself. Only directories that nobody else can open are used, because whoever can open a directory can lock it. A file system
/// without such locks has no anchors.
final class SpoolAnchors: Sendable {
    private static let directories = [Layout.running, "."]
    /// Another process may test a lock at the moment at which it is taken, so taking is tried again.
    private static let triesMax = 10
    private static let pauseMicroseconds: UInt32 = 10_000

    private let running: FileDescriptor?
    private let spool: FileDescriptor?

    /// Opens the anchors that exist.
    init(spool path: String) throws(SystemError) {
        running = try Self.open(Layout.running, path)
        spool = try Self.open(".", path)
    }

    /// Takes over descriptors that this process had before it executed this program.
    private init(running: consuming FileDescriptor?, spool: consuming FileDescriptor?) {
        self.running = running
        self.spool = spool
    }

    /// As above, but reuses anchors that are held and still in place.
    init(spool path: String, keeping held: SpoolAnchors) throws(SystemError) {
        if held.running != nil, try Self.isInPlace(held.running, "\(path)/\(Layout.running)") {
            running = try held.running!.duplicate()
        } else {
            running = try Self.open(Layout.running, path)
        }
        if held.spool != nil, try Self.isInPlace(held.spool, path) {
            spool = try held.spool!.duplicate()
        } else {
            spool = try Self.open(".", path)
        }
    }

    private static func open(_ name: String, _ path: String) throws(SystemError) -> FileDescriptor? {
        do throws(SystemError) {
            let file = try FileDescriptor.open("\(path)/\(name)", O_RDONLY | O_DIRECTORY)
            let status = try file.status()
            guard status.owner == Reader.user, status.mode & 0o044 == 0 else { return nil }
            return file
        } catch {
            // A missing directory or another user's is not an anchor.
            if error.isOutOfReach { return nil }
            throw error
        }
    }

    /// Takes all anchors. Returns false when another process has one of them.
    func tryLock() throws(SystemError) -> Bool {
        for attempt in 1... {
            if try isLocked(running), try isLocked(spool) { return true }
            if attempt == Self.triesMax { return false }
            usleep(Self.pauseMicroseconds)
        }
        return false
    }

    private func isLocked(_ file: borrowing FileDescriptor?) throws(SystemError) -> Bool {
        guard file != nil else { return true }
        do throws(SystemError) { return try file!.tryLock() } catch {
            if Self.isUnknown(error) { return true }
            throw error
        }
    }

    /// Takes each anchor when its holder releases it. Blocks the calling thread.
    func awaitLock() throws(SystemError) {
        do throws(SystemError) {
            if running != nil { try running!.lock() }
            if spool != nil { try spool!.lock() }
        } catch where Self.isUnknown(error) {}
    }

    /// True when the file system has no such locks.
    private static func isUnknown(_ error: SystemError) -> Bool { [EBADF, EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP].contains(error.errno) }

    /// True when these are the directories now at the path.
    func areInPlace(spool path: String) throws(SystemError) -> Bool {
        guard try Self.isInPlace(running, "\(path)/\(Layout.running)") else { return false }
        return try Self.isInPlace(spool, path)
    }

    private static func isInPlace(_ file: borrowing FileDescriptor?, _ path: String) throws(SystemError) -> Bool {
        guard file != nil else { return true }
        let own = try file!.status()
        do throws(SystemError) {
            let named = try FileStatus.read(path, followingLinks: true)
            return named.inode == own.inode && named.device == own.device
        } catch where error.errno == ENOENT {
            return false
        }
    }

    /// The pid of a process that holds one of the anchors. 0 when the pid is unknown, nil when nobody holds one.
    static func holder(spool path: String) throws(SystemError) -> Int32? {
        for name in directories {
            guard let file = try open(name, path) else { continue }
            guard try !file.trySharedLock() else { continue }
            return holder(of: try file.status().inode) ?? 0
        }
        return nil
    }

    /// The pid in /proc/locks: `1: FLOCK ADVISORY WRITE 708 fe:01:1835035 0 EOF`. Nil when there is none or the file cannot be
    /// read.
    private static func holder(of inode: UInt64) -> Int32? {
        let locks = try? FileDescriptor.open("/proc/locks", O_RDONLY).readAll(limit: 1 << 20)  // not readable: not known
        guard let bytes = locks else { return nil }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 5, words[1] == "FLOCK", words[5].hasSuffix(":\(inode)"), let pid = Int32(words[4]), pid > 0 else {
                continue
            }
            return pid
        }
        return nil
    }

    // MARK: Keeping the locks across exec

    private static let variable = "SPOOLD_LOCK_DIRECTORIES"

    func handOver() throws(SystemError) {
        setenv(Self.variable, "\(try Self.handOver(running)) \(try Self.handOver(spool))", 1)
    }

    /// The descriptor's number, which is passed to the next program. -1 when there is none.
    private static func handOver(_ file: borrowing FileDescriptor?) throws(SystemError) -> Int32 {
        guard file != nil else { return -1 }
        return try number(file!)
    }

    private static func number(_ file: borrowing FileDescriptor) throws(SystemError) -> Int32 {
        try file.setCloseOnExec(false)
        return file.raw
    }

    func keep() throws(SystemError) {
        unsetenv(Self.variable)
        if running != nil { try running!.setCloseOnExec(true) }
        if spool != nil { try spool!.setCloseOnExec(true) }
    }

    /// The anchors that this process held before it executed this program. Nil when there were none, or other ones.
    static func inherited(spool path: String) throws(SystemError) -> SpoolAnchors? {
        guard let text = getenv(variable).map({ String(cString: $0) }) else { return nil }
        unsetenv(variable)
        let numbers = text.split(separator: " ", omittingEmptySubsequences: false).map { Int32($0) }
        guard numbers.count == 2 else { return nil }
        // Anybody may have set the variable: only descriptors open on these directories are accepted.
        func take(_ number: Int32?) throws(SystemError) -> FileDescriptor? {
            guard let number, number > 2, fcntl(number, F_GETFD) >= 0 else { return nil }
            let file = FileDescriptor(owning: number)
            try file.setCloseOnExec(true)
            return file
        }
        return SpoolAnchors(running: try take(numbers[0]), spool: try take(numbers[1]))
    }
}
