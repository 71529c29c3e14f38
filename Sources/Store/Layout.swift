// The names in a spool, in one place.

import WorkerProtocol

public enum Layout {
    public static let tasks = "tasks"
    public static let schedules = "schedules"
    public static let patterns = "patterns"
    public static let temporary = "tmp"
    public static let new = "new"
    public static let running = "running"
    public static let done = "done"
    public static let failed = "failed"
    public static let control = "control"
    public static let journal = "journal"
    public static let state = "state"
    /// One record file per worker, by which a run's end outlives the daemon.
    public static let workers = "state/workers"
    /// Which job holds a key of `unique`.
    public static let unique = "state/unique"
    /// A file for each daemon that waits for the lock; made by the first that does.
    public static let standby = "state/standby"
    public static let lock = "state/lock"
    public static let format = "state/format"
    public static let daemonStatus = "state/status.json"

    /// In a spool that serves everybody: the spool of each user but root, `users/NAME`, put together of links to the directories
    /// of that name in `new/`, `tasks/` and so on, and of what concerns nobody else.
    public static let users = "users"
    /// Where a user may make the directory of her own name, and everybody else's stay out of reach.
    public static let shared = [new, tasks, schedules, control, temporary]

    public static let directories = [
        tasks, schedules, patterns, temporary, new, running, done, failed, control, journal, state, workers, unique,
    ]

    /// What `state/format` holds: the format of the spool that these programs read and write.
    public static let formatText = "spoold spool format 1\n"

    /// What the header of each segment of the journal says. Format 2 may hold keys that a program of format 1 refuses: a table at `unique`,
    /// `fallback`; and records `moved` and `remarked`.
    public static let journalFormat = "2"
    /// Segments of these formats are read; a new one is begun at each start.
    public static let journalFormatsRead = ["1", "2"]

    public static let statusFile = "status.json"
    public static let outputFile = "stdout"
    public static let errorFile = "stderr"
    public static let payloadFile = "payload"
    public static let scriptFile = "script"
    /// The standard input that a job brought along.
    public static let inputFile = "stdin"
    public static let resultFile = "result"
    public static let progressFile = "progress"

    public static func directory(_ state: JobState) -> String { state.rawValue }

    public static func directory(of id: JobID, _ state: JobState) -> String { "\(state.rawValue)/\(id.text)" }

    /// Where a job's directory stands before it is whole, and while it is removed: nobody takes a name that begins with a dot for a job.
    public static func aside(of id: JobID, _ state: JobState) -> String { "\(state.rawValue)/.\(id.text)" }

    /// Whether a name in one of the directories of jobs is such a one. What is left there when the daemon ends is litter.
    public static func isAside(_ name: String) -> Bool { name.utf8.first == UInt8(ascii: ".") && JobID(name.dropFirst()) != nil }
}
