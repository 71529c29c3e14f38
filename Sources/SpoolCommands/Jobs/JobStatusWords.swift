import Store

extension JobStatus {
    /// The job's result, or its progress while it runs, or its state at an executor; nil when none is known.
    var outcome: String? {
        if state.isTerminal { return brief }
        guard state == .running else { return nil }
        return progress.map { "\($0.percent)%" } ?? remote?.phase.rawValue
    }

    /// The last lines that a failed run has written.
    var errorTailLines: [String] { errorTail?.split(separator: "\n").map(String.init) ?? [] }

    /// The running time of the last try; nil when it has not ended, or when its end is unknown.
    var ranMilliseconds: Int64? {
        if let usage { return usage.wallMilliseconds }
        guard let startedAt, let endedAt else { return nil }
        return endedAt.milliseconds - startedAt.milliseconds
    }

    /// The time that the last try took, or has been running.
    func tookMilliseconds(now: Instant) -> Int64? {
        usage?.wallMilliseconds ?? (state == .running ? startedAt.map { now.milliseconds - $0.milliseconds } : nil)
    }

    /// The exit code of `wait`: the job's own, or the code that says why there is none.
    var exitStatus: Int32 {
        switch reason {
        case .timeout: return ExitCode.timeout
        // 126 or 127 when the command itself could not be executed.
        case .spawn: return exitCode.map { Int32(truncatingIfNeeded: $0) } ?? ExitCode.neverRan
        case .rejected, .deadline, .lost, .dependency: return ExitCode.neverRan
        case .signal, .canceled, .replaced, .exit, .short, nil: break
        }
        if let signal { return ExitCode.signalBase + signal }
        guard let exitCode else { return state == .done ? ExitCode.done : ExitCode.neverRan }
        // A job whose `success` excludes 0 can fail with code 0; the exit code must not look like success.
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
