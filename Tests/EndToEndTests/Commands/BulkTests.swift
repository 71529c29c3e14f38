// Commands that act on all jobs that filters match, and pauses by a name alone.

import Linux
import Testing

@Suite("Jobs in bulk", .ownThreads)
struct BulkTests {
    static let commands = ["cancel", "kill", "retry", "forget"]

    @Test("No command acts on all jobs because nothing, or an empty value, was given", arguments: commands)
    func nothingGiven(_ command: String) throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.drop("waits.toml", "command = 'true'")
        for words in [[], ["--text", ""], ["--state", ""], ["--state", ","], ["--task", ""], ["--yes"], ["--dry-run"]] {
            let result = try spool.ctl(list: [command] + words)
            #expect(result.code == 2 && result.output.isEmpty, "\(words): \(result)")
        }
        #expect(try Files.exists("\(spool.path)/new/waits.toml") && Files.list("\(spool.path)/control").isEmpty)
    }

    @Test("forget removes the records that ids or filters name, and no job that waits or runs")
    func forget() throws {
        let spool = try SpoolUnderTest()
        func ended(_ name: String, _ line: String) throws -> String {
            try spool.ctl("submit", "-w", "-q", "--name", name, "--tag", "trial", line).id
        }
        let kept = try ended("kept", "true")
        let failed = try ended("failed", "exit 3")
        let one = try ended("one", "true")
        let two = try ended("two", "true")
        let waits = try spool.ctl("submit", "--in", "1h", "--tag", "trial", "--", "true").id

        let refused = try spool.ctl("forget", waits, "nosuch", one)
        #expect(refused.code == 1 && refused.output == "\(one): forgotten\n", "\(refused)")
        #expect(refused.errors.contains("\(waits) has no record yet: it is waiting; spoolctl cancel ends it"), "\(refused)")
        #expect(refused.errors.contains("there is no job \"nosuch\""), "\(refused)")
        #expect(!Files.exists("\(spool.path)/done/\(one)"))

        let dry = try spool.ctl("forget", "--tag", "trial", "--name", "two", "--name", "failed", "--dry-run")
        #expect(dry.output == "\(failed): would be forgotten\n\(two): would be forgotten\n", "\(dry)")
        #expect(dry.errors == "spoolctl: 2 jobs would be forgotten\n" && Files.exists("\(spool.path)/done/\(two)"), "\(dry)")
        let both = try spool.ctl("forget", "--tag", "trial", "--name", "two", "--name", "failed")
        #expect(both.code == 0 && both.errors == "spoolctl: 2 jobs forgotten\n", "\(both)")
        #expect(try Files.list("\(spool.path)/done") == [kept] && Files.list("\(spool.path)/failed").isEmpty)
        #expect(try spool.ctl("forget", "--state", "new").code == 2)
        let none = try spool.ctl("forget", "--state", "failed")
        #expect(none.code == 0 && none.errors == "spoolctl: no job matches the filters\n", "\(none)")
        #expect(try spool.runsOn())
    }

    @Test("kill says with which signal how many jobs were signaled, and messages name options as they were typed")
    func spoken() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let id = try spool.ctl("submit", "trap 'exit 0' HUP; echo > \(spool.out)/began; read x < \(gate.path)").id
        try spool.output("began")
        #expect(try spool.ctl("kill", "-s", "HUP", "--dry-run", "--state", "running").output == "\(id): would be signaled with SIGHUP\n")
        let killed = try spool.ctl("kill", "-s", "HUP", "--state", "running")
        #expect(killed.errors == "spoolctl: 1 job signaled with SIGHUP\n", "\(killed)")
        try gate.release()
        for (words, spelling) in [(["list", "-n", "x"], "-n"), (["next", "-n", "-1"], "-n"), (["jobs", "--lim", "x"], "--limit")] {
            let result = try spool.ctl(list: words)
            #expect(result.errors.contains("spoolctl: \(spelling) needs a whole number, not "), "\(words): \(result)")
        }
        #expect(try spool.ctl("cancel", "x", "-Q", "video").errors.contains("not both \"x\" and -Q"))
    }

    @Test("On a terminal more than ten jobs are canceled only after a question, or with --yes")
    func asks() throws {
        let spool = try SpoolUnderTest()
        for _ in 1...11 { _ = try spool.ctl("submit", "--in", "1h", "--tag", "late", "--", "true") }
        let screen = try TmuxScreen(spool, environment: ["PS1=prompt> ", "ENV="], "exec sh -i")
        try screen.shows("prompt>")
        try screen.press("spoolctl cancel --tag late", "Enter")
        try screen.shows("Cancel 11 jobs? [y/N]")
        try screen.press("n", "Enter")
        try screen.shows("nothing was changed")
        #expect(try Files.list("\(spool.path)/failed").isEmpty)
        try screen.press("spoolctl cancel -y --tag late", "Enter")
        try screen.shows("11 jobs canceled")
        try spool.ended(count: 11)
        try screen.press("clear; spoolctl retry --failed --reason canceled", "Enter")
        try screen.shows("Retry 11 jobs? [y/N]")
        try screen.press("y", "Enter")
        try screen.shows("retried 11 jobs")
    }

    @Test("pause NAME means the task or the queue of the name, and refuses a name that both have; an unknown queue is remarked")
    func pauseByName() throws {
        let spool = try SpoolUnderTest(configuration: "[queues.video]\nslots = 2\n[queues.both]\nslots = 1", starting: false)
        try spool.task("backup", "command = 'true'\nqueue = 'tape'")
        try spool.task("both", "command = 'true'")
        func control() throws -> [String] { try Files.list("\(spool.path)/control").sorted() }
        for name in ["backup", "video", "tape"] {
            let result = try spool.ctl("pause", name)
            #expect(result.code == 0 && result.errors.isEmpty, "\(result)")
        }
        #expect(try control() == ["pause-backup", "pause@tape", "pause@video"])
        let both = try spool.ctl("pause", "both")
        #expect(both.code == 2 && both.errors.contains("is a task and a queue; use --task both or --queue both"), "\(both)")
        let unknown = try spool.ctl("pause", "bakup")
        #expect(unknown.code == 3 && unknown.errors.contains("there is no task or queue \"bakup\"; did you mean \"backup\"?"), "\(unknown)")
        #expect(try spool.ctl("pause", "backup", "--queue", "video").code == 2)

        let mistyped = try spool.ctl("pause", "-Q", "vidoe")
        #expect(mistyped.code == 0 && mistyped.errors.contains("no queue \"vidoe\" is configured"), "\(mistyped)")
        #expect(mistyped.errors.contains("did you mean \"video\"?"), "\(mistyped)")
        // resume knows the name of a paused queue or task.
        #expect(try spool.ctl("pause", "--queue", "both").code == 0 && spool.ctl("resume", "both").code == 0)
        for name in ["backup", "video", "tape", "vidoe"] { #expect(try spool.ctl("resume", name).code == 0, "\(name)") }
        #expect(try control().isEmpty)
    }
}
