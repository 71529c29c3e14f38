import Documents
import Glibc
import Linux
import Testing

/// The crontabs of a machine as tasks: what is read, what an edit does, what is refused.
@Suite("Live crontabs", .ownThreads, .enabled(if: geteuid() == 0, "crontabs are root's"))
struct LiveCrontabTests {
    // MARK: The start of the machine

    @Test("C1: a new spool runs @reboot lines unless cron's mark says that they have run, and shares the mark", arguments: [false, true])
    func rebootMark(isThere: Bool) throws {
        let machine = try CrontabMachine(starting: false)
        let (spool, mark) = (machine.spool, "\(machine.root)/run/crond.reboot")
        try Files.makeDirectory("\(machine.root)/run")
        if isThere { try Files.write(mark, "", mode: 0) }
        try machine.write("etc/crontab", "MAILTO=\"\"\n@reboot root touch \(spool.out)/line\n")
        try spool.task("t", "command = [\"true\"]\n[[schedule]]\ncron = \"@reboot\"\n")
        try spool.start()
        // Jobs start in the order of their names, the line's first.
        #expect(try spool.ended("t", count: 1)[0].outcome == "done 0")
        #expect(try spool.journal().contains { $0.kind == "accepted" && $0.fields["task"] == "crontab-touch" } == !isThere)
        #expect(Files.exists(mark))
        // In the same boot nothing runs again.
        try spool.crash()
        try spool.start()
        #expect(try spool.runsOn())
        #expect(try spool.journal().count { $0.kind == "accepted" && $0.fields["task"] == "crontab-touch" } == (isThere ? 0 : 1))
    }

    // MARK: Lines

    @Test("C1: each line of each crontab is a task, with a name that says where it comes from")
    func lines() throws {
        let machine = try CrontabMachine(starting: false)
        try machine.write(
            "etc/crontab",
            """
            SHELL=/bin/sh
            # m h dom mon dow user\tcommand
            17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly
            25 6\t* * *\troot\ttest -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }
            # Clean up.
            0 3 * * * games /usr/local/bin/sweep --all

            """)
        try machine.write("etc/cron.d/certbot", "0 */12 * * * root test -x /usr/bin/certbot && certbot -q renew\n")
        try machine.write("etc/cron.d/php", "09,39 * * * * root [ -x /usr/lib/php/sessionclean ] && sessionclean\n1 1 * * * root php -v\n")
        try machine.write("etc/cron.d/not.read", "* * * * * root touch \(machine.spool.out)/not\n")
        try machine.write("var/spool/cron/crontabs/root", "5 5 * * * backup / /mnt\n", mode: 0o600)
        try machine.spool.start()
        #expect(
            try machine.names() == [
                "cron.d-certbot", "cron.d-php", "cron.d-php-sessionclean", "crontab-cron.daily", "crontab-cron.hourly",
                "crontab-root-backup", "crontab-sweep",
            ])
        let shown = try machine.ctl("show", "crontab-sweep").output
        for line in [
            "file\t\(machine.crontab)", "line\t6", "description\tClean up.", "user\tgames", "overlap\tallow",
            "env\t{\"SHELL\":\"/bin/sh\",\"PATH\":\"/usr/bin:/bin\"}",
        ] {
            #expect(shown.contains("\(line)\n"), "\(line) in \(shown)")
        }
        #expect(try machine.shown("crontab-cron.daily", "line") == "4")
        #expect(try machine.shown("crontab-cron.hourly", "description") == nil)
        let edit = try machine.ctl("edit", "cron.d-certbot")
        #expect(edit.code == 1 && edit.errors.contains("line 1 of \(machine.root)/etc/cron.d/certbot: edit that file"), "\(edit)")
        for words in [["update", "cron.d-certbot", "--timeout", "5m"], ["delete", "cron.d-certbot", "-f"]] {
            #expect(try machine.spool.ctl(list: words).code == 1)
        }
        #expect(try machine.ctl("next", "crontab-sweep", "-n", "1").output.contains("03:00:00"))
        #expect(try machine.ctl("why", "crontab-sweep").output.contains("due next at"))
        // Without names too, by the ways that look at few files.
        for words in [["list", "--json"], ["list", "--limit", "10"], ["next", "-n", "200"]] {
            let output = try machine.spool.ctl(list: words).output
            for name in ["cron.d-certbot", "crontab-sweep"] { #expect(output.contains(name), "\(words): \(output)") }
        }
        let json = try machine.ctl("show", "crontab-sweep", "--json").output
        #expect(json.contains("\"line\":6") || json.contains("\"line\": 6"), "\(json)")
    }

    @Test("C1: a line runs as under cron: /bin/sh, HOME as directory, PATH=/usr/bin:/bin, % as input; and run and pause know it")
    func runs() throws {
        let machine = try CrontabMachine(starting: false)
        let out = machine.spool.out
        try machine.write(
            "etc/crontab",
            """
            A=value
            @reboot root echo "$A|$PATH|$HOME|$SHELL|$LOGNAME" >\(out)/env; pwd >>\(out)/env
            @reboot games id -un >\(out)/games; pwd >>\(out)/games
            @reboot root cat >\(out)/input%one%two
            0 0 1 1 * root echo ran >>\(out)/yearly
            HOME=/missing
            @reboot games pwd >\(out)/missing; echo $HOME >>\(out)/missing
            MAILTO=root -v
            0 0 1 1 * root unsafe

            """)
        try machine.spool.start()
        _ = try machine.spool.ended(count: 4)
        let root = try #require(try User.find(name: "root"))
        #expect(try machine.spool.output("env") == "value|/usr/bin:/bin|\(root.home)|/bin/sh|root\n\(root.home)\n")
        #expect(try machine.spool.output("games").hasPrefix("games\n"))
        #expect(try machine.spool.output("input") == "one\ntwo\n")
        // cron(8) goes on too, in its own directory.
        #expect(try machine.spool.output("missing") == "/\n/missing\n")
        let remark = "nothing is mailed, as with cron(8), to MAILTO \"root -v\": an address begins with a letter or digit"
        #expect(try machine.shown("crontab-unsafe", "remark")?.hasPrefix(remark) == true)
        let check = try machine.ctl("check")
        #expect(check.code == 0 && (check.output + check.errors).contains("\(machine.crontab):9:1: warning: \(remark)"), "\(check)")
        #expect(try machine.ctl("run", "crontab-echo", "-w").code == 0)
        #expect(try machine.spool.output("yearly") == "ran\n")
        #expect(try machine.ctl("pause", "crontab-echo").code == 0)
        #expect(try machine.shown("crontab-echo", "state") == "paused")
        // @reboot once a boot.
        try machine.spool.restart()
        #expect(try machine.spool.runsOn())
        #expect(try machine.spool.ended("crontab-pwd").count == 1)
    }

    @Test(
        "C1: the run-parts lines of /etc/crontab run the scripts of their directories, and leave the daily ones to anacron where that is",
        .enabled(if: Commands.has("run-parts") && access("/etc/cron.hourly", F_OK) == 0, "needs Debian's run-parts and /etc/cron.hourly"))
    func runParts() throws {
        let machine = try CrontabMachine(starting: false)
        let spool = machine.spool
        // Debian's, from cron-daemon-common.
        try machine.write(
            "etc/crontab",
            """
            SHELL=/bin/sh
            PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin
            17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly
            25 6\t* * *\troot\ttest -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }

            """)
        let parts = "\(spool.base)/parts"
        try Files.makeDirectory(parts)
        let script = "#!/bin/sh\npwd\necho $0\n"
        try Files.write("\(parts)/one", "\(script)exit 3\n", mode: 0o755)
        for (name, mode) in [("two", 0o755), ("three.sh", 0o755), ("four", 0o644)] as [(String, mode_t)] {
            try Files.write("\(parts)/\(name)", script, mode: mode)
        }
        try spool.launch(tracer: [
            "/usr/bin/unshare", "-m", "--propagation", "private", "/bin/sh", "-c",
            "mount --bind \(parts) /etc/cron.hourly && mount --bind \(parts) /etc/cron.daily && exec \"$0\" \"$@\"",
        ])
        try spool.notification("READY=1")
        let anacron = access("/usr/sbin/anacron", X_OK) == 0
        for (task, directory, runs) in [("crontab-cron.hourly", "hourly", true), ("crontab-cron.daily", "daily", !anacron)] {
            _ = try machine.ctl("run", "-w", task)
            let job = try #require(try spool.ended(task, count: 1).first)
            let reports = ["one:\n/\n/etc/cron.\(directory)/one\nrun-parts: /etc/cron.\(directory)/one exited with return code 3\n",
                "two:\n/\n/etc/cron.\(directory)/two\n"].map { "/etc/cron.\(directory)/\($0)" }
            let text = try job.stdout
            for report in reports { #expect(text.contains(report) == runs, "\(text)") }
            #expect(!text.contains("three") && !text.contains("four"))
        }
    }

    @Test("C1: no slot of others delays a line, and a line takes no slot from others")
    func slots() throws {
        let machine = try CrontabMachine(configuration: "slots = 1")
        let spool = machine.spool
        let (gate, ticks) = (try spool.gate(), try spool.gate("ticks-gate"))
        try spool.drop("long.toml", "command = 'read x < \(gate.path)'")
        _ = try spool.running("long")
        try machine.write("etc/cron.d/tick", "@every 1s root echo tick >>\(spool.out)/ticks; read x < \(ticks.path)\n")
        // The runs overlap, and the one slot is in use.
        try spool.lines("ticks", count: 3)
        try spool.drop("second.toml", "command = 'true'")
        try machine.change(until: "event=removed", "file=tasks/cron.d-tick") { try Files.remove("\(machine.root)/etc/cron.d/tick") }
        try ticks.release(spool.jobs(in: "running").count)
        try gate.release()
        #expect(try spool.end(of: "second").outcome == "done 0")
    }

    // MARK: Edits

    @Test("C1: a line that is moved stays what it is: its name, its history, its due times; an edit starts nothing")
    func moved() throws {
        let machine = try CrontabMachine(starting: false)
        // No line is due while the test runs, at whatever time that is.
        let days = "* \(DistantTimes.month) *"
        let text = "0 1 \(days) root backup a\n0 1 \(days) root backup a\n0 2 \(days) root backup b\n"
        try machine.write("etc/crontab", text)
        try machine.spool.start()
        #expect(try machine.names() == ["crontab-backup", "crontab-backup-2", "crontab-backup-3"])
        let records = try machine.spool.journal().filter { ["defined", "undefined", "scheduled", "unscheduled"].contains($0.kind) }.count
        try machine.change(until: "event=defined", "file=tasks/crontab-new") {
            let backups = "0 2 \(days) root backup b\n0 1 \(days) root backup a\n0 1 \(days) root backup a\n"
            try machine.write("etc/crontab", "# New.\n1 * \(days) root new\n\n\n\(backups)")
        }
        #expect(try machine.shown("crontab-backup-3", "line") == "5" && machine.shown("crontab-backup", "line") == "6")
        let now = try machine.spool.journal().filter { ["defined", "undefined", "scheduled", "unscheduled"].contains($0.kind) }
        #expect(now.count == records + 2, "only the new line has records: \(now)")
        // The time of a line: the task keeps its name. A variable: the task keeps its due times.
        try machine.change(until: "event=defined", "file=tasks/crontab-backup-3") {
            try machine.write("etc/crontab", "0 3 \(days) root backup b\n0 1 \(days) root backup a\n")
        }
        #expect(try machine.names() == ["crontab-backup", "crontab-backup-3"])
        #expect(try machine.ctl("next", "crontab-backup-3", "-n", "1").output.contains("03:00:00"))
        try machine.change(until: "event=defined", "file=tasks/crontab-backup-3") {
            try machine.write("etc/crontab", "PATH=/opt/bin\n0 3 \(days) root backup b\n0 1 \(days) root backup a\n")
        }
        #expect(try machine.spool.journal().allSatisfy { $0.kind != "accepted" })
        // The same after a restart, and for what was edited meanwhile.
        #expect(try machine.spool.stop() == 0)
        try machine.write("etc/crontab", "0 1 \(days) root backup a\n* * * * * root other\n")
        let edited = time(nil)
        try machine.spool.start()
        #expect(try machine.names() == ["crontab-backup", "crontab-other"])
        // A minute may have begun since.
        let runs = try machine.spool.journal().filter { $0.kind == "accepted" }
        #expect(try runs.allSatisfy { try $0.fields["task"] == "crontab-other" && machine.spool.second($0.fields["due"] ?? "") > edited })
    }

    @Test("C1: a line that becomes unusable is reported with file, line and column, and stays in force as it was; the others count")
    func bad() throws {
        let machine = try CrontabMachine(starting: false)
        try machine.write("etc/crontab", "0 1 * * * root one\n0 2 * * * root two\n0 3 * * * root three\n")
        try machine.spool.start()
        let problem = "\(machine.crontab):3:3: cron \"0 42 * * *\": hour 42 is out of range 0-23"
        try machine.change(until: "event=refused", "hour 42 is out of range 0-23") {
            try machine.write("etc/crontab", "0 1 * * * root one\n0 5 * * * root four\n0 42 * * * root two\n")
        }
        for _ in 0..<2 {
            #expect(try machine.names() == ["crontab-four", "crontab-one", "crontab-two"])
            #expect(try machine.spool.ctl("status").output.contains(problem))
            #expect(try machine.shown("crontab-two", "state") == "edit refused")
            #expect(try machine.ctl("next", "crontab-two", "-n", "1").output.contains("02:00:00"))
            let why = try machine.ctl("why", "crontab-two").output
            #expect(why.contains("Its line in the crontab is refused: \(problem)"), "\(why)")
            try machine.spool.restart()
        }
        try machine.change(until: "event=defined", "file=tasks/crontab-two") {
            try machine.write("etc/crontab", "0 1 * * * root one\n0 5 * * * root four\n0 4 * * * root two\n")
        }
        #expect(try machine.shown("crontab-two", "state") == "ok")
        #expect(try !machine.spool.ctl("status").output.contains("problem"))
        try machine.change(until: "event=removed", "file=tasks/crontab-two") { try machine.write("etc/crontab", "0 1 * * * root one\n") }
        #expect(try machine.names() == ["crontab-one"])
    }

    @Test("C1: a crontab that cron(8) would refuse is reported, and its lines stay as they were accepted; one that is removed has none")
    func refused() throws {
        let machine = try CrontabMachine(starting: false)
        let path = "\(machine.root)/etc/cron.d/x"
        try machine.write("etc/cron.d/x", "0 1 * * * root one\n")
        try machine.spool.start()
        try machine.change(until: "event=refused", "\(path): its mode 0666 lets others than root write to it") { chmod(path, 0o666) }
        #expect(try machine.names() == ["cron.d-x"])
        #expect(try machine.shown("cron.d-x", "state") == "edit refused")
        try machine.spool.restart()
        #expect(try machine.names() == ["cron.d-x"])
        try machine.change(until: "event=removed", "file=tasks/cron.d-x") { try Files.remove(path) }
        #expect(try machine.names().isEmpty)
        #expect(try !machine.spool.ctl("status").output.contains("problem"))
    }

    @Test("C1: a line whose user does not exist is reported; no crontab counts any more when crontabs is false")
    func unknownUser() throws {
        let machine = try CrontabMachine(starting: false)
        try machine.write("etc/cron.d/x", "0 1 * * * no-such-user one\n0 1 * * * root two\n")
        try machine.spool.start()
        #expect(try machine.names() == ["cron.d-x-two"])
        #expect(try machine.spool.ctl("status").output.contains("cron.d/x:1:1: there is no user \"no-such-user\" on this machine"))
        try machine.change(until: "event=removed", "file=tasks/cron.d-x-two") { try machine.configure(crontabs: false) }
        #expect(try machine.names().isEmpty)
        try machine.change(until: "event=defined", "file=tasks/cron.d-x-two") { try machine.configure() }
    }

    @Test("C1: a file in tasks/ with the name of a line is refused until the line is gone; a line never takes the name of a file")
    func names() throws {
        let machine = try CrontabMachine()
        try machine.spool.acceptedTask("cron.d-x", "command = 'true'")
        try machine.change(until: "event=defined", "file=tasks/cron.d-x-2") { try machine.write("etc/cron.d/x", "0 1 * * * root one\n") }
        try machine.change(until: "event=defined", "file=tasks/cron.d-y") { try machine.write("etc/cron.d/y", "0 1 * * * root one\n") }
        try machine.change(until: "event=refused", "a line of \(machine.root)/etc/cron.d/y has this name") {
            try machine.spool.task("cron.d-y", "command = 'true'")
        }
        try machine.change(until: "event=defined", "file=tasks/cron.d-y") { try Files.remove("\(machine.root)/etc/cron.d/y") }
        #expect(try machine.shown("cron.d-y", "file") == "\(machine.spool.path)/tasks/cron.d-y.toml")
    }

    // MARK: Files

    @Test("C1: inotify notices directories that come later, replaced files, targets of links, and a file only when it is closed")
    func watched() throws {
        let machine = try CrontabMachine(directories: [])
        try machine.change(until: "event=defined", "file=tasks/cron.d-x") {
            for directory in ["etc", "etc/cron.d"] { try Files.makeDirectory("\(machine.root)/\(directory)") }
            try machine.write("etc/cron.d/x", "0 1 * * * root one\n")
        }
        // dpkg's way.
        try machine.change(until: "event=defined", "file=tasks/cron.d-x") {
            try machine.write("etc/cron.d/x.dpkg-new", "0 2 * * * root one\n")
            try Files.rename("\(machine.root)/etc/cron.d/x.dpkg-new", "\(machine.root)/etc/cron.d/x")
        }
        // An editor's: the file moves away, and a new one is written.
        try machine.change(until: "event=defined", "file=tasks/cron.d-x") {
            try Files.rename("\(machine.root)/etc/cron.d/x", "\(machine.root)/etc/cron.d/x~")
            try Files.write("\(machine.root)/etc/cron.d/x", "0 3 * * * root one\n")
        }
        // A symbolic link of root's, and its target.
        try Files.write("\(machine.root)/target", "0 4 * * * root linked\n")
        try machine.change(until: "event=defined", "file=tasks/cron.d-link") {
            try Files.symlink("../../target", "\(machine.root)/etc/cron.d/link")
        }
        try machine.change(until: "event=defined", "file=tasks/cron.d-link") {
            try Files.write("\(machine.root)/target2", "0 5 * * * root linked\n")
            try Files.rename("\(machine.root)/target2", "\(machine.root)/target")
        }
        // Half of a file is not read.
        let half = try FileDescriptor.open("\(machine.root)/etc/cron.d/half", O_WRONLY | O_CREAT, mode: 0o644)
        try half.write(Array("0 1 * * * root half".utf8))
        let raw = half.release()
        try machine.change(until: "event=defined", "file=tasks/cron.d-other") {
            try machine.write("etc/cron.d/other", "0 1 * * * root x\n")
        }
        #expect(try !machine.names().contains { $0.hasPrefix("cron.d-half") })
        try machine.change(until: "event=defined", "file=tasks/cron.d-half") {
            try FileDescriptor(owning: raw).write(Array(" whole\n".utf8))
        }
        // A FIFO blocks nothing.
        guard mkfifo("\(machine.root)/etc/crontab", 0o644) == 0 else { throw SystemError(call: "mkfifo", errno: errno) }
        try machine.spool.logLine("event=refused", "etc/crontab: it is a FIFO, not a regular file")
        #expect(try machine.spool.runsOn())
    }

    @Test("C1: a crontab larger than 16 MiB is refused by its size, and a line of it that was accepted before stays")
    func large() throws {
        let machine = try CrontabMachine(starting: false)
        try machine.write("etc/cron.d/x", "0 1 * * * root one\n")
        try machine.spool.start()
        try machine.change(until: "event=refused", "etc/cron.d/x: it is 1073741824 bytes; at most 16777216 are read") {
            let path = "\(machine.root)/large"
            try Files.write(path, "")
            guard truncate(path, 1 << 30) == 0 else { throw SystemError(call: "truncate", path: path, errno: errno) }
            try Files.rename(path, "\(machine.root)/etc/cron.d/x")
        }
        #expect(try machine.names() == ["cron.d-x"])
        try machine.change(until: "event=defined", "file=tasks/cron.d-y") { try machine.write("etc/cron.d/y", "0 1 * * * root y\n") }
        #expect(try machine.spool.runsOn())
    }

    // MARK: Bad input and bad times

    /// Ways in which a file of cron.d is replaced. `$f` is its path, `$d` another directory of the same file system, `$n` a file with the
    /// new text.
    private static let replacements: [(way: String, line: String)] = [
        ("mv", "mv $n $f"), ("cp over it", "cat $n > $f"),
        ("dpkg", "cp $n $f.dpkg-new && ln $f $f.dpkg-tmp && mv $f.dpkg-new $f && rm $f.dpkg-tmp"),
        ("an editor that moves it away", "mv $f $f~ && cat $n > $f && rm $f~"),
        ("an editor that copies it", "cp $f $f~ && cat $n > $f && rm $f~"),
        ("an editor that renames a swap file", "cat $n > $d/.x.swp && mv $d/.x.swp $f"), ("removed first", "rm $f && cp $n $f"),
        ("with the times of before", "touch -r $f $n && mv $n $f"),
    ]

    @Test("C1: in whichever way a file is replaced, its lines stay what they are, and nothing else is said", arguments: replacements)
    func replaced(_ row: (way: String, line: String)) throws {
        // A crontab that is away for a second was removed. On a slow machine an editor may need longer.
        while try replace(row) >= LiveCrontabTests.awayMilliseconds {}
    }

    /// The time for which a crontab may be away.
    private static let awayMilliseconds: Int64 = 1000

    /// Replaces a file and returns the milliseconds that this took. Nothing is checked when it took too long.
    private func replace(_ row: (way: String, line: String)) throws -> Int64 {
        let machine = try CrontabMachine(starting: false)
        try machine.write("etc/cron.d/x", "0 1 * * * root one\n0 2 * * * root two\n")
        try machine.spool.start()
        #expect(try machine.ctl("pause", "cron.d-x-two").code == 0)
        try Files.write("\(machine.root)/n", "0 2 * * * root two\n0 3 * * * root six\n")
        var took: Int64 = 0
        try machine.change(until: "event=defined", "file=tasks/cron.d-x-six") {
            let began = MonotonicInstant.now()
            try Commands.succeed("sh", "-c", "f=\(machine.root)/etc/cron.d/x; d=\(machine.root)/etc; n=\(machine.root)/n; \(row.line)")
            took = MonotonicInstant.now().milliseconds(since: began)
        }
        guard took < Self.awayMilliseconds else { return took }
        try machine.change(until: "event=defined", "file=tasks/cron.d-y") { try machine.write("etc/cron.d/y", "0 1 * * * root y\n") }
        #expect(try machine.names() == ["cron.d-x-six", "cron.d-x-two", "cron.d-y"])
        let records = try machine.spool.journal()
        #expect(records.count { $0.kind == "defined" && $0.fields["file"] == "tasks/cron.d-x-two" } == 1, "\(row.way)")
        #expect(!records.contains { $0.kind == "undefined" && $0.fields["file"] == "tasks/cron.d-x-two" }, "\(row.way)")
        #expect(!machine.spool.log.contains("event=refused"), "\(row.way): \(machine.spool.log)")
        #expect(try machine.shown("cron.d-x-two", "state") == "paused")
        return took
    }

    @Test("C1: what is no regular file is refused unread, and everything else runs", arguments: ["mkdir $f", "mkfifo $f", "mknod $f c 1 5"])
    func noFile(made line: String) throws {
        let machine = try CrontabMachine()
        for path in ["etc/crontab", "etc/cron.d/x", "var/spool/cron/crontabs/root"] {
            try machine.change(until: "event=refused", "\(path): it is a", ", not a regular file") {
                try Commands.succeed("sh", "-c", "f=\(machine.root)/\(path); \(line)")
            }
        }
        try machine.change(until: "event=defined", "file=tasks/cron.d-y") { try machine.write("etc/cron.d/y", "0 1 * * * root y\n") }
        #expect(try machine.spool.runsOn())
    }

    @Test("C1: crontabs of a machine whose /etc is read-only are read, and read again when it was written elsewhere")
    func readOnly() throws {
        let machine = try CrontabMachine(starting: false)
        let spool = machine.spool
        try machine.write("etc/crontab", "0 1 * * * root one\n")
        try machine.write("etc/cron.d/x", "0 1 * * * root two\n")
        let etc = "\(machine.root)/etc"
        try spool.launch(tracer: [
            "/usr/bin/unshare", "-m", "--propagation", "private", "/bin/sh", "-c",
            "mount --bind \(etc) \(etc) && mount -o remount,ro,bind \(etc) && exec \"$0\" \"$@\"",
        ])
        try spool.notification("READY=1")
        #expect(try machine.names() == ["cron.d-x", "crontab-one"])
        try machine.change(until: "event=defined", "file=tasks/cron.d-x") { try machine.write("etc/cron.d/x", "0 1 * * * root six\n") }
        #expect(!spool.log.contains("level=error"))
    }

    @Test(
        "C1: crontabs of a file system that is mounted later are read at once, and after it was unmounted those below it",
        arguments: ["etc", "etc/cron.d", "etc/cron.d/x", "var/spool/cron", "var/spool/cron/crontabs"])
    func mounted(over place: String) throws {
        let machine = try CrontabMachine(starting: false)
        let spool = machine.spool
        try machine.write("etc/cron.d/x", "0 1 * * * root below\n")
        try machine.write("var/spool/cron/crontabs/root", "0 1 * * * below\n", mode: 0o600)
        // The same files, of which one has another line, in another directory.
        let other = "\(spool.base)/other"
        try Commands.succeed("cp", "-a", machine.root, other)
        let isUsers = place.hasPrefix("var")
        let file = isUsers ? "var/spool/cron/crontabs/root" : "etc/cron.d/x"
        try Files.write("\(other)/\(file)", "0 1 * * *\(isUsers ? "" : " root") mounted\n", mode: isUsers ? 0o600 : 0o644)
        try spool.launch(tracer: ["/usr/bin/unshare", "-m", "--propagation", "private"])
        try spool.notification("READY=1")
        let pid = try #require(spool.daemon?.pid)
        for (text, call) in [("mounted", "mount --bind \(other)/\(place)"), ("below", "umount")] {
            try machine.change(until: "event=defined") {
                try Commands.succeed("sh", "-c", "nsenter -t \(pid) -m -- \(call) \(machine.root)/\(place)")
            }
            let name = isUsers ? "crontab-root-\(text)" : "cron.d-x"
            try spool.wait(for: "the line \(text)") { try spool.ctl("show", name).output.contains("\(text)\n") }
        }
    }

    @Test(
        "C1: crontabs that cannot be looked at, because of the disk or of a right, stay as they were accepted",
        .enabled(if: Commands.has("strace") && TestUser.areHere, "needs strace and root"), arguments: ["EIO", "EACCES"])
    func unreadable(_ error: String) throws {
        let machine = try CrontabMachine(starting: false)
        let spool = machine.spool
        let games = "var/spool/cron/crontabs/games"
        try machine.write("etc/cron.d/x", "0 1 * * * root one\n")
        try machine.write("var/spool/cron/crontabs/root", "0 1 * * * two\n", mode: 0o600)
        try machine.write(games, "0 1 * * * three\n", mode: 0o600)
        #expect(chown("\(machine.root)/\(games)", TestUser.games.id, 60) == 0)
        try spool.start()
        let names = ["cron.d-x", "crontab-root-two", "games/crontab-games-three"]
        try spool.wait(for: "all lines") { try machine.names() == names }
        // A directory that cannot be read is said, or the files in it.
        for (calls, said) in [
            ("openat,newfstatat,lstat,statx", "event=unreadable"), ("getdents64", "event=unreadable"),
            ("newfstatat,lstat,statx", "event=refused"),
        ] {
            #expect(try spool.stop() == 0)
            let seen = spool.logLength
            let paths = ["etc/cron.d", "etc/cron.d/x", "var/spool/cron/crontabs", "var/spool/cron/crontabs/root", games]
            try spool.launch(
                tracer: ["/usr/bin/strace", "-D", "-qq", "-o", "/dev/null"] + paths.flatMap { ["-P", "\(machine.root)/\($0)"] }
                    + ["-e", "trace=\(calls)", "-e", "inject=\(calls):error=\(error)"])
            try spool.notification("READY=1")
            try spool.logLine(said, "file=\(machine.root)/etc/cron.d", after: seen)
            try machine.change(until: "event=defined", "file=tasks/crontab-new") {
                try machine.write("etc/crontab", "0 1 * * * root new\n")
            }
            // What is gone would be removed by a turn after a second.
            #expect(try spool.runsOn())
            try machine.change(until: "event=removed", "file=tasks/crontab-new") { try Files.remove(machine.crontab) }
            #expect(try machine.names() == names, "\(calls): \(spool.log)")
        }
    }

    @Test("C1: with a configuration that is broken at the start, the defaults count and the lines stay in force, and it is said")
    func brokenConfiguration() throws {
        let machine = try CrontabMachine(starting: false)
        let spool = machine.spool
        try machine.write("etc/cron.d/x", "@every 1s root echo ran >>\(spool.out)/ran\n")
        try spool.start()
        try spool.lines("ran", count: 1)
        #expect(try spool.stop() == 0)
        let right = try Files.text(spool.configuration)
        try Files.write(spool.configuration, "slots = \"many\"\n\(right)")
        try spool.start()
        try spool.logLine("event=refused", "spoold.toml:1:9: ")
        let count = try spool.linesNow("ran").count
        try spool.lines("ran", count: count + 2)
        #expect(try machine.names() == ["cron.d-x"] && spool.ctl("doctor").output.contains("fail\tconfiguration\t"))
        try machine.change(until: "event=removed", "file=tasks/cron.d-x") { try Files.write(spool.configuration, "") }
        // What a package gives as defaults counts without the administrator's file.
        #expect(try spool.stop() == 0)
        try Files.write("\(spool.base)/defaults.toml", right)
        try Files.write(spool.configuration, "slots = \"many\"\n")
        try spool.start()
        let now = try spool.linesNow("ran").count
        try spool.lines("ran", count: now + 1)
        #expect(spool.statusText.contains("spoold.toml:1:9: "))
    }

    @Test("C1: 5,000 edits in a row delay no other work, and the last one counts")
    func manyEdits() throws {
        let machine = try CrontabMachine()
        let spool = machine.spool
        let path = "\(machine.root)/etc/cron.d/x"
        for number in 0..<5000 {
            try Files.write("\(machine.root)/new", "0 1 * * * root edit-\(number % 7)\n0 2 * * * root same\n")
            try Files.rename("\(machine.root)/new", path)
            if number % 2000 == 100 { #expect(try spool.runsOn("job-\(number)")) }
        }
        try machine.change(until: "event=defined", "file=tasks/cron.d-x-last") {
            try machine.write("etc/cron.d/x", "0 1 * * * root last\n0 2 * * * root same\n")
        }
        #expect(try machine.names() == ["cron.d-x-last", "cron.d-x-same"])
        #expect(try spool.journal().count { $0.kind == "defined" && $0.fields["file"] == "tasks/cron.d-x-same" } == 1)
        #expect(try spool.ctl("fsck").code == 0)
    }
}
