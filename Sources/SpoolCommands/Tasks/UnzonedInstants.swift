import Store

/// The wall times without a zone in a task's file, and the instant that each means.
///
/// A user who writes such a time may not know the spool's zone, so spoolctl prints the instant.
struct UnzonedInstants {
    private let session: Session
    private let known: Set<String>
    private(set) var lines: [String] = []

    /// The wall times of `source` that are not in `before`.
    init(_ session: Session, in source: Source, butNotIn before: Source) throws(Failure) {
        self.session = session
        // The new text is valid. An earlier text may be invalid; then all wall times count as new.
        known = (try? before.table()).map { Set(Self.texts(in: $0)) } ?? []
        guard let table = try? source.table() else { return }  // it is valid, see above
        collect(from: table, try session.context().zone, "the spool's zone")
    }

    /// The keys of a task and of its schedules that take instants.
    private static let keys = ["start", "deadline", "at", "not_before", "not_after", "dtstart", "exdate"]

    private mutating func collect(from table: Table, _ outer: Zone, _ outerOrigin: String) {
        var (zone, origin) = (outer, outerOrigin)
        // A wrong zone name was refused before.
        if let text = table.text("timezone"), let own = try? session.zones.zone(text) { (zone, origin) = (own, "its timezone") }
        for key in Self.keys {
            for text in Self.texts(table[key]) where !known.contains(text) && Instant.isWallTime(text, now: session.now) {
                guard let instant = try? Instant.parse(text, zone: zone, now: session.now) else { continue }  // a wall time can be read
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

    /// The instants of a value as texts: of a string, a date-time or a list.
    private static func texts(_ value: Value?) -> [String] {
        switch value?.kind {
        case .string(let text)?: [text]
        case .dateTime(let moment)?: [moment.description]
        case .array(let values)?: values.flatMap { texts($0) }
        default: []
        }
    }
}
