// All commands agree about the definition in force. If a task's file cannot be used, this is the definition accepted before.

import Documents
import Glibc
import Linux
import Testing

@Suite("Definitions in force", .ownThreads)
struct InForceTests {
    private static let old = "description = \"nightly\"\ncommand = [\"echo\", \"old\"]\n[[schedule]]\nid = \"s\"\ncron = \"0 3 1 1 *\"\n"

    /// The change of `tasks/t.toml`, and the beginning of the error.
    static let edits: [(what: String, does: String, error: String)] = [
        ("a key is misspelt", "printf 'comand = \"echo new\"' > tasks/t.toml", "tasks/t.toml:1:1: unknown key \"comand\""),
        ("it is no TOML", "printf 'command = ' > tasks/t.toml", "tasks/t.toml:1:"),
        ("it is empty", ": > tasks/t.toml", "tasks/t.toml:1:1: "),
        (
            "an instant has passed", "printf 'command = \"echo new\"\\n[[schedule]]\\nat = \"2020-01-01T00:00:00Z\"' > tasks/t.toml",
            "tasks/t.toml:3:6: at 2020-01-01T00:00:00.000Z is in the past"),
        (
            "another file of the name stands beside it", "printf '{\"command\": \"echo new\"}' > tasks/t.json",
            "tasks/t.json: has the same name as t.toml"),
        ("a link takes its place", "ln -s /tmp tmp/t; mv -T tmp/t tasks/t.toml", "tasks/t.toml: "),
    ]

    /// The daemon's state when the file is changed, and afterwards.
    static let lives = ["up", "up, then down", "up, then killed", "up, then restarted", "down", "down, then restarted"]

    @Test(
        "N5: a definition that a bad edit left in force is shown by every command, with its due times and the reason", arguments: edits,
        lives
    )
    func everyCommand(_ edit: (what: String, does: String, error: String), _ life: String) throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", Self.old)
        if life.hasPrefix("down") { try spool.stop() }
        try Commands.succeed("/bin/sh", "-c", "cd \(spool.path) && \(edit.does)")
        if life.hasPrefix("up") { try spool.logLine("event=refused", "file=tasks/t") }
        if life.hasSuffix("then down") { try spool.stop() }
        if life.hasSuffix("killed") { try spool.crash() }
        if life.hasSuffix("restarted") { life.hasPrefix("up") ? try spool.restart() : try spool.start() }

        let list = try spool.ctl("list")
        let row = list.output.split(separator: "\n")[0].split(separator: "\t")
        #expect(row[0] == "t" && row[1].contains("-01-01T03:00:00.000Z") && row[2] == "1" && row[3] == "edit refused", "\(row)")
        #expect(row[4].hasPrefix("edit refused: \(edit.error)"), "\(row)")
        guard case .array(let tasks) = try spool.ctl("list", "--json").json.kind, case .table(let task)? = tasks.first?.kind
        else { throw spool.failure("no task") }
        #expect(task.text("state") == "edit refused" && task.text("description") == "nightly")
        guard case .boolean(true)? = task["in_force"]?.kind else { throw spool.failure("in_force is not true") }
        let next = try spool.ctl("next")
        #expect(next.output.contains("\tt\t") && next.errors.contains("edit refused: \(edit.error)"), "\(next)")
        let show = try spool.ctl("show", "t")
        #expect(
            show.output.contains("edit refused: \(edit.error)") && show.output.contains("[\"echo\",\"old\"]")
                && show.output.contains("cron \"0 3 1 1 *\""),
            "\(show)")
        let simulate = try spool.ctl("simulate", "--to", "in 400 days")
        #expect(simulate.output.hasPrefix("t\t1\t") || simulate.output.hasPrefix("t\t2\t"), "\(simulate)")
        let backfill = try spool.ctl("backfill", "t", "--from", "370d", "--dry-run")
        #expect(
            backfill.code == 0 && backfill.output.contains("-t-") && backfill.errors.contains("edit refused: \(edit.error)"), "\(backfill)")
        let export = try spool.ctl("export", "t", "--crontab")
        #expect(export.output.contains("0 3 1 1 * echo old") && export.errors.contains("edit refused: \(edit.error)"), "\(export)")
        let why = try spool.ctl("why", "t")
        #expect(
            why.output.contains("Its file is refused: \(edit.error)") && why.output.contains("stays in force")
                && why.output.contains("It is due next at "),
            "\(why)")
        let check = try spool.ctl("check")
        #expect(check.code == 4 && check.output.contains(edit.error), "\(check)")
        let candidates = try spool.ctl("completion", "--candidates", "2", "--", "spoolctl", "unschedule", "")
        #expect(candidates.output.contains("s\tt: "), "\(candidates)")
        let run = try spool.ctl("run", "t")
        #expect(run.code == 0 && run.errors.contains("edit refused: \(edit.error)"), "\(run)")
        if life != "up", !life.hasSuffix("restarted") { try spool.start() }
        #expect(try spool.end(of: "t").stdout == "old\n")
    }

    /// A task that was never in force: the text of its file, and the error that every command prints.
    static let never: [(what: String, text: String, error: String)] = [
        ("it is wrong", "comand = \"true\"", "tasks/t.toml:1:1: unknown key \"comand\""),
        (
            "its instant had passed when it was written", "command = \"true\"\n[[schedule]]\nat = \"2020-01-01T00:00:00Z\"",
            "tasks/t.toml:3:6: at 2020-01-01T00:00:00.000Z is in the past"),
    ]

    @Test("A task that is not in force is not run, and check, list and the daemon say the same of it", arguments: never, ["up", "down"])
    func notInForce(_ row: (what: String, text: String, error: String), _ life: String) throws {
        let spool = try SpoolUnderTest()
        if life == "down" { try spool.stop() }
        try spool.task("t", row.text)
        try spool.define("schedules/extra.toml", "task = \"t\"\ncron = \"* * * * *\"")
        if life == "up" { try spool.logLine("event=refused", "file=tasks/t", row.error.replacing("\"", with: "\\\""), "in_force=none") }
        let list = try spool.ctl("list")
        #expect(list.output.hasPrefix("t\t-\t1\tinvalid\t\(row.error)"), "\(list)")
        #expect(try spool.ctl("next").output == "")
        let check = try spool.ctl("check")
        #expect(check.code == 4 && check.output.hasPrefix(row.error), "\(check)")
        #expect(try spool.ctl("check", "\(spool.path)/tasks/t.toml").code == 4)
        for command in [["run", "t"], ["run", "t", "-w"], ["backfill", "t", "--from", "1d"], ["export", "t", "--systemd"]] {
            let result = try spool.ctl(list: command)
            // With -w, a failure of spoolctl itself has a code that no job has, as in docker-run(1).
            let code: Int32 = command.contains("-w") ? 125 : 4
            #expect(result.code == code && result.output == "" && result.errors.contains(row.error), "\(command) \(result)")
        }
        #expect(try spool.ctl("run", "elsewhere").code == 3)
        #expect(try Files.list("\(spool.path)/new").isEmpty)
    }

    @Test("An instant that passed after its task was accepted is no mistake for check, list or update, nor after the file is touched")
    func dealtWith() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = [\"true\"]\n[[schedule]]\nat = \"in 1 s\"\n")
        try spool.acceptedTask("u", "command = [\"true\"]")
        try spool.takenInTime { seconds in
            try spool.define("schedules/f.toml", "task = \"u\"\nat = \"@\(Clock.now() / 1000 + seconds)\"")
            return ("schedules/f", ())
        }
        let accepted = spool.logLength
        _ = try spool.end(of: "t")
        _ = try spool.end(of: "u")
        for life in ["up", "down"] {
            if life == "down" { try spool.stop() }
            try Commands.succeed("touch", "\(spool.path)/tasks/t.toml", "\(spool.path)/schedules/f.toml")
            let list = try spool.ctl("list")
            #expect(!list.errors.contains("past") && list.output.contains("t\t-\t1\tok\t\t"), "\(list)")
            #expect(try spool.ctl("check").code == 0)
            #expect(try spool.ctl("check", "\(spool.path)/schedules/f.toml").code == 0)
        }
        #expect(try spool.ctl("update", "t", "--description", "what has run").code == 0)
        try spool.start()
        #expect(try spool.runsOn())
        #expect(!String(Substring(spool.log.utf8.dropFirst(accepted))).contains("event=refused"))
        #expect(try spool.ended("t").count == 1)
    }

    @Test("A bad edit of a schedule's own file leaves it in force; a schedule of a missing task is reported")
    func schedules() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = [\"true\"]")
        try spool.define("schedules/f.toml", "task = \"t\"\ncron = \"0 3 1 1 *\"")
        try spool.logLine("event=defined", "file=schedules/f")
        try spool.define("schedules/f.toml", "task = \"t\"\ncron = \"0 x 1 1 *\"")
        try spool.logLine("event=refused", "file=schedules/f")
        try spool.define("schedules/g.toml", "task = \"nobody\"\ncron = \"0 3 1 1 *\"")
        try spool.logLine("event=missing-task", "file=schedules/g", "task=nobody")
        for life in ["up", "down"] {
            if life == "down" { try spool.stop() }
            let list = try spool.ctl("list")
            #expect(list.output.contains("t\t2") && list.output.contains("\t1\tedit refused\tedit refused: schedules/f.toml:2:"), "\(list)")
            #expect(list.errors.contains("schedules/g.toml: there is no task \"nobody\""), "\(list)")
            #expect(try spool.ctl("show", "t").output.contains("cron \"0 3 1 1 *\""))
            #expect(try spool.ctl("why", "t").output.contains("A schedule's file is refused: schedules/f.toml:2:"))
        }
    }

    @Test("After a task's file is renamed or removed without a daemon, commands show the existing files")
    func movedWhileDown() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("a", Self.old)
        try spool.acceptedTask("b", Self.old)
        try spool.stop()
        try Files.rename("\(spool.path)/tasks/a.toml", "\(spool.path)/tasks/c.toml")
        try Files.remove("\(spool.path)/tasks/b.toml")
        #expect(try spool.ctl("list", "--names").output == "c\n")
        #expect(try spool.ctl("run", "a").code == 3 && spool.ctl("run", "b").code == 3)
        let why = try spool.ctl("why", "b")
        #expect(why.output.contains("There is no task b") && !why.output.contains("It is due next"), "\(why)")
        // The file is written again, with a mistake. The definition from before the removal does not count.
        try spool.start()
        try spool.task("b", "comand = 1")
        try spool.logLine("event=refused", "file=tasks/b", "in_force=none")
        #expect(try spool.ctl("run", "b").code == 4)
    }
}
