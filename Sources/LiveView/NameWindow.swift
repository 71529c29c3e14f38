/// The first names of a directory that may have very many, kept up to date as names are added and removed.
///
/// Adding or removing a name costs a search among the first names. All names are searched only when too many of the first are
/// gone.
public struct NameWindow: Sendable {
    /// All names, and whether each is a directory.
    private var all: [String: Bool] = [:]
    /// The first names in order. Contains all names when there are no more than the limit.
    public private(set) var first: [String] = []
    private let least: Int
    private let limit: Int

    /// ``first`` holds at least `least` and at most `limit` names, if there are that many. The larger the difference, the more
    /// rarely all names are searched.
    public init(least: Int, limit: Int) {
        self.least = least
        self.limit = limit
    }

    public var count: Int { all.count }

    public func isDirectory(_ name: String) -> Bool { all[name] ?? false }

    public mutating func replaceAll(_ names: some Sequence<(name: String, isDirectory: Bool)>) {
        all = [:]
        for (name, isDirectory) in names { all[name] = isDirectory }
        refill()
    }

    public mutating func insert(_ name: String, isDirectory: Bool) {
        guard all.updateValue(isDirectory, forKey: name) == nil else { return }
        let isWhole = first.count == all.count - 1
        guard isWhole || first.last.map({ name < $0 }) ?? true else { return }
        first.insert(name, at: place(of: name))
        if first.count > limit { first.removeLast() }
    }

    public mutating func remove(_ name: String) {
        guard all.removeValue(forKey: name) != nil else { return }
        let place = place(of: name)
        guard place < first.count, first[place] == name else { return }
        first.remove(at: place)
        if first.count < least, first.count < all.count { refill() }
    }

    private mutating func refill() { first = Array(all.keys.sorted().prefix(limit)) }

    /// The index of a name, or the index where it would be inserted.
    private func place(of name: String) -> Int {
        var low = 0
        var high = first.count
        while low < high {
            let middle = (low + high) / 2
            if first[middle] < name { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
