import Glibc
import TestSupport
import Testing

@testable import Store

@Suite struct JournalDamageTests {
    /// A segment with this number of records.
    private func segment(_ count: Int) throws -> [UInt8] {
        let records = try everyRecord()
        var line = JournalLine()
        line.beginSegment(sequence: 5, at: now, spool: "x")
        for index in 0..<count - 1 { line.append(records[index % records.count], sequence: UInt64(6 + index), at: now) }
        return line.bytes
    }

    /// Reads a segment. Returns the number of records and torn bytes, or the damage.
    private func read(_ bytes: [UInt8]) -> (count: Int, torn: Int, damage: String?) {
        var count = 0
        do throws(JournalError) {
            let result = try Journal.read(OneFile(bytes), segment: "000000000005.log") { _ in count += 1 }
            return (count, result.tornBytes, nil)
        } catch {
            return (count, 0, "\(error)")
        }
    }

    private func joined(_ lines: some Sequence<[UInt8]>) -> [UInt8] {
        var bytes: [UInt8] = []
        for line in lines { bytes += line + [0x0A] }
        return bytes
    }

    @Test func aWholeSegmentIsRead() throws {
        let (count, torn, damage) = read(try segment(200))
        #expect(count == 200 && torn == 0 && damage == nil)
    }

    /// Flips every bit of two hundred records. A line with a flipped bit is never a valid line.
    @Test("Attack 72: every flipped bit is noticed") func everyBitThatTurnsIsSeen() throws {
        let bytes = try segment(200)
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: 0x0A)!
            // Long lines of the same kind would test nothing new.
            if end - start < 1000 {
                for place in start..<end {
                    for bit in 0..<8 {
                        var line = Array(bytes[start..<end])
                        line[place - start] ^= 1 << UInt8(bit)
                        for piece in line.split(separator: 0x0A, omittingEmptySubsequences: false) where fields(Array(piece)) != nil {
                            Issue.record("bit \(bit) of byte \(place) goes unseen")
                            return
                        }
                    }
                }
            }
            // A flipped newline joins two lines. The result is not a valid line.
            if let next = bytes[(end + 1)...].firstIndex(of: 0x0A) {
                for bit in 0..<8 {
                    var both = Array(bytes[start..<next])
                    both[end - start] ^= 1 << UInt8(bit)
                    if fields(both) != nil { Issue.record("bit \(bit) of the newline at \(end) goes unseen") }
                }
            }
            start = end + 1
        }
    }

    /// The same test through the reader of segments: it stops at the damage, or cuts off only the last line.
    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func aSegmentWithATurnedBitIsNotReadPastIt(seed: UInt64) throws {
        let bytes = try segment(200)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<60 {
            var damaged = bytes
            let place = Int.random(in: 0..<bytes.count, using: &random)
            damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            let line = bytes[..<place].count { $0 == 0x0A } + 1
            let (count, torn, damage) = read(damaged)
            if place == bytes.count - 1 {
                #expect(count == 199 && torn > 0 && damage == nil, "byte \(place), seed \(seed)")
            } else {
                #expect(damage?.hasPrefix("journal/000000000005.log:\(line):") == true, "byte \(place), seed \(seed): \(damage ?? "none")")
                #expect(count == line - 1)
            }
        }
    }

    @Test("Attack 71: a torn tail is cut off, whatever byte it ends at") func aTornTailIsCutAtWhateverByteItEnds() throws {
        let bytes = try segment(12)
        for length in 0...bytes.count {
            let (count, torn, damage) = read(Array(bytes[..<length]))
            let whole = bytes[..<length].count { $0 == 0x0A }
            let last = bytes[..<length].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
            if whole == 0 {
                let why = length == 0 ? "is empty" : "has no whole record"
                #expect(damage == "journal/000000000005.log:1: the segment \(why)", "\(length) bytes")
            } else {
                #expect(count == whole && torn == length - last && damage == nil, "\(length) bytes")
            }
        }
    }

    @Test func aMissingRecordIsDamage() throws {
        let lines = try segment(20).split(separator: 0x0A).map(Array.init)
        for gone in 1..<19 {
            var rest = lines
            rest.remove(at: gone)
            #expect(
                read(joined(rest)).damage
                    == "journal/000000000005.log:\(gone + 1): record \(gone + 6) follows record \(gone + 4): some are missing")
        }
        // A repeated record, and records in the wrong order, are damage as well.
        #expect(read(joined(lines[...3] + lines[3...])).damage != nil)
        #expect(read(joined([lines[0], lines[2], lines[1]])).damage != nil)
        #expect(read(joined(lines[1...])).damage == "journal/000000000005.log:1: the segment does not begin with its header")
    }

    @Test func aSegmentOfAnotherFormatIsRefused() {
        var line = JournalLine()
        line.begin(sequence: 1, at: now, "segment")
        line.field("format", "4")
        line.end()
        #expect(
            read(line.bytes).damage
                == "journal/000000000005.log:1: the journal has format 4, this program reads 1 to 3: use the spoold that wrote it")
    }

    @Test func zerosBehindTheRecordsAreATornTail() throws {
        let (count, torn, damage) = read(try segment(5) + [UInt8](repeating: 0, count: 4096))
        #expect(count == 5 && torn == 4096 && damage == nil)
    }
}
