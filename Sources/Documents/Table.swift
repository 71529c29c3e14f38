/// Keys and values in the order in which they were written.
///
/// Each key occurs once. Keys are compared code point by code point, as TOML and JSON compare them. `String ==` would treat two
/// spellings of "é" as equal. Lookup is linear in a small table and uses one hash in a large one.
public struct Table: Sendable {
    public struct Entry: Sendable {
        public var key: String
        public var keyPosition: Position
        public var value: Value

        public init(key: String, keyPosition: Position, value: Value) {
            self.key = key
            self.keyPosition = keyPosition
            self.value = value
        }
    }

    private var storage: [Entry]
    /// Exists when there are more than `linearCountMax` entries.
    private var places: [ExactKey: Int]?

    private static let linearCountMax = 16

    public init() {
        storage = []
    }

    public init(_ entries: [Entry]) {
        storage = entries
        rebuildPlaces()
    }

    /// The entries in order. Replacing them costs a pass over all of them. If two have the same key, lookup finds the first.
    public var entries: [Entry] {
        get { storage }
        set {
            storage = newValue
            rebuildPlaces()
        }
    }

    public var isEmpty: Bool { storage.isEmpty }
    public var count: Int { storage.count }

    public subscript(key: String) -> Value? {
        guard let place = place(of: key) else { return nil }
        return storage[place].value
    }

    /// The entry with that key, for its position.
    public func entry(_ key: String) -> Entry? {
        guard let place = place(of: key) else { return nil }
        return storage[place]
    }

    /// Replaces the value of `key` in its place, or adds it at the end.
    public mutating func set(_ key: String, _ value: Value) {
        if let place = place(of: key) {
            storage[place].value = value
        } else {
            append(Entry(key: key, keyPosition: value.position, value: value))
        }
    }

    /// Removes `key` and returns its value. Returns nil when there is no such key. Costs a pass over the entries.
    @discardableResult
    public mutating func remove(_ key: String) -> Value? {
        guard let place = place(of: key) else { return nil }
        let value = storage.remove(at: place).value
        rebuildPlaces()
        return value
    }
}

// MARK: - For the readers

extension Table {
    /// The index of a key's entry.
    package func place(of key: String) -> Int? {
        if let places { return places[ExactKey(key)] }
        for place in storage.indices where storage[place].key.isExactly(key) { return place }
        return nil
    }

    /// Adds an entry whose key is not in the table yet.
    mutating func append(_ entry: Entry) {
        if places != nil {
            places![ExactKey(entry.key)] = storage.count
            storage.append(entry)
        } else {
            storage.append(entry)
            if storage.count > Table.linearCountMax { rebuildPlaces() }
        }
    }

    mutating func replaceValue(at place: Int, with value: Value) {
        storage[place].value = value
    }

    private mutating func rebuildPlaces() {
        guard storage.count > Table.linearCountMax else {
            places = nil
            return
        }
        var places = [ExactKey: Int](minimumCapacity: storage.count)
        for (place, entry) in storage.enumerated() where places[ExactKey(entry.key)] == nil {
            places[ExactKey(entry.key)] = place
        }
        self.places = places
    }
}

/// A key that is compared and hashed by its bytes.
private struct ExactKey: Hashable, Sendable {
    let text: String

    init(_ text: String) { self.text = text }

    static func == (a: ExactKey, b: ExactKey) -> Bool { a.text.isExactly(b.text) }

    func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        hasher.combine(0xFF as UInt8)
    }
}

extension String {
    /// Equal code point by code point. `==` also accepts canonically equivalent spellings, so it is only a cheap first check.
    func isExactly(_ other: String) -> Bool {
        self == other && utf8.elementsEqual(other.utf8)
    }
}
