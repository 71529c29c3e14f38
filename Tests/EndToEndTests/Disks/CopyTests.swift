// A copy of a spool, taken while a daemon serves it, is a separate spool.

import Glibc
import Linux
import Testing

@Suite("Copies", .ownThreads)
struct CopyTests {
    private static func copy(_ spool: SpoolUnderTest, _ way: String) throws -> SpoolUnderTest {
        let copy = try SpoolUnderTest(starting: false)
        switch way {
        case "tar":
            try Commands.succeed(
                "sh", "-c", "tar -C '\(spool.path)' -cf '\(copy.base)/tar' . || [ $? = 1 ]; tar -C '\(copy.path)' -xpf '\(copy.base)/tar'")
        // cp exits with 1 when a file is removed while it copies.
        default: try Commands.succeed("sh", "-c", "cp -a '\(spool.path)/.' '\(copy.path)' || [ $? = 1 ]")
        }
        return copy
    }

    private static func id(_ spool: SpoolUnderTest) throws -> Substring {
        try Files.text("\(spool.path)/state/identity").split(separator: " ")[0]
    }

    @Test(
        "Attack 75: a run of the original is lost in the copy, whatever on_crash is, and continues in the original",
        arguments: ["cp", "tar"], ["fail", "retry"]
    )
    func running(_ way: String, _ crash: String) throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let mark = "echo $SPOOL_NAME >> \(spool.out)/marks"
        _ = try spool.run("command = '\(mark)'", as: "ended")
        try spool.drop("later.toml", "command = '\(mark)'\nstart = \"2090-01-01T00:00:00Z\"")
        try spool.drop("held.toml", "command = '\(mark); read x < \(gate.path)'\non_crash = \"\(crash)\"\ntries = 3")
        try spool.lines("marks", count: 2)
        _ = try spool.wait(for: "the last write before its end") { try spool.running("held").integer("pid") }
        let copy = try Self.copy(spool, way)
        try copy.start()
        try copy.logLine("event=copy", "of=\(spool.path)")
        let lost = try copy.end(of: "held")
        #expect(lost.outcome == "failed lost" && lost.error.contains("a copy of") && lost.attempt == 1)
        #expect(Files.exists("\(copy.path)/new/later.toml"))
        #expect(try copy.runsOn())
        #expect(try Self.id(copy) != Self.id(spool))
        let header = try Files.text(try #require(try copy.journalFiles.last)).split(separator: "\n")[0]
        #expect(header.contains("spool=\(try Self.id(copy).dropFirst(3))"))
        try copy.restart()
        #expect(copy.log.components(of: "event=copy").count == 1, "it is said once")
        try copy.stop()
        #expect(try copy.ctl("fsck").code == 0)
        try gate.release()
        #expect(try spool.end(of: "held").outcome == "done 0", "its process was left alone")
        #expect(try spool.linesNow("marks").sorted() == ["ended", "held"])
    }

    @Test("Attack 75: a copy that is made while jobs start begins no job a second time")
    func stream() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 4")
        for index in 0..<150 { try spool.drop("job-\(index).toml", "command = 'echo $SPOOL_JOB_ID >> \(spool.out)/marks'") }
        try spool.lines("marks", count: 20)
        let begun = Set(try spool.linesNow("marks"))
        let copy = try Self.copy(spool, "cp")
        try spool.ended(count: 150)
        let before = try spool.linesNow("marks")
        #expect(Set(before).count == 150 && before.count == 150)
        try copy.start()
        #expect(try copy.runsOn())
        try copy.wait(for: "all to have ended") { try Files.list("\(copy.path)/new").isEmpty && Files.list("\(copy.path)/running").isEmpty }
        try copy.stop()
        // The copy ran only jobs that still waited when it was taken.
        for again in try spool.linesNow("marks").dropFirst(150) { #expect(!begun.contains(again), "\(again)") }
        #expect(try copy.ctl("fsck").code == 0)
    }

    @Test(
        "A copy whose new/ is older than its journal sets aside files that have become jobs, and runs nothing twice",
        arguments: ["toml", "script"]
    )
    func olderNew(_ kind: String) throws {
        let spool = try SpoolUnderTest()
        let mark = "echo $SPOOL_NAME >> \(spool.out)/marks"
        let file = kind == "toml" ? "early.toml" : "early"
        try Files.write("\(spool.path)/control/pause", "")
        try spool.logLine("event=paused")
        try spool.drop(file, kind == "toml" ? "command = '\(mark)'" : "#!/bin/sh\n\(mark)\n", mode: kind == "toml" ? 0o644 : 0o755)
        try spool.logLine("event=accepted", "early")
        // Copies new/ first. When all of its jobs have run, copies the rest.
        let copy = try SpoolUnderTest(starting: false)
        try Commands.succeed("cp", "-a", "\(spool.path)/new/.", "\(copy.path)/new")
        try Files.remove("\(spool.path)/control/pause")
        #expect(try spool.end(of: "early").outcome == "done 0")
        try Commands.succeed("sh", "-c", "cd '\(spool.path)' && for d in *; do [ $d = new ] || cp -a $d '\(copy.path)'; done")
        try copy.start()
        try copy.logLine("event=copy", "of=\(spool.path)")
        #expect(try copy.runsOn())
        #expect(try spool.linesNow("marks") == ["early"], "it ran once, before the copy was taken")
        #expect(try Files.list("\(copy.path)/new") == [])
        #expect(try Files.list("\(copy.path)/state/lost+found") == ["new-\(file)"], "nothing is deleted")
    }

    @Test("A spool that is moved does not count as a copy")
    func moved() throws {
        let spool = try SpoolUnderTest()
        let id = try Self.id(spool)
        try spool.stop()
        try Files.rename(spool.path, "\(spool.base)/moved")
        try Files.symlink("\(spool.base)/moved", spool.path)
        try spool.start()
        #expect(!spool.log.contains("event=copy"))
        #expect(try Self.id(spool) == id)
    }
}

extension String {
    fileprivate func components(of text: String) -> [Substring] { split(separator: "\n").filter { $0.contains(text) } }
}
