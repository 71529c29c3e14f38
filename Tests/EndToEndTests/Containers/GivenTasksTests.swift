import Documents
import Glibc
import Linux
import Testing

/// Definitions of tasks in directories that spoold only reads, a crontab as an argument, and variables of spoold's own environment.
@Suite("Tasks and variables that a container brings", .ownThreads)
struct GivenTasksTests {
    /// A directory as Kubernetes mounts a ConfigMap: each file is a link through `..data`, which is replaced by rename.
    private struct Volume {
        let path: String
        private let spool: SpoolUnderTest

        init(_ spool: SpoolUnderTest, _ name: String = "mounted") throws {
            path = "\(spool.base)/\(name)"
            self.spool = spool
            try Files.makeDirectory(path)
        }

        /// Replaces all files at once.
        func publish(_ files: [String: String], version: Int) throws {
            try Files.makeDirectory("\(path)/..\(version)")
            for (name, text) in files { try Files.write("\(path)/..\(version)/\(name)", text) }
            try Files.symlink("..\(version)", "\(path)/..data_tmp")
            try Files.rename("\(path)/..data_tmp", "\(path)/..data")
            for name in try Files.list(path) where !name.hasPrefix("..") && files[name] == nil { try Files.remove("\(path)/\(name)") }
            for name in files.keys where !Files.exists("\(path)/\(name)") { try Files.symlink("..data/\(name)", "\(path)/\(name)") }
        }
    }

    private func start(_ spool: SpoolUnderTest, _ arguments: [String], environment: [String] = []) throws {
        try spool.launch(environment: environment, arguments: arguments)
        try spool.notification("READY=1")
    }

    @Test("W5: A file that somebody writes is read when that is over, also when it was opened by another name")
    func written() throws {
        let spool = try SpoolUnderTest(starting: false)
        let (directory, another) = ("\(spool.base)/given", "\(spool.base)/another")
        try Files.makeDirectory(directory)
        try Files.write("\(directory)/report.toml", "command = 'echo one'")
        try start(spool, ["--tasks", directory])
        // The directory has no event when the file is closed.
        #expect(link("\(directory)/report.toml", another) == 0)
        let seen = spool.logLength
        do {
            let file = try FileDescriptor.open(another, O_WRONLY)
            try Files.remove(another)
            // All files are read when one has changed.
            try Files.write("\(spool.base)/other.toml", "command = 'true'")
            try Files.rename("\(spool.base)/other.toml", "\(directory)/other.toml")
            try spool.logLine("event=defined", "tasks/other", after: seen)
            try file.write(Array("command = 'echo two'".utf8))
        }
        try spool.wait(for: "the new text") { try spool.ctl("show", "report").output.contains("echo two") }
    }

    @Test("W5: Definitions in a mounted directory are tasks; a new version of the volume counts at once, and a bad one changes nothing")
    func volume() throws {
        let spool = try SpoolUnderTest(starting: false)
        let volume = try Volume(spool)
        try volume.publish(["report.toml": "command = 'echo one'", "gone.json": "{\"command\": \"true\"}"], version: 1)
        try start(spool, ["--tasks", volume.path])
        #expect(try spool.ctl("list", "--names").output == "gone\nreport\n")
        #expect(try spool.ctl("run", "report", "-w").output == "one\n")
        #expect(try spool.ctl("show", "report").output.contains("file\t\(volume.path)/report.toml\n"))
        var seen = spool.logLength
        let new = "command = 'true'\n[[schedule]]\ncron = '@yearly'"
        try volume.publish(["report.toml": "command = 'echo two'", "new.toml": new], version: 2)
        try spool.logLine("event=defined", "tasks/report", after: seen)
        try spool.wait(for: "the tasks of the new version") { try spool.ctl("list", "--names").output == "new\nreport\n" }
        #expect(try spool.ctl("run", "report", "-w").output == "two\n")
        #expect(try spool.ctl("next", "new", "-n", "1").output.contains("-01-01T00:00:00"))
        // A definition that cannot be used.
        seen = spool.logLength
        try volume.publish(["report.toml": "comand = 'echo three'"], version: 3)
        try spool.logLine("event=refused", "\(volume.path)/report.toml:1:1: unknown key", after: seen)
        try spool.wait(for: "the refusal to be shown") { try spool.ctl("list").output.contains("edit refused") }
        #expect(try spool.ctl("run", "report", "-w").output == "two\n")
        #expect(try spool.ctl("why", "report").output.contains("Its file is refused"))
        #expect(try spool.ctl("check").code == 4)
        // In force across a restart too, and when the volume is not there at the start.
        try spool.stop()
        try start(spool, ["--tasks", volume.path])
        #expect(try spool.ctl("run", "report", "-w").output == "two\n")
        try spool.stop()
        try Files.rename(volume.path, "\(spool.base)/away")
        try start(spool, ["--tasks", volume.path])
        #expect(try spool.ctl("run", "report", "-w").output == "two\n")
        #expect(try spool.ctl("status").output.contains(volume.path))
        seen = spool.logLength
        try Files.rename("\(spool.base)/away", volume.path)
        try volume.publish(["report.toml": "command = 'echo four'"], version: 4)
        try spool.logLine("event=defined", "tasks/report", after: seen)
        #expect(try spool.ctl("run", "report", "-w").output == "four\n")
        // Without the argument the task is gone, and its records stay.
        try spool.stop()
        try spool.start()
        #expect(try spool.ctl("list", "--names").output == "")
        #expect(try spool.ctl("jobs", "--task", "report", "-q").output.split(separator: "\n").count == 6)
    }

    @Test("W5: No command writes to a mounted directory: edit, update and delete name the file; a name belongs to what has it first")
    func untouched() throws {
        let spool = try SpoolUnderTest(starting: false)
        let (first, second) = (try Volume(spool, "first"), try Volume(spool, "second"))
        try first.publish(["a.toml": "command = 'echo first'", "twice.toml": "command = 'true'"], version: 1)
        try second.publish(["b.toml": "command = 'echo second'", "twice.json": "{\"command\": \"true\"}", "note": "text"], version: 1)
        try spool.task("own", "command = 'echo own'")
        try start(spool, ["--tasks=\(first.path)", "--tasks", second.path])
        try spool.wait(for: "the three tasks") { try spool.ctl("list", "--names").output == "a\nb\nown\n" }
        try spool.wait(for: "the status to say which files are no tasks") {
            let status = try spool.ctl("status").output
            return status.contains("has the same name as \(first.path)/twice.toml") && status.contains("\(second.path)/note: is neither")
        }
        for command in [["edit", "a"], ["update", "a", "--timeout", "1m"], ["delete", "-f", "a"]] {
            let result = try Commands.run(
                "\(SpoolUnderTest.programs)/spoolctl", command, environment: spool.environment + ["EDITOR=true"])
            #expect(result.code == 1 && result.error.contains("is defined in \(first.path)/a.toml, which spoold only reads"), "\(result)")
        }
        #expect(try spool.ctl("create", "a", "--", "true").code != 0)
        // A schedule beside it is the spool's own.
        #expect(try spool.ctl("schedule", "a", "--cron", "@yearly").code == 0)
        // A file in tasks/ with the name of a mounted one waits for the name.
        try spool.task("b", "command = 'echo mine'")
        try spool.logLine("event=refused", "tasks/b.toml: \(second.path)/b.toml has this name")
        #expect(try spool.ctl("run", "b", "-w").output == "second\n")
        let seen = spool.logLength
        try Files.remove("\(second.path)/b.toml")
        try spool.logLine("event=defined", "tasks/b", after: seen)
        #expect(try spool.ctl("run", "b", "-w").output == "mine\n")
        // And the other way round.
        try Files.write("\(second.path)/own.toml", "command = 'echo mounted'")
        try spool.logLine("event=refused", "\(second.path)/own.toml: a file in tasks/ has this name")
        try Files.remove("\(spool.path)/tasks/own.toml")
        try spool.wait(for: "the mounted task to count") { try spool.ctl("show", "own").output.contains("\(second.path)/own.toml") }
        #expect(try spool.ctl("run", "own", "-w").output == "mounted\n")
    }

    @Test("W5: A mounted definition that others can write is refused, unless the file system is mounted read-only",
        .enabled(if: SpoolUnderTest.canContain, "needs root, unshare, pivot_root and setpriv"))
    func trust() throws {
        let spool = try SpoolUnderTest(starting: false)
        let volume = try Volume(spool, "out/mounted")
        try volume.publish(["open.toml": "command = 'echo open'", "games.toml": "command = 'echo games'"], version: 1)
        chmod("\(volume.path)/..1/open.toml", 0o666)
        chown("\(volume.path)/..1/games.toml", 5, 0)
        try start(spool, ["--tasks", volume.path])
        try spool.logLine("event=refused", "open.toml: can be written by others")
        try spool.logLine("event=refused", "games.toml: belongs to user 5")
        #expect(try spool.ctl("list", "--names").output == "")
        try spool.stop()
        try spool.startContained(["--tasks", "/etc/tasks"], mounts: ["/etc/tasks": volume.path])
        #expect(try spool.exec("\(SpoolUnderTest.programs)/spoolctl", "run", "-w", "open").output == "open\n")
        #expect(try spool.exec("\(SpoolUnderTest.programs)/spoolctl", "run", "-w", "games").output == "games\n")
        try spool.signalContained(SIGTERM)
        #expect(try spool.exitCode() == 0)
    }

    @Test("W5: No task is taken from a directory in which others can write, or through another user's link; a mended one counts at once",
        .enabled(if: isRoot, "needs root"))
    func way() throws {
        let spool = try SpoolUnderTest(starting: false)
        let volume = try Volume(spool)
        try volume.publish(["one.toml": "command = 'echo one'"], version: 1)
        try Files.makeDirectory("\(spool.base)/open")
        for name in ["two", "three"] { try Files.write("\(spool.base)/open/\(name).toml", "command = 'echo \(name)'") }
        try Files.symlink("../open/two.toml", "\(volume.path)/two.toml")
        let crontab = "\(spool.base)/open/crontab"
        try Files.write(crontab, "0 4 * * * true\n")
        // Others can add names there.
        chmod(volume.path, 0o1777)
        chmod("\(spool.base)/open", 0o777)
        try start(spool, ["--tasks", volume.path, "--crontab", crontab])
        try spool.logLine("event=refused", "\(volume.path): its tasks stay as they are: it can be written by others")
        try spool.logLine("event=refused", "\(crontab): is in \(spool.base)/open, in which others")
        #expect(try spool.ctl("list", "--names").output == "")
        chmod(volume.path, 0o755)
        try spool.logLine("event=refused", "two.toml: is in \(spool.base)/open, in which others")
        try spool.wait(for: "the task that nobody else can change") { try spool.ctl("list", "--names").output == "one\n" }
        chmod("\(spool.base)/open", 0o755)
        try spool.wait(for: "all tasks") { try spool.ctl("list", "--names").output == "crontab-true\none\ntwo\n" }
        // Whose link it is, that user decides where it leads.
        try Files.symlink("../open/three.toml", "\(volume.path)/.three")
        lchown("\(volume.path)/.three", 5, 5)
        try Files.rename("\(volume.path)/.three", "\(volume.path)/three.toml")
        try spool.logLine("event=refused", "three.toml: is reached by \(volume.path)/three.toml, a symbolic link of user 5")
        lchown("\(volume.path)/three.toml", 0, 0)
        try spool.wait(for: "the task of root's link") { try spool.ctl("list", "--names").output.hasSuffix("three\ntwo\n") }
        try spool.stop()
    }

    @Test("W5: No task is taken from a directory that a user can replace, however far above it; a mended one counts at once",
        .enabled(if: isRoot, "needs root"))
    func replaceable() throws {
        let spool = try SpoolUnderTest(starting: false)
        let home = "\(spool.base)/home"
        for directory in [home, "\(home)/all", "\(home)/all/tasks"] { try Files.makeDirectory(directory) }
        try Files.write("\(home)/all/tasks/one.toml", "command = 'echo one'")
        try Files.write("\(home)/all/crontab", "0 4 * * * true\n")
        chown(home, 5, 5)
        try start(spool, ["--tasks", "\(home)/all/tasks", "--crontab", "\(home)/all/crontab"])
        try spool.logLine("event=refused", "tasks: its tasks stay as they are: it is reached by \(home), a directory of user 5")
        try spool.logLine("event=refused", "crontab: is reached by \(home), a directory of user 5")
        #expect(try spool.ctl("list", "--names").output == "")
        chown(home, 0, 0)
        try spool.wait(for: "the tasks that nobody else can replace") {
            try spool.ctl("list", "--names").output == "crontab-true\none\n"
        }
        // Another directory in the place of one far above.
        for directory in ["\(home)/new", "\(home)/new/tasks"] { try Files.makeDirectory(directory) }
        try Files.write("\(home)/new/tasks/two.toml", "command = 'echo two'")
        try Files.write("\(home)/new/crontab", "0 4 * * * false\n")
        try Files.rename("\(home)/all", "\(home)/old")
        try Files.rename("\(home)/new", "\(home)/all")
        try spool.wait(for: "the tasks in its place") { try spool.ctl("list", "--names").output == "crontab-false\ntwo\n" }
        try spool.stop()
    }

    @Test("W5: A crontab that is mounted read-only by itself counts, whoever owns it and can write to the directory around it",
        .enabled(if: ClockAttackTests.canNameBoots, "needs root and mount namespaces"))
    func mountedFile() throws {
        let spool = try SpoolUnderTest(starting: false)
        let crontab = "\(spool.base)/open/crontab"
        try Files.makeDirectory("\(spool.base)/open")
        try Files.write(crontab, "0 4 * * * true\n", mode: 0o666)
        chown(crontab, 5, 5)
        chmod("\(spool.base)/open", 0o777)
        let mount = "mount --bind \(crontab) \(crontab) && mount -o remount,bind,ro \(crontab) && exec \"$@\""
        try spool.launch(tracer: ["/usr/bin/unshare", "-m", "/bin/sh", "-c", mount, "sh"], arguments: ["--crontab", crontab])
        try spool.notification("READY=1")
        #expect(try spool.ctl("list", "--names").output == "crontab-true\n")
    }

    @Test("W5: A mounted directory that changes all the time is read twice a second, and its last change counts")
    func flood() throws {
        let spool = try SpoolUnderTest(starting: false)
        let (path, many) = ("\(spool.base)/tasks", "\(spool.base)/many")
        for directory in [path, many] { try Files.makeDirectory(directory) }
        // Unfinished files are none, and too many files are not read.
        for name in ["often.toml~", ".#often.toml", "often.toml.swp"] { try Files.write("\(path)/\(name)", "command") }
        try Files.write("\(many)/x.toml", "command = 'true'")
        for number in 1...10_000 { try Files.link("\(many)/x.toml", "\(many)/x\(number).toml") }
        try start(spool, ["--tasks", path, "--tasks", many])
        try spool.logLine("event=refused", "\(many): its tasks stay as they are: it has more than 10000 files")
        let began = MonotonicInstant.now()
        for number in 1...300 {
            try Files.write("\(path)/.new", "command = 'echo \(number)'")
            try Files.rename("\(path)/.new", "\(path)/often.toml")
        }
        try spool.wait(for: "the last change") { try spool.ctl("show", "often").output.contains("echo 300") }
        let looks = MonotonicInstant.now().milliseconds(since: began) / 500 + 1
        let count = spool.log.split(separator: "\n").count { $0.contains("event=defined") }
        #expect(count <= looks, "\(count) in \(looks) looks")
        #expect(try spool.ctl("list", "--names").output == "often\n")
        #expect(!spool.log.contains("often.toml~") && !spool.log.contains(".swp"))
    }

    @Test("W5: spoold --crontab runs the lines with the container's variables; an edit counts at once; check FILE is the test of it")
    func crontab() throws {
        let spool = try SpoolUnderTest(starting: false)
        let file = "\(spool.base)/my-crontab"
        let text = """
            # A comment
            COLOUR=blue
            @every 1s echo "$FLAVOUR $COLOUR $PATH" >> \(spool.out)/line
            0 4 * * * true
            """
        // Without a newline at its end, as in many ConfigMaps.
        try Files.write(file, text)
        #expect(try spool.ctl("check", file).code == 0)
        // Larger than a definition may be.
        try Files.write("\(file).large", String(repeating: "# \(String(repeating: "x", count: 997))\n", count: 2000) + "61 * * * * false\n")
        let large = try spool.ctl("check", "--crontab", "\(file).large")
        #expect(large.code == 4 && large.output.contains("large:2001:1"), "\(large)")
        try start(spool, ["--crontab", file, "--config", spool.configuration], environment: ["FLAVOUR=sweet", "SPOOL_SECRET=1"])
        #expect(try spool.lines("line", count: 1)[0] == "sweet blue /usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        let names = try spool.ctl("list", "--names").output
        #expect(names == "crontab-echo\ncrontab-true\n")
        let shown = try spool.ctl("show", "crontab-true").output
        #expect(shown.contains("overlap\tskip") && shown.contains("mail\tfalse") && shown.contains("line\t4"), "\(shown)")
        #expect(try spool.ctl("delete", "-f", "crontab-true").errors.contains("is line 4 of \(file): edit that file"))
        let seen = spool.logLength
        try Files.write("\(file).new", text + "\n61 * * * * false\n5 4 * * * echo more\n")
        #expect(try spool.ctl("check", "\(file).new").code == 4)
        try Files.rename("\(file).new", file)
        try spool.logLine("event=refused", "\(file):5:", after: seen)
        try spool.wait(for: "the new line") { try spool.ctl("list", "--names").output == "crontab-echo\ncrontab-echo-2\ncrontab-true\n" }
        // The configuration counts more, and does not remove the crontab.
        let configured = spool.logLength
        try Files.write("\(spool.configuration).new", "inherit_env = [\"COLOUR\"]")
        try Files.rename("\(spool.configuration).new", spool.configuration)
        try spool.logLine("event=configured", after: configured)
        let count = try spool.linesNow("line").count
        #expect(try spool.lines("line", count: count + 2).last?.hasPrefix(" blue /usr/local/sbin:") == true)
        try Files.remove(file)
        try spool.logLine("event=refused", "\(file): there is no such file")
        #expect(try spool.ctl("list", "--names").output.contains("crontab-true"))
        try spool.stop()
        try spool.start()
        try spool.wait(for: "the lines to be gone") { try spool.ctl("list", "--names").output == "" }
    }

    static let inherited: [(key: String, seen: String)] = [
        ("", "- - - clean"), ("inherit_env = false", "- - - clean"), ("inherit_env = true", "red sour - all"),
        ("inherit_env = [\"COLOUR\"]", "red - - clean"), ("inherit_env = [\"COLOUR\", \"NOTIFY_SOCKET\"]", "red - - socket"),
    ]

    @Test("W5: inherit_env gives jobs spoold's own variables, but none of SPOOL_*; what a job sets counts more", arguments: inherited)
    func variables(_ row: (key: String, seen: String)) throws {
        let spool = try SpoolUnderTest(configuration: row.key, starting: false)
        try start(spool, [], environment: ["COLOUR=red", "FLAVOUR=sour", "SPOOL_OTHER=x", "SPOOLD_OTHER=x", "SPOOL_TRY=9"])
        let line = """
            kind=clean; [ "$FLAVOUR" = sour ] && kind=all; [ -n "$NOTIFY_SOCKET" ] && kind=socket; \
            echo "${COLOUR:--} ${FLAVOUR:--} ${SPOOL_OTHER:--} $kind"; [ "$SPOOL_TRY" = 1 ] && [ -z "$SPOOLD_OTHER" ]
            """
        let job = try spool.run("command = '''\(line)'''")
        let seen = try job.stdout
        #expect(job.outcome == "done 0" && seen == "\(row.seen)\n", "\(seen)")
        #expect(try spool.run("command = 'echo $COLOUR'\nenv = {COLOUR = 'own'}", as: "own").stdout == "own\n")
    }

    @Test("W5: A job of another user inherits nothing of root's environment", .enabled(if: TestUser.areHere, TestUser.reason))
    func othersVariables() throws {
        let spool = try SpoolUnderTest(configuration: "inherit_env = true", starting: false)
        try spool.letUsersIn()
        try start(spool, [], environment: ["COLOUR=red"])
        let named = "command = 'echo $(id -un) ${COLOUR:-none} >> \(spool.out)/seen'\ndirectory = \"/\""
        try spool.drop("named.toml", "\(named)\nuser = \"games\"")
        #expect(try spool.lines("seen", count: 1) == ["games none"])
        try spool.drop(as: .games, "own.toml", named)
        #expect(try spool.lines("seen", count: 2) == ["games none", "games none"])
        try spool.drop("root.toml", named)
        #expect(try spool.lines("seen", count: 3).last == "root red")
    }
}
