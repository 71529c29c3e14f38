import Store

/// The state that `top` shows, printed once without a screen.
struct TopReport {
    private let session: Session
    private let snapshot: Snapshot
    private let waiting: [Snapshot.Waiting]
    private let running: [Snapshot.Running]
    private let ended: [JobStatus]

    init(_ session: Session, _ snapshot: Snapshot) {
        self.session = session
        self.snapshot = snapshot
        running = snapshot.running.sorted { $0.status.id < $1.status.id }
        waiting = snapshot.waiting.sorted { $0.status.id < $1.status.id }
        ended = snapshot.ended.sorted { ($0.endedAt ?? $0.changedAt, $0.id) > ($1.endedAt ?? $1.changedAt, $1.id) }
    }

    func write() {
        if session.isJSON {
            writeJSON()
        } else if session.isQuiet {
            for status in running.map(\.status) + waiting.map(\.status) { session.output.line(status.id) }
        } else {
            writeText()
        }
    }

    private var minute: EndRates.Count { snapshot.rates.count(seconds: EndRates.minuteSeconds, now: snapshot.now) }
    /// The mark after a count that may be too small.
    private var least: String { snapshot.ratesAreLeast ? "+" : "" }
    private var hour: EndRates.Count { snapshot.rates.count(seconds: EndRates.hourSeconds, now: snapshot.now) }

    // MARK: Text

    private func writeText() {
        var table = TextTable()
        let daemon = snapshot.daemon
        if let pid = daemon.pid {
            table.add([
                .init("spoold", .dim), .init("up", .green), .init("pid \(pid) on \(daemon.host)"),
                .init("since \(session.time(daemon.since))"),
            ])
        } else {
            table.add([.init("spoold", .dim), .init("is not running", .red), .init("last seen"), .init(session.time(daemon.since))])
        }
        for (queue, used, slots) in snapshot.slots {
            table.add([
                .init(queue == nil ? "slots" : "queue", .dim), .init(queue ?? "all"), .init("\(used) of \(slots)"),
                .init("\(max(0, slots - used)) free"),
            ])
        }
        table.add([.init("count", .dim), .init("running"), .init(String(snapshot.runningCount))])
        table.add([.init("count", .dim), .init("waiting"), .init(String(snapshot.waitingCount))])
        for (name, count) in [("minute", minute), ("hour", hour)] {
            table.add([.init("rate", .dim), .init(name), .init("\(count.ended)\(least) ended"), .init("\(count.failed)\(least) failed")])
        }
        for pause in snapshot.pauses {
            table.add([.init("paused", .yellow), .init(pause.scope.spoken(of: pause.owner)), .init(pause.note)])
        }
        if let held = snapshot.surroundings.held { table.add([.init("held", .yellow), .init("nothing starts: \(held)")]) }
        for task in daemon.overdue { table.add([.init("overdue", .red), .init(task)]) }
        for one in running {
            let status = one.status
            table.add([
                .init("running", .dim), .init(status.id),
                .init(TimeText.clock(max(0, snapshot.now.milliseconds - one.startedAt.milliseconds))),
                .init(one.timeoutMilliseconds.map { TimeText.length($0) } ?? "-"), .init(status.progress.map { "\($0.percent)%" } ?? "-"),
                .init(status.progress?.message ?? "-"),
            ])
        }
        for one in waiting {
            let holds = snapshot.holds(on: one).map { $0.brief(one.status, now: snapshot.now) }
            table.add([
                .init("waiting", .dim), .init(one.status.id), .init(one.status.queue), .init(String(one.status.priority)),
                .init(holds.isEmpty ? "about to start" : holds.joined(separator: "; ")),
            ])
        }
        for due in snapshot.due {
            table.add([.init("due", .dim), .init(due.task), .init(session.time(due.instant)), .init(due.note ?? "-")])
        }
        for status in ended {
            table.add([
                .init("ended", .dim), .init(status.id), .init(session.time(status.endedAt ?? status.changedAt)),
                .init(status.usage.map { TimeText.length($0.wallMilliseconds) } ?? "-"), .init(status.brief, status.colour),
                .init(status.error ?? "-"),
            ])
        }
        session.writeTimes(table)
    }

    // MARK: JSON

    private func writeJSON() {
        session.output.jsonObject { writer in
            writer.member("at", snapshot.now)
            writer.member("spool", snapshot.spool)
            let daemon = snapshot.daemon
            writer.member("daemon", object: { writer in
                writer.member("is_running", daemon.pid != nil)
                writer.member("pid", daemon.pid.map(Int.init))
                writer.member(daemon.pid == nil ? "last_seen" : "since", daemon.since)
                writer.member("problems", daemon.problems)
            })
            writer.member("slots", objects: snapshot.slots) { writer, one in
                let (queue, used, slots) = one
                writer.member("queue", queue)
                writer.member("used", used)
                writer.member("free", max(0, slots - used))
                writer.member("slots", slots)
            }
            writer.member("pauses", objects: snapshot.pauses) { writer, pause in
                if let owner = pause.owner { writer.member("user", owner) }
                writer.member("scope", pause.scope.text)
                writer.member("note", pause.note)
            }
            writer.member("held", snapshot.surroundings.held)
            writer.member("overdue", texts: daemon.overdue)
            writer.member("running_count", snapshot.runningCount)
            writer.member("waiting_count", snapshot.waitingCount)
            writer.member("rates_are_least", snapshot.ratesAreLeast)
            for (name, count) in [("last_minute", minute), ("last_hour", hour)] {
                writer.member(name, object: { writer in
                    writer.member("ended", count.ended)
                    writer.member("failed", count.failed)
                })
            }
            writeLists(&writer)
        }
    }

    /// Writes the lists. A job is an object with keys of its own, and its `status.json`.
    private func writeLists(_ writer: inout JSONWriter) {
        writer.member("running", objects: running) { writer, one in
            writer.member("id", one.status.id)
            writer.member("elapsed_ms", Int(snapshot.now.milliseconds - one.startedAt.milliseconds))
            writer.member("timeout_ms", one.timeoutMilliseconds.map { Int($0) })
            Self.write(one.status, to: &writer)
        }
        writer.member("waiting", objects: waiting) { writer, one in
            writer.member("id", one.status.id)
            writer.member("holds", objects: snapshot.holds(on: one)) { writer, hold in
                writer.member("kind", hold.kind.rawValue)
                writer.member("text", hold.brief(one.status, now: snapshot.now))
            }
            Self.write(one.status, to: &writer)
        }
        writer.member("due", objects: snapshot.due) { writer, due in
            writer.member("task", due.task)
            writer.member("schedule", due.schedule)
            writer.member("due", due.instant)
            writer.member("note", due.note)
        }
        writer.member("ended", objects: ended) { writer, one in
            writer.member("id", one.id)
            Self.write(one, to: &writer)
        }
    }

    private static func write(_ status: JobStatus, to writer: inout JSONWriter) {
        writer.key("status")
        writer.raw(status.json().dropLast())
    }
}
