// A spool that serves everybody, as root sees it: root's own part and each user's in one picture. What is a user's has a name by which
// root can speak of it, `alice/backup`.

import Store

extension Snapshot {
    /// Puts what a user has beside what is there.
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

    /// Everything that is paused, and in whose part; nil is root's.
    public var pauses: [(owner: String?, scope: PauseScope, note: String)] {
        surroundings.pauses.map { (nil, $0.scope, $0.note) }
            + parts.sorted { $0.key < $1.key }.flatMap { owner, part in part.surroundings.pauses.map { (owner, $0.scope, $0.note) } }
    }

    /// The part of an owner as it is now; the whole for root's own.
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
