import CLinux
import Glibc
import Linux
import Scheduler
import Store

/// A running program of an executor: a process in a session of its own, and what it has printed so far.
final class ExecutorProcess {
    let pid: pid_t
    /// The time at which the program gets SIGTERM, and later SIGKILL, unless it has ended.
    private(set) var deadline: MonotonicInstant
    private(set) var isOverdue = false
    private var output: ProgramStream
    private var errors: ProgramStream

    /// The largest standard error. Its first line is shown.
    private static let errorBytesMax = 64 << 10
    /// The time between SIGTERM and SIGKILL.
    private static let killAfterMilliseconds: Int64 = 5000

    /// - Parameters:
    ///   - credentials: the rights of another user, which the worker program takes before it becomes the executor. Nil: the daemon's own.
    ///   - input: the whole standard input.
    init(
        _ program: borrowing ExecutorProgram, _ arguments: [String], environment: [String], as credentials: Credentials?, worker: String,
        input: [UInt8], timeoutMilliseconds: Int64
    ) throws {
        let file = try FileDescriptor.memory(named: "executor")
        // The position stays at the beginning.
        try file.write(input, at: 0)
        let output = try Pipe()
        let errors = try Pipe()
        var executable = ExecutorProgram.executable
        var words = [program.path] + arguments
        if let credentials {
            words = ["spool-worker", "--become", credentials.text, executable] + words
            executable = worker
        }
        pid = try Linux.Process.spawn(
            executable, arguments: words, environment: environment,
            descriptors: [(file.raw, 0), (output.writing.raw, 1), (errors.writing.raw, 2), (program.file.raw, ExecutorProgram.descriptor)],
            directory: "/", newSession: true)
        try? Linux.Process.clearMemoryScore(of: pid)  // best effort: a user may not lower the score, and the program may have ended
        self.output = ProgramStream(output, bytesMax: ExecutorOutput.bytesMax)
        self.errors = ProgramStream(errors, bytesMax: Self.errorBytesMax)
        deadline = MonotonicInstant.now().advanced(byMilliseconds: timeoutMilliseconds)
    }

    deinit {
        output.end()
        errors.end()
    }

    var descriptors: [Int32] { [output.descriptor, errors.descriptor] }

    // MARK: Output

    /// Reads what the program has written. Returns false when that is too much.
    func read() -> Bool {
        output.read()
        errors.read()
        return !isFull
    }

    var isFull: Bool { output.isFull || errors.isFull }

    var printed: [UInt8] { output.bytes }
    var isCut: Bool { output.isFull }

    /// `: ` and the first line that the program wrote to standard error.
    var complaint: String { errors.complaint }

    // MARK: Ending

    /// Its time is over: SIGTERM first, SIGKILL later.
    func end() {
        Glibc.kill(-pid, isOverdue ? SIGKILL : SIGTERM)
        isOverdue = true
        deadline = MonotonicInstant.now().advanced(byMilliseconds: Self.killAfterMilliseconds)
    }

    /// Kills the program and its process group. Must be called before the program is reaped: after that its number may belong to another
    /// process.
    func kill() { Glibc.kill(-pid, SIGKILL) }
}
