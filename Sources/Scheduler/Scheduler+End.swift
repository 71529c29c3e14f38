// The end of a try and its consequence: success, another try, or failure with its reason.

extension Scheduler {
    func end(_ id: JobID, attempt: Int, _ run: RunResult, at now: Instant) {
        // The try's end is recorded already: the worker's message and its record can both arrive.
        guard let job = jobs[id], job.state == .running, job.attempt == attempt else { return }
        var ending = Ending(attempt: attempt, state: .failed, reason: nil)
        ending.startedAt = run.startedAt
        ending.usage = run.usage
        ending.pid = run.pid
        ending.hasOutput = run.hasOutput
        var kind = RetryRule.Kind.lost
        var mayTryAgain = true
        switch run.outcome {
        case .exited(let code):
            ending.exitCode = code
            kind = .exit
            if job.definition.success.contains(code), let short = Self.shortness(of: run, job) {
                ending.reason = .short
                ending.error = short
                kind = .short
            } else if job.definition.success.contains(code) {
                ending.state = .done
            } else {
                ending.reason = .exit
                ending.error = "exited with \(code)"
            }
        case .signaled(let signal, let coreDumped):
            ending.signal = signal
            ending.reason = .signal
            ending.error = "ended by \(Signal.name(signal))\(coreDumped ? ", core dumped" : "")"
            kind = .signal
        case .timedOut(let code, let signal):
            ending.exitCode = code
            ending.signal = signal
            ending.reason = .timeout
            ending.error = "ran longer than its timeout"
            kind = .timeout
        case .inputBroke(let code, let signal):
            ending.exitCode = code
            ending.signal = signal
            ending.reason = signal == nil ? .exit : .signal
            ending.error = "its standard input broke off: the spoolctl submit -w that gave it ended before the end of the input"
            kind = signal == nil ? .exit : .signal
        case .notSpawned(let why, let code):
            ending.exitCode = code
            ending.reason = .spawn
            ending.error = why
            kind = .spawn
        case .neverBegan:
            if let before = job.tryBefore.first { ending = before.ending }
            ending.attempt = attempt - 1
            ending.state = job.stopping == nil ? .new : .failed
            ending.notBefore = min(job.notBefore, now)
            kind = .spawn
        case .lost(let why):
            ending.reason = .lost
            ending.error = why
            kind = .lost
        case .leftBehind:
            ending.reason = .lost
            ending.error = "it ran in the spool that this one is a copy of"
            mayTryAgain = false
        }
        if let cause = run.cause, let error = ending.error { ending.error = "\(error): \(cause)" }
        switch job.stopping {
        case .canceled:
            ending.state = .failed
            ending.reason = .canceled
            ending.error = ending.attempt < attempt ? Self.sentence("canceled", ending, of: job) : "canceled while it ran"
        case .replaced:
            ending.state = .failed
            ending.reason = .replaced
            ending.error = ending.attempt < attempt ? Self.sentence("replaced by a newer run", ending, of: job) : "replaced by a newer run"
        case .killed where ending.attempt < attempt:
            ending.reason = .canceled
            ending.error = Self.sentence("killed", ending, of: job)
        case .killed, nil: break
        }
        if mayTryAgain, ending.state == .failed, job.stopping == nil, triesAgain(job, kind, exitCode: ending.exitCode) {
            ending.state = .new
            let seed = stableHash("\(id.text)\u{0}\(attempt)")
            // The clock may have been set back since.
            ending.notBefore = min(run.endedAt, now).advanced(
                byMilliseconds: job.definition.backoff.milliseconds(afterTry: attempt, seed: seed))
        }
        if ending.state == .failed, ending.reason?.isOfRun == true { ending.errorTail = run.errorTail }
        commit(.ended(id, ending), at: run.endedAt)
        if job.state == .failed, job.definition.pausesOnFailure { pause(after: job, at: now) }
    }

    /// `min_run`: the sentence about a try that ended too soon. Nil when it ran long enough.
    private static func shortness(of run: RunResult, _ job: Job) -> String? {
        guard let least = job.definition.notices?.minRunMilliseconds, let started = run.startedAt ?? job.startedAt else { return nil }
        // The worker measures with a clock that nobody sets.
        let ran = run.usage?.wallMilliseconds ?? max(0, run.endedAt.milliseconds - started.milliseconds)
        guard ran < least else { return nil }
        return "ended after \(Span(milliseconds: ran)), before its min_run of \(Span(milliseconds: least))"
    }

    /// `pause_on_failure`: the task is paused because its last try failed.
    private func pause(after job: Job, at now: Instant) {
        guard let name = job.task, let reason = job.reason, ![.canceled, .replaced].contains(reason), pauses[.task(name)] == nil
        else { return }
        turn.pauses.append((.task(name), job.id.text))
        commit(.paused(.task(name), note: job.id.text), at: now)
    }

    private func triesAgain(_ job: Job, _ kind: RetryRule.Kind, exitCode: Int?) -> Bool {
        if kind == .lost, job.definition.onCrash == .retry { return true }
        guard job.attempt - job.forgivenTries < job.definition.tries else { return false }
        return job.definition.retryOn.includes(kind, exitCode: exitCode)
    }
}
