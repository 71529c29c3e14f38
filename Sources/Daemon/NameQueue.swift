/// What is known of a name in `new/` besides that it is there.
struct Sighting: OptionSet {
    var rawValue: UInt8

    /// It is more than just created.
    static let settled = Sighting(rawValue: 1)
    /// It was renamed in, and so is whole, also when it is a directory.
    static let movedIn = Sighting(rawValue: 2)
}

/// Names to look at, each once, in the order in which they came.
struct NameQueue {
    private var names: [String] = []
    private var first = 0
    private var sightings: [String: Sighting] = [:]
    private var isNudged = false

    var isEmpty: Bool { first == names.count && !isNudged }

    mutating func add(_ name: String, _ sighting: Sighting = .settled) {
        if let known = sightings[name] {
            sightings[name] = known.union(sighting)
        } else {
            sightings[name] = sighting
            names.append(name)
        }
    }

    /// What is known of a name that waits to be looked at.
    func sighting(of name: String) -> Sighting? { sightings[name] }

    /// Makes the loop come round once more without waiting.
    mutating func nudge() { isNudged = true }

    mutating func next() -> (name: String, sighting: Sighting)? {
        isNudged = false
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
