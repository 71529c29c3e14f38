// The executor ssh, called as the daemon calls it, and real sshd's. Each job says in a file of its own when it starts.

import Documents
import Executors
import Glibc
import Linux
import TestSupport
import Testing

@Suite("The executor ssh", .ownThreads, .enabled(if: FarHost.areHere, FarHost.reason))
struct SSHTests {
    // MARK: A run

    @Test("Arguments, input, both outputs, progress, result and exit code come through byte by byte")
    func whole() throws {
        let host = try FarHost("build1")
        let calls = try RemoteCalls(hosts: [host])
        let bytes = (0..<300_000).map { _ in UInt8.random(in: 0...255) }
        try Files.write("\(calls.base)/input", bytes)
        let line = """
            cat; echo "$0" "$1" >&2; echo half > "$SPOOL_JOB_DIR/progress"; echo done > "$SPOOL_RESULT"; echo "$HOME $PWD" >> $2/env; exit 7
            """
        let arguments = "[\"/bin/sh\",\"-c\",\(JSON.write(Value(.string(line)))),\"a 'b\",\"$x\\n\",\"\(calls.out)\"]"
        var job = try calls.job(line, ["input": "\"\(calls.base)/input\"", "arguments": arguments])
        job = try calls.submitted(job)
        #expect(job.handle?.hasPrefix("build1:\(job.id).1.") == true)
        #expect(job.hasStarted)
        try calls.pollToEnd(job)
        #expect(try Files.bytes("\(job.directory)/stdout") == bytes)
        #expect(try job.text("stderr") == "a 'b $x\n\n")
        #expect(try job.text("progress") == "half\n")
        #expect(try job.text("result") == "done\n")
        #expect(try job.end().number("exit") == 7)
        #expect(try Files.text("\(calls.out)/env") == "\(host.home) /\n", "the home is that of the other host")
        #expect(try host.jobs == [], "nothing is left there")
    }

    @Test("Output comes while the job runs, and goes on where it ended after a call that was killed")
    func growing() throws {
        let host = try FarHost("build1")
        let calls = try RemoteCalls(hosts: [host])
        let gate = try Gate(path: "\(calls.out)/gate")
        let line = "echo first; read x < \(gate.path); head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last"
        let job = try calls.submitted(calls.job(line))
        while try job.text("stdout") != "first\n" { _ = try calls.poll(job) }
        #expect(try calls.poll(job).answer(job)?.text("state") == "running")
        try gate.release()
        // Killed when it has brought something.
        while !job.hasEnded {
            let size = try Files.status("\(job.directory)/stdout").size
            let call = try calls.start("poll", calls.items([job]))
            while !call.child.hasEnded, try Files.status("\(job.directory)/stdout").size == size { sched_yield() }
            call.child.kill(SIGKILL)
            _ = try call.end()
            if try Files.status("\(job.directory)/stdout").size > 3_000_000 { try calls.pollToEnd(job) }
        }
        let expected = "first\n" + String(repeating: "x", count: 3_000_000) + "\nlast\n"
        #expect(try job.text("stdout") == expected)
        #expect(try host.jobs == [])
    }

    @Test("logs brings the output of a job, and leaves its state and its end to poll")
    func logs() throws {
        let host = try FarHost("build1")
        let calls = try RemoteCalls(hosts: [host])
        let gate = try Gate(path: "\(calls.out)/gate")
        let job = try calls.submitted(calls.job("echo first; read x < \(gate.path); echo last >&2; echo over > \(calls.out)/over"))
        func bring(until condition: () throws -> Bool) throws {
            while try !condition() { #expect(try calls.end(calls.start("logs", calls.items([job]))).code == 0) }
        }
        try bring { (try? job.text("stdout")) == "first\n" }  // not there yet
        try gate.release()
        try calls.awaitFile("over")
        try bring { (try? job.text("stderr")) == "last\n" }  // not there yet
        // Its end may be there by now, and stays there.
        _ = try calls.end(calls.start("logs", calls.items([job])))
        #expect(try !job.hasEnded && host.jobs.count == 1)
        try calls.pollToEnd(job)
        #expect(try job.text("stdout") == "first\n" && job.text("stderr") == "last\n" && job.end().number("exit") == 0)
        #expect(try host.jobs == [])
    }

    @Test("Output that comes late is written to no file but the one for which it was asked", arguments: ["replaced", "ended"])
    func lateOutput(_ change: String) throws {
        let host = try FarHost("build1", force: "PATH=$HOME/bin:$PATH; export PATH; exec sh -c \"$SSH_ORIGINAL_COMMAND\"")
        try Files.makeDirectory("\(host.home)/bin")
        // The other side looks at a file's size by ls(1).
        let hold = "if [ -e $HOME/hold ]; then rm $HOME/hold; echo >$HOME/held; read x <$HOME/go; fi"
        try Files.write("\(host.home)/bin/ls", "#!/bin/sh\n\(hold)\nexec /bin/ls \"$@\"\n")
        chmod("\(host.home)/bin/ls", 0o755)
        let go = try Gate(path: "\(host.home)/go")
        let calls = try RemoteCalls(hosts: [host])
        let gate = try Gate(path: "\(calls.out)/gate")
        let job = try calls.submitted(calls.job("echo out; echo > \(calls.out)/ready; read x < \(gate.path)"))
        try calls.awaitFile("ready")
        if change == "ended" { try Files.remove("\(job.directory)/stdout") }
        try Files.write("\(host.home)/hold", "")
        let call = try calls.start("logs", calls.items([job]))
        try calls.awaitFile("held", in: host.home)
        if change == "replaced" {
            try Files.write("\(job.directory)/next", "of another try\n")
            try Files.rename("\(job.directory)/next", "\(job.directory)/stdout")
        } else {
            try Files.write("\(job.directory)/end.1", "{\"exit\":0}\n")
        }
        try go.release()
        #expect(try calls.end(call).code == 0)
        if change == "replaced" {
            #expect(try job.text("stdout") == "of another try\n")
        } else {
            #expect(!Files.exists("\(job.directory)/stdout"))
        }
        try gate.release()
    }

    static let shells: [(name: String, line: String, startFile: String?)] = [
        ("bash with a noisy .bashrc", "", "echo welcome; echo 'motd of the day' >&2; printf 'no newline'"),
        ("dash", "exec dash -c \"$SSH_ORIGINAL_COMMAND\"", nil),
        ("fish", "exec fish -c \"$SSH_ORIGINAL_COMMAND\"", nil),
        ("zsh", "exec zsh -c \"$SSH_ORIGINAL_COMMAND\"", nil),
        ("tcsh", "exec tcsh -c \"$SSH_ORIGINAL_COMMAND\"", nil),
        ("busybox", "PATH=$HOME/bin; export PATH; exec busybox sh -c \"$SSH_ORIGINAL_COMMAND\"", nil),
        ("a banner without end of line", "printf '%70000s' x; exec sh -c \"$SSH_ORIGINAL_COMMAND\"", nil),
    ]

    @Test("Jobs run whatever the login shell is and prints", arguments: shells.map(\.name).filter { $0.contains(" ") || Commands.has($0) })
    func loginShells(_ name: String) throws {
        let shell = try #require(Self.shells.first { $0.name == name })
        let host = try FarHost("build1", force: shell.line.isEmpty ? nil : shell.line, startFile: shell.startFile)
        if name == "busybox" {
            // Nothing but busybox is in its PATH.
            try Files.makeDirectory("\(host.home)/bin")
            try Commands.succeed("busybox", "--install", "-s", "\(host.home)/bin")
        }
        let calls = try RemoteCalls(hosts: [host])
        var job = try calls.job("cat; echo out; echo err >&2; exit 3", ["input": "\"/etc/passwd\""])
        job = try calls.submitted(job)
        try calls.pollToEnd(job)
        #expect(try job.text("stdout") == Files.text("/etc/passwd") + "out\n")
        #expect(try job.text("stderr") == "err\n")
        #expect(try job.end().number("exit") == 3)
        #expect(try host.jobs == [])
    }

    // MARK: At most one start

    @Test("A submission that is repeated, at once or later, starts nothing twice, and goes to the host of the first")
    func repeated() throws {
        let (one, other) = (try FarHost("build1"), try FarHost("build2"))
        let calls = try RemoteCalls(hosts: [one, other], slots: 1)
        let gate = try Gate(path: "\(calls.out)/gate")
        let job = try calls.job("echo $$ >> \(calls.out)/starts; read x < \(gate.path); echo x")
        let first = try calls.start("submit", calls.submitItems([job]))
        let second = try calls.start("submit", calls.submitItems([job]))
        let outcomes = [try calls.end(first), try calls.end(second)]
        // One of two at the same time may be told that there is the other.
        let handles = Set(outcomes.compactMap { $0.answer(job)?.text("handle") })
        #expect(handles.count == 1, "\(outcomes)")
        #expect(try calls.submit(job).answer(job)?.text("handle") == handles.first)
        // The answer does not wait long for the start.
        try calls.awaitFile("starts")
        #expect(try calls.find(job).answer(job)?.text("state") == "running")
        try gate.release()
        try calls.pollToEnd(job)
        #expect(try Files.text("\(calls.out)/starts").split(separator: "\n").count == 1)
        // The call that came second may have sent a directory of its own before it saw the first. Nothing begins there.
        for host in [one, other] {
            #expect(try host.jobs.filter { Files.exists("\(host.home)/.spoold/\($0)/started.1") } == [])
        }
    }

    @Test("Before anything was sent there is nothing to find, and a cancel keeps it so")
    func canceledBefore() throws {
        let host = try FarHost("build1")
        let calls = try RemoteCalls(hosts: [host])
        let job = try calls.job("echo x >> \(calls.out)/starts")
        #expect(try calls.find(job).answer(job)?.text("state") == "gone")
        #expect(try calls.order("cancel", job).answer(job)?.text("state") == "gone")
        #expect(try job.end().boolean("never_began") == true)
        #expect(try calls.submit(job).answer(job)?.text("error") == "refused")
        #expect(!Files.exists("\(calls.out)/starts"))
        #expect(try host.jobs == [])
    }

    static let posixShells = ["dash", "bash", "busybox sh"].filter { Commands.has(String($0.prefix { $0 != " " })) }

    /// A call that was cut off may leave requests behind it in the connection.
    @Test("Requests that arrive after the end start nothing", arguments: posixShells)
    func late(_ shell: String) throws {
        let calls = try RemoteCalls("ssh")
        let home = "\(calls.base)/far"
        try Files.makeDirectory(home)
        let mark = "0123456789abcdef"
        let program = String(FarSide.line(mark: mark).dropFirst("exec sh -c '".count).dropLast())
        func answers(_ requests: String) throws -> [String] {
            let words = shell.split(separator: " ").map(String.init) + ["-c", program]
            let result = try Commands.run("env", words, input: FarSide.text(mark: mark) + requests, environment: ["HOME=\(home)"])
            #expect(result.error.isEmpty, "the last line there would be taken for the reason of an end: \(result)")
            var reader = FarAnswers(mark: mark)
            return try reader.take(Array(result.output.utf8)).compactMap { answer in
                if case .line(let number, let words) = answer { "\(number) \(words[0])" } else { nil }
            }
        }
        let directory = "20261121T020000.001Z-x-34fg24.1.00000000"
        let far = "\(home)/.spoold/\(directory)"
        let run = Run(id: "x", attempt: 1, name: "spoold-x-1", directory: far)
        let line = "echo x >> \(calls.out)/starts"
        let item = Submission(run: run, arguments: ["sh", "-c", line], environment: ["PATH=/usr/bin:/bin"])
        let wrapper = String(decoding: Wrapper(item).script, as: UTF8.self)
        let size = wrapper.utf8.count
        let first = try answers(
            """
            make 1 \(directory) name
            put 2 \(directory) wrapper.1 w 0 \(size) \(size)
            \(wrapper)begin 3 \(directory) 1
            begin 4 \(directory) 1

            """)
        // Where the wrapper takes more than 5 seconds to begin, the answer is that it is waited for.
        #expect(first.count == 4 && first.prefix(2) == ["1 made", "2 there"], "\(first)")
        for (number, answer) in [(3, first[2]), (4, first[3])] {
            #expect(["\(number) begun", "\(number) waiting"].contains { $0 == answer }, "\(first)")
        }
        try calls.awaitFile("end.1", in: far)
        let second = try answers(
            """
            state 5 \(directory) 1
            remove 6 \(directory)
            begin 7 \(directory) 1
            state 8 \(directory) 1
            list 9 -

            """)
        #expect(second == ["5 ended", "6 removed", "7 absent", "8 absent", "9 listed"])
        #expect(try Files.text("\(calls.out)/starts") == "x\n")
    }

    // MARK: Ending

    @Test("A cancel asks the command to end, and force kills its group; the true end comes back", arguments: [false, true])
    func canceled(force: Bool) throws {
        let host = try FarHost("build1")
        let calls = try RemoteCalls(hosts: [host])
        let gate = try Gate(path: "\(calls.out)/gate")
        let line = "read x < \(gate.path) & trap 'echo asked; exit 3' TERM; echo > \(calls.out)/ready; until wait $!; do :; done"
        let job = try calls.submitted(calls.job(line))
        try calls.awaitFile("ready")
        #expect(try calls.order("cancel", job, [("force", "\(force)"), ("signal", "15")]).answer(job)?.text("state") == "asked")
        try calls.pollToEnd(job)
        #expect(try job.end().number(force ? "signal" : "exit") == (force ? 9 : 3))
        #expect(try job.text("stdout") == (force ? "" : "asked\n"))
        #expect(try calls.order("cancel", job).answer(job)?.text("state") == "gone")
    }

    @Test("A signal reaches the command, and an added time its wrapper")
    func signaled() throws {
        let host = try FarHost("build1")
        let calls = try RemoteCalls(hosts: [host])
        let gate = try Gate(path: "\(calls.out)/gate")
        let line = gate.waiting(trap: "USR1", "echo got", ready: "echo > \(calls.out)/ready")
        let job = try calls.submitted(calls.job(line))
        try calls.awaitFile("ready")
        try Files.write("\(job.directory)/extend", "600\n")
        #expect(try calls.order("extend", job, [("by_ms", "600000")]).answer(job)?.text("state") == "asked")
        #expect(try Files.text("\(host.home)/.spoold/\(host.jobs[0])/extend") == "600\n")
        #expect(try calls.order("signal", job, [("signal", "10")]).answer(job)?.text("state") == "asked")
        while try job.text("stdout") != "got\n" { _ = try calls.poll(job) }
        try gate.release()
        try calls.pollToEnd(job)
        #expect(try job.end().number("exit") == 0)
    }

    @Test("A wrapper that was killed, or whose host was restarted, is reported as an end without a mark", arguments: [false, true])
    func dead(restarted: Bool) throws {
        let host = try FarHost("build1")
        let calls = try RemoteCalls(hosts: [host])
        let gate = try Gate(path: "\(calls.out)/gate")
        let job = try calls.submitted(calls.job("echo out; read x < \(gate.path)"))
        while try job.text("stdout") != "out\n" { _ = try calls.poll(job) }
        // In this order: a wrapper whose keeper was killed records the end after two beats.
        for process in ["pid", "keeper"] { try host.killPart(process) }
        if restarted {
            var words = try job.text("place.1").split(separator: " ").map(String.init)
            words[3] = "another-boot"
            try Files.write("\(job.directory)/place.1", words.joined(separator: " "))
        }
        let answer = try #require(try calls.poll(job).answer(job))
        #expect(answer.text("state") == "ended" && answer.text("reason") == "node_fail")
        #expect(answer.text("message")?.contains(restarted ? "restarted" : "killed") == true)
        #expect(!job.hasEnded)
    }

    @Test("A job whose start mark a power cut took on its host does not begin again")
    func forgottenStart() throws {
        let host = try FarHost("build1")
        let calls = try RemoteCalls(hosts: [host])
        let gate = try Gate(path: "\(calls.out)/gate")
        let job = try calls.submitted(calls.job("echo x >> \(calls.out)/starts; read x < \(gate.path)"))
        try calls.awaitFile("starts")
        // In this order: a wrapper whose keeper was killed records the end after two beats.
        for process in ["pid", "keeper"] { try host.killPart(process) }
        try Files.removeTree("\(host.home)/.spoold/\(host.jobs[0])/started.1")
        for verb in ["poll", "find"] {
            let outcome = try calls.end(calls.start(verb, calls.items([job])))
            #expect(outcome.answer(job)?.text("state") == "ended" && outcome.answer(job)?.text("reason") == "node_fail", "\(outcome)")
        }
        // A begin that was asked for would have been answered after the start.
        #expect(try Files.text("\(calls.out)/starts") == "x\n" && !Files.exists("\(host.home)/.spoold/\(host.jobs[0])/started.1"))
    }

    @Test("A job that has ended with much output counts as running until all of it is here, not as a job of which nothing is known")
    func longOutput() throws {
        let host = try FarHost("build1")
        let calls = try RemoteCalls(hosts: [host])
        let job = try calls.submitted(calls.job("head -c 5000000 /dev/zero | tr '\\0' x; exit 3"))
        try calls.awaitFile("end.1", in: "\(host.home)/.spoold/\(host.jobs[0])")
        let outcome = try calls.poll(job)
        #expect(outcome.answers.count == 1 && outcome.answer(job)?.text("state") == "running", "\(outcome)")
        try calls.pollToEnd(job)
        #expect(try job.text("stdout") == String(repeating: "x", count: 5_000_000) && job.end().number("exit") == 3)
    }

    @Test("A wrapper that alone was killed leaves the job running, and its end and its cancel come through", arguments: [false, true])
    func withoutWrapper(canceled: Bool) throws {
        let host = try FarHost("build1")
        let calls = try RemoteCalls(hosts: [host])
        let gate = try Gate(path: "\(calls.out)/gate")
        let job = try calls.submitted(calls.job("echo out; read x < \(gate.path); exit 6"))
        while try job.text("stdout") != "out\n" { _ = try calls.poll(job) }
        try host.killPart("pid")
        #expect(try calls.poll(job).answer(job)?.text("state") == "running")
        if canceled {
            #expect(try calls.order("cancel", job).answer(job)?.text("state") == "asked")
        } else {
            try gate.release()
        }
        try calls.pollToEnd(job)
        let end = try job.end()
        #expect(canceled ? end.number("signal") == 15 : end.number("exit") == 6, "\(end)")
    }

    @Test("Of output past its limit, the beginning and the end are kept, with a notice between them")
    func limited() throws {
        let host = try FarHost("build1")
        let calls = try RemoteCalls(hosts: [host])
        var job = try calls.job("i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i + 1)); done", ["output_limit": "1000"])
        job = try calls.submitted(job)
        try calls.pollToEnd(job)
        let whole = (0..<20_000).map { "\($0)\n" }.joined()
        let notice = "\n[spoold: \(whole.utf8.count - 1000) bytes are left out here; output_limit is 1000]\n"
        #expect(try job.text("stdout") == whole.prefix(500) + notice + whole.suffix(500))
        #expect(try job.text("stdout.1.cut").hasPrefix(job.id))
    }

    // MARK: Hosts that do not answer

    @Test("A connection that is cut ends nothing; a host that is away leaves its runs open, and others are answered")
    func away() throws {
        let (one, other) = (try FarHost("build1"), try FarHost("build2"))
        let calls = try RemoteCalls(hosts: [one, other])
        let gate = try Gate(path: "\(calls.out)/gate")
        let line = "echo out; read x < \(gate.path); exit 4"
        let far = try calls.submitted(calls.job(line, ["hosts": "[\"build1\"]"]))
        let near = try calls.submitted(calls.job(line, ["hosts": "[\"build2\"]"]))
        one.stop()
        let outcome = try calls.poll(far, near)
        #expect(outcome.answer(far) == nil)
        #expect(outcome.answer(near)?.text("state") == "running")
        #expect(outcome.errors.split(separator: "\n").count == 1 && outcome.errors.contains("build1 does not answer"), "\(outcome.errors)")
        #expect(try calls.order("cancel", far).answer(far) == nil)
        try gate.release(2)
        try calls.pollToEnd(near)
        try one.start()
        try calls.pollToEnd(far)
        #expect(try far.end().number("exit") == 4)
        #expect(try far.text("stdout") == "out\n")
    }

    @Test("A job goes to the host with the fewest jobs, to another when one is away, and waits when all are full")
    func spread() throws {
        let (one, other) = (try FarHost("build1"), try FarHost("build2"))
        let calls = try RemoteCalls(hosts: [one, other], slots: 2)
        let gate = try Gate(path: "\(calls.out)/gate")
        let jobs = try (0..<5).map { _ in try calls.job("read x < \(gate.path)") }
        let first = try calls.end(calls.start("submit", calls.submitItems([jobs[0]])))
        other.stop()
        let second = try calls.submit(jobs[1])
        try other.start()
        let rest = try calls.end(calls.start("submit", calls.submitItems(Array(jobs[2...]))))
        let hosts = (first.answers + second.answers + rest.answers).compactMap { $0.text("where") }.sorted()
        #expect(hosts == ["build1", "build1", "build2", "build2"], "\(first) \(second) \(rest)")
        #expect(rest.answers.filter { $0.text("error") == "later" && $0.text("message")?.contains("slots") == true }.count == 1, "\(rest)")
        try gate.release(4)
    }

    @Test("An unknown and a changed host key are refused by ssh, whose words are told; nothing is sent", arguments: [false, true])
    func hostKeys(changed: Bool) throws {
        let host = try FarHost("build1")
        let calls = try RemoteCalls(hosts: [host])
        if changed { try host.changeHostKey() } else { try Files.write("\(host.base)/known", "") }
        let job = try calls.job("true")
        let answer = try #require(try calls.submit(job).answer(job))
        #expect(answer.text("error") == "later" && answer.text("message")?.contains("ost key verification failed") == true, "\(answer)")
        #expect(try calls.find(job).answer(job)?.text("state") == "gone")
        try host.trustHostKey()
        #expect(try calls.submit(job).answer(job)?.text("where") == "build1")
        try calls.pollToEnd(job)
    }

    @Test("A home that is not mounted is not taken for one without the job")
    func otherHome() throws {
        let host = try FarHost("build1")
        let calls = try RemoteCalls(hosts: [host])
        let job = try calls.submitted(calls.job("echo out"))
        try Files.rename("\(host.home)/.spoold", "\(host.home)/away")
        let outcome = try calls.poll(job)
        #expect(outcome.answers.isEmpty && outcome.errors.contains("is it mounted?"), "\(outcome)")
        try Files.rename("\(host.home)/away", "\(host.home)/.spoold")
        try calls.pollToEnd(job)
        #expect(try job.text("stdout") == "out\n")
    }

    @Test("A directory that somebody removed there is gone, and the job does not begin again")
    func removed() throws {
        let host = try FarHost("build1")
        let calls = try RemoteCalls(hosts: [host])
        let gate = try Gate(path: "\(calls.out)/gate")
        let job = try calls.submitted(calls.job("echo x >> \(calls.out)/starts; read x < \(gate.path)"))
        try calls.awaitFile("starts")
        try Files.removeTree("\(host.home)/.spoold/\(host.jobs[0])")
        #expect(try calls.poll(job).answer(job)?.text("state") == "gone")
        #expect(try calls.submit(job).answer(job)?.text("error") == "unknown")
        #expect(try Files.text("\(calls.out)/starts") == "x\n")
        #expect(job.hasStarted)
    }

    // MARK: Hostile input

    @Test(
        "Names that ssh could take for something else are refused",
        arguments: ["-oProxyCommand=touch", "a b", "x@-oA=b", "a;b", "", "a'b"])
    func names(_ name: String) throws {
        let host = try FarHost("build1")
        let calls = try RemoteCalls(hosts: [host])
        let job = try calls.job("true", ["hosts": "[\(JSON.write(Value(.string(name))))]"])
        #expect(try calls.submit(job).answer(job)?.text("error") == "refused")
    }

    @Test(
        "A login that prints without end, ends at once or eats the input is told, and harms no other host",
        arguments: ["exec yes", "exit 5", "read x; exec sh -c \"$SSH_ORIGINAL_COMMAND\""])
    func strange(_ force: String) throws {
        let (strange, host) = (try FarHost("build1", force: force), try FarHost("build2"))
        let calls = try RemoteCalls(hosts: [strange, host])
        let bad = try calls.job("true", ["hosts": "[\"build1\"]"])
        let good = try calls.job("true", ["hosts": "[\"build2\"]"])
        let outcome = try calls.end(calls.start("submit", calls.submitItems([bad, good])))
        #expect(outcome.answer(bad)?.text("error") == "later", "\(outcome)")
        #expect(outcome.answer(good)?.text("where") == "build2", "\(outcome)")
        try calls.pollToEnd(good)
    }

    @Test("check says what it found of each host")
    func check() throws {
        let (host, away) = (try FarHost("build1"), try FarHost("build2"))
        away.stop()
        let calls = try RemoteCalls(hosts: [host, away])
        let answers = try calls.check().answers
        func finds(_ name: String, _ host: String, _ isFine: Bool) -> Bool {
            answers.contains { $0.text("check") == name && $0.boolean("ok") == isFine && $0.text("message")?.hasPrefix(host) == true }
        }
        #expect(finds("reachable", "build1", true) && finds("reachable", "build2", false), "\(answers)")
        #expect(finds("clock", "build1", true) && finds("writable", "build1", true) && finds("session", "build1", true), "\(answers)")
    }

    @Test("With reuse, a second call goes over the connection of the first")
    func reuse() throws {
        let host = try FarHost("build1")
        let calls = try RemoteCalls(hosts: [host], more: ",\"reuse\":\"1m\"")
        let job = try calls.submitted(calls.job("echo out"))
        try calls.pollToEnd(job)
        let logins = try Files.text("\(host.base)/log").split(separator: "\n").filter { $0.contains("Accepted") }.count
        #expect(logins == 1)
        #expect(try job.text("stdout") == "out\n")
    }
}
