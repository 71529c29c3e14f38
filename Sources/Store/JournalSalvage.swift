// What can be read of a segment that `Journal.read` stops in: every line by itself, with what is wrong between them.

import Glibc

/// A segment, read line by line past all damage.
public struct SalvagedSegment {
    public struct Line {
        /// Its record.
        public var fields: JournalFields
        /// Its bytes, without the newline.
        var bytes: ArraySlice<UInt8>
    }

    public let path: String
    /// The lines that can be read, the header among them, in order; none stands twice.
    public private(set) var lines: [Line] = []
    /// What is wrong, in order; the reasons say what the records around are about.
    public private(set) var damage: [JournalDamage] = []
    /// The file's length without the torn tail.
    public private(set) var goodBytes: Int64 = 0
    public private(set) var tornBytes = 0
    /// The segment is of another format, which says so here: not damage, and nothing to mend.
    public private(set) var foreign: JournalDamage?

    /// The state's first line, when it can be read.
    public var header: JournalFields? { lines.first.map(\.fields).flatMap { $0.kind == "segment" ? $0 : nil } }

    /// The latest instant of any record; nil: there is none.
    public var last: Instant? { lines.map(\.fields.at).max() }

    init(path: String, _ bytes: [UInt8]) {
        self.path = path
        read(bytes)
    }

    private mutating func read(_ bytes: [UInt8]) {
        var start = 0
        var number = 0
        var unreadable: [Int] = []
        while let end = bytes[start...].firstIndex(of: 0x0A) {
            let line = bytes[start..<end]
            start = end + 1
            number += 1
            guard let fields = line.withUnsafeBufferPointer({ JournalFields($0) }) else {
                unreadable.append(number)
                continue
            }
            take(Line(fields: fields, bytes: line), number, after: &unreadable)
            if foreign != nil { return }
        }
        report(&unreadable, before: nil)
        if number == 0 { damage.append(JournalDamage(file: path, line: 1, why: "the segment is empty")) }
        goodBytes = Int64(start)
        tornBytes = bytes.count - start
    }

    private mutating func take(_ line: Line, _ number: Int, after unreadable: inout [Int]) {
        let fields = line.fields
        let hadUnreadable = !unreadable.isEmpty
        report(&unreadable, before: fields)
        if number == 1, fields.kind != "segment" {
            damage.append(JournalDamage(file: path, line: 1, why: "the segment does not begin with its header, but with \(fields.summary)"))
        } else if number == 1, !Layout.journalFormatsRead.contains(fields["format"] ?? "") {
            foreign = JournalDamage(
                file: path, line: 1, why: "the journal has format \(fields["format"] ?? "?"), this program reads \(Layout.journalFormatsRead.joined(separator: " and ")): use the newer spoold")
        }
        if let before = lines.last?.fields {
            if fields.sequence <= before.sequence {
                damage.append(JournalDamage(file: path, line: number, why: "\(fields.summary) stands again, behind \(before.summary)"))
                return
            }
            if fields.sequence != before.sequence + 1, !hadUnreadable {
                let missing = fields.sequence - before.sequence - 1
                damage.append(
                    JournalDamage(file: path, line: number, why: "\(missing) records are missing between \(before.summary) and \(fields.summary)"))
            }
        }
        lines.append(line)
    }

    private mutating func report(_ unreadable: inout [Int], before next: JournalFields?) {
        let around = [lines.last.map { "behind \($0.fields.summary)" }, next.map { "before \($0.summary)" }].compactMap(\.self)
        for number in unreadable {
            let place = around.isEmpty ? "" : "; it stands \(around.joined(separator: ", "))"
            damage.append(JournalDamage(file: path, line: number, why: "the record is damaged: its checksum does not hold\(place)"))
        }
        unreadable.removeAll()
    }

    /// The segment with the damage left out, numbered anew from its first number on: a header, and each line as it is.
    func rewritten(spool: String, at now: Instant) -> (text: JournalLine, next: UInt64) {
        var text = JournalLine()
        var sequence = header?.sequence ?? numberInName
        if header == nil { text.beginSegment(sequence: sequence, at: lines.first?.fields.at ?? now, spool: spool) }
        for (index, line) in lines.enumerated() {
            if index > 0 || header == nil { sequence += 1 }
            text.append(again: line.bytes, sequence: sequence)
        }
        return (text, sequence + 1)
    }

    /// A segment is named after its first record.
    private var numberInName: UInt64 {
        let name = path.utf8.split(separator: UInt8(ascii: "/")).last.map { String(decoding: $0, as: UTF8.self) } ?? ""
        // A name that is no number is somebody's; and one past which nobody could count is none of ours.
        return UInt64(name.prefix { $0 != "." }).flatMap { $0 < 1 << 62 ? $0 : nil } ?? 1
    }
}

extension JournalFields {
    /// What it is, for people: its number, kind and what it is about.
    var summary: String {
        let about = self["id"] ?? self["task"] ?? self["file"]
        return "record \(sequence), \(kind)\(about.map { " \($0)" } ?? "")"
    }
}

extension JournalLine {
    /// A line that was read before, under another number.
    mutating func append(again line: ArraySlice<UInt8>, sequence: UInt64) {
        // Checksum, number, and all that follows them as it is.
        let rest = line.dropFirst(9).drop { $0 != 0x20 }
        begin(sequence: sequence, rest)
        end()
    }
}

extension Journal {
    /// Reads all that can be read of a segment.
    public static func salvage(_ fs: FS, segment: String) throws(SystemError) -> SalvagedSegment {
        let path = "\(Layout.journal)/\(segment)"
        guard case .file(_, let bytes) = try fs.takeOwn(path) else { throw SystemError(call: "read", path: path, errno: ENOENT) }
        return SalvagedSegment(path: path, bytes)
    }
}
