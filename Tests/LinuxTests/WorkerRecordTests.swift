import TestSupport
import Testing
import WorkerProtocol

@Suite struct WorkerRecordTests {
    static let running = WorkerRecord.running(
        WorkerRecord.Running(
            jobID: "20261121T020000.000Z-backup-k3f9", attempt: 1, workerPID: 4711, workerStartTime: 123_456, jobPID: 4712,
            startedAt: 1_790_000_000_123))
    /// The present form, which includes the start time of the command's process.
    static let withStart = WorkerRecord.running(
        WorkerRecord.Running(
            jobID: "20261121T020000.000Z-backup-k3f9", attempt: 1, workerPID: 4711, workerStartTime: 123_456, jobPID: 4712,
            jobStartTime: 123_789, startedAt: 1_790_000_000_123))
    static let records = [running, withStart] + ProtocolTests.ends.map { WorkerRecord.ended($0) }

    @Test("A record is read back from its bytes", arguments: records)
    func roundTrip(_ record: WorkerRecord) {
        let bytes = record.bytes()
        #expect(bytes.count == WorkerRecord.size && bytes.last == UInt8(ascii: "\n"))
        #expect(WorkerRecord.parse(bytes) == record)
    }

    @Test func itIsALineThatAPersonCanRead() {
        let text = String(decoding: Self.running.bytes(), as: UTF8.self)
        #expect(text.dropFirst(9).hasPrefix("running 20261121T020000.000Z-backup-k3f9 1 4711 123456 4712 1790000000123 "))
        #expect(String(decoding: Self.withStart.bytes(), as: UTF8.self).contains(" 1790000000123 123789 "))
    }

    @Test("No flipped bit goes unnoticed", arguments: records)
    func flips(_ record: WorkerRecord) {
        let bytes = record.bytes()
        for index in bytes.indices {
            for bit in 0..<8 {
                var flipped = bytes
                flipped[index] ^= 1 << UInt8(bit)
                #expect(WorkerRecord.parse(flipped) == nil, "byte \(index) bit \(bit)")
            }
        }
    }

    @Test("A record that was only partly written over another is neither of the two", arguments: [1, 8, 9, 40, 70, 100, 512])
    func torn(length: Int) {
        for (index, new) in Self.records.enumerated() {
            let old = Self.records[(index + 1) % Self.records.count].bytes()
            let torn = Array(new.bytes().prefix(length) + old.dropFirst(length))
            if torn != old && torn != new.bytes() { #expect(WorkerRecord.parse(torn) == nil) }
        }
        #expect(WorkerRecord.parse(Array(Self.running.bytes().prefix(length))) == nil)
    }

    /// Found by fuzzing: the record that was written again would have been too long.
    @Test(arguments: [UInt8(0), 1, 0x1F, 0x7F]) func aCharacterThatIsNeverWrittenAsItIsIsNoneOfARecord(byte: UInt8) throws {
        var bytes = WorkerRecord.running(
            WorkerRecord.Running(jobID: "aXb", attempt: 1, workerPID: 2, workerStartTime: 3, jobPID: 4, startedAt: 5)
        ).bytes()
        bytes[try #require(bytes.firstIndex(of: UInt8(ascii: "X")))] = byte
        let end = try #require(bytes.dropLast().lastIndex { $0 != 0x20 })
        let sum = crc32c(bytes[9...end])
        for index in 0..<8 { bytes[index] = Array("0123456789abcdef".utf8)[Int(sum >> (28 - 4 * UInt32(index)) & 15)] }
        #expect(WorkerRecord.parse(bytes) == nil)
    }

    @Test func anEmptyOrZeroedFileIsNoRecord() {
        #expect(WorkerRecord.parse([]) == nil)
        #expect(WorkerRecord.parse([UInt8](repeating: 0, count: WorkerRecord.size)) == nil)
        #expect(WorkerRecord.parse([UInt8](repeating: 0x20, count: WorkerRecord.size - 1) + [0x0A]) == nil)
    }

    @Test func aLongMessageIsCutToFit() throws {
        let message = String(repeating: "é %", count: 1000)
        let id = String(repeating: "%", count: 255)
        let end = RunEnd(
            jobID: id, attempt: .max, kind: .spawnFailed(errno: .min, message: message), startedAt: .min, endedAt: .min,
            wallMilliseconds: .min, userMilliseconds: .min, systemMilliseconds: .min, maxRSSBytes: .min, leftovers: .min)
        guard case .ended(let read) = WorkerRecord.parse(WorkerRecord.ended(end).bytes()) else {
            Issue.record("the record does not parse")
            return
        }
        #expect(read.jobID == id)
        guard case .spawnFailed(.min, let cut) = read.kind else {
            Issue.record("not a spawn failure: \(read.kind)")
            return
        }
        #expect(message.hasPrefix(cut))
    }

    @Test func theChecksumIsTheOneOfRFC3720() {
        #expect(crc32c(Array("123456789".utf8)) == 0xE306_9283)
        #expect(crc32c([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(crc32c([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(crc32c(Array(0..<32)) == 0x46DD_794E)
        #expect(crc32c([]) == 0)
        #expect(crc32c(Array("x123456789".utf8).dropFirst()) == 0xE306_9283)
    }

    @Test("The processor's instruction and the table give the same checksum, whatever the length and the place in memory")
    func instructionAndTableAgree() {
        var random = SeededGenerator(seed: 7)
        let bytes = (0..<4096).map { _ in UInt8.random(in: 0...255, using: &random) }
        for length in Array(0...80) + [1000, 4000] {
            for start in 0..<16 {
                bytes[start..<start + length].withUnsafeBytes {
                    #expect(crc32c($0) == crc32cByTable($0), "\(length) bytes from \(start)")
                }
            }
        }
        #expect(Array("123456789".utf8).withUnsafeBytes { crc32cByTable($0) } == 0xE306_9283)
    }
}
