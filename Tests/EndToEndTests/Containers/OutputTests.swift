import Documents
import Glibc
import Linux
import TestSupport
import Testing

/// The output of jobs on spoold's standard output.
@Suite("The output of jobs on standard output", .ownThreads)
struct OutputTests {
    /// A spool whose daemon writes its standard output to a pipe that the test reads, or does not.
    private final class Piped {
        let spool: SpoolUnderTest
        let fifo: String
        private(set) var reader: FileDescriptor?
        private var read: [UInt8] = []
        private var keeper: Child?

        /// - Parameter isOwnProgram: true when the test replaces the program, which is then `spoold` in the directory of the test.
        init(_ form: String, configuration: String = "", tmpfsBytes: Int? = nil, isOwnProgram: Bool = false) throws {
            spool = try SpoolUnderTest(configuration: configuration, tmpfsBytes: tmpfsBytes, starting: false)
            fifo = "\(spool.out)/stdout"
            guard mkfifo(fifo, 0o600) == 0 else { throw SystemError(call: "mkfifo", path: fifo, errno: errno) }
            reader = try FileDescriptor.open(fifo, O_RDONLY | O_NONBLOCK)
            let arguments = ["--output=\(form)", "--drain", "--worker", "\(SpoolUnderTest.programs)/spool-worker"]
            if isOwnProgram { try Commands.succeed("cp", "\(SpoolUnderTest.programs)/spoold", spool.base) }
            let programs = isOwnProgram ? spool.base : nil
            try spool.launch(programs: programs, tracer: ["/bin/sh", "-c", "exec \"$@\" > \(fifo)", "sh"], arguments: arguments)
            try spool.notification("READY=1")
        }

        func close() { reader = nil }

        /// Has another program read from now on, which keeps the lines of a job in a file: its path.
        func keepLines(of name: String) throws -> String {
            let kept = "\(spool.out)/kept"
            let words = ["-c", "exec grep -a --line-buffered '^\(name) ' < \(fifo) > \(kept)"]
            let null = try FileDescriptor.open("/dev/null", O_WRONLY)
            keeper = try Child("/bin/sh", words, environment: spool.environment, output: null.raw, error: null.raw)
            try spool.wait(for: "another reader") { Files.exists(kept) }
            close()
            return kept
        }

        /// Reads until `condition` is true of the lines.
        func lines(until condition: ([String]) throws -> Bool) throws -> [String] {
            let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
            while true {
                let lines = read.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
                    .map { String(decoding: $0, as: UTF8.self) }
                if try condition(lines) { return lines }
                guard let raw = reader?.raw, awaitReadable([raw], until: end) else {
                    throw spool.failure("no more output: \(lines.suffix(5))")
                }
                var buffer = [UInt8](repeating: 0, count: 1 << 16)
                let count = Glibc.read(raw, &buffer, buffer.count)
                if count > 0 { read += buffer[..<count] }
            }
        }

        func lines(count: Int) throws -> [String] { try lines { $0.count >= count } }

        /// Waits until something is written, and does not read it.
        func awaitSome() throws {
            let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
            guard let raw = reader?.raw, awaitReadable([raw], until: end) else { throw spool.failure("no output") }
        }

        /// The bytes of the output of a job in the lines that were written and are `whole`, and those that the log counts as left out.
        /// Called when spoold has ended.
        func bytes(of name: String, _ id: String, whole: (Substring) -> Bool = { _ in true }) throws -> (written: Int, leftOut: Int) {
            var written = 0
            let prefix = "\(name) \(id): "
            for line in try rest() where line.hasPrefix(prefix) && whole(line.dropFirst(prefix.count)) {
                written += line.utf8.count - prefix.utf8.count + 1
            }
            let counts = spool.log.split(separator: "\n").filter { $0.contains("event=output-left-out") }.map { line in
                line.split(separator: " ").first { $0.hasPrefix("bytes=") }.flatMap { Int($0.dropFirst("bytes=".count)) } ?? 0
            }
            return (written, counts.reduce(0, +))
        }

        /// The whole lines until the end of the pipe.
        private func rest() throws -> [String] {
            guard let raw = reader?.raw else { return [] }
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while case let count = Glibc.read(raw, &buffer, buffer.count), count > 0 { read += buffer[..<count] }
            return try lines { _ in true }
        }
    }

    enum Loss: CaseIterable { case end, upgrade, upgradeWhileRunning, deadWorker }

    @Test("W5: Each line is written or counted, when spoold ends, becomes a new program or loses a worker while nobody reads",
        arguments: Loss.allCases)
    func counted(_ loss: Loss) throws {
        let piped = try Piped("stdout")
        let spool = piped.spool
        let gate = try spool.gate()
        // More than the pipe, spoold and the worker hold together.
        try spool.drop("much.toml", "command = 'seq 1 60000; echo > \(spool.out)/written; read x < \(gate.path)'")
        try spool.output("written")
        try piped.awaitSome()
        switch loss {
        case .end, .upgrade: break
        case .upgradeWhileRunning:
            spool.signal(SIGUSR2)
            try spool.logLine("event=adopted")
        case .deadWorker:
            let worker = try #require(Processes.workers(ofSpool: spool.path).first)
            kill(worker, SIGKILL)
            try spool.logLine("event=worker-died")
        }
        if loss != .deadWorker { try gate.release() }
        let job = try spool.end(of: "much")
        #expect(job.outcome == (loss == .deadWorker ? "failed lost" : "done 0"))
        if loss == .upgrade {
            spool.signal(SIGUSR2)
            try spool.notification("READY=1")
        }
        #expect(try spool.stop() == 0)
        let bytes = try piped.bytes(of: "much", job.id)
        #expect(bytes.written > 0 && bytes.leftOut > 0)
        #expect(bytes.written + bytes.leftOut == (try job.stdout.utf8.count), "\(bytes)")
    }

    @Test("U10: Each line of output follows its task and id; the last one also without an end; the files stay")
    func text() throws {
        let piped = try Piped("stdout")
        let spool = piped.spool
        try spool.acceptedTask("greet", "command = 'echo one; echo; printf last; echo error >&2'")
        let id = try spool.ctl("run", "greet", "-w").id
        let lines = try piped.lines(count: 4)
        #expect(Set(lines) == ["greet \(id): one", "greet \(id): ", "greet \(id): last", "greet \(id) stderr: error"], "\(lines)")
        #expect(lines.filter { !$0.contains("stderr") } == ["greet \(id): one", "greet \(id): ", "greet \(id): last"])
        let job = try spool.end(of: "greet")
        #expect(try job.stdout == "one\n\nlast" && job.stderr == "error\n")
        // A line is written while the job runs.
        let gate = try spool.gate()
        try spool.drop("slow.toml", "command = 'echo now; read x < \(gate.path)'")
        #expect(try piped.lines(count: 5).last?.hasSuffix(": now") == true)
        try gate.release()
        #expect(try spool.stop() == 0)
    }

    @Test("W5: As JSON, each line is an object with time, task, id, try and stream, whatever bytes the job writes")
    func json() throws {
        let piped = try Piped("json")
        let spool = piped.spool
        try spool.drop("odd.toml", "command = '''printf 'a\"b\\\\c\\033[31m\\377\\n' ; false'''\ntries = 2\nbackoff = '0s'")
        let ended = try spool.end(of: "odd")
        for (line, attempt) in zip(try piped.lines(count: 2), [1, 2]) {
            guard case .table(let table) = try JSON.parse(Array(line.utf8)).kind else { throw spool.failure("no object: \(line)") }
            func text(_ key: String) -> String? { if case .string(let text)? = table[key]?.kind { text } else { nil } }
            #expect(text("task") == "odd" && text("id") == ended.id && text("stream") == "stdout", "\(line)")
            #expect(text("text") == "a\"b\\c\u{1B}[31m\u{FFFD}", "\(line)")
            #expect(text("time")?.count == 24)
            if case .integer(let number)? = table["try"]?.kind { #expect(number == Int64(attempt)) } else { Issue.record("\(line)") }
        }
        try spool.stop()
    }

    @Test("W5: Lines of jobs that write at once are never mixed, and a long line is written in parts, each marked")
    func whole() throws {
        let piped = try Piped("stdout")
        let spool = piped.spool
        let gate = try spool.gate()
        // Each runs until all is read: what nobody has taken some seconds after a run's end is left out.
        let end = "read x < \(gate.path)"
        for job in 0..<4 {
            let letter = ["a", "b", "c", "d"][job]
            let line = String(repeating: letter, count: 60)
            try spool.drop("w\(letter).toml", "command = 'i=0; while [ $i -lt 2000 ]; do echo \(line); i=$((i+1)); done; \(end)'")
        }
        try spool.drop("long.toml", "command = 'head -c 100000 /dev/zero | tr \"\\0\" x; echo; echo end; \(end)'")
        let lines = try piped.lines { lines in
            lines.count { !$0.hasPrefix("long ") } == 8000 && lines.contains { $0.hasPrefix("long ") && $0.hasSuffix(": end") }
        }
        try gate.release(5)
        for line in lines where !line.hasPrefix("long ") {
            let parts = line.split(separator: ": ", maxSplits: 1)
            let letter = try #require(line.dropFirst().first)
            #expect(parts.count == 2 && parts[1] == String(repeating: letter, count: 60), "\(line)")
        }
        let long = lines.filter { $0.hasPrefix("long ") }.map { $0.split(separator: ": ", maxSplits: 1)[1] }
        #expect(long.dropLast().map(\.count).reduce(0, +) == 100_000)
        #expect(long.count > 2 && long.dropLast().allSatisfy { $0.count <= 32 << 10 })
        try spool.stop()
    }

    @Test("W5: A reader that reads nothing holds up no job and no end of spoold; what it does not get is counted and is in the files")
    func stuck() throws {
        let piped = try Piped("stdout")
        let spool = piped.spool
        let job = try spool.run("command = 'seq 1 300000'", as: "much")
        #expect(try job.outcome == "done 0" && job.stdout.hasSuffix("\n300000\n"))
        #expect(try spool.runsOn())
        try spool.logLine("event=output-left-out", "id=\(job.id)")
        let status = try spool.wait(for: "the status to count it") { () throws -> String? in
            let text = try spool.ctl("status").output
            return text.contains("are in their directories alone") ? text : nil
        }
        #expect(status.contains("stdout"))
        #expect(try spool.ctl("health").code == 0)
        // It reads again, and is told what it has not got.
        let lines = try piped.lines { $0.contains { $0.contains("bytes are left out here") } }
        #expect(lines.first == "much \(job.id): 1")
        _ = try spool.run("command = 'echo again'", as: "again")
        _ = try piped.lines { $0.last?.hasSuffix(": again") == true }
        // Stuck again at the end.
        _ = try spool.run("command = 'seq 1 300000'", as: "more")
        #expect(try spool.stop() == 0)
    }

    private func leftOutBytes(_ spool: SpoolUnderTest) throws -> Int64 {
        guard case .table(let output)? = try spool.daemonStatus()?["output"]?.kind,
            case .integer(let count)? = output["left_out_bytes"]?.kind
        else { return 0 }
        return count
    }

    @Test("W5: While too much waits for a stuck reader, a running job loses a little, counted at once, and the rest when the reader reads")
    func held() throws {
        let piped = try Piped("stdout", configuration: "slots = 300")
        let spool = piped.spool
        let gate = try spool.gate()
        // As much as a worker sends without confirmations, from more workers than spoold keeps output of.
        try Files.write("\(spool.out)/block", String(repeating: String(repeating: "x", count: (32 << 10) - 1) + "\n", count: 2))
        for number in 1...265 { try spool.drop("fill\(number).toml", "command = 'cat \(spool.out)/block; read x < \(gate.path)'") }
        try spool.wait(for: "output to be left out") { try leftOutBytes(spool) > 0 }
        let line = String(repeating: "y", count: 999) + "\n"
        try Files.write("\(spool.out)/long", String(repeating: line, count: 400) + "end\n")
        try spool.drop("much.toml", "command = 'cat \(spool.out)/long; read x < \(gate.path)'")
        // The others' pieces have 32 KiB each.
        try spool.wait(for: "output of the job to be left out") { try leftOutBytes(spool) % (32 << 10) > 0 }
        let kept = try piped.keepLines(of: "much")
        try spool.wait(for: "the rest of the output") { try Files.text(kept).hasSuffix(": end\n") }
        try gate.release(266)
        let job = try spool.end(of: "much")
        let told = try spool.logLine("event=output-left-out", "id=\(job.id)")
        let prefix = "much \(job.id): "
        let lines = try Files.text(kept).split(separator: "\n").filter { !$0.contains(": [spoold: ") }
        let written = lines.reduce(0) { $0 + $1.utf8.count - prefix.utf8.count + 1 }
        let leftOut = try job.stdout.utf8.count - written
        #expect(leftOut > 0 && leftOut <= 64 << 10 && told.contains("bytes=\(leftOut) "), "\(leftOut): \(told)")
    }

    @Test("W5: When its new program cannot be executed, spoold writes what running jobs write later, and counts each line that it does not")
    func failedUpgrade() throws {
        let piped = try Piped("stdout", isOwnProgram: true)
        let spool = piped.spool
        let (gate, end) = (try spool.gate(), try spool.gate("end"))
        let line = "seq 100001 160000; echo > \(spool.out)/written; read x < \(gate.path); seq 200001 220000; read x < \(end.path)"
        try spool.drop("much.toml", "command = '\(line)'")
        try spool.output("written")
        try piped.awaitSome()
        let program = "\(spool.base)/spoold"
        try Files.write("\(program).new", "#!/bin/sh\nrm -f '\(program)'; echo spoold 99\n", mode: 0o755)
        try Files.rename("\(program).new", program)
        spool.signal(SIGUSR2)
        try spool.logLine("event=not-restarted", "No such file")
        try gate.release()
        let lines = try piped.lines { $0.last?.hasSuffix(": 220000") == true }
        try end.release()
        let job = try spool.end(of: "much")
        #expect(lines.suffix(100) == (219_901...220_000).map { "much \(job.id): \($0)" }[...])
        #expect(lines.allSatisfy { !$0.dropFirst().contains("much 2") }, "no line begins within another")
        #expect(try spool.stop() == 0)
        let bytes = try piped.bytes(of: "much", job.id) { $0.utf8.count == 6 }
        #expect(bytes.leftOut > 0)
        // A line of which only the end was not written when it was given up is counted, and looks whole when the next line is written.
        let twice = bytes.written + bytes.leftOut - (try job.stdout.utf8.count)
        #expect(twice == 0 || twice == 7, "\(bytes)")
    }

    @Test("W5: Told to end while nobody reads, spoold ends, however often it is told to restart meanwhile")
    func stuckAndToldToRestart() throws {
        let piped = try Piped("stdout")
        let spool = piped.spool
        _ = try spool.run("command = 'seq 1 300000'", as: "much")
        let daemon = try #require(spool.daemon)
        spool.signal(SIGTERM)
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        while !daemon.hasEnded, .now() < end {
            spool.signal(SIGUSR2)
            // Often, compared with the time that spoold waits for its reader.
            poll(nil, 0, 100)
        }
        #expect(spool.log.contains("event=not-restarted"))
        #expect(try spool.exitCode() == 0)
    }

    @Test("W5: When nobody reads its output any more, spoold goes on and says so once")
    func closed() throws {
        let piped = try Piped("json")
        let spool = piped.spool
        _ = try spool.run("command = 'echo first'", as: "first")
        _ = try piped.lines(count: 1)
        piped.close()
        for name in ["second", "third"] { #expect(try spool.run("command = 'echo \(name)'", as: name).stdout == "\(name)\n") }
        try spool.logLine("event=output-closed", "Broken pipe")
        #expect(spool.log.split(separator: "\n").count { $0.contains("event=output-closed") } == 1)
        #expect(try spool.stop() == 0)
    }

    @Test("W5: Output waits while the disk of standard output is full, and is written when there is room",
        .enabled(if: FullDiskTests.canMount, FullDiskTests.reason))
    func full() throws {
        let spool = try SpoolUnderTest(starting: false)
        let disk = "\(spool.out)/disk"
        try Files.makeDirectory(disk)
        try Commands.succeed("mount", "-t", "tmpfs", "-o", "size=65536", "tmpfs", disk)
        defer { _ = try? Commands.run("umount", "-l", disk) }  // if this fails, the directory stays as litter
        try Files.write("\(disk)/stdout", "")
        #expect(try Commands.run("sh", ["-c", "cat /dev/zero > \(disk)/filler"]).code != 0)
        let words = ["/bin/sh", "-c", "exec \"$@\" >> \(disk)/stdout", "sh"]
        try spool.launch(tracer: words, arguments: ["--output=stdout", "--drain"])
        try spool.notification("READY=1")
        let first = try spool.run("command = 'echo first'", as: "first")
        try spool.logLine("event=output-waits", "No space left")
        let second = try spool.run("command = 'echo second'", as: "second")
        #expect(try Files.text("\(disk)/stdout") == "")
        try Files.remove("\(disk)/filler")
        try spool.logLine("event=output-goes-on")
        let expected = "first \(first.id): first\nsecond \(second.id): second\n"
        try spool.wait(for: "both lines") { try Files.text("\(disk)/stdout") == expected }
        #expect(spool.log.split(separator: "\n").count { $0.contains("event=output-waits") } == 1)
        #expect(try !spool.ctl("status").output.contains("are in their directories alone"))
        #expect(try spool.stop() == 0)
    }

    @Test("W5: Jobs whose files have the greatest size there is, as often as they like, end neither their workers nor spoold",
        .enabled(if: FullDiskTests.canMount, FullDiskTests.reason))
    func hugeFiles() throws {
        let piped = try Piped("stdout", tmpfsBytes: 64 << 20)
        let spool = piped.spool
        let grow = "truncate -s \(Int64.max) /proc/self/fd/1 /proc/self/fd/2"
        for name in ["one", "two"] {
            let job = try spool.run("command = '\(grow)'\noutput_limit = '64K'", as: name)
            #expect(job.outcome == "done 0")
            try spool.logLine("event=output-left-out", "id=\(job.id) bytes=\(Int64.max)")
        }
        #expect(!spool.log.contains("event=worker-died"))
        // A worker that dies leaves the sizes to spoold.
        let gate = try spool.gate()
        try spool.drop("lost.toml", "command = '\(grow); echo > \(spool.out)/grown; read x < \(gate.path)'\noutput_limit = '64K'")
        try spool.output("grown")
        for worker in Processes.workers(ofSpool: spool.path) { kill(worker, SIGKILL) }
        let lost = try spool.end(of: "lost")
        try spool.logLine("event=output-left-out", "id=\(lost.id) bytes=\(Int64.max)")
        #expect(try spool.runsOn())
        #expect(try spool.stop() == 0)
    }

    @Test("W5: A run whose daemon was killed ends as ever, also with output = \"journal\"")
    func without() throws {
        let piped = try Piped("stdout")
        let spool = piped.spool
        let gate = try spool.gate()
        try spool.drop("early.toml", "command = 'echo begun; read x < \(gate.path); seq 1 100000; exit 3'\noutput = \"journal\"")
        _ = try piped.lines(count: 1)
        try spool.crash()
        try gate.release()
        try spool.start()
        let ended = try spool.end(of: "early")
        #expect(try ended.outcome == "failed exit 3" && ended.stdout.hasSuffix("\n100000\n"))
    }

    static let outputForms: [(argument: String, code: Int32)] = [
        ("--output=xml", 2), ("--output=files", 0), ("--output=stdout", 0), ("--output=json", 0),
    ]

    @Test("W5: --output names its forms", arguments: outputForms)
    func forms(_ argument: String, _ code: Int32) throws {
        let spool = try SpoolUnderTest()
        let result = try Commands.run("\(SpoolUnderTest.programs)/spoold", ["--spool", spool.path, argument, "--check"])
        #expect(result.code == code)
        if code != 0 { #expect(result.error.contains("must be files, stdout or json, not \"xml\"")) }
    }
}
