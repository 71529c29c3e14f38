import Documents
import Glibc
import Linux
import Testing

/// Times, environments and results of runs: rows P.
@Suite("Runs and their environment", .ownThreads)
struct RunRowTests {
    static let rates: [(rate: String, due: String)] = [
        ("1 minute", "2026-01-31T00:01:00.000Z"), ("5 minutes", "2026-01-31T00:05:00.000Z"), ("1 hour", "2026-01-31T01:00:00.000Z"),
        ("2 hours", "2026-01-31T02:00:00.000Z"),
        ("1 day", "2026-02-01T00:00:00.000Z"), ("30 days", "2026-03-02T00:00:00.000Z"),
    ]

    @Test("P1: every takes a rate in words, with a body", arguments: rates)
    func everyRate(_ row: (rate: String, due: String)) throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(try spool.ctl("next", "--every", row.rate, "--from", "2026-01-31", "-n", "1", "-q").lines == [row.due])
        #expect(try spool.ctl("create", "t", "--every", row.rate, "--payload", "{\"body\": [1]}", "--", "cat").code == 0)
        try spool.start()
        try spool.logLine("event=defined", "file=tasks/t")
        let run = try spool.ctl("run", "-w", "t")
        #expect(run.output == "{\"body\":[1]}")
        let spoken = try spool.ctl("explain", row.rate)
        #expect(spoken.lines.contains("syntax\tan interval"))
    }

    /// Six fields: minutes, hours, day of month, month, day of week (1 is Sunday), year. From 2026-01-01T00:00:00Z.
    static let six: [(cron: String, due: [String])] = [
        ("0 10 * * ? *", ["2026-01-01T10:00", "2026-01-02T10:00"]), ("15 12 * * ? *", ["2026-01-01T12:15", "2026-01-02T12:15"]),
        ("0 18 ? * MON-FRI *", ["2026-01-01T18:00", "2026-01-02T18:00", "2026-01-05T18:00"]),
        ("0 8 1 * ? *", ["2026-01-01T08:00", "2026-02-01T08:00"]),
        ("0/15 * * * ? *", ["2026-01-01T00:15", "2026-01-01T00:30"]), ("0/10 * ? * MON-FRI *", ["2026-01-01T00:10", "2026-01-01T00:20"]),
        ("0 0 L * ? *", ["2026-01-31T00:00", "2026-02-28T00:00"]), ("0 0 3W * ? *", ["2026-01-02T00:00", "2026-02-03T00:00"]),
        ("0 0 ? * 6#3 *", ["2026-01-16T00:00", "2026-02-20T00:00"]),
        ("0 0 ? * 6L *", ["2026-01-30T00:00", "2026-02-27T00:00"]), ("0 0 1 JAN,jul ? *", ["2026-07-01T00:00", "2027-01-01T00:00"]),
        ("0 0 1 1 ? 2199", ["2199-01-01T00:00"]),
        ("0 0 1 1 ? 2028-2030/2", ["2028-01-01T00:00", "2030-01-01T00:00"]),
        ("0 0 ? 1 SUN 1970-2199", ["2026-01-04T00:00", "2026-01-11T00:00"]), ("0 0 29 2 ? 2026-2027", []),
    ]

    @Test("P2: cron of six fields, minutes to year, with , - * / ? L W # and names", arguments: six)
    func sixFields(_ row: (cron: String, due: [String])) throws {
        let spool = try SpoolUnderTest(starting: false)
        let next = try spool.ctl("next", "--cron", row.cron, "--from", "2026-01-01T00:00:00Z", "-n", "\(max(1, row.due.count))", "-q")
        #expect(next.code == 0 && next.lines == row.due.map { "\($0):00.000Z" }, "\(next.output)\(next.errors)")
        try spool.task("t", "command = [\"true\"]\n[[schedule]]\ncron = \"\(row.cron)\"")
        #expect(try spool.ctl("check").code == 0)
    }

    @Test("P2: an impossible cron expression of six fields is refused with its field", arguments: [
        "0 0 1 1 ? 1969", "0 0 1 1 ? 2200", "60 0 1 1 ? *", "0 24 1 1 ? *", "0 0 32 1 ? *", "0 0 1 13 ? *", "0 0 ? 1 8 *", "0 0 ? 1 6#6 *",
    ])
    func sixFieldsRefused(_ cron: String) throws {
        let spool = try SpoolUnderTest(starting: false)
        let result = try spool.ctl("create", "t", "--cron", cron, "--", "true")
        #expect(result.code == 4 && result.errors.hasPrefix("spoolctl: --cron: cron \"\(cron)\": "), "\(result.errors)")
    }

    /// The delay of a job from its submission, in seconds.
    static let laters: [(when: String, seconds: Int)] = [
        ("1 second", 1), ("90 seconds", 90), ("1 minute", 60), ("2 minutes", 120), ("1 hour", 3600), ("3 hours", 10800), ("1 day", 86400),
        ("2 days", 172_800),
        ("1 week", 604_800), ("2 weeks", 1_209_600), ("90000ms", 90), ("5000", 5000),
    ]

    @Test("P3: a job runs now, or later by a duration in words or a number", arguments: laters)
    func later(_ row: (when: String, seconds: Int)) throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.task("t", "command = [\"true\"]")
        for command in [["submit", "--in", row.when, "--", "true"], ["run", "--in", row.when, "t"]] {
            let before = Clock.now()
            let submitted = try spool.ctl(list: command)
            let after = Clock.now()
            #expect(submitted.code == 0, "\(submitted.errors)")
            let start = try spool.second(try #require(try spool.status(submitted.id).text("scheduled_at")))
            #expect((Int(before / 1000) + row.seconds...Int(after / 1000) + row.seconds).contains(start), "\(command)")
        }
    }

    static let instants: [(at: String, scheduled: String)] = [
        ("2099-06-01T12:00:00.250Z", "2099-06-01T12:00:00.250Z"), ("2099-06-01T12:00:00+02:00", "2099-06-01T10:00:00.000Z"),
        ("4083955200000", "2099-06-01T00:00:00.000Z"),
        ("@4083955200", "2099-06-01T00:00:00.000Z"),
    ]

    @Test("P3: a job runs at an instant: ISO, epoch milliseconds or seconds, by option and by file", arguments: instants)
    func instant(_ row: (at: String, scheduled: String)) throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = [\"true\"]")
        let ids = [try spool.ctl("submit", "--at", row.at, "--", "true").id, try spool.ctl("run", "--at", row.at, "t").id]
        try spool.drop("file.toml", "command = [\"true\"]\nstart = \(row.at.allSatisfy(\.isNumber) ? row.at : "\"\(row.at)\"")")
        try spool.logLine("event=accepted", "file=file.toml")
        for id in ids { #expect(try spool.status(id).text("scheduled_at") == row.scheduled) }
        #expect(try spool.ctl("jobs", "--name", "file", "--columns", "scheduled_at").rows == [[row.scheduled]])
    }

    @Test("P3: months and years are counted by the calendar, and a job with a past instant runs now")
    func calendarSpans() throws {
        let spool = try SpoolUnderTest()
        for (text, days) in [("1 month", 28...31), ("2 months", 59...62), ("1 year", 365...366), ("3 years", 1095...1097)] {
            let id = try spool.ctl("submit", "--in", text, "--", "true").id
            let job = try spool.status(id)
            let start = try spool.second(try #require(job.text("scheduled_at")))
            #expect(days.contains((start - Int(Clock.now() / 1000) + 43_200) / 86_400), "\(text)")
        }
        #expect(try spool.ctl("submit", "-w", "--at", "2020-01-01", "--", "true").code == 0)
    }

    @Test("P4: a body is any JSON up to 256 KiB, and not a byte more")
    func payload() throws {
        let spool = try SpoolUnderTest()
        for body in ["null", "true", "-1.5", "\"text\"", "[1,[2,{\"a\":null}]]", "{\"ä\":{}}"] {
            let job = try spool.ctl("submit", "-w", "--payload", body, "--", "cat")
            #expect(job.code == 0 && job.output == body, "\(body): \(job.output)\(job.errors)")
        }
        // With its quotation marks this payload has exactly the allowed number of bytes.
        let most = String(repeating: "x", count: (256 << 10) - 2)
        let whole = try spool.run("command = [\"wc\", \"-c\"]\npayload = \"\(most)\"", as: "whole")
        #expect(try whole.stdout == "262144\n", "\(whole.error)")
        let more = try spool.run("command = [\"wc\", \"-c\"]\npayload = \"\(most)x\"", as: "more")
        #expect(more.outcome == "failed rejected" && more.error.contains("262145") && more.error.contains("262144"), "\(more.error)")
    }

    @Test("P5: a job gets its id, name, body, due time, and the delay from that to its start")
    func told() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let gate = try spool.gate()
        try spool.drop("first.toml", "command = 'read x < \(gate.path)'")
        _ = try spool.running("first")
        try spool.task(
            "t",
            """
            command = 'echo $SPOOL_JOB_ID $SPOOL_NAME $SPOOL_DUE $SPOOL_DELAY_MS; cat; cat $SPOOL_PAYLOAD'\npayload = [7]\n[[schedule]]\n\
            at = \"in 1 s\"
            """)
        try spool.logLine("event=accepted", "task=t")
        // The only slot is taken until at least two seconds after the due time.
        try awaitClock(Clock.now() + 2000)
        try gate.release()
        let run = try spool.end(of: "t")
        let words = try run.stdout.split { " \n".contains($0) }
        #expect(words.count == 5 && words[..<3] == [Substring(run.id), "t", Substring(run.due)] && words.last == "[7][7]", "\(words)")
        let (told, delay) = (try #require(Int(words[3])), try #require(run.integer("delay_ms")))
        #expect(2000 <= told && told <= delay, "\(told), \(delay)")
    }

    @Test("P8: a result is kept up to 64 KiB, and left out when it is a byte larger")
    func result() throws {
        let spool = try SpoolUnderTest()
        let script = "printf '\"%*s\"' $(($(cat) - 2)) '' > $SPOOL_RESULT"
        let whole = try spool.status(try spool.ctl("submit", "-w", "--payload", "65536", script).id)
        #expect(whole.text("result")?.utf8.count == 65534)
        let more = try spool.status(try spool.ctl("submit", "-w", "--payload", "65537", script).id)
        #expect(more["result"].map { JSON.write($0) } == "{\"file\":\"result\",\"bytes\":65537}")
    }

    @Test("P11: names are unique and have 64 characters at most")
    func names() throws {
        let spool = try SpoolUnderTest()
        let longest = String(repeating: "n", count: 64)
        #expect(try spool.ctl("create", longest, "--", "true").code == 0)
        #expect(try spool.ctl("create", longest, "--", "true").code == 1)
        #expect(try spool.ctl("run", "-w", longest).code == 0)
        #expect(try spool.ctl("create", longest + "n", "--", "true").code == 4)
        #expect(try spool.ctl("submit", "-N", longest + "n", "--", "true").code == 4)
        #expect(try spool.ctl("submit", "-w", "-N", longest, "--", "true").code == 0)
        try spool.task(longest + "n", "command = [\"true\"]")
        try spool.logLine("event=refused", "file=tasks/\(longest)n")
    }
}
