import CLinux
import Glibc
import Linux
import WorkerProtocol

/// The current run: its command, its deadlines, and how far its end has progressed.
///
///     command runs ──limit, stop──> everything asked to end ──kill_after──> killing everything
///          │                                  ^        └─ all gone ─┐           │ all gone, or given up
///          └── command ended ── leftovers=kill┘                     v           v
///                         └──── nothing left, or leftovers=leave ───────> reported
///
/// Once the limit, a stop or `leftovers` has ordered the end, the run is reported when all its processes are gone.
struct Run {
    let request: RunRequest
    /// The pid of the command, which is also its session and process group. It is safe to signal until the command is reaped.
    let pid: pid_t
    /// Milliseconds since the epoch.
    let startedAt: Int64
    private let began = MonotonicInstant.now()

    /// The time of the limit. Nil when there is none or it has expired.
    private var limit: MonotonicInstant?
    /// Counts the failed attempts to read whether the limit was moved, and limits their number.
    private var unreadLooks = 0
    private static let unreadLooksMax = 60
    private static let unreadMilliseconds: Int64 = 1000
    /// The time at which all processes are killed, after they were asked to end.
    private var killAt: MonotonicInstant?
    /// The next time to check for processes that are being killed, and the time to give up.
    private var retryAt: MonotonicInstant?
    private var giveUpAt: MonotonicInstant?
    /// The time at which the worker announces the run to the daemon. Nil once it has.
    private var announceAt: MonotonicInstant?
    private var outputLimit: OutputLimit?
    /// The readers of the output besides its files.
    let outputSenders: [OutputSender]
    /// The standard input, if another command gives it during the run.
    private let input: GivenInput?
    /// The input ended before its giver had given all of it.
    private var isInputBroken = false
    private(set) var hasTimedOut = false
    /// All processes of the run must end.
    private var isEnding = false
    /// The processes have not been asked to end yet.
    private var mustAsk = false
    /// Remembers whether the command's group was asked, and each single process that was, so that none is asked twice.
    private var hasAskedGroup = false
    private var asked: Set<ProcessID> = []
    private(set) var isKilling = false
    private var outcome: Outcome?

    /// Identifies one process for ever: its pid and its start time.
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

    // The kernel needs some time to tear down killed processes. A process that still exists after this time is in an
    // uninterruptible sleep, and no signal ends it.
    private static let giveUpAfterMilliseconds: Int64 = 5_000
    private static let retryAfterMilliseconds: Int64 = 10
    private static let announceAfterMilliseconds: Int64 = 50

    init(request: RunRequest, pid: pid_t, startedAt: Int64, input: GivenInput? = nil, output: DaemonOutput) {
        self.input = input
        self.request = request
        self.pid = pid
        self.startedAt = startedAt
        announceAt = began.advanced(byMilliseconds: Run.announceAfterMilliseconds)
        outputLimit = OutputLimit(request)
        var readers: [any OutputReader] = []
        if let journal = request.journal { readers.append(JournalReader(journal)) }
        if request.reportsOutput { readers.append(DaemonReader(output, request)) }
        outputSenders = readers.map { OutputSender(request, to: $0) }
        if request.timeoutMilliseconds > 0 {
            limit = began.advanced(byMilliseconds: request.timeoutMilliseconds)
        }
    }

    /// The next moment at which ``strike()`` has something to do.
    var deadline: MonotonicInstant? {
        let least = [limit, killAt, retryAt, announceAt, outputLimit?.nextLookAt, inputLookAt].lazy.compactMap(\.self).min()
        return outputSenders.reduce(least) { least, sender in least.map { min($0, sender.nextLookAt) } ?? sender.nextLookAt }
    }

    var isCommandEnded: Bool { outcome != nil }

    /// True when the processes that the ended command left running must end too.
    var endsLeftovers: Bool { isEnding || request.killsLeftovers }

    var hasGivenUp: Bool { giveUpAt.map { $0 <= .now() } ?? false }
}

// MARK: - Deadlines and commands

extension Run {
    /// Does what is due: the limit orders the end, and the kill deadline kills.
    mutating func strike() {
        let now = MonotonicInstant.now()
        if let limit, limit <= now {
            // The limit may have been moved by a line in a file. The file is only read now.
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
        // Before a part of the output is given back.
        for sender in outputSenders where sender.nextLookAt <= now { sender.look() }
        if let outputLimit, outputLimit.nextLookAt <= now { self.outputLimit?.look() }
        if let inputLookAt, inputLookAt <= now { lookAtInput() }
    }

    /// Reads whether the limit was moved, or begun, before it has come.
    mutating func lookAtLimit() {
        // An ordered end has no limit any more.
        guard !isEnding, !hasTimedOut, let moved = Extension.milliseconds(inDirectory: request.jobDirectory) else { return }
        let length = request.timeoutMilliseconds + moved
        if length > 0 { limit = began.advanced(byMilliseconds: length) }
    }

    /// A descriptor that becomes readable when the input changes. -1 when there is no such input.
    var inputEvents: Int32 { isCommandEnded || isInputBroken ? -1 : input?.raw ?? -1 }

    private var inputLookAt: MonotonicInstant? { isCommandEnded || isInputBroken ? nil : input?.lookAt }

    /// Checks the input. When the input has broken off, all processes must end.
    mutating func lookAtInput() {
        guard !isCommandEnded, !isInputBroken, input?.look() == .broken else { return }
        isInputBroken = true
        stop(killAfterMilliseconds: nil)
    }

    /// True when the run must be announced to the daemon. This happens once, and only while the command runs.
    mutating func takeAnnouncement() -> Bool {
        guard let announceAt, announceAt <= .now() || isCommandEnded else { return false }
        self.announceAt = nil
        return !isCommandEnded
    }

    /// Orders the end of all processes. They are asked now and killed after this time. Nil means the run's own `kill_after`. A
    /// later order asks no process again, and can only shorten the time.
    mutating func stop(killAfterMilliseconds: Int64?) {
        if isKilling { return }
        // The end has been ordered, so the limit has no further effect.
        limit = nil
        let wait = max(0, killAfterMilliseconds ?? request.killAfterMilliseconds)
        // Processes that get no time are killed without being asked.
        if wait > 0 && !isEnding { mustAsk = true }
        isEnding = true
        let end = MonotonicInstant.now().advanced(byMilliseconds: wait)
        killAt = min(killAt ?? end, end)
    }

    /// The command has ended and left processes, which must end too.
    mutating func stopLeftovers() { if !isEnding { stop(killAfterMilliseconds: nil) } }

    /// True when all processes must be asked to end. This happens once.
    mutating func takeAsking() -> Bool {
        defer { mustAsk = false }
        return mustAsk
    }

    /// Asks the command's group to end, and each of these processes that is not in the group. No process is asked twice.
    /// `processes` must be fresh.
    mutating func ask(_ processes: [ProcessStatus]) {
        let asksGroup = !isCommandEnded && !hasAskedGroup
        for process in processes where asked.insert(ProcessID(pid: process.pid, startTime: process.startTime)).inserted {
            if asksGroup && process.processGroup == pid { continue }
            process.signal(request.stopSignal)
            // A stopped process receives no signal but this one and SIGKILL.
            process.signal(SIGCONT)
        }
        guard asksGroup else { return }
        hasAskedGroup = true
        signalGroup(request.stopSignal)
        signalGroup(SIGCONT)
    }

    func signal(_ number: Int32) { signalGroup(number) }

    // Only until the command is reaped: afterwards the number may belong to another process. Errors need no handling: the group
    // is gone, or the number is not a signal.
    private func signalGroup(_ number: Int32) {
        if !isCommandEnded { kill(-pid, number) }
    }
}

// MARK: - Ending

extension Run {
    /// Kills the command's group atomically if all processes must be killed. The command's pid is still its own.
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

    /// Sends what the readers of the output take now, and cuts the output files that are too large, once the command has ended. Returns the
    /// cuts that must be made later.
    func finishOutput() -> [LaterCut] {
        for sender in outputSenders { sender.commandEnded() }
        return outputLimit?.finish() ?? []
    }

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
