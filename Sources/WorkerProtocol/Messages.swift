// WorkerProtocol: the messages between the daemon and a worker, as values and as bytes.
//
// A worker serves one run at a time. Its descriptor 3 is one end of a stream socket pair. The daemon writes Commands, and the
// worker writes one Report for each `run`. The worker also keeps a WorkerRecord in a file of its own, so that the state of a run
// survives the daemon. All code here is a function of its arguments, and bytes from outside never trap: unreadable frames throw a
// ProtocolError, unreadable records give nil.

/// One try of one job, with everything that the worker needs: the worker looks nothing up.
public struct RunRequest: Sendable, Equatable {
    public var jobID: String
    /// The try's number, from 1.
    public var attempt: Int
    /// The absolute path of the job's directory. The output files are created there.
    public var jobDirectory: String
    /// The command and its arguments. A command without a slash is searched in the PATH of `environment`. A relative command with
    /// a slash is relative to `workingDirectory`.
    public var arguments: [String]
    /// `NAME=value`: exactly the environment of the job, except for the variables that ``environmentFile`` adds.
    public var environment: [String]
    /// The absolute path of a file of `KEY=value` lines, which is read before the command begins. Its variables replace the first
    /// ``replaceable`` ones of `environment`. The other variables of `environment` override the file.
    public var environmentFile: String?
    public var replaceable: Int
    /// The variable of the worker's own environment with the variables of its session, one a line. They replace the replaceable ones too,
    /// before those of the file do.
    public static let sessionVariable = "SPOOL_SESSION"
    public var workingDirectory: String
    public var umask: UInt32
    /// The file for standard input, relative to `workingDirectory` unless absolute. Nil means /dev/null.
    public var stdin: String?
    /// The file in the job's directory for standard output. It is emptied first. If both names are the same, both outputs share
    /// one file.
    public var stdoutName: String
    public var stderrName: String
    /// The limit on the whole run. 0 means no limit.
    public var timeoutMilliseconds: Int64
    /// The signal that asks the job to end, at the limit or when it is stopped.
    public var stopSignal: Int32
    /// The time from `stopSignal` to SIGKILL, for all processes of the job.
    public var killAfterMilliseconds: Int64
    /// True to end the processes that the command leaves running. After the limit or a stop they are always ended.
    public var killsLeftovers: Bool
    /// The maximum size of each output file in bytes. 0 means no limit. In a larger file the middle is left out, and a line in
    /// the file says so.
    public var outputLimitBytes: Int64
    /// The limits and priorities that apply to the command. See ``Confinement``.
    public var confinement: [Confinement]
    /// Replacements for a directory, command or file that is missing.
    public var substitutes = Substitutes()
    /// The journal that gets the lines of the output too. Nil when none does.
    public var journal: JournalTarget?
    /// True to report the output to the daemon too.
    public var reportsOutput = false
    /// True to say in each report of output where its bytes end in the file.
    public var reportsOutputEnds = false

    public init(
        jobID: String, attempt: Int, jobDirectory: String, arguments: [String], environment: [String],
        workingDirectory: String, umask: UInt32 = 0o022, stdin: String? = nil, stdoutName: String = "stdout",
        stderrName: String = "stderr", timeoutMilliseconds: Int64 = 0, stopSignal: Int32 = 15,
        killAfterMilliseconds: Int64 = 10_000, killsLeftovers: Bool = false, outputLimitBytes: Int64 = 0, confinement: [Confinement] = [],
        environmentFile: String? = nil, replaceable: Int = 0
    ) {
        self.jobID = jobID
        self.attempt = attempt
        self.jobDirectory = jobDirectory
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.umask = umask
        self.stdin = stdin
        self.stdoutName = stdoutName
        self.stderrName = stderrName
        self.timeoutMilliseconds = timeoutMilliseconds
        self.stopSignal = stopSignal
        self.killAfterMilliseconds = killAfterMilliseconds
        self.killsLeftovers = killsLeftovers
        self.outputLimitBytes = outputLimitBytes
        self.confinement = confinement
        self.environmentFile = environmentFile
        self.replaceable = replaceable
    }
}

/// Where the lines of a run's output go besides its files.
public struct JournalTarget: Sendable, Equatable {
    /// The path of journald's socket.
    public var socket: String
    /// `NAME=value`: the fields of each message besides the line.
    public var fields: [String]

    public init(socket: String, fields: [String]) {
        self.socket = socket
        self.fields = fields
    }
}

/// Replacements that let a run begin when it cannot begin as requested. The worker reports each use in a
/// ``Report/remark(jobID:attempt:_:)``.
public struct Substitutes: Sendable, Equatable {
    /// Absolute paths. The first directory that can be entered replaces a `workingDirectory` that cannot.
    public var directories: [String] = []
    /// The command that replaces that of `arguments` if it cannot be started. Empty means none.
    public var arguments: [String] = []
    /// True to leave out an `environmentFile` that cannot be read.
    public var leavesOutEnvironmentFile = false

    public init() {}
}

/// One restriction that a process puts on itself, or another thing that it does, before it becomes the job's command. Its text form is an
/// argument of `spool-worker --confine`.
public enum Confinement: Sendable, Equatable {
    /// nice(2): the command's nice value, -20 to 19. It replaces the daemon's value.
    case nice(Int)
    /// ioprio_set(2): the class and the level as one number.
    case ioPriority(Int)
    /// setrlimit(2), soft and hard: the resource's number and the value. Nil means unlimited.
    case limit(resource: Int, UInt64?)
    /// The directory of a cgroup to enter. Empty means that the cgroup is open already.
    case cgroup(String)
    /// The message of `SystemLog` that the process sends into the system's log before it becomes the command.
    case logged(String)

    /// The last of a run's remarks when the message was lost.
    public static let unlogged = "the system's log is full, so the start of the command is not in it"

    public var text: String {
        switch self {
        case .nice(let value): "nice=\(value)"
        case .ioPriority(let value): "ioprio=\(value)"
        case .limit(let resource, let value): "rlimit=\(resource):\(value.map(String.init) ?? "unlimited")"
        case .cgroup(let directory): "cgroup=\(directory)"
        case .logged(let message): "logged=\(message)"
        }
    }

    /// Returns nil for a text that is not a confinement.
    public init?(_ text: String) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else { return nil }
        switch parts[0] {
        case "nice":
            guard let value = Int(parts[1]) else { return nil }
            self = .nice(value)
        case "ioprio":
            guard let value = Int(parts[1]) else { return nil }
            self = .ioPriority(value)
        case "rlimit":
            let values = parts[1].split(separator: ":", omittingEmptySubsequences: false)
            guard values.count == 2, let resource = Int(values[0]) else { return nil }
            if values[1] == "unlimited" {
                self = .limit(resource: resource, nil)
            } else {
                guard let value = UInt64(values[1]) else { return nil }
                self = .limit(resource: resource, value)
            }
        case "cgroup": self = .cgroup(parts[1])
        case "logged": self = .logged(parts[1])
        default: return nil
        }
    }
}

/// The commands of the daemon to a worker. All but `run` concern the current run. They do nothing when there is none: the run may
/// have ended while the command was on its way.
public enum Command: Sendable, Equatable {
    /// Start this run. A worker with a current run answers with a `spawnFailed` of EBUSY.
    case run(RunRequest)
    /// Send this signal to the job's process group.
    case signal(Int32)
    /// Ask all processes of the run to end with the stop signal, and kill the rest after this time. Nil means the run's own
    /// `killAfterMilliseconds`.
    case stop(killAfterMilliseconds: Int64?)
    /// The daemon has taken up one ``Report/output(_:)`` of this many bytes. This is not about the current run alone.
    case outputTaken(Int)
}

/// The reports of a worker to the daemon.
public enum Report: Sendable, Equatable {
    /// The run has lasted a moment, and its command is this process. Short runs, which are the most common, send no such report.
    case running(jobID: String, attempt: Int, pid: Int32)
    case ended(RunEnd)
    /// The run has begun with one or several of its ``Substitutes``: what was missing and why, and what replaced it.
    case remark(jobID: String, attempt: Int, String)
    /// The worker could not become its user, or could not write its record, and ends. It has begun no run and will begin none.
    case cannotServe(errno: Int32, message: String)
    /// Lines of the output of a run that reports it. The run may have ended.
    case output(Output)
    /// No more output of the try follows. This many bytes were not reported, because the daemon did not take them in time.
    case outputEnded(jobID: String, attempt: Int, leftOutBytes: Int64)

    public struct Output: Sendable, Equatable {
        /// The number of reports of output that a worker sends at most before the daemon has confirmed the first of them, by
        /// ``Command/outputTaken(_:)``.
        public static let unconfirmedMax = 64

        public var jobID: String
        public var attempt: Int
        /// The name of the file.
        public var stream: String
        /// True when the bytes are a part of a line that continues. Otherwise they are whole lines, without the end of the last one.
        public var isPartial: Bool
        public var bytes: [UInt8]
        /// The number of bytes in the file up to here. These are reported or are NULs. Nil when the request has not asked for it.
        public var end: Int64?

        public init(jobID: String, attempt: Int, stream: String, isPartial: Bool, bytes: [UInt8], end: Int64?) {
            self.jobID = jobID
            self.attempt = attempt
            self.stream = stream
            self.isPartial = isPartial
            self.bytes = bytes
            self.end = end
        }
    }
}

/// The end of a process, as wait(2) reports it.
public enum ExitStatus: Sendable, Equatable {
    case exited(code: Int32)
    case signaled(number: Int32, coreDumped: Bool)
}

/// The end of a run.
public struct RunEnd: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        case exited(code: Int32)
        case signaled(number: Int32, coreDumped: Bool)
        /// The time limit expired. The value is how the command then ended.
        case timedOut(ExitStatus)
        /// The command that gave the standard input ended before the end of the input. The value is how the job's command then
        /// ended.
        case inputBroke(ExitStatus)
        /// The command did not start: the error number, and a sentence with the failed action and its object.
        case spawnFailed(errno: Int32, message: String)
    }

    public var jobID: String
    public var attempt: Int
    public var kind: Kind
    /// Wall clock, milliseconds since the epoch.
    public var startedAt: Int64
    /// Wall clock, milliseconds since the epoch; before `startedAt` when the clock was set back.
    public var endedAt: Int64
    /// Duration by the monotonic clock.
    public var wallMilliseconds: Int64
    /// Processor time of the command and the children it waited for.
    public var userMilliseconds: Int64
    public var systemMilliseconds: Int64
    /// The largest resident set of a single one of these processes.
    public var maxRSSBytes: Int64
    /// The processes that the command left running and that are now children of the worker: those that survived all signals.
    public var leftovers: Int
    /// The pid of the command. 0 when the command did not start.
    public var pid: Int32

    public init(
        jobID: String, attempt: Int, kind: Kind, startedAt: Int64, endedAt: Int64, wallMilliseconds: Int64 = 0,
        userMilliseconds: Int64 = 0, systemMilliseconds: Int64 = 0, maxRSSBytes: Int64 = 0, leftovers: Int = 0,
        pid: Int32 = 0
    ) {
        self.jobID = jobID
        self.attempt = attempt
        self.kind = kind
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.wallMilliseconds = wallMilliseconds
        self.userMilliseconds = userMilliseconds
        self.systemMilliseconds = systemMilliseconds
        self.maxRSSBytes = maxRSSBytes
        self.leftovers = leftovers
        self.pid = pid
    }
}
