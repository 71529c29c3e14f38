/// What the daemon has to do, in this order: write the records and sync them, bring each job to its place, start, stop, ask.
public struct Turn {
    public enum Stop: Sendable {
        /// `stop_signal`, and SIGKILL after `kill_after`.
        case politely
        case kill
        case signal(Int32)
    }

    public var records: [(at: Instant, record: Record)] = []
    public var places: [Job] = []
    public var starts: [Job] = []
    public var stops: [(job: Job, how: Stop)] = []
    /// Questions to programs that decide when a schedule is due.
    public var questions: [Question] = []
    /// Definitions that were read but cannot be taken: file's owner by name, and why.
    public var refusals: [(task: String, schedule: String, why: String)] = []

    public var isEmpty: Bool {
        records.isEmpty && places.isEmpty && starts.isEmpty && stops.isEmpty && questions.isEmpty
            && refusals.isEmpty
    }
}
