// Reads a `status.json`. A key that is missing or of another kind is ignored, because the file may be of another version or have
// been edited. Only the id is required.

extension Limits {
    /// A status contains a payload, with the limits of the file that it came in, and a result beside it.
    public static let status = Limits(values: 2 * Limits.standard.values)
}

extension JobStatus {
    public init?(json table: Table) {
        guard let id = table.text("id") else { return nil }
        let created = table.instant("created_at") ?? JobID(id)?.instant ?? Instant(milliseconds: 0)
        self.init(
            id: id, name: table.text("name") ?? JobID(id)?.name ?? id, due: table.instant("due") ?? created, createdAt: created,
            host: table.text("host") ?? "")
        title = table.text("title")
        description = table.text("description")
        task = table.name("task")
        schedule = table.name("schedule")
        state = table.text("state").flatMap(JobState.init) ?? .new
        reason = table.text("reason").flatMap(FailureReason.init)
        error = table.text("error")
        errorTail = table.text("error_tail")
        remark = table.text("remark")
        attempt = table.count("try") ?? 0
        tries = table.count("tries") ?? 1
        priority = table.whole("priority").map { Int($0) } ?? 0
        queue = table.name("queue") ?? "default"
        tags = table.texts("tags")
        if let value = table["payload"], !value.isNull { payload = Array(JSON.write(value).utf8) }
        scheduledAt = table.instant("scheduled_at")
        startedAt = table.instant("started_at")
        endedAt = table.instant("ended_at")
        changedAt = table.instant("changed_at") ?? created
        notBefore = table.instant("not_before")
        deadline = table.instant("deadline")
        exitCode = table.whole("exit_code").map { Int($0) }
        signal = table.whole("signal").map { Int32(truncatingIfNeeded: $0) }
        if case .table(let progress)? = table["progress"]?.kind { self.progress = Progress(json: progress) }
        if let value = table["result"], !value.isNull { result = Array(JSON.write(value).utf8) }
        if case .table(let usage)? = table["usage"]?.kind {
            self.usage = Usage(
                wallMilliseconds: usage.milliseconds("wall_s"), userMilliseconds: usage.milliseconds("user_s"),
                systemMilliseconds: usage.milliseconds("sys_s"), maxRSSBytes: usage.whole("max_rss_bytes") ?? 0)
        }
        pid = table.whole("pid").map { Int32(truncatingIfNeeded: $0) }
        retryOf = table.text("retry_of")
        parent = table.text("parent")
        overdueTask = table.text("overdue_task")
        waitsFor = table.texts("waits_for")
        if case .boolean(true)? = table["needs_no_slot"]?.kind { needsNoSlot = true }
        earlierTries = table.count("earlier_tries") ?? 0
        executor = table.name("executor")
        if case .table(let remote)? = table["remote"]?.kind { self.remote = RemoteView(json: remote) }
        moved = table.text("moved")
        paths = table.texts("paths")
        keepMilliseconds = table.whole("keep_ms")
    }
}

extension RemoteView {
    /// Nil without a state and a time.
    init?(json table: Table) {
        guard let phase = table.text("state").flatMap(Phase.init), let since = table.instant("since") else { return nil }
        self.init(
            phase: phase, handle: table.text("handle"), why: table.text("why"), position: table.count("position"),
            host: table.text("host"), since: since)
    }
}

extension Table {
    public func text(_ key: String) -> String? {
        if case .string(let text)? = self[key]?.kind { text } else { nil }
    }

    /// Programs make paths and questions of this value, so any other form is ignored.
    fileprivate func name(_ key: String) -> String? { text(key).flatMap { Name.isValid($0) ? $0 : nil } }

    /// A number of tries. Whatever stands in the file, one can be added to it.
    fileprivate func count(_ key: String) -> Int? { whole(key).map { Int(min(max(0, $0), 1_000_000_000)) } }

    /// The strings of a list. Empty for any other value.
    public func texts(_ key: String) -> [String] {
        guard case .array(let values)? = self[key]?.kind else { return [] }
        return values.compactMap { if case .string(let text) = $0.kind { text } else { nil } }
    }

    public func whole(_ key: String) -> Int64? {
        if case .integer(let number)? = self[key]?.kind { number } else { nil }
    }

    public func instant(_ key: String) -> Instant? { text(key).flatMap { Instant(fixed: $0.utf8) } }

    /// Seconds with or without a fraction, as milliseconds. 0 for anything but a reasonable number.
    fileprivate func milliseconds(_ key: String) -> Int64 {
        switch self[key]?.kind {
        case .integer(let seconds) where seconds.magnitude < 1_000_000_000_000: seconds * 1000
        case .number(let seconds) where abs(seconds.double) < 1e12: Int64((seconds.double * 1000).rounded())
        default: 0
        }
    }
}

extension Value {
    public var isNull: Bool { if case .null = kind { true } else { false } }
}
