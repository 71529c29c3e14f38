import CLinux
import Documents
import Glibc
import Linux
import Testing

/// Jobs in root's spool that name the user as whom they run.
@Suite(.enabled(if: geteuid() == 0, "only root's jobs run as another user")) struct UserTests {
    /// A user id and a group id without entries in any database.
    static let strangers = "user = 64101\ngroup = 64102\n"

    /// A spool that other users can reach. Their jobs can write into `out`.
    static func spool(starting: Bool = true) throws -> SpoolUnderTest {
        let spool = try SpoolUnderTest(starting: starting)
        for (path, mode) in [(spool.base, 0o711), (spool.out, 0o777)] as [(String, mode_t)] {
            guard chmod(path, mode) == 0 else { throw SystemError(call: "chmod", path: path, errno: errno) }
        }
        return spool
    }

    @Test("fsck finds nothing wrong with the record of a job that ran as another user, while it runs and when it has ended")
    func checked() throws {
        let spool = try Self.spool()
        let gate = try spool.gate()
        chmod(gate.path, 0o666)
        #expect(try spool.run("command = 'true'\n\(Self.strangers)", as: "ended").outcome == "done 0")
        try spool.drop("held.toml", "command = 'read x < \(gate.path)'\n\(Self.strangers)")
        _ = try spool.onRecord("held")
        let served = try spool.ctl("fsck")
        #expect(served.code == 0 && served.output.isEmpty, "\(served)")
        try spool.crash()
        let repaired = try spool.ctl("fsck", "--repair")
        #expect(repaired.code == 0 && repaired.output.isEmpty, "\(repaired)")
        try spool.start()
        try gate.release()
        #expect(try spool.end(of: "held").outcome == "done 0")
    }

    @Test(
        "U3: Attacks 32, 34: a job of root's that names a user runs as that user alone, with no way back (CVE-2012-6097, CVE-2012-6110)",
        arguments: [
            "games", "nobody", "postgres",
        ]
    )
    func identity(name: String) throws {
        guard let user = try User.find(name: name) else { return }
        let spool = try Self.spool()
        let script = """
            command = '''
            id -u; id -g; id -G; umask; echo $HOME $USER $LOGNAME $SHELL; pwd -P
            grep -hE '^(CapInh|CapPrm|CapEff|CapAmb|NoNewPrivs)' /proc/self/status | tr -s '\\t\\n' '  '; echo
            for f in /proc/$$/fd/*; do echo -n "${f##*/} "; done; echo
            stat -c '%u %a' "$SPOOL_JOB_DIR"; (: >/etc/x) 2>&- || echo no root'''
            directory = "/"
            user = "\(name)"
            """
        let job = try spool.run(script)
        #expect(job.outcome == "done 0", "\(job.error)")
        #expect(try job.stderr == "")
        let lines = try job.stdout.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let none = ["Inh", "Prm", "Eff", "Amb"].map { "Cap\($0): 0000000000000000" }.joined(separator: " ")
        #expect(
            lines == [
                "\(user.id)", "\(user.group)", try user.groups(with: user.group).map(String.init).joined(separator: " "), "0022",
                "\(user.home) \(name) \(name) /bin/sh", "/", "\(none) NoNewPrivs: 0 ", 
                // Descriptor 3 is the directory /proc/PID/fd, which the shell reads.
                "0 1 2 3 ", "\(user.id) 700", "no root", "",
            ], "\(lines)")
        #expect(try Files.status(job.directory).owner == user.id)
        #expect(try Files.status(job.directory).mode == 0o700)
    }

    @Test("U3: Attack 38: a job starts in its user's home, as that user")
    func home() throws {
        let spool = try Self.spool()
        let job = try spool.run("command = \"pwd -P\"\nuser = \"games\"")
        let user = try #require(try User.find(name: "games"))
        if Files.exists(user.home) { #expect(try job.stdout == "\(user.home)\n") } else { #expect(try job.stdout == "/\n") }
        // root can enter this directory, but the user cannot.
        try Files.makeDirectory("\(spool.base)/private")
        let refused = try spool.run("command = \"true\"\nuser = \"games\"\ndirectory = \"\(spool.base)/private\"", as: "refused")
        #expect(refused.outcome == "failed spawn")
        #expect(refused.error == "directory \"\(spool.base)/private\": Permission denied")
    }

    @Test("U3: numbers without an entry in the database need a group, and have no others")
    func numbers() throws {
        let spool = try Self.spool()
        let job = try spool.run("command = \"id -u; id -g; id -G; echo $USER $HOME\"\n\(Self.strangers)")
        #expect(try job.stdout == "64101\n64102\n64102\n64101 /\n", "\(job.outcome) \(job.error)")
        let lacking = try spool.run("command = \"true\"\nuser = 64101", as: "lacking")
        #expect(lacking.outcome == "failed spawn")
        #expect(lacking.error.contains("set group, too"), "\(lacking.error)")
    }

    @Test("U3: group alone leaves the user as it is; a member's other groups stay", arguments: ["adm", "4"])
    func group(name: String) throws {
        let spool = try Self.spool()
        let job = try spool.run("command = \"id -u; id -g\"\ngroup = \"\(name)\"")
        #expect(try job.stdout == "0\n4\n", "\(job.error)")
        let both = try spool.run("command = \"id -u; id -g; id -G\"\nuser = \"games\"\ngroup = \"\(name)\"", as: "both")
        #expect(try both.stdout == "5\n4\n4\n", "\(both.error)")
    }

    @Test("U3: Attack 24: nobody becomes root, or somebody, by accident (CVE-2017-1000082)", arguments: [
        ("user = \"0day\"", "failed spawn", "user \"0day\": there is no such user"),
        ("user = \"no-such-user\"", "failed spawn", "user \"no-such-user\": there is no such user"),
        ("user = \"games\"\ngroup = \"no-such-group\"", "failed spawn", "group \"no-such-group\": there is no such group"),
        ("user = \"00\"", "failed rejected", "job.toml:1:8: user must be the name of a user or its number"),
        ("user = \"\"", "failed rejected", "job.toml:1:8: user must be the name of a user or its number"),
        ("user = -1", "failed rejected", "job.toml:1:8: user must be the name of a user or its number"),
        ("user = 4294967295", "failed rejected", "job.toml:1:8: user must be the name of a user or its number"),
        ("user = \"4294967296\"", "failed rejected", "job.toml:1:8: user must be the name of a user or its number"),
        ("group = [\"adm\"]", "failed rejected", "job.toml:1:9: group must be the name of a group or its number"),
    ])
    func accidents(keys: String, outcome: String, error: String) throws {
        let spool = try Self.spool()
        let job = try spool.run("\(keys)\ncommand = \"id >\(spool.out)/ran\"")
        #expect(job.outcome == outcome)
        #expect(job.error == error)
        #expect(try spool.linesNow("ran") == [])
    }

    @Test("U3: a job of root can name root, and runs as root", arguments: ["\"root\"", "\"0\"", "0"])
    func root(name: String) throws {
        let spool = try Self.spool()
        #expect(try spool.run("command = \"id -u; id -g\"\nuser = \(name)").stdout == "0\n0\n")
    }

    @Test("U3: a worker has the runs of one user alone, one after another")
    func workers() throws {
        let spool = try Self.spool()
        struct Worker: Hashable { var pid = "", endedAt = 0, reuses = 0 }
        var workers: [String: Worker] = [:]
        var pids: [String: Set<String>] = [:]
        var round = 0
        // A worker without a run ends after 10 seconds, so rounds of a slow machine that are longer show nothing.
        while workers.count < 3 || workers.values.contains(where: { $0.reuses < 2 }) {
            round += 1
            try #require(round < 100)
            for user in ["games", "nobody", "root"] {
                // The owner of a process's directory in /proc is root while the process cannot be traced.
                let job = try spool.run(
                    "command = 'echo $PPID; grep ^Uid: /proc/$PPID/status'\ndirectory = \"/\"\nuser = \"\(user)\"", as: "\(user)\(round)")
                let words = try job.stdout.split(whereSeparator: \.isWhitespace).map(String.init)
                try #require(words.count == 6, "\(job.error)")
                #expect(try uid_t(words[3]).flatMap { try User.find(id: $0) }?.name == user)
                pids[words[0], default: []].insert(user)
                let (started, ended) = try (spool.second(job.string("started_at") ?? ""), spool.second(job.string("ended_at") ?? ""))
                if let last = workers[user], started - last.endedAt < 9 {
                    #expect(words[0] == last.pid, "\(user) has another worker")
                    workers[user]?.reuses += 1
                }
                workers[user, default: Worker()].pid = words[0]
                workers[user]?.endedAt = ended
            }
        }
        #expect(pids.values.allSatisfy { $0.count == 1 }, "\(pids)")
    }

    @Test(
        "U3: Attack 39: a program that is setuid root works in a job", .enabled(if: Files.exists("/usr/bin/passwd"), "there is no passwd")
    )
    func setuid() throws {
        let spool = try Self.spool()
        // passwd reads /etc/shadow, which its caller cannot read.
        let job = try spool.run("command = \"cat /etc/shadow 2>/dev/null || passwd -S games\"\nuser = \"games\"\ndirectory = \"/\"")
        let text = try job.stdout
        #expect(text.hasPrefix("games L") || text.hasPrefix("games P"), "\(text)")
    }

    @Test("U3: Attack 40: its user can read the record and the output, and nobody else")
    func reading() throws {
        let spool = try Self.spool()
        let job = try spool.run("command = \"echo out; echo 7 >$SPOOL_RESULT\"\npayload = {a = 1}\nuser = \"games\"\ndirectory = \"/\"")
        #expect(job.outcome == "done 0", "\(job.error)")
        let files = ["status.json", "stdout", "stderr", "result", "payload", "environment", "job.toml"]
        for file in files {
            let path = "\(job.directory)/\(file)"
            #expect(try Self.run(as: "games", "cat", path).code == 0, "\(file)")
            #expect(try Self.run(as: "nobody", "cat", path).code != 0, "\(file)")
            #expect(try Files.status(path).owner == (file == "job.toml" ? 0 : 5), "\(file)")
        }
        #expect(try Self.run(as: "nobody", "ls", job.directory).code != 0)
        // Neither user can list the directories with other users' files.
        for directory in ["running", "done", "failed", "journal", "state", "patterns"] {
            #expect(try Self.run(as: "games", "ls", "\(spool.path)/\(directory)").code != 0, "\(directory)")
        }
        #expect(job.integer("result") == 7)
    }

    static func run(as user: String, _ command: String...) throws -> Commands.Result {
        try Commands.run("/usr/bin/setpriv", ["--reuid", user, "--regid", "nogroup", "--clear-groups"] + command)
    }

    @Test("U3: env_file and stdin are opened as the user")
    func files() throws {
        let spool = try Self.spool()
        try Files.write("\(spool.out)/vars", "A=file\nB='two words'\n")
        try Files.write("\(spool.out)/input", "hello\n")
        let keys = "user = \"games\"\ndirectory = \"/\"\n"
        let open = """
            command = 'echo $A $B $C; cat'\nenv = {A = \"own\", C = \"c\"}\nenv_file = \"\(spool.out)/vars\"\n\
            stdin = \"\(spool.out)/input\"\n
            """
        #expect(try spool.run(open + keys).stdout == "own two words c\nhello\n")
        try Files.write("\(spool.out)/secret", "A=1\n", mode: 0o600)
        let environment = try spool.run("command = \"true\"\nenv_file = \"\(spool.out)/secret\"\n\(keys)", as: "environment")
        #expect(environment.outcome == "failed spawn")
        #expect(environment.error == "env_file \"\(spool.out)/secret\": Permission denied")
        let input = try spool.run("command = \"true\"\nstdin = \"\(spool.out)/secret\"\n\(keys)", as: "input")
        #expect(input.error == "standard input \"\(spool.out)/secret\": Permission denied")
    }

    @Test("U3: scripts, dropped ones too, and later tries run as the named user")
    func scripts() throws {
        let spool = try Self.spool()
        let script = try spool.run(
            """
            script = \"#!/bin/sh\\nid -un; cat\"\npayload = [1]\ntries = 2\nbackoff = 0\nsuccess = [0]\nuser = \"games\"\ndirectory = \"/\"
            """)
        #expect(try script.stdout == "games\n[1]", "\(script.error)")
        try spool.drop("dropped", "#!/bin/sh\n#SPOOL user = \"games\"\n#SPOOL directory = \"/\"\nid -un\n", mode: 0o700)
        #expect(try spool.end(of: "dropped").stdout == "games\n")
        let tries = """
            command = \"echo $SPOOL_TRY; cat; [ $SPOOL_TRY = 3 ]\"\npayload = [1]\ntries = 3\nbackoff = 0\nuser = \"games\"\n\
            directory = \"/\"
            """
        let job = try spool.run(tries, as: "tries")
        #expect(job.outcome == "done 0", "\(job.error)")
        for (file, text) in [("stdout.1", "1\n[1]"), ("stdout.2", "2\n[1]"), ("stdout", "3\n[1]")] {
            #expect(try job.text(file) == text)
            #expect(try Files.status("\(job.directory)/\(file)").owner == 5)
        }
        #expect(try Files.status(job.directory).owner == 5)
    }

    @Test("U3: follow-ups of a job, mail too, run as the job's user")
    func following() throws {
        let spool = try SpoolUnderTest(configuration: "mail_command = [\"/bin/sh\", \"-c\", \"id -un; cat\"]", starting: false)
        #expect(chmod(spool.base, 0o711) == 0)
        try spool.start()
        let keys = """
            user = \"games\"\ndirectory = \"/\"\non_end = \"id -un; cat $SPOOL_PARENT_DIR/stdout\"\n\
            mail = {to = \"a@b\", when = \"always\"}
            """
        try spool.drop("job.toml", "command = \"echo secret of games\"\n\(keys)")
        let after = try spool.end(of: "job.on_end")
        #expect(try after.stdout == "games\nsecret of games\n", "\(after.error)")
        let mail = try spool.end(of: "job.mail")
        let text = try mail.stdout
        #expect(text.hasPrefix("games\n") && text.contains("secret of games"), "\(mail.error) \(text)")
    }

    @Test("U3: in a job of another user, spoolctl reports progress, sets the result and moves the timeout")
    func inside() throws {
        let spool = try Self.spool()
        let spoolctl = "\(SpoolUnderTest.programs)/spoolctl"
        let job = try spool.run(
            """
            command = '\(spoolctl) progress 0.5 half && echo 5 | \(spoolctl) result - && \(spoolctl) extend 10m && cat \
            \"$SPOOL_JOB_DIR/extend\"'\nuser = \"games\"\ndirectory = \"/\"\ntimeout = \"1h\"
            """)
        let (text, errors) = try (job.stdout, job.stderr)
        #expect(job.outcome == "done 0" && errors == "", "\(job.error) \(errors)")
        #expect(job.integer("result") == 5)
        #expect(text.hasSuffix("600\n"), "\(text)")
    }

    @Test("U3: a task can name a user; a user who does not exist yet is not an error of the file")
    func tasks() throws {
        let spool = try Self.spool()
        try Files.write("\(spool.path)/tasks/t.toml", "command = \"id -un\"\nuser = \"games\"\ndirectory = \"/\"")
        try Files.write("\(spool.path)/tasks/later.toml", "command = \"id -un\"\nuser = \"comes-later\"")
        #expect(try spool.ctl("run", "t", "-w").code == 0)
        #expect(try spool.end(of: "t").stdout == "games\n")
        #expect(try spool.ctl("check").code == 0)
        #expect(try spool.ctl("run", "later", "-w").code == 125)
    }

    @Test("U3: Attack 68: killing one's own worker loses that run, and nothing else")
    func killedWorker() throws {
        let spool = try Self.spool()
        let gate = try spool.gate()
        #expect(chmod(gate.path, 0o666) == 0)
        try spool.drop("other.toml", "command = 'read x <\(gate.path)'\nuser = \"nobody\"\ndirectory = \"/\"")
        _ = try spool.running("other")
        // The worker dies before it records the job's process, so that process stays and waits at a gate of its own.
        let own = try spool.gate("own")
        #expect(chmod(own.path, 0o666) == 0)
        let job = try spool.run("command = 'kill -9 $PPID; read x <\(own.path)'\nuser = \"games\"\ndirectory = \"/\"")
        #expect(job.outcome == "failed lost")
        try gate.release()
        #expect(try spool.end(of: "other").outcome == "done 0")
        #expect(try spool.runsOn())
    }

    @Test("U3: root cancels a job of another user, and it ends at its timeout")
    func ending() throws {
        let spool = try Self.spool()
        let keys = "user = \"games\"\ndirectory = \"/\"\n"
        let timeout = try spool.run("command = [\"sleep\", \"1000\"]\ntimeout = \"50ms\"\n\(keys)")
        #expect(timeout.outcome.hasPrefix("failed timeout"))
        try spool.drop("canceled.toml", "command = [\"sleep\", \"1000\"]\n\(keys)")
        let running = try spool.running("canceled")
        #expect(try spool.ctl("cancel", running.id).code == 0)
        #expect(try spool.end(of: "canceled").reason == "canceled")
    }

    @Test("U3: Attack 26: a daemon of an ordinary user runs only that user's jobs, and refuses others with their position")
    func notRoot() throws {
        let spool = try Self.spool(starting: false)
        try Commands.succeed("chown", "-R", "nobody:nogroup", spool.base)
        try spool.start(as: "nobody")
        for (file, keys, error) in [
            (
                "user", "user = \"games\"",
                "user.toml:2:8: user: only root's own jobs may run as another user; those of this spool run as nobody"),
            ("root", "user = 0", "root.toml:2:8: user: only root's own jobs may run as another user; those of this spool run as nobody"),
            (
                "group", "group = \"games\"",
                "group.toml:2:9: group: only root's own jobs may run with another group; those of this spool run with nogroup"),
        ] {
            try spool.drop("\(file).toml", "command = [\"true\"]\n\(keys)")
            let job = try spool.end(of: file)
            #expect(job.outcome == "failed rejected")
            #expect(job.error == error)
        }
        let own = try spool.run("command = \"id -un; id -gn\"\nuser = \"nobody\"\ngroup = \"nogroup\"\ndirectory = \"/\"")
        #expect(try own.stdout == "nobody\nnogroup\n", "\(own.error)")
        try Files.write("\(spool.path)/tasks/t.toml", "command = \"true\"\nuser = \"games\"")
        try spool.logLine("refused", "tasks/t.toml:2:8: user: only root's own jobs")
    }

    @Test("U3: spoolctl's --user and --group; the job then starts in that user's home")
    func options() throws {
        let spool = try Self.spool()
        let result = try spool.ctl("submit", "-w", "--user", "games", "--group", "adm", "-C", "/", "--", "id")
        #expect(result.code == 0, "\(result.errors)")
        #expect(try spool.ctl("logs", result.id).lines == ["uid=5(games) gid=4(adm) groups=4(adm)"])
        #expect(try spool.ctl("submit", "--user", "backup", "--", "true").code == 0)
        let job = try #require(try spool.ended("true", count: 1).first)
        #expect(try !job.text("job.toml").contains("directory"))
        #expect(try spool.ctl("create", "t", "--user", "games", "--", "true").code == 0)
        #expect(try spool.ctl("update", "t", "--user", "60", "--group", "60").code == 0)
        #expect(try Files.text("\(spool.path)/tasks/t.toml").contains("user = \"60\""))
        let wrong = try spool.ctl("submit", "--user", "a:b", "--", "true")
        #expect(wrong.code == 4 && wrong.errors.contains("--user: user must be the name of a user or its number"), "\(wrong.errors)")
    }
}
