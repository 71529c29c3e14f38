import TestSupport
import Testing
import WorkerProtocol

@Suite struct ProtocolTests {
    static let withSubstitutes: RunRequest = {
        var request = Self.request
        request.substitutes.directories = ["/home/me", "/"]
        request.substitutes.arguments = ["/bin/sh", "-c", "exit 3"]
        request.substitutes.leavesOutEnvironmentFile = true
        return request
    }()

    static let withJournal: RunRequest = {
        var request = Self.request
        request.journal = JournalTarget(socket: "/run/systemd/journal/socket", fields: ["SPOOL_TASK=a", "SPOOL_NAME=b=c\n"])
        return request
    }()

    static let withOutput: RunRequest = {
        var request = Self.request
        (request.reportsOutput, request.reportsOutputEnds) = (true, true)
        return request
    }()

    static let request = RunRequest(
        jobID: "20261121T020000.000Z-backup-k3f9", attempt: 3, jobDirectory: "/spool/running/x", arguments: ["sh", "-c", "", "é"],
        environment: ["A=1", "B="], workingDirectory: "/home/a b", umask: 0o27, stdin: "in", stdoutName: "out", stderrName: "err",
        timeoutMilliseconds: .max, stopSignal: 2, killAfterMilliseconds: 0, killsLeftovers: true, outputLimitBytes: 1 << 40,
        confinement: [.nice(-5), .ioPriority(24_576), .limit(resource: 7, 1024), .limit(resource: 4, nil), .cgroup("/sys/fs/cgroup/a=b")],
        environmentFile: "/etc/default/x", replaceable: 1)

    static let commands: [Command] = [
        .run(request), .run(withSubstitutes), .run(withJournal), .run(withOutput),
        .run(RunRequest(jobID: "", attempt: 0, jobDirectory: "", arguments: [], environment: [], workingDirectory: "")),
        .signal(9), .signal(-1), .outputTaken(65_536), .stop(killAfterMilliseconds: nil), .stop(killAfterMilliseconds: 5),
    ]

    static let ends: [RunEnd] = [
        .exited(code: 0), .exited(code: 255), .signaled(number: 9, coreDumped: false), .signaled(number: 11, coreDumped: true),
        .timedOut(.exited(code: 1)), .timedOut(.signaled(number: 15, coreDumped: false)),
        .inputBroke(.exited(code: 0)), .inputBroke(.signaled(number: 15, coreDumped: false)),
        .spawnFailed(errno: 2, message: "command not found: \"föö\" (PATH=/a b:%20\n)"), .spawnFailed(errno: 0, message: ""),
    ].map { (kind: RunEnd.Kind) in
        RunEnd(
            jobID: "id with space", attempt: 2, kind: kind, startedAt: 1_790_000_000_000, endedAt: -1, wallMilliseconds: .max,
            userMilliseconds: 5, systemMilliseconds: 6, maxRSSBytes: 7, leftovers: 8)
    }

    private func bodies(_ stream: [UInt8], chunk: Int = .max) throws -> [ArraySlice<UInt8>] {
        var buffer = FrameBuffer()
        var bodies: [ArraySlice<UInt8>] = []
        var rest = stream[...]
        while !rest.isEmpty {
            buffer.append(Array(rest.prefix(chunk)))
            rest = rest.dropFirst(chunk)
            while let body = try buffer.next() { bodies.append(ArraySlice(Array(body))) }
        }
        #expect(buffer.isEmpty)
        return bodies
    }

    @Test("Commands come back from their frames, however the stream is cut", arguments: [1, 3, 64, Int.max])
    func commands(chunk: Int) throws {
        let stream = Self.commands.flatMap { $0.frame() }
        #expect(try bodies(stream, chunk: chunk).map { try Command(body: $0) } == Self.commands)
    }

    @Test("Reports come back from their frames", arguments: ends)
    func reports(_ end: RunEnd) throws {
        let bodies = try bodies(Report.ended(end).frame())
        #expect(try bodies.map { try Report(body: $0) } == [.ended(end)])
    }

    @Test func aBodyCutAnywhereIsRefused() throws {
        for frame in Self.commands.map({ $0.frame() }) {
            for length in 0..<(frame.count - 4) {
                #expect(throws: ProtocolError.self) { try Command(body: frame[4..<4 + length]) }
            }
            #expect(throws: ProtocolError.malformed) { try Command(body: (frame + [0])[4...]) }
        }
    }

    @Test("Messages of earlier daemons are understood: without env_file for the worker, substitutes, the journal, the output and its ends",
        arguments: [(2, 25), (3, 16), (4, 7), (5, 2), (6, 1)] as [(UInt8, Int)])
    func olderCommands(version: UInt8, lacking bytes: Int) throws {
        var old = Self.request
        old.environmentFile = nil
        old.replaceable = 0
        old.substitutes = Substitutes()
        var body = Array(Command.run(old).frame()[4...].dropLast(bytes))
        body[0] = version
        #expect(try Command(body: body[...]) == .run(old))
        #expect(throws: ProtocolError.unknownVersion(8)) { try Command(body: [8, 1]) }
    }

    static let outputs: [Report] = [
        .output(.init(jobID: "job", attempt: 2, stream: "stderr", isPartial: true, bytes: [0, 255, 10], end: 1 << 40)),
        .output(.init(jobID: "job", attempt: 2, stream: "stderr", isPartial: true, bytes: [0, 255, 10], end: nil)),
        .output(.init(jobID: "job", attempt: 1, stream: "stdout", isPartial: false, bytes: [], end: 1)),
        .outputEnded(jobID: "job", attempt: 3, leftOutBytes: 1 << 40),
    ]

    @Test(arguments: outputs)
    func outputComesBack(_ report: Report) throws {
        #expect(try Report(body: report.frame()[4...]) == report)
        let body = report.frame()[4...]
        for length in 0..<body.count { #expect(throws: ProtocolError.self) { try Report(body: body.prefix(length)) } }
    }

    /// An earlier daemon takes a worker whose report it cannot read for gone.
    @Test("The reports that every daemon reads have the form that they have had from the beginning")
    func formOfReports() {
        let job: [UInt8] = [3, 0, 0, 0] + Array("job".utf8)
        func number(_ value: UInt8) -> [UInt8] { [value, 0, 0, 0, 0, 0, 0, 0] }
        let output = Report.output(.init(jobID: "job", attempt: 2, stream: "err", isPartial: true, bytes: [97, 10], end: nil))
        let err: [UInt8] = [3, 0, 0, 0] + Array("err".utf8)
        #expect(Array(output.frame()[4...]) == [2, 133] + job + number(2) + err + [1] + [2, 0, 0, 0, 97, 10])
        let ended = Report.outputEnded(jobID: "job", attempt: 2, leftOutBytes: 5)
        #expect(Array(ended.frame()[4...]) == [2, 134] + job + number(2) + number(5))
        let running = Report.running(jobID: "job", attempt: 2, pid: 7)
        #expect(Array(running.frame()[4...]) == [2, 130] + job + number(2) + number(7))
        let remark = Report.remark(jobID: "job", attempt: 2, "err")
        #expect(Array(remark.frame()[4...]) == [2, 132] + job + number(2) + err)
        #expect(Array(Report.cannotServe(errno: 1, message: "err").frame()[4...]) == [2, 131] + number(1) + err)
    }

    @Test("A size that is negative is refused", arguments: [-1, .min] as [Int64])
    func negativeSizes(_ size: Int64) {
        let output = Report.output(.init(jobID: "job", attempt: 1, stream: "stdout", isPartial: false, bytes: [97], end: size))
        for report in [output, .outputEnded(jobID: "job", attempt: 1, leftOutBytes: size)] {
            #expect(throws: ProtocolError.malformed) { try Report(body: report.frame()[4...]) }
        }
    }

    @Test func theRemarkComesBack() throws {
        let report = Report.remark(jobID: "job", attempt: 2, "directory \"/x\": No such file or directory; it runs in \"/\"")
        #expect(try Report(body: report.frame()[4...]) == report)
    }

    @Test func moreReplaceableThanThereIsIsRefused() {
        var request = Self.request
        for count in [3, -1, Int.max] {
            request.replaceable = count
            #expect(throws: ProtocolError.malformed) { try Command(body: Command.run(request).frame()[4...]) }
        }
    }

    @Test func theRefusalToServeComesBack() throws {
        let report = Report.cannotServe(errno: 1, message: "setresuid: Operation not permitted")
        #expect(try Report(body: report.frame()[4...]) == report)
    }

    @Test func otherVersionsKindsAndLengthsAreRefused() throws {
        #expect(throws: ProtocolError.unknownVersion(1)) { try Command(body: [1, 1]) }
        #expect(throws: ProtocolError.unknownKind(99)) { try Command(body: [2, 99]) }
        #expect(throws: ProtocolError.unknownKind(1)) { try Report(body: [2, 1]) }
        #expect(throws: ProtocolError.malformed) { try Command(body: []) }
        var buffer = FrameBuffer()
        buffer.append([0xFF, 0xFF, 0xFF, 0xFF])
        #expect(throws: ProtocolError.tooLong(0xFFFF_FFFF)) { try buffer.next() }
        var request = Self.request
        request.arguments = ["a\0b"]
        #expect(throws: ProtocolError.malformed) { try Command(body: Command.run(request).frame()[4...]) }
        request = Self.request
        request.jobID = String(repeating: "x", count: 256)
        #expect(throws: ProtocolError.malformed) { try Command(body: Command.run(request).frame()[4...]) }
    }

    @Test("Damaged messages are refused or have another meaning, and never trap", arguments: [1, 2, 3] as [UInt64])
    func fuzz(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let frames = Self.commands.map { $0.frame() } + (Self.ends.map(Report.ended) + Self.outputs).map { $0.frame() }
        for _ in 0..<20_000 {
            var body = Array(frames.randomElement(using: &generator)!.dropFirst(4))
            for _ in 0..<Int.random(in: 1...4, using: &generator) where !body.isEmpty {
                let index = Int.random(in: 0..<body.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: body[index] = .random(in: 0...255, using: &generator)
                case 1: body[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                case 2: body.removeSubrange(index..<min(body.count, index + 3))
                default: body.insert(contentsOf: [0xFF, 0xFF, 0xFF, 0xFF], at: index)
                }
            }
            if let command = try? Command(body: body[...]) { #expect((try? Command(body: command.frame()[4...])) == command) }
            if let report = try? Report(body: body[...]) { #expect((try? Report(body: report.frame()[4...])) == report) }
        }
    }
}
