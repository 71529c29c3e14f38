import CLinux
import Glibc
import Linux
import WorkerProtocol

/// The run in progress: its command, its deadlines, and how far its end has come.
///
///     command runs ──limit, stop──> everything asked to end ──kill_after──> killing everything
///          │                                  ^        └─ all gone ─┐           │ all gone, or given up
///          └── command ended ── leftovers=kill┘                     v           v
///                         └──── nothing left, or leftovers=leave ───────> reported
///
/// Once the end was ordered, by the limit, a stop or `leftovers`, the run is reported when nothing that it started is there any more.
struct Run {
    let request: RunRequest
    /// The command's process, and its session and process group. The number is safe to signal until the command is reaped.
    let pid: pid_t
    /// Milliseconds since the epoch.
    let startedAt: Int64
    private let began = MonotonicInstant.now()

    /// When the limit strikes; nil when there is none or it has.
    private var limit: MonotonicInstant?
    /// How often it could not be read in vain whether the limit was moved, and how often that is tried again.
    private var unreadLooks = 0
    private static let unreadLooksMax = 60
    private static let unreadMilliseconds: Int64 = 1000
    /// When everything is killed, after it was asked to end.
    private var killAt: MonotonicInstant?
    /// When to look again for what is being killed, and when to stop looking.
    private var retryAt: MonotonicInstant?
    private var giveUpAt: MonotonicInstant?
    /// When the daemon is told that the run has lasted a moment; nil once it has been.
    private var announceAt: MonotonicInstant?
    private var outputLimit: OutputLimit?
    /// The standard input, where a command gives it while the run lasts.
    private let input: GivenInput?
    /// The input has broken off.
    private var isInputBroken = false
    private(set) var hasTimedOut = false
    /// All that the run started is to end.
    private var isEnding = false
    /// It has not been asked to yet.
    private var mustAsk = false
    /// Whether the command's group was asked, and each process that was, so that none is asked twice.
    private var hasAskedGroup = false
    private var asked: Set<ProcessID> = []
    private(set) var isKilling = false
    private var outcome: Outcome?

    /// One process for ever: its number, and when it started.
    private struct ProcessID: Hashable {
        var pid: pid_t
        var startTime: UInt64
    }

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

    init(request: RunRequest, pid: pid_t, startedAt: Int64, input: GivenInput? = nil) {
        self.input = input
        self.request = request
        self.pid = pid
        self.startedAt = startedAt
        announceAt = began.advanced(byMilliseconds: Run.announceAfterMilliseconds)
        outputLimit = OutputLimit(request)
        if request.timeoutMilliseconds > 0 {
            limit = began.advanced(byMilliseconds: request.timeoutMilliseconds)
        }
    }

    /// The next moment at which ``strike()`` has something to do.
    var deadline: MonotonicInstant? {
        [limit, killAt, retryAt, announceAt, outputLimit?.nextLookAt, inputLookAt].lazy.compactMap(\.self).min()
    }

    var isCommandEnded: Bool { outcome != nil }

    /// Whether what the command left running must end, too, now that it has ended.
    var endsLeftovers: Bool { isEnding || request.killsLeftovers }

    var hasGivenUp: Bool { giveUpAt.map { $0 <= .now() } ?? false }
}

// MARK: - Deadlines and commands

extension Run {
    /// Does what is due: the limit orders the end, the kill's deadline kills.
    mutating func strike() {
        let now = MonotonicInstant.now()
        if let limit, limit <= now {
            // Whoever moved it wrote that down; only now it matters.
            let extended = began.advanced(byMilliseconds: request.timeoutMilliseconds)
            let moved = Extension.milliseconds(inDirectory: request.jobDirectory)
            if moved == nil, unreadLooks < Self.unreadLooksMax {
                unreadLooks += 1
                self.limit = now.advanced(byMilliseconds: Self.unreadMilliseconds)
            } else if case let extended = extended.advanced(byMilliseconds: moved ?? 0), extended > now {
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
        if let inputLookAt, inputLookAt <= now { lookAtInput() }
    }

    /// Readable when something has happened to the input; -1 where nothing can.
    var inputEvents: Int32 { isCommandEnded || isInputBroken ? -1 : input?.raw ?? -1 }

    private var inputLookAt: MonotonicInstant? { isCommandEnded || isInputBroken ? nil : input?.lookAt }

    /// Looks what became of the input: when it breaks off, everything is to end.
    mutating func lookAtInput() {
        guard !isCommandEnded, !isInputBroken, input?.look() == .broken else { return }
        isInputBroken = true
        stop(killAfterMilliseconds: nil)
    }

    /// Whether it is time to tell the daemon of the run, which is done once and only while the command runs.
    mutating func takeAnnouncement() -> Bool {
        guard let announceAt, announceAt <= .now() || isCommandEnded else { return false }
        self.announceAt = nil
        return !isCommandEnded
    }

    /// Orders the end of everything, which is to be asked for now and is enforced after so long; nil is the run's own `kill_after`. A later
    /// order asks nobody again, and may only shorten the time.
    mutating func stop(killAfterMilliseconds: Int64?) {
        if isKilling { return }
        // The limit has nothing more to do: the end has been ordered.
        limit = nil
        let wait = max(0, killAfterMilliseconds ?? request.killAfterMilliseconds)
        // Who is given no time is not asked either.
        if wait > 0 && !isEnding { mustAsk = true }
        isEnding = true
        let end = MonotonicInstant.now().advanced(byMilliseconds: wait)
        killAt = min(killAt ?? end, end)
    }

    /// The command has ended and left something: that is to end, too.
    mutating func stopLeftovers() { if !isEnding { stop(killAfterMilliseconds: nil) } }

    /// Whether it is time to ask everything to end, which is done once.
    mutating func takeAsking() -> Bool {
        defer { mustAsk = false }
        return mustAsk
    }

    /// Asks the command's group to end, and each of these that is not in it; each process once. `processes` were looked up just before.
    mutating func ask(_ processes: [ProcessStatus]) {
        let asksGroup = !isCommandEnded && !hasAskedGroup
        for process in processes where asked.insert(ProcessID(pid: process.pid, startTime: process.startTime)).inserted {
            if asksGroup && process.processGroup == pid { continue }
            process.signal(request.stopSignal)
            // A stopped process gets no signal but this and SIGKILL.
            process.signal(SIGCONT)
        }
        guard asksGroup else { return }
        hasAskedGroup = true
        signalGroup(request.stopSignal)
        signalGroup(SIGCONT)
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
    /// Kills the command's group as one, atomically, while the command's number is still its own, if everything is being killed.
    func killGroupBeforeReaping() {
        if isCommandEnded || !isKilling { return }
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
            wallNanoseconds: MonotonicInstant.now().nanoseconds(since: began))
        limit = nil
    }

    mutating func retryKilling() {
        let now = MonotonicInstant.now()
        killAt = nil
        retryAt = now.advanced(byMilliseconds: Run.retryAfterMilliseconds)
        if giveUpAt == nil { giveUpAt = now.advanced(byMilliseconds: Run.giveUpAfterMilliseconds) }
    }

    /// Cuts what is too large of the output, once the command has ended. Returns what must be cut later.
    func finishOutput() -> [LaterCut] { outputLimit?.finish() ?? [] }

    /// The report, once the command has ended.
    func end(leftovers: Int) -> RunEnd {
        guard let outcome else { preconditionFailure("a run is reported after its command ended") }
        let kind: RunEnd.Kind =
            switch outcome.status {
            case let status where hasTimedOut: .timedOut(status)
            case let status where isInputBroken: .inputBroke(status)
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
