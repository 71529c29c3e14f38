import CLinux
import Glibc
import Linux
import TextSearch

/// A program that was started, and what it has written so far. It has a limit of time: SIGTERM when that is over, and SIGKILL two seconds
/// later.
///
/// It is in this program's process group, so whoever ends a call by that group ends it too, with all that it has started.
final class Program {
    /// The end of a program.
    struct Outcome {
        /// The exit code, or 128 + the signal. Nil when its limit of time ended it, or when it could not be started.
        var status: Int32?
        var output: [UInt8] = []
        var errors: [UInt8] = []
        /// It had said one of its `retreats`, and was ended before it can have tried again.
        var hasRetreated = false

        var isFine: Bool { status == 0 }
        /// The text of standard error on one line.
        var said: String {
            let text = String(decoding: errors.prefix(2048), as: UTF8.self)
            return text.split(separator: "\n").joined(separator: "; ")
        }
    }

    private let pid: pid_t
    /// The input that is not written yet, and the descriptor for it. -1 when all is written.
    private var input: ArraySlice<UInt8>
    private var inputEnd: Int32
    private var output: [UInt8] = []
    private var errors: [UInt8] = []
    private let outputEnd: FileDescriptor
    private let errorEnd: FileDescriptor
    private var isOutputOpen = true
    private var isErrorOpen = true
    private var endAt: MonotonicInstant
    private let retreats: [String]
    /// The last look at which it had not written more to standard error.
    private var silentAt: MonotonicInstant
    /// The earliest time at which it can have tried again. Nil while it has not said one of its `retreats`.
    private var retreatEnd: MonotonicInstant?
    /// It got SIGTERM.
    private var isEnded = false
    /// It got SIGKILL. What it has started may hold its output open, which nobody waits for any more.
    private var isKilled = false
    /// One of the programs of this call was ended by its limit. There is one thread.
    private nonisolated(unsafe) static var hasEndedSome = false

    private static let retreatMilliseconds: Int64 = 1000
    /// The longest time between two looks at a program that may retreat.
    private static let retreatLookMilliseconds: Int64 = 200

    /// More is left out. The queue of a large cluster is shorter.
    private static let outputBytesMax = 256 << 20

    /// `words[0]` is searched in PATH of the environment, as execvp(3) does.
    ///
    /// - Parameter retreats: texts on standard error after which the program sleeps for ``retreatMilliseconds`` at least, and then tries
    ///   again what has just certainly failed. It is ended when it says one of them.
    init(
        _ words: [String], environment: [String], input: [UInt8] = [], limitMilliseconds: Int64, retreats: [String] = []
    ) throws(SystemError) {
        self.retreats = retreats
        silentAt = .now()
        guard let executable = ProcessEnvironment.find(words[0], environment) else {
            throw SystemError(call: "exec", path: words[0], errno: ENOENT)
        }
        let outputs = try Pipe()
        let errors = try Pipe()
        let inputs = try Pipe()
        try inputs.reading.setBlocking()
        self.input = input[...]
        pid = try Process.spawn(
            executable, arguments: words, environment: environment,
            descriptors: [(inputs.reading.raw, 0), (outputs.writing.raw, 1), (errors.writing.raw, 2)], directory: "/")
        let (given, giving) = inputs.release()
        close(given)
        // F_SETFL cannot fail on a pipe.
        _ = linux_fcntl_int(giving, F_SETFL, O_NONBLOCK)
        inputEnd = giving
        endAt = .now().advanced(byMilliseconds: limitMilliseconds)
        let (reading, writing) = outputs.release()
        close(writing)
        outputEnd = FileDescriptor(owning: reading)
        let (readingErrors, writingErrors) = errors.release()
        close(writingErrors)
        errorEnd = FileDescriptor(owning: readingErrors)
        writeInput()
    }

    /// Waits until one of the programs has ended, and returns its index. The array must not be empty.
    static func awaitOne(of programs: [Program]) -> (index: Int, outcome: Outcome) {
        while true {
            let now = MonotonicInstant.now()
            var polled: [pollfd] = []
            var until = now.advanced(byMilliseconds: 1000)
            for (index, program) in programs.enumerated() {
                if program.endAt <= now { program.end(at: now) }
                until = min(until, program.endAt)
                if !program.retreats.isEmpty { until = min(until, now.advanced(byMilliseconds: retreatLookMilliseconds)) }
                if program.isKilled || !program.isOutputOpen && !program.isErrorOpen {
                    if let outcome = program.reap() { return (index, outcome) }
                    // It has closed its output, so it ends now, or has given its output away, and then its limit ends it.
                    until = min(until, now.advanced(byMilliseconds: 1))
                }
                polled.append(pollfd(fd: program.isOutputOpen ? program.outputEnd.raw : -1, events: Int16(POLLIN), revents: 0))
                polled.append(pollfd(fd: program.isErrorOpen ? program.errorEnd.raw : -1, events: Int16(POLLIN), revents: 0))
                polled.append(pollfd(fd: program.inputEnd, events: Int16(POLLOUT), revents: 0))
            }
            _ = poll(&polled, nfds_t(polled.count), until.pollTimeout(at: now))
            for (index, program) in programs.enumerated() {
                if polled[3 * index].revents != 0 { program.isOutputOpen = read(program.outputEnd.raw, into: &program.output) }
                if polled[3 * index + 1].revents != 0 {
                    program.isErrorOpen = read(program.errorEnd.raw, into: &program.errors)
                    program.endIfRetreating()
                } else {
                    program.silentAt = now
                }
                if polled[3 * index + 2].revents != 0 { program.writeInput() }
            }
        }
    }

    /// Runs a program to its end.
    static func run(_ words: [String], environment: [String], input: [UInt8] = [], limitMilliseconds: Int64) -> Outcome {
        do throws(SystemError) {
            let program = try Program(words, environment: environment, input: input, limitMilliseconds: limitMilliseconds)
            return awaitOne(of: [program]).outcome
        } catch {
            return Outcome(status: nil, errors: Array("\(error)".utf8))
        }
    }

    /// Writes as much as the pipe takes. A program that reads no more gets the end.
    private func writeInput() {
        while !input.isEmpty {
            let count = input.withUnsafeBytes { write(inputEnd, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            if count < 0 && errno == EAGAIN { return }
            if count < 0 { break }
            input = input.dropFirst(count)
        }
        input = []
        if inputEnd >= 0 { close(inputEnd) }
        inputEnd = -1
    }

    deinit { if inputEnd >= 0 { close(inputEnd) } }

    private func end(at now: MonotonicInstant) {
        kill(pid, isEnded ? SIGKILL : SIGTERM)
        isKilled = isEnded
        isEnded = true
        Self.hasEndedSome = true
        endAt = now.advanced(byMilliseconds: 2000)
    }

    /// Called when it has written to standard error, which was after `silentAt`.
    private func endIfRetreating() {
        guard retreatEnd == nil, !isEnded, !retreats.isEmpty else { return }
        let text = String(decoding: errors, as: UTF8.self)
        guard retreats.contains(where: { text.contains($0) }) else { return }
        retreatEnd = silentAt.advanced(byMilliseconds: Self.retreatMilliseconds)
        end(at: .now())
    }

    /// Ends the processes that are left of programs which were ended by their limits. To be called at the end of the call.
    static func endRest() {
        // Without a group of its own, this program is in its caller's.
        guard hasEndedSome, getpgrp() == getpid() else { return }
        signal(SIGTERM, SIG_IGN)
        kill(0, SIGTERM)
    }

    private func reap() -> Outcome? {
        var status: Int32 = 0
        let result = waitpid(pid, &status, WNOHANG)
        if result == 0 { return nil }
        // A program that printed all it had to say before its limit came still counts as ended by the limit.
        let code = status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
        let hasRetreated = retreatEnd.map { MonotonicInstant.now() < $0 } ?? false
        return Outcome(status: isEnded || result < 0 ? nil : code, output: output, errors: errors, hasRetreated: hasRetreated)
    }

    /// Returns false at the end of the output.
    private static func read(_ raw: Int32, into bytes: inout [UInt8]) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(raw, &chunk, chunk.count)
        if count > 0, bytes.count < outputBytesMax { bytes += chunk[..<count] }
        return count > 0 || count < 0 && (errno == EINTR || errno == EAGAIN)
    }
}
