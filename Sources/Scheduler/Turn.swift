/// What the daemon has to do, in this order: make the pauses' files, write the records and sync them, bring each job to its
/// place, start, stop, ask.
public struct Turn {
    public enum Stop: Sendable {
        /// `stop_signal`, and SIGKILL after `kill_after`.
        case politely
        case kill
        case signal(Int32)
    }

    public var records: [(at: Instant, record: Record)] = []
    /// Pauses whose files are to be there before a record says that they are: a missing one would mean the pause is over.
    public var pauses: [(scope: PauseScope, note: String)] = []
    public var places: [Job] = []
    /// Jobs whose status says something new where they stand.
    public var moved: [Job] = []
    public var starts: [Job] = []
    public var stops: [(job: Job, how: Stop)] = []
    /// Questions to programs that decide when a schedule is due.
    public var questions: [Question] = []
    /// Definitions that were read but cannot be taken.
    public var refusals: [Refusal] = []

    /// Why a definition cannot be taken.
    public struct Refusal: Sendable {
        /// Its path without ending: `tasks/backup`, `schedules/k3f9ab`.
        public var file: String
        /// The ending of the file, where a place in its text is known.
        public var ending: String?
        /// `3:8: at 2020-01-01T00:00:00.000Z is in the past`, or without a place.
        public var why: String
    }

    public var isEmpty: Bool {
        records.isEmpty && places.isEmpty && starts.isEmpty && stops.isEmpty && questions.isEmpty
            && refusals.isEmpty
    }
}
