import Store

/// The instants in a task's file that are wall times without a zone, with what each means.
///
/// The user who types one into a file need not know the spool's zone, so spoolctl says it.
struct UnzonedInstants {
    private let session: Session
    private let known: Set<String>
    private(set) var lines: [String] = []

    /// Those of `source` that do not stand in `before`.
    init(_ session: Session, in source: Source, butNotIn before: Source) throws(Failure) {
        self.session = session
        // What is known to be right is read again; of an earlier text that is wrong nothing is known.
        known = (try? before.table()).map { Set(Self.texts(in: $0)) } ?? []
        guard let table = try? source.table() else { return }
        collect(from: table, try session.context().zone, "the spool's zone")
    }

    /// The keys of a task and of its schedules that take instants.
    private static let keys = ["start", "deadline", "at", "not_before", "not_after", "dtstart", "exdate"]

    private mutating func collect(from table: Table, _ outer: Zone, _ outerOrigin: String) {
        var (zone, origin) = (outer, outerOrigin)
        // A name that is no zone has been refused before.
        if let text = table.text("timezone"), let own = try? session.zones.zone(text) { (zone, origin) = (own, "its timezone") }
        for key in Self.keys {
            for text in Self.texts(table[key]) where !known.contains(text) && Instant.isWallTime(text, now: session.now) {
                guard let instant = try? Instant.parse(text, zone: zone, now: session.now) else { continue }  // it is a wall time
                lines.append("\(key) \"\(text)\" has no zone and means \(TimeText.local(instant, zone)), by \(origin) \(zone.name)")
            }
        }
        for schedule in Self.schedules(of: table) { collect(from: schedule, zone, origin) }
    }

    private static func schedules(of table: Table) -> [Table] {
        guard case .array(let elements)? = table["schedule"]?.kind else { return [] }
        return elements.compactMap { if case .table(let table) = $0.kind { table } else { nil } }
    }

    private static func texts(in table: Table) -> [String] {
        keys.flatMap { texts(table[$0]) } + schedules(of: table).flatMap { texts(in: $0) }
    }

    /// An instant as text, in whichever type it was written; of a list, all of them.
    private static func texts(_ value: Value?) -> [String] {
        switch value?.kind {
        case .string(let text)?: [text]
        case .dateTime(let moment)?: [moment.description]
        case .array(let values)?: values.flatMap { texts($0) }
        default: []
        }
    }
}
