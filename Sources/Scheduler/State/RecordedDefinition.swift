/// A definition that was accepted: its text, and what the journal keeps with it.
public struct RecordedDefinition: Sendable {
    public var source: Source
    /// The instant from which relative times in the text count.
    public var writtenAt: Instant
    /// The time at which a task of this name was defined first. Nil for calendars and schedules, and for tasks from a journal that did
    /// not record it.
    public var createdAt: Instant?

    /// The file's stamp when it was read. Nil for calendars, and when the file may have changed since without getting another stamp: it
    /// is read again then.
    public var stamp: ContentStamp?

    public init(_ source: Source, writtenAt: Instant, createdAt: Instant? = nil, stamp: ContentStamp? = nil) {
        self.source = source
        self.writtenAt = writtenAt
        self.createdAt = createdAt
        self.stamp = stamp
    }
}
