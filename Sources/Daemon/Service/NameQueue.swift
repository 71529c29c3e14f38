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
    private var names: [String] = []
    private var first = 0
    private var sightings: [String: Sighting] = [:]

    var isEmpty: Bool { !hasNames }

    var hasNames: Bool { first < names.count }

    mutating func add(_ name: String, _ sighting: Sighting = .settled) {
        if let known = sightings[name] {
            sightings[name] = known.union(sighting)
        } else {
            sightings[name] = sighting
            names.append(name)
        }
    }

    mutating func next() -> (name: String, sighting: Sighting)? {
        guard first < names.count else { return nil }
        let name = names[first]
        first += 1
        if first == names.count {
            names.removeAll(keepingCapacity: names.count < 4096)
            first = 0
        }
        return (name, sightings.removeValue(forKey: name) ?? .settled)
    }
}
