// WorkerProtocol: what the daemon and a worker say to each other, as values and as bytes.
//
// A worker serves one run at a time. Its descriptor 3 is one end of a stream socket pair; the daemon writes Commands,
// the worker writes one Report for each `run`. The worker also keeps a WorkerRecord in a file of its own, by which
// a run's truth outlives the daemon. Everything here is a function of its arguments, and bytes from outside never trap:
// what cannot be read is a ProtocolError (frames) or nil (records).

/// One try of one job, complete: the worker looks nothing up.
public struct RunRequest: Sendable, Equatable {
    public var jobID: String
    /// The try's number, from 1.
    public var attempt: Int
    /// Absolute path of the job's directory, where the output files are made.
    public var jobDirectory: String
    /// The command and its arguments. A command without a slash is searched in the PATH of `environment`; one with a slash and
    /// not absolute is relative to `workingDirectory`.
    public var arguments: [String]
    /// `NAME=value`, exactly what the job gets, but for what ``environmentFile`` adds.
    public var environment: [String]
    /// A file of `KEY=value` lines to read before the command begins, absolute. They take the place of the first ``replaceable``
    /// of `environment`, and give way to the others.
    public var environmentFile: String?
    public var replaceable: Int
    public var workingDirectory: String
    public var umask: UInt32
    /// File for standard input, relative to `workingDirectory` unless absolute; nil is /dev/null.
    public var stdin: String?
    /// File in the job's directory for standard output, emptied first. The same name for both makes one file of both.
    public var stdoutName: String
    public var stderrName: String
    /// Limit on the whole run; 0 is none.
    public var timeoutMilliseconds: Int64
    /// Signal that asks the job to end, at the limit or when stopped.
    public var stopSignal: Int32
    /// From `stopSignal` to SIGKILL, for all that the job started.
    public var killAfterMilliseconds: Int64
    /// Whether what the command left running is ended when it ends; what it left after its limit or a stop always is.
    public var killsLeftovers: Bool
    /// How much of each output file is kept, in bytes; 0 is all. Past it the middle is dropped, which the file then says.
    public var outputLimitBytes: Int64
    /// What the command is confined to before it begins; see ``Confinement``.
    public var confinement: [Confinement]
    /// What takes the place of what is not to be had.
    public var substitutes = Substitutes()

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

/// What a run is begun with where it cannot be begun as asked for. Each use of one is told of in a ``Report/remark(jobID:attempt:_:)``.
public struct Substitutes: Sendable, Equatable {
    /// Directories, absolute: the first that can be entered takes the place of the `workingDirectory` that cannot.
    public var directories: [String] = []
    /// A command, for when that of `arguments` cannot be started; empty: none.
    public var arguments: [String] = []
    /// An `environmentFile` that cannot be read is left out.
    public var leavesOutEnvironmentFile = false

    public init() {}
}

/// One thing that a process does to itself before it becomes the job's command. As a text it is an argument of
/// `spool-worker --confine`.
public enum Confinement: Sendable, Equatable {
    /// nice(2), -20 to 19, added to nothing: the command's own.
    case nice(Int)
    /// ioprio_set(2): class and level in one number.
    case ioPriority(Int)
    /// setrlimit(2), soft and hard: the resource's number and its value; nil is no limit.
    case limit(resource: Int, UInt64?)
    /// The directory of a cgroup to enter; empty: it is open already.
    case cgroup(String)

    public var text: String {
        switch self {
        case .nice(let value): "nice=\(value)"
        case .ioPriority(let value): "ioprio=\(value)"
        case .limit(let resource, let value): "rlimit=\(resource):\(value.map(String.init) ?? "unlimited")"
        case .cgroup(let directory): "cgroup=\(directory)"
        }
    }

    /// Nil for a text that is none.
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
        default: return nil
        }
    }
}

/// What the daemon tells a worker. All but `run` concern the run in progress, and do nothing when there is none: it may
/// have ended while they were on their way.
public enum Command: Sendable, Equatable {
    /// Start this. A worker that is running something answers with a `spawnFailed` of EBUSY.
    case run(RunRequest)
    /// Send this signal to the job's process group.
    case signal(Int32)
    /// Ask everything that the job started to end with its stop signal, and kill what is left of it after so long; nil is the run's own
    /// `killAfterMilliseconds`.
    case stop(killAfterMilliseconds: Int64?)
}

/// What a worker tells the daemon.
public enum Report: Sendable, Equatable {
    /// The run has lasted a moment and its command is this process. Short runs, which are the many, are not told of.
    case running(jobID: String, attempt: Int, pid: Int32)
    case ended(RunEnd)
    /// The run has begun, and one or several of its ``Substitutes`` with it: what was not to be had and why, and what took its place.
    case remark(jobID: String, attempt: Int, String)
    /// The worker could not become the user it is for, or record a run, and is gone: no run was or will be begun by it.
    case cannotServe(errno: Int32, message: String)
}

/// How a process ended, wait(2).
public enum ExitStatus: Sendable, Equatable {
    case exited(code: Int32)
    case signaled(number: Int32, coreDumped: Bool)
}

/// How a run ended.
public struct RunEnd: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        case exited(code: Int32)
        case signaled(number: Int32, coreDumped: Bool)
        /// The limit struck; how the command then ended.
        case timedOut(ExitStatus)
        /// Whoever gave the standard input ended before the end of the input; how the command then ended.
        case inputBroke(ExitStatus)
        /// The command did not start: error number, and a sentence that says what was being done to what.
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
    /// Largest resident set of any one of them.
    public var maxRSSBytes: Int64
    /// Processes that the command left running, as far as they are the worker's children now: those it left after all killing.
    public var leftovers: Int
    /// The command's process; 0 when it did not start.
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
