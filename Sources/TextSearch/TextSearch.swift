// TextSearch: finds and replaces a text in another. Pure.
//
// The functions of these names in Swift's own library are those of its engine for regular expressions, of which nothing else is needed
// here. The engine is a tenth of each program. Declared for texts alone, these functions are preferred to those.

extension StringProtocol {
    /// The first place of `other` in this text, compared by characters. An empty text is found at the start.
    public func firstRange(of other: some StringProtocol) -> Range<Index>? {
        var start = startIndex
        while true {
            if let end = end(of: other, from: start) { return start..<end }
            guard start < endIndex else { return nil }
            formIndex(after: &start)
        }
    }

    /// The end of `other`, if the text continues with it at `start`.
    private func end(of other: some StringProtocol, from start: Index) -> Index? {
        var place = start
        for character in other {
            guard place < endIndex, self[place] == character else { return nil }
            formIndex(after: &place)
        }
        return place
    }

    /// True when `other` is somewhere in this text.
    public func contains(_ other: String) -> Bool { firstRange(of: other) != nil }

    /// True when `other` is somewhere in this text.
    public func contains(_ other: Substring) -> Bool { firstRange(of: other) != nil }

    /// This text with `replacement` in each place of `other`, which must not be empty.
    public func replacing(_ other: String, with replacement: String) -> String {
        precondition(!other.isEmpty, "an empty text has no place of its own")
        var result = ""
        var rest = self[...]
        while let place = rest.firstRange(of: other) {
            result += rest[..<place.lowerBound]
            result += replacement
            rest = rest[place.upperBound...]
        }
        return result + rest
    }
}
