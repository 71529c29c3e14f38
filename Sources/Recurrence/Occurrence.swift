/// A due instant, with notes if daylight saving or a calendar has affected it.
public struct Occurrence: Sendable, Hashable {
    public var instant: Instant
    public var note: Note?
    /// The due times before it that calendars have excluded, or that have moved to it, in words.
    public var exclusions: String?

    /// All notes in words.
    public var words: String? {
        let all = [note.map { "\($0)" }, exclusions].compactMap { $0 }
        return all.isEmpty ? nil : all.joined(separator: "; ")
    }

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
