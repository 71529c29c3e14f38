// Requests in control/ that a daemon carries out and does not live to answer.

import Glibc
import Linux
import Testing

@Suite("Requests over a crash", .ownThreads, .enabled(if: Commands.has("strace"), "strace is not installed"))
struct RequestTests {
    /// A request that must be carried out once only, and the file to which each execution adds a line.
    enum Asking: CaseIterable {
        case extend, signal

        func request(_ id: String) -> String {
            switch self {
            case .extend: "{\"do\": \"extend\", \"id\": \"\(id)\", \"by\": \"20m\"}"
            case .signal: "{\"do\": \"kill\", \"id\": \"\(id)\", \"signal\": 10}"
            }
        }
    }

    @Test(
        "A request that was carried out before spoold was killed is not carried out again, and is answered so",
        arguments: Asking.allCases
    )
    func once(_ asking: Asking) throws {
        let spool = try SpoolUnderTest(starting: false)
        let gate = try spool.gate()
        let calls = "?unlink,?unlinkat"
        // The daemon removes the request by its name in control/ or by its path in the spool.
        let strace = [
            "/usr/bin/strace", "-D", "-q", "-o", "/dev/null", "-P", "x.request", "-P", "control/x.request", "-e", "trace=\(calls)",
            "-e", "inject=\(calls):signal=KILL:when=1",
        ]
        try spool.launch(tracer: strace)
        try spool.notification("READY=1")
        try spool.drop(
            "job.toml",
            """
            timeout = '1h'
            command = '\(gate.waiting(trap: "USR1", "echo got >> \(spool.out)/signals", ready: "echo > \(spool.out)/began"))'
            """)
        try spool.output("began")
        let job = try spool.running("job")
        try spool.define("control/x.request", asking.request(job.id))
        #expect(try spool.exitCode() == 128 + SIGKILL)
        #expect(Files.exists("\(spool.path)/control/x.request"), "it stands there as if nothing had been done")
        try spool.start()
        // The killed daemon may have written the answer already.
        try spool.wait(for: "the request to be gone") { !Files.exists("\(spool.path)/control/x.request") }
        let answer = try Files.text("\(spool.path)/control/x.answer")
        #expect(answer.contains("\"code\": 1") || answer.contains("\"code\":1"), "\(answer)")
        #expect(answer.contains("does not do it twice"), "\(answer)")
        switch asking {
        case .extend: #expect(try job.text("extend") == "1200\n")
        case .signal: try spool.lines("signals", count: 1)
        }
        try gate.release()
        #expect(try spool.end(of: "job").outcome == "done 0")
        if case .signal = asking { #expect(try spool.linesNow("signals").count == 1) }
    }
}
