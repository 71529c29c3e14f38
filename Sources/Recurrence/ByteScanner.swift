/// A position in a text that is read byte by byte from left to right.
struct ByteScanner {
    let bytes: [UInt8]
    var position = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    init(_ text: String) {
        self.bytes = Array(text.utf8)
    }

    var isAtEnd: Bool { position >= bytes.count }
    var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    func peek(ahead: Int) -> UInt8? {
        position + ahead < bytes.count ? bytes[position + ahead] : nil
    }

    mutating func advance() { position += 1 }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard let peek, peek == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    @discardableResult
    mutating func skipBlanks() -> Bool {
        let start = position
        while let byte = peek, byte.isBlank { position += 1 }
        return position > start
    }

    /// Reads an unsigned number of at most this many digits. Returns nil, without moving, when there is none or it is longer.
    mutating func number(digitsUpTo most: Int) -> Int? {
        var end = position
        var value = 0
        while end < bytes.count, bytes[end].isDigit {
            if end - position >= most { return nil }
            value = value * 10 + Int(bytes[end] - UInt8(ascii: "0"))
            end += 1
        }
        guard end > position else { return nil }
        position = end
        return value
    }

    /// Reads a number of exactly this many digits, whatever follows them. Returns nil when there are fewer.
    mutating func number(digits count: Int) -> Int? {
        guard bytes.count - position >= count else { return nil }
        var value = 0
        for byte in bytes[position..<(position + count)] {
            guard byte.isDigit else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        position += count
        return value
    }

    /// Reads the letters at the position, in lower case.
    mutating func word() -> String {
        var word: [UInt8] = []
        while let byte = peek, byte.isLetter {
            word.append(byte.lowercased)
            position += 1
        }
        return String(decoding: word, as: UTF8.self)
    }

    /// The words of the whole text, separated by blanks.
    func words() -> [Range<Int>] {
        var words: [Range<Int>] = []
        var start: Int?
        for (position, byte) in bytes.enumerated() {
            if byte.isBlank {
                if let begun = start { words.append(begun..<position) }
                start = nil
            } else if start == nil {
                start = position
            }
        }
        if let begun = start { words.append(begun..<bytes.count) }
        return words
    }

    func text(from start: Int, to end: Int) -> String {
        guard start < end, end <= bytes.count else { return "" }
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }

    /// The number of characters before a byte.
    func characterOffset(of byte: Int) -> Int {
        String(decoding: bytes.prefix(byte), as: UTF8.self).count
    }
}

extension UInt8 {
    var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }
    var isBlank: Bool { self == UInt8(ascii: " ") || (self >= 9 && self <= 13) }
    var isLetter: Bool { lowercased >= UInt8(ascii: "a") && lowercased <= UInt8(ascii: "z") }
    var lowercased: UInt8 { self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z") ? self + 32 : self }
}

extension String {
    /// The text with its ASCII letters in lower case. Other characters are unchanged.
    var asciiLowercased: String {
        String(decoding: utf8.map(\.lowercased), as: UTF8.self)
    }

    /// The number of insertions, deletions, changes and swaps of neighbours between two texts, ignoring ASCII case.
    func editDistance(to other: String) -> Int {
        let a = Array(asciiLowercased.utf8)
        let b = Array(other.asciiLowercased.utf8)
        var beforeLast = [Int](repeating: 0, count: b.count + 1)
        var last = Array(0...b.count)
        for i in 0..<a.count {
            var row = [Int](repeating: i + 1, count: b.count + 1)
            for j in 0..<b.count {
                row[j + 1] = Swift.min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                    row[j + 1] = Swift.min(row[j + 1], beforeLast[j - 1] + 1)
                }
            }
            (beforeLast, last) = (last, row)
        }
        return last[b.count]
    }
}
