// The wrapper, under the shells that machines have.

import Documents
import Executors
import Glibc
import Linux
import TestSupport
import Testing

@Suite struct WrapperTests {
    @Test("The exit code of the command is in the end mark", arguments: WrapperUnderTest.shells, [0, 7, 129, 130, 143, 255])
    func exitCode(shell: WrapperUnderTest.Shell, code: Int32) throws {
        let wrapper = try WrapperUnderTest(shell)
        let item = wrapper.submission("echo out; echo err >&2; exit \(code)")
        #expect(try wrapper.run(item) == code)
        let end = try wrapper.end()
        #expect(end.integer("exit") == Int64(code) && end["signal"] == nil)
        #expect(try wrapper.file("stdout") == "out\n" && wrapper.file("stderr") == "err\n")
    }

    @Test("The signal that ended the command is told from an exit code above 128",
        arguments: WrapperUnderTest.shells, [1, 2, 6, 9, 10, 13, 15])
    func signal(shell: WrapperUnderTest.Shell, number: Int32) throws {
        let wrapper = try WrapperUnderTest(shell)
        #expect(try wrapper.run(wrapper.submission("kill -s \(number) $$; sleep 100")) == 128 + number)
        let end = try wrapper.end()
        #expect(end.integer("signal") == Int64(number) && end["exit"] == nil)
    }
}

extension WrapperTests {
    @Test("Arguments and variables arrive byte by byte, and no other variable does", arguments: WrapperUnderTest.shells)
    func strangeBytes(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        let bytes: [UInt8] = (1...255).map { UInt8($0) }
        let all = FileName.string(from: bytes)
        var item = wrapper.submission("")
        item.arguments = [
            "/bin/sh", "-c", #"printf '%s|' "$@" >"$OUT/arguments"; cat /proc/self/environ"#, "-n", "", " ", "\n", "a'b\"c$d`e\\f*", all,
            "-e", "\n\n",
        ]
        item.environment = [
            "PATH=/usr/bin:/bin", "OUT=\(wrapper.directory)", "A=\(all)", "not a name=x", "EMPTY=", "B='$(touch /tmp/spoold-harm)'",
        ]
        #expect(try wrapper.run(item) == 0)
        let given = try Directory.open(wrapper.directory).readFile("arguments", limit: 1 << 20)
        #expect(given == item.arguments.dropFirst(4).flatMap { FileName.bytes(of: $0) + [UInt8(ascii: "|")] })
        let variables = try Directory.open(wrapper.directory).readFile("stdout", limit: 1 << 20).split(separator: 0).map { Array($0) }
        for variable in item.environment where variable != "not a name=x" { #expect(variables.contains(FileName.bytes(of: variable))) }
        let known = ["PATH", "OUT", "A", "EMPTY", "B", "not a name", "PWD", "OLDPWD", "SHLVL", "_"]
        let names = variables.map { String(decoding: $0.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self) }
        #expect(names.allSatisfy { known.contains($0) }, "\(names)")
    }

    @Test("The command has its directory, its umask, its input, default signals, and no descriptor beside its own three",
        arguments: WrapperUnderTest.shells)
    func surroundings(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        try Directory.open(wrapper.path).writeFile("input", Array("given".utf8))
        var item = wrapper.submission(
            "pwd; umask; cat; echo; for f in 3 4 5 6 7 8 9 10 11 12; do [ ! -e /proc/$$/fd/$f ] || echo open $f; done; "
                + "grep -E 'Sig(Ign|Blk)' /proc/self/status")
        item.workingDirectory = "/usr"
        item.umask = 0o027
        item.input = "\(wrapper.path)/input"
        #expect(try wrapper.run(item) == 0)
        let lines = try wrapper.file("stdout").split(separator: "\n")
        #expect(lines.prefix(3) == ["/usr", "0027", "given"])
        #expect(lines.count == 5 && lines.dropFirst(3).allSatisfy { $0.hasSuffix("0000000000000000") }, "\(lines)")
    }

    @Test("Both streams go to one file when the item names no second one", arguments: WrapperUnderTest.shells)
    func oneOutput(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        var item = wrapper.submission("echo a; echo b >&2; echo c")
        item.errorOutput = nil
        #expect(try wrapper.run(item) == 0)
        #expect(try wrapper.file("stdout") == "a\nb\nc\n" && !wrapper.has("stderr"))
    }

    @Test("A command that cannot be started is told with 126 or 127, and everything else with a sentence",
        arguments: WrapperUnderTest.shells)
    func cannotStart(shell: WrapperUnderTest.Shell) throws {
        let rows: [(change: (inout Submission) -> Void, code: Int32, isCode: Bool, sentence: String)] = [
            ({ $0.arguments = ["no-such-command"] }, 127, true, "command not found: \"no-such-command\" (PATH=/usr/bin:/bin)"),
            ({ $0.arguments = ["/no/such"] }, 127, true, "command not found: \"/no/such\""),
            ({ $0.arguments = ["/etc/passwd"] }, 126, true, "permission denied: \"/etc/passwd\" is not executable"),
            ({ $0.arguments = ["/etc"] }, 126, true, "permission denied: \"/etc\" is not executable"),
            ({ $0.arguments = ["a'\"\u{1b}\n$b"] }, 127, true, "command not found: \"a'\"\u{1b}\n$b\" (PATH=/usr/bin:/bin)"),
            ({ $0.workingDirectory = "/no/such" }, 125, false, "directory \"/no/such\": it cannot be entered on that host"),
            ({ $0.input = "/no/such" }, 125, false, "standard input \"/no/such\": it cannot be read on that host"),
        ]
        for row in rows {
            let wrapper = try WrapperUnderTest(shell)
            var item = wrapper.submission("true")
            row.change(&item)
            #expect(try wrapper.run(item) == row.code)
            let end = try wrapper.end()
            #expect(end.text("failed") == row.sentence && (end["exit"] != nil) == row.isCode)
        }
    }

    @Test("A second start ends at once and leaves everything as it is", arguments: WrapperUnderTest.shells)
    func secondStart(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        let item = wrapper.submission("echo once; exit 3")
        #expect(try wrapper.run(item) == 3)
        let end = try wrapper.file("end.1")
        #expect(try wrapper.run(item) == Wrapper.alreadyStarted)
        #expect(try wrapper.file("end.1") == end && wrapper.file("stdout") == "once\n" && wrapper.errors().isEmpty)
    }

    /// busybox has commands of its own, which no others can take the place of.
    static let shellsWithOtherCommands = WrapperUnderTest.shells.filter { $0.words[0] != "/bin/busybox" }

    @Test("The start mark is on the disk before the command begins", arguments: shellsWithOtherCommands)
    func durableStart(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        // A sync(1) that writes down what it is to sync, and what the command has written by then.
        let sync = "echo \"$# $(cd started.1 && echo *) $(cat out 2>/dev/null)\" >>\(wrapper.path)/syncs"
        try wrapper.writeTool("sync", "#!/bin/sh\n\(sync)\n")
        try wrapper.write(wrapper.submission("echo begun >\(wrapper.directory)/out"))
        let pid = try wrapper.start(path: "\(wrapper.path):/usr/bin:/bin")
        #expect(wrapper.wait(pid) == 0)
        let syncs = try Directory.open(wrapper.path).readFile("syncs", limit: 1 << 16)
        #expect(String(decoding: syncs, as: UTF8.self) == "1 pid \n")
    }

    @Test("Many starts at once are one start", arguments: WrapperUnderTest.shells)
    func manyStarts(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        let item = wrapper.submission("echo once >>\(wrapper.path)/starts")
        try wrapper.write(item)
        let pids = try (1...20).map { _ in try wrapper.start() }
        let codes = pids.map { wrapper.wait($0) }
        #expect(codes.filter { $0 == 0 }.count == 1 && codes.filter { $0 == Wrapper.alreadyStarted }.count == 19)
        let starts = try Directory.open(wrapper.path).readFile("starts", limit: 1 << 16)
        #expect(String(decoding: starts, as: UTF8.self) == "once\n")
    }

    @Test("A late copy starts nothing in a directory that is moved away while it begins", arguments: WrapperUnderTest.shells)
    func movedAway(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        let item = wrapper.submission("echo x >\(wrapper.path)/starts")
        try wrapper.write(item, inserting: "mv '\(wrapper.directory)' '\(wrapper.path)/gone'", before: "if ! mkdir ")
        #expect(try wrapper.wait(wrapper.start()) == Wrapper.alreadyStarted)
        #expect(FileName.isAccessible("\(wrapper.path)/gone/started.1"), "it was moved while the copy began")
        #expect(!FileName.isAccessible("\(wrapper.path)/starts"))
        #expect(try wrapper.errors().isEmpty)
    }

    @Test("Without the job's directory nothing starts, and the reason is told", arguments: WrapperUnderTest.shells)
    func noDirectory(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        var item = wrapper.submission("true")
        item.run.directory = "\(wrapper.path)/gone"
        #expect(try wrapper.run(item) == Wrapper.notStarted)
        #expect(try wrapper.errors().contains("cannot be entered"))
    }

    @Test("The limit asks the command to end and then kills it", arguments: WrapperUnderTest.shells)
    func limit(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        var item = wrapper.submission("trap 'echo asked' INT; trap 'echo told' USR2; echo ready; while :; do sleep 0.05; done")
        item.timeoutMilliseconds = 1_000_000
        item.killAfterMilliseconds = 300
        item.stopSignal = SIGINT
        let pid = try wrapper.start(item)
        // The limit must not be over before the command has set its traps. The wrapper looks at it at each signal.
        try wrapper.awaitKnowledge(pid)
        try Directory.open(wrapper.directory).writeFile("extend", Array("-999.7\n".utf8))
        kill(pid, SIGUSR2)
        #expect(wrapper.wait(pid) == 137)
        let end = try wrapper.end()
        #expect(end.integer("signal") == 9 && end.boolean("timed_out"))
        let lines = try wrapper.file("stdout").split(separator: "\n")
        #expect(lines.first == "ready" && lines.contains("asked"), "\(lines)")
        #expect(try #require(end.integer("ended")) - #require(end.integer("started")) >= 600)
    }

    @Test("The file extend moves the limit, forwards and backwards", arguments: WrapperUnderTest.shells)
    func extended(shell: WrapperUnderTest.Shell) throws {
        // The content of extend, the limit in milliseconds, and the outcome. The command ends by itself where the limit is far.
        let rows: [(extend: String, timeout: Int64, isOver: Bool)] = [
            ("100\n", 200, false), ("-99.8\n", 100_000, true), ("1\nabc\n-100.9\n+0.1\n\n1e9\n", 100_000, true),
            ("0099\n-0.5\n", 200, false),
            ("0.2\n", 0, true), ("-1\n", 0, false), ("-99.8", 100_000, true), ("50\r\n-49.9\n", 200, true),
        ]
        for row in rows {
            let wrapper = try WrapperUnderTest(shell)
            try Directory.open(wrapper.directory).writeFile("extend", Array(row.extend.utf8))
            var item = wrapper.submission(row.isOver ? "sleep 100" : "sleep 0.6; exit 5")
            item.timeoutMilliseconds = row.timeout
            let code = try wrapper.run(item)
            #expect(code == (row.isOver ? 143 : 5), "\(row.extend)")
            #expect(try wrapper.end().boolean("timed_out") == row.isOver, "\(row.extend)")
        }
    }

    @Test("TERM to the wrapper stops the command, and the true end is recorded", arguments: WrapperUnderTest.shells)
    func stopped(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        let item = wrapper.submission("trap 'exit 11' TERM; echo ready; while :; do sleep 0.05; done")
        let pid = try wrapper.start(item)
        try wrapper.awaitFile("stdout", "ready\n")
        kill(pid, SIGTERM)
        #expect(wrapper.wait(pid) == 11)
        #expect(try wrapper.end().integer("exit") == 11)
    }

    @Test("A TERM at any moment of the start is not lost", arguments: WrapperUnderTest.shells)
    func stoppedEarly(shell: WrapperUnderTest.Shell) throws {
        var moment = 0
        var hasBegun = false
        while !hasBegun {
            let wrapper = try WrapperUnderTest(shell)
            let changes = try StartChanges(wrapper)
            let pid = try wrapper.start(wrapper.submission("echo ready; sleep 100"))
            hasBegun = try !changes.reach(moment)
            moment += 1
            kill(pid, SIGTERM)
            let code = wrapper.wait(pid)
            // Before its first line is run, the shell itself is ended; then there is no mark.
            #expect(wrapper.has("started.1") == wrapper.has("end.1"))
            #expect(code == 143)
            if wrapper.has("end.1") { #expect(try wrapper.end().integer("signal") == 15) }
        }
        #expect(moment >= 5, "at least the mark, the output, its error output and the beat are made")
    }

    @Test("A TERM is not lost while the command's process is still a copy of the shell",
        .enabled(if: FileName.isAccessible("/usr/bin/strace", X_OK), "needs strace"), arguments: WrapperUnderTest.shells)
    func stoppedWhileCopied(shell: WrapperUnderTest.Shell) throws {
        // A copy catches what the shell catches until it has set each signal back, and a shell may drop what came until then.
        // Microseconds at each of these calls. Which one has the signal come to the copy differs between machines.
        for delay in [0, 50, 100, 200, 400, 800, 1600] {
            let options = ["-e", "trace=rt_sigaction", "-e", "inject=rt_sigaction:delay_exit=\(delay)"]
            let wrapper = try WrapperUnderTest(shell.traced(options))
            let changes = try StartChanges(wrapper)
            let pid = try wrapper.start(wrapper.submission("sleep 100"))
            #expect(try changes.reach(2))
            kill(pid, SIGTERM)
            #expect(wrapper.wait(pid) == 143, "\(delay)")
            #expect(try wrapper.end().integer("signal") == 15, "\(delay)")
        }
    }

    @Test("Signals are forwarded to the command's group", arguments: WrapperUnderTest.shells, [1, 2, 3, 10, 12, 14, 15, 18, 25])
    func forwarded(shell: WrapperUnderTest.Shell, number: Int32) throws {
        let wrapper = try WrapperUnderTest(shell)
        let pid = try wrapper.start(wrapper.submission("trap 'exit 50' \(number); echo ready; while :; do sleep 0.05; done"))
        try wrapper.awaitFile("stdout", "ready\n")
        kill(pid, Wrapper.signal(forwarding: number))
        #expect(wrapper.wait(pid) == 50)
        #expect(try wrapper.end().integer("exit") == 50)
    }

    @Test("The command can be stopped, continued and killed alone", arguments: WrapperUnderTest.shells)
    func killed(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        let pid = try wrapper.start(wrapper.submission("echo ready; sleep 100"))
        try wrapper.awaitFile("stdout", "ready\n")
        for number in [SIGSTOP, SIGCONT, SIGSTOP, SIGKILL] { kill(pid, Wrapper.signal(forwarding: number)) }
        #expect(wrapper.wait(pid) == 137)
        let end = try wrapper.end()
        #expect(end.integer("signal") == 9 && !end.boolean("timed_out"))
    }

    @Test("When the wrapper alone is killed, the keeper records the true end", arguments: WrapperUnderTest.shells)
    func keeperAlone(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        let fifo = "\(wrapper.directory)/gate"
        #expect(mkfifo(fifo, 0o600) == 0)
        let pid = try wrapper.start(wrapper.submission("echo ready; read x <'\(fifo)'; exit 21"))
        try wrapper.awaitFile("stdout", "ready\n")
        kill(pid, SIGKILL)
        #expect(wrapper.wait(pid) == 137)
        try FileDescriptor.open(fifo, O_WRONLY).write(Array("x\n".utf8))
        try wrapper.awaitFile("end.1")
        #expect(try wrapper.end().integer("exit") == 21)
    }

    @Test("When the wrapper alone was killed, signals to the keeper reach the command", arguments: WrapperUnderTest.shells,
        [SIGTERM, SIGUSR1, Wrapper.signal(forwarding: SIGKILL)])
    func keeperSignaled(shell: WrapperUnderTest.Shell, number: Int32) throws {
        let wrapper = try WrapperUnderTest(shell)
        let pid = try wrapper.start(
            wrapper.submission(
                "trap 'exit 15' TERM; trap 'exit 10' USR1; trap 'echo told' USR2; echo ready; while :; do sleep 0.05; done"))
        try wrapper.awaitKnowledge(pid)
        let keeper = try #require(pid_t(wrapper.file("started.1/keeper").dropLast()))
        kill(pid, SIGKILL)
        #expect(wrapper.wait(pid) == 137)
        kill(keeper, number)
        try wrapper.awaitFile("end.1")
        let end = try wrapper.end()
        #expect(number > 33 ? end.integer("signal") == 9 : end.integer("exit") == Int64(number), "\(end)")
    }

    @Test("No timer outlives a wrapper that was killed by more than half a minute, however long its limits",
        arguments: shellsWithOtherCommands)
    func shortTimers(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        // A sleep(1) that writes down for how long it is asked to sleep.
        let sleep = "#!/bin/sh\necho \"$1\" >>'\(wrapper.directory)/sleeps'\nPATH=/usr/bin:/bin exec sleep \"$1\"\n"
        try wrapper.writeTool("sleep", sleep)
        var item = wrapper.submission("trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done")
        item.timeoutMilliseconds = 1_000_000
        item.killAfterMilliseconds = 1_000_000
        try wrapper.write(item)
        let pid = try wrapper.start(path: "\(wrapper.path):/usr/bin:/bin")
        try wrapper.awaitFile("stdout", "ready\n")
        kill(pid, SIGTERM)
        // That of the beat and those of the limits. The others are pauses of a moment.
        func timers() throws -> [Double] { try wrapper.file("sleeps").split(separator: "\n").compactMap { Double($0) }.filter { $0 >= 1 } }
        try wrapper.awaitChange("timers") { try timers().count >= 2 }
        let found = try timers()
        #expect(found.allSatisfy { $0 <= 30 }, "\(found)")
        kill(pid, Wrapper.signal(forwarding: SIGKILL))
        #expect(wrapper.wait(pid) == 137)
    }

    @Test("What the command leaves running in its group is ended before the end is written", arguments: WrapperUnderTest.shells)
    func leftovers(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        let left = "(trap '' TERM; echo $$ >left; while :; do sleep 0.05; done)"
        var item = wrapper.submission("\(left) & while [ ! -s left ]; do sleep 0.02; done; exit 4")
        item.workingDirectory = wrapper.path
        item.killAfterMilliseconds = 200
        let pid = try wrapper.start(item)
        #expect(wrapper.wait(pid) == 4)
        #expect(try wrapper.end().integer("exit") == 4)
        #expect(try wrapper.processes() == [])
    }

    @Test("A wrapper that stands still past the time of the kill still kills what the command has left running",
        arguments: shellsWithOtherCommands)
    func leftoversAfterAPause(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        // A sleep(1) that makes the wrapper's first pause after the end of the command longer than a kill has to take effect.
        let pause = "[ \"$1\" = 0.05 ] && mkdir '\(wrapper.path)/paused' 2>/dev/null && exec sleep 6"
        let sleep = "#!/bin/sh\nPATH=/usr/bin:/bin\n\(pause)\nexec sleep \"$1\"\n"
        try Descriptors.alone { try Directory.open(wrapper.path).writeFile("sleep", Array(sleep.utf8), mode: 0o700) }
        var item = wrapper.submission("(trap '' TERM; echo $$ >left; exec sleep 1000) & while [ ! -s left ]; do sleep 0.02; done; exit 4")
        item.workingDirectory = wrapper.path
        // Not over before the pause.
        item.killAfterMilliseconds = 500
        try wrapper.write(item)
        #expect(wrapper.wait(try wrapper.start(path: "\(wrapper.path):/usr/bin:/bin")) == 4)
        #expect(FileName.isAccessible("\(wrapper.path)/paused"))
        let left = String(decoding: try Directory.open(wrapper.path).readFile("left", limit: 100), as: UTF8.self)
        #expect(try !wrapper.processes().contains(try #require(pid_t(left.dropLast()))))
    }

    @Test("Nothing of the wrapper is left when it has ended", arguments: WrapperUnderTest.shells)
    func nothingLeft(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        var item = wrapper.submission("true")
        item.timeoutMilliseconds = 1_000_000
        #expect(try wrapper.run(item) == 0)
        #expect(try wrapper.processes().isEmpty)
        #expect(try Directory.open("\(wrapper.directory)/started.1").list().map(\.name).sorted() == ["at", "host", "keeper", "pid"])
    }

    @Test("No timer is left whose sleep has not noticed the first signal, however the wrapper ends",
        arguments: shellsWithOtherCommands, [false, true])
    func lostSignal(shell: WrapperUnderTest.Shell, isFailure: Bool) throws {
        let wrapper = try WrapperUnderTest(shell)
        let asleep = "\(wrapper.path)/asleep"
        // A sleep(1) that loses its first TERM, as a process does that is a copy of the shell still.
        try wrapper.writeTool(
            "sleep",
            """
            #!/bin/sh
            PATH=/usr/bin:/bin
            case $1 in 0.*) exec sleep "$1" ;; esac
            trap 'trap - TERM' TERM
            mkfifo '\(asleep).pipe'
            exec 3<>'\(asleep).pipe'
            : >'\(asleep)'
            while :; do read x <&3; done
            """)
        var item = wrapper.submission("true")
        if isFailure { item.workingDirectory = "/no/such" }
        // The keeper waits for the timer of the beat.
        let wait = "while [ ! -e '\(asleep)' ]; do /bin/sleep 0.01; done"
        try wrapper.write(item, inserting: wait, before: "    cd \"$work\" ")
        let pid = try wrapper.start(path: "\(wrapper.path):/usr/bin:/bin")
        #expect(wrapper.wait(pid) == (isFailure ? Wrapper.notStarted : 0))
        #expect(try wrapper.processes() == [])
    }

    @Test("The wrapper ends after its keeper, however late that is", arguments: WrapperUnderTest.shells)
    func lateKeeper(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        var item = wrapper.submission("exit 9")
        // The keeper's directory too, by which it is found.
        item.workingDirectory = wrapper.path
        try wrapper.write(item, inserting: "/bin/sleep 0.5", before: "    # The wrapper that has read this has written")
        #expect(wrapper.wait(try wrapper.start()) == 9)
        #expect(try wrapper.processes() == [])
    }

    @Test("A signal that comes to the keeper alone before it knows its command is passed on when it does",
        arguments: WrapperUnderTest.shells)
    func keeperSignaledEarly(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        let item = wrapper.submission("trap 'exit 15' TERM; : >'\(wrapper.directory)/set'; while :; do sleep 0.05; done")
        // The keeper waits until the command has set its trap, and then for the test.
        let fifo = "\(wrapper.path)/gate"
        #expect(mkfifo(fifo, 0o600) == 0)
        let wait = "while [ ! -e '\(wrapper.directory)/set' ]; do /bin/sleep 0.01; done; : >'\(wrapper.directory)/here'; read x <'\(fifo)'"
        try wrapper.write(item, inserting: wait, before: "    p=$!\n")
        let pid = try wrapper.start()
        try wrapper.awaitFile("here")
        try wrapper.awaitChange("the keeper's number") { ((try? wrapper.file("started.1/keeper")) ?? "").hasSuffix("\n") }  // not there yet
        let keeper = try #require(pid_t(wrapper.file("started.1/keeper").dropLast()))
        kill(pid, SIGKILL)
        #expect(wrapper.wait(pid) == 137)
        // Not for writing alone: the keeper may read no more when the signal has come.
        let gate = try FileDescriptor.open(fifo, O_RDWR)
        kill(keeper, SIGTERM)
        try gate.write(Array("x\n".utf8))
        try wrapper.awaitFile("end.1")
        #expect(try wrapper.end().integer("exit") == 15)
    }

    @Test("Signals to every process of the wrapper, as an engine sends them, end it with a true end", arguments: WrapperUnderTest.shells)
    func everyProcess(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        var item = wrapper.submission("trap 'exit 12' TERM; echo ready; while :; do sleep 0.05; done")
        item.timeoutMilliseconds = 1_000_000
        let pid = try wrapper.start(item)
        try wrapper.awaitFile("stdout", "ready\n")
        for process in try wrapper.processes() { kill(process, SIGTERM) }
        #expect(wrapper.wait(pid) == 12)
        #expect(try wrapper.end().integer("exit") == 12)
    }

    @Test("A command that the wrapper runs may be ended once by a signal, which an engine sends to every process of the job",
        arguments: shellsWithOtherCommands,
        ["date", "uname", "mkfifo", "sync", "sleep", "rm", "dd", "mv", "wc", "tail", "cat", "mkdir"])
    func endedTool(shell: WrapperUnderTest.Shell, name: String) throws {
        for isDone in [false, true] {
            let wrapper = try WrapperUnderTest(shell)
            let tool = """
                #!/bin/sh
                PATH=/usr/bin:/bin
                mkdir '\(wrapper.path)/once' 2>/dev/null || exec \(name) "$@"
                \(isDone ? name + " \"$@\"" : ":")
                kill -s TERM $$
                """
            try wrapper.writeTool(name, tool)
            // More than the limit of the output, and a limit of its time.
            var item = wrapper.submission("i=0; while [ $i -lt 2000 ]; do echo 0123456789; i=$((i+1)); done; exit 3")
            item.outputLimit = 4096
            item.timeoutMilliseconds = 1_000_000
            try wrapper.write(item)
            let code = wrapper.wait(try wrapper.start(path: "\(wrapper.path):/usr/bin:/bin"))
            if name == "mkdir" {
                // Nothing is begun: the mark is not there, or nobody knows whose it is.
                #expect(code == (isDone ? Wrapper.alreadyStarted : Wrapper.notStarted) && !wrapper.has("end.1"))
                continue
            }
            #expect(code == 3, "\(isDone)")
            let end = try wrapper.end()
            #expect(end.integer("exit") == 3)
            #expect(try #require(end.integer("started")) > 1_700_000_000_000)
        }
    }

    @Test("Output past the limit keeps its first half and its end", arguments: WrapperUnderTest.shells)
    func outputLimit(shell: WrapperUnderTest.Shell) throws {
        var wrapper = try WrapperUnderTest(shell)
        func milliseconds() throws -> Int64 {
            var item = wrapper.submission("echo first; i=0; while [ $i -lt 2000 ]; do echo 0123456789; i=$((i+1)); done; echo last")
            item.outputLimit = 4096
            #expect(try wrapper.run(item) == 0)
            let end = try wrapper.end()
            return try #require(end.integer("ended")) - #require(end.integer("started"))
        }
        // The beat after 20 seconds shortens the output that is there by then, so that another number of bytes is told at the end.
        while try milliseconds() >= 20_000 { wrapper = try WrapperUnderTest(shell) }
        let text = try wrapper.file("stdout")
        #expect(text.hasPrefix("first\n") && text.hasSuffix("last\n") && text.utf8.count < 4096)
        #expect(text.contains("\n[spoold: about 18939 bytes of the output are left out here]\n"))
    }

    @Test("On a full disk the end mark comes when there is room again",
        .enabled(if: getuid() == 0, "only root can mount a small disk"), arguments: WrapperUnderTest.shells)
    func fullDisk(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        try wrapper.mountSmallDisk()
        let fill = "cat /dev/zero >zero 2>/dev/null; exit 6"
        var item = wrapper.submission(fill)
        item.workingDirectory = wrapper.directory
        let pid = try wrapper.start(item)
        // The file is made, and there is no room for its line.
        try wrapper.awaitFile("end.1.tmp", "")
        #expect(!wrapper.has("end.1"))
        try Directory.open(wrapper.directory).unlink("zero")
        #expect(wrapper.wait(pid) == 6)
        #expect(try wrapper.end().integer("exit") == 6)
    }

    @Test("The processor time is the command's", arguments: WrapperUnderTest.shells)
    func times(shell: WrapperUnderTest.Shell) throws {
        let wrapper = try WrapperUnderTest(shell)
        #expect(try wrapper.run(wrapper.submission("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")) == 0)
        let end = try wrapper.end()
        #expect(try #require(end.integer("user_ms")) + #require(end.integer("sys_ms")) > 20)
    }
}
