import Glibc
import TestSupport
import Testing

@testable import Store

/// A segment with its snapshot and some batches of records. Each batch was appended and synced by itself.
@Suite struct JournalBatchTests {
    /// The end of each batch, with the snapshot first, and the bytes of the segment.
    private func segment(batches: [Int]) throws -> (ends: [Int], bytes: [UInt8]) {
        let temporary = try TemporarySpool()
        let journal = Journal(try temporary.disk())
        try journal.rotate(snapshot: [(now, .paused(.all, note: "n"))], spool: "x", at: now)
        let path = "journal/\(journal.segment)"
        var ends = [try temporary.read(path).count]
        var number = 0
        for count in batches {
            for _ in 0..<count {
                number += 1
                // The lengths vary from a part of a block to several blocks.
                let note = String(repeating: "text ", count: number % 7 == 0 ? 300 : number % 5 * 20)
                journal.add(.paused(.queue("q\(number)"), note: note), at: now)
            }
            try journal.commit()
            ends.append(try temporary.read(path).count)
        }
        return (ends, try temporary.read(path))
    }

    private func read(_ bytes: [UInt8]) -> (records: Int, good: Int, torn: Int, damage: JournalDamage?) {
        var records = 0
        do throws(JournalError) {
            let read = try Journal.read(OneFile(bytes), segment: "000000000001.log") { _ in records += 1 }
            return (records, Int(read.offset), read.tornBytes, nil)
        } catch {
            guard case .damage(let damage) = error else { preconditionFailure("\(error)") }
            return (records, 0, 0, damage)
        }
    }

    /// The bytes that a disk may hold after `start`: only the blocks whose bits are set in `kept`. The others are zeros.
    private func holed(_ bytes: [UInt8], behind start: Int, size: Int, kept: UInt64, block: Int) -> [UInt8] {
        var bytes = Array(bytes.prefix(size))
        for place in start..<size where kept >> UInt64((place / block - start / block) % 64) & 1 == 0 { bytes[place] = 0 }
        return bytes
    }

    @Test(
        "Attack 71: A power cut may leave any blocks of the last append, also zeros before whole lines: only that append is cut off",
        arguments: [512, 1024, 4096], [[1], [3], [2, 1, 40], [20, 30], [1, 1, 1, 1]])
    func holes(block: Int, batches: [Int]) throws {
        let (ends, bytes) = try segment(batches: batches)
        let start = ends[ends.count - 2]
        let records = 2 + batches.dropLast().reduce(0, +)
        var random = SeededGenerator(seed: UInt64(block))
        for attempt in 0..<400 {
            let size = attempt % 3 == 0 ? Int.random(in: start...bytes.count, using: &random) : bytes.count
            let torn = holed(bytes, behind: start, size: size, kept: UInt64.random(in: 0...(.max), using: &random), block: block)
            if torn == bytes { continue }
            let found = read(torn)
            #expect(found.records == records && found.good == start && found.torn == size - start && found.damage == nil, "\(found)")
            let salvaged = try Journal.salvage(OneFile(torn), segment: "000000000001.log")
            #expect(salvaged.damage.isEmpty && salvaged.lines.count == records && Int(salvaged.goodBytes) == start, "\(salvaged.damage)")
            var reader = All()
            #expect(try Journal.scan(OneFile(torn, isListed: true), since: now, into: &reader).isEmpty)
        }
    }

    private struct All: JournalReader {
        func wants(_ line: JournalGlance) -> Bool { true }
        mutating func take(_ fields: JournalFields) {}
    }

    @Test(
        "Blocks that are missing before the last append are damage, also where its own are missing too", arguments: [512, 4096],
        [true, false])
    func missingBefore(block: Int, isTorn: Bool) throws {
        let (ends, bytes) = try segment(batches: [12, 25, 30])
        var random = SeededGenerator(seed: 5)
        for place in stride(from: ends[0] / block * block + block, through: ends[2] - block - 1, by: block) {
            var damaged = bytes
            for byte in place..<place + block { damaged[byte] = 0 }
            let kept = UInt64.random(in: 2...(.max), using: &random)
            if isTorn { damaged = holed(damaged, behind: ends[2], size: bytes.count, kept: kept, block: block) }
            let line = bytes[..<place].count { $0 == 0x0A } + 1
            let found = read(damaged)
            // When two faults occur, the damage may remove the end of one batch and the beginning of the next, and look like one
            // torn tail.
            if isTorn, found.good == ends[1] || found.good == ends[0] { continue }
            #expect(found.damage?.line == line && found.records == line - 1, "byte \(place): \(found)")
            #expect(try !Journal.salvage(OneFile(damaged), segment: "000000000001.log").damage.isEmpty)
        }
    }

    @Test("A flipped bit in the last append is damage, and not a torn tail")
    func turnedBit() throws {
        let (ends, bytes) = try segment(batches: [4, 9])
        for place in ends[1]..<bytes.count - 1 {
            for bit in UInt8(0)..<8 {
                var damaged = bytes
                damaged[place] ^= 1 << bit
                guard read(damaged).damage == nil else { continue }
                Issue.record("bit \(bit) of byte \(place) is passed")
                return
            }
        }
    }

    @Test("A batch that has fewer records than its mark says is damage")
    func fewer() throws {
        let (ends, bytes) = try segment(batches: [2, 3])
        let gone = bytes[ends[1]...].firstIndex(of: 0x0A)! + 1
        #expect(read(Array(bytes[..<ends[1]]) + bytes[gone...]).damage?.why.contains("some are missing") == true)
        var text = JournalLine()
        text.append(.daemonStopped, sequence: 8, at: now)
        text.append(.daemonStopped, sequence: 9, at: now)
        text.endBatch(1)
        #expect(read(bytes + text.bytes).damage?.why == "a batch of 1 records ends here, and there are 2")
    }

    @Test("A mark ends a batch; the mark is no field of the last record, and can be taken back")
    func mark() throws {
        var text = JournalLine()
        text.append(.paused(.all, note: "batch=7"), sequence: 1, at: now)
        text.append(.paused(.all, note: "x batch=7"), sequence: 2, at: now)
        let open = text.bytes
        #expect(try lines(open).allSatisfy { !$0.endsBatch })
        text.endBatch(2)
        #expect(try lines(text.bytes).map(\.batch) == [nil, 2])
        #expect(try lines(text.bytes).map { $0["note"] } == ["batch=7", "x batch=7"] && lines(text.bytes)[1]["batch"] == nil)
        text.reopenBatch()
        #expect(text.bytes == open)
    }

    private func lines(_ bytes: [UInt8]) throws -> [JournalFields] {
        try bytes.split(separator: 0x0A).map { try #require(fields(Array($0))) }
    }

    @Test("Records that a full disk refused form one batch with the records added later")
    func refused() throws {
        let temporary = try TemporarySpool()
        let fs = FaultyFileSystem(try temporary.disk(), .full, at: 8)
        let journal = Journal(fs)
        try journal.rotate(snapshot: [], spool: "x", at: now)
        journal.add(.daemonStarted(boot: "b", version: "1"), at: now)
        #expect(throws: SystemError.self) { try journal.commit() }
        journal.add(.daemonStopped, at: now)
        try journal.commit()
        let read = read(try temporary.read("journal/000000000001.log"))
        #expect(read.records == 3 && read.torn == 0 && read.damage == nil, "\(read)")
    }

    @Test("A damaged segment is mended into one batch, whatever its batches were")
    func mended() throws {
        let (ends, bytes) = try segment(batches: [5, 6, 4])
        var damaged = bytes
        damaged[(ends[0] + ends[1]) / 2] ^= 1
        let temporary = try TemporarySpool()
        try temporary.write("journal/000000000001.log", damaged)
        let spool = Spool(try temporary.disk(), host: "h")
        _ = try spool.mendJournal("000000000001.log", isNewest: true, before: nil, spoolID: "x", context)
        let mended = read(try temporary.read("journal/000000000001.log"))
        #expect(mended.damage == nil && mended.torn == 0 && mended.records >= 16, "\(mended)")
        let again = Journal(try temporary.disk())
        #expect(try again.open { _ in } == 0)
        again.add(.daemonStopped, at: now)
        try again.commit()
        #expect(read(try temporary.read("journal/000000000001.log")).damage == nil)
    }
}
