/// The due times of a schedule that were decided by its earlier calendars, before these or the schedule's use of them changed.
///
/// A changed calendar must not run again what has run, and must not lose what had moved to a time that has not come. So due times of the
/// rule up to `through` count no more, and the instants in `open`, to which some of them had moved, are due times in their place. When
/// a calendar excludes one of these now, it moves on.
public struct SettledDues: Sendable, Hashable {
    public var through: Instant
    /// Later than `through`, ascending.
    public var open: [Instant]

    /// More than the minutes of a day, so that a schedule of each minute loses none when whole days exclude its due times.
    public static let openMax = 2_000

    public init(through: Instant, open: [Instant] = []) {
        self.through = through
        self.open = open
    }

    /// The first due time after an instant, where `rule` gives that of the schedule without calendars.
    func next(after instant: Instant, _ rule: (Instant) -> Instant?) -> Instant? {
        let due = rule(max(instant, through))
        guard let first = open.first(where: { $0 > instant }) else { return due }
        return due.map { min($0, first) } ?? first
    }
}
