import Glibc
import Linux
import TestSupport
import Testing

/// at, atq, atrm and batch with a spool: what they queue runs as with atd.
@Suite("at", .ownThreads)
struct AtTests {
    /// A spool, and the four names of the program.
    private func make(starting: Bool = true) throws -> SpoolUnderTest {
        let spool = try SpoolUnderTest(starting: starting)
        try Files.makeDirectory("\(spool.base)/bin")
        for name in ["at", "atq", "atrm", "batch"] {
            try Files.symlink("\(SpoolUnderTest.programs)/spoolctl", "\(spool.base)/bin/\(name)")
        }
        return spool
    }

    private func shell(_ spool: SpoolUnderTest, _ line: String, input: String = "") throws -> Commands.Result {
        try Commands.run(
            "/bin/sh", ["-c", "cd \(spool.out) && \(line)"], input: input,
            environment: ["SPOOL_DIR=\(spool.path)", "PATH=\(spool.base)/bin:/usr/bin:/bin", "TZ=UTC"])
    }

    /// root may use at; others are asked at.allow and at.deny of the machine, which a test does not change.
    static let mayUse = isRoot

    @Test(
        "C6: at captures directory, umask and environment; the job's output, code and niceness are those of the script",
        .enabled(if: mayUse, "needs root, whom no at.deny keeps out"))
    func runs() throws {
        let spool = try make()
        let queued = try shell(
            spool, "mkdir 'a b' && cd 'a b' && umask 27 && export A='it''s $5' TERM=x && at -M -q c now",
            input: "pwd; umask; echo \"$A|$TERM\"; nice; exit 3")
        #expect(queued.code == 0 && queued.output.isEmpty)
        #expect(queued.error.hasPrefix("warning: commands will be executed using /bin/sh\njob 1 at "), "\(queued.error)")
        let job = try spool.end(of: "at-1")
        #expect(try job.stdout == "\(spool.out)/a b\n0027\nits $5|\n4\n")
        #expect(job.integer("exit_code") == 3)
        #expect(job.string("queue") == "c")
        #expect(try spool.ctl("check").code == 0)
    }

    @Test(
        "C6: a job that was imported from another at keeps its number in atq and for atrm, and a new job gets a later number",
        .enabled(if: mayUse, "needs root, whom no at.deny keeps out"))
    func imported() throws {
        let spool = try make(starting: false)
        try Files.makeDirectory("\(spool.base)/atjobs")
        for number in ["00007", "0002a"] {
            try Files.write(
                "\(spool.base)/atjobs/a\(number)\(ImportAtTests.minute)", ImportAtTests.file("true", uid: geteuid()), mode: 0o700)
        }
        #expect(try spool.ctl("import", "at", "--dir", "\(spool.base)/atjobs").code == 0)
        #expect(try shell(spool, "atq | cut -f1").output == "7\n42\n")
        #expect(try shell(spool, "at 18:05 2099-12-31", input: "true").error.contains("\njob 43 at "))
        #expect(try shell(spool, "atrm 42 && atq | cut -f1").output == "7\n43\n")
        // A second import does not set the number back.
        #expect(try spool.ctl("import", "at", "--dir", "\(spool.base)/atjobs").code == 0)
        #expect(try shell(spool, "at 18:05 2099-12-31", input: "true").error.contains("\njob 44 at "))
    }

    @Test(
        "C6: atq lists, at -c shows, atrm removes what waits, daemon or not; a running job is canceled; numbers are not reused",
        .enabled(if: mayUse, "needs root, whom no at.deny keeps out"))
    func queue() throws {
        let spool = try make(starting: false)
        #expect(try shell(spool, "atq").output.isEmpty)
        let first = try shell(spool, "at -q z 18:05 2099-12-31", input: "echo one\n")
        #expect(
            first.error == """
                warning: commands will be executed using /bin/sh
                job 1 at Thu Dec 31 18:05:00 2099
                Warning: at daemon not running: spoold serves \(spool.path) when it is started

                """)
        #expect(try shell(spool, "at -t 209912312200", input: "echo two").code == 0)
        let listed = "1\tThu Dec 31 18:05:00 2099 z root\n2\tThu Dec 31 22:00:00 2099 a root\n"
        #expect(try shell(spool, "atq").output == listed)
        try spool.start()
        #expect(try spool.runsOn())
        #expect(try shell(spool, "atq").output == listed && shell(spool, "at -l -o %s 2").output == "2\t4102437600 a root\n")
        let script = try shell(spool, "at -c 1").output
        #expect(script.hasPrefix("#!/bin/sh\n# atrun uid=0 gid=0\n# mail root 0\numask 22\n") && script.hasSuffix("}\necho one\n\n"))
        #expect(try shell(spool, "atrm 1 7").error == "Cannot find jobid 7\n")
        #expect(try shell(spool, "atq -q z").output.isEmpty && shell(spool, "at -d 2; atq").output.isEmpty)
        #expect(try shell(spool, "at 18:05 2099-12-31", input: "true").error.contains("job 3 at "))
        let gate = try spool.gate()
        #expect(try shell(spool, "at now", input: "read line < \(gate.path)").code == 0)
        _ = try spool.running("at-4")
        #expect(try shell(spool, "atq 4").output.contains(" = root\n"))
        #expect(try shell(spool, "at -r 4").error == "Warning: deleting running job\n")
        #expect(try spool.end(of: "at-4").string("reason") == "canceled")
    }

    @Test(
        "C6: a batch job waits without a slot while the load is high, and starts at once when it is low",
        .enabled(if: mayUse && Commands.has("unshare"), "needs root"), arguments: [false, true])
    func batch(isHigh: Bool) throws {
        let spool = try make(starting: false)
        try Files.write("\(spool.base)/load", isHigh ? "1.50 1.00 1.00 1/1 1\n" : "1.49 9.00 9.00 1/1 1\n")
        try spool.launch(
            tracer: ["/usr/bin/unshare", "-m", "--propagation", "private", "/bin/sh", "-c",
                "mount --bind \(spool.base)/load /proc/loadavg && exec \"$@\"", "sh"])
        let queued = try shell(spool, "batch", input: "echo ran; exit 75")
        #expect(queued.code == 0 && queued.error.contains("job 1 at "), "\(queued.error)")
        guard isHigh else {
            let job = try spool.end(of: "at-1")
            #expect(try job.stdout == "ran\n" && job.integer("exit_code") == 1 && job.integer("try") == 1)
            return
        }
        try spool.wait(for: "the first try") { 
            let new = "\(spool.path)/new"
            return try Files.list(new).contains { Files.exists("\(new)/\($0)/stdout") }
        }
        let listed = try shell(spool, "atq").output
        #expect(listed.hasPrefix("1\t") && listed.hasSuffix(" b root\n"), "\(listed)")
        #expect(try shell(spool, "at -c 1").output.hasSuffix("}\necho ran; exit 75\n"))
        #expect(try shell(spool, "atrm 1; atq").output.isEmpty)
    }

    @Test(
        "C6: at a low load one batch job begins in each minute, and the next waits without a slot",
        .enabled(if: mayUse && Commands.has("unshare"), "needs root"))
    func batches() throws {
        let spool = try make(starting: false)
        try Files.write("\(spool.base)/load", "0.00 0.00 0.00 1/1 1\n")
        try spool.launch(
            tracer: ["/usr/bin/unshare", "-m", "--propagation", "private", "/bin/sh", "-c",
                "mount --bind \(spool.base)/load /proc/loadavg && exec \"$@\"", "sh"])
        var number = 0
        var minute = 0
        var waiting: [Substring] = []
        var minutes: [String] = []
        // Both must have begun in the same minute, and be looked at in it: in the next one the other begins.
        repeat {
            minute = time(nil) / 60
            number += 2
            for _ in 0..<2 { #expect(try shell(spool, "batch", input: "echo ran").code == 0) }
            for name in ["at-\(number - 1)", "at-\(number)"] {
                try spool.wait(for: "the first try of \(name)") {
                    let isWaiting = try Files.list("\(spool.path)/new").contains {
                        $0.contains("-\(name)-") && Files.exists("\(spool.path)/new/\($0)/stdout")
                    }
                    let ended = try spool.journal().filter { $0.kind == "ended" }
                    return isWaiting || ended.contains { $0.fields["id"]?.contains("-\(name)-") == true }
                }
            }
            waiting = try shell(spool, "atq").output.split(separator: "\n").map { $0.prefix { $0 != "\t" } }
            minutes = try Files.list("\(spool.path)/state/at-batch")
            if time(nil) / 60 == minute { break }
            // They would be tried again in a minute, which may be that of the next ones.
            for name in waiting { _ = try shell(spool, "atrm \(name)") }
            try Files.removeTree("\(spool.path)/state/at-batch")
        } while true
        #expect(waiting.contains("\(number)") != waiting.contains("\(number - 1)"), "\(waiting)")
        #expect(minutes == ["\(minute)"])
        // In another minute one begins.
        try Files.rename("\(spool.path)/state/at-batch/\(minute)", "\(spool.path)/state/at-batch/\(minute - 1)")
        #expect(try shell(spool, "batch", input: "echo ran").code == 0)
        let job = try spool.end(of: "at-\(number + 1)")
        #expect(try job.outcome == "done 0" && job.stdout == "ran\n")
        #expect(try Files.list("\(spool.path)/state/at-batch").count == 1 && spool.ctl("check").code == 0)
    }

    @Test(
        "C6: a number is given once, whatever has become of the file with the last one, and no number of a job that waits",
        .enabled(if: mayUse, "needs root, whom no at.deny keeps out"))
    func numbers() throws {
        let spool = try make(starting: false)
        func at(_ limit: String = "true") throws -> String {
            let text = try shell(spool, "{ \(limit); at 18:05 2099-12-31; } 2>&1 | cat", input: "true").output
            return text.split(separator: "\n").first { $0.hasPrefix("job ") }.map { String($0.split(separator: " ")[1]) } ?? text
        }
        let file = "\(spool.path)/state/at-number"
        #expect(try at() == "1" && at() == "2")
        for (text, number) in [("", "3"), ("0", "4"), ("x", "5"), ("99999999\n", "6"), ("1\n", "7"), ("1000000\n", "8"), ("12\n", "13")] {
            try Files.write(file, text)
            #expect(try at() == number, "after \(text)")
        }
        // A call that may not write leaves the number as it was.
        let before = try Files.text(file)
        #expect(try at("ulimit -f 0").contains("File too large"))
        #expect(try Files.text(file) == before && at() == "14")
    }

    @Test("C6: nothing in the commands of a batch job reaches beyond them", .enabled(if: mayUse && Commands.has("unshare"), "needs root"))
    func wrapped() throws {
        let spool = try make(starting: false)
        try Files.write("\(spool.base)/load", "0.00 0.00 0.00 1/1 1\n")
        try spool.launch(
            tracer: ["/usr/bin/unshare", "-m", "--propagation", "private", "/bin/sh", "-c",
                "mount --bind \(spool.base)/load /proc/loadavg && exec \"$@\"", "sh"])
        let rows = [
            ("cat <<X\nopen", "open\n\n", 0), ("echo a\ncat <<END-OF-BATCH\nEND-OF-BATCH\necho b", "a\nb\n", 0),
            ("exec 2>/dev/null\neval 'echo ) ; code=0; exit 75'", "", 2),
            ("exec sh -c 'echo in; exit 75'", "in\n", 1), ("cat; echo end >&1", "end\n", 0),
            ("trap 'echo last' EXIT; exit 75", "last\n", 1),
            ("ls /dev/fd/3 2>/dev/null || echo closed", "closed\n", 0),
        ]
        for (index, (commands, output, code)) in rows.enumerated() {
            // One begins in each minute.
            if index > 0 { try Files.removeTree("\(spool.path)/state/at-batch") }
            #expect(try shell(spool, "batch", input: commands).code == 0)
            let job = try spool.end(of: "at-\(index + 1)")
            let text = try job.stdout
            #expect(text == output && job.integer("exit_code") == code && job.integer("try") == 1, "\(commands): \(text)")
        }
        try Files.write("\(spool.base)/load", "9.00 9.00 9.00 1/1 1\n")
        for (index, (commands, _, _)) in rows.enumerated() {
            #expect(try shell(spool, "batch", input: commands).code == 0)
            // The job is between two places while its first try begins.
            try spool.wait(for: "the script of \(commands)") {
                try shell(spool, "at -c \(rows.count + index + 1)").output.hasSuffix("}\n\(commands)\n")
            }
        }
    }

    @Test(
        "C6: at mails output as atd does, whole and in its order; -m mails without output too, -M never",
        .enabled(if: mayUse, "needs root, whom no at.deny keeps out"))
    func mails() throws {
        let spool = try make(starting: false)
        try Files.write("\(spool.base)/sendmail", "#!/bin/sh\ncat > \(spool.out)/$SPOOL_NAME\n", mode: 0o755)
        try Files.write(spool.configuration, "mail_command = [\"\(spool.base)/sendmail\"]\n")
        try spool.start()
        for (line, input) in [
            ("at now", "echo one; echo two >&2; echo three; exit 1"), ("at -m now", "true"), ("at -M now", "echo x"), ("at now", "exit 1"),
            ("at -u daemon -m now", "echo x"),
        ] { #expect(try shell(spool, line, input: input).code == 0) }
        for (number, text) in [
            (1, "Subject: Output from your job        1\nTo: root\n\none\ntwo\nthree\n"),
            (2, "Subject: Output from your job        2\nTo: root\n\n"), (5, "Subject: Output from your job        5\nTo: daemon\n\nx\n"),
        ] {
            #expect(try spool.end(of: "at-\(number).mail").outcome == "done 0")
            #expect(try Files.text("\(spool.out)/at-\(number).mail") == text)
        }
        _ = try (spool.end(of: "at-3"), spool.end(of: "at-4"))
        #expect(try !spool.journal().contains { ["at-3.mail", "at-4.mail"].contains($0.fields["name"]) })
    }

    @Test(
        "C6: at's commands are what Ansible's at module calls and reads", .enabled(if: mayUse, "needs root, whom no at.deny keeps out"))
    func ansible() throws {
        let spool = try make()
        try Files.write("\(spool.out)/script", "ls -d / > /dev/null\n")
        // ansible.posix's at.py: add_job, get_matching_jobs, delete_job.
        #expect(try shell(spool, "at -f script now + 20 days").code == 0)
        let ids = try shell(spool, "atq").output.split(separator: "\n").compactMap { $0.split(separator: "\t").first.map(String.init) }
        #expect(ids == ["1"])
        let script = try Files.text("\(spool.out)/script").split(separator: "\n")[0]
        #expect(try shell(spool, "at -c 1").output.contains(script))
        #expect(try shell(spool, "at -r 1").code == 0 && shell(spool, "atq").output.isEmpty)
    }

    @Test(
        "C6: users have their own jobs and numbers; root sees all and names one by its user",
        .enabled(if: CronMachine.isHere, CronMachine.reason))
    func users() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let machine = try CronMachine(names: ["at"])
        let environment = ["SPOOL_DIR=\(spool.path)"]
        func run(_ line: String, as user: TestUser?) throws -> Commands.Result {
            try machine.run(line, as: user, input: "id -un\n", environment: environment)
        }
        for user in [nil, TestUser.games, .daemon] as [TestUser?] {
            let queued = try run("at 18:05 2099-12-31", as: user)
            #expect(queued.code == 0 && queued.error.contains("job 1 at "), "\(queued.error)")
        }
        #expect(try run("at now", as: .games).code == 0)
        let ctl = "\(SpoolUnderTest.programs)/spoolctl"
        let ran = try run("\(ctl) wait at-2; at -c 2 || \(ctl) logs at-2", as: .games)
        #expect(ran.output == "games\n", "\(ran.output)\(ran.error)")
        #expect(try run("atq", as: .games).output == "1\tThu Dec 31 18:05:00 2099 a games\n")
        // root's own job has the number alone, and so has the only one.
        let date = "\tThu Dec 31 18:05:00 2099 a"
        #expect(try run("atq", as: nil).output == "daemon/1\(date) daemon\ngames/1\(date) games\n1\(date) root\n")
        #expect(try run("at -c 1 games/1 | grep uid=", as: nil).output == "# atrun uid=0 gid=0\n# atrun uid=5 gid=60\n")
        // A new job of root gets a number that nobody has.
        #expect(try run("at 18:05 2099-12-31", as: nil).error.contains("job 2 at ") && run("atrm 2", as: nil).code == 0)
        #expect(try run("atrm 1; atrm 1", as: nil).error == "1 is a job of several users: daemon/1, games/1\n")
        #expect(try run("atq 1", as: nil).output == "daemon/1\(date) daemon\ngames/1\(date) games\n")
        #expect(try run("atq games/1", as: nil).output == "games/1\(date) games\n")
        #expect(try run("atrm games/1; atq", as: nil).output == "1\(date) daemon\n")
        #expect(try run("atrm 1", as: .games).error == "Cannot find jobid 1\n")
        try Files.write("\(machine.base)/etc/at.deny", "games")
        #expect(try run("atq", as: .games).error == "You do not have permission to use atq.\n")
        try Files.write("\(machine.base)/etc/at.allow", "daemon\ngames\n")
        #expect(try run("atq", as: .games).code == 0)
    }
}

/// at(1) and Debian's at are called with the same arguments, one after the other on machines of their own.
@Suite("at beside Debian's", .ownThreads)
struct AtTranscriptTests {
    static let calls: [String] = [
        "atq", "at -l", "at 18:05 2099-12-31", "atq", "at -q z 10:15 31.12.2098", "at -q b teatime Dec 31 2098",
        "at -t 209901010000", "at -t 9901010000", "at -t 01010000 -v", "at -t 209913010000", "at -t x", "at -t 209901010000 now",
        "at -v 1015 122398",
        "at -v midnight Jan 5 2098", "at noon utc Jan 5 2098", "atq | sort -n", "at -l 2 3", "atq -q z", "atq -q z 1", "atq x",
        "atq 99", "atq -o %F | sort",
        "at -c 1", "at -c 1 2", "at -c 99", "at -c", "atrm", "atrm 99", "atrm x", "atrm 1 99 2", "atq | sort -n", "at -r 3",
        "at -d 4", "atrm 5 5", "at", "at -q 1 now", "at -q ab now", "at -x", "at -h", "atq -h", "atrm -h", "batch x", "at now - 1 hour",
        "at 10:00 2020-01-01",
        "at now + 3 days", "at -m now + 1 week", "at -M tomorrow", "at -u daemon noon tomorrow",
        "at 4pm + 3 days", "at next week", "at next monday", "at 23:59 sun", "at 10am Jul 31", "at now + 2 months", "at now + 1 year",
        "at 0815 + 1 minute", "echo x > t; at -f t 11:00 2099-12-31; atq | sort -n | tail -1 | cut -f2", "at -c 1 | head -1", "batch",
        "at -q B now + 1 day",
        "at -f /nonexistent now + 1 hour", "echo games > /etc/at.deny", "atq", "at now",
    ]

    /// What differs by the machine: the directory of the test, and what is said about the daemon.
    private func settled(_ text: String, _ machine: CronMachine) -> String {
        let name = String(machine.base.split(separator: "/").last ?? "")
        let quoted = name.map { $0.isLetter || $0.isNumber ? "\($0)" : "\\\($0)" }.joined()
        return text.replacing(name, with: "BASE").replacing(quoted, with: "BASE").split(separator: "\n", omittingEmptySubsequences: false)
            .filter { !$0.hasPrefix("Warning: at daemon not running") && !$0.hasPrefix("Can't open /run/atd.pid") }.joined(separator: "\n")
    }

    @Test(
        "C6: the answers of at, atq, atrm and batch are those of Debian's at",
        .enabled(if: CronMachine.isHere && Commands.has("at"), "needs root, unshare, and Debian's cron and at"))
    func transcript() throws {
        let (theirs, ours) = (try CronMachine(.debians), try CronMachine(names: ["at"]))
        for call in Self.calls {
            let user: TestUser? = call.contains("/etc/") ? nil : .games
            func run(_ machine: CronMachine) throws -> Commands.Result {
                try machine.run(call, as: user, input: "echo hi\n", environment: ["SPOOL_DIR=\(machine.base)/home/spool"])
            }
            // A time that counts from now is compared within one minute.
            var (expected, got): (Commands.Result, Commands.Result)
            repeat {
                let minute = time(nil) / 60
                (expected, got) = (try run(theirs), try run(ours))
                if time(nil) / 60 == minute { break }
            } while true
            let same = got.code == expected.code && settled(got.output, ours) == settled(expected.output, theirs)
                && settled(got.error, ours) == settled(expected.error, theirs)
            #expect(
                same,
                """
                \(call)
                Debian's: \(expected.code)\n\(expected.output.prefix(900))\(expected.error)
                ours: \(got.code)\n\(got.output.prefix(900))\(got.error)
                """)
        }
    }
}
