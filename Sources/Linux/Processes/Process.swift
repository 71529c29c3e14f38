import CLinux
import Glibc

/// Starting processes and telling them apart.
public enum Process {
    /// Starts a program, posix_spawn(3), with default signal handling and nothing blocked. Returns its process id.
    ///
    /// `descriptors` says which of ours (`from`) becomes which of its (`to`); every other above the highest `to`, and above 2, is
    /// closed, those not named up to there are inherited unless close-on-exec. `directory` is where it starts, nil is where
    /// we are. With `newSession` it leads a session and process group of its own, setsid(2). Strings are file names' bytes
    /// (``FileName``). Throws with the error of exec(3) as well: the path in it is `executable`.
    public static func spawn(
        _ executable: String, arguments: [String], environment: [String],
        descriptors: [(from: Int32, to: Int32)] = [], directory: String? = nil, newSession: Bool = false
    ) throws(SystemError) -> pid_t {
        let argumentPointers = try CStrings(arguments)
        let environmentPointers = try CStrings(environment)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (newSession ? LINUX_POSIX_SPAWN_SETSID : 0)
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let directory {
            try check(FileName.withCPath(directory) { posix_spawn_file_actions_addchdir_np(&actions, $0) }, directory)
        }
        // A source below the highest target might be overwritten before its turn: it moves out of the way first.
        let highest = max(2, descriptors.lazy.map(\.to).max() ?? 2)
        var moved: [Int32] = []
        defer { for raw in moved { Glibc.close(raw) } }
        for (from, to) in descriptors {
            var source = from
            if from <= highest && from != to {
                source = try attempt("fcntl") { linux_fcntl_int(from, F_DUPFD_CLOEXEC, highest + 1) }
                moved.append(source)
            }
            try check(posix_spawn_file_actions_adddup2(&actions, source, to), nil)
        }
        try check(posix_spawn_file_actions_addclosefrom_np(&actions, highest + 1), nil)

        var pid: pid_t = 0
        let failure = try FileName.withCPath(executable) { path in
            DescriptorLimit.withOriginal { posix_spawn(&pid, path, &actions, &attributes, argumentPointers.base, environmentPointers.base) }
        }
        try check(failure, executable)
        return pid
    }

    /// Becomes another program, execv(3), with the arguments that this one was started with and its environment. Comes back only to
    /// throw. What is not close-on-exec stays open; blocked and waiting signals stay so.
    public static func becomeProgram(_ executable: String) throws(SystemError) -> Never {
        let failure = try FileName.withCPath(executable) { path in
            DescriptorLimit.withOriginal {
                execv(path, CommandLine.unsafeArgv)
                return errno
            }
        }
        throw SystemError(call: "exec", path: executable, errno: failure)
    }

    /// The path by which this program was started, absolute: what execve(2) was given, so that another file under that name is its
    /// successor. To be asked before the current directory changes.
    public static func ownPath() throws(SystemError) -> String {
        // One that was started by descriptor has no name but that of its file.
        if let name = linux_executed_path() {
            let path = FileName.string(from: UnsafeRawBufferPointer(start: name, count: strlen(name)).assumingMemoryBound(to: UInt8.self))
            if path.hasPrefix("/"), !path.hasPrefix("/dev/fd/"), !path.hasPrefix("/proc/") { return path }
            if !path.hasPrefix("/") { return try "\(Directory.open("/proc/self").readSymbolicLink("cwd"))/\(path)" }
        }
        return try Directory.open("/proc/self").readSymbolicLink("exe")
    }

    private static func check(_ failure: Int32, _ path: String?) throws(SystemError) {
        if failure != 0 { throw SystemError(call: "spawn", path: path, errno: failure) }
    }

    /// A descriptor that becomes readable when the process ends, pidfd_open(2). ESRCH when there is none.
    public static func openPidfd(_ pid: pid_t) throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try attempt("pidfd_open") { linux_pidfd_open(pid, 0) })
    }

    /// Sends a signal, kill(2); to the process group -`pid` when `pid` is negative. False when there is no such process.
    @discardableResult
    public static func signal(_ number: Int32, to pid: pid_t) throws(SystemError) -> Bool {
        do throws(SystemError) {
            try attempt("kill") { kill(pid, number) }
            return true
        } catch where error.errno == ESRCH {
            return false
        }
    }
}

// MARK: - Surroundings

extension Process {
    /// Moves this process to another directory, chdir(2).
    public static func changeDirectory(_ path: String) throws(SystemError) {
        try attempt("chdir", at: path) { chdir($0) }
    }

    /// Has the kernel choose a process, when memory runs out, as it does any other: its `oom_score_adj` becomes 0,
    /// proc_pid_oom_score_adj(5). nil is this process.
    public static func clearMemoryScore(of pid: pid_t? = nil) throws(SystemError) {
        let file = try FileDescriptor.open("/proc/\(pid.map(String.init) ?? "self")/oom_score_adj", O_WRONLY)
        try file.write(Array("0".utf8))
    }

    /// True for a path that can be executed.
    public enum Executability: Sendable {
        case executable, refused, missing
    }

    /// True when this process may execute a path, access(2) X_OK and stat(2); only regular files can be. A path that cannot be
    /// reached for want of permission is `refused`.
    public static func executability(_ path: String) -> Executability {
        var status = stat()
        let failure: Int32
        do throws(SystemError) {
            failure = try FileName.withCPath(path) {
                if access($0, X_OK) != 0 { return errno }
                return stat($0, &status) == 0 ? 0 : errno
            }
        } catch {
            return .missing  // no file's name contains a NUL
        }
        if failure == EACCES { return .refused }
        if failure != 0 { return .missing }
        return FileKind(mode: status.st_mode) == .file ? .executable : .refused
    }
}

// MARK: - Identity

extension Process {
    /// When a process started, in clock ticks since boot, from field 22 of /proc/PID/stat; with ``bootID()`` and its number it is
    /// one process for ever. Throws ENOENT when there is no such process.
    public static func startTime(_ pid: pid_t) throws(SystemError) -> UInt64 {
        try ProcessStatus.read(pid).startTime
    }

    /// This boot's random name, from /proc/sys/kernel/random/boot_id.
    public static func bootID() throws(SystemError) -> String {
        let path = "/proc/sys/kernel/random/boot_id"
        let bytes = try FileDescriptor.open(path, O_RDONLY).readAll(limit: 256)
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }
}

/// The fields of /proc/PID/stat, proc(5).
public struct ProcessStatus: Sendable, Equatable {
    public var pid: pid_t
    /// `R`, `S`, `D`, `T`, `Z` …
    public var state: UInt8
    public var parent: pid_t
    public var processGroup: pid_t
    public var session: pid_t
    /// Clock ticks since boot.
    public var startTime: UInt64

    /// Reads it; ENOENT or ESRCH when there is no such process.
    public static func read(_ pid: pid_t) throws(SystemError) -> ProcessStatus {
        let path = "/proc/\(pid)/stat"
        let bytes = try FileDescriptor.open(path, O_RDONLY).readAll(limit: 64 << 10)
        guard let status = ProcessStatus(pid: pid, bytes) else {
            throw SystemError(call: "read", path: path, errno: EINVAL)
        }
        return status
    }

    /// It has ended, and nobody has reaped it yet.
    public var isZombie: Bool { state == UInt8(ascii: "Z") }

    /// Sends a signal to this very process, and to no later one of its number.
    public func signal(_ number: Int32) {
        // ESRCH: the process has ended. EPERM: it is another user's by now. Neither can be helped.
        guard let pidfd = try? Process.openPidfd(pid), let now = try? ProcessStatus.read(pid), now.startTime == startTime else { return }
        _ = linux_pidfd_send_signal(pidfd.raw, number, nil, 0)
    }

    /// `123 (any ) name) S 1 123 123 …`: the name may hold anything, so the fields begin after the last parenthesis.
    init?(pid: pid_t, _ bytes: [UInt8]) {
        guard let close = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = bytes[(close + 1)...].split(separator: UInt8(ascii: " "), maxSplits: 20)
        guard fields.count > 19, let state = fields[0].first,
            let parent = decimal(fields[1]), let processGroup = decimal(fields[2]), let session = decimal(fields[3]),
            let startTime = decimal(fields[19])
        else { return nil }
        self.pid = pid
        self.state = state
        self.parent = pid_t(truncatingIfNeeded: parent)
        self.processGroup = pid_t(truncatingIfNeeded: processGroup)
        self.session = pid_t(truncatingIfNeeded: session)
        self.startTime = startTime
    }
}

private func decimal(_ digits: ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for digit in digits {
        guard digit >= 48, digit <= 57 else { return nil }
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        if overflow { return nil }
        value = product &+ UInt64(digit - 48)
    }
    return digits.isEmpty ? nil : value
}

// MARK: - Argument vectors

/// A NULL-terminated array of C strings, as exec(3) takes it.
private struct CStrings: ~Copyable {
    let base: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

    // One block holds the pointers and the text: two hundred variables cost one allocation.
    init(_ strings: [String]) throws(SystemError) {
        let pointerBytes = (strings.count + 1) * MemoryLayout<UnsafeMutablePointer<CChar>?>.stride
        var total = pointerBytes
        for string in strings { total += string.utf8.count + 1 }
        let block = UnsafeMutableRawPointer.allocate(byteCount: total, alignment: 16)
        base = block.bindMemory(to: UnsafeMutablePointer<CChar>?.self, capacity: strings.count + 1)
        var text = (block + pointerBytes).bindMemory(to: CChar.self, capacity: total - pointerBytes)
        for (index, string) in strings.enumerated() {
            let length = try FileName.withCPath(string) { source -> Int in
                let length = strlen(source) + 1
                memcpy(text, source, length)
                return length
            }
            base[index] = text
            text += length
        }
        base[strings.count] = nil
    }

    deinit { UnsafeMutableRawPointer(base).deallocate() }
}
