import Glibc
import Scheduler
import TestSupport
import Testing

@testable import Store

@Suite struct ContentStampTests {
    private let text = "command = \"a\"\n"

    private func found(_ spool: TemporarySpool) throws -> FoundDefinition {
        try #require(try spool.spool().findDefinitions(in: "tasks").first { $0.stem == "t" })
    }

    private func known(_ spool: TemporarySpool) throws -> RecordedDefinition {
        let file = try #require(try spool.spool().definition(in: "tasks", stem: "t", files: ["t.toml"]))
        return RecordedDefinition(file.source, writtenAt: file.writtenAt, stamp: file.stamp)
    }

    @Test("A file that has not been touched is known by its stamp")
    func untouched() throws {
        let temporary = try TemporarySpool()
        try temporary.write("tasks/t.toml", text)
        let known = try known(temporary)
        #expect(try temporary.spool().unchanged(try found(temporary), since: known)?.source == known.source)
        #expect(try temporary.spool().unchanged(try found(temporary), since: nil) == nil)
    }

    @Test(
        "A file that was changed, replaced, given another mode or a second name is read again, also when size and time are the same",
        arguments: ["in place", "replaced", "mode", "link", "beside", "renamed"])
    func touched(_ how: String) throws {
        let temporary = try TemporarySpool()
        let path = "\(temporary.path)/tasks/t.toml"
        try temporary.write("tasks/t.toml", text)
        let known = try known(temporary)
        let before = try FileStatus.read(path)
        // The clock of the file system advances in steps.
        repeat { try temporary.write("tmp/x", "") } while try FileStatus.read("\(temporary.path)/tmp/x").changedNanoseconds
            == before.changedNanoseconds
        switch how {
        case "in place": try temporary.write("tasks/t.toml", "command = \"b\"\n")
        case "replaced":
            try temporary.write("tmp/t", "command = \"b\"\n")
            #expect(rename("\(temporary.path)/tmp/t", path) == 0)
        case "mode": #expect(chmod(path, 0o640) == 0)
        case "link": #expect(link(path, "\(temporary.path)/tmp/t") == 0)
        case "beside": try temporary.write("tasks/t.json", "{}")
        default: #expect(rename(path, "\(temporary.path)/tasks/t.json") == 0)
        }
        if how == "in place" || how == "replaced" {
            let nanoseconds = before.modifiedNanoseconds
            let time = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
            let times = [time, time]
            #expect(utimensat(AT_FDCWD, path, times, 0) == 0)
            let after = try FileStatus.read(path)
            #expect(after.size == before.size && after.modifiedNanoseconds == before.modifiedNanoseconds)
        }
        #expect(try temporary.spool().unchanged(try found(temporary), since: known) == nil)
    }

    @Test("A file that changed shortly before it was read has no settled stamp", arguments: [
        // The time of the change, the time of the reading, in milliseconds.
        (1_000_001, 999_000, false), (1_000_001, 1_000_051, false), (1_000_001, 1_000_200, true),
        // A file system that keeps whole seconds.
        (1_000_000, 1_000_200, false), (1_000_000, 1_002_900, false), (1_000_000, 1_003_100, true),
    ] as [(Int64, Int64, Bool)])
    func settled(changedAt: Int64, readAt: Int64, isSettled: Bool) {
        let settles = ContentStamp.settles(changedNanoseconds: changedAt * 1_000_000)
        #expect((Instant(milliseconds: readAt) > settles) == isSettled)
    }
}
