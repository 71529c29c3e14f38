import Documents
import Glibc
import Linux
import TestSupport
import Testing

/// Jobs that an executor runs, through the built programs, with an engine made of files.
@Suite("Executors", .ownThreads) struct ExecutorTests {
    @Test("N6: A job runs through an executor as it does here: output, variables, exit code, and what its record says")
    func aRun() throws {
        let (spool, fake) = try FakeExecutor.spool()
        let command = "echo \"try $SPOOL_TRY of $SPOOL_NAME\"; echo oh >&2; exit 7"
        let run = try spool.submitOnRecord("--executor", "fake", "--name", "echo", command: command)
        #expect(run.code == 7 && run.output == "try 1 of echo\n" && run.errors.contains("oh\n"), "\(run)")
        let job = try spool.end(ofID: run.id)
        #expect(job.outcome == "failed exit 7" && job.string("executor") == "fake")
        #expect(job.remote("handle") == "h-1")
        #expect(fake.lines("submitted") == ["spoold-\(job.id)-1"])
        #expect(try spool.ctl("logs", "--stdout", job.id).output == "try 1 of echo\n")
        let status = try spool.ctl("status", job.id).output
        #expect(status.contains("fake: as h-1, on n1") && !status.contains("memory"), "\(status)")
    }

    @Test("X4: An exit code and a signal are told as they are", arguments: [("exit 0", "done 0", nil), ("kill -9 $$", "failed signal", 9)])
    func ends(command: String, outcome: String, signal: Int?) throws {
        let (spool, _) = try FakeExecutor.spool()
        let job = try spool.end(ofID: spool.submit(to: "fake", "\(command); true"))
        #expect(job.outcome == outcome && job.integer("signal") == signal)
    }

    static let troubles = [
        "submit.lose", "submit.drop", "submit.garbage", "submit.hang", "submit.later", "submit.unknown", "poll.lose", "poll.drop",
        "poll.garbage", "poll.hang", "find.drop",
    ]

    @Test("X2: Whatever is lost on the way, a job begins once, and its exit code is told", arguments: troubles)
    func aLostAnswer(trouble: String) throws {
        let (spool, fake) = try FakeExecutor.spool(trouble.hasSuffix("hang") ? FakeExecutor.shortCalls : "")
        try fake.set(trouble)
        if trouble.hasPrefix("find") { try fake.set("submit.lose") }
        if trouble.hasPrefix("poll") { try fake.set("hold") }
        let id = try spool.submit(to: "fake", "echo begun >> \(spool.out)/starts; exit 5")
        if trouble.hasPrefix("poll") {
            try spool.logLine("event=executor-trouble", "verb=poll")
            fake.clear("hold")
        }
        #expect(try spool.end(ofID: id).outcome == "failed exit 5")
        #expect(try spool.linesNow("starts") == ["begun"])
        try spool.logLine("event=executor-trouble", "executor=fake")
    }

    @Test("X2: A run that ends before its executor has answered is told as it ended, and its record has no handle")
    func endsUnanswered() throws {
        let (spool, fake) = try FakeExecutor.spool()
        try fake.set("submit.hang")
        let job = try spool.end(ofID: spool.submit(to: "fake", "true; exit 5"))
        #expect(job.outcome == "failed exit 5" && job.string("executor") == "fake", "\(job.outcome)")
        guard case .table(let remote)? = job.status["remote"]?.kind else { throw spool.failure("no remote in the status") }
        guard case .null? = remote["handle"]?.kind else { throw spool.failure("a handle that nobody has told") }
    }

    @Test("X4: What the engine refuses ends the job, and says why")
    func refused() throws {
        let (spool, fake) = try FakeExecutor.spool()
        try fake.set("submit.refused")
        let job = try spool.end(ofID: spool.submit(to: "fake", "true; true"))
        #expect(job.outcome == "failed spawn" && job.error == "the engine says refused")
    }

    @Test("X4: A job whose executor is missing waits, and people are told")
    func missing() throws {
        let (spool, _) = try FakeExecutor.spool()
        let id = try spool.ctl("submit", "--executor", "slrum", "--", "true").id
        try spool.logLine("event=executor-trouble", "there is no executor slrum")
        try spool.watchRun(id)
        try spool.wait(for: "its state") { try spool.job(id, in: "running")?.status["remote"] != nil }
        let why = try spool.ctl("why", id).output
        #expect(why.contains("there is no executor slrum"), "\(why)")
        #expect(try spool.ctl("cancel", id).code == 0)
        #expect(try spool.end(ofID: id).outcome == "failed canceled")
    }

    @Test("X2: A job that is canceled before it begins never begins", arguments: [false, true])
    func canceledWhilePending(isAnswerLost: Bool) throws {
        let (spool, fake) = try FakeExecutor.spool()
        try fake.set("hold")
        if isAnswerLost { try fake.set("submit.lose") }
        let id = try spool.submit(to: "fake", "echo begun >> \(spool.out)/starts")
        try spool.wait(for: "its submission") { fake.lines("submitted").count == 1 }
        #expect(try spool.ctl("cancel", id).code == 0)
        #expect(try spool.end(ofID: id).reason == "canceled")
        fake.clear("hold")
        // The answer of the call by which it ended is no trouble of the executor.
        if !isAnswerLost { #expect(!spool.log.contains("executor-trouble")) }
        // A job that ends after the late copy had its chance.
        #expect(try spool.end(ofID: spool.submit(to: "fake", "true; true")).outcome == "done 0")
        #expect(try spool.linesNow("starts") == [])
    }

    @Test("X4: A job that is canceled or killed while it runs ends, and its record says so", arguments: ["cancel", "kill"])
    func canceledWhileItRuns(how: String) throws {
        let (spool, _) = try FakeExecutor.spool()
        let gate = try spool.gate()
        let id = try spool.submit(
            to: "fake", gate.waiting(trap: "TERM", "echo caught >> \(spool.out)/caught; exit 3", ready: "echo up >> \(spool.out)/up"),
            "--kill-after", "1h")
        try spool.lines("up", count: 1)
        #expect(try spool.ctl(how, id).code == 0)
        #expect(try spool.end(ofID: id).reason == (how == "kill" ? "signal" : "canceled"))
        if how == "cancel" { try spool.output("caught") }
    }

    @Test(
        "X4: The end of spoold ends no job elsewhere, and the next one finds it", arguments: ["submitting", "pending", "running", "ended"])
    func restarts(when: String) throws {
        let (spool, fake) = try FakeExecutor.spool(when == "submitting" ? FakeExecutor.shortCalls : "")
        let gate = try spool.gate()
        if when == "pending" { try fake.set("hold") }
        if when == "submitting" { try fake.set("submit.hang") }
        let id = try spool.submit(to: "fake", "echo begun >> \(spool.out)/starts; read x < \(gate.path); exit 6")
        try spool.wait(for: "its submission") { fake.lines("submitted").count == 1 }
        if when == "running" || when == "ended" { try spool.lines("starts", count: 1) }
        try spool.crash()
        if when == "ended" {
            try spool.watchRun(id)
            try gate.release()
            try spool.wait(for: "its end mark") { Files.exists("\(spool.path)/running/\(id)/end.1") }
        }
        try spool.start()
        fake.clear("hold")
        if when != "ended" {
            try spool.lines("starts", count: 1)
            try gate.release()
        }
        #expect(try spool.end(ofID: id).outcome == "failed exit 6")
        #expect(try spool.linesNow("starts") == ["begun"])
    }

    @Test("X4: A daemon that drains waits for no job elsewhere, and asks none to end", arguments: ["--drain", "--drain=1ms"])
    func drain(rule: String) throws {
        let spool = try SpoolUnderTest(configuration: FakeExecutor.configuration, starting: false)
        let fake = try FakeExecutor(spool)
        try fake.set("hold")
        try spool.launch(arguments: [rule])
        try spool.notification("READY=1")
        let id = try spool.submit(to: "fake", "echo begun >> \(spool.out)/starts; exit 6")
        try spool.wait(for: "its submission") { fake.lines("submitted").count == 1 }
        let gate = try spool.gate()
        let waiting = gate.waiting(trap: "TERM", "exit 3", ready: "echo > \(spool.out)/up", endsAll: true)
        let here = try spool.ctl("submit", "--kill-after", "1h", waiting).id
        try spool.output("up")
        spool.signal(SIGTERM)
        try spool.logLine("event=draining", "running=1")
        if rule == "--drain" { try gate.release() }
        #expect(try spool.exitCode() == 0)
        #expect(try spool.end(ofID: here).outcome == (rule == "--drain" ? "done 0" : "failed exit 3"))
        #expect(try spool.job(id, in: "running") != nil)
        try spool.start()
        fake.clear("hold")
        let job = try spool.end(ofID: id)
        #expect(job.outcome == "failed exit 6" && job.string("remark") == nil, "\(job.outcome)")
        #expect(try spool.linesNow("starts") == ["begun"])
    }

    @Test("X4: doctor has each executor check itself, and says which are missing or do not answer")
    func doctor() throws {
        let (first, _) = try FakeExecutor.spool("[queues.far]\nexecutor = \"slrum\"\n")
        func lines(_ spool: SpoolUnderTest) throws -> [String] { try spool.ctl("doctor").lines.filter { $0.contains("executor ") } }
        let found = try lines(first)
        #expect(found.count == 3, "\(found)")
        #expect(found.contains("ok\texecutor fake\treachable: the engine is there\t"))
        #expect(found.contains { $0.hasPrefix("fail\texecutor fake\tclock: 9 s behind\t") })
        #expect(found.contains { $0.hasPrefix("fail\texecutor slrum\tthere is no executor slrum, neither ") })
        for (mode, words) in [("drop", "check exited with 3"), ("hang", "check did not answer")] {
            let (spool, fake) = try FakeExecutor.spool(mode == "hang" ? FakeExecutor.shortCalls : "")
            try fake.set("check.\(mode)")
            #expect(try lines(spool).contains { $0.hasPrefix("fail\texecutor fake\t") && $0.contains(words) }, "\(mode)")
        }
    }

    @Test("X4: doctor asks the executors of tasks and of waiting jobs, and names the hosts that jobs name")
    func doctorOfTasks() throws {
        let (spool, _) = try FakeExecutor.spool()
        for name in ["mine", "yours"] {
            let hosts = "sed -n 's/.*\"hosts\":\\[\\([^]]*\\)\\].*/\\1/p' | tr -d '\"' > \(spool.out)/asked.\(name)"
            try Files.write("\(spool.whole)/executors/\(name)", "#!/bin/sh\n\(hosts)\n", mode: 0o755)
        }
        try spool.task("far", "command = \"true\"\nexecutor = \"mine\"\nhost = [\"b1\", \"b2\"]\n")
        let later = ["submit", "--executor", "yours", "--host", "c3", "--start", "2100-01-01T00:00:00Z", "--", "true; true"]
        #expect(try spool.ctl(list: later).code == 0)
        let lines = try spool.ctl("doctor").lines.filter { $0.contains("executor ") }
        for name in ["mine", "yours"] { #expect(lines.contains { $0.hasPrefix("ok\texecutor \(name)\t") }, "\(lines)") }
        #expect(try Files.text("\(spool.out)/asked.mine") == "b1,b2\n" && Files.text("\(spool.out)/asked.yours") == "c3\n")
    }

    @Test("X4: An extension that does not reach the engine is passed on again, and once more by the next spoold")
    func extensionAgain() throws {
        let (spool, fake) = try FakeExecutor.spool()
        let gate = try spool.gate()
        let id = try spool.submit(to: "fake", "echo begun >> \(spool.out)/starts; read x < \(gate.path)", "--timeout", "1h")
        try spool.lines("starts", count: 1)
        func extensions() -> Int { fake.lines("calls").count { $0.hasPrefix("extend ") } }
        try fake.set("extend.later")
        #expect(try spool.ctl("extend", "1h", id).code == 0)
        try spool.wait(for: "the second call") { extensions() == 2 }
        try spool.crash()
        try spool.start()
        try spool.wait(for: "the call of the next spoold") { extensions() == 3 }
        try gate.release()
        #expect(try spool.end(ofID: id).outcome == "done 0")
        #expect(extensions() == 3)
    }

    @Test("X2: A repeated job and a second try have marks of their own, and begin")
    func repeated() throws {
        let (spool, _) = try FakeExecutor.spool()
        let id = try spool.submit(to: "fake", "echo begun >> \(spool.out)/starts; exit 4")
        #expect(try spool.end(ofID: id).outcome == "failed exit 4")
        #expect(try spool.end(ofID: spool.ctl("retry", id).id).outcome == "failed exit 4")
        #expect(try spool.linesNow("starts") == ["begun", "begun"])
        let second = "echo $SPOOL_TRY >> \(spool.out)/twice; test $SPOOL_TRY = 2"
        let twice = try spool.submit(to: "fake", second, "--tries", "2", "--backoff", "0")
        #expect(try spool.end(ofID: twice).outcome == "done 0")
        #expect(try spool.linesNow("twice") == ["1", "2"])
    }

    @Test("X4: An executor's jobs use its slots, and none of this machine's")
    func slots() throws {
        let (spool, fake) = try FakeExecutor.spool()
        try fake.set("hold")
        var ids: [String] = []
        for _ in 0..<5 { ids.append(try spool.submit(to: "fake", "true; true")) }
        try spool.wait(for: "three submissions") { fake.lines("submitted").count == 3 }
        #expect(try spool.ctl("submit", "-w", "--", "true").code == 0)
        let why = try spool.ctl("why", ids[4]).output
        #expect(why.contains("executor fake has as many jobs as it may have: its 3 slots are taken by"), "\(why)")
        #expect(fake.lines("submitted").count == 3)
        fake.clear("hold")
        for id in ids { #expect(try spool.end(ofID: id).outcome == "done 0") }
    }

    /// The directory of the last call, and its variables but for those that its shell sets.
    private func surroundings(_ fake: FakeExecutor, _ verb: String) -> [String] {
        let lines = fake.lines("surroundings.\(verb)")
        let names = lines.dropFirst().map { String($0.prefix { $0 != "=" }) }
        return lines.prefix(1) + names.filter { !["PWD", "OLDPWD", "SHLVL", "_"].contains($0) }.sorted()
    }

    @Test("X4: Whoever calls an executor, it runs in the root directory, with the variables of its user alone")
    func surroundings() throws {
        let (spool, fake) = try FakeExecutor.spool()
        let gate = try spool.gate()
        let id = try spool.submit(to: "fake", "read x < \(gate.path)")
        let words = ["-C", spool.base] + spool.environment + ["\(SpoolUnderTest.programs)/spoolctl", "--config", spool.configuration]
        let follower = try Commands.Running("env", words + ["logs", "-f", id])
        try spool.wait(for: "a call of logs") { fake.lines("calls").contains { $0.hasPrefix("logs ") } }
        _ = try Commands.run("env", words + ["doctor"])
        for verb in ["submit", "logs", "check"] {
            #expect(surroundings(fake, verb) == ["/", "HOME", "LANG", "LOGNAME", "PATH", "SHELL", "USER"], "\(verb)")
        }
        try gate.release()
        #expect(try spool.end(ofID: id).outcome == "done 0")
        _ = try follower.end()
    }

    @Test("X4: logs -f has the executor bring output while somebody follows, and shows the rest at the end")
    func followed() throws {
        let (spool, fake) = try FakeExecutor.spool()
        let gate = try spool.gate()
        let id = try spool.submit(to: "fake", "read x < \(gate.path); echo over")
        try Files.write("\(spool.out)/followed", "")
        let output = try FileDescriptor.open("\(spool.out)/followed", O_WRONLY)
        let follower = try Child(
            "\(SpoolUnderTest.programs)/spoolctl", ["--config", spool.configuration, "logs", "-f", id], environment: spool.environment,
            output: output.raw, error: output.raw)
        try spool.wait(for: "what was brought") { try spool.linesNow("followed").contains("brought from afar") }
        #expect(fake.lines("calls").contains("logs \(geteuid())"))
        try gate.release()
        #expect(try spool.end(ofID: id).outcome == "done 0")
        #expect(follower.exitCode() == 0)
        #expect(try spool.linesNow("followed").last == "over")
    }

    @Test("X4: submit -w has the executor bring output too")
    func awaited() throws {
        let (spool, fake) = try FakeExecutor.spool()
        let gate = try spool.gate()
        let run = try spool.startCtl(["submit", "-w", "--executor", "fake", "--", "read x < \(gate.path); echo over; exit 3"])
        try run.awaitOutput("brought from afar\n")
        #expect(fake.lines("calls").contains("logs \(geteuid())"))
        try gate.release()
        let result = try run.end()
        #expect(result.code == 3 && result.output.hasSuffix("over\n"), "\(result)")
    }

    @Test("X4: Tables and metrics tell how it stands with a run at its executor, and whether that answers")
    func views() throws {
        let (spool, fake) = try FakeExecutor.spool()
        try fake.set("hold")
        let id = try spool.submit(to: "fake", "true; true")
        try spool.watchRun(id)
        try spool.wait(for: "its state") { try spool.job(id, in: "running")?.status["remote"] != nil }
        if Commands.has("tmux") {
            let screen = try TmuxScreen(spool, columns: 120, "spoolctl --config \(spool.configuration) jobs; echo end; read x")
            let table = try screen.shows("end\n")
            #expect(table.contains("  pending ") && table.contains("fake: pending, as h-1"), "\(table)")
            try screen.close()
        }
        let columns = try spool.ctl("jobs", "--columns", "outcome,executor,remote", "--json").output
        #expect(columns.contains(#""outcome":"pending","executor":"fake""#), "\(columns)")
        #expect(try spool.ctl("status", id).output.contains("fake: pending, as h-1"))
        func metric(_ series: String) -> String? {
            let text = (try? Files.text("\(spool.path)/state/metrics.prom")) ?? ""  // not there yet
            let line = text.split(separator: "\n").first { $0.hasPrefix("\(series),user=") || $0.hasPrefix("\(series)}") }
            return line?.split(separator: " ").last.map(String.init)
        }
        let runs = "spoold_executor_runs{executor=\"fake\",state="
        try spool.wait(for: "the run in the metrics") { metric("\(runs)\"pending\"") == "1" && metric("\(runs)\"running\"") == "0" }
        #expect(metric("spoold_executor_slots{executor=\"fake\"") == "3" && metric("spoold_executor_trouble{executor=\"fake\"") == "0")
        let seen = spool.logLength
        try Files.write("\(spool.base)/short", FakeExecutor.configuration + FakeExecutor.shortCalls)
        try Files.rename("\(spool.base)/short", spool.configuration)
        try spool.logLine("event=configured", after: seen)
        // Each call that hangs is one trouble, which the next answer ends.
        try spool.wait(for: "the trouble in the metrics") {
            if !Files.exists("\(spool.out)/engine/poll.hang") { try fake.set("poll.hang") }
            return metric("spoold_executor_trouble{executor=\"fake\"") == "1"
        }
        fake.clear("poll.hang")
        fake.clear("hold")
        #expect(try spool.end(ofID: id).outcome == "done 0")
        try spool.wait(for: "no runs") { metric("\(runs)\"pending\"") == "0" && metric("spoold_executor_trouble{executor=\"fake\"") == "0" }
    }

    @Test("X4: A queue can have an executor, and keys that only this machine can carry out are refused with one")
    func queue() throws {
        let (spool, fake) = try FakeExecutor.spool("[queues.far]\nexecutor = \"fake\"\n")
        #expect(try spool.ctl("submit", "-w", "--queue", "far", "--", "true; true").code == 0)
        #expect(fake.lines("submitted").count == 1)
        try spool.drop("limited.toml", "command = \":\"\nqueue = \"far\"\nlimits.nofile = 9")
        let limited = try spool.end(of: "limited")
        #expect(limited.reason == "rejected" && limited.error.contains("limits is carried out on this machine"), "\(limited.error)")
        try spool.drop("wishing.toml", "command = \":\"\nresources.cpus = 4")
        #expect(try spool.end(of: "wishing").reason == "rejected")
        #expect(try spool.ctl("submit", "-w", "--queue", "far", "--executor", "local", "--", "true").code == 0)
        #expect(fake.lines("submitted").count == 1)
    }

    @Test("X4: Input that submit -w is given goes to an executor's job whole, and a job is refused that could not read it")
    func input() throws {
        let (spool, _) = try FakeExecutor.spool("[queues.far]\nexecutor = \"fake\"\n")
        for words in [["--executor", "fake"], ["--queue", "far"]] {
            let run = try spool.ctl(list: ["submit", "-w"] + words + ["--", "wc -l; true"], input: "one\ntwo\n")
            #expect(run.code == 0 && run.output == "2\n", "\(run)")
        }
        // A FIFO comes with a job whose spoolctl knew of no executor.
        try Files.makeDirectory("\(spool.path)/tmp/fed")
        try Files.write("\(spool.path)/tmp/fed/job.toml", "command = \"cat; true\"\nqueue = \"far\"")
        try #require(mkfifo("\(spool.path)/tmp/fed/stdin", 0o600) == 0)
        try Files.rename("\(spool.path)/tmp/fed", "\(spool.path)/new/fed")
        let fed = try spool.end(of: "fed")
        #expect(fed.outcome == "failed spawn" && fed.error.contains("only a job of this machine can read"), "\(fed.error)")
    }

    @Test("X2: A copy of a spool calls no executor for what ran in the original")
    func copied() throws {
        let (spool, fake) = try FakeExecutor.spool()
        try fake.set("hold")
        let id = try spool.submit(to: "fake", "true; true")
        try spool.wait(for: "its submission") { fake.lines("submitted").count == 1 }
        // A call goes on after the daemon's end.
        try spool.pause()
        for pid in try Processes.children(of: #require(spool.daemon?.pid)) { try Processes.awaitEnd(of: pid) }
        try spool.crash()
        let calls = fake.lines("calls").count
        let copy = try SpoolUnderTest(configuration: FakeExecutor.configuration, starting: false)
        try Commands.succeed("cp", "-a", "\(spool.path)/.", copy.path)
        try copy.start()
        #expect(try copy.end(ofID: id).outcome == "failed lost")
        try copy.stop()
        #expect(fake.lines("calls").count == calls)
        fake.clear("hold")
    }

    @Test("X4: A user's job is taken there as that user, never as root", .enabled(if: geteuid() == 0, "only root can have jobs of others"))
    func users() throws {
        let (spool, fake) = try FakeExecutor.spool()
        for directory in [spool.base, spool.whole, "\(spool.whole)/running", spool.out] { chmod(directory, 0o755) }
        chmod(spool.out, 0o777)
        let submitted = try spool.ctl(
            "submit", "--executor", "fake", "--user", "nobody", "-C", "/", "--", "id -u > \(spool.out)/who; true")
        #expect(try spool.end(ofID: submitted.id).outcome == "done 0")
        let number = try Commands.run("id", "-u", "nobody").output
        #expect(try Files.text("\(spool.out)/who") == number)
        let callers = Set(fake.lines("calls").compactMap { $0.split(separator: " ").last.map(String.init) })
        #expect(callers == [number.filter { $0 != "\n" }])
    }

    @Test(
        "X4: Root who follows a user's job runs no executor for it",
        .enabled(if: geteuid() == 0, "only root can have jobs of others"), arguments: ["nobody", "root"])
    func followedByRoot(user: String) throws {
        let (spool, fake) = try FakeExecutor.spool()
        for directory in [spool.base, spool.whole, "\(spool.whole)/running"] { chmod(directory, 0o755) }
        chmod(spool.out, 0o777)
        let gate = try spool.gate()
        chmod(gate.path, 0o666)
        let id = try spool.ctl(
            "submit", "--executor", "fake", "--user", user, "-C", "/", "--", "echo up; read x < \(gate.path); echo over").id
        try spool.watchRun(id)
        try spool.wait(for: "its state") { try spool.job(id, in: "running")?.status["remote"] != nil }
        let follower = try spool.startCtl(["logs", "-f", id])
        try follower.awaitOutput("up\n")
        if user == "root" { try follower.awaitOutput("brought from afar\n") }
        try gate.release()
        #expect(try spool.end(ofID: id).outcome == "done 0")
        let output = try follower.end().output
        #expect(output.hasSuffix("over\n") && fake.lines("calls").contains("logs 0") == (user == "root"), "\(output)")
    }
}
