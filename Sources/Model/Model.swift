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
///
/// Copies share all but the instant, because each definition of a large spool is read with a copy.
public struct ReadingContext: Sendable {
    /// The instant from which `in 2 hours` counts.
    public var now: Instant
    private var facts: Facts

    private final class Facts: Sendable {
        let values: Values
        init(_ values: Values) { self.values = values }
    }

    private struct Values: Sendable {
        var zones: ZoneDatabase
        var zone: Zone
        var taskDefaults = TaskDefaults()
        var owner: SpoolOwner?
        var filesMax: Int?
        var calendars: Calendars
        var sharedSchedules: SharedSchedules?
    }

    public init(
        now: Instant, zones: ZoneDatabase, zone: Zone = .utc, owner: SpoolOwner? = nil, filesMax: Int? = nil,
        calendars: Calendars = Calendars()
    ) {
        self.now = now
        facts = Facts(Values(zones: zones, zone: zone, owner: owner, filesMax: filesMax, calendars: calendars))
    }

    public var zones: ZoneDatabase {
        get { facts.values.zones }
        set { change { $0.zones = newValue } }
    }

    /// The zone of a wall time that names none: the configured zone, or UTC.
    public var zone: Zone {
        get { facts.values.zone }
        set { change { $0.zone = newValue } }
    }

    /// The configuration's keys for all runs of tasks.
    public var taskDefaults: TaskDefaults {
        get { facts.values.taskDefaults }
        set { change { $0.taskDefaults = newValue } }
    }

    /// The owner of the spool. Nil for root, and for definitions that are accepted already.
    public var owner: SpoolOwner? {
        get { facts.values.owner }
        set { change { $0.owner = newValue } }
    }

    /// The maximum number of open files that a process may be allowed. Nil for definitions that are accepted already.
    public var filesMax: Int? {
        get { facts.values.filesMax }
        set { change { $0.filesMax = newValue } }
    }

    /// The calendars of the configuration.
    public var calendars: Calendars {
        get { facts.values.calendars }
        set { change { $0.calendars = newValue } }
    }

    /// The schedules that are kept once for all tasks that have them. Nil for a reader of few tasks.
    public var sharedSchedules: SharedSchedules? {
        get { facts.values.sharedSchedules }
        set { change { $0.sharedSchedules = newValue } }
    }

    private mutating func change(_ change: (inout Values) -> Void) {
        var values = facts.values
        change(&values)
        facts = Facts(values)
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
