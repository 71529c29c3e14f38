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

    /// The path of the crontab whose line the task is. Nil for a task that has a file of its own, and for schedules and calendars.
    public var crontab: String?
    /// The path of the task's file, if that is in a directory of `--tasks`.
    public var mounted: String?

    public init(
        _ source: Source, writtenAt: Instant, createdAt: Instant? = nil, stamp: ContentStamp? = nil, crontab: String? = nil,
        mounted: String? = nil
    ) {
        self.source = source
        self.crontab = crontab
        self.mounted = mounted
        self.writtenAt = writtenAt
        self.createdAt = createdAt
        self.stamp = stamp
    }
}

/// A recorded definition in less memory.
struct PackedDefinition {
    private let bytes: [UInt8]
    let writtenAt: Instant
    private let createdAt: PackedInstant
    /// 0 for none.
    private var stampNumber: UInt64
    private let format: Source.Format
    /// An object, because few tasks have it.
    private let outside: Outside?

    /// The file outside of the spool that defines the task.
    private final class Outside {
        let crontab: String?
        let mounted: String?

        init?(_ definition: RecordedDefinition) {
            guard definition.crontab != nil || definition.mounted != nil else { return nil }
            (crontab, mounted) = (definition.crontab, definition.mounted)
        }
    }

    init(_ definition: RecordedDefinition) {
        bytes = definition.source.bytes
        format = definition.source.format
        writtenAt = definition.writtenAt
        createdAt = PackedInstant(definition.createdAt)
        stampNumber = definition.stamp?.number ?? 0
        outside = Outside(definition)
    }

    var crontab: String? { outside?.crontab }
    var mounted: String? { outside?.mounted }

    var source: Source { Source(format: format, bytes: bytes) }

    var stamp: ContentStamp? {
        get { ContentStamp(number: stampNumber) }
        set { stampNumber = newValue?.number ?? 0 }
    }

    var definition: RecordedDefinition {
        RecordedDefinition(
            source, writtenAt: writtenAt, createdAt: createdAt.instant, stamp: stamp, crontab: crontab, mounted: mounted)
    }
}

/// An instant or none, in the memory of an instant.
struct PackedInstant {
    /// The least number is no instant: no text can express one so early.
    private let milliseconds: Int64

    init(_ instant: Instant?) { milliseconds = instant?.milliseconds ?? .min }

    var instant: Instant? { milliseconds == .min ? nil : Instant(milliseconds: milliseconds) }
}
