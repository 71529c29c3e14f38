// Reads a segment in which `Journal.read` stops: each line by itself, with the faults between the lines.

import Glibc

/// A segment read line by line past all damage.
public struct SalvagedSegment {
    public struct Line {
        /// The line's record.
        public var fields: JournalFields
        /// The line's bytes without the newline.
        var bytes: [UInt8]
    }

    public let path: String
    /// The readable lines, including the header, in order and without duplicates.
    public private(set) var lines: [Line] = []
    /// The faults, in order. Each reason mentions the neighbouring records.
    public var damage: [JournalDamage] { found.all }
    private var found: DamageInFile
    /// The file's length without the torn tail.
    public private(set) var goodBytes: Int64 = 0
    public private(set) var tornBytes = 0
    /// The reason why not all of it was read. Then nothing may be written in its place.
    public private(set) var unread: JournalDamage?
    /// The segment's other format. It is not damage and must not be repaired.
    public private(set) var foreign: JournalDamage?

    /// The first line of the state, if it is readable.
    public var header: JournalFields? { lines.first.map(\.fields).flatMap { $0.kind == "segment" ? $0 : nil } }

    /// The latest instant of all records. Nil when there is none.
    public var last: Instant? { lines.map(\.fields.at).max() }

    /// - Parameters:
    ///   - end: the end of the valid part, where a torn batch of this many bytes begins. Nil when there is damage, or when it is
    /// unknown.
    /// - why: the error at which reading stops.
    init(
        path: String, _ lines: FileLines, until end: Int64? = nil, tornBytes: Int = 0, stoppedBy why: JournalDamage? = nil
    ) throws(SystemError) {
        self.path = path
        found = DamageInFile(path)
        try read(lines, until: end)
        if end != nil { self.tornBytes = tornBytes }
        // Each of its lines may be a valid line and yet not belong to its batch.
        if let why, found.isEmpty, foreign == nil, unread == nil { found.add(why) }
    }

    /// The result for a path that is not a file.
    init(path: String, _ kind: FileKind) {
        self.path = path
        found = DamageInFile(path)
        unread = .kind(kind, path)
    }

    private mutating func read(_ file: FileLines, until end: Int64?) throws(SystemError) {
        var number = 0
        var unreadable: [Int] = []
        while true {
            goodBytes = file.offset
            if goodBytes == end { return }
            number += 1
            switch try file.next() {
            case .line(let line):
                guard let fields = JournalFields(line) else {
                    unreadable.append(number)
                    if unreadable.count == Self.unreadableMax { report(&unreadable, before: nil) }
                    continue
                }
                take(Line(fields: fields, bytes: Array(line)), number, after: &unreadable)
                if foreign != nil { return }
            case .tooLong: unreadable.append(number)
            case .beyondLimit:
                report(&unreadable, before: nil)
                unread = .beyondLimit(file, path, number)
                return
            case .end(let tornBytes):
                report(&unreadable, before: nil)
                if number == 1 { found.add(.empty(path, tornBytes)) }
                self.tornBytes = tornBytes
                return
            }
        }
    }

    /// The number of damaged lines after which the search for the next record ends.
    private static let unreadableMax = 10_000

    private mutating func take(_ line: Line, _ number: Int, after unreadable: inout [Int]) {
        let fields = line.fields
        let hadUnreadable = !unreadable.isEmpty
        report(&unreadable, before: fields)
        if number == 1, fields.kind != "segment" {
            found.add(JournalDamage(file: path, line: 1, why: "the segment does not begin with its header, but with \(fields.summary)"))
        } else if number == 1, !Layout.journalFormatsRead.contains(fields["format"] ?? "") {
            foreign = JournalDamage(
                file: path, line: 1,
                why: """
                    the journal has format \(fields["format"] ?? "?"), this program reads \
                    \(Layout.journalFormatsInWords): use the newer spoold
                    """)
        }
        if let before = lines.last?.fields {
            if fields.sequence <= before.sequence {
                found.add(JournalDamage(file: path, line: number, why: "\(fields.summary) stands again, behind \(before.summary)"))
                return
            }
            if fields.sequence != before.sequence + 1, !hadUnreadable {
                let missing = fields.sequence - before.sequence - 1
                found.add(
                    JournalDamage(
                        file: path, line: number, why: "\(missing) records are missing between \(before.summary) and \(fields.summary)"))
            }
        }
        lines.append(line)
    }

    private mutating func report(_ unreadable: inout [Int], before next: JournalFields?) {
        let around = [lines.last.map { "behind \($0.fields.summary)" }, next.map { "before \($0.summary)" }].compactMap(\.self)
        for number in unreadable {
            let place = around.isEmpty ? "" : "; it stands \(around.joined(separator: ", "))"
            found.add(.checksum(path, number, place))
        }
        unreadable.removeAll()
    }

    /// The segment without the damage, numbered again from its first number: a header, and each line unchanged.
    func rewritten(spool: String, at now: Instant) -> (text: JournalLine, first: UInt64, next: UInt64) {
        var text = JournalLine()
        let first = header?.sequence ?? numberInName
        var sequence = first
        if header == nil { text.beginSegment(sequence: sequence, at: lines.first?.fields.at ?? now, spool: spool) }
        for (index, line) in lines.enumerated() {
            if index > 0 || header == nil { sequence += 1 }
            text.append(again: line.bytes[...], sequence: sequence)
        }
        return (text, first, sequence + 1)
    }

    /// A segment is named after its first record.
    private var numberInName: UInt64 {
        let name = path.utf8.split(separator: UInt8(ascii: "/")).last.map { String(decoding: $0, as: UTF8.self) } ?? ""
        // A name that is not a number is not ours, and neither is a number after which counting would overflow.
        return UInt64(name.prefix { $0 != "." }).flatMap { $0 < 1 << 62 ? $0 : nil } ?? 1
    }
}

extension JournalFields {
    /// A description for people: the record's number, kind and subject.
    var summary: String {
        let about = self["id"] ?? self["task"] ?? self["file"]
        return "record \(sequence), \(kind)\(about.map { " \($0)" } ?? "")"
    }
}

extension JournalLine {
    /// A line that was read before, with another number, and without its batch mark.
    mutating func append(again line: ArraySlice<UInt8>, sequence: UInt64) {
        // The checksum and the number change. The rest stays as it is.
        let rest = line.prefix(JournalBatch.mark(in: line) ?? line.count).dropFirst(9).drop { $0 != 0x20 }
        begin(sequence: sequence, rest)
        end()
    }
}

extension Journal {
    /// Reads everything readable of a segment.
    public static func salvage(_ fs: FS, segment: String) throws(SystemError) -> SalvagedSegment {
        let path = "\(Layout.journal)/\(segment)"
        switch try fs.openLines(path) {
        case .file(let lines):
            var reader = SegmentReader(fs, segment)
            do throws(JournalError) { while try reader.next() != nil {} } catch {
                switch error {
                case .system(let error): throw error
                case .damage(let damage): return try SalvagedSegment(path: path, lines, stoppedBy: damage)
                }
            }
            return try SalvagedSegment(path: path, lines, until: reader.offset, tornBytes: reader.tornBytes)
        case .other(let kind): return SalvagedSegment(path: path, kind)
        case .missing: throw SystemError(call: "read", path: path, errno: ENOENT)
        }
    }
}
