// The lines of the protocol, read and written.

import Documents
import ExecutorProtocol
import Executors
import Testing

@Suite struct ItemTests {
    static let complete = #"""
        {"id":"7","try":2,"name":"spoold-7-2","directory":"/s/running/7","arguments":["sh","-c","exit 7"],"environment":["A=1"],
        "working_directory":"/tmp","umask":18,"input":null,"stdout":"stdout","stderr":null,"timeout_ms":1500,"stop_signal":2,
        "kill_after_ms":100,"output_limit":4096,"resources":{"cpus":2,"memory":1024},"executor_args":["--qos=x"],
        "directives":["--partition=long"],"hosts":["a"],"later":{"version":2}}
        """#

    @Test("A submission is read with all its members, and unknown members are ignored")
    func reads() throws {
        let item = try Submission(line: Array(Self.complete.utf8.filter { $0 != UInt8(ascii: "\n") }))
        #expect(item.run == Run(id: "7", attempt: 2, name: "spoold-7-2", directory: "/s/running/7"))
        #expect(item.arguments == ["sh", "-c", "exit 7"] && item.environment == ["A=1"] && item.workingDirectory == "/tmp")
        #expect(item.umask == 18 && item.input == nil && item.output == "stdout" && item.errorOutput == nil)
        #expect(item.timeoutMilliseconds == 1500 && item.stopSignal == 2 && item.killAfterMilliseconds == 100 && item.outputLimit == 4096)
        #expect(item.resources == .init(cpus: 2, memory: 1024) && item.executorArguments == ["--qos=x"])
        #expect(item.directives == ["--partition=long"] && item.hosts == ["a"])
    }

    @Test("The time of a call is the daemon's, or a minute when it does not say it", arguments: [
        (#","call_timeout_ms":2500"#, 2500), ("", 60_000),
    ] as [(String, Int64)])
    func callTime(member: String, milliseconds: Int64) throws {
        #expect(try Header(line: Array(#"{"protocol":1,"spool":"/s"\#(member)}"#.utf8)).callMilliseconds == milliseconds)
    }

    @Test("A resource of 0 asks for none, as one that is not there", arguments: ["cpus", "memory", "gpus", "nodes"])
    func noResources(key: String) throws {
        func item(_ amount: String) throws -> Submission {
            let run = #""id":"7","try":1,"name":"n","directory":"/s","arguments":["a"],"working_directory":"/""#
            return try Submission(line: Array("{\(run),\"resources\":{\"\(key)\":\(amount)}}".utf8))
        }
        #expect(try item("0").resources == .init())
        #expect(try item("1").resources != .init())
        #expect(throws: UnusableItem("\(key) is not a number from 0 to \(Int64.max)")) { _ = try item("-1") }
    }

    @Test("The run of a line that cannot be used is known by its id and its try", arguments: [
        (#"{"id":"7","try":2}"#, "7", 2), (#"{"id":"7","try":2,"arguments":5,"name":null}"#, "7", 2), (#"{"id":"7"}"#, nil, 0),
        (#"{"id":7,"try":2}"#, nil, 0), (#"{"id":"7","try":0}"#, nil, 0), (#"{"id":"7","try":2"#, nil, 0),
    ] as [(String, String?, Int64)])
    func unusable(line: String, id: String?, attempt: Int64) {
        let run = Run(ofUnusable: Array(line.utf8))
        #expect(run?.id == id && run?.attempt ?? 0 == attempt)
    }

    @Test("A line that lacks what its verb needs is refused with the member's name", arguments: [
        ("[]", "expected a JSON object, found an array"),
        (#"{"id":"7"}"#, "try is missing"),
        (#"{"id":"7","try":"1"}"#, "try is not a number from 1 to 2147483647"),
        (#"{"id":"7","try":1,"name":"n","directory":"s"}"#, "directory is not a path from /"),
        (#"{"id":"7","try":1,"name":"n","directory":"/s"}"#, "arguments names no command"),
        (#"{"id":"7","try":1,"name":"n","directory":"/s","arguments":["a\u0000b"]}"#, "arguments contains a NUL character"),
        (#"{"id":"7","try":1,"name":"n","directory":"/s","arguments":["a"],"working_directory":"/","stdout":"../x"}"#,
            "stdout and stderr are names in the job's directory, not paths"),
    ])
    func refuses(line: String, message: String) {
        #expect(throws: UnusableItem(message)) { _ = try Submission(line: Array(line.utf8)) }
    }

    @Test("An answer is one line of JSON, however long and strange the engine's text is")
    func answers() throws {
        let run = Run(id: "7", attempt: 2, name: "n", directory: "/s")
        let text = "Slurm:\n\"FAILED\" \u{1b}[2J" + String(repeating: "é", count: 99_999)
        let word = EngineWord(.ended, handle: "5", exit: 7, reason: .failed, message: text)
        let line = Answer.state(run, word).line
        #expect(line.count < ExecutorLines.bytesMax && line.filter { $0 == UInt8(ascii: "\n") }.count == 1 && !line.contains(0x1b))
        let table = try #require(JSON.readableTable(line))
        guard case .string("ended")? = table["state"]?.kind, case .integer(2)? = table["try"]?.kind, case .integer(7)? = table["exit"]?.kind
        else { throw UnusableItem(String(decoding: line, as: UTF8.self)) }
    }
}
