import Store

/// The lists on the screen, in their order.
public enum List: Int, CaseIterable, Sendable {
    case running, waiting, due, ended

    /// What each can be sorted by, the first unless another is asked for.
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

    /// The job's status; a due time has none.
    var status: JobStatus? {
        switch self {
        case .running(let one): one.status
        case .waiting(let one): one.status
        case .due: nil
        case .ended(let status): status
        }
    }

    /// What the selection sticks to.
    var key: String {
        if case .due(let due) = self { return "\(due.task)/\(due.schedule)" }
        return status?.id ?? ""
    }

    var name: String {
        if case .due(let due) = self { return due.task }
        return status?.name ?? ""
    }

    /// Whose it is, in a spool that serves everybody; nil is root.
    var owner: String? {
        if case .due(let due) = self { return UserPart.split(due.task).owner }
        return status.flatMap { UserPart.split($0.id).owner }
    }

    /// As its owner calls it.
    var task: String? {
        if case .due(let due) = self { return UserPart.split(due.task).name }
        return status?.task.map { UserPart.split($0).name }
    }

    var queue: String {
        if case .due(let due) = self { return due.queue }
        return status?.queue ?? "default"
    }

    /// In its id, name or a tag, in any case; `text` is in lower case.
    func matches(_ text: String) -> Bool {
        if text.isEmpty { return true }
        return ([key, name] + (status?.tags ?? [])).contains { $0.lowercased().firstRange(of: text) != nil }
    }

    /// An id without its time, by which other commands find it too: `backup-k3f9ab`.
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

    /// Those that are equal go by their keys, so that nothing jumps.
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
