import Store
import TextSearch

/// A column of `spoolctl jobs`, which can also be sorted by: a key of `status.json`, or a value that follows from such keys.
struct JobColumn {
    let name: String

    static let names = [
        "id", "name", "title", "description", "task", "schedule", "state", "outcome", "reason", "error", "error_tail", "exit_code",
        "signal", "try", "tries",
        "priority", "queue", "tags", "payload", "due", "created_at", "scheduled_at", "started_at", "ended_at", "changed_at", "not_before",
        "deadline", "took", "cpu", "memory", "delay_ms", "progress", "result", "pid", "host", "executor", "remote", "retry_of",
        "keep_ms",
    ]

    static let usual = ["id", "state", "outcome", "queue", "due", "started_at", "took", "task"].map { JobColumn(name: $0) }

    private static let numbers: Set<String> = [
        "exit_code", "try", "tries", "priority", "took", "cpu", "memory", "delay_ms", "pid", "keep_ms",
    ]

    var isNumber: Bool { Self.numbers.contains(name) }

    private init(name: String) { self.name = name }

    /// The column that an option names.
    init(_ name: String, option: String) throws(Failure) {
        guard Self.names.contains(name) else { throw .unknown(name, of: option, among: Self.names) }
        self.name = name
    }

    /// `STARTED`, `EXIT CODE`.
    var header: String {
        let words = name.hasSuffix("_at") ? name.dropLast(3) : name[...]
        return words.uppercased().replacing("_", with: " ")
    }

    // MARK: Values

    /// The column's value for a job, in seconds or bytes where it is measured. `table` is the job's `status.json`.
    func value(_ record: JobRecord, _ table: Table, now: Instant) -> Value {
        let status = record.status
        switch name {
        case "state": return Value(.string(record.place.state.rawValue))
        case "outcome": return status.outcome.map { Value(.string($0)) } ?? Value(.null)
        case "took": return status.tookMilliseconds(now: now).map { Value(.number(Number(Double($0) / 1000))) } ?? Value(.null)
        case "cpu":
            return status.usage.map { Value(.number(Number(Double($0.processorMilliseconds) / 1000))) } ?? Value(.null)
        case "memory": return status.usage.map { Value(.integer($0.maxRSSBytes)) } ?? Value(.null)
        default: return table[name] ?? Value(.null)
        }
    }

    private static let instants: Set<String> = [
        "due", "created_at", "scheduled_at", "started_at", "ended_at", "changed_at", "not_before", "deadline",
    ]

    /// The same value as a table's cell.
    func cell(_ record: JobRecord, _ table: Table, _ session: Session) -> TextTable.Cell {
        let status = record.status
        switch name {
        case "state": return .init(record.place.state.rawValue, status.colour)
        case "outcome": return .init(status.outcome ?? "-", status.state == .failed ? .red : nil)
        case "took": return .init(status.tookMilliseconds(now: session.now).map { TimeText.length($0) } ?? "-")
        case "cpu": return .init(status.usage.map { TimeText.length($0.processorMilliseconds) } ?? "-")
        case "memory": return .init(status.usage.map { TimeText.bytes($0.maxRSSBytes) } ?? "-")
        case "signal": return .init(status.signal.map { Signal.name($0) } ?? "-")
        case "progress": return .init(status.progress.map { "\($0.percent)%\($0.message.map { " \($0)" } ?? "")" } ?? "-")
        case "remote": return .init(status.remote?.words(isOver: status.state.isTerminal) ?? "-")
        case "tags": return .init(status.tags.isEmpty ? "-" : status.tags.joined(separator: ","))
        case _ where Self.instants.contains(name): return .init(session.time(table.instant(name)))
        default: break
        }
        switch table[name]?.kind {
        case nil, .null?: return "-"
        case .string(let text)?: return .init(text)
        case let kind?: return .init(JSON.write(Value(kind)))
        }
    }

    // MARK: Order

    /// A key for sorting. Jobs without a value come last in either direction.
    enum Key {
        case number(Double), text(String), nothing

        func comes(before other: Key, descending: Bool) -> Bool? {
            switch (self, other) {
            case (.nothing, .nothing): return nil
            case (.nothing, _): return false
            case (_, .nothing): return true
            case (.number(let a), .number(let b)): return a == b ? nil : (a < b) != descending
            case (.text(let a), .text(let b)): return a == b ? nil : (a < b) != descending
            case (.number, .text): return !descending
            case (.text, .number): return descending
            }
        }
    }

    func key(_ record: JobRecord, _ table: Table, now: Instant) -> Key {
        if name == "progress" { return record.status.progress.map { .number($0.fraction) } ?? .nothing }
        let value = value(record, table, now: now)
        switch value.kind {
        case .null: return .nothing
        case .integer(let number): return .number(Double(number))
        case .number(let number): return .number(number.double)
        case .string(let text): return .text(text)
        default: return .text(JSON.write(value))
        }
    }
}
