import Glibc
import Linux
import Scheduler
import Store

extension Daemon {
    /// Writes `state/status.json` when something changed: at once when the spool has come to rest, else once a second.
    func publishIfDue() {
        guard isPublishDue else { return }
        let isAtRest = scheduler.runningCount == 0 && arrivals.isEmpty
        guard isAtRest || now.milliseconds - publishedAt.milliseconds >= Self.publishMilliseconds
            || now < publishedAt
        else { return }
        publish(state: "running")
    }

    func publish(state: String) {
        isPublishDue = false
        publishedAt = now
        var writer = JSONWriter(reserving: 1024)
        writer.beginObject()
        writer.member("pid", Int(getpid()))
        writer.member("host", host)
        writer.member("version", options.version)
        writer.member("spool", options.spool)
        writer.member("state", isDegraded ? "degraded" : state)
        writer.member("started_at", startedAt)
        writer.member("at", now)
        writer.member("slots", configuration.slots)
        writer.member("running", scheduler.runningCount)
        writer.member("waiting", scheduler.jobs.count - scheduler.runningCount)
        writer.member("done", doneCount)
        writer.member("failed", failedCount)
        writer.member("tasks", scheduler.tasks.values.count { $0.definition != nil })
        let due = scheduler.nextDue()
        writer.member("next_due", due?.instant)
        writer.member("next_task", due?.task)
        writer.key("queues")
        writer.beginObject()
        let running = scheduler.runningByQueue
        for name in Set(running.keys).union(configuration.queueSlots.keys).sorted() {
            writer.key(name)
            writer.beginObject()
            writer.member("running", running[name] ?? 0)
            writer.member("slots", configuration.queueSlots[name] ?? configuration.slots)
            writer.endObject()
        }
        writer.endObject()
        writer.key("paused")
        writer.beginArray()
        for (scope, note) in scheduler.pauses.sorted(by: { $0.key.text < $1.key.text }) {
            writer.beginObject()
            writer.member("scope", scope.text)
            writer.member("note", note)
            writer.endObject()
        }
        writer.endArray()
        writer.member("held", held)
        writer.key("overdue")
        writer.beginArray()
        for one in scheduler.overdue {
            writer.beginObject()
            writer.member("task", one.task)
            writer.member("since", one.since)
            writer.endObject()
        }
        writer.endArray()
        writer.key("problems")
        writer.beginArray()
        func problem(_ file: String, _ message: String) {
            writer.beginObject()
            writer.member("file", file)
            writer.member("message", message)
            writer.endObject()
        }
        for (file, lines) in problems.sorted(by: { $0.key < $1.key }) {
            for line in lines { problem(file, line) }
        }
        for one in scheduler.unanswered {
            let file = "\(Layout.patterns)/\(one.program.key)"
            problem(file, "\(file) \(one.why) (for schedule \(one.schedule) of \(one.task)); it is asked again at \(one.again.rfc3339)")
        }
        writer.endArray()
        writer.endObject()
        do throws(SystemError) { try spool.fs.replace(Layout.daemonStatus, writer.bytes + [UInt8(ascii: "\n")]) } catch {
            // What is published is a convenience: the next change tries again.
            log.write(.warning, "not-published", at: now, ["error": "\(error)"])
        }
    }

    // MARK: Log

    func logRecord(_ record: Record, at: Instant) {
        switch record {
        case .accepted(let job):
            log.write(
                .info, "accepted", at: at,
                ["id": job.id.text, "file": job.file?.name, "path": job.paths.first, "task": job.task, "queue": job.definition.queue])
        case .rejected(let file):
            log.write(.warning, "rejected", at: at, ["id": file.id.text, "file": file.file, "error": file.error])
        case .withdrawn(let id): log.write(.notice, "withdrawn", at: at, ["id": id.text])
        case .started(let id, let attempt):
            log.write(.info, "started", at: at, ["id": id.text, "try": "\(attempt)"])
        case .stopping(let id, let why):
            log.write(.notice, "stopping-job", at: at, ["id": id.text, "why": why.rawValue])
        case .ended(let id, let ending):
            log.write(
                ending.state == .done ? .info : .warning, "ended", at: at,
                [
                    "id": id.text, "try": "\(ending.attempt)", "state": ending.state.rawValue,
                    "reason": ending.reason?.rawValue, "exit_code": ending.exitCode.map { "\($0)" },
                    "signal": ending.signal.map { "\($0)" }, "error": ending.error, "next": ending.notBefore?.rfc3339,
                ])
        case .defined(let file, _): log.write(.notice, "defined", at: at, ["file": file])
        case .undefined(let file): log.write(.notice, "removed", at: at, ["file": file])
        case .skipped(let due):
            log.write(
                .notice, "skipped", at: at,
                [
                    "task": due.task, "schedule": due.schedule, "from": due.from.rfc3339,
                    "through": due.through.rfc3339, "count": due.count.map { "\($0)" }, "why": due.reason.rawValue,
                    "path": due.file?.path,
                ])
        case .paused(let scope, let note): log.write(.notice, "paused", at: at, ["scope": scope.text, "note": note])
        case .resumed(let scope): log.write(.notice, "resumed", at: at, ["scope": scope.text])
        case .expecting(let task, let since, true):
            log.write(.error, "overdue", at: at, ["task": task, "since": since?.rfc3339])
        case .ran, .expecting, .filesSeen, .filesGone, .refused, .scheduled, .unscheduled, .answered, .daemonStarted, .daemonStopped, .recovered: break
        }
    }
}
