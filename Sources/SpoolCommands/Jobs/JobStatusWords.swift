import Store

extension JobStatus {
    /// How it ended, or how far it has come; nil when there is nothing to say.
    var outcome: String? {
        if state.isTerminal { return brief }
        return state == .running ? progress.map { "\($0.percent)%" } : nil
    }

    /// How long the last try ran; nil when it has not ended, or nobody knows when.
    var ranMilliseconds: Int64? {
        if let usage { return usage.wallMilliseconds }
        guard let startedAt, let endedAt else { return nil }
        return endedAt.milliseconds - startedAt.milliseconds
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

    var colour: Output.Colour? {
        switch state {
        case .new: nil
        case .running: .yellow
        case .done: .green
        case .failed: .red
        }
    }
}
