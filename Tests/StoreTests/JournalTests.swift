import Glibc
import TestSupport
import Testing

@testable import Store

@Suite struct JournalTests {
    @Test("A daemon continues the journal in a new file, and after a failed sync in another new file")
    func aFileOfItsOwn() throws {
        let temporary = try TemporarySpool()
        let first = Journal(try temporary.disk())
        try first.rotate(snapshot: [], spool: "x", at: now)
        first.add(.daemonStopped, at: now)
        try first.commit()
        let inode = try temporary.disk().status("journal/000000000001.log")?.inode
        // The remains of an interrupted attempt are not overwritten.
        try temporary.write("journal/000000000001.log.tmp", "x")
        let left = try temporary.disk().status("journal/000000000001.log.tmp")?.inode
        // The first seven changes remove the remains, write, sync and rename the new file, sync the directory and open the file.
        // The next two are a write and its sync.
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
        // The segment is left unchanged, for a person to examine.
        #expect(try temporary.read("journal/000000000001.log") == bytes)
    }

    /// The disk is full in the middle of an append. The journal removes the part that was written, and later writes the whole
    /// append.
    @Test("Attack 46: a full disk leaves no torn line") func aFullDiskLeavesNoTornLine() throws {
        // A new journal makes seven changes. Each record then makes a write and a sync.
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
            name: "t",
            source: source("command = \":\"\noverlap = \"queue\"\n[[schedule]]\nevery = \"1m\"\n[[schedule]]\ncron = \"0 3 * * *\""),
            context)
        scheduler.handle(.task(task, since: now), at: now)
        scheduler.handle(.paused(.queue("q"), note: "why \"not\"\n"), at: now)
        scheduler.handle(.dropped(try accepted("r", "command = \":\"\ntries = 3\non_crash = \"retry\"", unique: 2)), at: now)
        scheduler.handle(
            .dropped(try accepted("w", file: FileStamp(name: "w \u{1}.toml", inode: 5, size: 6, modifiedNanoseconds: 7), unique: 3)),
            at: now)
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

    /// The machine stops at any step of beginning a segment. Either the old or the new segment is complete, and both have the
    /// same content.
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

    @Test("A segment that is hardly larger than its snapshot is not written again, neither at a start nor after many files were added")
    func aLargeSnapshotIsNotWrittenAgain() throws {
        let temporary = try TemporarySpool()
        let journal = Journal(try temporary.disk())
        let text = String(repeating: "n", count: Int(Journal<DiskFileSystem>.segmentBytes))
        try journal.rotate(snapshot: [(now, .paused(.all, note: text))], spool: "x", at: now)
        let next = Journal(try temporary.disk())
        _ = try next.open { _ in }
        try next.settle()
        #expect(!next.wantsRotation)
        for note in [text, "more"] { next.add(.paused(.all, note: note), at: now) }
        try next.commit()
        #expect(next.wantsRotation)
        next.allowForSnapshot(ofBytes: 2 * Journal<DiskFileSystem>.segmentBytes)
        #expect(!next.wantsRotation)
    }

    @Test func oldSegmentsAreRemovedAndTheNewestNever() throws {
        let temporary = try TemporarySpool()
        let journal = Journal(try temporary.disk())
        for _ in 0..<3 { try journal.rotate(snapshot: [], spool: "x", at: now) }
        try temporary.write("journal/notes.txt", "x")
        try temporary.write("journal/000000000099.log.tmp", "x")
        try journal.prune(before: Instant(milliseconds: 0), bytesMax: .max)
        #expect(try Journal.segments(try temporary.disk()).count == 3)
        try journal.prune(before: instant("2199-01-01T00:00:00.000Z"), bytesMax: .max)
        #expect(try Journal.segments(try temporary.disk()) == [journal.segment])
        #expect(temporary.exists("journal/notes.txt"))
    }

    @Test func theOldestSegmentsGoUntilTheRestIsSmallEnough() throws {
        let temporary = try TemporarySpool()
        let journal = Journal(try temporary.disk())
        for _ in 0..<4 { try journal.rotate(snapshot: [], spool: "x", at: now) }
        let names = try Journal.segments(try temporary.disk())
        let one = try #require(try temporary.disk().status("journal/\(names[0])")).size
        for (limit, left) in [(4 * one, 4), (4 * one - 1, 3), (2 * one, 2), (0, 1)] {
            try journal.prune(before: Instant(milliseconds: 0), bytesMax: limit)
            #expect(try Journal.segments(try temporary.disk()) == names.suffix(left))
        }
    }
}
