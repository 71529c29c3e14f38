/// A due instant, with a note if daylight saving has affected it.
public struct Occurrence: Sendable, Hashable {
    public var instant: Instant
    public var note: Note?

    public init(instant: Instant, note: Note? = nil) {
        self.instant = instant
        self.note = note
    }

    /// The effect of daylight saving on a due time. Cases may be added.
    public enum Note: String, Sendable, Hashable, CustomStringConvertible {
        case movedByGap = "moved: the clock skips this time"
        case mergedByGap = "merged: the clock skips several due times, which make one run"
        case firstOfRepeated = "first pass: the clock repeats this time"
        case secondOfRepeated = "second pass: the clock repeats this time"

        public var description: String { rawValue }
    }
}
