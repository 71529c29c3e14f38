// What one commit appends to a segment and syncs before anything of it is carried out: a batch of records.
//
// Invariants:
// - The last line of a batch ends with the field `batch`, the number of the batch's records. Records without such a line behind them were
//   never acknowledged, and nothing was done because of them.
// - Nothing is appended before the batch before it is on the disk. So of all batches only the last may be torn.
// - A power cut leaves of the last batch any of its blocks, and of the others zeros or nothing: the size of a file reaches the disk with
//   the sync of another process, too. There may be zeros before whole lines.
// - A segment has no marks up to the first batch that was written by a program that knows them; that part is read line by line.

import Glibc

/// Where a batch ends, and whether the last one is torn.
enum JournalBatch {
    /// The least that a disk writes whole. Blocks of file systems are multiples of it.
    static let blockBytes: Int64 = 512
    private static let field = Array(" batch=".utf8)

    /// Where in a line its mark begins; nil: it has none. No value without quotes has a blank, and behind one in quotes stands a quotation
    /// mark.
    static func mark(in line: some RandomAccessCollection<UInt8>) -> Int? {
        let digits = line.reversed().prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.count
        let start = line.count - digits - field.count
        guard digits > 0, start >= 0, line.dropFirst(start).starts(with: field) else { return nil }
        return start
    }

    /// Whether all that stands behind a byte of a segment, where a batch ends with the record of that number, is one batch that the power
    /// cut has torn. A bit that has turned tears nothing.
    static func isTorn(_ fs: some FileSystem, _ path: String, behind start: Int64, _ sequence: UInt64) throws(SystemError) -> Bool {
        guard case .file(let lines) = try fs.openLines(path, from: start) else { return false }
        while true {
            let begin = lines.offset
            switch try lines.next() {
            case .line(let line):
                if let fields = JournalFields(line) {
                    guard fields.sequence > sequence else { return false }
                    guard let count = fields.batch else { continue }
                    // With another batch behind it this one was acknowledged, and so was the one that a mark does not reach back to.
                    guard fields.sequence == sequence &+ count, case .end(0) = try lines.next() else { return false }
                    return true
                }
                if !hasHole(line, at: begin, behind: start) { return false }
            case .tooLong, .beyondLimit: return false
            case .end: return true
            }
        }
    }

    /// Whether blocks are missing in a line that stands there: zeros, which no line has, from a block's beginning to a block's end.
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

    /// Takes the mark away again: the batch was not written, and more may come into it.
    mutating func reopenBatch() { changeEnd { $0.removeMark() } }
}
