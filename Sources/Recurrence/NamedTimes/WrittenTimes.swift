/// The wall times that a rule gives for its due times, in milliseconds. They differ from those on the clock where a gap has moved a due
/// time.
struct WrittenTimes {
    /// The first wall time of a due time. Nil when the rule does not give the due time, or reads no wall clock.
    let of: (Instant) -> Int64?
    /// All wall times of a due time that a gap has moved, at most one of each minute. Empty for other due times.
    let skipped: (Instant) -> [Int64]
}
