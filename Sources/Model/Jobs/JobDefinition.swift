/// The content of a job file: the command, its input and environment, its order among other jobs, and the consequences of its
/// end.
///
/// A class, because a definition is read once, never changes, and is shared by all parts that know the job.
public final class JobDefinition: Sendable {
    public enum Action: Sendable, Equatable {
        /// A command with its arguments, run without a shell.
        case arguments([String])
        /// A shell command.
        case line(String)
        /// The text of a script, run from a file in the job's directory.
        case script(String)
        /// The dropped file itself is the program.
        case droppedScript
    }

    public let action: Action
    /// The name of the job for people: one line, which may contain blanks. See `TableReader.title`.
    public let title: String?
    public let description: String?
    /// Encoded as JSON, at most `payloadBytesMax` long.
    public let payload: [UInt8]?
    /// Nil means the payload, or what came with the job.
    public let standardInput: JobInput?
    public let directory: String?
    public let environment: [(name: String, value: String)]
    public let environmentFile: String?
    /// The program and options before a command line: `["/bin/sh", "-c"]`.
    public let shell: [String]
    public let umask: UInt32?
    /// The user as whom it runs. Nil means the spool's owner.
    public let user: Account?
    /// Nil means the user's own group.
    public let group: Account?
    /// The restrictions of the command: `nice`, `ionice`, the rlimits of `limits`.
    public let confinement: [Confinement]
    /// The part of `limits` that needs a cgroup. Nil when there is none.
    public let cgroupLimits: CgroupLimits?
    /// The number of bytes of each output stream that are kept.
    public let outputLimitBytes: Int64?
    /// Standard error goes to the file of standard output, in the order in which the command writes.
    public let combinesOutput: Bool
    public let output: OutputRule
    /// The executor of the job, and the keys for it. Nil when the job has none of them.
    public let executorKeys: ExecutorKeys?

    public let start: Instant?
    public let queue: String
    /// The queue of a job that names none.
    public static let defaultQueue = "default"
    public let priority: Int
    public let tags: [String]
    public let deadline: Deadline?
    public let overlap: Overlap
    /// At most one of the jobs with a common name here runs at a time.
    public let locks: [String]
    public let after: After?
    /// A key that only one job can hold at a time.
    public let unique: Unique?

    public let timeoutMilliseconds: Int64?
    public let killAfterMilliseconds: Int64
    public let stopSignal: Int32
    public let success: [Int]
    public let tries: Int
    public let backoff: Backoff
    public let retryOn: RetryRule
    public let onCrash: CrashRule
    public let leftovers: LeftoverRule
    /// The time for which the record is kept, in milliseconds. Nil means as configured.
    public let keepMilliseconds: Int64?
    /// The number of records of the task that are kept. Nil means all.
    public let keepCount: Int?
    /// The actions that are started when the job starts, is slow or ends.
    public let followUps: [FollowUp]
    /// Nil when the job has none of their keys.
    public let notices: NoticeRules?
    /// The job runs even when its directory, `env_file`, shell or user is missing, with replacements for them.
    public let fallsBack: Bool
    /// The task is paused when the last try has failed.
    public let pausesOnFailure: Bool

    /// True when the definition names a user or a group, possibly another one than the spool's owner.
    public var isForAnother: Bool { user != nil || group != nil }

    public static let payloadBytesMax = 256 << 10

    /// The keys of a job, in the order of the manual.
    public static let keys = [
        "command", "script", "task", "title", "description", "payload", "stdin", "directory", "env", "env_file", "shell", "umask", "nice",
        "ionice", "limits",
        "user", "group", "fallback", "executor", "resources", "executor_args", "host",
        "start", "queue", "priority", "tags", "deadline", "overlap", "locks", "after", "unique", "timezone", "timeout", "kill_after",
        "stop_signal",
        "success", "tries", "backoff", "retry_on", "on_crash", "leftovers", "keep", "output_limit", "combine_output", "output",
        "expect", "on_overdue", "pause_on_failure", "on_start", "on_success", "on_failure", "on_end", "on_recovery", "mail", "notify_after",
        "notify_every", "slow", "on_slow", "min_run",
    ]

    /// Reads a job's table. With `isScript` the file itself is the program, so it may not name another.
    public static func read(
        _ table: Table, isScript: Bool = false, _ context: ReadingContext
    ) throws(Problems) -> JobDefinition {
        var reader = TableReader(table, context)
        let definition = JobDefinition(&reader, isScript: isScript)
        for key in TaskDefinition.expectationKeys {
            if let value = reader.value(key) { reader.fail(value.position, "\(key) is a key of tasks; a job has no runs to expect") }
        }
        reader.finish()
        guard reader.problems.isEmpty else { throw Problems(reader.problems) }
        return definition
    }

    /// A placeholder for a definition that could not be read. It is never run.
    public static let unusable: JobDefinition = {
        var table = Table()
        table.set("command", Value(.string(":"), at: Position(line: 1, column: 1)))
        var reader = TableReader(table, ReadingContext(now: Instant(milliseconds: 0), zones: ZoneDatabase()))
        return JobDefinition(&reader, isScript: false)
    }()

    init(_ reader: inout TableReader, isScript: Bool) {
        action = reader.action(isScript: isScript)
        title = reader.title("title")
        description = reader.string("description")
        payload = reader.payload("payload")
        standardInput = reader.standardInput("stdin")
        directory = reader.string("directory")
        environment = reader.environment("env")
        environmentFile = reader.string("env_file")
        shell = reader.shell("shell")
        umask = reader.umask("umask")
        user = reader.user("user")
        group = reader.group("group")
        fallsBack = reader.boolean("fallback") ?? false
        let priorities = [reader.nice("nice"), reader.ioPriority("ionice")].compactMap { $0 }
        let limits = reader.limits("limits")
        confinement = priorities + limits.resources
        cgroupLimits = limits.cgroup
        outputLimitBytes = reader.outputLimit("output_limit")
        combinesOutput = reader.boolean("combine_output") ?? false
        output = reader.choice("output", as: OutputRule.self) ?? .files
        executorKeys = ExecutorKeys.read(&reader)
        let zone = reader.zone("timezone") ?? reader.context.zone
        start = reader.instant("start", zone: zone)
        queue = reader.name("queue") ?? Self.defaultQueue
        priority = reader.integer("priority", in: -1000...1000) ?? 0
        tags = reader.strings("tags") ?? []
        deadline = reader.deadline("deadline", zone: zone)
        overlap = reader.choice("overlap", as: Overlap.self) ?? .wait
        locks = reader.names("locks")
        after = reader.after("after")
        unique = reader.unique("unique")
        timeoutMilliseconds = reader.milliseconds("timeout")
        killAfterMilliseconds = reader.milliseconds("kill_after") ?? 10_000
        stopSignal = reader.signal("stop_signal") ?? 15
        success = reader.exitCodes("success") ?? [0]
        tries = reader.integer("tries", in: 1...1_000_000) ?? 1
        backoff = reader.backoff("backoff")
        retryOn = reader.retryRule("retry_on")
        onCrash = reader.choice("on_crash", as: CrashRule.self) ?? .fail
        leftovers = reader.choice("leftovers", as: LeftoverRule.self) ?? .leave
        (keepMilliseconds, keepCount) = reader.keep("keep")
        followUps = reader.followUps()
        notices = NoticeRules(&reader)
        pausesOnFailure = reader.boolean("pause_on_failure") ?? false
        if payload != nil, standardInput != nil, let value = reader.table["stdin"] {
            reader.fail(value.position, "stdin and payload both claim the job's standard input", hint: "keep one of them")
        }
    }
}

// MARK: - The values of keys

/// The standard input that a job's file names.
public enum JobInput: Sendable, Equatable {
    case file(String)
    /// The input itself.
    case text(String)

    public var path: String? { if case .file(let path) = self { path } else { nil } }
}

/// The job fails with `deadline` if it has not started by then.
public enum Deadline: Sendable, Hashable {
    /// Milliseconds from the due or submission instant.
    case after(Int64)
    case at(Instant)

    public func instant(due: Instant) -> Instant {
        switch self {
        case .after(let milliseconds): due.advanced(byMilliseconds: milliseconds)
        case .at(let instant): instant
        }
    }
}

/// The treatment of a due time while an earlier run of the task has not ended.
public enum Overlap: String, Sendable, CaseIterable { case wait, queue, skip, allow, replace }

/// The treatment of a run whose end was not recorded.
public enum CrashRule: String, Sendable, CaseIterable { case fail, retry }

/// The treatment of processes that a command leaves running.
public enum LeftoverRule: String, Sendable, CaseIterable { case leave, kill }

/// Where a job's output goes: to its files, or to the journal too.
public enum OutputRule: String, Sendable, CaseIterable { case files, journal }

/// The waiting time between tries.
public struct Backoff: Sendable, Hashable {
    public var initialMilliseconds: Int64 = 10_000
    public var factor = 1.0
    public var maxMilliseconds: Int64 = 3_600_000
    /// The fraction by which a waiting time may be longer or shorter, 0 to 1.
    public var jitter = 0.0

    public init() {}

    /// The waiting time after try number `attempt` (from 1) in milliseconds. `seed` decides the random part.
    public func milliseconds(afterTry attempt: Int, seed: UInt64) -> Int64 {
        var wait = Double(initialMilliseconds)
        // Stop at the maximum, so that a million tries do not need a million multiplications and nothing overflows.
        var step = 1
        while step < attempt, factor > 1, wait < Double(maxMilliseconds) {
            wait *= factor
            step += 1
        }
        wait = min(wait, Double(maxMilliseconds))
        if jitter > 0 {
            let fraction = Double(seed >> 11) / Double(1 << 53)
            wait *= 1 + jitter * (2 * fraction - 1)
        }
        return Int64(wait)
    }
}

/// The failures that lead to another try.
public struct RetryRule: Sendable, Hashable {
    public enum Kind: String, Sendable, CaseIterable { case exit, timeout, signal, spawn, lost, short }

    /// Nil means any failure except `lost`, which is only retried when listed here or requested by `on_crash`.
    public var kinds: Set<Kind>?
    public var exitCodes: Set<Int> = []

    public init() {}

    public func includes(_ kind: Kind, exitCode: Int?) -> Bool {
        guard let kinds else { return kind != .lost }
        if kind == .exit, let exitCode, exitCodes.contains(exitCode) { return true }
        return kinds.contains(kind)
    }
}
