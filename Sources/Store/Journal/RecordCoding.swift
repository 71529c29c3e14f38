// Converts records to journal lines. `RecordReading.swift` is the way back.

import Linux

extension JournalLine {
    mutating func append(_ record: Record, sequence: UInt64, at now: Instant) {
        switch record {
        case .accepted(let job):
            self.begin(sequence: sequence, at: now, "accepted")
            field("id", job.id.text)
            if job.name != job.id.name { field("name", job.name) }
            field("task", optional: job.task)
            field("schedule", optional: job.schedule)
            if job.due != job.id.instant { field("due", job.due) }
            field("created", job.createdAt, before: now)
            if job.readAt != job.createdAt { field("read", job.readAt) }
            if job.notBefore != job.due { field("start", job.notBefore) }
            if let file = job.file {
                field("file", FileName.bytes(of: file.name))
                field("inode", Int64(bitPattern: file.inode))
                if file.size != job.source.bytes.count { field("size", file.size) }
                field("mtime", file.modifiedNanoseconds)
            }
            field("retry_of", optional: job.retryOf)
            if job.isDirectory, job.retryOf == nil { field("directory", 1 as Int64) }
            if job.forgivenTries > 0 { field("forgiven", Int64(job.forgivenTries)) }
            if job.earlierTries > 0 { field("earlier", Int64(job.earlierTries)) }
            if !job.waitsFor.isEmpty { field("waits_for", job.waitsFor.map(\.text).joined(separator: ",")) }
            if let obstacle = job.obstacle {
                field("reason", obstacle.reason.rawValue)
                field("error", obstacle.error)
            }
            if job.isOfCrontab { field("crontab", 1 as Int64) }
            field("executor", optional: job.executor)
            if let parent = job.parent {
                field("parent", parent.text)
                field("depth", Int64(job.depth))
            }
            field("overdue_task", optional: job.overdueTask)
            for path in job.paths { field("path", FileName.bytes(of: path)) }
            if !job.fingerprints.isEmpty { field("seen", job.fingerprints) }
            if job.source.format != .toml { field("format", job.source.format.rawValue) }
            field("source", job.source.bytes)
        case .rejected(let file):
            self.begin(sequence: sequence, at: now, "rejected")
            field("id", file.id.text)
            field("name", file.name)
            field("file", FileName.bytes(of: file.file))
            field("inode", Int64(bitPattern: file.inode))
            field("due", file.due)
            field("error", file.error)
        case .withdrawn(let id):
            self.begin(sequence: sequence, at: now, "withdrawn")
            field("id", id.text)
        case .started(let id, let attempt):
            self.begin(sequence: sequence, at: now, "started")
            field("id", id.text)
            if attempt != 1 { field("try", Int64(attempt)) }
        case .submitted(let id, let attempt, let handle):
            self.begin(sequence: sequence, at: now, "submitted")
            field("id", id.text)
            field("try", Int64(attempt))
            field("handle", optional: handle)
        case .stopping(let id, let why):
            self.begin(sequence: sequence, at: now, "stopping")
            field("id", id.text)
            field("why", why.rawValue)
        case .requested(let id, let name):
            self.begin(sequence: sequence, at: now, "requested")
            field("id", id.text)
            field("name", name)
        case .ended(let id, let ending):
            self.begin(sequence: sequence, at: now, "ended")
            field("id", id.text)
            if ending.attempt != 1 { field("try", Int64(ending.attempt)) }
            field("state", ending.state.rawValue)
            field("reason", optional: ending.reason?.rawValue)
            field("exit_code", optional: ending.exitCode.map(Int64.init))
            field("signal", optional: ending.signal.map(Int64.init))
            field("error", optional: ending.error)
            if let startedAt = ending.startedAt { field("started", startedAt, before: now) }
            field("next", optional: ending.notBefore)
            field("pid", optional: ending.pid.map(Int64.init))
            if ending.hasOutput { field("output", 1) }
            field("error_tail", optional: ending.errorTail)
            if let usage = ending.usage {
                field("wall_ms", usage.wallMilliseconds)
                if usage.userMilliseconds != 0 { field("user_ms", usage.userMilliseconds) }
                if usage.systemMilliseconds != 0 { field("sys_ms", usage.systemMilliseconds) }
                field("max_rss", usage.maxRSSBytes)
            }
        case .moved(let id, let moved):
            self.begin(sequence: sequence, at: now, "moved")
            field("id", id.text)
            field("text", moved)
        case .remarked(let id, let remark):
            self.begin(sequence: sequence, at: now, "remarked")
            field("id", id.text)
            field("text", remark)
        case .announced(let id, let announcement):
            self.begin(sequence: sequence, at: now, "announced")
            field("id", id.text)
            field("what", announcement.rawValue)
        case .retried(let id, let original):
            self.begin(sequence: sequence, at: now, "retried")
            field("id", id.text)
            field("retry_of", original.text)
        case .defined(let file, let definition):
            self.begin(sequence: sequence, at: now, "defined")
            field("file", file)
            field("format", definition.source.format.rawValue)
            field("source", definition.source.bytes)
            field("written", definition.writtenAt)
            field("created", optional: definition.createdAt)
            field("stamp", optional: definition.stamp)
            if let crontab = definition.crontab { field("crontab", crontab) }
            if let mounted = definition.mounted { field("mounted", mounted) }
        case .stamped(let file, let stamp):
            self.begin(sequence: sequence, at: now, "stamped")
            field("file", file)
            field("stamp", optional: stamp)
        case .undefined(let file):
            self.begin(sequence: sequence, at: now, "undefined")
            field("file", file)
        case .refused(let file, let why):
            self.begin(sequence: sequence, at: now, "refused")
            field("file", file)
            field("why", why)
        case .scheduled(let task, let schedule, let accounted, let origin, let lastEnd):
            self.begin(sequence: sequence, at: now, "scheduled")
            field("task", task)
            field("schedule", schedule)
            field("accounted", accounted)
            field("origin", origin)
            field("last_end", optional: lastEnd)
        case .unscheduled(let task, let schedule):
            self.begin(sequence: sequence, at: now, "unscheduled")
            field("task", task)
            field("schedule", schedule)
        case .settled(let task, let schedule, let dues):
            self.begin(sequence: sequence, at: now, "settled")
            field("task", task)
            field("schedule", schedule)
            field("through", dues.through)
            if !dues.open.isEmpty { field("open", dues.open.map { UInt64(bitPattern: $0.milliseconds) }) }
        case .answered(let task, let schedule, let due, let last):
            self.begin(sequence: sequence, at: now, "answered")
            field("task", task)
            field("schedule", schedule)
            field("due", optional: due)
            field("last", optional: last)
        case .skipped(let due):
            self.begin(sequence: sequence, at: now, "skipped")
            field("task", due.task)
            field("schedule", due.schedule)
            field("from", due.from)
            field("through", due.through)
            field("count", optional: due.count.map(Int64.init))
            field("why", due.reason.rawValue)
            if let file = due.file {
                field("path", FileName.bytes(of: file.path))
                field("seen", [file.fingerprint])
            }
        case .filesSeen(let task, let schedule, let fingerprints, let isAll):
            self.begin(sequence: sequence, at: now, "files-seen")
            field("task", task)
            field("schedule", schedule)
            if !fingerprints.isEmpty { field("seen", fingerprints) }
            if !isAll { field("more", 1) }
        case .filesGone(let task, let schedule, let fingerprints):
            self.begin(sequence: sequence, at: now, "files-gone")
            field("task", task)
            field("schedule", schedule)
            field("seen", fingerprints)
        case .ran(let task, let latest, let marks):
            self.begin(sequence: sequence, at: now, "ran")
            field("task", task)
            field("id", optional: latest?.id.text)
            field("state", optional: latest?.end.rawValue)
            field("started", optional: marks.startedAt)
            field("ended", optional: marks.endedAt)
            field("succeeded", optional: marks.succeededAt)
            field("wall_ms", optional: marks.durationMilliseconds)
            field("exit_code", optional: marks.exitCode.map(Int64.init))
        case .counted(let tally):
            self.begin(sequence: sequence, at: now, "counted")
            append(tally)
        case .failing(let task, let failures, let toldAt):
            self.begin(sequence: sequence, at: now, "failing")
            field("task", task)
            field("failures", Int64(failures))
            field("told", optional: toldAt)
        case .expecting(let task, let since, let isOverdue):
            self.begin(sequence: sequence, at: now, "expecting")
            field("task", task)
            field("since", optional: since)
            if isOverdue { field("overdue", 1) }
        case .paused(let scope, let note):
            self.begin(sequence: sequence, at: now, "paused")
            field("scope", scope.text)
            field("note", note)
        case .resumed(let scope):
            self.begin(sequence: sequence, at: now, "resumed")
            field("scope", scope.text)
        case .daemonStarted(let boot, let version):
            self.begin(sequence: sequence, at: now, "daemon-started")
            field("boot", boot)
            field("version", version)
        case .daemonStopped:
            self.begin(sequence: sequence, at: now, "daemon-stopped")
        case .recovered(let last):
            self.begin(sequence: sequence, at: now, "recovered")
            field("last", last)
        case .followed: self.begin(sequence: sequence, at: now, "followed")
        case .repaired(let since):
            self.begin(sequence: sequence, at: now, "repaired")
            field("since", since)
        }
        end()
    }
}

extension JournalLine {
    fileprivate mutating func field(_ key: StaticString, optional stamp: ContentStamp?) {
        if let stamp { field(key, [stamp.number]) }
    }

    /// An instant shortly before the line's, as `ago`, or another one as a field of its own.
    fileprivate mutating func field(_ key: StaticString, _ instant: Instant, before now: Instant) {
        let (ago, isTooFar) = now.milliseconds.subtractingReportingOverflow(instant.milliseconds)
        if !isTooFar, (0..<JournalFields.agoEnd).contains(ago) { field("ago", ago) } else { field(key, instant) }
    }
}

extension PauseScope {
    /// The name of the file in `control/` that causes the pause.
    public var text: String {
        switch self {
        case .all: "pause"
        case .queue(let name): "pause@\(name)"
        case .task(let name): "pause-\(name)"
        }
    }

    public init?(text: String) {
        if text == "pause" {
            self = .all
        } else if text.hasPrefix("pause@"), Name.isValid(text.dropFirst(6)) {
            self = .queue(String(text.dropFirst(6)))
        } else if text.hasPrefix("pause-"), Name.isValid(text.dropFirst(6)) {
            self = .task(String(text.dropFirst(6)))
        } else {
            return nil
        }
    }
}
