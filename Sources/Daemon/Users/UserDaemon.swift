import CLinux
import Glibc
import Linux
import WorkerProtocol

/// The daemon that serves one user, as root's daemon knows it: a process of that user, which began as root's and gave that up first
/// thing. Over a socket root's tells it how many slots it has, and it tells how many it uses.
final class UserDaemon {
    /// Whose it is, as the system had that account when it was looked up last.
    var account: UserAccount
    var user: User { account.user }
    /// When that was, in milliseconds of the monotonic clock.
    var lookedUpAt = Clock.monotonicMilliseconds()
    /// Its part of the tokens of the loop.
    let number: UInt64
    private(set) var pid: pid_t = 0
    private var link: SocketEnd?
    /// Of the link, in the loop.
    var token: EventLoop.Token?
    private var lines = LineBuffer()

    /// When it is started again, having ended; in milliseconds of the monotonic clock.
    private(set) var startAt: Int64?
    private var delayMilliseconds: Int64 = 0
    private var startedAt: Int64 = 0
    private var answer = AnswerDeadline()
    /// It has nothing to do: it may end, and is started again when there is something.
    var rest: Rest?
    /// When it is ended for not having answered; in milliseconds of the monotonic clock.
    var answerBy: Int64? { answer.by }

    /// What it told last.
    var running = 0
    var waiting = 0
    /// What it was told last.
    var held: String?

    private static let delayMillisecondsMin: Int64 = 100
    private static let delayMillisecondsMax: Int64 = 60_000
    /// One that has lived so long has not ended because of how it was started.
    private static let provenMilliseconds: Int64 = 10_000

    init(_ account: UserAccount, number: UInt64) {
        self.account = account
        self.number = number
    }

    var isRunning: Bool { pid != 0 }
    /// The link's descriptor, for the loop.
    var descriptor: Int32? { link?.raw }

    // MARK: Its life

    func start(program: String, arguments: [String], environment: [String]) throws(SystemError) {
        startAt = nil
        startedAt = Clock.monotonicMilliseconds()
        let pair = try SocketPair(nonBlocking: true)
        let nothing = try FileDescriptor.open("/dev/null", O_RDWR)
        pid = try Linux.Process.spawn(
            program, arguments: arguments, environment: environment,
            descriptors: [(nothing.raw, 0), (nothing.raw, 1), (2, 2), (pair.second.raw, UserLink.descriptor)], directory: "/", newSession: true)
        link = SocketEnd(try pair.first.duplicate())
        lines = LineBuffer()
    }

    /// It has ended, or could not be started: says in how many milliseconds it is started again.
    func ended() -> Int64 {
        pid = 0
        link = nil
        answer.came()
        running = 0
        held = nil
        let now = Clock.monotonicMilliseconds()
        let isProven = now - startedAt >= Self.provenMilliseconds
        delayMilliseconds = isProven ? Self.delayMillisecondsMin : min(max(2 * delayMilliseconds, Self.delayMillisecondsMin), Self.delayMillisecondsMax)
        startAt = now + delayMilliseconds
        return delayMilliseconds
    }

    /// It has ended because it had nothing to do: nothing says when it is started again.
    func rests() {
        _ = ended()
        startAt = nil
        delayMilliseconds = 0
    }

    /// Its number may be another's from now on.
    func wasReaped() { pid = 0 }

    func startNow() { startAt = Clock.monotonicMilliseconds() }

    /// Has it end in order: jobs go on, and nothing is started again. One that does not end in a while is killed as one that does not answer.
    func letGo() {
        link = nil
        startAt = nil
        if isRunning { answer.isWanted(from: Clock.monotonicMilliseconds()) } else { answer.came() }
    }

    /// Only while it is not reaped: until then the number is its own.
    func kill() { if pid > 1 { _ = Glibc.kill(pid, SIGKILL) } }

    // MARK: What is said

    /// Sends a line. A daemon that does not read is ended in a while, as one that does not answer.
    func send(_ line: String, isAnswered: Bool = false) {
        guard let link else { return }
        let bytes = Array("\(line)\n".utf8)
        let count = bytes.withUnsafeBytes { Glibc.send(link.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) }
        if isAnswered || count != bytes.count { answer.isWanted(from: Clock.monotonicMilliseconds()) }
    }

    func answered() { answer.came() }

    /// It has closed the link, as one does that ends.
    func isToEnd() { answer.isWanted(from: Clock.monotonicMilliseconds()) }

    /// Whether it has had its time to answer; all that it has said so far has been read.
    func isSilent(at now: Int64) -> Bool { answer.isOver(at: now) }

    /// The lines that have come. Nil: it is gone, or says what it never would.
    func receive() -> [Substring]? {
        guard let link else { return [] }
        return lines.receive(link.raw)
    }
}

/// How long a user's daemon may take to answer, in milliseconds of the monotonic clock.
package struct AnswerDeadline {
    package static let milliseconds: Int64 = 10_000
    /// A look that comes so much later than it was meant to says nothing: the one who looks was held up, and perhaps the other by the same.
    package static let lateMilliseconds: Int64 = 1000

    /// Nil: no answer is wanted.
    package private(set) var by: Int64?

    package init() {}

    package mutating func isWanted(from now: Int64) { by = by ?? now + Self.milliseconds }

    package mutating func came() { by = nil }

    /// Whether the time is over. After a look that came late it begins anew.
    package mutating func isOver(at now: Int64) -> Bool {
        guard let end = by, end <= now else { return false }
        guard now - end <= Self.lateMilliseconds else {
            by = now + Self.milliseconds
            return false
        }
        return true
    }
}

/// A socket that an object owns.
final class SocketEnd {
    private let descriptor: FileDescriptor
    var raw: Int32 { descriptor.raw }
    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
}

/// Cuts what comes over a socket into lines.
struct LineBuffer {
    /// No line is longer.
    private static let lengthMax = 4096
    private var bytes: [UInt8] = []

    /// The whole lines that wait. Nil at the end of the stream, and when it cannot be one of lines.
    mutating func receive(_ socket: Int32) -> [Substring]? {
        var chunk = [UInt8](repeating: 0, count: Self.lengthMax)
        let count = recv(socket, &chunk, chunk.count, Int32(MSG_DONTWAIT))
        if count == 0 { return nil }
        if count < 0 { return errno == EAGAIN || errno == EINTR ? [] : nil }
        bytes += chunk[..<count]
        guard let end = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return bytes.count > Self.lengthMax ? nil : [] }
        let text = String(decoding: bytes[..<end], as: UTF8.self)
        bytes.removeFirst(end + 1)
        return text.split(separator: "\n")
    }
}
