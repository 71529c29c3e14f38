import CLinux
import Documents
import Glibc
import Linux
import Testing

/// A spool that root serves to everybody: the files that count, the users as whom jobs run, and what users can do to one another.
@Suite("A spool for everybody", .ownThreads, .enabled(if: TestUser.areHere, TestUser.reason))
struct EverybodyTests {
    // MARK: The user of a job

    @Test(
        "U3: Attacks 32, 34: a job in new/USER runs as that user, with the user's groups and no privileges; its record is the user's alone"
    )
    func runsAsOwner() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        try spool.drop(as: .games, "who.toml", """
            command = "id -u; id -g; id -Gn; echo $USER $LOGNAME $HOME; umask; grep -E '^(NoNewPrivs|CapEff|CapPrm|SigBlk):' \
            /proc/self/status; grep ^SigIgn /proc/self/status | cut -c18-; ls /proc/self/fd | wc -l"
            directory = "/"
            """)
        try spool.logLine("event=ended", "user=games", "state=done")
        let done = "\(spool.path)/done/games"
        let id = try #require(Files.list(done).first)
        let output = try Files.text("\(done)/\(id)/stdout")
        #expect(
            output == """
                5
                60
                games
                games games /usr/games
                0022
                SigBlk:\t0000000000000000
                CapPrm:\t0000000000000000
                CapEff:\t0000000000000000
                NoNewPrivs:\t0
                0000000
                4

                """)
        for path in [done, "\(done)/\(id)"] {
            let status = try Files.status(path)
            #expect(status.owner == 5 && status.mode == 0o700, "\(path)")
        }
    }

    @Test("Attack 24: a user without a name is known by number, and no name that begins with a digit is a number")
    func numbers() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        try TestUser.games.shell(
            """
            mkdir -m 700 \(spool.path)/new/0day \(spool.path)/new/5; echo 'command = \"id -u\"' | tee \(spool.path)/new/0day/a.toml > \
            \(spool.path)/new/5/b.toml
            """)
        try spool.drop(as: .nameless, "who.toml", "command = \"id -u; id -g; id -G; echo $HOME\"")
        try spool.logLine("event=ended", "user=64101", "state=done")
        let done = "\(spool.path)/done/64101"
        #expect(try Files.text("\(done)/\(#require(Files.list(done).first))/stdout") == "64101\n64101\n64101\n/\n")
        try spool.logLine("event=ignored", "belongs to user 5")
        #expect(try Files.list("\(spool.path)/users") == ["64101"])
        #expect(Files.exists("\(spool.path)/new/0day/a.toml") && Files.exists("\(spool.path)/new/5/b.toml"))
    }

    @Test("Root's top shows the jobs of all users by names that its keys act on")
    func top() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let gate = try spool.gate()
        #expect(try spool.ctl(as: .games, "create", "backup", "--every", "1h", "--", "true").code == 0)
        chmod(gate.path, 0o666)
        func submit(_ user: TestUser, lock: String, _ line: String) throws -> String {
            try #require(try spool.ctl(as: user, "submit", "--lock", lock, line).output.split(separator: "\n").first.map(String.init))
        }
        let early = try submit(.games, lock: "l", "echo here; read x < \(gate.path)")
        let later = try submit(.games, lock: "l", "true")
        let own = try spool.ctl("submit", "read x < \(gate.path)").id
        _ = try spool.ctl(as: .games, "pause", "--task", "backup")
        try spool.logLine("user=games", "event=started", early)
        try spool.logLine("event=started", "id=\(own)")
        try spool.logLine("user=games", "event=paused")
        let lines = try spool.ctl("top").output.split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
        #expect(
            Set(lines.filter { $0[0] == "running" }.map { $0[1] }) == [own, "games/\(early)"],
            "users' own directories are no jobs: \(lines)")
        #expect(lines.filter { $0[0] == "waiting" }.map { $0[1] } == ["games/\(later)"])
        #expect(lines.contains { $0[0] == "waiting" && $0.last?.hasPrefix("lock l: ") == true })
        #expect(lines.contains(["paused", "task games/backup"]) && lines.contains { $0.prefix(2) == ["due", "games/backup"] })
        #expect(lines.contains(["count", "running", "2"]) && !lines.contains { $0[0] == "ended" })
        #expect(try spool.ctl("top", "--json").output.contains("\"pauses\":[{\"user\":\"games\",\"scope\":\"pause-backup\""))

        let screen = try TmuxScreen(spool, columns: 140, rows: 40, "exec \(SpoolUnderTest.programs)/spoolctl top")
        try screen.shows(
            "1 Running 2", "games/\(early.dropFirst(21))", "2 Waiting 1", "games/\(later.dropFirst(21))", "paused: task games/backup")
        try screen.press("2", "l")
        try screen.shows("games/\(later)", "it has not begun")
        try screen.press("q", "c")
        try screen.shows("Cancel games/\(later)? y/n")
        try screen.press("y")
        try screen.shows("2 Waiting 0", "failed 1/min 1/h")
        // A new user submits a job while top runs.
        let third = try submit(.daemon, lock: "other", "read x < \(gate.path)")
        try screen.shows("1 Running 3", "daemon/\(third.dropFirst(21))")
        try gate.release(3)
        try screen.shows("1 Running 0", "daemon/\(third.dropFirst(21))")
        try screen.press("q")
    }

    @Test("An unreadable part of one user is reported to root, and everything else is shown")
    func unreadablePart() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        for user in [TestUser.games, .daemon] {
            #expect(try spool.ctl(as: user, "create", "backup", "--every", "1h", "--", "true").code == 0)
            #expect(try spool.ctl(as: user, "run", "--wait", "backup").code == 0)
        }
        #expect(try spool.ctl("submit", "--wait", "-N", "own", "true").code == 0)
        // root's daemon notices the last change, closes the user's directories to others, and opens none of them.
        try TestUser.games.shell("cd \(spool.path) && chmod 0 done/games users/games/journal && chmod 755 new/games")
        #expect(try spool.ctl("submit", "--wait", "true").code == 0)
        #expect(try Files.status("\(spool.path)/new/games").mode == 0o700)
        for (command, shows) in [
            (["jobs", "--columns", "name"], ["daemon/backup", "own"]), (["jobs", "-q"], ["daemon/", "-own-"]),
            (["top"], ["daemon/", "-own-"]), (["journal"], ["daemon/", "-own-"]), (["fsck"], []),
        ]
        {
            let result = try spool.ctl(list: command)
            #expect(
                result.code == 1 && result.errors.contains("spoolctl: games: ") && result.errors.contains("Permission denied"),
                "\(command): \(result)")
            #expect(shows.allSatisfy { result.output.contains($0) } && !result.output.contains("games/"), "\(command): \(result)")
        }
        let screen = try TmuxScreen(spool, columns: 140, rows: 40, "exec \(SpoolUnderTest.programs)/spoolctl top")
        try screen.shows("games: ", "Permission denied", "daemon/backup")
        try TestUser.games.shell("chmod 700 \(spool.path)/done/games \(spool.path)/users/games/journal")
        try screen.shows("games/backup")
        try screen.showsNoMore("Permission denied")
        // top leaves the output of a job that becomes unreadable, and reports it.
        try screen.press("4", "/", "g", "a", "m", "e", "s", "Enter", "l")
        try screen.shows("stdout  done")
        try TestUser.games.shell("chmod 0 \(spool.path)/done/games")
        #expect(try spool.ctl("submit", "--wait", "-N", "another", "true").code == 0)
        try screen.shows("4 Ended", "Permission denied")
        try TestUser.games.shell("chmod 700 \(spool.path)/done/games")
        try screen.press("q")
    }

    @Test("Workers and daemons of a user are that user's, and serve nobody else")
    func ownWorkers() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let gate = try spool.gate()
        chmod(gate.path, 0o666)
        // While a job runs, neither its worker nor the user's daemon ends, however long the test takes.
        let line = "ps -o uid= -p $PPID; echo > \(spool.out)/began-$USER; read x < \(gate.path)"
        var jobs: [Commands.Running] = []
        for user in [TestUser.games, .daemon] {
            jobs.append(try spool.startCtl(as: user, "submit", "--wait", "--", "sh", "-c", line))
            try spool.output("began-\(user.name)")
        }
        #expect(try spool.ctl("submit", "--wait", "--", "sh", "-c", "ps -o uid= -p $PPID").output.contains("0"))
        for user in [TestUser.games, .daemon] { #expect(Processes.workers(ofSpool: "\(spool.path)/users/\(user.name)").count == 1) }
        for pid in Processes.userDaemons(ofSpool: spool.path) + Processes.workers(ofSpool: spool.path) {
            guard let status = try? Files.text("/proc/\(pid)/status") else { continue }  // root's worker has ended
            // Real, effective, saved and file-system ids are the same, so there is no way back to root.
            let ids = try #require(status.split(separator: "\n").first { $0.hasPrefix("Uid:") }).split(separator: "\t").dropFirst()
            #expect(Set(ids).count == 1)
        }
        #expect(Processes.userDaemons(ofSpool: spool.path).count == 2)
        try gate.release(2)
        for (user, job) in zip([TestUser.games, .daemon], jobs) {
            let result = try job.end()
            #expect(result.code == 0 && result.output.filter { !$0.isWhitespace } == "\(user.id)", "\(result)")
        }
    }

    // MARK: spoolctl

    @Test("spoolctl of an ordinary user does the same on the shared spool as on a spool of the user's own")
    func ctl() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let user = TestUser.games
        func ok(_ arguments: String..., says: String = "") throws {
            let result = try user.run("\(SpoolUnderTest.programs)/spoolctl", arguments, environment: ["SPOOL_DIR=\(spool.path)"])
            #expect(result.code == 0 && (result.output + result.error).contains(says), "\(arguments): \(result)")
        }
        try ok("submit", "--wait", "--name", "first", "--", "echo", "hello", says: "hello")
        try ok("create", "hello", "--every", "1h", "--", "sh", "-c", "echo from hello")
        try ok("run", "--wait", "hello", says: "from hello")
        try ok("list", says: "hello")
        try ok("jobs", "--state", "done", says: "first")
        try ok("show", "hello", says: "every")
        try ok("next", says: "hello")
        try ok("update", "hello", "--timeout", "5m")
        try ok("pause", "--task", "hello", "--note", "not now")
        try ok("why", "hello", says: "not now")
        try ok("resume", "--task", "hello")
        try ok("status", says: "runs")
        try ok("journal", says: "hello")
        try ok("fsck")
        let failed = try spool.ctl(as: user, "submit", "--wait", "--name", "bad", "--", "false")
        #expect(failed.code == 1)
        let id = try #require(Files.list("\(spool.path)/failed/games").first)
        try ok("logs", id)
        try ok("retry", id)
        try ok("restart", says: "restarted")
        try ok("delete", "-f", "hello")
        try ok("prune", "--older-than", "0s")
        #expect(try spool.ctl(as: user, "cancel", "no-such-job").code == 3)
    }

    @Test("Root follows no path that another user's spool publishes: neither a configuration nor the file of a calendar")
    func publishedPaths() throws {
        let spool = try SpoolUnderTest(starting: false)
        for line in ["chown -R 5 \(spool.path)", "chmod 711 \(spool.base)"] { try Commands.succeed("sh", "-c", line) }
        let secret = "\(spool.base)/secret"
        try Files.write(secret, "not toml, and root's alone\n")
        let calendars = "{\"c\": {\"file\": \"\(secret)\"}}"
        let published = "{\"configuration\": {\"file\": \"\(secret)\", \"timezone\": \"Asia/Tokyo\", \"calendars\": \(calendars)}}"
        try Files.write("\(spool.path)/state/status.json", published)
        try Commands.succeed("chown", "5", "\(spool.path)/state/status.json")
        spool.namesConfiguration = false
        try spool.task("t", "command = 'true'\n[[schedule]]\ncron = '@daily'\nexcept = ['c']")
        try Commands.succeed("chown", "5", "\(spool.path)/tasks/t.toml")
        for words in [["next"], ["list"], ["check"], ["status", "-v"], ["show", "t"]] {
            let result = try spool.ctl(list: words)
            #expect(!result.output.contains("root's alone") && !result.errors.contains(":1:"), "\(words): \(result)")
            #expect(!result.errors.contains("configuration: \(secret)"), "\(words): \(result)")
        }
        #expect(try spool.ctl("check").output.contains("root does not read a file that another user names"))
    }

    @Test("Users are served without a configuration file, too")
    func noConfiguration() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        try Files.remove(spool.configuration)
        #expect(try spool.ctl(as: .games, "submit", "--wait", "--", "true").code == 0)
    }

    @Test("Root sees all jobs and tasks, names a user's USER/NAME, and acts on them as that user")
    func root() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        #expect(try spool.ctl(as: .games, "create", "backup", "--every", "1h", "--", "sh", "-c", "id -un").code == 0)
        #expect(try spool.ctl("create", "backup", "--every", "2h", "--", "id", "-un").code == 0)
        #expect(try spool.ctl("list", "--names").output == "backup\ngames/backup\n")
        #expect(try spool.ctl("run", "--wait", "games/backup").output == "games\n")
        #expect(try spool.ctl("run", "--wait", "backup").output == "root\n")
        #expect(try spool.ctl("jobs", "--columns", "name,state").output == "games/backup\tdone\nbackup\tdone\n")
        let ids = try spool.ctl("jobs", "--columns", "id").output.split(separator: "\n").map(String.init)
        #expect(try ids.count == 2 && ids[0].hasPrefix("games/") && ids.joined(separator: "\n") + "\n" == spool.ctl("jobs", "-q").output)
        #expect(try spool.ctl("logs", ids[0]).output == "games\n" && spool.ctl("logs", ids[1]).output == "root\n")
        #expect(try spool.ctl("jobs", "--json").output.contains("\"user\":\"games\""))
        #expect(try spool.ctl("next", "--json").output.contains("\"task\":\"games/backup\""))
        let mixed = try spool.ctl("run", "backup", "games/backup")
        #expect(mixed.code == 2 && mixed.errors.contains("of one user;"))
        #expect(try spool.ctl("show", "nobody/backup").code == 3)
        // In an option the name has the same meaning.
        for words in [["--task", "games/backup"], ["--name", "games/backup"], ["--task=games/backup", "--state", "done"]] {
            #expect(try spool.ctl(list: ["jobs", "-q"] + words).lines == [ids[0]], "\(words)")
        }
        #expect(try spool.ctl("jobs", "-q", "--task", "games/other").lines.isEmpty)
        #expect(try spool.ctl("jobs", "--task", "games/backup", "--task", "backup").code == 2)
        #expect(try spool.ctl("jobs", "--task", "nobody/backup").code == 3)
        let decisions = try spool.ctl("journal", "--task", "games/backup", "-q").lines
        #expect(decisions.contains(ids[0]) && !decisions.contains(ids[1]), "\(decisions)")
        #expect(try spool.ctl("pause", "--task", "games/backup").code == 0)
        #expect(try Files.status("\(spool.path)/control/games/pause-backup").owner == TestUser.games.id)
        #expect(try spool.ctl("resume", "--task", "games/backup").code == 0)
        #expect(try spool.ctl("submit", "-w", "--task", "games/backup").output == "games\n")
        #expect(try spool.ctl("retry", "--task", "games/backup", "--state", "done", "--dry-run", "-q").lines.count == 2)
        #expect(try spool.ctl("status").output.contains("user games"))
        // A job waits for jobs of its own user, who is named with the job or the task.
        for words in [["submit", "--after", "games/backup", "--", "true"], ["create", "x", "--after", "games/backup", "--", "true"]] {
            let result = try spool.ctl(list: words)
            #expect(result.code == 2 && result.errors.contains("--after games/backup: a job waits only for jobs of"), "\(result)")
        }
        #expect(try spool.ctl("update", "games/backup", "--after", "nobody/x").errors.contains("belong to several users"))
        #expect(try spool.ctl("create", "games/next", "--after", "games/backup", "--", "true").code == 0)
        #expect(try Files.text("\(spool.path)/tasks/games/next.toml").contains("after = [\"backup\"]"))
        #expect(try spool.ctl("delete", "-f", "games/next").code == 0)
        #expect(try spool.ctl("delete", "-f", "games/backup").code == 0)
        #expect(try spool.ctl("list", "--names").output == "backup\n")
        #expect(try spool.ctl("fsck").code == 0)
        #expect(try Files.status("\(spool.path)/tasks/games").owner == 5)
    }

    @Test("Root names the user once, in an operand or an option; durations, fractions, messages and files are no names")
    func namedOnce() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let gate = try spool.gate()
        _ = chmod(gate.path, 0o666)
        let line = "echo > \(spool.out)/b; read x < \(gate.path)"
        let id = String(try spool.ctl(as: .games, "submit", "-q", "--timeout", "1h", "--", "sh", "-c", line).output.dropLast())
        try spool.output("b")
        try Files.write("\(spool.base)/rows.json", "{\"rows\": 3}\n", mode: 0o600)
        for words in [
            ["extend", "10m", "games/@"], ["extend", "games/\(id)", "10m"], ["extend", "--to", "2h", "games/@"],
            ["progress", "0.5", "--job", "games/@"], ["progress", "50%", "src/main.c", "--job", "games/@"],
            ["result", "\(spool.base)/rows.json", "--job", "games/@"],
        ] {
            let result = try spool.ctl(list: words)
            #expect(result.code == 0, "\(words): \(result)")
        }
        #expect(try spool.ctl("status", "games/@").output.contains("src/main.c"))
        let mixed = try spool.ctl("extend", "10m", "games/@", "@")
        #expect(mixed.code == 2 && mixed.errors.contains("games/@, @ belong to several users"), "\(mixed)")
        try gate.release()
        #expect(try spool.ctl("wait", "games/\(id)").code == 0)
        #expect(try spool.ctl("status", "games/\(id)", "--json").output.contains("\"rows\":3"))
        let own = "cd \(spool.base); \(SubmitWaitTests.ctl) progress 0.5 src/main.c && \(SubmitWaitTests.ctl) result ./rows.json"
        let job = try spool.ctl("submit", "-w", "--", "sh", "-c", own)
        #expect(job.code == 0, "\(job)")
        #expect(try spool.ctl(as: .games, "create", "backup", "--cron", "@daily", "--", "true").code == 0)
        let schedule = String(try spool.ctl(as: .games, "schedule", "backup", "--cron", "@hourly", "-q").output.dropLast())
        let removed = try spool.ctl("unschedule", schedule, "--task", "games/backup")
        #expect(removed.code == 0 && !Files.exists("\(spool.path)/schedules/games/\(schedule).toml"), "\(removed)")
    }

    @Test("journal, why and fsck of root cover all users, or one on request; those of a user cover the user's own part")
    func rootsReports() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let own = try spool.ctl("submit", "--wait", "--", "true")
        #expect(own.code == 0)
        for user in [TestUser.games, .daemon] {
            #expect(try spool.ctl(as: user, "submit", "--wait", "--name", "mine", "--", "true").code == 0)
        }
        let all = try spool.ctl("journal").lines.filter { $0.contains("\tended\t") }
        #expect(all.count == 3 && all[0] == all.min() && all[1].contains("\tgames/2") && all[2].contains("\tdaemon/2"), "\(all)")
        #expect(try spool.ctl("journal", "--json").output.contains("\"id\":\"games/2"))
        let id = try #require(all[1].split(separator: "\t")[2].split(separator: " ").first.map(String.init))
        let one = try spool.ctl("journal", "--id", id, "-q").lines
        #expect(!one.isEmpty && one.allSatisfy { $0 == id }, "\(one)")
        #expect(try spool.ctl("journal", "--task", "nobody/backup").code == 3)
        #expect(try spool.ctl("why", id).output.contains("succeeded") || spool.ctl("why", id).output.contains("done"))
        let hers = try spool.ctl(as: .games, "journal").output
        #expect(hers.contains("ended") && !hers.contains("daemon/") && !hers.contains("games/"))

        #expect(try spool.stop() == 0)
        #expect(try spool.ctl("fsck").output == "")
        try TestUser.games.shell("echo half > \(spool.path)/control/games/x.answer.tmp")
        let found = try spool.ctl("fsck")
        #expect(
            found.code == 1 && found.output.contains("fsck: users/games/control/x.answer.tmp: was never completed"),
            "\(found.output)\(found.errors)")
        #expect(
            try !TestUser.games.run(
                "\(SpoolUnderTest.programs)/spoolctl", ["fsck"], environment: ["SPOOL_DIR=\(spool.path)"]).output.contains("users/"))
        let mended = try spool.ctl("fsck", "--repair")
        #expect(mended.code == 0 && mended.output.contains("users/games/control/x.answer.tmp"), "\(mended.output)\(mended.errors)")
        #expect(try spool.ctl("fsck").output == "")
        #expect(try Files.status("\(spool.path)/users/games/state/lock").owner == TestUser.games.id)
        try spool.start()
        #expect(try spool.runsOn())
    }

    // MARK: Users against users

    @Test("U3: Attacks 29, 40, 42: a user cannot read, cancel, delete or extend another user's jobs")
    func apart() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let gate = try spool.gate()
        chmod(gate.path, 0o666)
        try spool.drop(
            as: .games, "secret.toml",
            "command = 'echo secret; echo $SPOOL_JOB_ID > \(spool.out)/id; read x < \(gate.path)'\ndirectory = \"/\"")
        let id = try spool.lines("id", count: 1)[0]
        let others = try #require(Processes.userDaemons(ofSpool: spool.path).first)
        #expect(try spool.ctl(as: .daemon, "submit", "--wait", "--", "true").code == 0)
        for line in [
            "ls \(spool.path)/running", "ls \(spool.path)/running/games", "cat \(spool.path)/running/games/\(id)/stdout",
            "ls \(spool.path)/new/games", "ls \(spool.path)/users/games/state", "cat \(spool.path)/users/games/journal/000000000001.log",
            "cat \(spool.path)/journal/000000000001.log", "cat \(spool.path)/state/status.json", "touch \(spool.path)/control/games/pause",
            "rm -r \(spool.path)/new/games", "mv \(spool.path)/new/games \(spool.path)/new/daemon/x", "rmdir \(spool.path)/control/games",
            "echo > \(spool.path)/running/games/\(id)/result", "ln -s /tmp \(spool.path)/users/daemon/x",
            "kill -9 \(others)",
        ] {
            #expect(try TestUser.daemon.run("sh", "-c", line).code != 0, "\(line)")
        }
        #expect(try spool.ctl(as: .daemon, "cancel", id).code == 3)
        #expect(try spool.ctl(as: .daemon, "jobs").output.contains(id) == false)
        #expect(try TestUser.daemon.run("\(SpoolUnderTest.programs)/spoolctl", "--spool", "\(spool.path)/users/games", "jobs").code != 0)
        try gate.release()
        try spool.logLine("event=ended", id, "state=done")
    }

    @Test("U3: files that users put beside their own directories do not count, and are reported once for each user")
    func besides() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        try TestUser.games.shell("mkdir \(spool.path)/new/games")
        try spool.logLine("event=serving-user", "user=games")
        try TestUser.games.shell("""
            cd \(spool.path); umask 022
            for i in 1 2 3 4 5; do echo 'command = "touch \(spool.out)/bad"' > new/a$i.toml; done
            printf '#!/bin/sh\\ntouch \(spool.out)/bad\\n' > tmp/s; chmod 755 tmp/s; mv tmp/s new/script; ln -s /etc/shadow new/link.toml; \
            mkfifo new/fifo
            echo 'command = "touch \(spool.out)/bad"' > tasks/bad.toml; echo 'task = "bad"\ncron = "* * * * * *"' > schedules/bad.toml
            touch control/pause; echo '{"do":"restart"}' > control/x.request; umask 077; mkdir new/daemon new/root new/daemon.d
            """)
        try spool.logLine("event=ignored", "new/", "belongs to user 5")
        #expect(try spool.ctl("submit", "--wait", "--", "true").code == 0)
        #expect(try spool.ctl("status").output.contains("paused") == false)
        #expect(try spool.ctl("list", "--names").output == "")
        #expect(!Files.exists("\(spool.out)/bad"))
        let said = spool.log.split(separator: "\n").filter {
            $0.contains("event=ignored") && $0.contains("belongs to user 5") && $0.contains("into new/ counts")
        }
        #expect(said.count == 1 && !said[0].contains("new/games"), "\(said)")
        #expect(try Files.list("\(spool.path)/failed") == ["games"])
        // new/daemon is the place of user daemon, so what another user has put there is moved away.
        try spool.logLine("event=set-aside", "file=new/daemon", "belongs to user 5, and only daemon may have something of that name there")
        #expect(!Files.exists("\(spool.path)/new/daemon") && Files.exists("\(spool.path)/new/daemon.d"))
    }

    static let unsafe: [(file: String, mode: mode_t, why: String)] = [
        ("group.toml", 0o664, "can be written by others"), ("world.toml", 0o646, "can be written by others"),
        ("setuid.toml", 0o4755, "setuid"), ("setgid.toml", 0o2755, "setgid"), ("sticky.toml", 0o1644, "sticky"),
    ]

    @Test("Attacks 6, 7: a file of root's that others could have written is refused where everybody may put files", arguments: unsafe)
    func refused(_ row: (file: String, mode: mode_t, why: String)) throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let path = "\(spool.out)/\(row.file)"
        try Files.write(path, "command = \"touch \(spool.out)/ran\"")
        chmod(path, row.mode)
        try Files.rename(path, "\(spool.path)/new/\(row.file)")
        let job = try spool.ended(count: 1)[0]
        #expect(job.outcome == "failed rejected" && job.error.contains(row.why), "\(job.outcome) \(job.error)")
        try Files.write("\(spool.out)/t", "command = \"true\"")
        chmod("\(spool.out)/t", row.mode)
        try Files.rename("\(spool.out)/t", "\(spool.path)/tasks/t.toml")
        try spool.logLine("event=refused", "tasks/t", row.why)
        #expect(!Files.exists("\(spool.out)/ran"))
    }

    @Test("Attack 6: a user's file that others could have written is refused, and one that is another's is left alone")
    func refusedOfUser() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        #expect(try spool.ctl(as: .games, "submit", "--wait", "--", "true").code == 0)
        try Files.write("\(spool.path)/new/games/roots.toml", "command = \"touch \(spool.out)/ran\"")
        try spool.drop(as: .games, "loose.tmp", "command = \"touch \(spool.out)/ran\"")
        try TestUser.games.shell("cd \(spool.path)/new/games && chmod 666 loose.tmp && mv loose.tmp loose.toml")
        try spool.logLine("user=games", "event=rejected", "loose.toml")
        #expect(try spool.ctl(as: .games, "submit", "--wait", "--", "true").code == 0)
        #expect(Files.exists("\(spool.path)/new/games/roots.toml"))
        #expect(!Files.exists("\(spool.out)/ran"))
    }

    // MARK: Permission to use the spool

    @Test("deny keeps a user out until the configuration says otherwise, and allow lets nobody else in")
    func allowAndDeny() throws {
        let spool = try SpoolUnderTest.ofEverybody(configuration: "deny = [\"games\"]\n")
        try spool.drop(as: .games, "a.toml", "command = \"true\"")
        #expect(try spool.ctl(as: .daemon, "submit", "--wait", "--", "true").code == 0)
        try spool.wait(for: "the problem of user games") { spool.statusText.contains("user games may not use this spool") }
        #expect(Files.exists("\(spool.path)/new/games/a.toml"))
        try Files.write(spool.configuration, "allow = [\"games\"]\n")
        try spool.logLine("user=games", "event=ended", "state=done")
        try spool.wait(for: "the problem of user daemon") { spool.statusText.contains("user daemon may not use this spool") }
        for directory in ["new", "tasks", "schedules", "control", "tmp"] {
            #expect(try Files.status("\(spool.path)/\(directory)").mode == 0o755)
        }
        #expect(try TestUser.daemon.run("mkdir", "\(spool.path)/new/other").code != 0)
    }

    @Test("spoolctl of a denied user fails at once with 5, and works when the configuration allows the user", arguments: [true, false])
    func deniedAtOnce(isServedBefore: Bool) throws {
        let spool = try SpoolUnderTest.ofEverybody(configuration: isServedBefore ? "" : "deny = [\"games\"]\n")
        if isServedBefore {
            #expect(try spool.ctl(as: .games, "submit", "--wait", "--", "true").code == 0)
            try Files.write(spool.configuration, "deny = [\"games\"]\n")
            try spool.wait(for: "the problem of user games") { spool.statusText.contains("user games may not use this spool") }
        }
        for words in [["submit", "--", "true"], ["create", "t", "--", "true"], ["pause"]] {
            // spoolctl waits ten seconds for an answer.
            try withinMilliseconds(10_000) {
                let result = try TestUser.games.run(SubmitWaitTests.ctl, words, environment: ["SPOOL_DIR=\(spool.path)"])
                #expect(result.code == 5 && result.error.contains("user games may not use the spool"), "\(result)")
            }
        }
        // The directories that made the daemon notice this user are gone. The mark of denial must still be removed when the
        // configuration allows the user.
        try TestUser.games.shell("rmdir \(spool.path)/new/games \(spool.path)/tasks/games 2>&- || :")
        try Files.write(spool.configuration, "slots = 3\n")
        try spool.wait(for: "the word to be taken back") { !Files.exists("\(spool.path)/users/.games.denied") }
        #expect(try spool.ctl(as: .games, "submit", "--wait", "--", "true").code == 0)
    }

    @Test("Users can create directories only in the shared directories, and cannot list those of jobs")
    func modes() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        for directory in ["new", "tasks", "schedules", "control", "tmp"] {
            #expect(try Files.status("\(spool.path)/\(directory)").mode == 0o1777)
        }
        for directory in ["running", "done", "failed", "journal", "state", "patterns"] {
            #expect(try Files.status("\(spool.path)/\(directory)").mode == 0o711)
        }
    }

    @Test("Attack 30: spoold does not start below a directory in which another user could replace the spool")
    func ancestors() throws {
        let base = try Files.makeTemporaryDirectory()
        defer { try? Files.removeTree(base) }  // litter at worst
        chmod(base, 0o777)
        let result = try Commands.run("\(SpoolUnderTest.programs)/spoold", "--spool", "\(base)/spool")
        #expect(result.code == 1 && result.error.contains("\(base), above the spool, can be written by others"), "\(result)")
        chmod(base, 0o755)
        #expect(chown(base, 5, 5) == 0)
        let owned = try Commands.run("\(SpoolUnderTest.programs)/spoold", "--spool", "\(base)/spool")
        #expect(owned.code == 1 && owned.error.contains("belongs to user 5"), "\(owned)")
    }

    // MARK: Sharing

    @Test("Attack 27: however many jobs a user has waiting, another's starts as soon as a slot is free")
    func fairShare() throws {
        let spool = try SpoolUnderTest.ofEverybody(configuration: "slots = 2\nuser_slots = 2\n")
        let gate = try spool.gate()
        chmod(gate.path, 0o666)
        try TestUser.games.shell("""
            umask 077; mkdir \(spool.path)/tmp/games; cd \(spool.path)/tmp/games
            for i in $(seq 2000); do echo 'command = "echo games >> \(spool.out)/began; read x < \(gate.path)"\ndirectory = "/"' > \
            $i.toml; done
            mkdir \(spool.path)/new/games; mv *.toml \(spool.path)/new/games
            """)
        try spool.lines("began", count: 2)
        chmod("\(spool.out)/began", 0o666)
        let other = try spool.startCtl(as: .daemon, "submit", "--wait", "--", "sh", "-c", "echo daemon >> \(spool.out)/began")
        // Root's daemon has read that the other user wants a slot, and the first user's knows that the next one is not its own.
        try spool.watch("users/games/state")
        try spool.wait(for: "the other's want") {
            guard case .table(let status) = try JSON.parse(Files.bytes("\(spool.path)/users/games/state/status.json")).kind,
                case .integer(let granted)? = status["granted"]?.kind
            else { return false }
            return granted == 1
        }
        try gate.release()
        #expect(try other.end().code == 0)
        #expect(try spool.linesNow("began").prefix(3) == ["games", "games", "daemon"])
        try gate.release(64)
    }

    @Test("Long jobs of one user leave a slot to others, and user_slots limits them further")
    func leavesRoom() throws {
        let spool = try SpoolUnderTest.ofEverybody(configuration: "slots = 3\n")
        let gate = try spool.gate()
        chmod(gate.path, 0o666)
        for _ in 1...3 {
            #expect(
                try spool.ctl(as: .games, "submit", "--", "sh", "-c", "echo began >> \(spool.out)/began; read x < \(gate.path)").code == 0)
        }
        try spool.lines("began", count: 2)
        #expect(try spool.ctl(as: .daemon, "submit", "--wait", "--", "true").code == 0)
        #expect(try spool.ctl("submit", "--wait", "--", "true").code == 0)
        #expect(try spool.linesNow("began").count == 2)
        let waiting = try #require(spool.ctl(as: .games, "jobs", "-q", "--state", "new").output.split(separator: "\n").first)
        let why = try spool.ctl(as: .games, "why", String(waiting)).output
        #expect(why.contains("all 2 slots are taken, by ") && !why.contains("other users"), "\(why)")
        try Files.write(spool.configuration, "slots = 3\nuser_slots = 3\n")
        try spool.lines("began", count: 3)
        try gate.release(3)
    }

    @Test("Running jobs count while their daemon is down: never more than slots run, whichever daemon is killed")
    func countsWhatRuns() throws {
        let spool = try SpoolUnderTest.ofEverybody(configuration: "slots = 3\n")
        let gate = try spool.gate()
        chmod(gate.path, 0o666)
        let line = "echo $$ >> \(spool.out)/began; read x < \(gate.path)"
        for _ in 1...3 { #expect(try spool.ctl(as: .games, "submit", "--", "sh", "-c", line).code == 0) }
        chmod("\(spool.out)/began", 0o666)
        try spool.lines("began", count: 2)
        func running() throws -> Int { try spool.linesNow("began").compactMap { pid_t($0) }.count { kill($0, 0) == 0 } }
        for round in 1...2 {
            // root has waiting jobs, too. They would get all slots at a start if the daemon did not count running jobs first.
            for _ in 1...3 { #expect(try spool.ctl("submit", "--", "sh", "-c", line).code == 0) }
            var seen = spool.logLength
            try spool.crash()
            try spool.start()
            try spool.logLine("event=started", "user=games", "pid=", after: seen)
            #expect(try spool.ctl(as: .games, "status").output.contains("2 of"), "round \(round)")
            #expect(try running() <= 3, "round \(round)")
            seen = spool.logLength
            kill(try #require(Processes.userDaemons(ofSpool: spool.path).first), SIGKILL)
            try spool.logLine("event=started", "user=games", "pid=", after: seen)
            #expect(try running() <= 3, "round \(round)")
        }
        try spool.lines("began", count: 3)
        #expect(try running() == 3)
        _ = try spool.ctl("cancel", "--state", "new")
        _ = try spool.ctl(as: .games, "cancel", "--state", "new")
        try gate.release(3)
    }

    @Test("When root pauses everything, nobody's jobs start, and each user sees why")
    func pause() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        #expect(try spool.ctl(as: .games, "submit", "--wait", "--", "true").code == 0)
        #expect(try spool.ctl("pause", "--note", "moving house").code == 0)
        try spool.watch("users/games/state")
        try spool.wait(for: "the word") { try spool.ctl(as: .games, "status").output.contains("moving house") }
        let waiting = try spool.startCtl(as: .games, "submit", "--wait", "--name", "later", "--", "touch", "\(spool.out)/later")
        try spool.logLine("user=games", "event=accepted", "later")
        #expect(!Files.exists("\(spool.out)/later"))
        #expect(try spool.ctl("resume").code == 0)
        #expect(try waiting.end().code == 0)
    }

    @Test("The log limits the lines of one user and counts those left out; it has all of root's lines")
    func logFlood() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let count = 400
        try TestUser.games.shell("""
            umask 077; mkdir -p \(spool.path)/tmp/games \(spool.path)/new/games; cd \(spool.path)/tmp/games
            for i in $(seq \(count)); do echo 'command = ["true"]' > $i.toml; done; mv *.toml ../../new/games
            """)
        // The log is silent when it has its lines, so it does not report the last ends.
        try spool.logLine("event=serving-user", "user=games")
        try spool.watch("done/games")
        try spool.wait(for: "all of them") { try Files.list("\(spool.path)/done/games").count == count }
        #expect(try spool.ctl("submit", "--wait", "--", "true").code == 0)
        #expect(try spool.stop() == 0)
        for kind in ["accepted", "started", "ended"] {
            #expect(spool.log.split(separator: "\n").count { $0.contains("event=\(kind) user=games ") } <= 300 + 2)
            try spool.logLine("event=left-out user=games", "of=\(kind) count=")
        }
        try spool.logLine("event=ended id=")
    }

    // MARK: Deaths

    @Test("A killed daemon of a user or of root starts again; jobs continue, and each end is recorded")
    func deaths() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let gate = try spool.gate()
        chmod(gate.path, 0o666)
        try spool.drop(
            as: .games, "long.toml", "command = 'echo $$ >> \(spool.out)/began; read x < \(gate.path); exit 7'\ndirectory = \"/\"")
        let pid = try spool.lines("began", count: 1)
        var seen = spool.logLength
        kill(try #require(Processes.userDaemons(ofSpool: spool.path).first), SIGKILL)
        try spool.logLine("user=games", "event=adopted", after: seen)
        seen = spool.logLength
        try spool.crash()
        for daemon in Processes.userDaemons(ofSpool: spool.path) { try Processes.awaitEnd(of: daemon) }
        try spool.start()
        try spool.logLine("user=games", "event=adopted", after: seen)
        try gate.release()
        try spool.logLine("user=games", "event=ended", "state=failed", "exit_code=7", after: seen)
        #expect(try spool.linesNow("began") == pid)
        seen = spool.logLength
        #expect(try spool.stop() == 0)
        #expect(Processes.userDaemons(ofSpool: spool.path).isEmpty)
    }

    @Test("A user's daemon that the user stops by a signal is killed and started again, and holds no slots")
    func stopped() throws {
        let spool = try SpoolUnderTest.ofEverybody(configuration: "slots = 1\n")
        // A task that is due each minute keeps the daemon from resting.
        #expect(try spool.ctl(as: .games, "create", "often", "--cron", "* * * * *", "--", "true").code == 0)
        #expect(try spool.ctl(as: .games, "submit", "--wait", "--", "true").code == 0)
        let daemon = try #require(Processes.userDaemons(ofSpool: spool.path).first)
        #expect(try TestUser.games.run("kill", "-STOP", "\(daemon)").code == 0)
        #expect(try spool.ctl(as: .daemon, "submit", "--wait", "--", "true").code == 0)
        try spool.logLine("event=user-daemon-silent", "user=games")
        #expect(try spool.ctl(as: .games, "submit", "--wait", "--", "true").code == 0)
    }
}
