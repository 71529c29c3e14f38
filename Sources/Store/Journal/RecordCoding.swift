// Converts records to journal lines and back.
//
// The three records of each job leave out what the rest of the line tells. `JournalFields` gives those fields all the same:
//
//     left out                    means
//     accepted: name, due         those in the id
//               start             the due time
//               format, size      toml; the number of bytes in source
//               created           ago milliseconds before the time of the line
//     ended:    started           the same
//               user_ms, sys_ms   0 when max_rss is there
//     started, ended: try         1

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

extension JournalFields {
    /// The least number of milliseconds that is not written as `ago`: an older instant is easier to read in full.
    static let agoEnd: Int64 = 1_000_000_000

    /// The value of a field that the line leaves out because the rest of the line tells it.
    func implied(_ key: String) -> String? {
        guard Self.impliedKeys(kind).contains(key) else { return nil }
        return switch key {
        case "name": id?.name
        case "format": Source.Format.toml.rawValue
        case "size": bytes("source").map { String($0.count) }
        case "try": "1"
        case "user_ms", "sys_ms": hasField("max_rss") ? "0" : nil
        default: impliedInstant(key)?.rfc3339
        }
    }

    func impliedInstant(_ key: String) -> Instant? {
        guard Self.impliedKeys(kind).contains(key) else { return nil }
        return switch key {
        case "due": id?.instant
        case "start": instant("due")
        case "created", "started": timeAgo
        default: nil
        }
    }

    private var timeAgo: Instant? { integer("ago").flatMap { (0..<Self.agoEnd).contains($0) ? at.advanced(byMilliseconds: -$0) : nil } }

    /// The names of the fields that lines of this kind may leave out.
    static func impliedKeys(_ kind: String) -> [String] {
        switch kind {
        case "accepted": impliedOfAccepted
        case "started": impliedOfStarted
        case "ended": impliedOfEnded
        default: []
        }
    }

    private static let impliedOfAccepted = ["name", "due", "created", "start", "format", "size"]
    private static let impliedOfStarted = ["try"]
    private static let impliedOfEnded = ["try", "started", "user_ms", "sys_ms"]
}

extension JournalFields {
    /// The record of the line. Nil when this version does not know it or a field is missing.
    public func record(_ context: ReadingContext) -> Record? {
        switch kind {
        case "accepted": return accepted(context).map { .accepted($0) }
        case "rejected":
            guard let id, let name = self["name"], let file = bytes("file"), let inode = integer("inode"),
                let due = instant("due"), let error = self["error"]
            else { return nil }
            return .rejected(
                RejectedFile(
                    id: id, name: name, file: FileName.string(from: file), inode: UInt64(bitPattern: inode), due: due,
                    error: error))
        case "withdrawn": return id.map { .withdrawn($0) }
        case "started":
            guard let id, let attempt = count("try") else { return nil }
            return .started(id, attempt: attempt)
        case "submitted":
            guard let id, let attempt = count("try") else { return nil }
            return .submitted(id, attempt: attempt, handle: self["handle"])
        case "stopping":
            guard let id, let why = self["why"].flatMap(StopReason.init) else { return nil }
            return .stopping(id, why)
        case "requested":
            guard let id, let name = self["name"] else { return nil }
            return .requested(id, name: name)
        case "ended":
            guard let id, let ending else { return nil }
            return .ended(id, ending)
        case "moved":
            guard let id, let text = self["text"] else { return nil }
            return .moved(id, text)
        case "remarked":
            guard let id, let text = self["text"] else { return nil }
            return .remarked(id, text)
        case "announced":
            guard let id, let announcement = self["what"].flatMap(Announcement.init) else { return nil }
            return .announced(id, announcement)
        case "retried":
            guard let id, let original = self["retry_of"].flatMap({ JobID($0) }) else { return nil }
            return .retried(id, of: original)
        case "defined":
            guard let file = self["file"], let source else { return nil }
            let definition = RecordedDefinition(
                source, writtenAt: instant("written") ?? at, createdAt: instant("created"), stamp: stamp, crontab: self["crontab"],
                mounted: self["mounted"])
            return .defined(file: file, definition)
        case "stamped": return self["file"].map { .stamped(file: $0, stamp) }
        case "refused":
            guard let file = self["file"], let why = self["why"] else { return nil }
            return .refused(file: file, why: why)
        case "undefined": return self["file"].map { .undefined(file: $0) }
        case "scheduled":
            guard let task = self["task"], let schedule = self["schedule"], let accounted = instant("accounted"),
                let origin = instant("origin")
            else { return nil }
            return .scheduled(
                task: task, schedule: schedule, accounted: accounted, origin: origin, lastEnd: instant("last_end"))
        case "unscheduled":
            guard let task = self["task"], let schedule = self["schedule"] else { return nil }
            return .unscheduled(task: task, schedule: schedule)
        case "settled":
            guard let task = self["task"], let schedule = self["schedule"], let through = instant("through") else { return nil }
            let open = numbers("open").map { Instant(milliseconds: Int64(bitPattern: $0)) }
            return .settled(task: task, schedule: schedule, SettledDues(through: through, open: open))
        case "answered":
            guard let task = self["task"], let schedule = self["schedule"] else { return nil }
            return .answered(task: task, schedule: schedule, due: instant("due"), last: instant("last"))
        case "skipped":
            guard let task = self["task"], let schedule = self["schedule"], let from = instant("from"),
                let through = instant("through"), let why = self["why"].flatMap(SkippedDue.Reason.init)
            else { return nil }
            var skipped = SkippedDue(
                task: task, schedule: schedule, from: from, through: through, count: count("count"), reason: why)
            if let path = bytes("path"), let fingerprint = fingerprints.first {
                skipped.file = ArrivedFile(path: FileName.string(from: path), fingerprint: fingerprint, changedAt: from)
            }
            return .skipped(skipped)
        case "files-seen":
            guard let task = self["task"], let schedule = self["schedule"] else { return nil }
            return .filesSeen(task: task, schedule: schedule, fingerprints, isAll: integer("more") == nil)
        case "files-gone":
            guard let task = self["task"], let schedule = self["schedule"] else { return nil }
            return .filesGone(task: task, schedule: schedule, fingerprints)
        case "ran":
            guard let task = self["task"] else { return nil }
            let latest = id.flatMap { id in self["state"].flatMap(JobState.init).map { LatestRun(id, $0) } }
            let marks = RunMarks(
                startedAt: instant("started"), endedAt: instant("ended"), succeededAt: instant("succeeded"),
                durationMilliseconds: integer("wall_ms").map { max(0, $0) }, exitCode: integer("exit_code").map { Int(clamping: $0) })
            return latest == nil && marks.isEmpty ? nil : .ran(task: task, latest: latest, marks)
        case "counted": return .counted(tally)
        case "failing":
            guard let task = self["task"], let failures = count("failures") else { return nil }
            return .failing(task: task, failures: failures, toldAt: instant("told"))
        case "expecting":
            guard let task = self["task"] else { return nil }
            return .expecting(task: task, since: instant("since"), isOverdue: integer("overdue") != nil)
        case "paused":
            guard let scope = self["scope"].flatMap(PauseScope.init(text:)), let note = self["note"] else { return nil }
            return .paused(scope, note: note)
        case "resumed": return self["scope"].flatMap(PauseScope.init(text:)).map { .resumed($0) }
        case "daemon-started":
            guard let boot = self["boot"], let version = self["version"] else { return nil }
            return .daemonStarted(boot: boot, version: version)
        case "daemon-stopped": return .daemonStopped
        case "recovered": return instant("last").map { .recovered(last: $0) }
        case "followed": return .followed
        case "repaired": return instant("since").map { .repaired(since: $0) }
        default: return nil
        }
    }

    fileprivate var id: JobID? { self["id"].flatMap { JobID($0) } }

    /// A count. A number that no program wrote is refused: it must not cause an overflow later.
    private func count(_ key: String) -> Int? { integer(key).flatMap { (0...1 << 40).contains($0) ? Int($0) : nil } }

    private var fingerprints: [UInt64] { numbers("seen") }

    private func numbers(_ key: String) -> [UInt64] { self[key]?.split(separator: ",").compactMap { UInt64($0, radix: 16) } ?? [] }

    private var stamp: ContentStamp? { hexadecimal("stamp").flatMap { ContentStamp(number: $0) } }

    /// The files that the job runs for.
    var paths: [String] { values(of: "path").map { FileName.string(from: $0) } }

    private var source: Source? {
        guard let format = self["format"].flatMap(Source.Format.init), let bytes = bytes("source") else { return nil }
        return Source(format: format, bytes: bytes)
    }

    private func accepted(_ context: ReadingContext) -> AcceptedJob? {
        // Many thousands of these are read at a start, so what is left out is taken from the id once.
        guard let id, let due = instant("due", or: id.instant), let created = instant("created", or: timeAgo), let bytes = bytes("source"),
            let start = instant("start", or: due), let format = written("format").map({ Source.Format(rawValue: $0) }) ?? .toml
        else { return nil }
        let name = written("name") ?? id.name
        let source = Source(format: format, bytes: bytes)
        var context = context
        let readAt = instant("read") ?? created
        context.now = readAt
        // An accepted text was readable. If a zone has been removed since, only its times are affected, which no longer matter.
        var definition = JobDefinition.unusable
        do throws(Problems) {
            definition = try JobDefinition.read(try source.table(), isScript: source.format == .script, context)
        } catch {
            return nil
        }
        var stamp: FileStamp?
        if let file = self.bytes("file"), let inode = integer("inode"), let mtime = integer("mtime") {
            let size = written("size").map { Int64($0) } ?? Int64(bytes.count)
            guard let size else { return nil }
            stamp = FileStamp(
                name: FileName.string(from: file), inode: UInt64(bitPattern: inode), size: size,
                modifiedNanoseconds: mtime)
        }
        var job = AcceptedJob(
            id: id, name: name, task: self["task"], schedule: self["schedule"], due: due, createdAt: created,
            notBefore: start, source: source, definition: definition, file: stamp, retryOf: self["retry_of"],
            isDirectory: integer("directory") == 1)
        job.readAt = readAt
        job.forgivenTries = count("forgiven") ?? 0
        job.earlierTries = count("earlier") ?? 0
        job.waitsFor = self["waits_for"]?.split(separator: ",").compactMap { JobID($0) } ?? []
        if let reason = self["reason"].flatMap(FailureReason.init) { job.obstacle = Obstacle(reason: reason, error: self["error"] ?? "") }
        job.paths = paths
        job.fingerprints = fingerprints
        job.isOfCrontab = integer("crontab") == 1
        job.executor = self["executor"]
        job.parent = self["parent"].flatMap { JobID($0) }
        job.depth = count("depth") ?? 0
        job.overdueTask = self["overdue_task"]
        return job
    }

    private var ending: Ending? {
        guard let attempt = count("try"), let state = self["state"].flatMap(JobState.init) else { return nil }
        var ending = Ending(attempt: attempt, state: state, reason: self["reason"].flatMap(FailureReason.init))
        ending.exitCode = integer("exit_code").map { Int($0) }
        ending.signal = integer("signal").map { Int32(truncatingIfNeeded: $0) }
        ending.error = self["error"]
        ending.startedAt = instant("started")
        ending.notBefore = instant("next")
        ending.pid = integer("pid").map { Int32(truncatingIfNeeded: $0) }
        ending.hasOutput = integer("output") != nil
        ending.errorTail = self["error_tail"]
        if let wall = integer("wall_ms"), let user = integer("user_ms"), let system = integer("sys_ms"),
            let rss = integer("max_rss")
        {
            ending.usage = Usage(
                wallMilliseconds: wall, userMilliseconds: user, systemMilliseconds: system, maxRSSBytes: rss)
        }
        return ending
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
