import Store
import TextSearch

/// The lists on the screen, in order.
public enum List: Int, CaseIterable, Sendable {
    case running, waiting, due, ended

    /// The orders that each list has. The first one is the default.
    var orders: [Order] {
        switch self {
        case .running: [.time, .progress, .name]
        case .waiting: [.start, .age, .name]
        case .due: [.time, .name]
        case .ended: [.time, .took, .failure, .name]
        }
    }
}

enum Order: String {
    case time, progress, name, start, age, took, failure = "failed first"
}

/// One row of a list.
enum Item {
    case running(Snapshot.Running)
    case waiting(Snapshot.Waiting)
    case due(Snapshot.Due)
    case ended(JobStatus)

    /// The job's status. Nil for a due time.
    var status: JobStatus? {
        switch self {
        case .running(let one): one.status
        case .waiting(let one): one.status
        case .due: nil
        case .ended(let status): status
        }
    }

    /// Identifies the row for the selection.
    var key: String {
        if case .due(let due) = self { return "\(due.task)/\(due.schedule)" }
        return status?.id ?? ""
    }

    var name: String {
        if case .due(let due) = self { return due.task }
        return status?.name ?? ""
    }

    /// The owner of the job in a spool that serves everybody. Nil is root.
    var owner: String? {
        if case .due(let due) = self { return UserPart.split(due.task).owner }
        return status.flatMap { UserPart.split($0.id).owner }
    }

    /// The name as its owner writes it.
    var task: String? {
        if case .due(let due) = self { return UserPart.split(due.task).name }
        return status?.task.map { UserPart.split($0).name }
    }

    var queue: String {
        if case .due(let due) = self { return due.queue }
        return status?.queue ?? "default"
    }

    /// True when the id, the name or a tag contains `text`, ignoring case. `text` must be in lower case.
    func matches(_ text: String) -> Bool {
        if text.isEmpty { return true }
        return ([key, name] + (status?.tags ?? [])).contains { $0.lowercased().firstRange(of: text) != nil }
    }

    /// The id without its time. Other commands accept it too: `backup-k3f9ab`.
    static func shortID(_ id: String) -> String {
        let (owner, own) = UserPart.split(id)
        // 20261121T020000.000Z-
        guard JobID(own) != nil else { return id }
        let short = String(own.dropFirst(21))
        return owner.map { UserPart.qualified(short, of: $0) } ?? short
    }
}

extension Snapshot {
    /// The rows of a list that match a filter, in order.
    func items(_ list: List, filter: String, order: Order) -> [Item] {
        let text = filter.lowercased()
        let items: [Item] =
            switch list {
            case .running: running.map { .running($0) }
            case .waiting: waiting.map { .waiting($0) }
            case .due: due.map { .due($0) }
            case .ended: ended.map { .ended($0) }
            }
        return items.filter { $0.matches(text) }.sorted { Self.comes($0, before: $1, by: order) }
    }

    /// Rows that compare equal are ordered by their keys, so that no row jumps.
    private static func comes(_ one: Item, before other: Item, by order: Order) -> Bool {
        func smaller<Value: Comparable>(_ a: Value, _ b: Value) -> Bool { a == b ? one.key < other.key : a < b }
        switch (order, one, other) {
        case (.time, .running(let a), .running(let b)): return smaller(a.startedAt, b.startedAt)
        case (.time, .due(let a), .due(let b)): return smaller(a.instant, b.instant)
        case (.time, .ended(let a), .ended(let b)): return smaller(b.endedAt ?? b.changedAt, a.endedAt ?? a.changedAt)
        case (.progress, .running(let a), .running(let b)):
            return smaller(b.status.progress?.fraction ?? -1, a.status.progress?.fraction ?? -1)
        case (.start, .waiting(let a), .waiting(let b)):
            if a.status.priority != b.status.priority { return a.status.priority > b.status.priority }
            return smaller(a.status.notBefore ?? a.status.due, b.status.notBefore ?? b.status.due)
        case (.took, .ended(let a), .ended(let b)): return smaller(b.usage?.wallMilliseconds ?? -1, a.usage?.wallMilliseconds ?? -1)
        case (.failure, .ended(let a), .ended(let b)):
            if a.state != b.state { return a.state == .failed }
            return comes(one, before: other, by: .time)
        case (.name, _, _): return smaller(one.name, other.name)
        default: return one.key < other.key
        }
    }
}
