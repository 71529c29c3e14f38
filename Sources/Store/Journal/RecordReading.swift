// Converts journal lines to records.

import Linux

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

    var id: JobID? { self["id"].flatMap { JobID($0) } }

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
