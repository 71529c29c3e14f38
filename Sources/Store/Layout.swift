// The names in a spool. They are defined only here.

import WorkerProtocol

public enum Layout {
    public static let tasks = "tasks"
    public static let schedules = "schedules"
    /// No directory: the journal keeps calendars under such names, `calendars/NAME`.
    public static let calendars = "calendars"
    public static let patterns = "patterns"
    public static let temporary = "tmp"
    public static let new = "new"
    public static let running = "running"
    public static let done = "done"
    public static let failed = "failed"
    public static let control = "control"
    public static let journal = "journal"
    public static let state = "state"
    /// One record file for each worker. It preserves a run's end when the daemon has died.
    public static let workers = "state/workers"
    /// Files that record which job holds a key of `unique`.
    public static let unique = "state/unique"
    /// One file for each daemon that waits for the lock. The first such daemon creates the directory.
    public static let standby = "state/standby"
    /// The lines of crontabs that are in force: one file for each crontab. The daemon makes the directory for the first crontab.
    public static let crontabs = "state/crontabs"
    /// The maximum size of such a file.
    static let crontabsBytesMax = 256 << 20
    public static let lock = "state/lock"
    public static let format = "state/format"
    public static let daemonStatus = "state/status.json"
    /// The daemon's metrics for Prometheus.
    public static let metrics = "state/metrics.prom"

    /// In a shared spool, `users/NAME` is the spool of each user except root. It consists of links to the directories of that
    /// name in `new/`, `tasks/` and so on, and of files that concern only that user.
    public static let users = "users"
    /// Directories in which each user may create a directory of the user's own name, and cannot reach those of others.
    public static let shared = [new, tasks, schedules, control, temporary]

    public static let directories = [
        tasks, schedules, patterns, temporary, new, running, done, failed, control, journal, state, workers, unique,
    ]

    /// The content of `state/format`: the format of the spool that these programs read and write.
    public static let formatText = "spoold spool format 1\n"

    /// The format in the header of each journal segment. Format 2 may contain keys that a program of format 1 refuses: a table at
    /// `unique`, `fallback`, `output`; the records `moved` and `remarked`; and the field `crontab` of the records
    /// `defined`, whose task has no file, and `accepted`, whose job needs no slot. Format 3 leaves out fields that the rest of the line
    /// tells, and may contain the field `executor` of the record `accepted`, the record `submitted` and the keys of executors: an older
    /// program would run such a job here, a second time.
    public static let journalFormat = "3"
    /// Segments of these formats are read.
    public static let journalFormatsRead = ["1", "2", "3"]
    static var journalFormatsInWords: String { "\(journalFormatsRead[0]) to \(journalFormat)" }

    public static let statusFile = "status.json"
    public static let outputFile = "stdout"
    public static let errorFile = "stderr"
    public static let payloadFile = "payload"
    public static let scriptFile = "script"
    /// The standard input that a job was submitted with.
    public static let inputFile = "stdin"
    public static let resultFile = "result"
    public static let progressFile = "progress"
    /// Executors of the spool itself.
    public static let executors = "executors"
    /// The marks of the runs that executors have, each with the number of its run: `started.1`.
    public static let startMark = "started"
    public static let beatMark = "beat"
    public static let endMark = "end"

    public static func directory(_ state: JobState) -> String { state.rawValue }

    public static func directory(of id: JobID, _ state: JobState) -> String { "\(state.rawValue)/\(id.text)" }

    /// The place of a job's directory before it is complete, and while it is removed. A name that begins with a dot is never
    /// taken for a job.
    public static func aside(of id: JobID, _ state: JobState) -> String { "\(state.rawValue)/.\(id.text)" }

    /// True when a name in a directory of jobs is such a place. One that is left when the daemon has ended is litter.
    public static func isAside(_ name: String) -> Bool { name.utf8.first == UInt8(ascii: ".") && JobID(name.dropFirst()) != nil }
}
