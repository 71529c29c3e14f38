import CLinux
import Glibc
import Linux
import Scheduler
import Store

/// In a user's daemon, its end of the socket to root's daemon. Root's daemon grants slots over it, and may order that nothing is started.
/// When root's daemon ends, this daemon ends too. Its jobs run on, as after any end of a daemon.
final class UserLink: Part {
    /// The number of the socket's descriptor when the process starts.
    static let descriptor: Int32 = 3
    private static let resendMilliseconds: Int64 = 200

    private let socket = SocketEnd(FileDescriptor(owning: descriptor))
    private var lines = LineBuffer(takesDescriptors: true)
    /// The number of the last grant.
    private var number = 0
    /// The last report. Nil when the next is to be sent whatever it says.
    private var lastReport: UserReport?
    /// The time at which a report is sent again, because the socket was full. Nil when no report waits.
    private var resendAt: MonotonicInstant?
    private var idleTime = IdleTime()
    /// The name of the user.
    private let name: String
    private let slots: SlotLimit
    private let gate: StartGate
    private let service: SpoolService
    private let loop: EventLoop
    private let files: FileWatches
    /// Called when root's daemon has ended or closed the link.
    var onEnd: () -> Void = {}
    /// Called when root's daemon waits for all jobs before it ends, and when it has all jobs stopped then.
    var onDrain: () -> Void = {}
    var onStopJobs: () -> Void = {}
    /// Called when this daemon has nothing to do and root's daemon has agreed that it ends.
    var onRest: () -> Void = {}

    init(of name: String, _ loop: EventLoop, _ files: FileWatches, _ slots: SlotLimit, _ gate: StartGate, _ service: SpoolService) {
        self.name = name
        self.loop = loop
        self.files = files
        self.slots = slots
        self.gate = gate
        self.service = service
    }

    var raw: Int32 { socket.raw }

    var wakeAt: Wake {
        var wake = Wake(monotonic: resendAt)
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
            } else if words.count == 3, words[0] == "crontab" {
                take(crontab: words[1], String(words[2]))
            } else if line == "drain" {
                mustReport()
                onDrain()
            } else if line == "stop jobs" {
                mustReport()
                onStopJobs()
            } else if line == "rest" {
                idleTime.wasGranted()
            }
        }
        service.isPublishDue = true
        // Other jobs than before may start now.
        service.submit(.tick)
    }

    /// Takes up the user's crontab, which root's daemon has opened and checked.
    private func take(crontab what: Substring, _ rest: String) {
        let parts = rest.split(separator: "\t", maxSplits: 1).map(String.init)
        let path = parts[0]
        let content: CrontabFile.Content
        switch what {
        case "text":
            guard let file = lines.takeDescriptor() else { return }
            do throws(SystemError) {
                content = file.excludeWriters() ? try CrontabWatch.text(of: file, file.status()) : .busy
            } catch {
                content = .refused("\(error)")
            }
        case "refused": content = .refused(parts.count > 1 ? parts[1] : "")
        case "gone": content = .gone
        case "busy": content = .busy
        default: content = .unknown
        }
        service.noticed(onlyCrontab: CrontabFile(path: path, user: name, content))
        _ = send(.tookCrontab)  // not sent: root's daemon is gone, or starts this one again
    }

    // MARK: Reporting

    /// Has the next report sent even if it is the same as the last: root's daemon takes it for an answer.
    private func mustReport() { lastReport = nil }

    /// Reports how many jobs run and wait, if that has changed. When the socket is full, because root's daemon does not read it at the
    /// moment, the report is sent later.
    func report() {
        let running = service.scheduler.slotsUsed
        let waiting = service.scheduler.jobs.count - service.scheduler.runningCount
        let report = UserReport.needs(running: running, isShort: slots.isShort, grant: number, waiting: waiting)
        guard report != lastReport else { return resendAt = nil }
        // Such a short line is sent as a whole or not at all. Other errors mean that root's daemon is gone: the end of the stream follows.
        if send(report) < 0, errno == EAGAIN { return resendAt = .now().advanced(byMilliseconds: Self.resendMilliseconds) }
        lastReport = report
        resendAt = nil
    }

    private func send(_ report: UserReport) -> Int {
        var text = report.text
        return text.withUTF8 { Glibc.send(socket.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) }
    }

    // MARK: Resting

    /// Reports to root's daemon. After some time without work, asks whether this daemon may end: root's daemon starts it again.
    func afterTurn() throws(SystemError) {
        report()
        // Read the events from before root's daemon watched the directories.
        if idleTime.isGranted { try files.takeEvents() }
        guard hasNothingToDo else {
            // A report takes the request back.
            if idleTime.isAsked { mustReport() }
            return idleTime.isBusy()
        }
        if idleTime.isGranted {
            onRest()
        } else if idleTime.isOver(at: .now()) {
            // When the request cannot be sent, there is no answer, and this daemon runs on.
            _ = send(.rest(until: wantedBackAt))
        }
    }

    private var hasNothingToDo: Bool {
        loop.isIdle && wantedBackAt.milliseconds - service.now.milliseconds >= IdleTime.restMillisecondsMin
    }

    /// The time at which root's daemon has to start this one again.
    private var wantedBackAt: Instant {
        service.wakeAt.wall.map { $0.advanced(byMilliseconds: -IdleTime.earlyMilliseconds) } ?? Instant(milliseconds: .max)
    }
}
