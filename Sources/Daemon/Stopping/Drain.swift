import Glibc
import Linux
import Scheduler
import Store

/// The way in which a daemon ends after SIGTERM or SIGINT.
public enum DrainRule: Sendable, Equatable {
    /// At once. Running jobs stay with their workers.
    case none
    /// When the running jobs have ended. They get their stop signals after this time. Nil means never.
    case wait(stopAfterMilliseconds: Int64?)
}

/// The end of a daemon that waits for its jobs. Process 1 of a container ends so, because its end kills all other processes.
///
/// Invariants, from the first signal on:
/// - Nothing new starts, not even another try. Due times are left to the next start, which treats them as missed.
/// - Files are taken in, requests are carried out, and ends are recorded as before.
/// - The daemon ends when no job runs here or in a daemon of a user. After the time of the rule, or at a second signal, all jobs get their
///   stop signals, and are killed after their `kill_after`. Their runs are recorded as they end. A signal after that ends the daemon at
///   once.
final class Drain: Part {
    private struct Wait {
        let since: Instant
        /// When the jobs get their stop signals: by the clock that counts, and by the one for people. Nil when the wait has no limit.
        let stopAt: (due: MonotonicInstant, told: Instant)?
        /// True when the jobs have been sent their stop signals.
        var isStopping = false
    }

    /// Nil while the daemon serves as usual.
    private var wait: Wait?
    private let rule: DrainRule
    private let gate: StartGate
    private let users: UserDaemons?
    private let notification: Notification
    private let service: SpoolService
    private let log: Log
    /// Called when the daemon has to end.
    var onEnd: () -> Void = {}

    init(
        _ rule: DrainRule, _ gate: StartGate, _ users: UserDaemons?, _ notification: Notification, _ service: SpoolService, _ log: Log
    ) {
        self.rule = rule
        self.gate = gate
        self.users = users
        self.notification = notification
        self.service = service
        self.log = log
    }

    /// False while the daemon serves as usual.
    var isUnderWay: Bool { wait != nil }

    // MARK: Orders to end

    /// Called for each signal that tells the daemon to end.
    func signaled(_ number: Int32) {
        let name = Signal.name(number)
        switch (wait?.isStopping, rule) {
        case (nil, .wait(let milliseconds)) where !isOver && number != SIGQUIT: begin(by: name, stopAfterMilliseconds: milliseconds)
        case (false?, _) where number != SIGQUIT: stopJobs(because: "spoold was told to end a second time")
        default:
            log.write(.notice, "stopping", at: service.now, ["signal": name])
            onEnd()
        }
    }

    /// Begins the wait in a daemon of a user, which root's daemon orders.
    func begin() { if !isUnderWay { begin(by: nil, stopAfterMilliseconds: nil) } }

    private func begin(by signal: String?, stopAfterMilliseconds milliseconds: Int64?) {
        let stopAt = milliseconds.map { wait in
            (due: MonotonicInstant.now().advanced(byMilliseconds: wait), told: service.now.advanced(byMilliseconds: wait))
        }
        wait = Wait(since: service.now, stopAt: stopAt)
        log.write(
            .notice, "draining", at: service.now,
            ["signal": signal, "running": "\(runningCount)", "stop_at": stopAt?.told.rfc3339])
        let limit = stopAt.map { ", and stops them at \($0.told.rfc3339)" } ?? ""
        gate.holdForEnd("spoold was told to end; it waits for its running jobs\(limit)")
        service.isEnding = true
        service.isPublishDue = true
        users?.drain()
        notification.send("STOPPING=1\nSTATUS=Waiting for running jobs\n")
    }

    /// Sends all jobs their stop signals.
    func stopJobs(because why: String) {
        guard wait?.isStopping != true else { return }
        wait = wait ?? Wait(since: service.now, stopAt: nil)
        wait?.isStopping = true
        gate.holdForEnd("spoold was told to end; it has asked its running jobs to end")
        service.isEnding = true
        service.isPublishDue = true
        log.write(.notice, "stopping-all", at: service.now, ["running": "\(runningCount)", "why": why])
        service.stopRunning("asked to end, because \(why)")
        users?.stopJobs()
    }

    // MARK: Waiting

    private var runningCount: Int { service.scheduler.runningHereCount + (users?.runningCount ?? 0) }

    private var isOver: Bool { service.scheduler.runningHereCount == 0 && users?.isDrained ?? true }

    private var stopBy: MonotonicInstant? { wait.flatMap { $0.isStopping ? nil : $0.stopAt?.due } }

    var wakeAt: Wake { Wake(monotonic: stopBy) }
    var isIdle: Bool { !isUnderWay }

    func beforeTurn() {
        guard let stopBy, stopBy <= .now() else { return }
        stopJobs(because: "the time that spoold waits for its jobs is over")
    }

    func afterTurn() { if isUnderWay, isOver { onEnd() } }

    /// Writes the member `draining` of `state/status.json`.
    func write(to writer: inout JSONWriter) {
        guard let wait else { return }
        writer.key("draining")
        writer.beginObject()
        writer.member("since", wait.since)
        writer.member("stop_at", wait.stopAt?.told)
        writer.endObject()
    }
}
