// The values of the spool: jobs, tasks, schedules, their ids and their status.
//
// Contract of the module:
// - Everything here is pure. Reading needs a document's table and a `ReadingContext`, and never the clock or the disk.
// - A definition is read completely or refused. A reader reports every problem that it can detect, in the order of the file. Each
//   problem has its position, what was found, what is allowed and, if there is a similar word, that word.
// - An unknown key is a problem and never ignored: a misspelt `timeout` without a report could cost a night.

@_exported import Documents
@_exported import Recurrence

/// The facts from outside that the reading of a definition needs.
public struct ReadingContext: Sendable {
    /// The instant from which `in 2 hours` counts.
    public var now: Instant
    public var zones: ZoneDatabase
    /// The zone of a wall time that names none: the configured zone, or UTC.
    public var zone: Zone
    /// The configuration's keys for all runs of tasks.
    public var taskDefaults = TaskDefaults()
    /// The owner of the spool. Nil for root, and for definitions that are accepted already.
    public var owner: SpoolOwner?
    /// The maximum number of open files that a process may be allowed. Nil for definitions that are accepted already.
    public var filesMax: Int?
    /// The calendars of the configuration.
    public var calendars: Calendars
    /// The schedules that are kept once for all tasks that have them. Nil for a reader of few tasks.
    public var sharedSchedules: SharedSchedules?

    public init(
        now: Instant, zones: ZoneDatabase, zone: Zone = .utc, owner: SpoolOwner? = nil, filesMax: Int? = nil,
        calendars: Calendars = Calendars()
    ) {
        self.calendars = calendars
        self.now = now
        self.zones = zones
        self.zone = zone
        self.owner = owner
        self.filesMax = filesMax
    }
}

extension ReadingContext {
    /// The context for a definition that was accepted before.
    public var ofAccepted: ReadingContext {
        var context = self
        context.owner = nil
        context.filesMax = nil
        return context
    }
}

/// The reason why a definition was refused: at least one problem, in the order of the file.
public struct Problems: Error, Sendable, CustomStringConvertible {
    public var all: [DocumentError]

    public init(_ all: [DocumentError]) {
        precondition(!all.isEmpty)
        self.all = all
    }

    public init(_ one: DocumentError) { all = [one] }

    public var description: String { all.map { "\($0)" }.joined(separator: "\n") }
}
