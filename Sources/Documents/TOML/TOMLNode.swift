/// A table while its document is being read. Its kind decides what may still be added to it.
///
/// Plain values are stored in `table` at once. A table or array of tables that is still open has a placeholder there. Its node in
/// `children` stays until `closed()` replaces the placeholder by the finished value.
final class TOMLNode {
    enum Origin {
        /// The document, `[a]`, or an element of `[[a]]`. Its header may not be repeated.
        case header
        /// `a` in `[a.b]` with no `[a]` yet. A header `[a]` may follow.
        case implied
        /// `a` in `a.b = 1`. Further dotted keys may be added, but it may have no header of its own.
        case dottedKey
        /// `[[a]]`. `elements` holds its tables.
        case arrayOfTables
    }

    var origin: Origin
    var table = Table()
    var elements: [TOMLNode] = []
    let position: Position
    /// In ascending order, because entries are only added at the end.
    private var children: [(place: Int, node: TOMLNode)] = []

    init(_ origin: Origin, at position: Position) {
        self.origin = origin
        self.position = position
    }

    /// The open node at that index of `table`. Nil when the entry is a finished value.
    func child(at place: Int) -> TOMLNode? {
        var low = 0
        var high = children.count
        while low < high {
            let middle = (low + high) / 2
            if children[middle].place < place { low = middle + 1 } else { high = middle }
        }
        guard low < children.count, children[low].place == place else { return nil }
        return children[low].node
    }

    /// Adds an open node under a key that is not in the table yet.
    func open(_ key: String, _ origin: Origin, at position: Position) -> TOMLNode {
        let node = TOMLNode(origin, at: position)
        children.append((table.count, node))
        table.append(Table.Entry(key: key, keyPosition: position, value: Value(.null, at: position)))
        return node
    }

    /// The finished value. Recurses once per level; the limit of depth bounds the recursion.
    func closed() -> Value {
        if origin == .arrayOfTables {
            return Value(.array(elements.map { $0.closed() }), at: position)
        }
        for (place, node) in children {
            table.replaceValue(at: place, with: node.closed())
        }
        children = []
        return Value(.table(table), at: position)
    }
}
