import Store

/// Sentences that say what became of a due time.
struct VerdictText {
    let wording: Wording

    /// The files of a due time of `on_path`; empty for any other due time.
    func files(_ verdict: DueVerdict) -> String {
        guard let first = verdict.paths.first else { return "" }
        return verdict.paths.count == 1 ? first : "\(first) and \(verdict.paths.count - 1) more"
    }

    /// The result of a due time, as the predicate of a sentence whose subject is the due time.
    func predicate(_ verdict: DueVerdict) -> String {
        let job = verdict.job?.id ?? "?"
        switch verdict.outcome {
        case .ran, .late:
            let late = verdict.lateMilliseconds ?? 0
            let text = verdict.outcome == .ran ? "ran as job \(job)" : "ran \(TimeText.length(late)) late as job \(job)\(delay(verdict))"
            return "\(text); it \(verdict.job?.ending.map { Self.outcome($0.1) } ?? "has not ended")"
        case .merged:
            let later = verdict.job.map { "job \($0.id), due \(wording.instant($0.due))," } ?? "a later run"
            return "was missed\(because(verdict.downtime)); \(later) made up for it"
        case .skipped: return skipped(verdict, job)
        case .lost: return "ran as job \(job), which is lost: \(verdict.job?.ending?.1.error ?? "how it ended was not recorded")"
        case .waiting:
            let down = verdict.downtime.flatMap { $0.to == nil ? $0 : nil }
            let reason = down.map { ": \(wording.downtime($0))" } ?? "; spoolctl why \(job) tells for what"
            return "became job \(job), which waits\(reason)"
        case .running:
            let late = verdict.lateMilliseconds ?? 0
            let began = late > Scheduler.missedAfterMilliseconds ? "began \(TimeText.length(late)) late" : "began"
            return "\(began) as job \(job)\(delay(verdict)), and has not ended"
        case .pending:
            guard let down = verdict.downtime else { return "is being handled" }
            return "has not been handled: \(wording.downtime(down))"
        case .coming:
            let pause = verdict.pause.map { ", but \(wording.pause($0.scope, note: $0.note)) is paused" } ?? ""
            return "is to come\(pause)\(verdict.downtime.map { ", but \(wording.downtime($0))" } ?? "")"
        case .none: return absence(verdict)
        case .unknown:
            return verdict.why == .forgotten ? "is before the oldest record of the journal" : "is not accounted for in the journal"
        }
    }

    /// `succeeded after 12.0s`, `failed: exit 3 after 2.0s`, `was canceled while it ran`.
    static func outcome(_ ending: Ending) -> String {
        let after = ending.usage.map { " after \(TimeText.length($0.wallMilliseconds))" } ?? ""
        if ending.state == .done { return "succeeded\(after)" }
        if ending.state == .new { return "failed (\(ending.error ?? "unknown reason")) and is to be tried again" }
        switch ending.reason {
        case .exit: return "failed: exit \(ending.exitCode.map(String.init) ?? "?")\(after)"
        case .signal: return "failed: ended by \(ending.signal.map { Signal.name($0) } ?? "a signal")\(after)"
        case .timeout: return "failed: it ran longer than its timeout\(after)"
        case .canceled: return "was \(ending.error ?? "canceled")"
        case .replaced: return "was \(ending.error ?? "replaced by a newer run")"
        default: return "failed: \(ending.error ?? ending.reason?.rawValue ?? "unknown reason")"
        }
    }

    private func because(_ down: Downtime?) -> String { down.map { ", as \(wording.downtime($0))" } ?? "" }

    /// Why a run was late.
    private func delay(_ verdict: DueVerdict) -> String {
        guard verdict.outcome == .late || (verdict.lateMilliseconds ?? 0) > Scheduler.missedAfterMilliseconds else { return "" }
        if let job = verdict.job, job.wasDropped { return ", asked for at \(wording.instant(job.acceptedAt))" }
        if let down = verdict.downtime { return ": \(wording.downtime(down))" }
        if let pause = verdict.pause {
            return ": \(wording.pause(pause.scope, note: pause.note)) was paused \(wording.span(pause.from, pause.to))"
        }
        if let other = verdict.other { return ": run \(other.id) had not ended" }
        if let job = verdict.job, job.acceptedAt.milliseconds - job.due.milliseconds > Scheduler.missedAfterMilliseconds {
            return ": the machine slept, or its clock was set"
        }
        return ": all slots were taken"
    }

    private func skipped(_ verdict: DueVerdict, _ job: String) -> String {
        switch verdict.why {
        case .overlap:
            guard let other = verdict.other else { return "was skipped: an earlier run had not ended" }
            let since =
                other.startedAt.map { "running since \(wording.instant($0))" } ?? "waiting since \(wording.instant(other.acceptedAt))"
            return "was skipped: run \(other.id), \(since), had not ended"
        case .missed: return "was missed\(because(verdict.downtime)), and its schedule does not catch it up"
        case .paused:
            guard let pause = verdict.pause else { return "was skipped: the task was paused" }
            return "was skipped: \(wording.pause(pause.scope, note: pause.note)) was paused \(wording.span(pause.from, pause.to))"
        case .unusable: return "was skipped: the task could not be made into a job"
        case .disabled: return "was skipped: its schedule is disabled"
        case .deadline:
            let why = verdict.downtime.map { ": \(wording.downtime($0))" } ?? verdict.other.map { ": run \($0.id) had not ended" } ?? ""
            let pause = verdict.pause.map { ": \(wording.pause($0.scope, note: $0.note)) was paused" }
            return "became job \(job), which had not started by its deadline\(pause ?? why)"
        case .withdrawn: return "became job \(job), whose file was removed from new/"
        case .replaced: return "became job \(job), which a newer run replaced before it began"
        default: return "became job \(job), which was canceled before it ran"
        }
    }

    private func absence(_ verdict: DueVerdict) -> String {
        let at = verdict.at.map { wording.instant($0) } ?? "?"
        switch verdict.why {
        case .later where verdict.at == nil: return "no spoold has accepted its schedule yet"
        case .later: return "the schedule counts from \(at), when it was accepted or last changed"
        case .removed: return "the schedule was removed at \(at)"
        case .notBefore: return "the schedule's not_before is \(at)"
        case .notAfter: return "the schedule's not_after is \(at)"
        default: return "there was no such schedule"
        }
    }

    // MARK: JSON

    /// The members of a JSON object that says what became of a due time.
    func write(_ verdict: DueVerdict, to writer: inout JSONWriter) {
        let job = verdict.job
        writer.member("due", verdict.due)
        writer.member("through", verdict.through)
        writer.member("count", verdict.count)
        writer.member("schedule", verdict.schedule)
        writer.member("outcome", verdict.outcome.rawValue)
        writer.member("why", verdict.why?.rawValue)
        writer.member("text", predicate(verdict))
        writer.member("note", verdict.note)
        writer.member("paths", texts: verdict.paths)
        writer.member("job", job?.id)
        writer.member("state", job?.ending?.1.state.rawValue)
        writer.member("reason", job?.ending?.1.reason?.rawValue)
        writer.member("exit_code", job?.ending?.1.exitCode)
        writer.member("started_at", job?.startedAt)
        writer.member("ended_at", job.flatMap { $0.hasEnded ? $0.ending?.at : nil })
        writer.member("late_ms", verdict.lateMilliseconds.map { Int($0) })
        writer.member("down_from", verdict.downtime?.from)
        writer.member("down_to", verdict.downtime?.to)
        writer.member("pause", verdict.pause?.scope.text)
        writer.member("pause_note", verdict.pause?.note)
        writer.member("other_job", verdict.other?.id)
        writer.member("at", verdict.at)
    }
}
