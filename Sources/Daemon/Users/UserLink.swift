import CLinux
import Glibc
import Linux
import Scheduler
import Store

/// A user's daemon's end of the socket to root's, which says how many slots there are for it. When that ends, so does this one, and its jobs
/// go on as over any end of a daemon.
struct UserLink {
    /// Where the socket is when the process begins.
    static let descriptor: Int32 = 3

    private let socket = SocketEnd(FileDescriptor(owning: descriptor))
    private var lines = LineBuffer()
    private var number = 0
    private var said = ""
    /// How many root's daemon gives; none until it has said so.
    private(set) var slots = 0

    var raw: Int32 { socket.raw }

    enum Word: Equatable {
        case slots(Int)
        /// Why nothing may be started; empty: nothing stands against it.
        case held(String)
        /// The user's directories are watched: this daemon may end, if it still has nothing to do.
        case rest
    }

    /// What root's daemon says. Nil: it has ended.
    mutating func receive() -> [Word]? {
        guard let lines = lines.receive(socket.raw) else { return nil }
        var heard: [Word] = []
        for line in lines {
            let words = line.split(separator: " ", maxSplits: 2)
            if words.count == 3, words[0] == "slots", let slots = Int(words[1]), let number = Int(words[2]) {
                self.number = number
                self.slots = max(0, slots)
                heard.append(.slots(slots))
            } else if words.first == "held" {
                heard.append(.held(String(line.dropFirst("held ".count))))
            } else if line == "rest" {
                heard.append(.rest)
            }
        }
        return heard
    }

    /// Says how things stand, if that is new. Root's daemon may be held up and not read: then there is no room for it in the end, and it is
    /// said later.
    mutating func report(running: Int, isShort: Bool, waiting: Int) {
        let line = "needs \(running) \(isShort ? 1 : 0) \(number) \(waiting)\n"
        guard line != said else { return sayAgainAt = nil }
        var text = line
        let count = text.withUTF8 { send(socket.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) }
        // Of a line so short either all is taken or nothing. Nobody there to hear it: then the end of the stream says so next.
        if count < 0, errno == EAGAIN { return sayAgainAt = Clock.monotonicMilliseconds() + Self.sayAgainMilliseconds }
        said = line
        sayAgainAt = nil
    }

    /// Has the next report be made whether it is new or not: it takes back that this daemon has nothing to do.
    mutating func sayAnew() { said = "" }

    /// Asks whether this daemon may end until then, in milliseconds since 1970.
    mutating func askForRest(until instant: Instant) {
        var text = "rest \(instant.milliseconds)\n"
        // There is no room, or nobody: then there is no answer, and it goes on.
        _ = text.withUTF8 { send(socket.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) }
    }

    private static let sayAgainMilliseconds: Int64 = 200
    /// When that is, in milliseconds of the monotonic clock.
    private var sayAgainAt: Int64?

    var millisecondsUntilReport: Int64? { sayAgainAt.map { max(0, $0 - Clock.monotonicMilliseconds()) } }
}

extension Daemon {
    func takeWords() {
        guard let words = link?.receive() else {
            isStopping = true
            return
        }
        for word in words {
            switch word {
            case .slots: limitSlots()
            case .held(let why):
                heldByRoot = why.isEmpty ? nil : why
                gateLookAt = min(gateLookAt, now)
            case .rest: idleTime.isGranted = idleTime.isAsked
            }
        }
        service.isPublishDue = true
        // What may start has changed.
        service.submit(.tick)
    }

    func reportToRoot() {
        link?.report(
            running: scheduler.runningCount, isShort: isShortOfSlots, waiting: scheduler.jobs.count - scheduler.runningCount)
    }
}
