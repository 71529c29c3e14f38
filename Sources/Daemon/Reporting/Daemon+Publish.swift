import Glibc
import Linux
import Scheduler
import Store

extension Daemon {
    /// Writes `state/status.json` when something changed: at once when the spool has come to rest, else once a second.
    func publishIfDue() {
        guard service.isPublishDue else { return }
        let isAtRest = service.isAtRest
        guard isAtRest || now.milliseconds - publishedAt.milliseconds >= Self.publishMilliseconds
            || now < publishedAt
        else { return }
        publish(state: "running")
    }

    func publish(state: String) {
        service.isPublishDue = false
        publishedAt = now
        var writer = JSONWriter(reserving: 1024)
        writer.beginObject()
        let isResting = state == "resting"
        writer.member("pid", Int(isResting ? getppid() : getpid()))
        let began = isResting ? try? Linux.Process.startTime(getppid()) : nil  // root's daemon has ended: nobody serves the user
        writer.member("pid_start_time", began.map { Int(clamping: $0) })
        writer.member("host", host)
        writer.member("version", options.version)
        writer.member("spool", options.spool)
        writer.member("state", service.troubles.isEmpty || state != "running" ? state : "degraded")
        writer.member("started_at", startedAt)
        writer.member("at", now)
        writer.member("slots", configuration.slots)
        writer.member("granted", grantedSlots)
        writer.member("user_slots", link == nil ? nil : configuration.slotsOfOneUser)
        writer.member("running", scheduler.runningCount)
        writer.member("waiting", scheduler.jobs.count - scheduler.runningCount)
        writer.member("done", service.doneCount)
        writer.member("failed", service.failedCount)
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
        writer.key("configuration")
        publishedConfiguration.write(to: &writer)
        writer.member("held", heldByRoot ?? held)
        writer.key("troubles")
        writer.beginArray()
        for (kind, trouble) in service.troubles.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            writer.beginObject()
            writer.member("of", kind.rawValue)
            writer.member("since", trouble.since)
            writer.member("error", trouble.error)
            writer.member("effect", trouble.effect)
            writer.endObject()
        }
        writer.endArray()
        if isForEverybody {
            writer.key("users")
            writer.beginArray()
            for (name, one) in users.sorted(by: { $0.key < $1.key }) {
                writer.beginObject()
                writer.member("name", name)
                writer.member("pid", one.isRunning ? Int(one.pid) : nil)
                writer.member("resting", one.rest != nil && !one.isRunning)
                writer.member("running", one.running)
                writer.member("waiting", one.waiting)
                writer.member("slots", shares.limit(name))
                writer.endObject()
            }
            writer.endArray()
        }
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
        for (file, lines) in service.problems.sorted(by: { $0.key < $1.key }) {
            for line in lines { problem(file, line) }
        }
        for one in service.unplacedProblems { problem(one.file, one.message) }
        for one in scheduler.unanswered {
            let file = "\(Layout.patterns)/\(one.program.key)"
            problem(file, "\(file) \(one.why) (for schedule \(one.schedule) of \(one.task)); it is asked again at \(one.again.rfc3339)")
        }
        writer.endArray()
        writer.endObject()
        publish(writer.bytes + [UInt8(ascii: "\n")])
    }
}
