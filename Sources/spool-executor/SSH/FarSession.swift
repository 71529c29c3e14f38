import CLinux
import Executors
import Glibc
import Linux

/// One connection to another host during a call: requests in their order, and what is done with each answer.
///
/// Invariants:
/// - There is one process of ssh, which ends before the session does.
/// - An answer that has not arrived when the connection ends never arrives: its handler is not called.
/// - `ended` is called once, with the reason why the connection ended, or nil when everything was answered.
final class FarSession {
    let host: HostName
    private(set) var hello: FarAnswers.Hello?

    /// Called once, when the other side has greeted.
    var greeted: (FarAnswers.Hello) -> Void = { _ in }
    /// Called once, at the end.
    var ended: (String?) -> Void = { _ in }

    private let pid: pid_t
    private var input: FileDescriptor?
    private var output: FileDescriptor?
    private var errors: FileDescriptor?
    private var answers: FarAnswers
    private var outgoing: [[UInt8]] = []
    private var sent = 0
    private var handlers: [Int: (FarAnswers.Answer) -> Bool] = [:]
    private var number = 0
    private var lastErrors: [UInt8] = []
    private var strange: String?
    private var isFinishing = false
    /// The other side has greeted by then, or does not run the program.
    private let greetingEnd = MonotonicInstant.now().advanced(byMilliseconds: 20_000)

    private static let errorBytesMax = 16 << 10

    /// Starts ssh with these arguments, and sends it the program of the other side.
    init(host: HostName, ssh: String, arguments: [String], environment: [String]) throws(SystemError) {
        self.host = host
        let mark = Self.randomMark()
        answers = FarAnswers(mark: mark)
        let toInput = try Pipe()
        let fromOutput = try Pipe()
        let fromErrors = try Pipe()
        // The pipe's reading end is made not to block for this process; ssh may keep it so.
        try toInput.reading.setBlocking()
        pid = try Process.spawn(
            ssh, arguments: ["ssh"] + arguments + [FarSide.line(mark: mark)], environment: environment,
            descriptors: [(toInput.reading.raw, 0), (fromOutput.writing.raw, 1), (fromErrors.writing.raw, 2)])
        let writing = toInput.release()
        close(writing.reading)
        _ = linux_fcntl_int(writing.writing, F_SETFL, O_NONBLOCK)  // cannot fail on a pipe
        input = FileDescriptor(owning: writing.writing)
        let reading = fromOutput.release()
        close(reading.writing)
        output = FileDescriptor(owning: reading.reading)
        let failing = fromErrors.release()
        close(failing.writing)
        errors = FileDescriptor(owning: failing.reading)
        outgoing.append(Array(FarSide.text(mark: mark).utf8))
    }

    private static func randomMark() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<2).map { _ in
            let digits = String(generator.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    // MARK: Requests

    /// Sends a request, `VERB NUMBER WORDS`, and bytes after it. `then` gets its answers, until it returns false.
    func ask(_ verb: String, _ words: [String], bytes: [UInt8] = [], then: @escaping (FarAnswers.Answer) -> Bool) {
        number += 1
        handlers[number] = then
        outgoing.append(Array("\(verb) \(number) \(words.joined(separator: " "))\n".utf8))
        if !bytes.isEmpty { outgoing.append(bytes) }
    }

    /// As above, for a request with one answer, a line.
    func ask(_ verb: String, _ words: String..., bytes: [UInt8] = [], then: @escaping ([String]) -> Void) {
        ask(verb, words, bytes: bytes) { answer in
            if case .line(_, let words) = answer { then(words) }
            return false
        }
    }

    /// True when nothing is asked any more, so the connection can end.
    var isIdle: Bool { hello != nil && handlers.isEmpty && outgoing.isEmpty }

    // MARK: The loop

    var isOpen: Bool { output != nil }

    /// The next moment at which ``step()`` has something to do without an event.
    var wakeAt: MonotonicInstant { hello == nil ? greetingEnd : MonotonicInstant(nanoseconds: .max) }

    /// The descriptors to wait for.
    var polled: [pollfd] {
        var all: [pollfd] = []
        if let raw = output?.raw { all.append(pollfd(fd: raw, events: Int16(POLLIN), revents: 0)) }
        if let raw = errors?.raw { all.append(pollfd(fd: raw, events: Int16(POLLIN), revents: 0)) }
        if let raw = input?.raw, !outgoing.isEmpty { all.append(pollfd(fd: raw, events: Int16(POLLOUT), revents: 0)) }
        return all
    }

    /// Reads and writes what is possible now.
    func step() {
        send()
        readErrors()
        read()
        if hello == nil, greetingEnd <= .now() { cutOff("its login does not come to run sh") }
        if isOpen, isIdle, !isFinishing {
            // The other side ends when it reads the end of its input.
            isFinishing = true
            input = nil
        }
    }

    private func send() {
        while let raw = input?.raw, let first = outgoing.first {
            let count = first[sent...].withUnsafeBytes { Glibc.write(raw, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                // EPIPE: ssh has ended. Its words follow.
                if errno != EAGAIN { input = nil }
                return
            }
            sent += count
            if sent == first.count {
                outgoing.removeFirst()
                sent = 0
            }
        }
    }

    private func readErrors() {
        guard let raw = errors?.raw else { return }
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(raw, &chunk, chunk.count)
            if count > 0 {
                lastErrors = Array((lastErrors + chunk[..<count]).suffix(Self.errorBytesMax))
            } else if count == 0 {
                errors = nil
                return
            } else if errno != EINTR {
                return
            }
        }
    }

    private func read() {
        var chunk = [UInt8](repeating: 0, count: 256 << 10)
        while let raw = output?.raw {
            let count = Glibc.read(raw, &chunk, chunk.count)
            if count < 0 {
                if errno == EINTR { continue }
                return
            }
            if count == 0 { return end() }
            do throws(FarAnswers.Strange) {
                for answer in try answers.take(chunk[..<count]) { handle(answer) }
            } catch {
                strange = error.message
                return end()
            }
        }
    }

    private func handle(_ answer: FarAnswers.Answer) {
        switch answer {
        case .hello(let hello):
            self.hello = hello
            greeted(hello)
        case .line(let number, _), .data(let number, _, _):
            guard let handler = handlers[number] else { return }
            if !handler(answer) { handlers[number] = nil }
        }
    }

    // MARK: The end

    /// Ends the connection now.
    func cutOff(_ why: String) {
        guard isOpen else { return }
        strange = strange ?? why
        end()
    }

    private func end() {
        guard isOpen else { return }
        readErrors()
        input = nil
        output = nil
        let status = reap()
        let isComplete = hello != nil && handlers.isEmpty && outgoing.isEmpty
        ended(isComplete ? nil : strange ?? reason(status))
        handlers = [:]
    }

    /// Waits for ssh, which has closed its output. One that goes on is ended.
    private func reap() -> Int32 {
        var status: Int32 = 0
        // With no more to read or to write it ends at once; a connection that hangs would keep it for long.
        if strange == nil, let pidfd = try? Process.openPidfd(pid) {  // without one it is ended at once
            var waited = pollfd(fd: pidfd.raw, events: Int16(POLLIN), revents: 0)
            _ = poll(&waited, 1, 2000)
        }
        if waitpid(pid, &status, WNOHANG) == 0 {
            kill(pid, SIGKILL)
            while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        }
        readErrors()
        return status
    }

    /// ssh's own words: its last line.
    private func reason(_ status: Int32) -> String {
        let lines = String(decoding: lastErrors, as: UTF8.self).split(whereSeparator: { $0 == "\n" || $0 == "\r" || $0 == "\r\n" })
        let words = lines.last { !$0.allSatisfy { $0 == " " || $0 == "@" } }.map { String($0.prefix(300)) }
        let code = linux_wifsignaled(status) != 0 ? nil : linux_wexitstatus(status)
        if code == 97 { return "the start files of the login shell read the connection's input" }
        if hello != nil { return words ?? "the connection ended" }
        if let words { return words }
        return code.map { "the login ended with exit code \($0) before sh began" } ?? "ssh was killed"
    }
}

/// The connections of a call, side by side, none of which waits for another.
enum FarSessions {
    /// Runs all sessions to their ends. At `deadline` those that are left are cut off. `next` may give more while some run.
    static func run(until deadline: MonotonicInstant, next: () -> FarSession?) {
        var sessions: [FarSession] = []
        while true {
            while sessions.count < atOnce, let session = next() { sessions.append(session) }
            if sessions.isEmpty { return }
            var polled = sessions.flatMap(\.polled)
            let end = sessions.lazy.map(\.wakeAt).reduce(deadline, min)
            _ = poll(&polled, nfds_t(polled.count), end.pollTimeout())
            let isOver = deadline <= .now()
            for session in sessions {
                session.step()
                if isOver { session.cutOff("it did not answer in time") }
            }
            sessions.removeAll { !$0.isOpen }
        }
    }

    /// More processes of ssh at once are no gain.
    private static let atOnce = 32
}
