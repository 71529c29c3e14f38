import CLinux
import Glibc
import Linux
import WorkerProtocol

/// The run in progress: its command, its deadlines, and how far its end has come.
///
///     command runs ──limit or stop──> asked to end ──kill_after──> killing everything
///          └───────────────┴── command ended ──┴── everything gone, given up, or left ──> reported
struct Run {
    let request: RunRequest
    /// The command's process, and its session and process group. The number is safe to signal until the command is reaped.
    let pid: pid_t
    /// Milliseconds since the epoch.
    let startedAt: Int64
    private let startedNanoseconds = Clock.monotonicNanoseconds()

    /// When the limit strikes; nil when there is none or it has. Monotonic nanoseconds, as all below.
    private var limit: Int64?
    /// When everything is killed, after the command was asked to end.
    private var killAt: Int64?
    /// When to look again for what is being killed, and when to stop looking.
    private var retryAt: Int64?
    private var giveUpAt: Int64?
    /// When the daemon is told that the run has lasted a moment; nil once it has been.
    private var announceAt: Int64?
    private var outputLimit: OutputLimit?
    private(set) var hasTimedOut = false
    private var isKilling = false
    private var outcome: Outcome?

    private struct Outcome {
        var status: ExitStatus
        var usage: rusage
        var endedAt: Int64
        var wallNanoseconds: Int64
    }

    // Killing takes as long as the kernel needs to tear down what is killed. What is still there after this sits in an
    // uninterruptible sleep, and no signal helps.
    private static let giveUpAfterMilliseconds: Int64 = 5_000
    private static let retryAfterMilliseconds: Int64 = 10
    private static let announceAfterMilliseconds: Int64 = 50

    init(request: RunRequest, pid: pid_t, startedAt: Int64) {
        self.request = request
        self.pid = pid
        self.startedAt = startedAt
        announceAt = startedNanoseconds.advanced(milliseconds: Run.announceAfterMilliseconds)
        outputLimit = OutputLimit(request)
        if request.timeoutMilliseconds > 0 {
            limit = startedNanoseconds.advanced(milliseconds: request.timeoutMilliseconds)
        }
    }

    /// The next moment at which ``strike()`` has something to do.
    var deadline: Int64? { [limit, killAt, retryAt, announceAt, outputLimit?.nextLookAt].lazy.compactMap(\.self).min() }

    var isCommandEnded: Bool { outcome != nil }

    /// Whether what the command left running must go now.
    var killsEverything: Bool { isKilling || isCommandEnded && request.killsLeftovers }

    var hasGivenUp: Bool { giveUpAt.map { $0 <= Clock.monotonicNanoseconds() } ?? false }
}

// MARK: - Deadlines and commands

extension Run {
    /// Does what is due: the limit asks the command to end, the kill's deadline kills.
    mutating func strike() {
        let now = Clock.monotonicNanoseconds()
        if let limit, limit <= now {
            // Whoever moved it wrote that down; only now it matters.
            let extended = startedNanoseconds.advanced(milliseconds: request.timeoutMilliseconds)
                .advanced(milliseconds: Extension.milliseconds(inDirectory: request.jobDirectory))
            if extended > now {
                self.limit = extended
            } else {
                self.limit = nil
                hasTimedOut = true
                stop(killAfterMilliseconds: nil)
            }
        }
        if let killAt, killAt <= now {
            self.killAt = nil
            isKilling = true
            signalGroup(SIGKILL)
        }
        if let retryAt, retryAt <= now { self.retryAt = nil }
        if let outputLimit, outputLimit.nextLookAt <= now { self.outputLimit?.look() }
    }

    /// Whether it is time to tell the daemon of the run, which is done once and only while the command runs.
    mutating func takeAnnouncement() -> Bool {
        guard let announceAt, announceAt <= Clock.monotonicNanoseconds() || isCommandEnded else { return false }
        self.announceAt = nil
        return !isCommandEnded
    }

    /// Asks the command's group to end, and sets when everything is killed; never later than a stop before it said.
    mutating func stop(killAfterMilliseconds: Int64?) {
        if isKilling { return }
        // The limit has nothing more to do: the end has been ordered.
        limit = nil
        let wait = max(0, killAfterMilliseconds ?? request.killAfterMilliseconds)
        // Who is given no time is not asked either.
        if wait > 0 {
            signalGroup(request.stopSignal)
            // A stopped process gets no signal but this and SIGKILL.
            signalGroup(SIGCONT)
        }
        let new = Clock.monotonicNanoseconds().advanced(milliseconds: wait)
        killAt = min(killAt ?? .max, new)
    }

    func signal(_ number: Int32) { signalGroup(number) }

    // Only until the command is reaped: then the number may belong to somebody else. Errors are of no use here: the group is
    // gone, or the number is no signal.
    private func signalGroup(_ number: Int32) {
        if !isCommandEnded { kill(-pid, number) }
    }
}

// MARK: - Ending

extension Run {
    /// Kills the command's group as one, atomically, while the command's number is still its own, if all of it must go anyway.
    func killGroupBeforeReaping() {
        if isCommandEnded || !(isKilling || request.killsLeftovers) { return }
        if linux_has_ended(pid) == 1 { kill(-pid, SIGKILL) }
    }

    mutating func commandEnded(_ status: Int32, _ usage: rusage) {
        let exit: ExitStatus =
            if linux_wifsignaled(status) != 0 {
                .signaled(number: linux_wtermsig(status), coreDumped: linux_wcoredump(status) != 0)
            } else {
                .exited(code: linux_wexitstatus(status))
            }
        outcome = Outcome(
            status: exit, usage: usage, endedAt: Clock.now(),
            wallNanoseconds: Clock.monotonicNanoseconds() - startedNanoseconds)
        limit = nil
        // What remains after a stop that was obeyed is up to `leftovers`; after the limit it has until then.
        if !hasTimedOut { killAt = nil }
    }

    mutating func retryKilling() {
        let now = Clock.monotonicNanoseconds()
        killAt = nil
        retryAt = now.advanced(milliseconds: Run.retryAfterMilliseconds)
        if giveUpAt == nil { giveUpAt = now.advanced(milliseconds: Run.giveUpAfterMilliseconds) }
    }

    /// The report, once the command has ended; its output files are then as they stay.
    func end(leftovers: Int) -> RunEnd {
        outputLimit?.finish()
        guard let outcome else { preconditionFailure("a run is reported after its command ended") }
        let kind: RunEnd.Kind =
            switch outcome.status {
            case let status where hasTimedOut: .timedOut(status)
            case .exited(let code): .exited(code: code)
            case .signaled(let number, let coreDumped): .signaled(number: number, coreDumped: coreDumped)
            }
        return RunEnd(
            jobID: request.jobID, attempt: request.attempt, kind: kind, startedAt: startedAt, endedAt: outcome.endedAt,
            wallMilliseconds: outcome.wallNanoseconds / 1_000_000,
            userMilliseconds: milliseconds(outcome.usage.ru_utime), systemMilliseconds: milliseconds(outcome.usage.ru_stime),
            maxRSSBytes: Int64(outcome.usage.ru_maxrss) * 1024, leftovers: leftovers, pid: pid)
    }
}

private func milliseconds(_ time: timeval) -> Int64 { Int64(time.tv_sec) * 1000 + Int64(time.tv_usec) / 1000 }

extension Int64 {
    /// Nanoseconds later by milliseconds; the end of time where that is too far.
    fileprivate func advanced(milliseconds: Int64) -> Int64 {
        let (nanoseconds, isTooLong) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, isTooFar) = addingReportingOverflow(nanoseconds)
        return isTooLong || isTooFar ? .max : sum
    }
}
