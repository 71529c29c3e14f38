/// A pattern for one name of a path.
struct NamePattern: Sendable {
    enum Element: Sendable {
        case one(Unicode.Scalar)
        case anyOne
        case anyMany
        case set([ClosedRange<UInt32>], isNegated: Bool)
    }

    private let elements: [Element]

    static let any = NamePattern(elements: [.anyMany])

    private init(elements: [Element]) { self.elements = elements }

    /// Reads the pattern of one name. Errors give their position in the whole pattern.
    init(_ text: ArraySlice<Unicode.Scalar>) throws(PathGlob.Mistake) {
        var elements: [Element] = []
        var at = text.startIndex
        while at < text.endIndex {
            switch text[at] {
            case "*":
                if case .anyMany? = elements.last {
                    throw PathGlob.Mistake(
                        message: "** must be a whole name between two /", offset: at - 1, hint: "**/*.csv takes files at any depth")
                }
                elements.append(.anyMany)
            case "?": elements.append(.anyOne)
            case "[":
                elements.append(try Self.set(text, &at))
                continue
            case "\\":
                at += 1
                guard at < text.endIndex else {
                    throw PathGlob.Mistake(message: "nothing follows \\", offset: at - 1, hint: "write \\\\ for a backslash")
                }
                elements.append(.one(text[at]))
            default: elements.append(.one(text[at]))
            }
            at += 1
        }
        self.elements = elements
    }

    /// Reads `[a-z]`, `[!0-9_]`, `[]x]`. `at` is the index of the bracket and becomes the index after the set.
    private static func set(_ text: ArraySlice<Unicode.Scalar>, _ at: inout Int) throws(PathGlob.Mistake) -> Element {
        let open = at
        at += 1
        var isNegated = false
        if at < text.endIndex, text[at] == "!" || text[at] == "^" {
            isNegated = true
            at += 1
        }
        var ranges: [ClosedRange<UInt32>] = []
        // A closing bracket directly at the beginning is a member of the set.
        while at < text.endIndex, text[at] != "]" || ranges.isEmpty {
            if text[at] == "[", at + 1 < text.endIndex, [":", ".", "="].contains(text[at + 1]) {
                throw PathGlob.Mistake(message: "classes such as [:digit:] are not known", offset: at, hint: "write the range, [0-9]")
            }
            let first = try scalar(text, &at, open)
            guard at + 1 < text.endIndex, text[at] == "-", text[at + 1] != "]" else {
                ranges.append(first.value...first.value)
                continue
            }
            let dash = at
            at += 1
            let last = try scalar(text, &at, open)
            guard first <= last else {
                throw PathGlob.Mistake(message: "the range \(first)-\(last) ends before it begins", offset: dash - 1)
            }
            ranges.append(first.value...last.value)
        }
        guard at < text.endIndex else {
            throw PathGlob.Mistake(message: "[ is not closed by ]", offset: open, hint: "write \\[ for a bracket")
        }
        at += 1
        return .set(ranges, isNegated: isNegated)
    }

    private static func scalar(
        _ text: ArraySlice<Unicode.Scalar>, _ at: inout Int, _ open: Int
    ) throws(PathGlob.Mistake) -> Unicode.Scalar {
        if text[at] == "\\" { at += 1 }
        guard at < text.endIndex else {
            throw PathGlob.Mistake(message: "[ is not closed by ]", offset: open, hint: "write \\[ for a bracket")
        }
        defer { at += 1 }
        return text[at]
    }

    /// The only name that matches. Nil when several names may match.
    var literal: String? {
        var name = String.UnicodeScalarView()
        for element in elements {
            guard case .one(let scalar) = element else { return nil }
            name.append(scalar)
        }
        return String(name)
    }

    /// The ending of every name that matches.
    var writtenEnd: String {
        var end: [Unicode.Scalar] = []
        for element in elements.reversed() {
            guard case .one(let scalar) = element else { break }
            end.append(scalar)
        }
        var text = String.UnicodeScalarView()
        text.append(contentsOf: end.reversed())
        return String(text)
    }

    func matches(_ name: [Unicode.Scalar]) -> Bool {
        if name.first == ".", case .one(".")? = elements.first {} else if name.first == "." { return false }
        var element = 0
        var at = 0
        // The last star, and the present end of its match. An earlier star never has to be tried again.
        var star: (element: Int, at: Int)?
        while at < name.count {
            if element < elements.count {
                if case .anyMany = elements[element] {
                    star = (element, at)
                    element += 1
                    continue
                }
                if Self.takes(elements[element], name[at]) {
                    element += 1
                    at += 1
                    continue
                }
            }
            guard let last = star else { return false }
            star = (last.element, last.at + 1)
            element = last.element + 1
            at = last.at + 1
        }
        return elements[element...].allSatisfy { if case .anyMany = $0 { true } else { false } }
    }

    private static func takes(_ element: Element, _ scalar: Unicode.Scalar) -> Bool {
        switch element {
        case .one(let own): own == scalar
        case .anyOne, .anyMany: true
        case .set(let ranges, let isNegated): ranges.contains { $0.contains(scalar.value) } != isNegated
        }
    }
}
