import Glibc
import TestSupport
import Testing

@testable import Store

@Suite struct SalvageTests {
    private static func segment(_ count: Int) throws -> [UInt8] {
        var line = JournalLine()
        line.beginSegment(sequence: 5, at: now, spool: "x")
        for index in 0..<count - 1 {
            let id = JobID(instant: now.advanced(byMilliseconds: Int64(index)), name: "job", unique: UInt64(index))
            switch index % 4 {
            case 0: line.append(.accepted(try accepted("job", unique: UInt64(index))), sequence: UInt64(6 + index), at: now)
            case 1: line.append(.started(id, attempt: index), sequence: UInt64(6 + index), at: now)
            case 2: line.append(.paused(.all, note: "a \"note\"\n\(index)"), sequence: UInt64(6 + index), at: now)
            default: line.append(.ended(id, Ending(attempt: 1, state: .done, reason: nil)), sequence: UInt64(6 + index), at: now)
            }
        }
        return line.bytes
    }

    private static let path = "journal/000000000005.log"

    @Test func aWholeSegmentHasNoDamage() throws {
        let bytes = try Self.segment(50)
        let segment = try SalvagedSegment(path: Self.path, FileLines(bytes))
        #expect(segment.damage.isEmpty && segment.lines.count == 50 && segment.tornBytes == 0)
        #expect(segment.rewritten(spool: "y", at: now).text.bytes == bytes)
    }

    enum Part: String, CaseIterable { case checksum, number, instant, kind, key, value, newline }

    /// The range of a part of a line.
    private static func places(_ part: Part, in line: ArraySlice<UInt8>) -> Range<Int> {
        let spaces = line.indices.filter { line[$0] == 0x20 }
        let equals = line.firstIndex(of: UInt8(ascii: "="))
        switch part {
        case .checksum: return line.startIndex..<spaces[0]
        case .number: return spaces[0]..<spaces[1]
        case .instant: return spaces[1]..<spaces[2]
        case .kind: return spaces[2]..<(spaces.count > 3 ? spaces[3] : line.endIndex)
        case .key: return equals.map { spaces[3]..<$0 } ?? spaces[2]..<line.endIndex
        case .value: return equals.map { $0..<line.endIndex } ?? spaces[2]..<line.endIndex
        case .newline: return line.endIndex..<line.endIndex + 1
        }
    }

    /// Flips one bit in any part of a thousand records. The damage is reported with its line, all other records are read, and the
    /// rewritten segment is valid. Only a flipped last newline counts as a torn tail.
    @Test(arguments: Part.allCases)
    func noTurnedBitIsSkippedInSilence(part: Part) throws {
        let bytes = try Self.segment(1000)
        var starts = [0]
        for index in bytes.indices where bytes[index] == 0x0A { starts.append(index + 1) }
        var random = SeededGenerator(seed: 7)
        for round in 0..<8 {
            let line = round == 0 ? 1 : round == 1 ? 1000 : Int.random(in: 1...1000, using: &random)
            let text = bytes[starts[line - 1]..<starts[line] - 1]
            let place = Self.places(part, in: text).randomElement(using: &random)!
            var damaged = bytes
            damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            let segment = try SalvagedSegment(path: Self.path, FileLines(damaged))
            if place == bytes.count - 1 {
                #expect(segment.damage.isEmpty && segment.tornBytes > 0 && segment.lines.count == 999)
                continue
            }
            #expect(segment.damage.first?.line == line, "line \(line), byte \(place): \(segment.damage)")
            #expect(segment.lines.count == (part == .newline ? 998 : 999), "line \(line), byte \(place)")
            if round > 2 { continue }
            let rewritten = segment.rewritten(spool: "y", at: now).text.bytes
            #expect(try SalvagedSegment(path: Self.path, FileLines(rewritten)).damage.isEmpty)
            var stops: JournalDamage?
            do throws(JournalError) { try Journal.read(OneFile(damaged), segment: "000000000005.log") { _ in } } catch {
                if case .damage(let damage) = error { stops = damage }
            }
            #expect(stops?.line == line)
        }
    }

    /// The machine stops at any step of a repair. Either the old journal is there with its damage, or the complete new one.
    @Test(arguments: [FaultyFileSystem.Fault.stop, .stopWithin])
    func aRepairThatIsCutLeavesTheOldOrTheNew(fault: FaultyFileSystem.Fault) throws {
        var failing = 0
        var seen: Set<Bool> = []
        while true {
            failing += 1
            let temporary = try TemporarySpool()
            let journal = Journal(try temporary.disk())
            try journal.rotate(snapshot: [], spool: "x", at: now)
            for attempt in 1...4 { journal.add(.started(JobID(instant: now, name: "a", unique: 0), attempt: attempt), at: now) }
            try journal.commit()
            var bytes = try temporary.read("journal/\(journal.segment)")
            bytes[bytes.count / 2] ^= 1
            try temporary.write("journal/\(journal.segment)", bytes)
            let fs = FaultyFileSystem(try temporary.disk(), fault, at: failing)
            do {
                _ = try Spool(fs, host: "h").mendJournal(journal.segment, isNewest: true, before: nil, spoolID: "x", context)
            } catch {}
            let after = try temporary.read("journal/\(journal.segment)")
            let isNew = after != bytes
            seen.insert(isNew)
            if isNew {
                #expect(try SalvagedSegment(path: "x", FileLines(after)).damage.isEmpty, "change \(failing)")
                #expect(try temporary.read("journal/\(journal.segment).damaged") == bytes)
            }
            #expect(try Journal.segments(try temporary.disk()) == [journal.segment])
            if !fs.isStopped { break }
        }
        #expect(seen == [true, false])
    }

    @Test func whatIsOldInTmpIsTold() throws {
        let temporary = try TemporarySpool()
        try temporary.write("tmp/x.pruned", "")
        try temporary.write("tmp/mine", "")
        let fs = try temporary.disk()
        func check(_ at: Instant) throws -> [String] {
            try SpoolCheck.check(fs, isServed: false, ReadingContext(now: at, zones: zones)) { _ in false }.map {
                "\($0.path): \($0.remedy.plan)"
            }
        }
        #expect(try check(now) == [])
        #expect(try check(instant("2199-01-01T00:00:00.000Z")) == ["tmp/mine: moves it to state/lost+found/", "tmp/x.pruned: removes it"])
    }

    @Test func anIdentityIsReadBack() throws {
        let identity = SpoolIdentity(id: "k3f9ab", inode: 7, device: 8, path: "/a b\n\u{1}/c")
        #expect(SpoolIdentity(identity.bytes) == identity)
        for text in ["", "\n", "id=x\n", "id= inode=1 device=2 path=/\n", "id=x inode=a device=2 path=/\n"] {
            #expect(SpoolIdentity(Array(text.utf8)) == nil)
        }
        // A spool with this inode, device and path is the same as the first one, or not.
        for (inode, device, path, isSame) in [
            (7, 8, "/x", true), (7, 9, "/a", true), (7, 9, "/x", false), (6, 8, "/a", false),
        ] as [(UInt64, UInt64, String, Bool)]
        {
            let here = SpoolIdentity(id: "y", inode: inode, device: device, path: path)
            #expect(SpoolIdentity(id: "z", inode: 7, device: 8, path: "/a").isSamePlace(as: here) == isSame)
        }
    }
}
