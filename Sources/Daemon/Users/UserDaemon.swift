import CLinux
import Glibc
import Linux
import WorkerProtocol

/// The daemon that serves one user, as root's daemon sees it: a process that starts as root and becomes that user before it does anything
/// else. Over a socket, root's daemon sends it the number of its slots, and it reports how many of them it uses.
final class UserDaemon {
    /// The user's account, as it was when it was last looked up.
    private(set) var account: UserAccount
    var user: User { account.user }
    /// The time of that look-up.
    private(set) var lookedUpAt = MonotonicInstant.now()
    /// The place of this daemon in the order in which root's daemon first started them.
    let number: UInt64
    private(set) var pid: pid_t = 0
    private var link: SocketEnd?
    /// The token of the link in the event loop.
    var token: EventLoop.Token?
    private var lines = LineBuffer()

    /// The PAM service in whose session the daemon was started last. Nil for none.
    private(set) var pamService: String?
    /// The reason why PAM gave the daemon no session. Nil when it has served since.
    var refusal: String?

    /// The time at which the daemon is started again. Nil while it runs, and while it rests.
    private(set) var startAt: MonotonicInstant?
    private var delayMilliseconds: Int64 = 0
    private var startedAt = MonotonicInstant(nanoseconds: 0)
    private var answer = AnswerDeadline()
    /// Not nil when the daemon may end because it has nothing to do, or has ended for that reason.
    var rest: Rest?
    /// The time at which the daemon is killed if it has not answered.
    var answerBy: MonotonicInstant? { answer.by }

    /// The number of jobs that run and wait, according to its last report.
    var running = 0
    var waiting = 0
    /// The reason why the daemon may start nothing, as root's daemon sent it last.
    var held: String?

    private static let delayMillisecondsMin: Int64 = 100
    private static let delayMillisecondsMax: Int64 = 60_000
    /// A daemon that has run for this long has started well. After its end, the delay before the next start begins anew.
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

    func start(program: String, arguments: [String], pamService: String?) throws(SystemError) {
        startAt = nil
        self.pamService = pamService
        startedAt = .now()
        let pair = try SocketPair(nonBlocking: true)
        let nothing = try FileDescriptor.open("/dev/null", O_RDWR)
        pid = try Linux.Process.spawn(
            program, arguments: arguments, environment: Self.environment(),
            descriptors: [(nothing.raw, 0), (nothing.raw, 1), (2, 2), (pair.second.raw, UserLink.descriptor)],
            directory: "/", newSession: true)
        link = SocketEnd(try pair.first.duplicate())
        (isCrontabDue, isTakingCrontab) = (true, false)
        lines = LineBuffer()
    }

    /// The environment of a user's daemon. Of its own variables, root's daemon passes on only those that a user's daemon needs as well.
    private static func environment() -> [String] {
        var variables = ["PATH=\(User.searchPath)", "LANG=C.UTF-8"]
        for name in ["JOURNAL_STREAM", "SPOOLD_JOURNAL_SOCKET", "TZDIR"] {
            if let value = getenv(name) { variables.append("\(name)=\(String(cString: value))") }
        }
        return variables
    }

    /// Called when the daemon has ended or could not be started. Returns the number of milliseconds after which it is started again.
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

    /// Called when the daemon has ended because it had nothing to do. It is not started again until ``wake()``.
    func rests() {
        _ = ended()
        startAt = nil
        delayMilliseconds = 0
    }

    /// Called when the daemon's process has been reaped. Its number may belong to another process from now on.
    func wasReaped() { pid = 0 }

    /// Called when something may have arrived in the user's directories. A resting daemon is started again: now, or when its process has
    /// ended.
    func wake() {
        guard rest != nil else { return }
        rest?.isOver = true
        if !isRunning { startNow() }
    }

    func startNow() { startAt = .now() }

    /// Closes the link, which makes the daemon end in order while its jobs run on. It is not started again. It is killed if it does not end
    /// in time.
    func letGo() {
        link = nil
        startAt = nil
        if isRunning { answer.isWanted(from: .now()) } else { answer.came() }
    }

    /// Kills the daemon. Does nothing after it was reaped.
    func kill() { if pid > 1 { _ = Glibc.kill(pid, SIGKILL) } }

    // MARK: The link

    /// Sends a line. A daemon that must answer it, or does not read its link, is killed if it does not answer in time.
    func send(_ line: String, isAnswered: Bool = false) {
        guard let link else { return }
        let bytes = Array("\(line)\n".utf8)
        let count = bytes.withUnsafeBytes { Glibc.send(link.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) }
        if isAnswered || count != bytes.count { answer.isWanted(from: .now()) }
    }

    func answered() { answer.came() }

    // MARK: The crontab

    /// True when the daemon must be sent the user's crontab.
    var isCrontabDue = false
    /// True when the daemon has been sent a crontab and has not taken it.
    private(set) var isTakingCrontab = false

    /// Sends the user's crontab as it is now, or the reason why it has none. The daemon answers when it has taken it.
    func send(crontab path: String, _ crontab: consuming OpenedCrontab) {
        isCrontabDue = false
        isTakingCrontab = true
        switch consume crontab {
        case .file(let file, _):
            guard let link else { return }
            // The daemon takes a lease of its own while it reads.
            file.admitWriters()
            if !DescriptorMessage.send("crontab text \(path)\n", file.raw, to: link.raw) { answer.isWanted(from: .now()) }
        case .refused(let why): send("crontab refused \(path)\t\(why)", isAnswered: true)
        case .busy: send("crontab busy \(path)", isAnswered: true)
        case .unchanged: send("crontab kept \(path)", isAnswered: true)
        case .gone: send("crontab gone \(path)", isAnswered: true)
        }
    }

    func crontabTaken() {
        isTakingCrontab = false
        answer.came()
    }

    /// Called when the daemon has closed the link, which it does when it ends. It is killed if it does not end in time.
    func isToEnd() { answer.isWanted(from: .now()) }

    /// True when the daemon has not answered in time. Must be called after all its lines have been read.
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
    /// A check that is later than this proves nothing: root's daemon was held up, and the other daemon may have been held up too.
    package static let lateMilliseconds: Int64 = 1000

    /// Nil when no answer is expected.
    package private(set) var by: MonotonicInstant?

    package init() {}

    package mutating func isWanted(from now: MonotonicInstant) { by = by ?? now.advanced(byMilliseconds: Self.milliseconds) }

    package mutating func came() { by = nil }

    /// True when the time is over. A check that is too late returns false and gives the other side the whole time again.
    package mutating func isOver(at now: MonotonicInstant) -> Bool {
        guard let end = by, end <= now else { return false }
        guard now <= end.advanced(byMilliseconds: Self.lateMilliseconds) else {
            by = now.advanced(byMilliseconds: Self.milliseconds)
            return false
        }
        return true
    }
}

/// A socket whose owner is an object, so that a class can hold it in an optional variable.
final class SocketEnd {
    private let descriptor: FileDescriptor
    var raw: Int32 { descriptor.raw }
    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
}

/// Cuts the bytes that arrive over a socket into lines.
struct LineBuffer {
    /// The maximum length of a line.
    private static let lengthMax = 4096
    private var bytes: [UInt8] = []
    /// True to accept descriptors. Root's daemon accepts none: a user could send any number of them.
    private let takesDescriptors: Bool
    /// The descriptors that have arrived and were not taken.
    private var descriptors: [Int32] = []

    init(takesDescriptors: Bool = false) { self.takesDescriptors = takesDescriptors }

    /// The descriptor that was sent with the first line that had one, of those that were not taken.
    mutating func takeDescriptor() -> FileDescriptor? {
        descriptors.isEmpty ? nil : FileDescriptor(owning: descriptors.removeFirst())
    }

    /// The complete lines that have arrived. Nil at the end of the stream, and when a line is too long.
    mutating func receive(_ socket: Int32) -> [Substring]? {
        var chunk = [UInt8](repeating: 0, count: Self.lengthMax)
        let count: Int
        if takesDescriptors {
            let received = DescriptorMessage.receive(into: &chunk, from: socket)
            count = received.count
            if let descriptor = received.descriptor { descriptors.append(descriptor) }
        } else {
            count = recv(socket, &chunk, chunk.count, Int32(MSG_DONTWAIT))
        }
        if count == 0 { return nil }
        if count < 0 { return errno == EAGAIN || errno == EINTR ? [] : nil }
        bytes += chunk[..<count]
        guard let end = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return bytes.count > Self.lengthMax ? nil : [] }
        let text = String(decoding: bytes[..<end], as: UTF8.self)
        bytes.removeFirst(end + 1)
        return text.split(separator: "\n")
    }
}
