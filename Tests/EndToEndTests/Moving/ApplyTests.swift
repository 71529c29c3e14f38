import Documents
import Glibc
import Linux
import Testing

/// `apply` copies a directory of tasks from version control into the spool, and `export --all` copies the tasks back.
@Suite("apply and export --all", .ownThreads)
struct ApplyTests {
    /// A directory of tasks beside the spool.
    private func directory(_ spool: SpoolUnderTest, _ files: [(name: String, text: String)]) throws -> String {
        let path = "\(spool.base)/dir"
        if !Files.exists(path) { try Files.makeDirectory(path) }
        for file in files { try Files.write("\(path)/\(file.name)", file.text) }
        return path
    }

    private func inode(_ path: String) throws -> UInt64 { try Files.status(path).inode }

    /// A task whose due time does not come while a test runs.
    private static let once = "command = \"true\"\n[[schedule]]\ncron = \"\(cron)\"\n"
    private static let cron = "0 9 1 6 ? 2190"

    @Test("The spool gets the directory's tasks: the diff is shown, and each task with its change and its next due time")
    func applied() throws {
        let spool = try SpoolUnderTest()
        for name in ["same", "other", "old"] { try spool.acceptedTask(name, Self.once) }
        let before = try (inode("\(spool.path)/tasks/same.toml"), spool.ctl("show", "same", "--json").output)
        let path = try directory(
            spool, [("same.toml", Self.once), ("other.toml", "command = \"false\"\n"), ("new.json", "{\"command\": \"true\"}\n")])
        let dry = try spool.ctl("apply", path, "--dry-run")
        #expect(dry.code == 1 && dry.output.contains("new\twould be created\t-\nother\twould be updated\t-\nsame\tunchanged\t21"), "\(dry)")
        #expect(
            dry.output.hasPrefix(
                """
                --- /dev/null
                +++ \(path)/new.json
                @@ -0,0 +1 @@
                +{"command": "true"}
                --- tasks/other.toml
                +++ \(path)/other.toml
                @@ -1,3 +1 @@
                -command = "true"
                -[[schedule]]
                -cron = "\(Self.cron)"
                +command = "false"

                """), "\(dry.output)")
        #expect(dry.errors.contains("only in the spool: old; --prune removes it"), "\(dry.errors)")
        #expect(!Files.exists("\(spool.path)/tasks/new.json"))

        let seen = spool.logLength
        let result = try spool.ctl("apply", path)
        #expect(result.code == 0 && result.output.contains("\nnew\tcreated\t-\nother\tupdated\t-\nsame\tunchanged\t2190"), "\(result)")
        #expect(result.errors.contains("1 created, 1 updated, 1 unchanged, 0 removed"))
        try spool.logLine("event=defined", "file=tasks/new", after: seen)
        #expect(try Files.text("\(spool.path)/tasks/other.toml") == "command = \"false\"\n" && Files.exists("\(spool.path)/tasks/old.toml"))
        // An equal file is left alone, and its due times stay the same.
        #expect(try inode("\(spool.path)/tasks/same.toml") == before.0 && spool.ctl("show", "same", "--json").output == before.1)
        #expect(try spool.ctl("apply", path, "--dry-run").code == 0)

        let pruned = try spool.ctl("apply", path, "--prune", "--json")
        let changes = try pruned.objects.map { "\($0.text("name") ?? "") \($0.text("change") ?? "")" }
        #expect(pruned.code == 0 && changes == ["new unchanged", "other unchanged", "same unchanged", "old removed"], "\(pruned)")
        try spool.logLine("event=removed", "file=tasks/old")
        #expect(!Files.exists("\(spool.path)/tasks/old.toml"))
    }

    @Test("When a file is bad, each problem is reported with its place in the directory, and nothing is applied")
    func bad() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("a", Self.once)
        let path = try directory(
            spool,
            [
                ("a.toml", "command = \"false\"\n"), ("b.toml", "comand = \"true\"\n"),
                ("c.toml", Self.once + "at = \"2020-01-01 00:00\"\n"),
                ("d.toml", Self.once), ("d.k.toml", Self.once), ("d.json", "{}"), ("-x.toml", ""),
                ("e.toml", "command = \"true\"\n[[schedule]]\npattern = \"ext:no:1\"\n"),
                ("f.toml", "command = \"true\"\n[[schedule]]\nat = \"2020-01-01 00:00\"\n"),
            ])
        try Files.makeDirectory("\(path)/schedules")
        try Files.write("\(path)/schedules/s.toml", "task = \"nosuch\"\ncron = \"@daily\"\n")
        try Files.symlink("/nonexistent", "\(path)/g.toml")
        try Commands.succeed("mkfifo", "\(path)/h.toml")
        for options in [[], ["--dry-run"], ["--prune"]] {
            let result = try spool.ctl(list: ["apply", path] + options)
            #expect(result.code == 4 && result.output.isEmpty, "\(result)")
            for line in [
                "b.toml:1:1: unknown key \"comand\"; did you mean \"command\"?", "c.toml:", "d.toml: has the same name as d.json",
                "-x.toml: \"-x\" is not a name", "e.toml: patterns/no ", "f.toml:3:6: ", "schedules/s.toml: there is no task \"nosuch\"",
                "g.toml: No such file", "h.toml: is a FIFO",
            ] { #expect(result.errors.contains("spoolctl: \(path)/\(line)"), "\(line): \(result.errors)") }
            #expect(try Files.list("\(spool.path)/tasks") == ["a.toml"] && Files.text("\(spool.path)/tasks/a.toml") == Self.once)
        }
    }

    @Test("Unfinished files, other endings, spoold.toml and directories are no tasks; a link is; a file being written is refused")
    func whatIsRead() throws {
        let spool = try SpoolUnderTest(starting: false)
        let path = try directory(
            spool,
            [
                (".hidden.toml", "x"), ("a.toml~", "x"), ("a.toml.tmp", "x"), ("README.md", "x"), ("spoold.toml", "slots = 3"),
                ("..data", Self.once), ("a.toml", Self.once),
            ])
        try Files.makeDirectory("\(path)/old")
        try Files.symlink("..data", "\(path)/linked.toml")
        let result = try spool.ctl("apply", path, "-q")
        #expect(result.code == 0 && result.lines == ["a", "linked"], "\(result)")
        #expect(try Files.status("\(spool.path)/tasks/linked.toml").kind == .file)
        let shown = try spool.ctl("apply", path)
        #expect(shown.errors.contains("not read in \(path): README.md, old/, spoold.toml\n"), "\(shown.errors)")
        let writer = try FileDescriptor.open("\(path)/a.toml", O_WRONLY | O_APPEND)
        try writer.write(Array("# half".utf8))
        let refused = try spool.ctl("apply", path)
        #expect(refused.code == 4 && refused.errors.contains("a.toml: another program is writing this file; try again"), "\(refused)")
        _ = writer.release()
        for missing in ["\(path)/nowhere", "\(path)/a.toml"] {
            let result = try spool.ctl("apply", missing)
            #expect(result.code == 4 && result.errors.contains("\(missing): "), "\(result)")
        }
    }

    @Test("The diff is shown before the question; files that another program creates or changes meanwhile are not overwritten")
    func meanwhile() throws {
        let spool = try SpoolUnderTest(starting: false)
        for number in 1...11 { try spool.task("old\(number)", "command = 'true'") }
        try spool.task("t", "command = \"true\"\n")
        let path = try directory(spool, [("new.toml", Self.once), ("t.toml", Self.once)])
        let screen = try TmuxScreen(spool, rows: 200, environment: ["PS1=prompt> ", "ENV="], "exec sh -i")
        let rows = [("new.toml", "new was created"), ("t.json", "t was changed"), ("t.toml", "t was changed")]
        for (round, (name, says)) in rows.enumerated() {
            try screen.press("clear; echo round-$((\(round) + 0)); spoolctl apply --prune \(path); echo code-$?", "Enter")
            // The question of the round before is gone then.
            try screen.shows("round-\(round)")
            let shown = try screen.shows("Remove 11 tasks that \(path) lacks? [y/N]")
            #expect(shown.contains("+cron = \"\(Self.cron)\"") && shown.contains("--- tasks/old11.toml"), "\(shown)")
            try Files.write("\(spool.path)/tasks/\(name)", "{\"command\": \"false\"}")
            try screen.press("y", "Enter")
            let end = try screen.shows("code-1")
            #expect(end.contains("\(says) by another program meanwhile; nothing was applied"), "\(end)")
            #expect(try Files.text("\(spool.path)/tasks/\(name)") == "{\"command\": \"false\"}")
            try Files.remove("\(spool.path)/tasks/\(name)")
            try spool.task("t", "command = \"true\"\n")
        }
        #expect(try Files.list("\(spool.path)/tasks").count == 12 && Files.list("\(spool.path)/tmp").isEmpty)
    }

    @Test("Changed files in schedules/ are remarked on as check does")
    func scheduleRemarks() throws {
        let spool = try SpoolUnderTest(starting: false)
        let path = try directory(spool, [("t.toml", "command = 'true'")])
        try Files.makeDirectory("\(path)/schedules")
        try Files.write("\(path)/schedules/s.toml", "task = \"t\"\ncron = \"0 0 30 2 *\"\n")
        let result = try spool.ctl("apply", path)
        #expect(result.code == 0 && result.errors.contains("\(path)/schedules/s.toml:2:8: warning: cron "), "\(result)")
    }

    @Test("A task may change between TOML and JSON, and one that the spool has twice is mended")
    func formats() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", Self.once)
        let path = try directory(spool, [("t.json", "{\"command\": \"true\", \"schedule\": [{\"cron\": \"\(Self.cron)\"}]}")])
        let seen = spool.logLength
        #expect(try spool.ctl("apply", path).code == 0)
        #expect(try Files.list("\(spool.path)/tasks") == ["t.json"])
        try spool.logLine("event=defined", "file=tasks/t", after: seen)
        try Files.write("\(spool.path)/tasks/t.toml", Self.once)
        #expect(try spool.ctl("apply", path).output.contains("t\tupdated\t"))
        #expect(try Files.list("\(spool.path)/tasks") == ["t.json"])
    }

    @Test("--prune removes the schedules of removed tasks, and others only when the directory has schedules/; an empty directory needs -y")
    func schedules() throws {
        let spool = try SpoolUnderTest(starting: false)
        for name in ["t", "u"] {
            #expect(try spool.ctl("create", name, "--", "true").code == 0)
            #expect(try spool.ctl("schedule", name, "--cron", "@daily", "--id", "of-\(name)").code == 0)
        }
        let path = "\(spool.base)/dir"
        let exported = try spool.ctl("export", "--all", path)
        #expect(exported.code == 0)
        #expect(exported.lines == ["t.toml", "u.toml", "schedules/of-t.toml", "schedules/of-u.toml"].map { "\(path)/\($0)" }, "\(exported)")
        #expect(try spool.ctl("apply", path, "--dry-run").code == 0)
        #expect(try spool.ctl("export", "--all", path).output.isEmpty)
        try Files.removeTree("\(path)/schedules")
        try Files.remove("\(path)/u.toml")
        #expect(try spool.ctl("apply", path, "--prune", "-q").lines == ["u", "schedules/of-u"])
        #expect(try Files.list("\(spool.path)/schedules") == ["of-t.toml"])
        try Files.makeDirectory("\(path)/schedules")
        #expect(try spool.ctl("apply", path, "--prune", "-q").lines == ["schedules/of-t"])
        try Files.remove("\(path)/t.toml")
        #expect(try spool.ctl("apply", path, "--prune").code == 2 && Files.list("\(spool.path)/tasks") == ["t.toml"])
        #expect(try spool.ctl("apply", path, "--prune", "-y", "-q").lines == ["t"])
        #expect(try Files.list("\(spool.path)/tasks").isEmpty)
    }

    @Test("Killed at any rename or removal, each file is old or new, and the same call completes the rest",
        .enabled(if: Commands.has("strace"), "strace is not installed"))
    func killed() throws {
        let names = (0..<6).map { "t\($0)" }
        for call in ["renameat,renameat2", "unlinkat"] {
            for number in 1...7 {
                let spool = try SpoolUnderTest(starting: false)
                let old = "command = \"old\"\n"
                for name in names + ["gone", "gone2"] { try spool.task(name, old) }
                let path = try directory(spool, names.map { ("\($0).toml", "command = \"new\"\n") })
                let words = ["\(SpoolUnderTest.programs)/spoolctl", "--spool", spool.path, "apply", path, "--prune"]
                _ = try Commands.run(
                    "strace",
                    ["-f", "-qq", "-o", "/dev/null", "-e", "trace=\(call)", "-e", "inject=\(call):signal=KILL:when=\(number)"] + words)
                for name in names {
                    let text = try Files.text("\(spool.path)/tasks/\(name).toml")
                    #expect([old, "command = \"new\"\n"].contains(text), "\(call) \(number): \(name): \(text)")
                }
                let again = try spool.ctl("apply", path, "--prune")
                #expect(again.code == 0, "\(again)")
                #expect(try Files.list("\(spool.path)/tasks").sorted() == names.map { "\($0).toml" })
                #expect(try names.allSatisfy { try Files.text("\(spool.path)/tasks/\($0).toml") == "command = \"new\"\n" })
            }
        }
    }

    @Test("A file that another program edits while other files are written is not removed, and apply says what is done",
        .enabled(if: Commands.has("strace"), "strace is not installed"))
    func editedBeforeRemoval() throws {
        let spool = try SpoolUnderTest(starting: false)
        for name in ["gone", "gone2"] { try spool.task(name, Self.once) }
        let path = try directory(spool, [("new.toml", Self.once)])
        // spoolctl stops when the new file has its name.
        let apply = try Commands.Running(
            "strace",
            ["-D", "-qq", "-o", "/dev/null", "-e", "trace=renameat2", "-e", "inject=renameat2:signal=STOP:when=1"]
                + ["\(SpoolUnderTest.programs)/spoolctl", "apply", path, "--prune"], environment: spool.environment)
        try spool.wait(for: "the new file") { Files.exists("\(spool.path)/tasks/new.toml") }
        try spool.task("gone2", "command = \"edited\"\n")
        apply.child.kill(SIGCONT)
        let end = try apply.end()
        #expect(end.code == 1 && end.error.contains("tasks/gone2.toml was changed by another program meanwhile"), "\(end)")
        #expect(end.error.contains("changed already: tasks/new.toml, tasks/gone.toml; not changed: tasks/gone2.toml"), "\(end)")
        #expect(try Files.list("\(spool.path)/tasks").sorted() == ["gone2.toml", "new.toml"])
        #expect(try Files.text("\(spool.path)/tasks/gone2.toml") == "command = \"edited\"\n")
    }

    @Test("A file that another user puts in a name's place does not count and is replaced", .enabled(if: TestUser.areHere, TestUser.reason))
    func foreignFile() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let tasks = "\(spool.path)/tasks"
        try TestUser.games.shell("touch \(tasks)/a.toml \(tasks)/c.toml; ln -s /etc/passwd \(tasks)/b.toml; mkdir \(tasks)/d.toml")
        let path = try directory(spool, ["a", "b", "d"].map { ("\($0).toml", Self.once) })
        let result = try spool.ctl("apply", path)
        #expect(result.code == 0 && result.errors.contains("3 created, 0 updated"), "\(result)")
        let created = try spool.ctl("create", "c", "--", "true")
        #expect(created.code == 0, "\(created)")
        for name in ["a", "b", "c", "d"] {
            let status = try Files.status("\(tasks)/\(name).toml")
            #expect(status.owner == 0 && status.kind == .file, "\(name)")
            try spool.logLine("event=defined", "file=tasks/\(name)")
        }
        #expect(try Files.list("\(spool.path)/tmp").isEmpty)
    }

    @Test("In a spool for everybody a user applies their own part, and root that of --of USER", .enabled(if: geteuid() == 0, "needs root"))
    func everybody() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let path = try directory(spool, [("t.toml", Self.once)])
        try Commands.succeed("chmod", "-R", "a+rX", path)
        let own = try spool.ctl(as: .games, "apply", path)
        #expect(own.code == 0 && own.output.contains("t\tcreated\t"), "\(own)")
        #expect(Files.exists("\(spool.path)/tasks/games/t.toml") && !Files.exists("\(spool.path)/tasks/t.toml"))
        // Root may read a directory that the user cannot read, and writes with the user's rights.
        try Files.write("\(path)/u.toml", Self.once, mode: 0o600)
        #expect(try spool.ctl(as: .games, "apply", path).code == 4)
        let roots = try spool.ctl("apply", path, "--of", "games")
        #expect(roots.code == 0 && roots.output.contains("games/u\tcreated\t"), "\(roots)")
        #expect(try Files.status("\(spool.path)/tasks/games/u.toml").owner == TestUser.games.id)
        let exported = try spool.ctl("export", "--all", "\(spool.base)/out", "--of", "games")
        #expect(exported.code == 0, "\(exported)")
        #expect(try Files.list("\(spool.base)/out").sorted() == ["t.toml", "u.toml"])
        #expect(try Files.status("\(spool.base)/out/t.toml").owner == 0)
        #expect(try spool.ctl(as: .games, "apply", path, "--of", "daemon").code == 2)
        #expect(try spool.ctl("apply", path, "--of", "nobody-at-all").code == 3)
    }
}
