/// The failures of a task in a row, and the time of the last notice of them: `notify_after`, `notify_every`, `on_recovery`.
///
/// Invariants:
/// - Nobody is told of the first `notify_after` - 1 failures of a row, and of none within `notify_every` after a notice.
/// - A success ends the row. It is a recovery if somebody was told of the row.
/// - The value follows from the ends of the task's runs alone, so a replay of the journal rebuilds it.
struct FailureStreak: Hashable, Sendable {
    private(set) var failures = 0
    private(set) var toldAt: Instant?

    init() {}

    /// The value that a snapshot recorded.
    init(failures: Int, toldAt: Instant?) {
        self.failures = failures
        self.toldAt = toldAt
    }

    /// Counts a failure. Returns true when people are told of it.
    mutating func fail(at instant: Instant, _ rules: NoticeRules?) -> Bool {
        failures += 1
        guard let rules else {
            toldAt = instant
            return true
        }
        guard failures >= rules.after else { return false }
        // A notice from later than now is from before a clock was set back, and holds back nothing.
        if let every = rules.everyMilliseconds, let toldAt, toldAt <= instant, instant < toldAt.advanced(byMilliseconds: every) {
            return false
        }
        toldAt = instant
        return true
    }

    /// Counts a success. Returns true when it is a recovery.
    mutating func succeed() -> Bool {
        let isRecovery = toldAt != nil
        self = FailureStreak()
        return isRecovery
    }
}
