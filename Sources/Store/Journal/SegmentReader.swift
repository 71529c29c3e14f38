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
    /// The lines that are kept, or that were read and not returned. Lines are decoded when they are returned: decoded, the batch of a
    /// whole snapshot would take several times the memory.
    private var buffer: [UInt8] = []
    /// The bytes of the buffer up to the last valid record.
    private var wholeBytes = 0
    private let keepsText: Bool
    private var isMarked = false
    /// The line number of that record.
    private var lineNumber = 0
    /// The length of the segment's first batch: the header and the snapshot. 0 when the end of no batch was read.
    private(set) var headBytes: Int64 = 0
    /// The last line that was read, and its record's number.
    private var readNumber = 0
    private var readSequence: UInt64 = 0
    /// The lines of a batch whose end has not been read: their places in the buffer, and the number of the first one.
    private var batch: [Range<Int>] = []
    private var batchNumber = 0
    /// The lines to return next: those of a batch, or those before damage followed by the damage. The number of the first one.
    private var ready: ArraySlice<Range<Int>> = []
    private var readyNumber = 0
    private var damage: JournalDamage?

    public init(_ fs: FS, _ segment: String, keepsText: Bool = false) {
        self.fs = fs
        path = "\(Layout.journal)/\(segment)"
        self.keepsText = keepsText
    }

    /// All lines up to the last valid record, if they are kept.
    public var text: [UInt8] { buffer.count == wholeBytes ? buffer : Array(buffer.prefix(wholeBytes)) }

    /// The next valid record. Nil at the end. After that, another call reads the lines that were appended since.
    public mutating func next() throws(JournalError) -> JournalFields? {
        while true {
            if let line = ready.popFirst() {
                readyNumber += 1
                if let fields = decoded(line) { return fields }
                ready = []
                damage = .checksum(path, readyNumber - 1)
            }
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

    private func decoded(_ line: Range<Int>) -> JournalFields? {
        // Its checksum was verified when it was read.
        buffer.withUnsafeBufferPointer { JournalFields(verified: UnsafeBufferPointer(rebasing: $0[line])) }
    }

    private mutating func opened() throws(JournalError) -> FileLines {
        if let lines { return lines }
        let found: OpenedFile
        do throws(SystemError) { found = try fs.openLines(path, from: offset) } catch { throw .system(error) }
        switch found {
        case .file(let opened):
            lines = opened
            if keepsText, buffer.isEmpty { buffer.reserveCapacity(Int(min(opened.size, opened.limit))) }
            (readNumber, readSequence) = (lineNumber, lastSequence)
            return opened
        case .other(let kind): throw .damage(.kind(kind, path))
        case .missing: throw .system(SystemError(call: "read", path: path, errno: ENOENT))
        }
    }

    /// Returns false when the segment is torn from the last batch on.
    private mutating func take(_ line: UnsafeBufferPointer<UInt8>, until end: Int64) throws(SystemError) -> Bool {
        readNumber += 1
        guard let head = JournalHead(line) else {
            if try isTorn() { return false }
            fail(.checksum(path, readNumber))
            return true
        }
        if let why = problem(with: head, line) {
            fail(JournalDamage(file: path, line: readNumber, why: why))
            return true
        }
        readSequence = head.sequence
        if batch.isEmpty, !keepsText {
            buffer.removeAll(keepingCapacity: true)
            wholeBytes = 0
        }
        if batch.isEmpty { batchNumber = readNumber }
        batch.append(buffer.count..<buffer.count + line.count)
        buffer.append(contentsOf: line)
        buffer.append(UInt8(ascii: "\n"))
        if isMarked, head.batch == nil { return true }
        if head.batch != nil, !isMarked {
            isMarked = true
            headBytes = end
        }
        (offset, lineNumber, lastSequence) = (end, readNumber, readSequence)
        wholeBytes = buffer.count
        makeReady()
        return true
    }

    /// Has the lines of the batch returned next.
    private mutating func makeReady() {
        readyNumber = batchNumber
        ready = batch[...]
        batch.removeAll()
    }

    private func isTorn() throws(SystemError) -> Bool {
        guard isMarked else { return false }
        return try JournalBatch.isTorn(fs, path, behind: offset, lastSequence)
    }

    private mutating func end(_ size: Int64) -> JournalFields? {
        tornBytes = Int(max(0, size - offset))
        lines = nil
        batch.removeAll()
        buffer.removeLast(buffer.count - wholeBytes)
        return nil
    }

    private mutating func fail(_ damage: JournalDamage) {
        makeReady()
        self.damage = damage
    }

    private func problem(with head: JournalHead, _ line: UnsafeBufferPointer<UInt8>) -> String? {
        if readNumber == 1 {
            guard let fields = JournalFields(line), fields.kind == "segment" else { return "the segment does not begin with its header" }
            let format = fields["format"] ?? "?"
            if Layout.journalFormatsRead.contains(format) { return nil }
            return "the journal has format \(format), this program reads \(Layout.journalFormatsInWords): use the spoold that wrote it"
        }
        guard head.sequence == readSequence + 1 else {
            return "record \(head.sequence) follows record \(readSequence): some are missing"
        }
        guard isMarked, let count = head.batch, head.sequence != lastSequence &+ count else { return nil }
        return "a batch of \(count) records ends here, and there are \(head.sequence - lastSequence)"
    }
}
