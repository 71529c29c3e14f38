/// The work for the daemon, in this order: create the files of pauses, write and sync the records, move each job to its place,
/// start, stop, call executors, ask programs.
public struct Turn {
    public enum Stop: Sendable {
        /// `stop_signal`, and SIGKILL after `kill_after`.
        case politely
        case kill
        case signal(Int32)
    }

    public var records: [(at: Instant, record: Record)] = []
    /// Pauses whose files must exist before the record of the pause: a missing file would mean that the pause is over.
    public var pauses: [(scope: PauseScope, note: String)] = []
    public var places: [Job] = []
    /// Jobs whose status has changed without a move.
    public var moved: [Job] = []
    public var starts: [Job] = []
    public var stops: [(job: Job, how: Stop)] = []
    /// Calls of executors.
    public var calls: [ExecutorCall] = []
    /// The ends of runs that executors had, which become events.
    public var remoteEnds: [(id: JobID, attempt: Int, result: RunResult)] = []
    /// Questions to programs that compute the due times of schedules.
    public var questions: [Question] = []
    /// Definitions that were read but cannot be accepted.
    public var refusals: [Refusal] = []

    /// The reason why a definition cannot be accepted.
    public struct Refusal: Sendable {
        /// Its path without ending: `tasks/backup`, `schedules/k3f9ab`.
        public var file: String
        /// The ending of the file, if a position in its text is known.
        public var ending: String?
        /// `3:8: at 2020-01-01T00:00:00.000Z is in the past`, or the same without a position.
        public var why: String
    }

    public var isEmpty: Bool {
        records.isEmpty && places.isEmpty && starts.isEmpty && stops.isEmpty && questions.isEmpty && refusals.isEmpty
            && calls.isEmpty && remoteEnds.isEmpty
    }
}
