// A batch: the records that one commit appends to a segment and syncs before any of them has an effect.
//
// Invariants:
// - The last line of a batch ends with the field `batch`, the number of records in the batch. Records that no such line follows
//   were never acknowledged, and had no effect.
// - Nothing is appended before the previous batch is on the disk. So only the last batch can be torn.
// - After a power cut, any blocks of the last batch may be on the disk, and the others are zeros or missing: the sync of another
//   process may write the file's size too. Zeros may precede complete lines.
// - A segment has no marks before the first batch of a program that writes them. That part is read line by line.

import Glibc

/// Finds the end of a batch, and whether the last one is torn.
enum JournalBatch {
    /// The smallest unit that a disk writes. Blocks of file systems are multiples of it.
    static let blockBytes: Int64 = 512
    private static let field = Array(" batch=".utf8)

    /// The start of the mark in a line. Nil when it has none. A value without quotes contains no blank, and a quoted value ends
    /// with a quotation mark.
    static func mark(in line: some RandomAccessCollection<UInt8>) -> Int? {
        guard let last = line.last, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(last) else { return nil }
        let digits = line.reversed().prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.count
        let start = line.count - digits - field.count
        guard digits > 0, start >= 0, line.dropFirst(start).starts(with: field) else { return nil }
        return start
    }

    /// The number of records that the mark gives.
    static func count(at mark: Int, in line: UnsafeBufferPointer<UInt8>) -> UInt64? {
        JournalFields.number(UnsafeBufferPointer(rebasing: line[(mark + field.count)...]))
    }

    /// True when the bytes after an offset of a segment, where a batch ends with the record of that number, are one batch torn by
    /// a power cut. A flipped bit does not make a torn batch.
    static func isTorn(_ fs: some FileSystem, _ path: String, behind start: Int64, _ sequence: UInt64) throws(SystemError) -> Bool {
        guard case .file(let lines) = try fs.openLines(path, from: start) else { return false }
        while true {
            let begin = lines.offset
            switch try lines.next() {
            case .line(let line):
                if let fields = JournalFields(line) {
                    guard fields.sequence > sequence else { return false }
                    guard let count = fields.batch else { continue }
                    // If another batch follows, this one was acknowledged. So was a batch that ends before the start that the
                    // mark gives.
                    guard fields.sequence == sequence &+ count, case .end(0) = try lines.next() else { return false }
                    return true
                }
                if !hasHole(line, at: begin, behind: start) { return false }
            case .tooLong, .beyondLimit: return false
            case .end: return true
            }
        }
    }

    /// True when blocks are missing in this line: zeros, which no line contains, from the beginning to the end of a block.
    private static func hasHole(_ line: UnsafeBufferPointer<UInt8>, at begin: Int64, behind start: Int64) -> Bool {
        func isEdge(_ place: Int) -> Bool { (begin + Int64(place)) % blockBytes == 0 }
        var at = 0
        while let first = line[at...].firstIndex(of: 0) {
            at = line[first...].firstIndex { $0 != 0 } ?? line.count
            if begin + Int64(first) == start || isEdge(first), isEdge(at) { return true }
        }
        return false
    }
}

extension JournalLine {
    /// Marks the last of the lines as the end of a batch.
    mutating func endBatch(_ count: UInt64) { changeEnd { $0.field("batch", Int64(clamping: count)) } }

    /// Removes the mark: the batch was not written, and more records may be added to it.
    mutating func reopenBatch() { changeEnd { $0.removeMark() } }
}
