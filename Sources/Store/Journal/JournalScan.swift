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
    mutating func take(_ fields: JournalFields)
}

extension JournalReader {
    public var verifiesOnlyWanted: Bool { false }
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
    public func firstValue(of field: String) -> String? {
        let name = Array(" \(field)=".utf8)
        let start = afterKind + name.count
        guard start <= line.count, line[afterKind..<start].elementsEqual(name) else { return nil }
        let end = line[start...].firstIndex(of: 0x20) ?? line.count
        return String(decoding: UnsafeBufferPointer(rebasing: line[start..<end]), as: UTF8.self)
    }
}

extension Journal {
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
                    if let glance = JournalGlance(line), reader.wants(glance), let fields = JournalFields(line) { reader.take(fields) }
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
