// Faults of other schedulers that no other suite tests.

import Glibc
import Linux
import Testing

@Suite("Faults of other schedulers", .ownThreads)
struct OthersHistoryTests {
    @Test(
        "A link in the place of the copy that spoolctl edit made is not followed (CVE-2005-1038, CVE-2010-0424)",
        .enabled(if: TestUser.areHere, TestUser.reason)
    )
    func edit() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        try Files.write("\(spool.out)/secret", "command = \"true\" # hush", mode: 0o600)
        let before = try Files.status("\(spool.out)/secret")
        // The user's editor attacks: it replaces the copy by a link.
        let link = "rm -f \"$1\"; ln -s \(spool.out)/secret \"$1\""
        try Files.write("\(spool.out)/hers", "#!/bin/sh\n\(link)\n", mode: 0o755)
        let own = ["SPOOL_DIR=\(spool.path)", "EDITOR=\(spool.out)/hers"]
        let spoolctl = "\(SpoolUnderTest.programs)/spoolctl"
        #expect(try TestUser.games.run(spoolctl, "create", "t", "--every", "1h", "--", "true", environment: own).code == 0)
        let hers = try TestUser.games.run(spoolctl, "edit", "t", environment: own)
        #expect(
            hers.code != 0 && !(hers.output + hers.error).contains("hush"), "games reads nothing that is closed to games: \(hers)")
        #expect(try !TestUser.games.run(spoolctl, "show", "t", environment: own).output.contains("hush"))
        // No other user can change the copy that root edits.
        #expect(try spool.ctl("create", "t", "--every", "1h", "--", "true").code == 0)
        try Files.write(
            "\(spool.out)/roots",
            """
            #!/bin/sh\nstat -c '%a %u' \"$1\" > \(spool.out)/mode\nsetpriv --reuid 5 --regid 60 --clear-groups sh -c '\(link)' sh \"$1\" \
            2> /dev/null\nexit 0\n
            """,
            mode: 0o755)
        let roots = try Commands.run(spoolctl, ["edit", "t"], environment: ["SPOOL_DIR=\(spool.path)", "EDITOR=\(spool.out)/roots"])
        #expect(roots.error.contains("nothing was changed"), "\(roots)")
        #expect(try Files.text("\(spool.out)/mode") == "600 0\n")
        let after = try Files.status("\(spool.out)/secret")
        #expect(
            after.mode == before.mode && after.modifiedNanoseconds == before.modifiedNanoseconds
                && after.changedNanoseconds == before.changedNanoseconds)
    }

    @Test(
        "The name of a file that arrived is data, whatever it means to a shell (incron #35)",
        arguments: ["$(touch bad)", "`touch bad`", "a b;touch bad", "x\ntouch bad", "' ; touch bad ; '", "-rf", "*"]
    )
    func names(_ name: String) throws {
        let spool = try SpoolUnderTest()
        try Files.makeDirectory("\(spool.base)/in")
        try spool.acceptedTask(
            "t",
            """
            command = 'printf %s \"$SPOOL_PATH\" > \(spool.out)/path.tmp; mv \(spool.out)/path.tmp \(spool.out)/path'\n\
            directory = \"\(spool.out)\"\n[[schedule]]\nid = \"s\"\non_path = \"\(spool.base)/in/*\"
            """)
        try spool.logLine("event=waits-for-files")
        try Files.write("\(spool.base)/in/\(name)", "x")
        #expect(try spool.output("path") == "\(spool.base)/in/\(name)")
        #expect(try spool.end(of: "t").outcome == "done 0")
        #expect(!Files.exists("\(spool.out)/bad"))
    }

    @Test(
        "An empty file on a full disk is no job that is tried without end (at's zero-length job)",
        .enabled(if: FullDiskTests.canMount, FullDiskTests.reason)
    )
    func zeroLength() throws {
        let spool = try SpoolUnderTest(tmpfsBytes: 2 << 20)
        // A full disk left files of length 0 in the queue of at(1).
        try spool.dropOntoFullDisk(5) { _ in "" }
        try spool.logLine("event=degraded", "of=disk")
        let seen = spool.logLength
        try spool.awaitTrouble("disk")
        try spool.freeDisk()
        #expect(try spool.ended(count: 5).allSatisfy { $0.outcome == "failed rejected" && $0.error.contains("empty") })
        #expect(try spool.runsOn())
        #expect(spool.count("event=rejected") == 5 && spool.count("event=degraded") == 1)
        #expect(spool.logLength - seen < 8192, "it is not said again and again")
    }

    @Test(
        "The second of two edits within one tick of the clock counts, though time and size are the same (cronie's two edits)",
        arguments: [true, false]
    )
    func twoEdits(isServed: Bool) throws {
        let spool = try SpoolUnderTest()
        let path = "\(spool.path)/tasks/t.toml"
        func edit(_ what: String) throws {
            try Files.write(path, "command = 'echo \(what) >> \(spool.out)/ran'\n[[schedule]]\nat = \"2090-01-01T00:00:00Z\"\n")
            // Both files get the same modification time, to the nanosecond.
            var times = [timespec(tv_sec: 1_700_000_000, tv_nsec: 0), timespec(tv_sec: 1_700_000_000, tv_nsec: 0)]
            #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)
        }
        try edit("one")
        try spool.logLine("event=defined", "tasks/t")
        if !isServed { try spool.stop() }
        try edit("two")
        if !isServed { try spool.start() }
        try spool.wait(for: "the second edit to count") {
            _ = try spool.ctl("run", "--wait", "t")
            return try spool.linesNow("ran").last == "two"
        }
    }
}
