import CLinux
import Glibc
import Linux
import Testing
import WorkerProtocol

@Suite struct WorkerTests {
    let worker: WorkerUnderTest
    var temporary: TemporaryDirectory { worker.temporary }

    init() throws { worker = try WorkerUnderTest() }

    // MARK: Outcomes

    @Test("An exit code is reported as it is", arguments: [0, 1, 7, 255])
    func exitCodes(code: Int32) throws {
        let before = Clock.now()
        let end = try worker.run(worker.shell("exit \(code)") { $0.jobID = "a b"; $0.attempt = 4 })
        #expect(end.kind == .exited(code: code))
        #expect(end.jobID == "a b" && end.attempt == 4 && end.leftovers == 0)
        #expect(before <= end.startedAt && end.startedAt <= end.endedAt && end.endedAt <= Clock.now())
        #expect(end.maxRSSBytes > 100_000)
        #expect(worker.record == .ended(end))
    }

    @Test("A signal is reported by its number", arguments: [SIGKILL, SIGTERM, SIGHUP, SIGPIPE, SIGINT])
    func signals(number: Int32) throws {
        #expect(try worker.run(worker.shell("kill -\(number) $$")).kind == .signaled(number: number, coreDumped: false))
    }

    @Test func processorTimeIsMeasured() throws {
        let end = try worker.run(worker.shell("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"))
        #expect(end.userMilliseconds + end.systemMilliseconds > 0)
        #expect(end.wallMilliseconds + 20 >= end.userMilliseconds)
    }

    @Test func oneWorkerServesManyRuns() throws {
        _ = try worker.run(worker.request(["true"]))
        let descriptors = try worker.openDescriptors()
        for attempt in 1...300 {
            let end = try worker.run(worker.request([attempt % 3 == 0 ? "false" : "true"]) { $0.attempt = attempt })
            #expect(end.kind == .exited(code: attempt % 3 == 0 ? 1 : 0) && end.attempt == attempt)
        }
        #expect(try worker.openDescriptors() == descriptors)
    }

    // MARK: Commands that cannot start

    @Test func whatCannotStartSaysWhy() throws {
        try temporary.write("plain", "x")
        try temporary.write("bad", "#!/no/such/interpreter\n", mode: 0o700)
        try temporary.write("text", "echo\n", mode: 0o700)
        let path = temporary.path
        let cases: [(RunRequest, Int32, String)] = [
            (worker.request(["true"]) { $0.workingDirectory = "/nope" }, ENOENT, "directory \"/nope\": No such file or directory"),
            (worker.request(["true"]) { $0.workingDirectory = "/etc/passwd" }, ENOTDIR, "directory \"/etc/passwd\": Not a directory"),
            (worker.request(["foo"]), ENOENT, "command not found: \"foo\" (PATH=/usr/bin:/bin)"),
            (worker.request(["foo"]) { $0.environment = [] }, ENOENT, "command not found: \"foo\" (PATH=/bin:/usr/bin)"),
            (worker.request(["/no/foo"]), ENOENT, "command not found: \"/no/foo\""),
            (
                worker.request(["plain"]) { $0.environment = ["PATH=\(path)"] }, EACCES,
                "permission denied: \"\(path)/plain\" is not executable"),
            (worker.request(["./plain"]), EACCES, "permission denied: \"./plain\" is not executable"),
            (worker.request([path]), EACCES, "permission denied: \"\(path)\" is not executable"),
            (
                worker.request(["./bad"]) { $0.workingDirectory = path }, ENOENT,
                "command not found: the interpreter that the first line of \"./bad\" names"),
            (
                worker.request(["./text"]), ENOEXEC,
                "command cannot be executed: \"./text\" is not a program; a script must begin with a line like #!/bin/sh"
            ),
            (worker.request([]), EINVAL, "the command is empty"),
            (worker.request(["true"]) { $0.stdin = "missing" }, ENOENT, "standard input \"missing\": No such file or directory"),
            (worker.request(["true"]) { $0.jobDirectory = "/nope" }, ENOENT, "output \"/nope/stdout\": No such file or directory"),
        ]
        for (request, errno, message) in cases {
            let end = try worker.run(request)
            #expect(end.kind == .spawnFailed(errno: errno, message: message))
            #expect(worker.record == .ended(end))
        }
        #expect(try worker.run(worker.request(["true"])).kind == .exited(code: 0))
    }

    @Test func aSecondRunIsRefusedAndTheFirstGoesOn() throws {
        let go = try Pipe(temporary, "go")
        try worker.send(.run(worker.shell("read x < go; exit 4")))
        let refusal = try worker.run(worker.request(["true"]) { $0.jobID = "second" })
        #expect(refusal.jobID == "second")
        #expect(refusal.kind == .spawnFailed(errno: EBUSY, message: "this worker is still running job"))
        guard case .running(let running) = worker.record else {
            Issue.record("the record lost the run")
            return
        }
        #expect(running.jobID == "job")
        try go.write("")
        #expect(try worker.report().kind == .exited(code: 4))
    }

    // MARK: Environment

    @Test("Attacks 34, 36, 37: a job gets the promised things and nothing else") func aJobGetsWhatItWasPromisedAndNothingElse() throws {
        try temporary.write("input", "from a file\n")
        try temporary.directory.makeDirectory("work")
        let environment = ["PATH=/usr/bin:/bin", "A=", "B=x y\nz", "ODD=\u{10FFFF}é"]
        #expect(try worker.run(worker.request(["env", "-0"]) { $0.environment = environment }).kind == .exited(code: 0))
        let expected = environment.flatMap { (variable: String) -> [UInt8] in FileName.bytes(of: variable) + [0] }
        #expect(try temporary.directory.readFile("stdout", limit: .max) == expected)

        let script = """
            umask; pwd; cat; echo error >&2; ls /proc/self/fd | tr '\\n' ' '; echo
            grep -E '^(SigBlk|SigIgn|ShdPnd)' /proc/self/status
            cut -d' ' -f5,6 /proc/$$/stat; echo $$
            """
        let end = try worker.run(
            worker.shell(script) {
                $0.umask = 0o027
                $0.workingDirectory = "\(temporary.path)/work"
                $0.stdin = "../input"
                $0.stdoutName = "out"
                $0.stderrName = "err"
            })
        #expect(end.kind == .exited(code: 0))
        let lines = try temporary.text("out").split(separator: "\n").map(String.init)
        let none = "0000000000000000"
        // Descriptor 3 belongs to ls itself, for the directory that it reads.
        let start = [
            "0027", "\(temporary.path)/work", "from a file", "0 1 2 3 ", "ShdPnd:\t\(none)", "SigBlk:\t\(none)", "SigIgn:\t\(none)",
        ]
        #expect(Array(lines.prefix(7)) == start)
        #expect(lines.count == 9 && lines[7] == "\(lines[8]) \(lines[8])", "leader of its own group and session")
        #expect(try temporary.text("err") == "error\n")
        #expect(try temporary.directory.status("out").mode == 0o600)
    }

    @Test func withoutInputItReadsNothing() throws {
        #expect(try worker.run(worker.shell("cat; readlink /proc/self/fd/0")).kind == .exited(code: 0))
        #expect(try temporary.text("stdout") == "/dev/null\n")
    }

    @Test func aPipeWithoutWriterHoldsNobody() throws {
        guard mkfifo("\(temporary.path)/pipe", 0o600) == 0 else { throw SystemError(call: "mkfifo", errno: errno) }
        #expect(try worker.run(worker.request(["cat"]) { $0.stdin = "pipe" }).kind == .exited(code: 0))
    }

    @Test func outputStartsEmptyAndMayBeOneFileForBoth() throws {
        try temporary.write("both", "old")
        let end = try worker.run(
            worker.shell("echo 1; echo 2 >&2; echo 3") {
                $0.stdoutName = "both"
                $0.stderrName = "both"
            })
        #expect(end.kind == .exited(code: 0))
        #expect(try temporary.text("both") == "1\n2\n3\n")
    }

    @Test func outputIsNotWrittenThroughALink() throws {
        try temporary.write("target", "kept")
        try temporary.directory.makeSymbolicLink("stdout", to: "target")
        guard case .spawnFailed(ELOOP, _) = try worker.run(worker.request(["true"])).kind else {
            Issue.record("the link was followed")
            return
        }
        #expect(try temporary.text("target") == "kept")
    }

    @Test func theCommandIsFoundInTheJobsPath() throws {
        try temporary.directory.makeDirectory("first")
        try temporary.directory.makeDirectory("first/tool")
        try temporary.directory.makeDirectory("second")
        try temporary.write("second/tool", "#!/bin/sh\nexit 9\n", mode: 0o700)
        try temporary.write("here", "#!/bin/sh\nexit 8\n", mode: 0o700)
        let path = temporary.path
        #expect(
            try worker.run(worker.request(["tool"]) { $0.environment = ["PATH=/none:\(path)/first:\(path)/second"] }).kind
                == .exited(code: 9))
        #expect(try worker.run(worker.request(["tool"]) { $0.environment = ["PATH=second"] }).kind == .exited(code: 9))
        #expect(try worker.run(worker.request(["here"]) { $0.environment = ["PATH=/none:"] }).kind == .exited(code: 8))
        #expect(try worker.run(worker.request(["second/tool"])).kind == .exited(code: 9))
    }

    // MARK: Limits and stops

    @Test func atTheLimitItIsAskedToEnd() throws {
        let end = try worker.run(worker.request(["sleep", "1000"]) { $0.timeoutMilliseconds = 50 })
        #expect(end.kind == .timedOut(.signaled(number: SIGTERM, coreDumped: false)))
        #expect(end.wallMilliseconds >= 50)
    }

    @Test("Attack 65: a command that ignores the request is killed") func whoIgnoresTheRequestIsKilled() throws {
        // sleep ignores SIGWINCH from its start, so the request cannot arrive before it ignores the signal.
        let end = try worker.run(
            worker.request(["sleep", "1000"]) {
                $0.timeoutMilliseconds = 30
                $0.stopSignal = SIGWINCH
                $0.killAfterMilliseconds = 30
            })
        #expect(end.kind == .timedOut(.signaled(number: SIGKILL, coreDumped: false)))
        #expect(end.wallMilliseconds >= 60)

        let ready = try Pipe(temporary, "ready")
        try worker.send(.run(worker.shell("trap '' TERM; echo ready > ready; while :; do sleep 1000; done")))
        #expect(try ready.line() == "ready")
        try worker.send(.stop(killAfterMilliseconds: 10))
        #expect(try worker.report().kind == .signaled(number: SIGKILL, coreDumped: false))
    }

    @Test func whoObeysMayChooseItsExitCode() throws {
        let ready = try Pipe(temporary, "ready")
        try worker.send(.run(worker.shell("trap 'exit 3' TERM; echo ready > ready; while :; do sleep 0.01; done")))
        #expect(try ready.line() == "ready")
        try worker.send(.stop(killAfterMilliseconds: nil))
        #expect(try worker.report().kind == .exited(code: 3))
    }

    @Test("Attack 64: a stopped process still ends") func aStoppedProcessStillEnds() throws {
        let end = try worker.run(worker.shell("kill -STOP $$") { $0.timeoutMilliseconds = 50 })
        #expect(end.kind == .timedOut(.signaled(number: SIGTERM, coreDumped: false)))
    }

    @Test func aSignalReachesTheWholeGroup() throws {
        let ready = try Pipe(temporary, "ready")
        try worker.send(.run(worker.shell("sh -c \"trap 'exit 5' USR1; echo ready > ready; while :; do sleep 0.01; done\"; exit $?")))
        #expect(try ready.line() == "ready")
        try worker.send(.signal(999))
        try worker.send(.signal(SIGUSR1))
        let kind = try worker.report().kind
        #expect(kind == .signaled(number: SIGUSR1, coreDumped: false) || kind == .exited(code: 5))

        // The signal reaches the command's children, too.
        try worker.send(
            .run(
                worker.shell(
                    "sh -c \"trap 'echo got > ready; exit' USR1; echo ready > ready; while :; do sleep 0.01; done\" & exec sleep 1000")))
        #expect(try ready.line() == "ready")
        try worker.send(.signal(SIGUSR1))
        #expect(try ready.line() == "got")
        #expect(try worker.report().kind == .signaled(number: SIGUSR1, coreDumped: false))
    }

    @Test func theLimitCanBeMovedLater() throws {
        let ready = try Pipe(temporary, "ready")
        let request = worker.shell("sleep 1.2; echo ready > ready; read x < go; exit 6") { $0.timeoutMilliseconds = 1000 }
        let go = try Pipe(temporary, "go")
        // The file has a line before the run begins. The content at the time of the limit counts.
        try temporary.write("extend", "1e300\n")
        try worker.send(.run(request))
        #expect(try ready.line() == "ready")
        try go.write("")
        #expect(try worker.report().kind == .exited(code: 6))
    }

    @Test func commandsWithoutARunDoNothing() throws {
        for command: Command in [.signal(SIGKILL), .stop(killAfterMilliseconds: 0)] { try worker.send(command) }
        #expect(try worker.run(worker.request(["true"])).kind == .exited(code: 0))
    }
}
