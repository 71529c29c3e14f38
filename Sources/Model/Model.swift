// What the spool is about, as values: jobs, tasks, schedules, their ids and their status.
//
// Contract of the module:
// - Everything here is pure. Reading takes a document's table and a `ReadingContext`; nothing asks the clock or the disk.
// - A definition is read whole or not at all. A reader reports every problem it can see, in the order of the file, each
//   with its position, what was found, what is allowed and, where one is near, the word that was likely meant.
// - An unknown key is a problem, never ignored: a misspelt `timeout` that is silently dropped is how a night is lost.

@_exported import Documents
@_exported import Recurrence

/// What reading a definition needs to know of the world.
public struct ReadingContext: Sendable {
    /// The instant that `in 2 hours` counts from.
    public var now: Instant
    public var zones: ZoneDatabase
    /// The zone of a wall time that names none: the configured one, UTC unless said otherwise.
    public var zone: Zone
    /// Whose spool it is; nil: root's, or it does not matter any more, as for what has been accepted.
    public var owner: SpoolOwner?
    /// How many files a process can be allowed to have open at most; nil: it does not matter, as for what has been accepted.
    public var filesMax: Int?

    public init(now: Instant, zones: ZoneDatabase, zone: Zone = .utc, owner: SpoolOwner? = nil, filesMax: Int? = nil) {
        self.now = now
        self.zones = zones
        self.zone = zone
        self.owner = owner
        self.filesMax = filesMax
    }
}

/// Why a definition was refused: at least one problem, in the order of the file.
public struct Problems: Error, Sendable, CustomStringConvertible {
    public var all: [DocumentError]

    public init(_ all: [DocumentError]) {
        precondition(!all.isEmpty)
        self.all = all
    }

    public init(_ one: DocumentError) { all = [one] }

    public var description: String { all.map { "\($0)" }.joined(separator: "\n") }
}
