import Linux
import Store

/// The remarks after a submission about what keeps the job from starting: no daemon, a pause, a queue that nobody has named before.
struct StartRemarks {
    private let session: Session
    private let pauses: [(scope: PauseScope, note: String)]

    init(_ session: Session) throws(Failure) {
        self.session = session
        pauses = try Pauses.read(try session.openSpool())
    }

    /// The remarks about a job of this queue and task, one sentence each. `task`: the name of the task whose run the job is.
    func lines(queue: String, task: String?) throws(Failure) -> [String] {
        var lines: [String] = []
        for pause in pauses {
            let note = pause.note.isEmpty ? "" : " (\(pause.note))"
            switch pause.scope {
            case .all: lines.append("the spool is paused\(note): no job starts until spoolctl resume")
            case .queue(queue): lines.append("queue \(queue) is paused\(note): its jobs wait for spoolctl resume --queue \(queue)")
            case .task(let name) where name == task:
                lines.append("task \(name) is paused\(note): its jobs wait for spoolctl resume --task \(name)")
            case .queue, .task: break
            }
        }
        if try isUnknown(queue) {
            let known = try session.queueNames().subtracting([queue])
            lines.append(
                "queue \"\(queue)\" is in neither the configuration nor a task; all slots of the spool are its slots"
                    .suggesting(queue, among: known))
        }
        return lines
    }

    /// True for a queue that neither the configuration nor a task names. The tasks are read only when the configuration does not name it.
    private func isUnknown(_ queue: String) throws(Failure) -> Bool {
        if queue == "default" { return false }
        if try session.configuration().queueSlots[queue] != nil { return false }
        return try !session.queueNames().contains(queue)
    }
}

extension Session {
    /// True when remarks are not wanted: a program reads the answer.
    var isTerse: Bool { isJSON || isQuiet }

    /// Says on standard error what keeps jobs from starting that were just submitted or changed. With `wait` the wait says it.
    ///
    /// - Parameter task: the task whose run the job is, where the text does not name it.
    func remarkOnStart(of source: Source, task: String? = nil) throws(Failure) {
        guard !isTerse else { return }
        try remarkIfNotServed()
        guard let table = try? source.table() else { return }  // its text was checked before
        for line in try startLines(queue: table.text("queue"), task: table.text("task") ?? task) { complain(line) }
    }

    /// The remarks about a job. Without `queue`, the job has the queue of its task.
    func startLines(queue: String?, task: String?) throws(Failure) -> [String] {
        var queue = queue
        // A task that is gone has no queue.
        if queue == nil, let task, let entry = try? TaskCatalog(self, withSchedules: false).entry(task) {  // as above
            queue = (try? entry.task?.job(contextInAnyCase()))?.definition.queue  // an unusable task has none either
        }
        return try StartRemarks(self).lines(queue: queue ?? "default", task: task)
    }

    /// Remarks on standard error that no daemon serves the spool, except with --json and --quiet.
    func remarkIfNotServed() throws(Failure) {
        guard !isTerse, try daemon() == nil else { return }
        let seen = try daemonTable()?.instant("at").map { " (last seen at \(time($0)))" } ?? ""
        complain("spoold is not running\(seen): nothing runs and no file is accepted until it starts")
        remarkOnRootsSpool()
    }

    /// Tells a user whose own spool is not served that root's spool is, and how to use it.
    func remarkOnRootsSpool() {
        if let remark = rootsSpoolRemark { complain(remark) }
    }

    /// Nil unless this is the user's own spool and root's spool serves everybody.
    var rootsSpoolRemark: String? {
        guard isUsersOwnSpool, UserPart.servesEverybody(Session.rootsSpool) else { return nil }
        // Users may not examine the lock where root has not opened it to them. They then learn at their first submission.
        do throws(SystemError) { if try SpoolLock.holder(spool: Session.rootsSpool) == nil { return nil } } catch {}
        return "this is your own spool, \(spoolPath); root's spoold serves everybody in \(Session.rootsSpool): "
            + "use --spool \(Session.rootsSpool), or set SPOOL_DIR"
    }
}
