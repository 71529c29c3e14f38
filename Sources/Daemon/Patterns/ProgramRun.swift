import CLinux
import Glibc
import Linux
import Scheduler
import Store

/// A running program of a pattern: a process in a session of its own, and the output that it has written so far.
final class ProgramRun {
    let question: Question
    let pid: pid_t
    /// The time at which the program is killed if it has not answered.
    let deadline = MonotonicInstant.now().advanced(byMilliseconds: limitSeconds * 1000)
    private var output: ProgramStream
    private var errors: ProgramStream

    static let limitSeconds: Int64 = 10
    /// The maximum size of standard error. Its first line is shown when the program fails.
    private static let errorBytesMax = 64 << 10

    /// Starts `patterns/KEY`.
    ///
    /// The program is opened once, without following a link. The same open file is checked and executed, through /proc/self/fd, so that
    /// nobody can replace the program between the check and its start.
    init(_ question: Question, _ surroundings: RunSurroundings) throws {
        self.question = question
        let directory = "\(surroundings.spool)/\(Layout.patterns)"
        let program = try Directory.open(directory).openFile(question.program.key, LINUX_O_PATH | O_NOFOLLOW)
        if let why = try program.status().refusalAsProgram { throw RunNotPrepared(why: why) }
        let nothing = try FileDescriptor.open("/dev/null", O_RDONLY)
        let output = try Pipe()
        let errors = try Pipe()
        pid = try Linux.Process.spawn(
            "/proc/self/fd/3", arguments: ["\(directory)/\(question.program.key)", question.program.arguments],
            environment: Self.environment(question, surroundings),
            descriptors: [(nothing.raw, 0), (output.writing.raw, 1), (errors.writing.raw, 2), (program.raw, 3)],
            directory: directory, newSession: true)
        try? Linux.Process.clearMemoryScore(of: pid)  // best effort: a user may not lower the score, and the program may have ended
        // One byte more than the program may print, to notice when it prints too much.
        self.output = ProgramStream(output, bytesMax: PatternExtension.answerBytesMax + 1)
        self.errors = ProgramStream(errors, bytesMax: Self.errorBytesMax)
    }

    deinit {
        output.end()
        errors.end()
    }

    /// The reason why a program could not be started. The text follows the program's name.
    static func describe(_ error: any Error) -> String {
        guard let error = error as? SystemError else { return (error as? RunNotPrepared)?.why ?? "\(error)" }
        return switch error.errno {
        case ENOENT where error.call == "open": "is not there"
        case ENOENT: "names an interpreter in its first line that is not there"
        case ENOEXEC: "is not a program; a script must begin with a line like #!/bin/sh"
        case ETXTBSY: "is being written"
        default: "could not be started: \(error.message)"
        }
    }

    private static func environment(_ question: Question, _ surroundings: RunSurroundings) -> [String] {
        let own = [
            ("SPOOL_DIR", surroundings.spool), ("SPOOL_TASK", question.task), ("SPOOL_SCHEDULE", question.schedule),
            ("SPOOL_LAST", question.last?.rfc3339 ?? ""), ("SPOOL_NOW", question.after.rfc3339),
        ]
        return (surroundings.variables + own).map { "\($0)=\($1)" }
    }

    // MARK: Its answer

    var descriptors: [Int32] { [output.descriptor, errors.descriptor] }

    /// Reads the output that the program has written. Returns an answer only when that is too much: a failure.
    func read() -> Answer? {
        output.read()
        errors.read()
        if output.isFull { return .failed("printed more than \(PatternExtension.answerBytesMax) bytes") }
        if errors.isFull { return .failed("wrote more than \(Self.errorBytesMax) bytes to standard error") }
        return nil
    }

    /// The answer of a program that has ended.
    func answer(_ status: Int32) -> Answer {
        if let failure = read() { return failure }
        if linux_wifsignaled(status) != 0 { return .failed("was ended by \(Signal.name(linux_wtermsig(status)))\(errors.complaint)") }
        guard linux_wexitstatus(status) == 0 else { return .failed("exited with \(linux_wexitstatus(status))\(errors.complaint)") }
        do throws(RecurrenceError) {
            let due = try PatternExtension.answer(output.bytes, zone: question.zone, after: question.after)
            return due.map { .due($0) } ?? .never
        } catch {
            return .failed("\(error)")
        }
    }

    /// Kills the program and its process group. Must be called before the program is reaped: after that its number may belong to another
    /// process.
    func kill() { Glibc.kill(-pid, SIGKILL) }
}
