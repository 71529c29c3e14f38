import Glibc
import Linux
@testable import Store
import TestSupport
import Testing

@Suite("Litter")
struct LitterTests {
    /// The paths of all faults that fsck finds two days from now.
    private func findings(_ spool: TemporarySpool) throws -> [String] {
        let later = ReadingContext(now: Instant(milliseconds: Clock.now() + 2 * 86_400_000), zones: zones)
        return try SpoolCheck.check(try spool.disk(), isServed: false, later) { _ in false }.map(\.path)
            .filter { $0.contains("/") && !$0.hasPrefix("state/") }.sorted()
    }

    @Test("Files that are older than a day in tmp/, and files that were never completed, are litter")
    func own() throws {
        let spool = try TemporarySpool()
        for file in ["tmp/a.tmp", "tmp/somebody's", "control/x.tmp"] { try spool.write(file, "") }
        #expect(try findings(spool) == ["control/x.tmp", "tmp/a.tmp", "tmp/somebody's"])
    }

    @Test("A record that was only begun or half removed is litter, and the next scan of the records removes it")
    func asides() throws {
        let spool = try TemporarySpool()
        let fs = try spool.disk()
        let id = "20261121T020000.000Z-backup-k3f9"
        let paths = ["done/.\(id)", "failed/.\(id)", "running/.\(id)"]
        for path in paths {
            try fs.makeDirectory(path)
            try spool.write("\(path)/job.toml", "")
        }
        #expect(try findings(spool) == paths)
        _ = try PruneScan(fs).step(10, fs, keep: 0, at: Instant(milliseconds: Clock.now())) { try? fs.removeTree($0) }
        _ = try Spool(fs, host: "").recover([], isSameBoot: true)
        #expect(try findings(spool) == [])
    }

    @Test("Files of users in a spool for everybody are not litter", .enabled(if: geteuid() == 0, "needs root"))
    func ofUsers() throws {
        let spool = try TemporarySpool()
        let top = try Directory.open(spool.path)
        try top.makeDirectory("users")
        for shared in Layout.shared { #expect(chmod("\(spool.path)/\(shared)", 0o1777) == 0) }
        for directory in ["tmp/games", "control/games"] { try top.makeDirectory(directory) }
        for file in ["tmp/hers.tmp", "control/x.tmp", "tmp/own.tmp"] { try spool.write(file, "") }
        for path in ["tmp/games", "control/games", "tmp/hers.tmp", "control/x.tmp"] { #expect(chown("\(spool.path)/\(path)", 5, 60) == 0) }
        #expect(try findings(spool) == ["tmp/own.tmp"])
    }
}
