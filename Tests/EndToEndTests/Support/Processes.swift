import CLinux
import Glibc
import Linux
import TestSupport
import Testing

/// A process that the test started.
final class Child {
    let pid: pid_t
    private let file: FileDescriptor
    private var status: Int32?

    init(
        _ program: String, _ arguments: [String], environment: [String], input: Int32? = nil, output: Int32, error: Int32
    ) throws {
        let nothing = try FileDescriptor.open("/dev/null", O_RDONLY)
        let descriptors = [(input ?? nothing.raw, Int32(0)), (output, 1), (error, 2)]
        pid = try Descriptors.alone {
            try Process.spawn(
                program, arguments: [String(program.split(separator: "/").last ?? "")] + arguments, environment: environment,
                descriptors: descriptors, newSession: true)
        }
        file = try Process.openPidfd(pid)
    }

    deinit {
        if status != nil { return }
        Glibc.kill(pid, SIGKILL)
        reap()
    }

    /// The descriptor becomes readable when the process has ended.
    var pidfd: Int32 { file.raw }

    var isReaped: Bool { status != nil }

    var hasEnded: Bool {
        if status != nil { return true }
        var descriptor = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
        return poll(&descriptor, 1, 0) > 0
    }

    func kill(_ signal: Int32) {
        if status == nil { Glibc.kill(pid, signal) }
    }

    /// Waits until a signal has stopped the process.
    func awaitStop() throws {
        var what = siginfo_t()
        // WNOWAIT: its end is left for ``exitCode()``.
        while waitid(P_PID, id_t(pid), &what, WSTOPPED | WEXITED | WNOWAIT) != 0 {
            guard errno == EINTR else { throw SystemError(call: "waitid", errno: errno) }
        }
    }

    /// Waits for the end of the process. Returns the exit code, 128 + n for signal n, or nil when it does not end.
    func exitCode() -> Int32? {
        if status == nil {
            guard awaitReadable([pidfd], until: MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)) else { return nil }
            reap()
        }
        guard let status else { return nil }
        return linux_wifsignaled(status) != 0 ? 128 + linux_wtermsig(status) : linux_wexitstatus(status)
    }

    private func reap() {
        var result: Int32 = 0
        while waitpid(pid, &result, 0) < 0 && errno == EINTR {}
        status = result
    }
}

/// Processes of a spool, found in /proc.
enum Processes {
    /// The pids of `spool-worker` processes that serve this spool: each has its record file at descriptor 4.
    static func workers(ofSpool path: String) -> [pid_t] {
        all { pid in
            // Ended, or another user's: not a worker of the spool.
            let record = (try? Directory.open("/proc/\(pid)/fd").readSymbolicLink("4")) ?? ""
            return record.hasPrefix("\(path)/") && record.contains("/state/workers/") && contains("/proc/\(pid)/cmdline", "spool-worker")
        }
    }

    /// The pids of the processes that jobs of this spool have started.
    static func jobs(ofSpool path: String) -> [pid_t] {
        all { pid in
            let isOfSpool = contains("/proc/\(pid)/environ", "SPOOL_DIR=\(path)\u{0}")
                || contains("/proc/\(pid)/environ", "SPOOL_DIR=\(path)/users/")
            return isOfSpool && contains("/proc/\(pid)/environ", "SPOOL_JOB_ID=")
        }
    }

    /// The children of a process, by their numbers here, the oldest first.
    static func children(of pid: pid_t) throws -> [pid_t] {
        try Files.text("/proc/\(pid)/task/\(pid)/children").split(separator: " ").compactMap { pid_t($0) }
    }

    /// The pids of the daemons that serve users of this spool.
    static func userDaemons(ofSpool path: String) -> [pid_t] {
        all { contains("/proc/\($0)/cmdline", "\(path)/users/") && contains("/proc/\($0)/cmdline", "--serve-user") }
    }

    /// Kills the processes that jobs left running, and waits until the workers have ended by themselves.
    static func endAll(ofSpool path: String) {
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        while true {
            for pid in jobs(ofSpool: path) { kill(pid, SIGKILL) }
            // The daemons of users end after root's daemon.
            guard let worker = workers(ofSpool: path).first ?? userDaemons(ofSpool: path).first else { return }
            // Ended meanwhile: the next round notices that.
            guard let pidfd = try? Process.openPidfd(worker) else { continue }
            if !awaitReadable([pidfd.raw], until: min(end, MonotonicInstant.now().advanced(byMilliseconds: 1000))), .now() >= end {
                Issue.record("spool-worker \(worker) of \(path) outlives its spool")
                kill(worker, SIGKILL)
            }
        }
    }

    /// Waits for the end of a process that is not a child of this one.
    static func awaitEnd(of pid: pid_t) throws {
        let pidfd: FileDescriptor
        do throws(SystemError) { pidfd = try Process.openPidfd(pid) } catch {
            if error.errno == ESRCH { return }
            throw error
        }
        guard awaitReadable([pidfd.raw], until: MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)) else {
            throw WaitFailed(description: "process \(pid) does not end")
        }
    }

    /// Waits until a process that is not a child of this one has ended and its parent has read its exit code. Its pidfd hangs up then; in a
    /// kernel before Linux 6.9 it does not, and the process is looked at again.
    static func awaitReaping(of pid: pid_t) throws {
        let pidfd: FileDescriptor
        do throws(SystemError) { pidfd = try Process.openPidfd(pid) } catch {
            if error.errno == ESRCH { return }
            throw error
        }
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        while kill(pid, 0) == 0 {
            guard MonotonicInstant.now() < end else { throw WaitFailed(description: "process \(pid) is not reaped") }
            var hangup = pollfd(fd: pidfd.raw, events: 0, revents: 0)
            _ = poll(&hangup, 1, 100)  // the loop looks at the process itself
        }
    }

    static func isAlive(_ pid: pid_t) -> Bool {
        guard let status = try? ProcessStatus.read(pid) else { return false }  // gone
        return status.state != UInt8(ascii: "Z")
    }

    private static func all(where matches: (pid_t) -> Bool) -> [pid_t] {
        let names = (try? Files.list("/proc")) ?? []  // no /proc: nothing can be found
        return names.compactMap { pid_t($0) }.filter { matches($0) && isAlive($0) }
    }

    private static func contains(_ path: String, _ text: String) -> Bool {
        guard let bytes = try? Files.bytes(path) else { return false }  // gone, or not ours
        return String(decoding: bytes, as: UTF8.self).contains(text)
    }
}

/// Programs that the test runs to their end.
enum Commands {
    struct Result: Equatable {
        var code: Int32
        var output: String
        var error: String
    }

    static func run(_ program: String, _ arguments: String...) throws -> Result {
        try run(program, arguments)
    }

    /// Runs a program found in the usual directories, or by its absolute path.
    static func run(
        _ program: String, _ arguments: [String], input: String = "", environment: [String] = []
    ) throws -> Result {
        let running = try Running(program, arguments, input: input, environment: environment)
        return try running.end()
    }

    static func succeed(_ program: String, _ arguments: String...) throws {
        let result = try run(program, arguments)
        guard result.code == 0 else {
            throw WaitFailed(description: "\(program) \(arguments): \(result.code): \(result.error)")
        }
    }

    /// True when a program is installed.
    static func has(_ program: String) -> Bool { find(program) != nil }

    fileprivate static func find(_ program: String) -> String? {
        if program.hasPrefix("/") { return program }
        let directories = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"]
        return directories.map { "\($0)/\(program)" }.first { Process.executability($0) == .executable }
    }

    /// A running program. Its output goes to files, so that it never waits for the test to read it.
    final class Running {
        let child: Child
        private let directory: String

        init(_ program: String, _ arguments: [String], input: String = "", environment: [String] = []) throws {
            guard let executable = Commands.find(program) else { throw WaitFailed(description: "there is no \(program)") }
            directory = try Files.makeTemporaryDirectory()
            try Files.write("\(directory)/in", input)
            let flags = O_WRONLY | O_CREAT | O_APPEND
            let input = try FileDescriptor.open("\(directory)/in", O_RDONLY)
            let output = try FileDescriptor.open("\(directory)/out", flags, mode: 0o600)
            let error = try FileDescriptor.open("\(directory)/err", flags, mode: 0o600)
            let surroundings = ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=\(directory)", "LC_ALL=C"]
            child = try Child(
                executable, arguments, environment: surroundings + environment, input: input.raw, output: output.raw,
                error: error.raw)
        }

        deinit { try? Files.removeTree(directory) }  // litter at worst

        var output: String { (try? Files.text("\(directory)/out")) ?? "" }  // it is made before the program starts

        /// Waits for its end.
        func end() throws -> Result {
            guard let code = child.exitCode() else {
                throw WaitFailed(description: "process \(child.pid) does not end; so far it wrote: \(output)")
            }
            return Result(code: code, output: output, error: try Files.text("\(directory)/err"))
        }
    }
}
