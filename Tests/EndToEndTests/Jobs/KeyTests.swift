// Each key of a job, by its effect.

import Documents
import Glibc
import Linux
import Testing

@Suite("The keys of a job", .ownThreads)
struct KeyTests {
    // MARK: Commands

    static let printing: [(what: String, text: String, output: String)] = [
        ("an argv goes to the program as it is", #"command = ["printf", "[%s]", "a b", "$HOME", "*", ""]"#, "[a b][$HOME][*][]"),
        ("a string goes to the shell", #"command = "for x in a b; do printf $x; done | tr ab AB""#, "AB"),
        ("shell names another shell", "shell = \"/bin/bash\"\ncommand = 'a=(1 2 3); echo ${#a[@]}'", "3\n"),
        ("shell may have options", "shell = [\"/bin/sh\", \"-e\", \"-c\"]\ncommand = \"true; echo on; false || echo off\"", "on\noff\n"),
        ("a script without #! goes to the shell", "script = '''\nread=1\necho \"script $read\"\n'''", "script 1\n"),
        ("a script with #! names its interpreter", "script = '''\n#!/usr/bin/env -S sed -n 2p\nsecond line\n'''", "second line\n"),
        (
            "a payload is JSON on standard input", "command = [\"cat\"]\npayload = {b = [1, 2.5, true], a = \"ü\"}",
            #"{"b":[1,2.5,true],"a":"ü"}"#),
        (
            "a payload's numbers are the digits that were sent, however many",
            """
            command = [\"cat\"]\npayload = [123456789012345678901234567890, 0.1000000000000000055511151231257827, 1e400, 1.10, \
            18446744073709551616]
            """,
            "[123456789012345678901234567890,0.1000000000000000055511151231257827,1e400,1.10,18446744073709551616]"
        ),
        ("and the same is at $SPOOL_PAYLOAD", "command = 'cat \"$SPOOL_PAYLOAD\"'\npayload = \"text\"", #""text""#),
        ("without payload, standard input is empty", "command = 'cat; printf \"<%s>\" \"$SPOOL_PAYLOAD\"'", "<>"),
        ("env sets variables", "command = 'printf \"$A-$B-$C\"'\nenv = {A = \"x y\", B = 3, C = true}", "x y-3-true"),
        ("env goes over what is always set", "command = 'printf \"$LANG\"'\nenv = {LANG = \"de_DE.UTF-8\"}", "de_DE.UTF-8"),
        ("umask in octal text", "command = \"umask\"\numask = \"027\"", "0027\n"),
        ("umask as TOML's octal", "command = \"umask\"\numask = 0o077", "0077\n"),
        ("umask is 022 when nothing is said", "command = \"umask\"", "0022\n"),
        ("directory is where it runs", "command = \"pwd\"\ndirectory = \"/usr/bin\"", "/usr/bin\n"),
        (
            "SPOOL_NAME, _TRY, _TRIES, _TAGS",
            "command = 'echo $SPOOL_NAME $SPOOL_TRY $SPOOL_TRIES $SPOOL_TAGS'\ntags = [\"a\", \"b\"]\ntries = 3", "job 1 3 a,b\n"),
        ("the job leads its own session", "command = 'cut -d\" \" -f1,5,6 /proc/$$/stat | tr \" \" \"\\n\" | uniq | wc -l'", "1\n"),
("descriptors 0, 1 and 2 only, and here the one that ls reads with", "command = [\"ls\", \"/proc/self/fd\"]", "0\n1\n2\n3\n"),
    ]

    @Test("Keys, and the output of a command with them", arguments: printing)
    func prints(_ row: (what: String, text: String, output: String)) throws {
        let job = try SpoolUnderTest().run(row.text)
        #expect(job.outcome == "done 0", "\(row.what): \(job.error)")
        #expect(try job.stdout == row.output, "\(row.what)")
        #expect(try job.stderr == "")
    }

    @Test("Standard output and standard error are kept apart, whatever bytes they are")
    func outputs() throws {
        let job = try SpoolUnderTest().run(#"command = "printf 'out\\377\\000'; printf 'err' >&2""#)
        #expect(try Files.bytes("\(job.directory)/stdout") == Array("out".utf8) + [0xFF, 0])
        #expect(try job.stderr == "err")
    }

    @Test("stdin names a file to read, and directory one to be in; relative paths and ~ are the user's home")
    func files() throws {
        let spool = try SpoolUnderTest()
        try Files.write("\(spool.base)/input", "from a file\n")
        let job = try spool.run("command = [\"cat\"]\nstdin = \"\(spool.base)/input\"", as: "reads")
        #expect(try job.stdout == "from a file\n")
        let home = try spool.run("command = 'test \"$(pwd -P)\" = \"$(cd \"$HOME\"; pwd -P)\"'", as: "at-home")
        #expect(home.outcome == "done 0")
    }

    @Test("env_file's lines are set before env, and the file is read when the job starts")
    func environmentFile() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let gate = try spool.gate()
        try spool.drop("first.toml", "command = 'read x < \(gate.path)'")
        _ = try spool.running("first")
        try Files.write("\(spool.base)/vars", "A=old\n")
        try spool.drop("job.toml", "command = 'printf \"$A|$B|$C|$D\"'\nenv_file = \"\(spool.base)/vars\"\nenv = {D = \"env\"}")
        try Files.write("\(spool.base)/vars", "# comment\n\n; another\nA=new\nexport B=\"in quotes\"\nC='x=y'\nD=file\n")
        try gate.release()
        #expect(try spool.end(of: "job").stdout == "new|in quotes|x=y|env")
    }

    @Test("P5: Attack 36: the environment is exactly what the manual says, and nothing of the daemon's")
    func environment() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.start(environment: ["LEAKED=1", "LD_PRELOAD_NOT=1", "IFS=x"])
        let job = try spool.run("command = [\"env\", \"-0\"]\nenv = {OWN = \"1\"}")
        var values: [String: String] = [:]
        for variable in try job.stdout.split(separator: "\0") {
            let parts = variable.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            values[String(parts[0])] = String(parts[1])
        }
        let names = [
            "HOME", "LANG", "LOGNAME", "OWN", "PATH", "SHELL", "SPOOL_DELAY_MS", "SPOOL_DIR", "SPOOL_DUE", "SPOOL_JOB_DIR",
            "SPOOL_JOB_ID", "SPOOL_NAME", "SPOOL_PATH", "SPOOL_PAYLOAD", "SPOOL_RESULT", "SPOOL_SCHEDULE", "SPOOL_TAGS",
            "SPOOL_TASK", "SPOOL_TRIES", "SPOOL_TRY", "USER",
        ]
        #expect(values.keys.sorted() == names)
        #expect(values["SPOOL_DIR"] == spool.path)
        #expect(values["SPOOL_JOB_ID"] == job.id)
        #expect(values["SPOOL_JOB_DIR"] == "\(spool.path)/running/\(job.id)")
        #expect(values["SPOOL_RESULT"] == "\(spool.path)/running/\(job.id)/result")
        #expect(values["SPOOL_DUE"] == job.due)
        #expect(values["SPOOL_DELAY_MS"].flatMap { Int($0) } ?? -1 >= 0)
        #expect(values["USER"] == values["LOGNAME"] && values["USER"]?.isEmpty == false)
        #expect(values["HOME"]?.hasPrefix("/") == true && values["SHELL"]?.hasPrefix("/") == true)
        #expect(values["SPOOL_TASK"] == "" && values["SPOOL_SCHEDULE"] == "" && values["SPOOL_TRY"] == "1")
    }

    @Test("A job may name a task, whose keys are its defaults")
    func task() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask(
            "greet", "command = 'echo $GREETING $SPOOL_TASK; cat'\nenv = {GREETING = \"hello\"}\npayload = 1\npriority = 5\ntags = [\"t\"]")
        try spool.drop("any.toml", "task = \"greet\"\npayload = {n = 2}")
        let job = try spool.end(of: "any")
        #expect(try job.stdout == "hello greet\n{\"n\":2}")
        #expect(job.string("task") == "greet" && job.string("name") == "greet")
        #expect(job.integer("priority") == 5)
        try spool.drop("none.toml", "task = \"gret\"")
        let none = try spool.end(of: "none")
        #expect(none.outcome == "failed rejected")
        #expect(none.error.contains("none.toml:1:8: there is no task \"gret\""))
    }

    @Test("U14: a script carries its keys in #SPOOL lines and runs with its own interpreter")
    func script() throws {
        let spool = try SpoolUnderTest()
        let text = """
            #!/bin/bash
            # An ordinary comment.
            #SPOOL description = "counts"
            #SPOOL tags = ["x", "y"]
            #SPOOL success = [7]

            #SPOOL env = {N = "3"}
            echo "$N ${#BASH_VERSION}" | cut -d' ' -f1
            #SPOOL tries = "not a key any more"
            exit 7
            """
        try spool.drop("count.sh", text, mode: 0o755)
        let job = try spool.ended(count: 1)[0]
        #expect(job.outcome == "done 7", "\(job.error)")
        #expect(try job.stdout == "3\n")
        guard case .array(let tags)? = job.status["tags"]?.kind else { return #expect(Bool(false), "no tags") }
        #expect(tags.count == 2)
    }

    // MARK: status.json

    @Test("status.json has every key, of jobs that wait, run and have ended")
    func statusFile() throws {
        let keys = [
            "id", "name", "task", "schedule", "state", "reason", "error", "try", "tries", "priority", "queue", "tags",
            "payload", "due", "created_at", "scheduled_at", "started_at", "ended_at", "changed_at", "not_before",
            "deadline", "exit_code", "signal", "progress", "result", "usage", "delay_ms", "pid", "host",
        ]
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop("job.toml", "command = 'read x < \(gate.path)'\npayload = [1]\nqueue = \"q\"\ndescription = \"d\"\ntimeout = \"1h\"")
        let running = try spool.running("job")
        #expect(running.string("state") == "running")
        #expect(keys.filter { running.status[$0] == nil } == [])
        #expect(!running.isNull("started_at") && running.isNull("ended_at") && running.isNull("exit_code"))
        try gate.release()
        let job = try spool.end(of: "job")
        #expect(keys.filter { job.status[$0] == nil } == [])
        #expect(job.string("id") == job.id && job.string("state") == "done" && job.string("queue") == "q")
        #expect(job.exitCode == 0 && job.isNull("signal") && job.isNull("reason") && job.isNull("error"))
        for instant in ["due", "created_at", "started_at", "ended_at", "changed_at"] {
            let text = job.string(instant) ?? ""
            #expect(text.utf8.count == 24 && text.hasSuffix("Z"), "\(instant) is RFC 3339 in UTC with milliseconds")
        }
        guard case .table(let usage)? = job.status["usage"]?.kind else { return #expect(Bool(false), "no usage") }
        #expect(["wall_s", "user_s", "sys_s", "max_rss_bytes"].filter { usage[$0] == nil } == [])
    }

    // MARK: Order

    @Test("With one slot, the higher priority is first, then the earlier job, and never two run at once")
    func priority() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let gate = try spool.gate()
        try spool.drop("first.toml", "command = 'read x < \(gate.path)'")
        _ = try spool.running("first")
        for (name, priority) in [("a", 0), ("b", -1000), ("c", 1000), ("d", 0), ("e", 7)] {
            let seen = spool.logLength
            try spool.drop("\(name).toml", "command = 'echo \(name) >> \(spool.out)/order'\npriority = \(priority)")
            try spool.logLine("event=accepted", "file=\(name).toml", after: seen)
        }
        try gate.release()
        try spool.ended(count: 6)
        #expect(try spool.linesNow("order") == ["c", "e", "a", "d", "b"])
    }

    @Test("A5: a full queue never holds back another queue's jobs, whatever their priority")
    func queues() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 4\n[queues.slow]\nslots = 1")
        let gate = try spool.gate()
        for index in 0..<3 {
            try spool.drop(
                "slow-\(index).toml", "command = 'echo x >> \(spool.out)/began; read x < \(gate.path)'\nqueue = \"slow\"\npriority = 100")
        }
        try spool.lines("began", count: 1)
        #expect(try spool.runsOn())
        #expect(try spool.linesNow("began").count == 1)
        try gate.release(3)
        try spool.ended(count: 4)
        #expect(try spool.linesNow("began").count == 3)
    }

    // MARK: Time

    @Test("A job does not start before its start, and starts then as soon as a slot is free")
    func start() throws {
        let spool = try SpoolUnderTest()
        try spool.drop("later.toml", "command = [\"true\"]\nstart = \"in 1 s\"")
        try spool.drop("never.toml", "command = [\"true\"]\nstart = 2099-12-31T23:59:59Z")
        try spool.drop("past.toml", "command = [\"true\"]\nstart = \"2020-01-01 18:00\"")
        #expect(try spool.end(of: "past").outcome == "done 0")
        let later = try spool.end(of: "later")
        #expect(later.outcome == "done 0")
        let (due, started) = (later.string("scheduled_at") ?? "", later.string("started_at") ?? "")
        #expect(later.string("created_at") ?? "z" < due, "its start is after its coming")
        #expect(due <= started, "never early")
        #expect(try Files.list("\(spool.path)/new") == ["never.toml"])
    }

    @Test("A6: a job that has not started by its deadline fails with that reason and never runs")
    func deadline() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let gate = try spool.gate()
        try spool.drop("first.toml", "command = 'read x < \(gate.path)'")
        _ = try spool.running("first")
        try spool.drop("late.toml", "command = 'touch \(spool.out)/ran'\ndeadline = \"300ms\"")
        try spool.drop("past.toml", "command = 'touch \(spool.out)/ran'\ndeadline = \"2020-01-01T00:00:00Z\"")
        try spool.drop("patient.toml", "command = [\"true\"]\ndeadline = \"1h\"")
        for name in ["late", "past"] {
            let job = try spool.end(of: name)
            #expect(job.outcome == "failed deadline")
            #expect(job.error.contains("deadline") && job.attempt == 0 && job.isNull("started_at"))
        }
        try gate.release()
        #expect(try spool.end(of: "patient").outcome == "done 0")
        #expect(!Files.exists("\(spool.out)/ran"))
    }

    // MARK: Ending

    static let endings: [(text: String, outcome: String)] = [
        ("command = \"exit 0\"", "done 0"),
        ("command = \"exit 1\"", "failed exit 1"),
        ("command = \"exit 255\"", "failed exit 255"),
        ("command = \"exit 3\"\nsuccess = [0, 3]", "done 3"),
        ("command = \"exit 0\"\nsuccess = [3]", "failed exit 0"),
        ("command = 'kill -KILL $$'", "failed signal"),
        ("command = 'kill -USR1 $$'\nsuccess = [10, 138]", "failed signal"),
        ("command = [\"no-such-program-anywhere\"]", "failed spawn 127"),
        ("command = [\"/no/such/program\"]", "failed spawn 127"),
        ("command = [\"/etc/passwd\"]", "failed spawn 126"),
        ("command = [\"/etc\"]", "failed spawn 126"),
        ("command = \"no-such-program-anywhere\"", "failed exit 127"),
        ("command = [\"true\"]\ndirectory = \"/no/such/directory\"", "failed spawn"),
        ("command = [\"true\"]\ndirectory = \"/etc/passwd\"", "failed spawn"),
        ("command = [\"true\"]\nstdin = \"/no/such/input\"", "failed spawn"),
        ("command = [\"true\"]\nenv_file = \"/no/such/file\"", "failed spawn"),
        ("shell = \"/no/such/shell\"\ncommand = \"true\"", "failed spawn 127"),
        ("script = \"#!/no/such/interpreter\\n\"", "failed spawn 127"),
    ]

    @Test("How a job ends follows from its command's end", arguments: endings)
    func ends(_ row: (text: String, outcome: String)) throws {
        let spool = try SpoolUnderTest()
        let job = try spool.run(row.text)
        #expect(job.outcome == row.outcome, "\(job.error)")
        #expect(job.place == "done" ? job.isNull("error") : !job.error.isEmpty, "every failure says why")
        if job.reason == "spawn" {
            let named = ["no-such-program-anywhere", "/no/such/", "/etc", "interpreter"].filter { job.error.contains($0) }
            #expect(!named.isEmpty, "the error names what is missing: \(job.error)")
        }
        #expect(try spool.runsOn())
    }

    @Test("A signal that ends a job is in its status by number and in its error by name")
    func signal() throws {
        let job = try SpoolUnderTest().run("command = 'kill -USR1 $$'")
        #expect(job.integer("signal") == Int(SIGUSR1) && job.isNull("exit_code"))
        #expect(job.error.contains("SIGUSR1"))
    }

    @Test("E6: after its timeout a job gets its stop signal, here one that it turns into an exit code")
    func timeout() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let job = try withEnoughSeconds { seconds in
            let name = "within-\(seconds)"
            let job = try spool.run(
                """
                command = '\(gate.waiting(trap: "HUP", "echo told; exit 9", ready: "echo > \(spool.out)/\(name)", endsAll: true))'
                timeout = "\(seconds)s"
                stop_signal = "HUP"
                kill_after = "1h"
                """, as: name)
            // The signal has ended a shell that had not set its trap yet.
            return job.reason == "timeout" && job.exitCode == nil && !Files.exists("\(spool.out)/\(name)") ? nil : job
        }
        #expect(job.outcome == "failed timeout 9")
        #expect(try job.stdout == "told\n")
    }

    @Test("E6: Attacks 61, 65: a job that ignores its stop signal is killed after kill_after, with everything it started")
    func killed() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        // The second child leaves the group and the session, but the job started it.
        let job = try withEnoughSeconds { seconds in
            for name in ["child", "stray", "begun"] where Files.exists("\(spool.out)/\(name)") { try Files.remove("\(spool.out)/\(name)") }
            let job = try spool.run(
                """
                command = '''
                trap "" TERM
                sh -c 'echo $$ > \(spool.out)/child; read x < \(gate.path)' &
                setsid sh -c 'echo $$ > \(spool.out)/stray; read x < \(gate.path)' &
                while [ ! -s \(spool.out)/child ] || [ ! -s \(spool.out)/stray ]; do :; done
                echo > \(spool.out)/begun
                while :; do read x < \(gate.path); done
                '''
                timeout = "\(seconds)s"
                kill_after = "200ms"
                """, as: "within-\(seconds)")
            return job.reason == "timeout" && !Files.exists("\(spool.out)/begun") ? nil : job
        }
        #expect(job.outcome == "failed timeout")
        #expect(job.integer("signal") == Int(SIGKILL))
        for name in ["child", "stray"] {
            let pid = try #require(pid_t(try spool.output(name).split(separator: "\n")[0]))
            try Processes.awaitEnd(of: pid)
        }
        #expect(Processes.jobs(ofSpool: spool.path) == [])
    }

    @Test("Attack 62: leftover processes stay, or are killed with leftovers = \"kill\"; they do not delay the job's end")
    func leftovers() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let command = """
            command = 'sh -c \"echo \\$\\$ > \(spool.out)/NAME; read x < \(gate.path)\" & while [ ! -s \(spool.out)/NAME ]; do :; done'\n
            """
        let left = try spool.run(command.replacing("NAME", with: "left"), as: "leaves")
        #expect(left.outcome == "done 0")
        let pid = try #require(pid_t(try spool.output("left").split(separator: "\n")[0]))
        #expect(Processes.isAlive(pid))
        let killed = try spool.run(command.replacing("NAME", with: "killed") + "leftovers = \"kill\"", as: "cleans")
        #expect(killed.outcome == "done 0")
        let other = try #require(pid_t(try spool.output("killed").split(separator: "\n")[0]))
        try Processes.awaitEnd(of: other)
        #expect(Processes.isAlive(pid), "another job's leftover is not touched")
    }

    // MARK: Trying again

    @Test("A7: a job is tried as often as it may be, and the output of each try is kept")
    func tries() throws {
        let spool = try SpoolUnderTest()
        let job = try spool.run(
            "command = 'echo out $SPOOL_TRY; echo err $SPOOL_TRY >&2; test $SPOOL_TRY = 3'\ntries = 5\nbackoff = \"1ms\"")
        #expect(job.outcome == "done 0")
        #expect(job.attempt == 3 && job.integer("tries") == 5)
        for (file, text) in [
            ("stdout.1", "out 1\n"), ("stdout.2", "out 2\n"), ("stdout", "out 3\n"), ("stderr.1", "err 1\n"), ("stderr.2", "err 2\n"),
            ("stderr", "err 3\n"),
        ]
        {
            #expect(try job.text(file) == text, "\(file)")
        }
        #expect(try !job.files.contains("stdout.3"))
    }

    @Test("P12: between two tries a job waits in new/, as a directory whose status has the time of the next try")
    func backoff() throws {
        let spool = try SpoolUnderTest()
        try spool.drop("job.toml", "command = \"exit 4\"\ntries = 2\nbackoff = \"1h\"")
        let waiting = try spool.wait(for: "the second try to wait") { try spool.jobs(in: "new", named: "job").first }
        #expect(waiting.string("state") == "new" && waiting.attempt == 1 && waiting.exitCode == 4)
        #expect(waiting.string("not_before") ?? "" > waiting.string("ended_at") ?? "z")
        #expect(try spool.runsOn())
    }

    static let retries: [(what: String, text: String, outcome: String, attempts: Int)] = [
        ("any failure by default", "command = \"exit 4\"\ntries = 3", "failed exit 4", 3),
        ("a code that is named", "command = \"exit 4\"\ntries = 3\nretry_on = [4, \"signal\"]", "failed exit 4", 3),
        ("a code that is not", "command = \"exit 5\"\ntries = 3\nretry_on = [4, \"signal\"]", "failed exit 5", 1),
        ("a signal that is named", "command = 'kill $$'\ntries = 2\nretry_on = [4, \"signal\"]", "failed signal", 2),
        ("a signal that is not", "command = 'kill $$'\ntries = 2\nretry_on = [\"timeout\"]", "failed signal", 1),
        (
            "a timeout that is named", "command = [\"sleep\", \"1000\"]\ntimeout = \"20ms\"\ntries = 2\nretry_on = [\"timeout\"]",
            "failed timeout", 2),
        ("a timeout that is not", "command = [\"sleep\", \"1000\"]\ntimeout = \"20ms\"\ntries = 2\nretry_on = [1]", "failed timeout", 1),
        ("success needs no other", "command = [\"true\"]\ntries = 3", "done 0", 1),
        ("a factor and a maximum", "command = \"exit 1\"\ntries = 4", "failed exit 1", 4),
    ]

    @Test("P12: retry_on decides which failures lead to another try", arguments: retries)
    func retryOn(_ row: (what: String, text: String, outcome: String, attempts: Int)) throws {
        let backoff = "\nbackoff = {initial = \"1ms\", factor = 2, max = \"4ms\", jitter = 0.5}"
        let job = try SpoolUnderTest().run(row.text + backoff)
        #expect(job.outcome == row.outcome, "\(row.what)")
        #expect(job.attempt == row.attempts, "\(row.what)")
    }

    // MARK: Keeping records

    @Test("keep decides how long a record stays")
    func keep() throws {
        let spool = try SpoolUnderTest()
        try spool.drop("brief.toml", "command = [\"true\"]\nkeep = \"200ms\"")
        try spool.logLine("event=ended", "-brief-")
        let line = try spool.logLine("event=forgotten", "-brief-")
        #expect(try spool.ended("brief").isEmpty, "\(line)")
        #expect(try spool.run("command = [\"true\"]\nkeep = \"1h\"", as: "long").outcome == "done 0")
    }

    @Test("U8: keep = {count = 2} keeps the last two records of a task, and touches no others", arguments: [false, true])
    func keepCount(restarting: Bool) throws {
        let spool = try SpoolUnderTest()
        let other = try spool.run("command = [\"true\"]", as: "t")
        try spool.acceptedTask("t", "command = 'echo $SPOOL_NAME'\nkeep = {count = 2}\noverlap = \"queue\"")
        for index in 1...4 {
            if restarting, index == 4 { try spool.restart() }
            let seen = spool.logLength
            try spool.drop("t.toml", "task = \"t\"")
            try spool.logLine("event=ended", "-t-", after: seen)
        }
        #expect(try spool.runsOn())
        let kept = try spool.ended("t")
        #expect(kept.count == 3)
        #expect(kept.first?.id == other.id, "a job that is none of the task has its own stay")
        #expect(kept.filter { $0.string("task") == "t" }.count == 2)
    }
}
