// The questions of the scheduler to an executor, and the answers.

import ExecutorProtocol

/// One call of an executor's program, for jobs of one user.
public struct ExecutorCall {
    public enum Verb: String, Sendable, CaseIterable { case submit, poll, find, cancel, signal, extend }

    /// One run that the call is about.
    public struct Item {
        public let job: Job
        public let attempt: Int
        /// The number of the run's files when it was asked about. The job may have ended, or begun again, when the answer comes.
        public let runNumber: Int
        /// The engine's name for the run. Nil when it is not known.
        public var handle: String?
        /// `cancel`: end all its processes at once.
        public var force = false
        /// `signal`: the number of the signal.
        public var signal: Int32?
        /// `extend`: the time by which the limit moves.
        public var byMilliseconds: Int64?

        init(_ run: RemoteRun) {
            job = run.job
            attempt = run.attempt
            runNumber = run.job.runNumber
            handle = run.handle
        }
    }

    /// Each call has a number of its own.
    public let number: UInt64
    public let executor: String
    public let verb: Verb
    public let items: [Item]

    /// The number of jobs in one call of `submit`.
    static let submitMax = 100
    /// The number of runs in any other call: so the answers about them are not more than what is read of one call's output.
    static let itemsMax = 10_000
}

/// The result of a call: an answer for each item that was answered.
public struct ExecutorReply: Sendable {
    public let number: UInt64
    public var answers: [ExecutorAnswer]
    /// The fault of the call as a whole, for people. Nil when there was none.
    public var failure: String?
    /// The marks of the runs that no answer shows alive, read after the answers.
    public var marks: [JobID: RemoteMarks] = [:]

    public init(number: UInt64, answers: [ExecutorAnswer], failure: String? = nil) {
        self.number = number
        self.answers = answers
        self.failure = failure
    }
}

/// The answer about one run.
public struct ExecutorAnswer: Sendable {
    public enum Kind: Sendable, Hashable {
        /// `submit`: the engine has it under this handle.
        case submitted
        /// Certainly not done. It can be asked again.
        case later
        /// Never will be done.
        case refused
        /// Possibly done.
        case unknown
        /// `poll`, `find`: what the engine says. `cancel`, `signal`, `extend`: it was passed on.
        case state(EngineState)
        case asked
    }

    public let id: JobID
    public let attempt: Int
    public let kind: Kind
    public var handle: String?
    public var message: String?
    public var report = EngineReport()

    public init(_ id: JobID, attempt: Int, _ kind: Kind) {
        self.id = id
        self.attempt = attempt
        self.kind = kind
    }
}

/// The facts that an engine gives about a run beside its state.
public struct EngineReport: Sendable, Hashable {
    /// The engine's word for the reason why a run does not start.
    public var why: String?
    /// The number of runs before it in the engine's queue.
    public var position: Int?
    public var host: String?
    public var exitCode: Int?
    public var signal: Int32?
    /// The reason for which a run ended.
    public var reason: EndReason?

    public init() {}
}

/// The marks of a run in its job's directory.
public struct RemoteMarks: Sendable, Hashable {
    /// The run has begun, or was kept from beginning.
    public var hasStarted: Bool
    /// The host that says so.
    public var host: String?
    /// A number that changes with each sign of life.
    public var beat: UInt64?
    public var end: RemoteEnd?

    public init(hasStarted: Bool = false, host: String? = nil, beat: UInt64? = nil, end: RemoteEnd? = nil) {
        self.hasStarted = hasStarted
        self.host = host
        self.beat = beat
        self.end = end
    }
}

/// The content of a run's end mark.
public struct RemoteEnd: Sendable, Hashable {
    public enum How: Sendable, Hashable {
        case exited(Int)
        case signaled(Int32)
        case timedOut(exitCode: Int?, signal: Int32?)
        case notStarted(String, exitCode: Int?)
        /// A cancel came first, and the run never will begin.
        case neverBegan
    }

    public var how: How
    /// The duration of the run by the clock of its host.
    public var wallMilliseconds: Int64?
    public var userMilliseconds: Int64?
    public var systemMilliseconds: Int64?

    public init(_ how: How) { self.how = how }
}
