// Jobs that are named by a word instead of a whole id.

import Linux
import Testing

@Suite("Jobs by a word", .ownThreads)
struct JobWordTests {
    @Test("A name means the newest job of the name, @ and @2 the caller's newest ones, and standard error says which was chosen")
    func words() throws {
        let spool = try SpoolUnderTest()
        try spool.task("backup", "command = 'echo run of backup'")
        let first = try spool.ctl("run", "backup", "-w").id
        let second = try spool.ctl("run", "backup", "-w").id
        let other = try spool.ctl("submit", "-w", "--name", "other", "--", "echo", "run of other").id
        func expect(_ word: String, _ id: String, said: String?, _ line: Int = #line) throws {
            let result = try spool.ctl("status", word, "--json")
            #expect(result.code == 0 && result.output.contains("\"id\":\"\(id)\""), "line \(line): \(result)")
            #expect(said.map { result.errors.contains($0) } ?? result.errors.isEmpty, "line \(line): \(result.errors)")
        }
        try expect(first, first, said: nil)
        try expect("backup", second, said: "\"backup\" means the newest of 2 jobs: \(second) (done)")
        try expect("other", other, said: nil)
        try expect("@", other, said: "\"@\" means \(other) (done)")
        try expect("@2", second, said: "\"@2\" means \(second)")
        try expect("@3", first, said: first)
        try expect(String(first.suffix(6)), first, said: nil)
        try expect(String(first.prefix(19)), first, said: nil)
        #expect(try spool.ctl("status", "-q", "backup").errors.isEmpty)
        #expect(try spool.ctl("wait", "@").code == 0)
        #expect(try spool.ctl("why", "@").output.contains("It succeeded"))
        // Other commands take such a word, too. Afterwards the retry is the newest job.
        let again = try spool.ctl("retry", "backup").id
        try expect("@", again, said: again)
        _ = try spool.ctl("wait", again)
        try expect("backup", again, said: "3 jobs")

        let both = try spool.ctl("logs", "other", "backup")
        #expect(both.output == "==> \(other) <==\nrun of other\n\n==> \(again) <==\nrun of backup\n", "\(both)")
        #expect(try spool.ctl("logs", "other", "nosuch").output == "", "nothing before the error")
    }

    @Test("@ means no job that on_overdue or a notice made, after a restart neither, and jobs counts such jobs as follow-ups")
    func madeByNobody() throws {
        let spool = try SpoolUnderTest()
        let own = try spool.ctl("submit", "-w", "--on-start", "true;", "--on-end", "true;", "true").id
        try spool.task("alarm", "command = 'true'")
        for (name, action) in [("t", "alarm"), ("u", "true || true")] {
            try spool.acceptedTask(name, "command = 'true'\nexpect = '100ms'\non_overdue = '\(action)'")
        }
        let alarm = try spool.end(of: "alarm")
        #expect(alarm.string("overdue_task") == "t" && alarm.isNull("parent"))
        _ = try spool.end(of: "u.on_overdue")
        for _ in 0..<2 {
            #expect(try spool.ctl("status", "@", "--json").output.contains("\"id\":\"\(own)\""))
            #expect(try spool.ctl("status", "@2").code == 3)
            #expect(try spool.ctl("status", alarm.id).output.contains("follows\tt, which was overdue\n"))
            try spool.restart()
        }
        let screen = try TmuxScreen(spool, "spoolctl jobs; read x")
        try screen.shows("4 follow-up jobs not shown")
    }

    @Test("A word that means no job, or several, is refused, and the error helps to find the job")
    func refused() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.task("backup", "command = 'true'")
        let ids = ["20261121T020000.000Z-one-k3f9ab", "20261121T020000.000Z-two-k3f9ab"]
        for id in ids { try Files.write("\(spool.path)/new/\(id).toml", "command = 'true'") }
        let rows: [(String, Int32, [String])] = [
            ("backup", 3, ["task \"backup\" has no job", "spoolctl run backup"]),
            ("bakup", 3, ["there is no job \"bakup\"", "did you mean \"backup\"?"]),
            ("k3f9ab", 3, ["\"k3f9ab\" is part of several ids"] + ids.map { "  \($0)  new" }),
            ("@3", 3, ["@3: only 2 jobs here were submitted by hand"]),
            ("@0", 4, ["\"@0\" is not a job"]),
            ("@me", 4, ["\"@me\" is not a job"]),
            ("9ab", 3, ["there is no job \"9ab\""]),
        ]
        for (word, code, parts) in rows {
            let result = try spool.ctl("status", word)
            #expect(result.code == code && parts.allSatisfy { result.errors.contains($0) }, "\(word): \(result)")
        }
        // A job's name takes precedence over the same text as part of an id.
        try Files.write("\(spool.path)/new/20261120T020000.000Z-k3f9ab-aaaaaa.toml", "command = 'true'")
        #expect(try spool.ctl("status", "-q", "k3f9ab").id == "20261120T020000.000Z-k3f9ab-aaaaaa")
    }

    @Test("cancel and kill take the newest job of a name that they can act on; a task's job of another name counts")
    func preferred() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.task("slow", "command = 'echo > \(spool.out)/began; read x < \(gate.path)'")
        let runs = try spool.ctl("run", "slow").id
        try spool.output("began")
        // The job waits for the run before it.
        try spool.drop("urgent.toml", "task = 'slow'")
        let waits = try spool.wait(for: "urgent to wait") { () throws -> String? in
            let result = try spool.ctl("status", "-q", "slow")
            return result.id.contains("-urgent-") ? result.id : nil
        }
        let killed = try spool.ctl("kill", "slow")
        #expect(killed.code == 0 && killed.output.hasPrefix(runs), "\(killed)")
        _ = try spool.ctl("wait", runs)
        let canceled = try spool.ctl("cancel", "slow")
        #expect(canceled.code == 0 && canceled.output.hasPrefix(waits), "\(canceled)")
        _ = try spool.ctl("wait", waits)
        let ended = try spool.ctl("cancel", "slow")
        #expect(ended.code == 1 && ended.errors.contains("has already ended"), "\(ended)")
    }

    @Test("@ means jobs that the caller has submitted, not their follow-ups")
    func byHand() throws {
        let spool = try SpoolUnderTest()
        let id = try spool.ctl("submit", "-w", "--on-end", "true", "--", "true").id
        try spool.ended(count: 2)
        #expect(try spool.ctl("status", "-q", "@").id == id)
    }

    @Test("Root names a user's job by the user and any word", .enabled(if: TestUser.areHere, TestUser.reason))
    func ofUsers() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        try spool.drop(as: .games, "hello.toml", "command = \"echo from games\"")
        try spool.logLine("event=ended", "user=games", "state=done")
        for word in ["games/hello", "games/@"] {
            let result = try spool.ctl("logs", word)
            #expect(result.code == 0 && result.output == "from games\n", "\(word): \(result)")
        }
    }
}
