// Reads a segment of the journal line by line with all checks, and batch by batch where batches are marked; see `JournalBatch`.

import Glibc

public struct SegmentReader<FS: FileSystem> {
    private let fs: FS
    private let path: String
    private var lines: FileLines?
    /// The end of the last valid record, in bytes from the file's beginning.
    public private(set) var offset: Int64 = 0
    /// The bytes after it at the end.
    public private(set) var tornBytes = 0
    /// The number of that record.
    public private(set) var lastSequence: UInt64 = 0
    /// All lines up to that record, if they are kept.
    public private(set) var text: [UInt8] = []
    private let keepsText: Bool
    private var isMarked = false
    /// The line number of that record.
    private var lineNumber = 0
    /// The last line that was read, and its record's number.
    private var readNumber = 0
    private var readSequence: UInt64 = 0
    /// The records of a batch whose end has not been read, and its lines.
    private var batch: [JournalFields] = []
    private var batchText: [UInt8] = []
    /// The results to return next: the records of a batch, or the records before damage followed by the damage.
    private var ready: ArraySlice<JournalFields> = []
    private var damage: JournalDamage?

    public init(_ fs: FS, _ segment: String, keepsText: Bool = false) {
        self.fs = fs
        path = "\(Layout.journal)/\(segment)"
        self.keepsText = keepsText
    }

    /// The next valid record. Nil at the end. After that, another call reads the lines that were appended since.
    public mutating func next() throws(JournalError) -> JournalFields? {
        while true {
            if let fields = ready.popFirst() { return fields }
            if let damage { throw .damage(damage) }
            let lines = try opened()
            do throws(SystemError) {
                switch try lines.next() {
                case .line(let line): if try !take(line, until: lines.offset) { return end(try fs.status(path)?.size ?? offset) }
                case .tooLong: fail(.tooLong(lines, path, readNumber + 1))
                case .beyondLimit: fail(.beyondLimit(lines, path, readNumber + 1))
                case .end(let tornBytes):
                    if readNumber == 0 { fail(.empty(path, tornBytes)) } else { return end(lines.offset + Int64(tornBytes)) }
                }
            } catch {
                throw .system(error)
            }
        }
    }

    private mutating func opened() throws(JournalError) -> FileLines {
        if let lines { return lines }
        let found: OpenedFile
        do throws(SystemError) { found = try fs.openLines(path, from: offset) } catch { throw .system(error) }
        switch found {
        case .file(let opened):
            lines = opened
            (readNumber, readSequence) = (lineNumber, lastSequence)
            return opened
        case .other(let kind): throw .damage(.kind(kind, path))
        case .missing: throw .system(SystemError(call: "read", path: path, errno: ENOENT))
        }
    }

    /// Returns false when the segment is torn from the last batch on.
    private mutating func take(_ line: UnsafeBufferPointer<UInt8>, until end: Int64) throws(SystemError) -> Bool {
        readNumber += 1
        guard let fields = JournalFields(line) else {
            if try isTorn() { return false }
            fail(.checksum(path, readNumber))
            return true
        }
        if let why = problem(with: fields) {
            fail(JournalDamage(file: path, line: readNumber, why: why))
            return true
        }
        readSequence = fields.sequence
        batch.append(fields)
        if keepsText { batchText += line + [UInt8(ascii: "\n")] }
        if isMarked, fields.batch == nil { return true }
        isMarked = isMarked || fields.batch != nil
        (offset, lineNumber, lastSequence) = (end, readNumber, readSequence)
        text += batchText
        batchText.removeAll(keepingCapacity: true)
        ready = batch[...]
        batch.removeAll()
        return true
    }

    private func isTorn() throws(SystemError) -> Bool {
        guard isMarked else { return false }
        return try JournalBatch.isTorn(fs, path, behind: offset, lastSequence)
    }

    private mutating func end(_ size: Int64) -> JournalFields? {
        tornBytes = Int(max(0, size - offset))
        lines = nil
        batch.removeAll()
        batchText.removeAll()
        return nil
    }

    private mutating func fail(_ damage: JournalDamage) {
        ready = batch[...]
        self.damage = damage
    }

    private func problem(with fields: JournalFields) -> String? {
        if readNumber == 1 {
            guard fields.kind == "segment" else { return "the segment does not begin with its header" }
            let format = fields["format"] ?? "?"
            if Layout.journalFormatsRead.contains(format) { return nil }
            let known = Layout.journalFormatsRead.joined(separator: " and ")
            return "the journal has format \(format), this program reads \(known): use the spoold that wrote it"
        }
        guard fields.sequence == readSequence + 1 else {
            return "record \(fields.sequence) follows record \(readSequence): some are missing"
        }
        guard isMarked, let count = fields.batch, fields.sequence != lastSequence &+ count else { return nil }
        return "a batch of \(count) records ends here, and there are \(fields.sequence - lastSequence)"
    }
}
