import Glibc
import Linux
import Testing

/// Jobs whose commands wait for one another. A wait that cannot end fails or is reported.
@Suite("Waits that cannot end", .ownThreads)
struct WaitRingTests {
    private static let ctl = SubmitWaitTests.ctl

    @Test(
        "A command in a job that waits for that job fails at once",
        arguments: ["wait $SPOOL_JOB_ID", "wait --timeout 1h $SPOOL_JOB_ID", "wait --any $SPOOL_JOB_ID"]
    )
    func ownEnd(_ call: String) throws {
        let spool = try SpoolUnderTest()
        let job = try spool.run("command = '\(Self.ctl) \(call)'")
        let said = try job.stderr
        #expect(job.outcome == "failed exit 125" && said.contains("the command would wait for its own end"), "\(job.outcome) \(said)")
        let files = try job.files
        #expect(!files.contains { $0.hasPrefix(".waiting-") })
    }

    @Test("A command that waits for a job whose command waits for it fails at once, by any number of steps", arguments: [1, 2])
    func ancestor(_ steps: Int) throws {
        let spool = try SpoolUnderTest()
        let script = """
            #!/bin/sh
            n=$1 top=${2:-$SPOOL_JOB_ID}
            if [ "$n" = 0 ]; then \(Self.ctl) wait "$top" 2> \(spool.out)/said; echo $? > \(spool.out)/code; exit 0; fi
            exec \(Self.ctl) submit -w -- "$0" $((n - 1)) "$top"
            """
        try Files.write("\(spool.base)/nested", script, mode: 0o755)
        #expect(try spool.ctl("submit", "-w", "--", "\(spool.base)/nested", "\(steps)").code == 0)
        #expect(try spool.output("code") == "125\n")
        #expect(try spool.output("said").contains("this would wait for ever: "))
    }

    struct Case: CustomTestStringConvertible {
        var what: String
        var configuration = ""
        /// Arguments of the outer and of the inner job.
        var outer: [String] = []
        var inner: [String] = []
        var count = 1
        var says: String
        var testDescription: String { what }
    }

    static let cases: [Case] = [
        Case(what: "the only slot", configuration: "slots = 1\n", says: "needs a slot, and the only one is taken"),
        Case(what: "all slots", configuration: "slots = 2\n", count: 2, says: "needs a slot, and all 2 are taken"),
        Case(
            what: "the slot of a queue", configuration: "[queues.q]\nslots = 1\n", outer: ["-Q", "q"], inner: ["-Q", "q"],
            says: "needs a slot of queue q, and the only one is taken"),
        Case(what: "a lock", outer: ["--lock", "l"], inner: ["--lock", "l"], says: "needs lock l, which "),
        Case(what: "its own end, by after", inner: ["--after", "$SPOOL_JOB_ID"], says: "is to start after "),
    ]

    @Test("Nested submit -w that all wait for one another say so once, and why names the ring", arguments: cases)
    func told(_ one: Case) throws {
        let spool = try SpoolUnderTest(configuration: one.configuration)
        // The jobs begin together, so each holds its slot before the first one submits.
        let gate = try spool.gate()
        let line = "echo x >> \(spool.out)/began; read x < \(gate.path); \(Self.ctl) submit -w \(one.inner.joined(separator: " ")) -- true"
        let outer = try (0..<one.count).map { _ in try spool.ctl(list: ["submit"] + one.outer + [line]).id }
        try spool.lines("began", count: one.count)
        try spool.watch("running/\(outer[0])")
        for id in outer { try spool.watch("running/\(id)") }
        try gate.release(one.count)
        for id in outer {
            try spool.wait(for: "what \(id) says") { try Files.text("\(spool.path)/running/\(id)/stderr").contains("this waits for ever") }
            let said = try Files.text("\(spool.path)/running/\(id)/stderr")
            #expect(
                said.contains(one.says) && said.contains(id) && said.split(separator: "\n").filter { $0.contains("for ever") }.count == 1,
                "\(said)")
            let why = try spool.ctl("why", id)
            #expect(why.code == 0 && why.output.contains("It waits for ever: ") && why.output.contains(one.says), "\(why)")
        }
        let inner = try Files.list("\(spool.path)/new").map { $0.hasSuffix(".toml") ? String($0.dropLast(5)) : $0 }
        #expect(inner.count == one.count)
        let why = try spool.ctl("why", "--json", inner[0])
        #expect(
            why.output.contains("\"ring\":[\"") && why.output.contains(inner[0]) && outer.contains { why.output.contains($0) }, "\(why)")
        // One of them is canceled, so the others end.
        #expect(try spool.ctl("cancel", inner[0]).code == 0)
        // The end of the first job may have given a slot to another one.
        for id in outer { #expect(try [0, 125].contains(spool.ctl("wait", id).code)) }
    }

    @Test(
        "A nested submit -w that can end prints no warning, and why names no ring",
        arguments: ["slots = 2\n", "slots = 1\n[queues.other]\nslots = 1\n"]
    )
    func goesOn(_ configuration: String) throws {
        let spool = try SpoolUnderTest(
            configuration: configuration == "slots = 2\n" ? configuration : "slots = 2\n[queues.other]\nslots = 1\n")
        let gate = try spool.gate()
        let options = configuration == "slots = 2\n" ? "" : "-Q other"
        let outer = try spool.ctl(
            "submit", "\(Self.ctl) submit -w \(options) -- sh -c 'echo > \(spool.out)/began; read x < \(gate.path)'").id
        try spool.output("began")
        let why = try spool.ctl("why", outer)
        #expect(!why.output.contains("for ever"), "\(why)")
        let said = try Files.text("\(spool.path)/running/\(outer)/stderr")
        #expect(!said.contains("for ever"))
        try gate.release()
        #expect(try spool.ctl("wait", outer).code == 0)
        let files = try Files.list("\(spool.path)/done/\(outer)")
        #expect(!files.contains { $0.hasPrefix(".waiting-") })
    }

    @Test("The mark of a killed command does not count any more")
    func leftMark() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1\n")
        let gate = try spool.gate()
        let outer = try spool.ctl(
            "submit",
            """
            \(Self.ctl) submit -w -- true & p=$!; read x < \(gate.path); kill -9 $p; wait $p; echo > \(spool.out)/killed; \
            read x < \(gate.path)
            """).id
        _ = try spool.wait(for: "its directory") { try spool.job(outer, in: "running") }
        // The mark of the waiting command comes into the job's directory.
        try spool.watch("running/\(outer)")
        try spool.wait(for: "the ring") { try spool.ctl("why", outer).output.contains("for ever") }
        try gate.release()
        try spool.output("killed")
        try spool.wait(for: "no ring") { try !spool.ctl("why", outer).output.contains("for ever") }
        try gate.release()
        #expect(try spool.ctl("wait", outer).code == 0)
    }
}
