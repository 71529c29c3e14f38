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
    private var output: Stream
    private var errors: Stream

    static let limitSeconds: Int64 = 10
    /// The maximum size of standard error. Its first line is shown when the program fails.
    private static let errorBytesMax = 64 << 10

    /// The reading end of a pipe, and the bytes that were read from it.
    private struct Stream {
        /// -1 after the end of the stream.
        var descriptor: Int32
        var bytes: [UInt8] = []
        let bytesMax: Int
    }

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
        let (ownOutput, itsOutput) = output.release()
        let (ownErrors, itsErrors) = errors.release()
        close(itsOutput)
        close(itsErrors)
        // One byte more than the program may print, to notice when it prints too much.
        self.output = Stream(descriptor: ownOutput, bytesMax: PatternExtension.answerBytesMax + 1)
        self.errors = Stream(descriptor: ownErrors, bytesMax: Self.errorBytesMax)
    }

    deinit { for stream in [output, errors] where stream.descriptor >= 0 { close(stream.descriptor) } }

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
        Self.read(&output)
        Self.read(&errors)
        if output.bytes.count >= output.bytesMax { return .failed("printed more than \(PatternExtension.answerBytesMax) bytes") }
        if errors.bytes.count >= errors.bytesMax { return .failed("wrote more than \(Self.errorBytesMax) bytes to standard error") }
        return nil
    }

    private static func read(_ stream: inout Stream) {
        while stream.descriptor >= 0, stream.bytes.count < stream.bytesMax {
            var buffer = [UInt8](repeating: 0, count: min(4096, stream.bytesMax - stream.bytes.count))
            let count = Glibc.read(stream.descriptor, &buffer, buffer.count)
            if count > 0 {
                stream.bytes += buffer[..<count]
            } else if count == 0 || errno != EINTR && errno != EAGAIN {
                close(stream.descriptor)
                stream.descriptor = -1
            } else if errno == EAGAIN {
                return
            }
        }
    }

    /// The answer of a program that has ended.
    func answer(_ status: Int32) -> Answer {
        if let failure = read() { return failure }
        if linux_wifsignaled(status) != 0 { return .failed("was ended by \(Signal.name(linux_wtermsig(status)))\(complaint)") }
        guard linux_wexitstatus(status) == 0 else { return .failed("exited with \(linux_wexitstatus(status))\(complaint)") }
        do throws(RecurrenceError) {
            let due = try PatternExtension.answer(output.bytes, zone: question.zone, after: question.after)
            return due.map { .due($0) } ?? .never
        } catch {
            return .failed("\(error)")
        }
    }

    /// `: ` and the first line that the program wrote to standard error.
    private var complaint: String {
        let line = errors.bytes.split(separator: UInt8(ascii: "\n")).first ?? []
        return line.isEmpty ? "" : ": \(String(decoding: line, as: UTF8.self).prefix(200))"
    }

    /// Kills the program and its process group. Must be called before the program is reaped: after that its number may belong to another
    /// process.
    func kill() { Glibc.kill(-pid, SIGKILL) }
}
