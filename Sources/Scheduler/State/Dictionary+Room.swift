extension Dictionary {
    private static var roomKept: Int { 1024 }

    /// Removes a key, and with the last key the room for many: a dictionary that shrinks keeps it.
    package mutating func removeWithRoom(_ key: Key) {
        removeValue(forKey: key)
        if isEmpty, capacity > Self.roomKept { self = [:] }
    }
}
