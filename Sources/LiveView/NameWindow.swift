/// The first names of a directory that may have very many, kept up to date by what comes and goes.
///
/// A name that comes or goes costs a search among the first; only when too many of those have gone are all looked at again.
public struct NameWindow: Sendable {
    /// All names, and whether each is a directory.
    private var all: [String: Bool] = [:]
    /// The first of them in order; all, when there are no more than the limit.
    public private(set) var first: [String] = []
    private let least: Int
    private let limit: Int

    /// At least `least` and at most `limit` names are in ``first``, if there are so many. The farther these are from each other,
    /// the seldomer all are looked at.
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

    /// Where a name stands, or would stand.
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
