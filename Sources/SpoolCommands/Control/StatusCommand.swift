import Store

extension SpoolCommand {
    static let status = SpoolCommand(
        "status", "[ID…]", "show a job or the daemon",
        details: [
            """
            With an ID, shows all that is known about the job; without one, shows the daemon's state. An ID is also the name of a task \
            or job, which means its newest job; @, your own newest job; or four or more characters from an id's beginning or end.
            """,
            "Without an ID, exits with 3 when no daemon serves the spool.",
        ],
        examples: [
            Example("spoolctl status", "the daemon, its slots, and problems that it found"),
            Example("spoolctl status backup", "the newest run of a task"),
            Example("spoolctl status 20261121T020000.000Z-backup-k3f9ab --json", "the job's status.json"),
        ]
    ) { session throws(Failure) in
        guard !session.arguments.operands.isEmpty else { return try DaemonReport(session).write() }
        var records = try session.records()
        for (index, text) in session.arguments.operands.enumerated() {
            let record = try session.job(text, &records)
            if index > 0, session.output.isTerminal, !session.isJSON { session.output.line("") }
            session.printStatus(record)
        }
        return ExitCode.done
    }
}

extension Session {
    fileprivate func printStatus(_ record: JobRecord) {
        let status = record.status
        if isQuiet { return output.line(status.id) }
        if isJSON { return output.write(bytes: record.json) }
        var table = TextTable()
        table.add("id", status.id)
        table.add("name", status.name)
        table.add("title", status.title)
        table.add("description", status.description)
        table.add("task", status.task)
        table.add("schedule", status.schedule)
        table.add([.init("state", .dim), .init(stateText(record), status.colour)])
        table.add("error", status.error)
        for line in status.errorTailLines { table.add("last output", line) }
        table.add("exit code", status.exitCode.map(String.init))
        table.add("signal", status.signal.map { Signal.name($0) })
        table.add("try", "\(status.attempt) of \(status.tries)")
        table.add("queue", status.queue)
        table.add("priority", status.priority == 0 ? nil : String(status.priority))
        table.add("tags", status.tags.isEmpty ? nil : status.tags.joined(separator: ", "))
        for path in status.paths { table.add("path", path) }
        table.add("payload", status.payload.map { String(decoding: $0, as: UTF8.self) })
        if let progress = status.progress {
            table.add("progress", "\(progress.percent)%\(progress.message.map { " \($0)" } ?? "")")
        }
        table.add("result", status.result.map { String(decoding: $0, as: UTF8.self) })
        table.add("due", moment(status.due))
        table.add("not before", status.notBefore.map(moment))
        table.add("deadline", status.deadline.map(moment))
        table.add("created", moment(status.createdAt))
        table.add("started", status.startedAt.map(moment))
        table.add("ended", status.endedAt.map(moment))
        if let usage = status.usage {
            table.add("took", TimeText.length(usage.wallMilliseconds))
            table.add("processor", TimeText.length(usage.processorMilliseconds))
            // An executor tells no memory.
            if !status.isElsewhere { table.add("memory", TimeText.bytes(usage.maxRSSBytes)) }
        } else if status.state == .running, let started = status.startedAt {
            table.add("runs for", TimeText.length(now.milliseconds - started.milliseconds))
        }
        table.add("extended by", extended(record).map { TimeText.length($0) })
        table.add("remark", status.remark)
        table.add("executor", status.elsewhere.map(Output.oneLine))
        table.add("pid", status.pid.map { String($0) })
        table.add("retry of", status.retryOf)
        table.add("earlier tries", status.earlierTries > 0 ? String(status.earlierTries) : nil)
        table.add("waits for", status.waitsFor.isEmpty ? nil : status.waitsFor.joined(separator: ", "))
        table.add("moved", status.moved)
        table.add("follows", status.parent ?? status.overdueTask.map { "\($0), which was overdue" })
        table.add(record.place.isFile ? "file" : "directory", "\(spoolPath)/\(record.place.path)")
        writeTimes(table)
    }

    /// The time by which the timeout of the last try was extended.
    private func extended(_ record: JobRecord) -> Int64? {
        // A job that has moved meanwhile shows no extension.
        guard !record.place.isFile, let fs = try? openSpool(), let moved = try? fs.extended(record.place.path), moved > 0 else {
            return nil
        }
        return moved
    }

    private func stateText(_ record: JobRecord) -> String {
        guard let reason = record.status.reason else { return record.place.state.rawValue }
        return "\(record.place.state.rawValue): \(reason.rawValue)"
    }

    /// An instant; on a terminal followed by its distance from now.
    private func moment(_ instant: Instant) -> String {
        output.isTerminal ? "\(time(instant)) (\(TimeText.distance(instant, from: now)))" : time(instant)
    }
}
