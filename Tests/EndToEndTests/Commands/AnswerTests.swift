// Commands answer correctly about the daemon and about jobs, with the daemon up or down.

import Documents
import Glibc
import Linux
import Testing

@Suite("Answers", .ownThreads)
struct AnswerTests {
    private func field(_ text: String, _ key: String) -> String? {
        text.split(separator: "\n").map { $0.split(separator: "\t") }.first { $0.first.map(String.init) == key }?.last.map(String.init)
    }

    @Test("With the daemon down, status and top count the waiting jobs, and list, next and jobs say that nothing runs")
    func down() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.acceptedTask("t", "command = [\"true\"]\n[[schedule]]\ncron = \"0 3 1 1 *\"")
        try spool.drop("running.toml", "command = 'read x < \(gate.path)'")
        _ = try spool.running("running")
        try spool.drop("later.toml", "command = 'true'\nstart = '2099-01-01'")
        for words in [["list"], ["next"], ["jobs"], ["show", "t"]] { #expect(try spool.ctl(list: words).errors == "") }
        try spool.stop()
        for index in 0..<3 { try spool.drop("more\(index).toml", "command = 'true'") }
        try Files.write("\(spool.path)/new/.hidden.toml", "command = 'true'")
        let status = try spool.ctl("status").output
        let top = try spool.ctl("top").output
        #expect(field(status, "waiting") == "4" && field(status, "running") == "1", "\(status)")
        #expect(top.contains("count\twaiting\t4\n") && top.contains("count\trunning\t1\n"), "\(top)")
        guard case .table(let json) = try spool.ctl("status", "--json").json.kind else { throw spool.failure("no object") }
        guard case .integer(4)? = json["waiting"]?.kind else { throw spool.failure("\(JSON.write(Value(.table(json))))") }
        for words in [["list"], ["next"], ["jobs"]] {
            let said = try spool.ctl(list: words)
            #expect(said.code == 0 && said.errors.hasPrefix("spoolctl: spoold is not running (last seen at "), "\(words) \(said)")
            for form in ["--json", "-q"] { #expect(try spool.ctl(list: words + [form]).errors == "") }
        }
        #expect(try spool.ctl("next", "--cron", "0 3 * * *").errors == "", "of no spool's schedule")
        try gate.release()
    }

    // MARK: why

    @Test("N7: why shows the limit that extend has moved, while the job runs and afterwards")
    func extended() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let id = try spool.ctl("submit", "--timeout", "1h", "read x < \(gate.path)").id
        _ = try spool.wait(for: "the run") { try spool.job(id, in: "running") }
        #expect(try spool.ctl("why", id).output.contains("; its timeout of 1h00m ends at "))
        #expect(try spool.ctl("extend", "30m", id).code == 0)
        let why = try spool.ctl("why", id).output
        #expect(why.contains("; its timeout of 1h30m (extended by 30m00s) ends at "), "\(why)")
        try gate.release()
        // A job that is extended in time.
        let told = try withEnoughSeconds(from: 1) { seconds in
            let extend = "\(SpoolUnderTest.programs)/spoolctl extend 300ms && echo > \(spool.out)/extended"
            let short = try spool.ctl("submit", "--timeout", "\(seconds)s", "\(extend); sleep 1000").id
            let ended = try spool.wait(for: "the end by its limit") { try spool.job(short, in: "failed") }
            #expect(ended.string("reason") == "timeout")
            let told = try spool.ctl("why", short).output
            #expect(told.contains("it ran longer than its timeout of "), "\(told)")
            return Files.exists("\(spool.out)/extended") ? told : nil
        }
        #expect(told.contains("(extended by 300ms)"), "\(told)")
    }

    @Test(
        "A directory in new/ without a job's file is not a job of 1970: it is rejected with its reason, and why says so before",
        arguments: ["made", "moved in"]
    )
    func phantom(_ way: String) throws {
        let spool = try SpoolUnderTest()
        if way == "made" {
            try Files.makeDirectory("\(spool.path)/new/phantom")
            let why = try spool.ctl("why", "phantom")
            #expect(
                why.code != 0 || why.output.contains("phantom: is a directory without a job's file")
                    && !why.output.contains("about to start"),
                "\(why)")
            #expect(!(try spool.ctl("jobs").output.contains("1970-")))
        } else {
            try Files.makeDirectory("\(spool.path)/tmp/phantom")
            try Files.write("\(spool.path)/tmp/phantom/data", "kept")
            try Files.rename("\(spool.path)/tmp/phantom", "\(spool.path)/new/phantom")
        }
        func ended() throws -> String? {
            try Files.list("\(spool.path)/failed").first { Files.exists("\(spool.path)/failed/\($0)/status.json") }
        }
        let id = try spool.wait(for: "the rejection", until: ended)
        for end in ["kill", "stop"] {
            if end == "kill" { try spool.crash() } else { try spool.stop() }
            try spool.start()
            if way == "moved in" { #expect(try Files.text("\(spool.path)/failed/\(id)/data") == "kept") }
        }
        #expect(try ended() == id && Files.list("\(spool.path)/new").isEmpty)
        #expect(try spool.ctl("jobs", "--reason", "rejected", "-q").output == "\(id)\n")
        let why = try spool.ctl("why", id).output
        #expect(why.hasPrefix("Its file could not be used: phantom: is a directory without a job's file"), "\(why)")
    }

    @Test("why and status of a run that waits for a task use the definition in force, not the bad edit in the file")
    func waitingRun() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = [\"true\"]\npriority = 7")
        try spool.task("t", "comand = 1")
        try spool.logLine("event=refused", "file=tasks/t")
        #expect(try spool.ctl("pause").code == 0)
        try spool.logLine("event=paused")
        let id = try spool.ctl("run", "t").id
        let why = try spool.ctl("why", id).output
        #expect(why.contains("is paused") && !why.contains("cannot be accepted"), "\(why)")
        #expect(field(try spool.ctl("status", id).output, "priority") == "7")
    }
}
