import Glibc
import WorkerProtocol

/// A line that was read and has a valid checksum.
public struct JournalFields {
    public let sequence: UInt64
    public let at: Instant
    public let kind: String
    /// The line ends a batch of this many records.
    let batch: UInt64?
    public var endsBatch: Bool { batch != nil }

    /// The text of the line, and the places of its fields in it. A value is decoded when it is asked for: most lines have more fields than
    /// a reader needs.
    private let text: [UInt8]
    private let places: [FieldPlace]

    /// All fields, decoded: those that the line leaves out follow the id. `ago` stands for such a field.
    public var fields: [(key: String, value: [UInt8])] {
        var all = places.map { (key: String(decoding: text[$0.key], as: UTF8.self), value: $0.value(in: text)) }
        let impliedKeys = Self.impliedKeys(kind)
        guard !impliedKeys.isEmpty else { return all }
        all.removeAll { $0.key == "ago" }
        let leftOut = impliedKeys.filter { !hasField($0) }.compactMap { key in implied(key).map { (key: key, value: Array($0.utf8)) } }
        all.insert(contentsOf: leftOut, at: min(1, all.count))
        return all
    }

    /// The values of a field that a line may have several times.
    func values(of key: String) -> [[UInt8]] { places(of: key).map { $0.value(in: text) } }

    func hasField(_ key: String) -> Bool { place(of: key) != nil }

    public subscript(key: String) -> String? {
        written(key) ?? implied(key)
    }

    /// The value of a field that is in the line.
    func written(_ key: String) -> String? {
        guard let place = place(of: key) else { return nil }
        if place.hasEscapes { return String(decoding: place.value(in: text), as: UTF8.self) }
        return text.withUnsafeBufferPointer { String(decoding: UnsafeBufferPointer(rebasing: $0[place.written]), as: UTF8.self) }
    }

    public func bytes(_ key: String) -> [UInt8]? { place(of: key)?.value(in: text) }

    public func integer(_ key: String) -> Int64? { self[key].flatMap { Int64($0) } }

    public func instant(_ key: String) -> Instant? { instant(key, or: impliedInstant(key)) }

    /// The value of a field in the line, or the other instant when the line has no such field.
    func instant(_ key: String, or implied: @autoclosure () -> Instant?) -> Instant? {
        guard let place = place(of: key) else { return implied() }
        return text.withUnsafeBufferPointer { Instant(fixed: UnsafeBufferPointer(rebasing: $0[place.written])) }
    }

    /// A number in hexadecimal digits.
    func hexadecimal(_ key: String) -> UInt64? {
        guard let place = place(of: key), (1...16).contains(place.written.count) else { return nil }
        var number: UInt64 = 0
        for byte in text[place.written] {
            guard let digit = FieldPlace.digit(byte) else { return nil }
            number = number << 4 | UInt64(digit)
        }
        return number
    }

    private func place(of key: String) -> FieldPlace? {
        var key = key
        return key.withUTF8 { key in text.withUnsafeBufferPointer { text in places.first { $0.isNamed(key, in: text) } } }
    }

    private func places(of key: String) -> [FieldPlace] {
        var key = key
        return key.withUTF8 { key in text.withUnsafeBufferPointer { text in places.filter { $0.isNamed(key, in: text) } } }
    }

    /// Returns nil when the line is damaged in any way. `line` does not include the newline.
    public init?(_ line: UnsafeBufferPointer<UInt8>) {
        guard Self.holds(line) else { return nil }
        self.init(verified: line)
    }

    /// The same for a line whose checksum was found to be valid.
    init?(verified line: UnsafeBufferPointer<UInt8>) {
        var words = Words(line, from: 9)
        guard let number = words.next(), let sequence = Self.sequence(number),
            let time = words.next(), let at = Instant(fixed: time), let kind = words.next()
        else { return nil }
        self.sequence = sequence
        self.at = at
        self.kind = String(decoding: kind, as: UTF8.self)
        var places: [FieldPlace] = []
        places.reserveCapacity(10)
        while let key = words.nextKey() {
            guard let place = words.nextValue(of: key) else { return nil }
            places.append(place)
        }
        if JournalBatch.mark(in: line) != nil {
            guard let mark = places.popLast(), let count = Self.number(UnsafeBufferPointer(rebasing: line[mark.written])),
                (1...sequence).contains(count)
            else { return nil }
            batch = count
        } else {
            batch = nil
        }
        self.places = places
        text = Array(line)
    }

    /// The number of a valid line, without decoding it.
    static func sequence(of line: UnsafeBufferPointer<UInt8>) -> UInt64? {
        sequence(UnsafeBufferPointer(rebasing: line.dropFirst(9).prefix { $0 != 0x20 }))
    }

    /// A number after which counting would overflow is not ours.
    private static func sequence(_ digits: UnsafeBufferPointer<UInt8>) -> UInt64? { number(digits).flatMap { $0 < 1 << 62 ? $0 : nil } }

    /// A number in decimal digits alone.
    static func number(_ digits: UnsafeBufferPointer<UInt8>) -> UInt64? {
        guard !digits.isEmpty else { return nil }
        var value: UInt64 = 0
        for byte in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            let (tens, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, isLarger) = tens.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            if isTooLarge || isLarger { return nil }
            value = sum
        }
        return value
    }

    /// True when the checksum at the beginning of the line is valid.
    static func holds(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
        guard line.count > 9, line[8] == 0x20 else { return false }
        var checksum: UInt32 = 0
        for byte in line[..<8] {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): checksum = checksum << 4 | UInt32(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): checksum = checksum << 4 | UInt32(byte - UInt8(ascii: "a") + 10)
            default: return false
            }
        }
        return crc32c(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: line[8...]))) == checksum
    }
}

/// The parts of a line that tell its place in the segment, read without decoding the rest.
struct JournalHead {
    let sequence: UInt64
    /// The line ends a batch of this many records.
    let batch: UInt64?

    /// Returns nil when the line is damaged.
    init?(_ line: UnsafeBufferPointer<UInt8>) {
        guard JournalFields.holds(line), let sequence = JournalFields.sequence(of: line) else { return nil }
        self.sequence = sequence
        guard let mark = JournalBatch.mark(in: line) else {
            batch = nil
            return
        }
        guard let count = JournalBatch.count(at: mark, in: line), (1...sequence).contains(count) else { return nil }
        batch = count
    }
}

/// Reads a line word by word.
private struct Words {
    private let line: UnsafeBufferPointer<UInt8>
    private var at: Int

    init(_ line: UnsafeBufferPointer<UInt8>, from start: Int) {
        self.line = line
        at = start
    }

    mutating func next() -> UnsafeBufferPointer<UInt8>? {
        guard at < line.count else { return nil }
        let start = at
        while at < line.count, line[at] != 0x20 { at += 1 }
        defer { if at < line.count { at += 1 } }
        return UnsafeBufferPointer(rebasing: line[start..<at])
    }

    mutating func nextKey() -> Range<Int>? {
        guard at < line.count else { return nil }
        let start = at
        while at < line.count, line[at] != UInt8(ascii: "=") { at += 1 }
        guard at < line.count else { return nil }
        defer { at += 1 }
        return start..<at
    }

    /// Returns nil when the value is not written as values are.
    mutating func nextValue(of key: Range<Int>) -> FieldPlace? {
        guard at < line.count else { return FieldPlace(key: key, written: at..<at, hasEscapes: false) }
        if line[at] != UInt8(ascii: "\"") {
            let start = at
            while at < line.count, line[at] != 0x20 { at += 1 }
            defer { if at < line.count { at += 1 } }
            return FieldPlace(key: key, written: start..<at, hasEscapes: false)
        }
        at += 1
        let start = at
        var hasEscapes = false
        while at < line.count {
            let byte = line[at]
            at += 1
            if byte == UInt8(ascii: "\"") {
                defer { if at < line.count { at += 1 } }
                return FieldPlace(key: key, written: start..<at - 1, hasEscapes: hasEscapes)
            }
            guard byte == UInt8(ascii: "\\") else { continue }
            hasEscapes = true
            guard at < line.count else { return nil }
            let isNumber = line[at] == UInt8(ascii: "x")
            at += 1
            guard isNumber else { continue }
            guard at + 2 <= line.count, FieldPlace.number(line[at], line[at + 1]) != nil else { return nil }
            at += 2
        }
        return nil
    }
}

/// The place of a field in its line. The value is without its quotation marks, but with its escapes.
private struct FieldPlace {
    private let keyStart: UInt32
    private let keyEnd: UInt32
    private let start: UInt32
    private let end: UInt32
    let hasEscapes: Bool

    /// The numbers suffice: no line is longer than `FileLines.lineMax`.
    init(key: Range<Int>, written: Range<Int>, hasEscapes: Bool) {
        keyStart = UInt32(key.lowerBound)
        keyEnd = UInt32(key.upperBound)
        start = UInt32(written.lowerBound)
        end = UInt32(written.upperBound)
        self.hasEscapes = hasEscapes
    }

    var key: Range<Int> { Int(keyStart)..<Int(keyEnd) }
    var written: Range<Int> { Int(start)..<Int(end) }

    func isNamed(_ name: UnsafeBufferPointer<UInt8>, in text: UnsafeBufferPointer<UInt8>) -> Bool {
        key.count == name.count && memcmp(text.baseAddress! + key.lowerBound, name.baseAddress!, name.count) == 0
    }

    func value(in text: [UInt8]) -> [UInt8] {
        guard hasEscapes else { return Array(text[written]) }
        return text.withUnsafeBufferPointer { text in
            Array(unsafeUninitializedCapacity: written.count) { value, count in
                var at = Int(start)
                while at < Int(end) {
                    var byte = text[at]
                    at += 1
                    if byte == UInt8(ascii: "\\") {
                        byte = Self.escaped(text, &at)
                    }
                    value.initializeElement(at: count, to: byte)
                    count += 1
                }
            }
        }
    }

    /// The byte for which an escape stands, whose backslash was passed.
    private static func escaped(_ text: UnsafeBufferPointer<UInt8>, _ at: inout Int) -> UInt8 {
        let escape = text[at]
        at += 1
        switch escape {
        case UInt8(ascii: "n"): return 0x0A
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "r"): return 0x0D
        case UInt8(ascii: "x"):
            defer { at += 2 }
            return number(text[at], text[at + 1]) ?? escape
        default: return escape
        }
    }

    /// The value of two hexadecimal digits. Nil when they are none.
    static func number(_ high: UInt8, _ low: UInt8) -> UInt8? {
        guard let high = digit(high), let low = digit(low) else { return nil }
        return high << 4 | low
    }

    static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
