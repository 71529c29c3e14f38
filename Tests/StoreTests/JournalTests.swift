import Glibc
import Testing

@testable import Store

/// Texts that a careless format would lose, split or take for its own.
private let hostile = [
    "", " ", "  ", "a b", "=", "a=b c=d", "\"", "\\", "\\n", "\n", "\r\n", "\t", "\0", "\u{1}\u{1F}\u{7F}", "\u{80}\u{9F}", "é",
    "e\u{301}", "🦊", "\u{2028}", "\u{FEFF}", "\u{10FFFF}", "a\nb2c3d4e5 18 2026-11-21T02:00:00.000Z withdrawn id=x",
    String(repeating: "\"\\\n", count: 500),
]

/// Every kind of record, with and without what may be missing, and with hostile texts.
private func everyRecord() throws -> [Record] {
    let id = JobID(instant: now, name: "a", unique: 7)
    var records: [Record] = [
        .accepted(try accepted("a")), .withdrawn(id), .started(id, attempt: 3), .requested(id, name: "k3f9.request"), .daemonStopped,
        .scheduled(task: "t", schedule: "s", accounted: now, origin: now, lastEnd: nil),
        .scheduled(
            task: "t", schedule: "s", accounted: Instant(milliseconds: 0), origin: instant("2199-12-31T23:59:59.999Z"), lastEnd: now),
        .answered(task: "t", schedule: "s", due: now, last: nil), .answered(task: "t", schedule: "s", due: nil, last: now),
        .unscheduled(task: "t", schedule: "s"), .undefined(file: "tasks/t"), .recovered(last: now), .followed,
        .ran(task: "t", id, .failed), .expecting(task: "t", since: nil, isOverdue: false), .expecting(task: "t", since: now, isOverdue: true),
    ]
    for why in StopReason.allCases { records.append(.stopping(id, why)) }
    for state in [JobState.new, .done, .failed] {
        for reason in FailureReason.allCases.map(Optional.some) + [nil] {
            records.append(.ended(id, Ending(attempt: 1, state: state, reason: reason)))
        }
    }
    var ending = Ending(attempt: 1_000_000, state: .new, reason: .signal)
    ending.startedAt = now
    ending.notBefore = now
    ending.exitCode = 255
    ending.signal = 64
    ending.pid = Int32.max
    ending.usage = Usage(wallMilliseconds: .max, userMilliseconds: 0, systemMilliseconds: 1, maxRSSBytes: 1 << 50)
    ending.hasOutput = true
    records.append(.ended(id, ending))
    var waiting = try accepted("w")
    waiting.waitsFor = [id, JobID(instant: now, name: "b", unique: 8)]
    records.append(.accepted(waiting))
    waiting.parent = id
    waiting.depth = 16
    records.append(.accepted(waiting))
    for reason in SkippedDue.Reason.allCases {
        records.append(.skipped(SkippedDue(task: "t", schedule: "s", from: now, through: now, count: 3, reason: reason)))
    }
    records.append(.skipped(SkippedDue(task: "t", schedule: "s", from: now, through: now, count: nil, reason: .merged)))
    for text in hostile {
        ending.error = text
        records.append(.ended(id, ending))
        records.append(.rejected(RejectedFile(id: id, name: "a", file: text, inode: .max, due: now, error: text)))
        records.append(.paused(.all, note: text))
        records.append(.daemonStarted(boot: text, version: text))
        records.append(.repaired(since: now))
        records.append(.refused(file: "tasks/t", why: text))
        records.append(.defined(file: "tasks/t", Source(format: .json, bytes: Array(text.utf8)), writtenAt: Instant(milliseconds: 1_790_000_000_123)))
        var job = try accepted("a", "#!/bin/sh\n\(text)", .script)
        job.name = text
        job.task = text
        job.schedule = text
        job.retryOf = text
        job.isDirectory = true
        job.forgivenTries = 2
        job.file = FileStamp(name: text, inode: .max, size: .max, modifiedNanoseconds: .min)
        records.append(.accepted(job))
        var skipped = SkippedDue(task: "t", schedule: "s", from: now, through: now, count: 1, reason: .paused)
        skipped.file = ArrivedFile(path: text, fingerprint: .max, changedAt: now)
        records.append(.skipped(skipped))
        job.paths = [text, "/b"]
        job.fingerprints = [0, .max]
        records.append(.accepted(job))
    }
    for isAll in [false, true] {
        records.append(.filesSeen(task: "t", schedule: "s", isAll ? [] : [1, .max], isAll: isAll))
    }
    records.append(.filesGone(task: "t", schedule: "s", [0]))
    var directory = try accepted("a")
    directory.isDirectory = true
    records.append(.accepted(directory))
    for scope in [PauseScope.all, .queue("q"), .task("t-1"), .queue("pause.x")] {
        records += [.paused(scope, note: "n"), .resumed(scope)]
    }
    // Names that are no UTF-8, and every byte there is.
    let name = FileName.string(from: [0x66, 0xFF, 0x0A, 0xC3])
    records.append(.rejected(RejectedFile(id: id, name: "a", file: name, inode: 0, due: now, error: "x")))
    records.append(.defined(file: "tasks/t", Source(format: .toml, bytes: (0...255).map { UInt8($0) }), writtenAt: Instant(milliseconds: 0)))
    var script = try accepted("a", "#!/bin/sh", .script)
    script.source.bytes += [0x0A] + (0...255).map { UInt8($0) }
    records.append(.accepted(script))
    return records
}

private func bytes(of record: Record, sequence: UInt64 = 17) -> [UInt8] {
    var line = JournalLine()
    line.append(record, sequence: sequence, at: now)
    return line.bytes
}

private func fields(_ line: [UInt8]) -> JournalFields? { line.withUnsafeBufferPointer { JournalFields($0) } }

@Suite struct JournalLineTests {
    @Test func everyRecordIsOneLineAndComesBackAsItWas() throws {
        for record in try everyRecord() {
            let line = bytes(of: record)
            #expect(line.last == 0x0A && line.filter { $0 == 0x0A }.count == 1, "\(record)")
            let read = try #require(fields(Array(line.dropLast())), "\(record)")
            #expect(read.sequence == 17 && read.at == now)
            let again = try #require(read.record(context), "\(record)")
            #expect("\(again)" == "\(record)")
            #expect(bytes(of: again) == line)
        }
    }

    @Test func theFormIsTheOneThatIsDocumented() {
        let text = String(decoding: bytes(of: .started(JobID(instant: now, name: "a", unique: 0), attempt: 1)), as: UTF8.self)
        #expect(text.dropFirst(8) == " 17 2026-11-21T02:00:00.000Z started id=20261121T020000.000Z-a-000000 try=1\n")
        var line = JournalLine()
        line.append(.paused(.all, note: "a \"b\"\\\n\t\r\u{1}é"), sequence: 1, at: now)
        #expect(String(decoding: line.bytes, as: UTF8.self).dropFirst(8) == " 1 2026-11-21T02:00:00.000Z paused scope=pause note=\"a \\\"b\\\"\\\\\\n\\t\\r\\x01é\"\n")
    }

    @Test func aLineOfAnotherKindIsReadAndNotUnderstood() throws {
        var line = JournalLine()
        line.begin(sequence: 1, at: now, "promoted")
        line.field("id", "x")
        line.end()
        let read = try #require(fields(Array(line.bytes.dropLast())))
        #expect(read.kind == "promoted" && read["id"] == "x" && read.record(context) == nil)
    }

    /// With a checksum that holds, so that it is the form that decides.
    static let malformed = [
        "", " ", "x 2026-11-21T02:00:00.000Z started", "1 2026-11-21T02:00:00Z started", "1 2026-11-21T02:00:00.000Z",
        "1 2026-11-21T02:00:00.000Z started id=\"x", "1 2026-11-21T02:00:00.000Z started id=\"x\\", "-1 2026-11-21T02:00:00.000Z started",
        "99999999999999999999 2026-11-21T02:00:00.000Z started", "1 2026-11-21T02:00:00.000Z started id=\"\\xZZ\"",
        // One more than these would be none.
        "18446744073709551615 2026-11-21T02:00:00.000Z daemon-stopped", "9223372036854775807 2026-11-21T02:00:00.000Z daemon-stopped",
    ]

    @Test(arguments: malformed) func aLineOfAnotherFormIsDamage(text: String) {
        #expect(fields(sealed(text)) == nil)
    }

    /// Records whose fields say nothing sensible.
    static let senseless = [
        "started id=x try=1", "started id=20261121T020000.000Z-a-000000", "started id=20261121T020000.000Z-a-000000 try=one",
        "ended id=20261121T020000.000Z-a-000000 try=1 state=lost", "started id=20261121T020000.000Z-a-000000 try=9223372036854775807",
        "started id=20261121T020000.000Z-a-000000 try=-1", "ended id=20261121T020000.000Z-a-000000 try=9223372036854775807 state=new", "stopping id=20261121T020000.000Z-a-000000 why=bored",
        "paused scope=../x note=", "paused scope=pause@ note=x", "defined file=tasks/t format=yaml source=x", "resumed", "skipped task=t",
        "accepted id=20261121T020000.000Z-a-000000 name=a due=2026-11-21T02:00:00.000Z created=2026-11-21T02:00:00.000Z start=2026-11-21T02:00:00.000Z format=toml source=tries=x",
    ]

    @Test(arguments: senseless) func aRecordWithoutSenseIsNone(text: String) throws {
        let read = try #require(fields(sealed("1 2026-11-21T02:00:00.000Z \(text)")))
        #expect(read.record(context) == nil)
    }

    private func sealed(_ text: String) -> [UInt8] {
        let rest = Array(" \(text)".utf8)
        // CRC-32C bit by bit, as RFC 3720 has it.
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in rest {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
        }
        let digits = String(~crc, radix: 16)
        return Array((String(repeating: "0", count: 8 - digits.count) + digits).utf8) + rest
    }

    static let scopes: [(String, PauseScope?)] = [
        ("pause", .all), ("pause@gpu", .queue("gpu")), ("pause-backup", .task("backup")), ("pause--x", nil), ("pause@", nil),
        ("pause-", nil), ("paused", nil), ("", nil), ("pause@a b", nil), ("pause-a/b", nil), ("pause-a-b", .task("a-b")),
    ]

    @Test(arguments: scopes) func aPauseIsItsFilesName(text: String, scope: PauseScope?) {
        #expect(PauseScope(text: text) == scope)
        if let scope { #expect(scope.text == text) }
    }
}

@Suite struct JournalDamageTests {
    /// A segment of so many records, and what is read of damaged ones.
    private func segment(_ count: Int) throws -> [UInt8] {
        let records = try everyRecord()
        var line = JournalLine()
        line.beginSegment(sequence: 5, at: now, spool: "x")
        for index in 0..<count - 1 { line.append(records[index % records.count], sequence: UInt64(6 + index), at: now) }
        return line.bytes
    }

    /// What reading says: the records before the end, and the torn bytes; or the damage.
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

    /// Every bit of two hundred records: a line with one bit turned is never a line again.
    @Test("Attack 72: every bit that turns is seen") func everyBitThatTurnsIsSeen() throws {
        let bytes = try segment(200)
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: 0x0A)!
            // Long lines of the same kind add nothing.
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
            // The newline itself: the line and the next are then one, which is none.
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

    /// The same through the reader of segments: it stops where the damage is, or only the last line is cut off.
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

    @Test("Attack 71: a torn tail is cut at whatever byte it ends") func aTornTailIsCutAtWhateverByteItEnds() throws {
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
        // One that stands twice, or two in the other order, no less.
        #expect(read(joined(lines[...3] + lines[3...])).damage != nil)
        #expect(read(joined([lines[0], lines[2], lines[1]])).damage != nil)
        #expect(read(joined(lines[1...])).damage == "journal/000000000005.log:1: the segment does not begin with its header")
    }

    @Test func aSegmentOfAnotherFormatIsRefused() {
        var line = JournalLine()
        line.begin(sequence: 1, at: now, "segment")
        line.field("format", "3")
        line.end()
        #expect(read(line.bytes).damage == "journal/000000000005.log:1: the journal has format 3, this program reads 1 and 2: use the spoold that wrote it")
    }

    @Test func zerosBehindTheRecordsAreATornTail() throws {
        let (count, torn, damage) = read(try segment(5) + [UInt8](repeating: 0, count: 4096))
        #expect(count == 5 && torn == 4096 && damage == nil)
    }
}

/// A segment as it is written: a snapshot, then batches of some records each, every one appended and synced by itself.
@Suite struct JournalBatchTests {
    /// Where each batch ends, the snapshot first; and the bytes.
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
                // Of many lengths, from a part of a block to some blocks.
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

    /// The bytes behind `start` as a disk may hold them: of the blocks those that the bits of `kept` name.
    private func holed(_ bytes: [UInt8], behind start: Int, size: Int, kept: UInt64, block: Int) -> [UInt8] {
        var bytes = Array(bytes.prefix(size))
        for place in start..<size where kept >> UInt64((place / block - start / block) % 64) & 1 == 0 { bytes[place] = 0 }
        return bytes
    }

    @Test(
        "Attack 71: Whatever blocks of the last append a power cut leaves, zeros before whole lines too, that append alone is cut off",
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
            // Of two faults at once, the end of the one may be lost with the beginning of the other.
            if isTorn, found.good == ends[1] || found.good == ends[0] { continue }
            #expect(found.damage?.line == line && found.records == line - 1, "byte \(place): \(found)")
            #expect(try !Journal.salvage(OneFile(damaged), segment: "000000000001.log").damage.isEmpty)
        }
    }

    @Test("A bit that has turned in the last append is damage, and not a torn tail")
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

    @Test("A batch whose records are fewer than its end says is damage")
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

    @Test("A batch is whole by its mark, which is no field of its last record, and can be taken back")
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

    @Test("What a full disk refused is one batch with what came meanwhile")
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

    @Test("A segment with damage is mended into one batch, whatever its batches were")
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

@Suite struct JournalTests {
    @Test("A journal is gone on with in a file that was not there before, and after a failed sync in none that is open")
    func aFileOfItsOwn() throws {
        let temporary = try TemporarySpool()
        let first = Journal(try temporary.disk())
        try first.rotate(snapshot: [], spool: "x", at: now)
        first.add(.daemonStopped, at: now)
        try first.commit()
        let inode = try temporary.disk().status("journal/000000000001.log")?.inode
        // What an attempt that was cut off has left is not written over.
        try temporary.write("journal/000000000001.log.tmp", "x")
        let left = try temporary.disk().status("journal/000000000001.log.tmp")?.inode
        // Removing that, writing, syncing and naming it, the directory, opening it; then a write and a sync.
        let fs = FaultyFileSystem(try temporary.disk(), .full, at: 8)
        let next = Journal(fs)
        #expect(try next.open { _ in } == 0)
        try next.settle()
        let own = try temporary.disk().status("journal/000000000001.log")?.inode
        #expect(own != inode && own != left && own != nil)
        #expect(try next.isInPlace())
        next.add(.daemonStopped, at: now)
        #expect { try next.commit() } throws: { ($0 as? SystemError)?.call == "fdatasync" }
        #expect(next.hasPending)
        let size = try temporary.read("journal/000000000001.log").count
        #expect(throws: SystemError.self) { try next.commit() }
        #expect(try temporary.read("journal/000000000001.log").count == size, "nothing more is written to it")
    }

    private func kinds(_ spool: TemporarySpool) throws -> [String] {
        var kinds: [String] = []
        let fs = try spool.disk()
        try Journal.read(fs, segment: try #require(try Journal.segments(fs).last)) { kinds.append($0.kind) }
        return kinds
    }

    @Test func aNewSpoolHasNoJournal() throws {
        let journal = Journal(try TemporarySpool().disk())
        #expect(try journal.open { _ in } == nil)
    }

    @Test func whatIsCommittedIsReadBack() throws {
        let temporary = try TemporarySpool()
        let journal = Journal(try temporary.disk())
        try journal.rotate(snapshot: [], spool: "x", at: now)
        #expect(journal.segment == "000000000001.log")
        let records = try everyRecord()
        for (index, record) in records.enumerated() {
            journal.add(record, at: now)
            #expect(journal.hasPending)
            if index % 7 == 0 { try journal.commit() }
        }
        try journal.commit()
        #expect(!journal.hasPending)
        var read: [String] = []
        let next = Journal(try temporary.disk())
        #expect(try next.open { fields in if let record = fields.record(context) { read.append("\(record)") } } == 0)
        #expect(read == records.map { "\($0)" })
        #expect(next.nextSequence == journal.nextSequence && next.segment == journal.segment)
    }

    @Test func aTornTailIsCutOffAndWritingGoesOn() throws {
        let temporary = try TemporarySpool()
        let journal = Journal(try temporary.disk())
        try journal.rotate(snapshot: [], spool: "x", at: now)
        journal.add(.daemonStarted(boot: "b", version: "1"), at: now)
        try journal.commit()
        let whole = try temporary.read("journal/000000000001.log")
        try temporary.write("journal/000000000001.log", whole + Array("a1b2c3d4 3 2026-11-21T02:0".utf8))
        let next = Journal(try temporary.disk())
        #expect(try next.open { _ in } == 26)
        try next.settle()
        #expect(try temporary.read("journal/000000000001.log") == whole)
        next.add(.daemonStopped, at: now)
        try next.commit()
        #expect(try kinds(temporary) == ["segment", "daemon-started", "daemon-stopped"])
    }

    @Test func damageIsNotOpened() throws {
        let temporary = try TemporarySpool()
        let journal = Journal(try temporary.disk())
        try journal.rotate(snapshot: [], spool: "x", at: now)
        journal.add(.daemonStopped, at: now)
        try journal.commit()
        var bytes = try temporary.read("journal/000000000001.log")
        bytes[20] ^= 1
        try temporary.write("journal/000000000001.log", bytes)
        #expect(throws: JournalError.self) { _ = try Journal(try temporary.disk()).open { _ in } }
        // And left as it is, for a person to look at.
        #expect(try temporary.read("journal/000000000001.log") == bytes)
    }

    /// A disk that is full in the middle of an append: nothing of it stays, and all of it is there in the end.
    @Test("Attack 46: a full disk leaves no torn line") func aFullDiskLeavesNoTornLine() throws {
        // A new journal takes seven changes, then each record a write and a sync.
        for failing in stride(from: 8, through: 16, by: 2) {
            let temporary = try TemporarySpool()
            let fs = FaultyFileSystem(try temporary.disk(), .full, at: failing)
            let journal = Journal(fs)
            try journal.rotate(snapshot: [], spool: "x", at: now)
            for attempt in 1...5 {
                journal.add(.started(JobID(instant: now, name: "a", unique: 0), attempt: attempt), at: now)
                do throws(SystemError) { try journal.commit() } catch {
                    #expect(error.errno == ENOSPC && error.call == "write" && journal.hasPending)
                    #expect(try kinds(temporary).count == attempt)
                    #expect(try temporary.read("journal/\(journal.segment)").last == 0x0A)
                    try journal.commit()
                }
            }
            #expect(try kinds(temporary) == ["segment", "started", "started", "started", "started", "started"])
        }
    }

    @Test func aNewSegmentIsTheStateAlone() throws {
        let temporary = try TemporarySpool()
        let scheduler = Scheduler(zones: zones)
        let journal = Journal(try temporary.disk())
        try journal.rotate(snapshot: [], spool: "x", at: now)
        func turn(_ at: Instant) throws {
            for (at, record) in scheduler.takeTurn(at: at).records { journal.add(record, at: at) }
            try journal.commit()
        }
        scheduler.handle(.started(boot: "b1", version: "1"), at: now)
        scheduler.handle(.limits(SchedulerLimits(slots: 2)), at: now)
        let task = try TaskDefinition(
            name: "t", source: source("command = \":\"\noverlap = \"queue\"\n[[schedule]]\nevery = \"1m\"\n[[schedule]]\ncron = \"0 3 * * *\""), context)
        scheduler.handle(.task(task, since: now), at: now)
        scheduler.handle(.paused(.queue("q"), note: "why \"not\"\n"), at: now)
        scheduler.handle(.dropped(try accepted("r", "command = \":\"\ntries = 3\non_crash = \"retry\"", unique: 2)), at: now)
        scheduler.handle(
            .dropped(try accepted("w", file: FileStamp(name: "w \u{1}.toml", inode: 5, size: 6, modifiedNanoseconds: 7), unique: 3)), at: now)
        scheduler.handle(.dropped(try accepted("p", "command = \":\"\nqueue = \"q\"", unique: 4)), at: now)
        try turn(now)
        let running = try #require(scheduler.jobs.values.first { $0.name == "r" })
        scheduler.handle(.ended(running.id, attempt: 1, RunResult(outcome: .lost("x"), startedAt: now, endedAt: now)), at: now)
        let other = try #require(scheduler.jobs.values.first { $0.name == "w" })
        scheduler.handle(.cancel(other.id), at: now)
        let later = now.advanced(byMilliseconds: 61_000)
        try turn(later)

        func state(_ scheduler: Scheduler) -> [String] { scheduler.snapshot(at: later).map { "\($0.at) \($0.record)" }.sorted() }
        func reopened() throws -> Scheduler {
            let scheduler = Scheduler(zones: zones)
            _ = try Journal(try temporary.disk()).open { fields in
                if let record = fields.record(context) { scheduler.restore(record, at: fields.at) }
            }
            _ = scheduler.finishRestoring()
            return scheduler
        }
        let before = state(scheduler)
        #expect(before.count > 8)
        #expect(state(try reopened()) == before)
        try journal.rotate(snapshot: scheduler.snapshot(at: later), spool: "x", at: later)
        #expect(try Journal.segments(try temporary.disk()).count == 2)
        #expect(state(try reopened()) == before)
        try journal.rotate(snapshot: scheduler.snapshot(at: later), spool: "x", at: later)
        #expect(state(try reopened()) == before)
    }

    /// The machine stops at any step of beginning a segment: the old or the new one is there, whole, and says the same.
    @Test(arguments: [FaultyFileSystem.Fault.stop, .stopWithin])
    func aSegmentThatIsCutShortIsNone(fault: FaultyFileSystem.Fault) throws {
        var failing = 0
        while true {
            failing += 1
            let temporary = try TemporarySpool()
            let first = Journal(try temporary.disk())
            try first.rotate(snapshot: [], spool: "x", at: now)
            first.add(.paused(.all, note: "n"), at: now)
            try first.commit()
            let fs = FaultyFileSystem(try temporary.disk(), fault, at: failing)
            let journal = Journal(fs)
            do {
                _ = try journal.open { _ in }
                try journal.settle()
                try journal.rotate(snapshot: [(now, .paused(.all, note: "n"))], spool: "x", at: now)
            } catch {}
            var read: [String] = []
            _ = try Journal(try temporary.disk()).open { read.append($0.kind) }
            #expect(read == ["segment", "paused"], "change \(failing)")
            if !fs.isStopped { break }
        }
        #expect(failing > 5)
    }

    @Test func oldSegmentsAreRemovedAndTheNewestNever() throws {
        let temporary = try TemporarySpool()
        let journal = Journal(try temporary.disk())
        for _ in 0..<3 { try journal.rotate(snapshot: [], spool: "x", at: now) }
        try temporary.write("journal/notes.txt", "x")
        try temporary.write("journal/000000000099.log.tmp", "x")
        try journal.prune(before: Instant(milliseconds: 0))
        #expect(try Journal.segments(try temporary.disk()).count == 3)
        try journal.prune(before: instant("2199-01-01T00:00:00.000Z"))
        #expect(try Journal.segments(try temporary.disk()) == [journal.segment])
        #expect(temporary.exists("journal/notes.txt"))
    }
}
