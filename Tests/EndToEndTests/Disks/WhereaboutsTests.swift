// The spool, or a directory of it, is moved, replaced, unmounted or deleted while spoold serves it.

import Glibc
import Linux
import Testing

@Suite("A spool that is moved, removed or replaced", .ownThreads)
struct WhereaboutsTests {
    @Test("Attack 28: when another directory replaces new/, files that are dropped into it run")
    func newIsReplaced() throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.runsOn("first"))
        try Files.rename("\(spool.path)/new", "\(spool.base)/old")
        try Files.makeDirectory("\(spool.path)/new")
        try spool.drop("second.toml", "command = ['true']")
        // The test itself still watches the old new/, so it waits for the event in done/.
        #expect(try spool.end(of: "second").outcome == "done 0")
        // Replaces new/ a second time.
        try Files.rename("\(spool.path)/new", "\(spool.base)/older")
        try Files.makeDirectory("\(spool.path)/new")
        try spool.drop("third.toml", "command = ['true']")
        #expect(try spool.end(of: "third").outcome == "done 0")
    }

    @Test("Attack 28: when new/ and another directory are exchanged, the one that is named new counts")
    func newIsExchanged() throws {
        let spool = try SpoolUnderTest()
        try Files.makeDirectory("\(spool.path)/tmp/other")
        try Files.write("\(spool.path)/tmp/other/job.toml", "command = ['true']")
        try Directory.open(spool.path).exchange("new", "tmp/other")
        #expect(try spool.end(of: "job").outcome == "done 0")
    }

    @Test(
        "Attack 74: a removed directory is noticed, reported once, and made again",
        arguments: ["new", "done", "failed", "running", "tasks", "tmp", "control"]
    )
    func directoryIsRemoved(_ name: String) throws {
        let spool = try SpoolUnderTest()
        try Files.removeTree("\(spool.path)/\(name)")
        try spool.logLine("event=degraded", "of=spool", "\(name)/ is missing")
        try spool.logLine("event=mended", "\(name)/")
        try spool.logLine("event=recovered", "of=spool")
        try spool.watch(name)
        #expect(try spool.runsOn())
        #expect(spool.count("event=degraded") == 1)
    }

    @Test("A journal that is removed is written again from memory, and nothing is lost")
    func journalIsRemoved() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop("early.toml", "command = 'echo >> \(spool.out)/began; read x < \(gate.path); exit 5'")
        try spool.drop("waiting.toml", "command = 'echo ran >> \(spool.out)/ran'\nstart = '2090-01-01T00:00:00Z'")
        try spool.output("began")
        try spool.logLine("event=accepted", "waiting")
        try Files.rename("\(spool.path)/journal", "\(spool.base)/journal")
        try spool.logLine("event=degraded", "of=spool", "journal/ is missing")
        try spool.logLine("event=recovered", "of=spool")
        try spool.crash()
        try gate.release()
        try spool.start()
        #expect(try spool.end(of: "early").outcome == "failed exit 5", "the run is known")
        #expect(try spool.jobs(in: "new").isEmpty && Files.exists("\(spool.path)/new/waiting.toml"))
        #expect(try spool.runsOn())
        #expect(try Files.text("\(spool.out)/began").utf8.count == 1, "it began once")
    }

    @Test("A segment of the journal that is removed, moved or replaced is noticed at once and written again from memory", arguments: [
        "rm", "mv", "cp",
    ])
    func segmentIsTaken(_ way: String) throws {
        let spool = try SpoolUnderTest()
        try spool.drop("waiting.toml", "command = ['true']\nstart = '2090-01-01T00:00:00Z'")
        try spool.logLine("event=accepted", "waiting")
        let segment = try #require(try spool.journalFiles.last)
        switch way {
        case "rm": try Files.remove(segment)
        case "mv": try Files.rename(segment, "\(spool.base)/segment")
        default: try Commands.succeed("sh", "-c", "cp \"$1\" \"$1.tmp\" && mv \"$1.tmp\" \"$1\"", "sh", segment)
        }
        try spool.logLine("event=degraded", "of=spool", "is missing, or another file")
        try spool.logLine("event=mended", "from memory")
        try spool.logLine("event=recovered", "of=spool")
        #expect(try spool.runsOn("after"))
        let id = try #require(try spool.jobs(in: "done").first?.id)
        try spool.crash()
        try spool.start()
        #expect(try spool.ctl("jobs", "--state", "new", "-q").output.contains("-waiting-"))
        #expect(try spool.ctl("why", id).code == 0)
        #expect(try spool.runsOn("again"))
        try spool.stop()
        #expect(try spool.ctl("fsck").code == 0)
    }

    @Test(
        "A segment of the journal that somebody truncates or writes to is noticed, set aside, and written again from memory",
        arguments: [
            ": > \"$1\"", "truncate -s 700 \"$1\"", "echo more >> \"$1\"",
        ]
    )
    func segmentIsChanged(_ way: String) throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop("waiting.toml", "command = ['true']\nstart = '2090-01-01T00:00:00Z'")
        try spool.drop("early.toml", "command = 'echo >> \(spool.out)/began; read x < \(gate.path); exit 5'")
        try spool.output("began")
        try spool.logLine("event=accepted", "waiting")
        let segment = try #require(try spool.journalFiles.last)
        try Commands.succeed("sh", "-c", way, "sh", segment)
        try spool.logLine("event=degraded", "of=spool", "cut it off or written to it")
        try spool.logLine("event=mended", "from memory", "state/lost+found/journal-")
        try spool.logLine("event=recovered", "of=spool")
        #expect(!Files.exists(segment), "it is no part of the journal any more")
        #expect(try spool.runsOn("after"))
        try spool.crash()
        try gate.release()
        try spool.start()
        #expect(try spool.end(of: "early").outcome == "failed exit 5", "the run is known")
        #expect(try Files.text("\(spool.out)/began") == "\n", "it began once")
        #expect(try spool.ctl("jobs", "--state", "new", "-q").output.contains("-waiting-"))
        #expect(try spool.runsOn("again"))
        #expect(spool.count("event=degraded") == 1)
        try spool.stop()
        #expect(try spool.ctl("fsck").code == 0)
    }

    @Test(
        "A removed state/ is made again; the spool stays locked and running jobs continue",
        arguments: [["state"], ["state", "journal"], ["state", "patterns"]]
    )
    func stateIsRemoved(_ names: [String]) throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop("early.toml", "command = 'echo >> \(spool.out)/began; read x < \(gate.path); exit 5'\nunique = 'one'")
        try spool.output("began")
        let identity = try Files.text("\(spool.path)/state/identity")
        let pid = try #require(spool.daemon?.pid)
        func isRefused() throws {
            let second = try Commands.run("\(SpoolUnderTest.programs)/spoold", "--spool", spool.path, "--config", spool.configuration)
            #expect(second.code == 1 && second.error.contains("is held by spoold, pid \(pid)"), "\(second.code) \(second.error)")
        }
        // The daemon is stopped, so that it does not create the directories again meanwhile.
        try spool.pause()
        for name in names { try Files.removeTree("\(spool.path)/\(name)") }
        try isRefused()
        #expect(!Files.exists("\(spool.path)/state"), "the second one makes nothing")
        #expect(try spool.ctl("status").output.contains("\(pid)"))
        spool.signal(SIGCONT)
        try spool.logLine("event=mended", "locked the spool anew")
        try spool.logLine("event=recovered", "of=spool")
        try isRefused()
        #expect(try Files.text("\(spool.path)/state/identity").split(separator: " ")[0] == identity.split(separator: " ")[0])
        #expect(try spool.ctl("submit", "--unique", "one", "--", "true").output.contains("-early-"), "the key is held still")
        try gate.release()
        #expect(try spool.end(of: "early").outcome == "failed exit 5")
        #expect(try spool.runsOn("late"))
        try spool.restart()
        #expect(!spool.log.contains("event=copy"))
        #expect(try spool.runsOn("later"))
    }

    @Test("While state/ is moved away no job starts; when it is back, jobs start again")
    func stateIsAway() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop("early.toml", "command = 'echo >> \(spool.out)/began; read x < \(gate.path); exit 5'")
        try spool.output("began")
        try Files.rename("\(spool.path)/state", "\(spool.base)/state")
        try spool.logLine("event=degraded", "of=spool", "state/ is missing")
        try spool.drop("late.toml", "command = ['true']")
        try spool.logLine("event=accepted", "late")
        try gate.release()
        #expect(try spool.end(of: "early").outcome == "failed exit 5", "what ends is recorded")
        #expect(!Files.exists("\(spool.path)/state"), "it is not made anew, for the lock and the records of runs are in it")
        #expect(try spool.ended("late").isEmpty)
        try Files.rename("\(spool.base)/state", "\(spool.path)/state")
        try spool.logLine("event=recovered", "of=spool")
        #expect(try spool.end(of: "late").outcome == "done 0")
        #expect(spool.count("event=degraded") == 1)
    }

    @Test("A spool that is moved away is served where it is, without starts, and in full when it is back at its path")
    func spoolIsMoved() throws {
        let spool = try SpoolUnderTest()
        let identity = try Files.text("\(spool.path)/state/identity")
        let gate = try spool.gate()
        try spool.drop("early.toml", "command = 'echo >> \(spool.out)/began; read x < \(gate.path); exit 5'")
        try spool.output("began")
        let away = "\(spool.base)/away"
        try Files.rename(spool.path, away)
        try spool.logLine("event=degraded", "of=spool", "moved or unmounted")
        try Files.write("\(away)/tmp/late.toml", "command = 'echo ran >> \(spool.out)/ran'")
        try Files.rename("\(away)/tmp/late.toml", "\(away)/new/late.toml")
        try spool.logLine("event=accepted", "late")
        try gate.release()
        try spool.logLine("event=ended", "early", "exit_code=5")
        #expect(!Files.exists(spool.path), "nothing is written to a stray place")
        #expect(try spool.linesNow("ran").isEmpty)
        try Files.rename(away, spool.path)
        try spool.logLine("event=recovered", "of=spool")
        #expect(try spool.end(of: "late").outcome == "done 0")
        #expect(try spool.end(of: "early").outcome == "failed exit 5")
        #expect(try spool.linesNow("ran").count == 1)
        #expect(spool.count("event=degraded") == 1)
        #expect(try Files.text("\(spool.path)/state/identity") == identity)
        try spool.awaitNoTrouble()
        #expect(try spool.stop() == 0)
    }

    @Test(
        "A spool that is unmounted lazily is noticed, and served when it is mounted again",
        .enabled(if: FullDiskTests.canMount, FullDiskTests.reason)
    )
    func spoolIsUnmounted() throws {
        let spool = try SpoolUnderTest(tmpfsBytes: 4 << 20)
        let other = "\(spool.base)/other"
        try Files.makeDirectory(other)
        try Commands.succeed("mount", "--bind", spool.path, other)
        defer { _ = try? Commands.run("umount", "-l", other) }  // what is left shows in the directory
        try Commands.succeed("umount", "-l", spool.path)
        try spool.logLine("event=degraded", "of=spool", "moved or unmounted")
        #expect(try Files.list(spool.path).isEmpty, "nothing is written to what was under it")
        try Files.write("\(other)/new/late.toml", "command = ['true']")
        try spool.logLine("event=accepted", "late")
        try Commands.succeed("mount", "--bind", other, spool.path)
        try spool.logLine("event=recovered", "of=spool")
        #expect(try spool.end(of: "late").outcome == "done 0")
    }

    @Test("When the spool is deleted or another one replaces it, spoold ends and reports why", arguments: [false, true])
    func spoolIsGone(isReplaced: Bool) throws {
        let spool = try SpoolUnderTest()
        // The daemon is stopped, so that it neither creates directories in the spool nor replaces files meanwhile.
        try spool.pause()
        if isReplaced {
            // Replaces the whole spool at once, as restoring a backup may do.
            try Commands.succeed("cp", "-a", spool.path, "\(spool.base)/copy")
            try Directory.open(spool.base).exchange("spool", "copy")
        } else {
            try Files.removeTree(spool.path)
        }
        spool.signal(SIGCONT)
        #expect(try spool.exitCode() == 1)
        #expect(spool.log.contains(isReplaced ? "another spool is at \(spool.path)" : "was deleted"), "\(spool.log)")
        if isReplaced {
            try spool.start()
            #expect(try spool.runsOn())
        } else {
            #expect(!Files.exists(spool.path))
        }
    }
}

extension SpoolUnderTest {
    /// Watches a directory of the spool that has been replaced.
    func watch(_ directory: String) throws {
        _ = try inotify.add("\(path)/\(directory)", [.created, .deleted, .movedFrom, .movedTo, .closedAfterWriting, .modified])
    }
}
