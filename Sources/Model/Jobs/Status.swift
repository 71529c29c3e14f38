import WorkerProtocol

/// The state of a job, which is also its directory in the spool.
public enum JobState: String, Sendable, CaseIterable {
    case new, running, done, failed

    public var isTerminal: Bool { self == .done || self == .failed }
}

/// The reason why a job is in `failed/`.
public enum FailureReason: String, Sendable, CaseIterable {
    case exit, signal, timeout, deadline, canceled, rejected, lost, spawn, dependency, replaced, short

    /// True when the command ran and failed by itself: its last lines may say why.
    public var isOfRun: Bool { [.exit, .signal, .timeout, .lost].contains(self) }
}

/// The resources that a run used. Negative values are replaced by 0, whatever their source.
public struct Usage: Sendable, Hashable {
    public var wallMilliseconds: Int64
    public var userMilliseconds: Int64
    public var systemMilliseconds: Int64
    public var maxRSSBytes: Int64

    /// The time of the user and of the system together.
    public var processorMilliseconds: Int64 { userMilliseconds.addingSaturated(systemMilliseconds) }

    public init(wallMilliseconds: Int64, userMilliseconds: Int64, systemMilliseconds: Int64, maxRSSBytes: Int64) {
        self.wallMilliseconds = max(0, wallMilliseconds)
        self.userMilliseconds = max(0, userMilliseconds)
        self.systemMilliseconds = max(0, systemMilliseconds)
        self.maxRSSBytes = max(0, maxRSSBytes)
    }
}

/// The progress that a run reports.
public struct Progress: Sendable, Hashable {
    /// 0 to 1.
    public var fraction: Double
    public var message: String?
    public var at: Instant

    /// The maximum length of the stored message, in bytes.
    public static let messageBytesMax = 1000

    public init(fraction: Double, message: String?, at: Instant) {
        self.fraction = fraction
        self.message = message
        self.at = at
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("fraction")
        writer.double(fraction)
        writer.member("message", message)
        writer.member("at", at)
        writer.endObject()
    }

    /// Whole percent. 100 only when the run is complete.
    public var percent: Int { Int((fraction * 100).rounded(.down)) }
}

/// The content of `status.json`: everything that is known about a job. Every key is always present.
public struct JobStatus: Sendable {
    public var id: String
    public var name: String
    public var title: String?
    public var description: String?
    public var task: String?
    public var schedule: String?
    public var state = JobState.new
    public var reason: FailureReason?
    public var error: String?
    /// The last lines that a failed run has written, for people.
    public var errorTail: String?
    /// The differences between the start of the last try and the job's definition. Nil when there are none.
    public var remark: String?
    public var attempt = 0
    public var tries = 1
    public var priority = 0
    public var queue = JobDefinition.defaultQueue
    public var tags: [String] = []
    /// Encoded as JSON.
    public var payload: [UInt8]?
    public var due: Instant
    public var createdAt: Instant
    public var scheduledAt: Instant?
    public var startedAt: Instant?
    public var endedAt: Instant?
    public var changedAt: Instant
    public var notBefore: Instant?
    public var deadline: Instant?
    public var exitCode: Int?
    public var signal: Int32?
    /// The progress that the last try has reported.
    public var progress: Progress?
    /// The result of the last try, encoded as JSON, once the try has ended.
    public var result: [UInt8]?
    public var usage: Usage?
    public var pid: Int32?
    public var host: String
    /// The job that this one repeats.
    public var retryOf: String?
    /// The job whose end started this one.
    public var parent: String?
    /// The overdue task of whose `on_overdue` the job is made.
    public var overdueTask: String?
    /// The jobs that it waits for. For a job that failed with `dependency`, those that did not end as required.
    public var waitsFor: [String] = []
    /// The number of the last try whose output the directory contained at first. The job's own tries are numbered after it.
    public var earlierTries = 0
    /// True for a run of a crontab's line, which starts also when all slots are in use.
    public var needsNoSlot = false
    /// The executor that runs the job. Nil or `local` means this machine.
    public var executor: String?
    /// The state of the try in the engine of its executor. After the end, its last state.
    public var remote: RemoteView?
    /// A sentence about what was done with the job's files.
    public var moved: String?
    /// The new files that the job runs for.
    public var paths: [String] = []
    /// The time for which the record is kept after the job's end, in milliseconds.
    public var keepMilliseconds: Int64?

    public init(id: String, name: String, due: Instant, createdAt: Instant, host: String) {
        self.id = id
        self.name = name
        self.due = due
        self.createdAt = createdAt
        self.changedAt = createdAt
        self.host = host
    }

    /// The JSON of `status.json`, with a newline at its end.
    public func json() -> [UInt8] {
        var writer = JSONWriter(reserving: 1024)
        writer.beginObject()
        writer.member("id", id)
        writer.member("name", name)
        writer.member("title", title)
        writer.member("description", description)
        writer.member("task", task)
        writer.member("schedule", schedule)
        writer.member("state", state.rawValue)
        writer.member("reason", reason?.rawValue)
        writer.member("error", error)
        if let errorTail { writer.member("error_tail", errorTail) }
        if let remark { writer.member("remark", remark) }
        writer.member("try", attempt)
        writer.member("tries", tries)
        writer.member("priority", priority)
        writer.member("queue", queue)
        writer.key("tags")
        writer.beginArray()
        for tag in tags { writer.string(tag) }
        writer.endArray()
        writer.key("payload")
        if let payload { writer.raw(payload) } else { writer.null() }
        writer.member("due", due)
        writer.member("created_at", createdAt)
        writer.member("scheduled_at", scheduledAt)
        writer.member("started_at", startedAt)
        writer.member("ended_at", endedAt)
        writer.member("changed_at", changedAt)
        writer.member("not_before", notBefore)
        writer.member("deadline", deadline)
        writer.member("exit_code", exitCode)
        writer.member("signal", signal.map(Int.init))
        writer.key("progress")
        if let progress { progress.write(to: &writer) } else { writer.null() }
        writer.key("result")
        if let result { writer.raw(result) } else { writer.null() }
        writer.key("usage")
        if let usage {
            writer.beginObject()
            writer.key("wall_s")
            writer.seconds(usage.wallMilliseconds)
            writer.key("user_s")
            writer.seconds(usage.userMilliseconds)
            writer.key("sys_s")
            writer.seconds(usage.systemMilliseconds)
            writer.key("max_rss_bytes")
            writer.integer(usage.maxRSSBytes)
            writer.endObject()
        } else {
            writer.null()
        }
        writer.member("delay_ms", startedAt.map { Int($0.milliseconds - due.milliseconds) })
        writer.member("pid", pid.map(Int.init))
        writer.member("host", host)
        writer.member("retry_of", retryOf)
        writer.member("parent", parent)
        if let overdueTask { writer.member("overdue_task", overdueTask) }
        writer.key("waits_for")
        writer.beginArray()
        for id in waitsFor { writer.string(id) }
        writer.endArray()
        writer.member("earlier_tries", earlierTries)
        if needsNoSlot { writer.member("needs_no_slot", true) }
        if let executor { writer.member("executor", executor) }
        if let remote {
            writer.key("remote")
            remote.write(to: &writer)
        }
        writer.member("moved", moved)
        writer.key("paths")
        writer.beginArray()
        for path in paths { writer.string(path) }
        writer.endArray()
        writer.member("keep_ms", keepMilliseconds.map(Int.init))
        writer.endObject()
        var bytes = writer.bytes
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }
}

extension JSONWriter {
    public mutating func member(_ key: String, _ value: String?) {
        self.key(key)
        if let value { string(value) } else { null() }
    }

    public mutating func member(_ key: String, _ value: Int?) {
        self.key(key)
        if let value { integer(Int64(value)) } else { null() }
    }

    public mutating func member(_ key: String, _ value: Instant?) {
        self.key(key)
        if let value { instant(value) } else { null() }
    }

    public mutating func member(_ key: String, _ value: Bool) {
        self.key(key)
        boolean(value)
    }

    public mutating func instant(_ value: Instant) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(26)
        bytes.append(UInt8(ascii: "\""))
        value.appendRFC3339(to: &bytes)
        bytes.append(UInt8(ascii: "\""))
        raw(bytes)
    }

    /// Milliseconds as seconds with three digits. Exact, unlike a Double. Must not be negative.
    public mutating func seconds(_ milliseconds: Int64) {
        let rest = String(milliseconds % 1000)
        raw(Array("\(milliseconds / 1000).\(String(repeating: "0", count: 3 - rest.utf8.count))\(rest)".utf8))
    }
}
