import Store

extension JobStatus {
    /// How it ended, or how far it has come; nil when there is nothing to say.
    var outcome: String? {
        if state.isTerminal { return summary }
        return state == .running ? progress.map { "\($0.percent)%" } : nil
    }

    /// How long the last try took, or has been running.
    func tookMilliseconds(now: Instant) -> Int64? {
        usage?.wallMilliseconds ?? (state == .running ? startedAt.map { now.milliseconds - $0.milliseconds } : nil)
    }

    /// What `wait` exits with: the job's own code, or why there is none.
    var exitStatus: Int32 {
        switch reason {
        case .timeout: return ExitCode.timeout
        case .rejected, .deadline, .spawn, .lost, .dependency: return ExitCode.neverRan
        case .signal, .canceled, .replaced, .exit, nil: break
        }
        if let signal { return ExitCode.signalBase + signal }
        guard let exitCode else { return state == .done ? ExitCode.done : ExitCode.neverRan }
        // A job whose `success` does not hold 0 can fail with it; that must not look like success.
        if state == .failed, exitCode == 0 { return ExitCode.failed }
        return Int32(truncatingIfNeeded: exitCode)
    }

    /// `exit 3`, `done`, `new`.
    var summary: String { brief }

    var colour: Output.Colour? {
        switch state {
        case .new: nil
        case .running: .yellow
        case .done: .green
        case .failed: .red
        }
    }
}
