// Several jobs are canceled or killed at once. None of them starts because another one has ended.

import Glibc
import Linux
import Testing

@Suite("Many jobs at once", .ownThreads)
struct CancelManyTests {
    /// The cause that keeps jobs waiting, besides the two slots.
    enum Waiting: String, CaseIterable { case slots, locks, after }

    @Test("E5: None of the jobs that one cancel names starts, whatever cause it waits for", arguments: Waiting.allCases)
    func noneStarts(_ waiting: Waiting) throws {
        let spool = try SpoolUnderTest(configuration: "slots = \(waiting == .slots ? 2 : 8)")
        var ids: [String] = []
        for name in ["a", "b"] {
            let lock = waiting == .locks ? ["--lock", name] : []
            ids.append(try spool.ctl(list: ["submit"] + lock + ["--", "sh", "-c", "echo > \(spool.out)/\(name); exec sleep 1000"]).id)
            try spool.output(name)
        }
        for index in 0..<4 {
            let gate =
                switch waiting {
                case .slots: [String]()
                case .locks: ["--lock", index % 2 == 0 ? "a" : "b"]
                case .after: ["--after", ids[index % 2], "--after-when", "end"]
                }
            ids.append(try spool.ctl(list: ["submit"] + gate + ["--", "touch", "\(spool.out)/ran"]).id)
        }
        // The running jobs are named first, as the output of `spoolctl jobs` may name them.
        let result = try spool.ctl(list: ["cancel"] + ids)
        #expect(result.code == 0, "\(result)")
        #expect(result.output.split(separator: "\n").map { String($0.prefix { $0 != ":" }) } == ids, "a line for each, in the order given")
        let ends = try spool.ended(count: 6)
        #expect(ends.allSatisfy { $0.reason == "canceled" }, "\(ends.map(\.outcome))")
        #expect(!Files.exists("\(spool.out)/ran"))
    }

    @Test("Thousands are canceled by one request")
    func thousands() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let first = try spool.ctl("submit", "echo > \(spool.out)/began; exec sleep 1000").id
        try spool.output("began")
        let ids = (1...1000).map { "20260101T000000.000Z-a-job-of-a-name-that-is-as-long-as-names-may-be-almost-\(String(10_000 + $0))" }
        for id in ids { try Files.write("\(spool.path)/new/\(id).toml", "command = 'touch \(spool.out)/ran'") }
        let result = try spool.ctl(list: ["cancel", "-q", first] + ids)
        #expect(result.code == 0 && result.output.split(separator: "\n").count == 1001, "\(result.code) \(result.errors)")
        try spool.wait(for: "the request and its answer to be gone") { try Files.list("\(spool.path)/control").isEmpty }
        // The job that ran ends last.
        _ = try spool.ctl("wait", first)
        #expect(try Files.list("\(spool.path)/failed").count == 1001)
        #expect(!Files.exists("\(spool.out)/ran"))
    }

    @Test("Requests and jobs that arrive at the same moment are taken up in one turn", arguments: [true, false])
    func together(isUp: Bool) throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let gate = try spool.gate()
        let first = try spool.ctl("submit", "echo > \(spool.out)/began; read x < \(gate.path)").id
        try spool.output("began")
        // The daemon is stopped or down, so it sees all files in one turn.
        if isUp { spool.signal(SIGSTOP) } else { try spool.stop() }
        var ids: [String] = []
        for _ in 0..<3 { ids.append(try spool.ctl("submit", "touch \(spool.out)/ran").id) }
        try spool.define("control/1.request", "{\"do\": \"cancel\", \"id\": \"\(first)\"}")
        try spool.define("control/2.request", "{\"do\": \"cancel\", \"ids\": [\"\(ids[0])\", \"\(ids[1])\"]}")
        try spool.define("control/3.request", "{\"do\": \"cancel\", \"id\": \"\(ids[2])\"}")
        if isUp { spool.signal(SIGCONT) } else { try spool.start() }
        let ends = try spool.ended(count: 4)
        #expect(ends.allSatisfy { $0.reason == "canceled" }, "\(ends.map(\.outcome))")
        #expect(!Files.exists("\(spool.out)/ran"))
    }

    @Test("The answer to a request for many jobs has the result of each")
    func answers() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let runs = try spool.ctl("submit", "trap 'exit 9' USR1; echo > \(spool.out)/began; while :; do sleep 0.05; done").id
        try spool.output("began")
        let waits = try spool.ctl("submit", "true").id
        let unknown = "20200101T000000.000Z-none-abcd"
        try spool.define(
            "control/x.request", "{\"do\": \"kill\", \"signal\": 10, \"ids\": [\"\(runs)\", \"\(waits)\", \"\(unknown)\", \"\(runs)\"]}")
        let answer = try spool.wait(for: "the answer") {
            try Files.exists("\(spool.path)/control/x.request") ? nil : Files.text("\(spool.path)/control/x.answer")
        }
        let jobs = [
            "{\"id\":\"\(runs)\",\"code\":0,\"message\":\"SIGUSR1 sent\"}",
            "{\"id\":\"\(waits)\",\"code\":1,\"message\":\"is not running\"}",
            "{\"id\":\"\(unknown)\",\"code\":3,\"message\":\"no waiting or running job \(unknown)\"}",
        ]
        #expect(answer == "{\"code\":1,\"message\":\"not for 2 of 3 jobs\",\"jobs\":[\(jobs.joined(separator: ","))]}")
        #expect(try spool.ctl("wait", runs).code == 9)
        #expect(try spool.ctl("wait", waits).code == 0)
    }

    @Test("cancel and kill go on behind an operand that is no open job, and exit with its code", arguments: ["cancel", "kill"])
    func goesOn(_ command: String) throws {
        let spool = try SpoolUnderTest()
        let ended = try spool.ctl("submit", "-w", "true").id
        let old = ended.isEmpty ? try spool.end(of: "true").id : ended
        func begin(_ name: String) throws -> String {
            let id = try spool.ctl("submit", "echo > \(spool.out)/\(name); exec sleep 1000").id
            try spool.output(name)
            return id
        }
        let (one, two) = (try begin("one"), try begin("two"))
        let result = try spool.ctl(command, one, "no-such-job", old, two)
        #expect(
            result.code == 3 && result.errors.contains("no-such-job") && result.errors.contains("\(old) has already ended"), "\(result)")
        #expect(result.output.split(separator: "\n").count == 2, "\(result)")
        for id in [one, two] { #expect(try spool.ctl("wait", id).code > 128) }
    }
}
