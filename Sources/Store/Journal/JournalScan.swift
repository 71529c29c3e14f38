// Searches the journal for the records about a few things. Two weeks of a busy spool are gigabytes, so a line is decoded only
// when the reader wants its kind or a name in it. The checksum is verified first: otherwise a flipped bit there would make the
// search skip the line silently.

import Glibc

/// A reader of the records that it wants.
public protocol JournalReader {
    /// True for a reader that only looks for what people see at a glance: in all segments but the last, the lines that it does not want
    /// are not verified, which halves the time. Damage in them is not reported, and a damaged kind hides its line.
    var verifiesOnlyWanted: Bool { get }
    func wants(_ line: JournalGlance) -> Bool
    /// Takes a wanted line as it is. Returns false, as most readers do, for a line that is to be decoded.
    mutating func takes(_ line: JournalGlance) -> Bool
    mutating func take(_ fields: JournalFields)
}

extension JournalReader {
    public var verifiesOnlyWanted: Bool { false }

    public mutating func takes(_ line: JournalGlance) -> Bool { false }
}

/// A line that has not been decoded.
public struct JournalGlance {
    private let line: UnsafeBufferPointer<UInt8>
    public let kind: String
    private let afterKind: Int

    /// Returns nil for text that does not look like a record.
    init?(_ line: UnsafeBufferPointer<UInt8>) {
        // Checksum, sequence number, instant, kind.
        var at = 0
        var start = 0
        for _ in 0..<3 {
            while at < line.count, line[at] != 0x20 { at += 1 }
            at += 1
            start = at
        }
        while at < line.count, line[at] != 0x20 { at += 1 }
        guard start < at, at <= line.count else { return nil }
        self.line = line
        kind = String(decoding: UnsafeBufferPointer(rebasing: line[start..<at]), as: UTF8.self)
        afterKind = at
    }

    /// True when the line contains the bytes.
    public func mentions(_ bytes: [UInt8]) -> Bool {
        guard let first = bytes.first, let base = line.baseAddress else { return false }
        return bytes.withUnsafeBytes { wanted in
            var at = 0
            while at + wanted.count <= line.count,
                let found = memchr(base + at, Int32(first), line.count - wanted.count - at + 1)
            {
                if memcmp(found, wanted.baseAddress!, wanted.count) == 0 { return true }
                at = UnsafeRawPointer(found) - UnsafeRawPointer(base) + 1
            }
            return false
        }
    }

    /// The job of the record. Every record about a job names it first.
    public var id: String? { firstValue(of: "id") }

    /// The value of the first field, if the field has this name and its value has no quotes.
    public func firstValue(of field: StaticString) -> String? {
        var fields = fields
        guard let first = fields.next(), first.isNamed(field), first.value.first != UInt8(ascii: "\"")
        else { return nil }
        return String(decoding: first.value, as: UTF8.self)
    }

    /// The fields in their order, as they are written.
    var fields: Fields { Fields(line, from: afterKind) }

    /// Reads the fields of a line. A value has its quotes and its escapes.
    struct Fields: IteratorProtocol, Sequence {
        struct Field {
            let name: UnsafeBufferPointer<UInt8>
            let value: UnsafeBufferPointer<UInt8>

            func isNamed(_ text: StaticString) -> Bool {
                name.count == text.utf8CodeUnitCount && memcmp(name.baseAddress!, text.utf8Start, name.count) == 0
            }
        }

        private let line: UnsafeBufferPointer<UInt8>
        private var at: Int

        init(_ line: UnsafeBufferPointer<UInt8>, from start: Int) {
            self.line = line
            at = start
        }

        mutating func next() -> Field? {
            // A blank precedes each field.
            let start = at + 1
            guard start < line.count, let equals = find(UInt8(ascii: "="), from: start), equals > start else { return nil }
            var end = equals + 1
            if end < line.count, line[end] == UInt8(ascii: "\"") {
                end += 1
                while end < line.count, line[end] != UInt8(ascii: "\"") { end += line[end] == UInt8(ascii: "\\") ? 2 : 1 }
                end = Swift.min(end + 1, line.count)
            } else {
                end = find(0x20, from: end) ?? line.count
            }
            at = end
            return Field(
                name: UnsafeBufferPointer(rebasing: line[start..<equals]), value: UnsafeBufferPointer(rebasing: line[(equals + 1)..<end]))
        }

        private func find(_ byte: UInt8, from start: Int) -> Int? {
            guard let base = line.baseAddress, start < line.count, let found = memchr(base + start, Int32(byte), line.count - start)
            else { return nil }
            return UnsafeRawPointer(found) - UnsafeRawPointer(base)
        }
    }
}

extension Journal {
    /// Passes the wanted records of the newest segment to the reader. It begins with everything that is in force.
    public static func scanNewest<Reader: JournalReader>(
        _ fs: FS, into reader: inout Reader
    ) throws(SystemError) -> [JournalDamage] {
        try scan(fs, since: Instant(milliseconds: .max), into: &reader)
    }

    /// Passes the wanted records to the reader, oldest first, from all segments that were written since an instant. The oldest of
    /// these begins with the state at that time. Returns the damage that was found and skipped.
    public static func scan<Reader: JournalReader>(
        _ fs: FS, since: Instant, into reader: inout Reader
    ) throws(SystemError) -> [JournalDamage] {
        var damage: [JournalDamage] = []
        let segments = try segments(fs)
        for name in segments {
            let path = "\(Layout.journal)/\(name)"
            guard let status = try fs.status(path) else { continue }
            if name != segments.last, status.modifiedNanoseconds / 1_000_000 < since.milliseconds { continue }
            switch try fs.openLines(path) {
            case .file(let lines):
                // Only the last segment can end with a torn batch.
                try scan(lines, path, tearsOn: name == segments.last ? fs : nil, into: &reader, &damage)
            case .other(let kind): damage.append(.kind(kind, path))
            case .missing: break
            }
        }
        return damage
    }

    private static func scan<Reader: JournalReader>(
        _ lines: FileLines, _ path: String, tearsOn fs: FS?, into reader: inout Reader, _ damage: inout [JournalDamage]
    ) throws(SystemError) {
        var found = DamageInFile(path)
        var number = 0
        // The end of the last marked batch, and its last record's number.
        var whole: (end: Int64, sequence: UInt64)?
        reading: while true {
            number += 1
            switch try lines.next() {
            case .line(let line):
                if fs == nil, reader.verifiesOnlyWanted, let glance = JournalGlance(line), !reader.wants(glance) { continue }
                if JournalFields.holds(line) {
                    if JournalBatch.mark(in: line) != nil, let sequence = JournalFields.sequence(of: line) {
                        whole = (lines.offset, sequence)
                    }
                    if let glance = JournalGlance(line), reader.wants(glance), !reader.takes(glance), let fields = JournalFields(line) {
                        reader.take(fields)
                    }
                } else if let fs, let whole, try JournalBatch.isTorn(fs, path, behind: whole.end, whole.sequence) {
                    break reading
                } else {
                    found.add(.checksum(path, number))
                }
            case .tooLong: found.add(.tooLong(lines, path, number))
            case .beyondLimit:
                found.add(.beyondLimit(lines, path, number))
                break reading
            case .end: break reading
            }
        }
        damage += found.all
    }
}

/// The damage of one file. It is reported up to a limited number.
struct DamageInFile {
    private static let toldMax = 100
    private let file: String
    private var told: [JournalDamage] = []
    private var untoldCount = 0

    init(_ file: String) { self.file = file }

    var isEmpty: Bool { told.isEmpty }

    mutating func add(_ damage: JournalDamage) {
        if told.count < Self.toldMax { told.append(damage) } else { untoldCount += 1 }
    }

    var all: [JournalDamage] {
        untoldCount == 0 ? told : told + [JournalDamage(file: file, line: nil, why: "\(untoldCount) more records are damaged")]
    }
}
