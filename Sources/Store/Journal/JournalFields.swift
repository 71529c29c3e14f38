import WorkerProtocol

/// A line that was read and has a valid checksum.
public struct JournalFields {
    public let sequence: UInt64
    public let at: Instant
    public let kind: String
    public let fields: [(key: String, value: [UInt8])]
    /// The line ends a batch of this many records.
    let batch: UInt64?
    public var endsBatch: Bool { batch != nil }

    public subscript(key: String) -> String? { bytes(key).map { String(decoding: $0, as: UTF8.self) } }

    public func bytes(_ key: String) -> [UInt8]? { fields.first { $0.key == key }?.value }

    public func integer(_ key: String) -> Int64? { self[key].flatMap { Int64($0) } }

    public func instant(_ key: String) -> Instant? { bytes(key).flatMap { Instant(fixed: $0) } }

    /// Returns nil when the line is damaged in any way. `line` does not include the newline.
    public init?(_ line: UnsafeBufferPointer<UInt8>) {
        guard Self.holds(line) else { return nil }
        var words = Words(line, from: 9)
        guard let number = words.next(), let sequence = Self.sequence(number),
            let time = words.next(), let at = Instant(fixed: time), let kind = words.next()
        else { return nil }
        self.sequence = sequence
        self.at = at
        self.kind = String(decoding: kind, as: UTF8.self)
        var fields: [(key: String, value: [UInt8])] = []
        while let key = words.nextKey() {
            guard let value = words.nextValue() else { return nil }
            fields.append((String(decoding: key, as: UTF8.self), value))
        }
        if JournalBatch.mark(in: line) != nil {
            guard let mark = fields.popLast(), let count = mark.value.withUnsafeBufferPointer(Self.number), (1...sequence).contains(count)
            else { return nil }
            batch = count
        } else {
            batch = nil
        }
        self.fields = fields
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

    mutating func nextKey() -> UnsafeBufferPointer<UInt8>? {
        guard at < line.count else { return nil }
        let start = at
        while at < line.count, line[at] != UInt8(ascii: "=") { at += 1 }
        guard at < line.count else { return nil }
        defer { at += 1 }
        return UnsafeBufferPointer(rebasing: line[start..<at])
    }

    mutating func nextValue() -> [UInt8]? {
        guard at < line.count else { return [] }
        if line[at] != UInt8(ascii: "\"") {
            let start = at
            while at < line.count, line[at] != 0x20 { at += 1 }
            defer { if at < line.count { at += 1 } }
            return Array(line[start..<at])
        }
        at += 1
        var value: [UInt8] = []
        while at < line.count {
            let start = at
            while at < line.count, line[at] != UInt8(ascii: "\""), line[at] != UInt8(ascii: "\\") { at += 1 }
            value.append(contentsOf: UnsafeBufferPointer(rebasing: line[start..<at]))
            guard at < line.count else { return nil }
            let byte = line[at]
            at += 1
            if byte == UInt8(ascii: "\"") {
                if at < line.count { at += 1 }
                return value
            }
            guard at < line.count else { return nil }
            let escape = line[at]
            at += 1
            switch escape {
            case UInt8(ascii: "n"): value.append(0x0A)
            case UInt8(ascii: "t"): value.append(0x09)
            case UInt8(ascii: "r"): value.append(0x0D)
            case UInt8(ascii: "x"):
                guard at + 2 <= line.count,
                    let byte = UInt8(String(decoding: line[at..<at + 2], as: UTF8.self), radix: 16)
                else { return nil }
                value.append(byte)
                at += 2
            default: value.append(escape)
            }
        }
        return nil
    }
}
