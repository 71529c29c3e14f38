import Linux

/// The names under which somebody has made something in the shared directories, and for which a user of that name must be looked for. A
/// look-up may ask another machine, so there are a few at a time, however many names somebody makes.
///
/// Invariant: no name is forgotten. When there are too many, the directories are listed once those that wait have been looked up.
package struct ForeignNames {
    package struct Name: Hashable {
        package var name: String
        /// The directory in which it is.
        package var shared: String

        package init(_ name: String, in shared: String) { (self.name, self.shared) = (name, shared) }
    }

    package static let atOnce = 20
    package static let milliseconds: Int64 = 100
    package static let waitingMax = 10_000
    /// The time after which the database is asked again when it has not answered.
    package static let againMilliseconds: Int64 = 10_000

    private var waiting: [Name] = []
    private var known: Set<Name> = []
    private var lastTaken: MonotonicInstant?
    /// The time from which the directories may be listed. Nil while no name is left out.
    private var listAt: MonotonicInstant?

    package init() {}

    package mutating func add(_ name: Name, at now: MonotonicInstant) {
        guard !known.contains(name) else { return }
        guard waiting.count < Self.waitingMax else { return listAt = listAt ?? now }
        known.insert(name)
        waiting.append(name)
    }

    /// The user database did not answer.
    package mutating func notAnswered(at now: MonotonicInstant) { listAt = now.advanced(byMilliseconds: Self.againMilliseconds) }

    /// The names to look up now. `list` returns all names that are there now, when they are wanted.
    package mutating func next(at now: MonotonicInstant, _ list: () -> [Name]) -> [Name] {
        guard let wakeAt, wakeAt <= now else { return [] }
        lastTaken = now
        if waiting.isEmpty {
            listAt = nil
            waiting = list()
            known = Set(waiting)
        }
        let names = Array(waiting.suffix(Self.atOnce))
        waiting.removeLast(names.count)
        known.subtract(names)
        return names
    }

    /// The time at which ``next(at:_:)`` has something to do.
    package var wakeAt: MonotonicInstant? {
        guard !waiting.isEmpty || listAt != nil else { return nil }
        let free = lastTaken?.advanced(byMilliseconds: Self.milliseconds) ?? MonotonicInstant(nanoseconds: 0)
        return waiting.isEmpty ? max(free, listAt ?? free) : free
    }
}
