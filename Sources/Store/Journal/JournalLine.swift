// The text of one journal record:
//
//     a1b2c3d4 17 2026-11-21T02:00:00.000Z started id=20261121T020000.000Z-backup-k3f9ab try=1
//
// The line begins with the CRC32C (RFC 3720) of the text after it, the sequence number, the instant, the kind, and `key=value`
// fields. A value with other than plain characters is quoted. In quotes, `\\ \" \n \t \r \xNN` stand for bytes that
// would break the line, so any bytes can be stored and every record is one line.

import WorkerProtocol

/// Builds a line.
struct JournalLine {
    private(set) var bytes: [UInt8] = []
    private var start = 0

    mutating func begin(sequence: UInt64, at instant: Instant, _ kind: StaticString) {
        start = bytes.count
        bytes.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: 8))
        append(" ")
        number(sequence)
        append(" ")
        instant.appendRFC3339(to: &bytes)
        append(" ")
        append(kind)
    }

    /// A line with known text after the number.
    mutating func begin(sequence: UInt64, _ rest: ArraySlice<UInt8>) {
        start = bytes.count
        bytes.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: 8))
        append(" ")
        number(sequence)
        bytes.append(contentsOf: rest)
    }

    mutating func end() {
        let checksum = bytes[(start + 8)...].withUnsafeBufferPointer { crc32c(UnsafeRawBufferPointer($0)) }
        for digit in 0..<8 {
            let nibble = UInt8(truncatingIfNeeded: checksum >> UInt32(28 - 4 * digit)) & 15
            bytes[start + digit] = nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
        }
        append("\n")
    }

    /// Changes the end of the last line, and computes its checksum again.
    mutating func changeEnd(_ change: (inout JournalLine) -> Void) {
        bytes.removeLast()
        change(&self)
        end()
    }

    mutating func removeMark() {
        if let mark = JournalBatch.mark(in: bytes[start...]) { bytes.removeLast(bytes.count - start - mark) }
    }

    /// Keeps the memory of usual batches for the next one.
    mutating func empty() { bytes.removeAll(keepingCapacity: bytes.capacity < 1 << 20) }

    mutating func field(_ key: StaticString, _ value: String) {
        name(key)
        var value = value
        value.withUTF8 { text($0) }
    }

    mutating func field(_ key: StaticString, optional value: String?) {
        if let value { field(key, value) }
    }

    mutating func field(_ key: StaticString, _ value: [UInt8]) {
        name(key)
        value.withUnsafeBufferPointer { text($0) }
    }

    mutating func field(_ key: StaticString, _ value: Int64) {
        name(key)
        if value < 0 { append("-") }
        number(value.magnitude)
    }

    mutating func field(_ key: StaticString, optional value: Int64?) {
        if let value { field(key, value) }
    }

    mutating func field(_ key: StaticString, _ value: Instant) {
        name(key)
        value.appendRFC3339(to: &bytes)
    }

    mutating func field(_ key: StaticString, optional value: Instant?) {
        if let value { field(key, value) }
    }

    mutating func field(_ key: StaticString, _ value: [UInt64]) {
        field(key, value.map { String($0, radix: 16) }.joined(separator: ","))
    }

    private mutating func name(_ key: StaticString) {
        append(" ")
        append(key)
        append("=")
    }

    private mutating func append(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private mutating func number(_ value: UInt64) {
        if value < 10 {
            bytes.append(UInt8(ascii: "0") + UInt8(value))
            return
        }
        var rest = value
        let first = bytes.count
        while rest > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        }
        bytes[first...].reverse()
    }

    private mutating func text(_ value: UnsafeBufferPointer<UInt8>) {
        // A plain value may contain `=`: a field's name ends at the first one.
        let isPlain = value.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        if isPlain, !value.isEmpty {
            bytes.append(contentsOf: value)
            return
        }
        bytes.appendQuoted(value)
    }
}

extension [UInt8] {
    /// Appends the bytes in quotes. Bytes that would end the quotes or the line are escaped: `\\ \" \n \t \r
    /// \xNN`.
    public mutating func appendQuoted(_ value: some Sequence<UInt8>) {
        append(UInt8(ascii: "\""))
        for byte in value {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                append(UInt8(ascii: "\\"))
                append(byte)
            case UInt8(ascii: "\n"): append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "n")])
            case UInt8(ascii: "\t"): append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "t")])
            case UInt8(ascii: "\r"): append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "r")])
            case 0..<0x20, 0x7F:
                append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "x")])
                for nibble in [byte >> 4, byte & 15] {
                    append(nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10)
                }
            default: append(byte)
            }
        }
        append(UInt8(ascii: "\""))
    }
}
