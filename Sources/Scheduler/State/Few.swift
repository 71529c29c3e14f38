/// A list that most often has one element, and then takes no memory of its own.
enum Few<Element: AnyObject> {
    case one(Element)
    /// None, or more than one.
    case others([Element])

    init() { self = .others([]) }

    init(_ elements: [Element]) { self = elements.count == 1 ? .one(elements[0]) : .others(elements) }

    mutating func append(_ element: Element) { self = Few(Array(self) + [element]) }

    mutating func remove(at index: Int) -> Element {
        var elements = Array(self)
        let removed = elements.remove(at: index)
        self = Few(elements)
        return removed
    }
}

extension Few: RandomAccessCollection {
    var startIndex: Int { 0 }

    var endIndex: Int {
        switch self {
        case .one: 1
        case .others(let elements): elements.count
        }
    }

    subscript(index: Int) -> Element {
        switch self {
        case .one(let element):
            precondition(index == 0)
            return element
        case .others(let elements): return elements[index]
        }
    }
}
