import Glibc
import Linux
import Store

/// The report of `spoolctl status`: the daemon's published status, and whether it runs.
struct DaemonReport {
    private let session: Session
    private let holder: SpoolLock.Holder?
    private let standbys: [Standby]
    private let table: Table?
    private let fs: DiskFileSystem
    /// The error when spoolctl tries to write to the spool now: a daemon cannot publish that its disk refuses changes.
    private let refusal: SystemError?

    init(_ session: Session) throws(Failure) {
        self.session = session
        let fs: DiskFileSystem
        do throws(Failure) { fs = try session.openSpool() } catch {
            // A mistyped path is reported, but it is no other failure: nobody serves that spool.
            throw access(session.spoolPath, F_OK) == 0 ? error : Failure(ExitCode.notServed, error.lines)
        }
        self.fs = fs
        do throws(SystemError) {
            try fs.tryWriting(isSynced: false)
            refusal = nil
        } catch {
            guard error.errno != SystemError.inputOutput else {
                throw Failure(ExitCode.failed, "the disk of \(session.spoolPath) is broken: \(error); \(Self.effect)")
            }
            refusal = error
        }
        holder = try session.daemon()
        let path = session.spoolPath
        standbys = try attempt { () throws(SystemError) in try Standby.all(ofSpool: path) }
        table = try session.daemonTable(fs)
    }

    /// Prints the report. Returns the exit code.
    func write() throws(Failure) -> Int32 {
        if session.isJSON { try writeJSON() } else { try writeTable() }
        if holder == nil, !session.isTerse { session.remarkOnRootsSpool() }
        return holder == nil ? ExitCode.notServed : ExitCode.done
    }

    /// The exit code of `health`, for which the report is not printed.
    func health(patienceMilliseconds: Int64) throws(Failure) -> Int32 {
        guard holder != nil else { return ExitCode.notServed }
        // A spool whose directories are read at intervals, because they cannot be watched, is served.
        guard troubles.allSatisfy({ $0.text("of") == "watches" }) else { return ExitCode.failed }
        return try takesTurns(patienceMilliseconds) ? ExitCode.done : ExitCode.failed
    }

    /// A daemon that has published its status within this time works, in milliseconds.
    private static let turnMilliseconds: Int64 = 60_000

    /// True when the daemon has taken a turn within the last minute, or takes one now that it is asked to.
    private func takesTurns(_ patienceMilliseconds: Int64) throws(Failure) -> Bool {
        // Root's daemon serves this user without a process that could be asked.
        if table?.text("state") == "resting" { return true }
        if let at = table?.instant("at"), (0..<Self.turnMilliseconds).contains(session.now.milliseconds - at.milliseconds) { return true }
        return try ControlRequest(session).isAnswered(patienceMilliseconds: patienceMilliseconds) { $0.member("do", "ping") }
    }

    private func writeTable() throws(Failure) {
        var rows = TextTable()
        rows.add("spool", session.spoolPath)
        if let holder {
            rows.add([.init("spoold", .dim), .init("runs, pid \(holder.pid) on \(holder.host)", .green)])
            rows.add("version", table?.text("version"))
            rows.add("since", table?.instant("started_at").map(session.time))
        } else {
            rows.add([.init("spoold", .dim), .init("is not running", .red)])
            rows.add("last seen", table?.instant("at").map(session.time))
        }
        for standby in standbys {
            rows.add("standby", "pid \(standby.pid) on \(standby.host), version \(standby.version), since \(session.time(standby.since))")
        }
        if let published = table.flatMap({ PublishedConfiguration($0) }) {
            rows.add("configuration", published.readAt == nil ? "the defaults" : published.file)
            rows.add("timezone", published.zoneName)
        }
        let counts = try holder == nil ? session.countJobs() : [:]
        for key in ["state", "slots", "running", "waiting", "done", "failed", "tasks"] {
            rows.add(key, counts[key].map { String($0) } ?? text(key))
        }
        if let due = table?.instant("next_due") {
            rows.add("next due", "\(session.time(due))\(table?.text("next_task").map { " \($0)" } ?? "")")
        }
        for pause in try Pauses.read(fs) {
            rows.add([.init("paused", .dim), .init("\(pause.scope.spoken())\(pause.note.isEmpty ? "" : ": \(pause.note)")", .yellow)])
        }
        if holder != nil, let why = table?.text("held") { rows.add([.init("held", .dim), .init("nothing starts: \(why)", .yellow)]) }
        if case .table(let output)? = table?["output"]?.kind, let bytes = output.whole("left_out_bytes"), bytes > 0 {
            let why = "its reader \(output.text("closed_at") == nil ? "was too slow" : "is gone")"
            let text = "\(bytes) bytes of jobs' output are in their directories alone: \(why)"
            rows.add([.init("stdout", .dim), .init(text, .yellow)])
        }
        for trouble in troubles { rows.add([.init("trouble", .dim), .init(line(of: trouble), .red)]) }
        if case .array(let tasks)? = table?["overdue"]?.kind {
            for case .table(let one) in tasks.map(\.kind) {
                let since = one.instant("since").map { " has not succeeded since \(session.time($0))" } ?? ""
                rows.add([.init("overdue", .dim), .init("\(one.text("task") ?? "?")\(since)", .red)])
            }
        }
        if case .table(let queues)? = table?["queues"]?.kind {
            for queue in queues.entries {
                guard case .table(let one) = queue.value.kind else { continue }
                rows.add("queue \(queue.key)", "\(one.whole("running") ?? 0) of \(one.whole("slots") ?? 0) slots")
            }
        }
        if holder == nil {
            _ = try EverybodysSpool.each(session) { part throws(Failure) in
                guard let owner = part.owner else { return }
                let counts = try part.countJobs()
                let text = "is not served: \(counts["running"] ?? 0) running, \(counts["waiting"] ?? 0) waiting"
                rows.add([.init("user \(owner.name)", .dim), .init(text, .red)])
            }
        } else if case .array(let users)? = table?["users"]?.kind {
            for case .table(let user) in users.map(\.kind) {
                let (running, waiting, slots) = (user.whole("running") ?? 0, user.whole("waiting") ?? 0, user.whole("slots") ?? 0)
                let counts = "\(running) running, \(waiting) waiting, may use \(slots) slots"
                var isServed = user.whole("pid") != nil
                if case .boolean(true)? = user["resting"]?.kind { isServed = true }
                let state: TextTable.Cell = isServed ? .init(counts) : .init("is not served", .red)
                rows.add([.init("user \(user.text("name") ?? "?")", .dim), state])
            }
        }
        if case .array(let problems)? = table?["problems"]?.kind {
            for case .table(let problem) in problems.map(\.kind) {
                rows.add([
                    .init("problem", .dim),
                    .init(problem.text("message") ?? problem.text("file") ?? "?", .red),
                ])
            }
        }
        session.writeTimes(rows)
    }

    /// The daemon's troubles, and the spool's disk when it refuses changes.
    private var troubles: [Table] {
        var troubles: [Table] = []
        if holder != nil, case .array(let all)? = table?["troubles"]?.kind {
            for case .table(let one) in all.map(\.kind) { troubles.append(one) }
        }
        if let refusal, !troubles.contains(where: { $0.text("of") == "disk" }) {
            var disk = Table()
            disk.set("of", Value(.string("disk")))
            disk.set("error", Value(.string("\(refusal)")))
            disk.set("effect", Value(.string(Self.effect)))
            troubles.insert(disk, at: 0)
        }
        return troubles
    }

    private func line(of trouble: Table) -> String {
        let since = trouble.instant("since").map { ", since \(session.time($0))" } ?? ""
        return "\(trouble.text("of") ?? "?")\(since): \(trouble.text("error") ?? ""); \(trouble.text("effect") ?? "")"
    }

    private static let effect = "nothing can be recorded, so nothing is started or acknowledged until it accepts changes"

    private func writeJSON() throws(Failure) {
        var report = table ?? Table()
        report.set("spool", Value(.string(session.spoolPath)))
        report.set("is_running", Value(.boolean(holder != nil)))
        if let holder { report.set("pid", Value(.integer(Int64(holder.pid)))) }
        report.set("troubles", Value(.array(troubles.map { Value(.table($0)) })))
        if holder == nil {
            report.set("state", Value(.string("stopped")))
            for (key, count) in try session.countJobs() { report.set(key, Value(.integer(Int64(count)))) }
        }
        report.set(
            "standbys",
            Value(.array(standbys.map { standby in
                var table = Table()
                table.set("pid", Value(.integer(Int64(standby.pid))))
                table.set("host", Value(.string(standby.host)))
                table.set("version", Value(.string(standby.version)))
                table.set("since", Value(.string(standby.since.rfc3339)))
                return Value(.table(table))
            })))
        session.output.line(JSON.write(Value(.table(report))))
    }

    private func text(_ key: String) -> String? {
        if key == "state", holder == nil { return nil }
        return table?.text(key) ?? table?.whole(key).map { String($0) }
    }
}

extension Session {
    /// The numbers of waiting and running jobs, counted in the directories.
    fileprivate func countJobs() throws(Failure) -> [String: Int] {
        let fs = try openSpool()
        return try attempt { () throws(SystemError) in
            [
                "waiting": try fs.jobNames(in: Layout.new).count,
                "running": try fs.jobNames(in: Layout.running).count { $0.kind == .directory },
            ]
        }
    }

}
