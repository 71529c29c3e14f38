import CLinux
import Glibc
import Linux
import WorkerProtocol

/// The daemon that serves one user, as root's daemon knows it: a process that starts as root and first of all becomes that user. Over a
/// socket root's daemon sends the number of its slots, and it reports how many it uses.
final class UserDaemon {
    /// The user's account, as it was looked up last.
    private(set) var account: UserAccount
    var user: User { account.user }
    /// When that was.
    private(set) var lookedUpAt = MonotonicInstant.now()
    /// Users' daemons are tended in the order in which they were first started.
    let number: UInt64
    private(set) var pid: pid_t = 0
    private var link: SocketEnd?
    /// The link's, in the loop.
    var token: EventLoop.Token?
    private var lines = LineBuffer()

    /// The time at which it is started again after its end.
    private(set) var startAt: MonotonicInstant?
    private var delayMilliseconds: Int64 = 0
    private var startedAt = MonotonicInstant(nanoseconds: 0)
    private var answer = AnswerDeadline()
    /// It has nothing to do: it may end, and is started again when there is something.
    var rest: Rest?
    /// The time at which it is killed if it has not answered.
    var answerBy: MonotonicInstant? { answer.by }

    /// The number of jobs that run and wait, according to its last report.
    var running = 0
    var waiting = 0
    /// The reason why it may start nothing, as last sent by root's daemon.
    var held: String?

    private static let delayMillisecondsMin: Int64 = 100
    private static let delayMillisecondsMax: Int64 = 60_000
    /// A daemon that has run for so long has not ended because of how it was started.
    private static let provenMilliseconds: Int64 = 10_000

    init(_ account: UserAccount, number: UInt64) {
        self.account = account
        self.number = number
    }

    var isRunning: Bool { pid != 0 }
    /// The link's descriptor, for the loop.
    var descriptor: Int32? { link?.raw }

    func wasLookedUp(_ account: UserAccount) {
        self.account = account
        lookedUpAt = .now()
    }

    // MARK: Its life

    func start(program: String, arguments: [String], environment: [String]) throws(SystemError) {
        startAt = nil
        startedAt = .now()
        let pair = try SocketPair(nonBlocking: true)
        let nothing = try FileDescriptor.open("/dev/null", O_RDWR)
        pid = try Linux.Process.spawn(
            program, arguments: arguments, environment: environment,
            descriptors: [(nothing.raw, 0), (nothing.raw, 1), (2, 2), (pair.second.raw, UserLink.descriptor)],
            directory: "/", newSession: true)
        link = SocketEnd(try pair.first.duplicate())
        lines = LineBuffer()
    }

    /// The daemon has ended, or could not be started. Returns in how many milliseconds it is started again.
    func ended() -> Int64 {
        pid = 0
        link = nil
        answer.came()
        running = 0
        held = nil
        let now = MonotonicInstant.now()
        let isProven = now.milliseconds(since: startedAt) >= Self.provenMilliseconds
        let longer = min(max(2 * delayMilliseconds, Self.delayMillisecondsMin), Self.delayMillisecondsMax)
        delayMilliseconds = isProven ? Self.delayMillisecondsMin : longer
        startAt = now.advanced(byMilliseconds: delayMilliseconds)
        return delayMilliseconds
    }

    /// The daemon has ended because it had nothing to do. It is started again when it is woken.
    func rests() {
        _ = ended()
        startAt = nil
        delayMilliseconds = 0
    }

    /// Its number may be another process's from now on.
    func wasReaped() { pid = 0 }

    /// Something has come into the user's directories, or may have. A daemon that rests is started again when its process has ended.
    func wake() {
        guard rest != nil else { return }
        rest?.isOver = true
        if !isRunning { startNow() }
    }

    func startNow() { startAt = .now() }

    /// Has it end in order: its jobs go on, and it is not started again. A daemon that does not end in a while is killed.
    func letGo() {
        link = nil
        startAt = nil
        if isRunning { answer.isWanted(from: .now()) } else { answer.came() }
    }

    /// Only while it is not reaped: until then the number is its own.
    func kill() { if pid > 1 { _ = Glibc.kill(pid, SIGKILL) } }

    // MARK: The link

    /// Sends a line. A daemon that does not read its link is killed in a while.
    func send(_ line: String, isAnswered: Bool = false) {
        guard let link else { return }
        let bytes = Array("\(line)\n".utf8)
        let count = bytes.withUnsafeBytes { Glibc.send(link.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) }
        if isAnswered || count != bytes.count { answer.isWanted(from: .now()) }
    }

    func answered() { answer.came() }

    /// The daemon has closed the link, which it does when it ends.
    func isToEnd() { answer.isWanted(from: .now()) }

    /// True when it has not answered in time. To be asked when all its lines have been read.
    func isSilent(at now: MonotonicInstant) -> Bool { answer.isOver(at: now) }

    /// The lines that have arrived. Nil when the daemon is gone or sends garbage.
    func receive() -> [Substring]? {
        guard let link else { return [] }
        return lines.receive(link.raw)
    }
}

/// The time that a user's daemon may take to answer.
package struct AnswerDeadline {
    package static let milliseconds: Int64 = 10_000
    /// A check that is so much later than it was due proves nothing: root's daemon was held up, and the other one may have been, too.
    package static let lateMilliseconds: Int64 = 1000

    /// Nil when no answer is expected.
    package private(set) var by: MonotonicInstant?

    package init() {}

    package mutating func isWanted(from now: MonotonicInstant) { by = by ?? now.advanced(byMilliseconds: Self.milliseconds) }

    package mutating func came() { by = nil }

    /// True when the time is over. After a late check it begins anew.
    package mutating func isOver(at now: MonotonicInstant) -> Bool {
        guard let end = by, end <= now else { return false }
        guard now <= end.advanced(byMilliseconds: Self.lateMilliseconds) else {
            by = now.advanced(byMilliseconds: Self.milliseconds)
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

/// Cuts the bytes that arrive over a socket into lines.
struct LineBuffer {
    /// No line is longer.
    private static let lengthMax = 4096
    private var bytes: [UInt8] = []

    /// The whole lines that have arrived. Nil at the end of the stream, and when a line is too long.
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
