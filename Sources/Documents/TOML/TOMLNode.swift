/// A table while its document is being read: what may still be added to it depends on how it came to be.
///
/// Plain values go straight into `table`. A table or array of tables that is still open holds a place there, and its node
/// in `children` until `closed()` puts the finished value in that place.
final class TOMLNode {
    enum Origin {
        /// The document, `[a]`, or an element of `[[a]]`: its header may not be repeated.
        case header
        /// `a` in `[a.b]` with no `[a]` yet: one may follow.
        case implied
        /// `a` in `a.b = 1`: open to further dotted keys, closed to headers of its own.
        case dottedKey
        /// `[[a]]`: `elements` holds its tables.
        case arrayOfTables
    }

    var origin: Origin
    var table = Table()
    var elements: [TOMLNode] = []
    let position: Position
    /// In ascending order of place, because places are only ever added at the end.
    private var children: [(place: Int, node: TOMLNode)] = []

    init(_ origin: Origin, at position: Position) {
        self.origin = origin
        self.position = position
    }

    /// The open node at that place of `table`, or nil when a finished value stands there.
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

    /// Adds an open node under a key known to be new.
    func open(_ key: String, _ origin: Origin, at position: Position) -> TOMLNode {
        let node = TOMLNode(origin, at: position)
        children.append((table.count, node))
        table.append(Table.Entry(key: key, keyPosition: position, value: Value(.null, at: position)))
        return node
    }

    /// The finished value. Recurses once per level, which the limit of depth bounds.
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
