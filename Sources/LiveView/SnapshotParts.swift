// Joins root's own part and each user's part of a spool that serves everybody into one snapshot. Names from a user's part are
// written as root writes them: `alice/backup`.

import Store

extension Snapshot {
    /// Adds a user's part to this snapshot.
    public mutating func add(_ part: Snapshot, of owner: String) {
        parts[owner] = part
        daemon.problems += part.daemon.problems
        daemon.overdue += part.daemon.overdue.map { UserPart.qualified($0, of: owner) }
        rates.add(part.rates)
        ratesAreLeast = ratesAreLeast || part.ratesAreLeast
        runningCount += part.runningCount
        waitingCount += part.waitingCount
        running += part.running.map { one in
            var one = one
            one.status.qualify(by: owner)
            return one
        }
        waiting += part.waiting.map { one in
            var one = one
            one.status.qualify(by: owner)
            return one
        }
        due += part.due.map { one in
            var one = one
            one.task = UserPart.qualified(one.task, of: owner)
            return one
        }
        ended += part.ended.map { status in
            var status = status
            status.qualify(by: owner)
            return status
        }
    }

    /// Every pause in force, with the owner of its part. A nil owner is root.
    public var pauses: [(owner: String?, scope: PauseScope, note: String)] {
        surroundings.pauses.map { (nil, $0.scope, $0.note) }
            + parts.sorted { $0.key < $1.key }.flatMap { owner, part in part.surroundings.pauses.map { (owner, $0.scope, $0.note) } }
    }

    /// The snapshot of an owner's part as it is now. For root's own part, the whole snapshot.
    func part(of owner: String?) -> Snapshot {
        guard let owner, var part = parts[owner] else { return self }
        part.now = now
        return part
    }
}

extension PauseScope {
    /// `everything`, `queue disk`, `task alice/backup`.
    public func spoken(of owner: String? = nil) -> String {
        func shown(_ name: String) -> String { owner.map { UserPart.qualified(name, of: $0) } ?? name }
        return switch self {
        case .all: owner.map { "everything of \($0)" } ?? "everything"
        case .queue(let name): "queue \(shown(name))"
        case .task(let name): "task \(shown(name))"
        }
    }
}
