import CLinux
import Glibc

/// Starts and identifies processes.
public enum Process {
    /// Starts a program, vfork(2) and execve(2), with default signal handling and no blocked signals. Returns its process number.
    ///
    /// In `descriptors`, `from` is a descriptor of this process and `to` its number in the program. Descriptors above the highest `to` and
    /// above 2 are closed. Lower ones that are not a `to` are inherited unless close-on-exec. The program starts in `directory`, or in the
    /// directory of this process for nil. With `newSession` it leads a session and a process group of its own, setsid(2). Strings are the
    /// bytes of file names (``FileName``). Throws the error of exec(3) as well, with the path `executable`, and the error of chdir(2), with
    /// the path of the directory.
    public static func spawn(
        _ executable: String, arguments: [String], environment: [String],
        descriptors: [(from: Int32, to: Int32)] = [], directory: String? = nil, newSession: Bool = false
    ) throws(SystemError) -> pid_t {
        try start(
            executable, arguments: arguments, environment: environment, descriptors: descriptors, directory: directory,
            newSession: newSession
        ).pid
    }

    /// A process that was just started.
    public struct Started: Sendable {
        public var pid: pid_t
        /// The boot clock before the process was made and after, CLOCK_BOOTTIME, nanoseconds.
        var made: ClosedRange<UInt64>
    }

    /// As ``spawn(_:arguments:environment:descriptors:directory:newSession:)``. The program has `umask`, or that of this process for nil. A
    /// process that neither handles nor ignores any signal gives `resettingSignals` false, which saves 64 system calls.
    public static func start(
        _ executable: String, arguments: [String], environment: [String],
        descriptors: [(from: Int32, to: Int32)] = [], directory: String? = nil, umask: mode_t? = nil, newSession: Bool = false,
        resettingSignals: Bool = true
    ) throws(SystemError) -> Started {
        let argumentPointers = try CStrings(arguments)
        let environmentPointers = try CStrings(environment)
        let paths = try CStrings([executable] + (directory.map { [$0] } ?? []))

        // A source that is not above the highest target could be overwritten before it is used, so it is duplicated to a higher number.
        let highest = max(2, descriptors.lazy.map(\.to).max() ?? 2)
        var moved: [Int32] = []
        defer { for raw in moved { Glibc.close(raw) } }
        var pairs: [Int32] = []
        for (from, to) in descriptors {
            var source = from
            if from <= highest && from != to {
                source = try attempt("fcntl") { linux_fcntl_int(from, F_DUPFD_CLOEXEC, highest + 1) }
                moved.append(source)
            }
            pairs += [source, to]
        }

        var start = linux_program()
        start.path = UnsafePointer(paths.base[0])
        start.arguments = UnsafePointer(argumentPointers.base)
        start.environment = UnsafePointer(environmentPointers.base)
        if directory != nil { start.directory = UnsafePointer(paths.base[1]) }
        start.descriptor_count = Int32(descriptors.count)
        start.first_closed = highest + 1
        start.umask = umask.map { Int32($0) } ?? -1
        start.is_session = newSession ? 1 : 0
        start.resets_signals = resettingSignals ? 1 : 0
        let pid = pairs.withUnsafeBufferPointer { pairs in
            start.descriptors = pairs.baseAddress
            return DescriptorLimit.withOriginal { Self.make(&start) }
        }
        // The strings must live until the program has begun.
        withExtendedLifetime(argumentPointers) {}
        withExtendedLifetime(environmentPointers) {}
        withExtendedLifetime(paths) {}
        if start.directory_error != 0 { throw SystemError(call: "chdir", path: directory, errno: start.directory_error) }
        if pid < 0 { throw SystemError(call: "spawn", path: executable, errno: start.error) }
        return Started(pid: pid, made: start.clock_before...max(start.clock_before, start.clock_within))
    }

    /// A signal must not run a handler of this process in the new one, which shares its memory.
    private static func make(_ start: inout linux_program) -> pid_t {
        guard start.resets_signals != 0 else { return CLinux.linux_start(&start) }
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        return CLinux.linux_start(&start)
    }

    /// Becomes another program, execv(3), with the arguments and the environment of this one. Returns only by throwing. Descriptors that
    /// are not close-on-exec stay open. Blocked and pending signals stay so.
    public static func becomeProgram(_ executable: String) throws(SystemError) -> Never {
        let failure = try FileName.withCPath(executable) { path in
            DescriptorLimit.withOriginal {
                execv(path, CommandLine.unsafeArgv)
                return errno
            }
        }
        throw SystemError(call: "exec", path: executable, errno: failure)
    }

    /// Becomes another program, execv(3), with the environment of this one. Returns the reason why it did not.
    public static func become(_ executable: String, arguments: [String]) -> SystemError {
        do throws(SystemError) {
            let pointers = try CStrings(arguments)
            let failure = try FileName.withCPath(executable) { path in
                execv(path, pointers.base)
                return errno
            }
            return SystemError(call: "exec", path: executable, errno: failure)
        } catch { return error }
    }

    /// The absolute path with which this program was started, as given to execve(2). A new version of the program is found at the same
    /// path. Must be called before the current directory changes.
    public static func ownPath() throws(SystemError) -> String {
        // A program that was started through a descriptor has only the path of its file.
        if let name = linux_executed_path() {
            let path = FileName.string(from: UnsafeRawBufferPointer(start: name, count: strlen(name)).assumingMemoryBound(to: UInt8.self))
            if path.hasPrefix("/"), !path.hasPrefix("/dev/fd/"), !path.hasPrefix("/proc/") { return path }
            if !path.hasPrefix("/") { return try "\(Directory.open("/proc/self").readSymbolicLink("cwd"))/\(path)" }
        }
        return try Directory.open("/proc/self").readSymbolicLink("exe")
    }

    /// A descriptor that becomes readable when the process ends, pidfd_open(2). Throws ESRCH when there is no such process.
    public static func openPidfd(_ pid: pid_t) throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try attempt("pidfd_open") { linux_pidfd_open(pid, 0) })
    }

    /// Sends a signal, kill(2). A negative `pid` means the process group -`pid`. Returns false when there is no such process.
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

    /// Sets the `oom_score_adj` of a process to 0, proc_pid_oom_score_adj(5): when memory runs out, the kernel kills it as likely as any
    /// other. Nil means this process.
    public static func clearMemoryScore(of pid: pid_t? = nil) throws(SystemError) {
        let file = try FileDescriptor.open("/proc/\(pid.map(String.init) ?? "self")/oom_score_adj", O_WRONLY)
        try file.write(Array("0".utf8))
    }

    /// The answer of ``executability(_:)``.
    public enum Executability: Sendable {
        case executable, refused, missing
    }

    /// Finds out whether this process may execute a path, access(2) X_OK and stat(2). Only regular files can be executed. A path in a
    /// directory that this process may not search is `refused`.
    public static func executability(_ path: String) -> Executability {
        var status = stat()
        let failure: Int32
        do throws(SystemError) {
            failure = try FileName.withCPath(path) {
                if access($0, X_OK) != 0 { return errno }
                return stat($0, &status) == 0 ? 0 : errno
            }
        } catch {
            return .missing  // no file has a name with a NUL
        }
        if failure == EACCES { return .refused }
        if failure != 0 { return .missing }
        return FileKind(mode: status.st_mode) == .file ? .executable : .refused
    }
}

// MARK: - Identity

extension Process {
    /// The start time of a process in clock ticks since boot, from field 22 of /proc/PID/stat. Together with the process number and
    /// ``bootID()`` it identifies a process for ever. Throws ENOENT when there is no such process.
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

    /// Reads the status of a process. Throws ENOENT or ESRCH when there is no such process.
    public static func read(_ pid: pid_t) throws(SystemError) -> ProcessStatus {
        let path = "/proc/\(pid)/stat"
        // The kernel gives the line whole in the first read. Its 52 numbers and a name of 64 bytes are shorter than this.
        guard let status = ProcessStatus(pid: pid, try FileDescriptor.open(path, O_RDONLY).readChunk(4096)) else {
            throw SystemError(call: "read", path: path, errno: EINVAL)
        }
        return status
    }

    /// True when the process has ended and has not been reaped yet.
    public var isZombie: Bool { state == UInt8(ascii: "Z") }

    /// Sends a signal to this process, and never to a later one with the same number. Does nothing when the process has ended, or when it
    /// belongs to another user by now.
    public func signal(_ number: Int32) {
        guard let pidfd = try? Process.openPidfd(pid), let now = try? ProcessStatus.read(pid),  // ended
            now.startTime == startTime
        else { return }
        _ = linux_pidfd_send_signal(pidfd.raw, number, nil, 0)
    }

    /// Reads `123 (any ) name) S 1 123 123 …`. The name may contain anything, so the other fields begin after the last parenthesis.
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

    // The pointers and the text are in one block, so that any number of strings costs one allocation.
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
