import Scheduler

extension Log {
    /// Writes a line for a record, if the record is one that people look for in the log. `job` finds the job that a record names.
    func write(_ record: Record, at: Instant, job: (JobID) -> Job? = { _ in nil }) {
        func subject(_ id: JobID) -> LogSubject? { takesSubjects ? job(id).map(LogSubject.init) : nil }
        switch record {
        case .accepted(let job):
            write(
                .info, "accepted", at: at,
                ["id": job.id.text, "file": job.file?.name, "path": job.paths.first, "task": job.task, "queue": job.definition.queue],
                about: takesSubjects ? LogSubject(job) : nil)
        case .rejected(let file):
            write(.warning, "rejected", at: at, ["id": file.id.text, "file": file.file, "error": file.error])
        case .withdrawn(let id): write(.notice, "withdrawn", at: at, ["id": id.text], about: subject(id))
        case .started(let id, let attempt):
            write(.info, "started", at: at, ["id": id.text, "try": "\(attempt)"], about: subject(id))
        case .submitted(let id, let attempt, let handle):
            // Each run is submitted once, and that is nothing to tell before it was done.
            if handle == nil, job(id)?.recorded.submissions == 1 { return }
            write(
                handle == nil ? .warning : .info, handle == nil ? "submission-lost" : "submitted", at: at,
                ["id": id.text, "try": "\(attempt)", "handle": handle], about: subject(id))
        case .stopping(let id, let why):
            write(.notice, "stopping-job", at: at, ["id": id.text, "why": why.rawValue], about: subject(id))
        case .ended(let id, let ending):
            write(
                ending.state == .done ? .info : .warning, "ended", at: at,
                [
                    "id": id.text, "try": "\(ending.attempt)", "state": ending.state.rawValue,
                    "reason": ending.reason?.rawValue, "exit_code": ending.exitCode.map { "\($0)" },
                    "signal": ending.signal.map { "\($0)" }, "error": ending.error, "next": ending.notBefore?.rfc3339,
                ], about: subject(id))
        case .moved(let id, let moved): write(.warning, "moved", at: at, ["id": id.text, "text": moved], about: subject(id))
        case .defined(let file, _): write(.notice, "defined", at: at, ["file": file])
        case .undefined(let file): write(.notice, "removed", at: at, ["file": file])
        case .skipped(let due):
            write(
                .notice, "skipped", at: at,
                [
                    "task": due.task, "schedule": due.schedule, "from": due.from.rfc3339,
                    "through": due.through.rfc3339, "count": due.count.map { "\($0)" }, "why": due.reason.rawValue,
                    "path": due.file?.path,
                ])
        case .paused(let scope, let note): write(.notice, "paused", at: at, ["scope": scope.text, "note": note])
        case .resumed(let scope): write(.notice, "resumed", at: at, ["scope": scope.text])
        case .expecting(let task, let since, true):
            write(.error, "overdue", at: at, ["task": task, "since": since?.rfc3339])
        case .announced(let id, .slow): write(.warning, "slow", at: at, ["id": id.text], about: subject(id))
        case .announced, .failing,
            .requested, .retried, .remarked, .followed, .ran, .counted, .expecting, .filesSeen, .filesGone, .refused, .scheduled,
            .unscheduled, .answered, .settled, .stamped, .daemonStarted, .daemonStopped, .recovered, .repaired:
            break
        }
    }
}
