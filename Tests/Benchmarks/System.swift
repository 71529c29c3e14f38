import CLinux
import Glibc
import Linux

/// The end of a wait.
struct Deadline {
    private let end: MonotonicInstant

    init(seconds: Double) { end = .now().advanced(byNanoseconds: Int64(seconds * 1e9)) }

    /// At least 0, rounded up.
    var remainingMilliseconds: Int32 {
        end.pollTimeout()
    }

    var isOver: Bool { remainingMilliseconds == 0 }
}

/// Waits, and owns the processes below this one: signals arrive at a descriptor, and this process adopts the processes that a
/// child leaves running.
final class System {
    private let signals: SignalDescriptor
    /// True from the first signal that asks this process to end.
    private(set) var isInterrupted = false

    init() throws {
        signals = try SignalDescriptor([SIGINT, SIGTERM, SIGHUP, SIGCHLD])
        guard linux_set_child_subreaper(1) == 0 else { throw SystemError(call: "prctl", errno: errno) }
    }

    // MARK: Waiting

    /// Waits until one of the descriptors is readable and returns its index. Returns nil if a child has ended or the time is
    /// over. Throws when interrupted, unless `isCleanup` is true.
    func wait(for descriptors: [Int32], until deadline: Deadline, isCleanup: Bool = false) throws -> Int? {
        if isInterrupted && !isCleanup { throw Trouble.interrupted }
        var polled = (descriptors + [signals.descriptor.raw]).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let count = Glibc.poll(&polled, nfds_t(polled.count), deadline.remainingMilliseconds)
        if count < 0 && errno != EINTR { throw SystemError(call: "poll", errno: errno) }
        if count <= 0 { return nil }
        if polled.last?.revents != 0 {
            while let signal = try signals.next() {
                if signal.number != SIGCHLD { isInterrupted = true }
            }
            if isInterrupted && !isCleanup { throw Trouble.interrupted }
        }
        return polled.dropLast().firstIndex { $0.revents != 0 }
    }

    /// Waits for this time.
    func pause(milliseconds: Int) throws {
        let deadline = Deadline(seconds: Double(milliseconds) / 1000)
        while !deadline.isOver { _ = try wait(for: [], until: deadline) }
    }

    // MARK: Children

    /// The next child that has ended, or nil when the time is over. Throws if there is no child at all.
    func reap(until deadline: Deadline, isCleanup: Bool = false) throws -> (pid: pid_t, status: Int32)? {
        while true {
            var status: Int32 = 0
            let pid = waitpid(-1, &status, WNOHANG)
            if pid > 0 { return (pid, status) }
            if pid < 0 && errno != EINTR { throw SystemError(call: "waitpid", errno: errno) }
            if deadline.isOver { return nil }
            _ = try wait(for: [], until: deadline, isCleanup: isCleanup)
        }
    }

    /// Waits for all processes below this one. Kills those that are left after `seconds`, and counts that as a failure. After an
    /// interruption kills them at once.
    func awaitAll(seconds: Double = 10) throws {
        var killed = false
        var deadline = Deadline(seconds: isInterrupted ? 0 : seconds)
        do {
            while true {
                if try reap(until: deadline, isCleanup: true) != nil { continue }
                for pid in try children() { try Process.signal(SIGKILL, to: pid) }
                killed = true
                deadline = Deadline(seconds: 1)
            }
        } catch let error as SystemError where error.errno == ECHILD {
            if killed && !isInterrupted { throw Trouble.failed("something was still running at the end and was killed") }
        }
    }

    func children(of parent: pid_t = getpid()) throws -> [pid_t] {
        try Directory.open("/proc").list().compactMap { pid_t($0.name) }.filter { pid in
            // The process may have ended after it was listed.
            (try? ProcessStatus.read(pid))?.parent == parent
        }
    }

    /// Runs a program until it ends. Its processor time and exit code are the caller's to use. Its output goes to a file, or
    /// nowhere.
    func run(
        _ program: String, _ arguments: [String], environment: [String], input: String = "/dev/null",
        output: String = "/dev/null", seconds: Double = 60
    ) throws -> Int32 {
        let output = try FileDescriptor.open(output, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        let input = try FileDescriptor.open(input, O_RDONLY)
        let pid = try Process.spawn(
            program, arguments: [program] + arguments, environment: environment,
            descriptors: [(input.raw, 0), (output.raw, 1), (output.raw, 2)])
        let deadline = Deadline(seconds: seconds)
        while true {
            var status: Int32 = 0
            if waitpid(pid, &status, WNOHANG) == pid { return linux_wifexited(status) != 0 ? linux_wexitstatus(status) : -1 }
            if deadline.isOver {
                try Process.signal(SIGKILL, to: pid)
                throw Trouble.failed("\(program) took longer than \(decimal(seconds, 0)) s")
            }
            _ = try wait(for: [], until: deadline)
        }
    }

    // MARK: Figures

    /// The processor seconds (user and system) of the ended children and of their children.
    static func childrenSeconds() -> Double { seconds(__rusage_who_t(RUSAGE_CHILDREN.rawValue)) }

    /// The processor seconds (user and system) of this process.
    static func ownSeconds() -> Double { seconds(__rusage_who_t(RUSAGE_SELF.rawValue)) }

    private static func seconds(_ who: __rusage_who_t) -> Double {
        var usage = rusage()
        getrusage(who, &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    /// The wall time in nanoseconds since 1970.
    static func wallNanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// The seconds that `body` takes.
    static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let start = MonotonicInstant.now()
        try body()
        return Double(MonotonicInstant.now().nanoseconds(since: start)) / 1e9
    }

    /// The path at which the shell would find a program.
    static func find(_ program: String) -> String? {
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        return path.split(separator: ":").lazy.map { "\($0)/\(program)" }.first { Process.executability($0) == .executable }
    }
}
