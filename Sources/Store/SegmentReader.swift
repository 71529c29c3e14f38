// A segment of the journal, read line by line with all its checks.

import Glibc

public struct SegmentReader<FS: FileSystem> {
    private let fs: FS
    private let path: String
    private var lines: FileLines?
    private var number = 0
    /// Behind the last record that was read, in bytes from the file's beginning.
    public private(set) var offset: Int64 = 0
    /// What stood behind it at the end.
    public private(set) var tornBytes = 0
    public private(set) var lastSequence: UInt64 = 0

    public init(_ fs: FS, _ segment: String) {
        self.fs = fs
        path = "\(Layout.journal)/\(segment)"
    }

    /// The next record; nil at the end. Asked once more, it reads what has been appended since.
    public mutating func next() throws(JournalError) -> JournalFields? {
        let found: FileLines.Next
        let lines = try opened()
        do throws(SystemError) { found = try lines.next() } catch { throw .system(error) }
        switch found {
        case .line(let line):
            number += 1
            guard let fields = JournalFields(line) else { throw .damage(.checksum(path, number)) }
            if let why = problem(with: fields) { throw .damage(JournalDamage(file: path, line: number, why: why)) }
            lastSequence = fields.sequence
            offset = lines.offset
            return fields
        case .tooLong: throw .damage(.tooLong(lines, path, number + 1))
        case .beyondLimit: throw .damage(.beyondLimit(lines, path, number + 1))
        case .end(let tornBytes):
            if number == 0 { throw .damage(.empty(path, tornBytes)) }
            self.tornBytes = tornBytes
            self.lines = nil
            return nil
        }
    }

    private mutating func opened() throws(JournalError) -> FileLines {
        if let lines { return lines }
        let found: OpenedFile
        do throws(SystemError) { found = try fs.openLines(path, from: offset) } catch { throw .system(error) }
        switch found {
        case .file(let opened):
            lines = opened
            return opened
        case .other(let kind): throw .damage(.kind(kind, path))
        case .missing: throw .system(SystemError(call: "read", path: path, errno: ENOENT))
        }
    }

    private func problem(with fields: JournalFields) -> String? {
        guard number == 1 else {
            return fields.sequence == lastSequence + 1 ? nil : "record \(fields.sequence) follows record \(lastSequence): some are missing"
        }
        guard fields.kind == "segment" else { return "the segment does not begin with its header" }
        let format = fields["format"] ?? "?"
        if Layout.journalFormatsRead.contains(format) { return nil }
        let known = Layout.journalFormatsRead.joined(separator: " and ")
        return "the journal has format \(format), this program reads \(known): use the spoold that wrote it"
    }
}
