import CLinux
import Glibc
import Linux
import Scheduler
import Store

/// A user's daemon's end of the socket to root's, which grants it slots and may have it start nothing. When root's daemon ends, so does
/// this one, and its jobs go on as over any end of a daemon.
final class UserLink: Part {
    /// Where the socket is when the process begins.
    static let descriptor: Int32 = 3
    private static let sayAgainMilliseconds: Int64 = 200

    private let socket = SocketEnd(FileDescriptor(owning: descriptor))
    private var lines = LineBuffer()
    /// The number of the last grant.
    private var number = 0
    /// The last report.
    private var said = ""
    /// The time at which a report is sent again that root's daemon had no room for.
    private var sayAgainAt: MonotonicInstant?
    private var idleTime = IdleTime()
    private let slots: SlotLimit
    private let gate: StartGate
    private let service: SpoolService
    private let loop: EventLoop
    private let files: FileWatches
    /// Called when root's daemon has ended or closed the link.
    var onEnd: () -> Void = {}
    /// Called when this daemon has nothing to do, and may end.
    var onRest: () -> Void = {}

    init(_ loop: EventLoop, _ files: FileWatches, _ slots: SlotLimit, _ gate: StartGate, _ service: SpoolService) {
        self.loop = loop
        self.files = files
        self.slots = slots
        self.gate = gate
        self.service = service
    }

    var raw: Int32 { socket.raw }

    var wakeAt: Wake {
        var wake = Wake(monotonic: sayAgainAt)
        wake.include(Wake(monotonic: idleTime.wakeAt))
        return wake
    }

    // MARK: Reading

    /// Carries out what root's daemon has sent.
    func takeWords() {
        guard let lines = lines.receive(socket.raw) else { return onEnd() }
        for line in lines {
            let words = line.split(separator: " ", maxSplits: 2)
            if words.count == 3, words[0] == "slots", let count = Int(words[1]), let number = Int(words[2]) {
                self.number = number
                slots.grant(max(0, count))
            } else if words.first == "held" {
                let why = String(line.dropFirst("held ".count))
                gate.holdForRoot(why.isEmpty ? nil : why)
            } else if line == "rest" {
                idleTime.wasGranted()
            }
        }
        service.isPublishDue = true
        // What may start has changed.
        service.submit(.tick)
    }

    // MARK: Reporting

    /// Reports how many jobs run and wait, when that is new. Root's daemon may be held up and not read: when there is no room for the
    /// report, it is sent later.
    func report() {
        let running = service.scheduler.runningCount
        let waiting = service.scheduler.jobs.count - running
        let line = "needs \(running) \(slots.isShort ? 1 : 0) \(number) \(waiting)\n"
        guard line != said else { return sayAgainAt = nil }
        // A line so short is sent whole or not at all. When nobody is there to read it, the end of the stream follows.
        if send(line) < 0, errno == EAGAIN { return sayAgainAt = .now().advanced(byMilliseconds: Self.sayAgainMilliseconds) }
        said = line
        sayAgainAt = nil
    }

    private func send(_ line: String) -> Int {
        var text = line
        return text.withUTF8 { Glibc.send(socket.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) }
    }

    // MARK: Resting

    /// Reports, and has this daemon end when it has had nothing to do for a while: root's daemon starts it again.
    func afterTurn() throws(SystemError) {
        report()
        // What happened before root's daemon watched.
        if idleTime.isGranted { try files.takeEvents() }
        guard hasNothingToDo else {
            // The next report takes the question back, whether it says something new or not.
            if idleTime.isAsked { said = "" }
            return idleTime.isBusy()
        }
        if idleTime.isGranted {
            onRest()
        } else if idleTime.isOver(at: .now()) {
            // Without room, or without a reader, there is no answer, and this daemon continues.
            _ = send("rest \(wantedBackAt.milliseconds)\n")
        }
    }

    private var hasNothingToDo: Bool {
        loop.isIdle && wantedBackAt.milliseconds - service.now.milliseconds >= IdleTime.restMillisecondsMin
    }

    private var wantedBackAt: Instant {
        service.nextWake.map { $0.advanced(byMilliseconds: -IdleTime.earlyMilliseconds) } ?? Instant(milliseconds: .max)
    }
}
