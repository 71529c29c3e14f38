import Glibc
import TestSupport
import Testing

@testable import Store

@Suite struct SpoolTests {
    @Test func aSpoolIsMadeWhole() throws {
        let temporary = try TemporarySpool()
        #expect(
            try temporary.names(".")
                == ["control", "done", "failed", "journal", "new", "patterns", "running", "schedules", "state", "tasks", "tmp"])
        #expect(temporary.text("state/format") == "spoold spool format 1\n")
        // A second preparation changes nothing. A power cut during the first start may leave an empty format file.
        try temporary.write("state/format", "")
        try Spool.prepare(try temporary.disk())
        #expect(temporary.text("state/format") == "spoold spool format 1\n")
    }

    @Test func aSpoolOfAnotherFormatIsRefusedUntouched() throws {
        let temporary = try TemporarySpool()
        try temporary.write("state/format", "spoold spool format 2\n")
        try temporary.remove("tmp")
        let disk = try temporary.disk()
        do throws(SpoolError) {
            try Spool.prepare(disk)
            Issue.record("not refused")
        } catch {
            #expect(
                "\(error)"
                    == """
                    the spool's format is \"spoold spool format 2\", this program knows \"spoold spool format 1\" with journal \
                    format 3: use the spoold that wrote it; nothing has been changed
                    """)
        }
        #expect(!temporary.exists("tmp"))
    }

    @Test func recordsWhoseTimeIsUpAreRemoved() throws {
        let temporary = try TemporarySpool()
        let disk = try temporary.disk()
        func record(_ place: String, _ number: UInt64, came: Int64 = -10_000, ended: Instant?, keep: Int64? = nil) throws -> String {
            let id = JobID(instant: now.advanced(byMilliseconds: came), name: "a", unique: number).text
            var status = JobStatus(id: id, name: "a", due: now, createdAt: now, host: "h")
            status.endedAt = ended
            status.changedAt = ended ?? now
            status.keepMilliseconds = keep
            try disk.makeDirectory("\(place)/\(id)")
            try temporary.write("\(place)/\(id)/status.json", status.json())
            return id
        }
        let old = try record("done", 1, ended: now.advanced(byMilliseconds: -1000))
        let fresh = try record("failed", 2, ended: now.advanced(byMilliseconds: -999))
        let kept = try record("done", 3, ended: now.advanced(byMilliseconds: -5000), keep: 6000)
        let short = try record("failed", 4, ended: now.advanced(byMilliseconds: -10), keep: 10)
        let unknown = try record("done", 5, ended: nil)
        // Ended by a wrong clock. The instant in an id counts, but not in one that no right clock has given.
        let wrong = now.advanced(byMilliseconds: -1_000_000_000_000)
        let early = try record("failed", 6, came: -999, ended: wrong)
        let repeatable = try record("failed", 7, came: 3_600_000, ended: wrong)
        let past = try record("failed", 8, came: -1000, ended: wrong)
        let chosen = try record("failed", 9, came: 100_000_000, ended: wrong)
        try disk.makeDirectory("done/mine")
        let scan = try PruneScan(disk)
        var removed: [String] = []
        while !scan.isFinished { removed += try scan.step(2, disk, keep: 1000, at: now, remove: { try? disk.removeTree($0) }).removed }
        #expect(removed.sorted() == [old, short, past, chosen].sorted())
        #expect(try temporary.names("done") == [kept, unknown, "mine"].sorted())
        #expect(try temporary.names("failed") == [fresh, early, repeatable].sorted())
    }
}
