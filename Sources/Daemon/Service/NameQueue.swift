/// The facts about a name in `new/` besides its existence.
struct Sighting: OptionSet {
    var rawValue: UInt8

    /// The file was closed or changed after its creation.
    static let settled = Sighting(rawValue: 1)
    /// The name was renamed in, so it is complete, even if it is a directory.
    static let movedIn = Sighting(rawValue: 2)
}

/// Names to read, without duplicates, in the order of their arrival.
struct NameQueue {
    /// The names in order. A name that was taken out of turn is still here, without a sighting.
    private var names: [String] = []
    private var first = 0
    private var sightings: [String: Sighting] = [:]
    /// The names that `lookAhead` has not returned, the newest last. Some may have been taken since.
    private var unseen: [String] = []

    /// When more names than this have been taken, and these are more than half of all, they are forgotten.
    private static let pastMax = 4096

    var hasNames: Bool { !sightings.isEmpty }

    var count: Int { sightings.count }

    mutating func add(_ name: String, _ sighting: Sighting = .settled) {
        if let known = sightings[name] {
            sightings[name] = known.union(sighting)
        } else {
            sightings[name] = sighting
            names.append(name)
            unseen.append(name)
        }
    }

    mutating func next() -> (name: String, sighting: Sighting)? {
        while first < names.count {
            let name = names[first]
            first += 1
            let sighting = sightings.removeValue(forKey: name)
            if sightings.isEmpty { removeAll(keepingRoom: names.count < Self.pastMax) }
            if first > Self.pastMax, first > names.count / 2 {
                names.removeFirst(first)
                first = 0
                unseen.removeAll { sightings[$0] == nil }
            }
            if let sighting { return (name, sighting) }
        }
        return nil
    }

    private mutating func removeAll(keepingRoom: Bool) {
        names.removeAll(keepingCapacity: keepingRoom)
        unseen.removeAll(keepingCapacity: keepingRoom)
        sightings.removeAll(keepingCapacity: keepingRoom)
        first = 0
    }

    /// The newest names, at most `count`, that no earlier call has returned, in the order of their arrival.
    mutating func lookAhead(_ count: Int) -> [(name: String, sighting: Sighting)] {
        var found: [(name: String, sighting: Sighting)] = []
        while found.count < count, let name = unseen.popLast() {
            if let sighting = sightings[name] { found.append((name, sighting)) }
        }
        return found.reversed()
    }

    /// Takes a name out of turn.
    mutating func remove(_ name: String) { sightings[name] = nil }
}
