import Testing

/// Notices when a job starts, is slow, recovers or is too short, and frequent failures that are reported seldom.
@Suite("Notices", .ownThreads)
struct NoticeTests {
    @Test("N11: on_start and on_slow are started once each, beside the run, whenever the daemon dies")
    func startAndSlow() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop(
            "job.toml",
            """
            command = 'echo began >> \(spool.out)/began; read x < \(gate.path)'
            on_start = 'echo start $SPOOL_PARENT_STATE >> \(spool.out)/starts'
            slow = "1s"
            on_slow = 'echo slow $SPOOL_PARENT_ID >> \(spool.out)/slow; test -d "$SPOOL_PARENT_DIR"'
            """)
        try spool.lines("began", count: 1)
        #expect(try spool.end(of: "job.on_start").outcome == "done 0")
        try spool.crash()
        try spool.start()
        #expect(try spool.end(of: "job.on_slow").outcome == "done 0")
        let id = try spool.running("job").id
        for _ in 0..<2 {
            try spool.crash()
            try spool.start()
        }
        #expect(try spool.runsOn())
        // Two jobs, of which either may write first.
        #expect(try spool.linesNow("starts") == ["start running"] && spool.linesNow("slow") == ["slow \(id)"])
        try gate.release()
        #expect(try spool.end(of: "job").outcome == "done 0")
        #expect(try spool.linesNow("began").count == 1, "a slow run is left alone")
    }

    @Test("N11: a task's failures are reported from notify_after on, at most each notify_every, and its recovery is reported")
    func failuresInARow() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask(
            "t",
            """
            command = 'test -e \(spool.out)/good'
            notify_after = 2
            notify_every = "1h"
            on_failure = 'echo failed >> \(spool.out)/notices'
            on_recovery = 'echo recovered >> \(spool.out)/notices'
            """)
        func run(_ code: Int32) throws { #expect(try spool.ctl("run", "-w", "t").code == code) }
        try run(1)
        try spool.crash()
        try spool.start()
        try run(1)
        try spool.lines("notices", count: 1)
        try spool.crash()
        try spool.start()
        try run(1)
        try Files.write("\(spool.out)/good", "")
        try run(0)
        try run(0)
        #expect(try spool.lines("notices", count: 2) == ["failed", "recovered"])
        #expect(try spool.runsOn())
        #expect(try spool.linesNow("notices").count == 2)
        #expect(try spool.ended("t.on_failure", count: 1).map(\.outcome) == ["done 0"])
    }

    @Test("N11: a run that succeeds sooner than min_run has failed, and why says so")
    func short() throws {
        let spool = try SpoolUnderTest()
        let tell = "echo $SPOOL_PARENT_REASON > \(spool.out)/why"
        let job = try spool.ctl("submit", "-w", "--min-run", "1h", "--on-failure", tell, "--", "true")
        #expect(job.code == 1)
        let failed = try spool.end(of: "true")
        #expect(failed.outcome == "failed short 0", "\(failed.outcome)")
        let why = try spool.ctl("why", failed.id).output
        #expect(why.hasPrefix("It failed: ended after ") && why.contains(", before its min_run of 1h, at "), "\(why)")
        #expect(try spool.lines("why", count: 1) == ["short"])
    }

    @Test("N11: each key has an option, and a mistake says which")
    func options() throws {
        let spool = try SpoolUnderTest()
        let made = try spool.ctl(
            "create", "t", "--on-start", "ping", "--on-recovery", "well", "--slow", "30m", "--on-slow", "alert", "--min-run", "10",
            "--notify-after", "3", "--notify-every", "6h", "--", "true")
        #expect(made.code == 0, "\(made.errors)")
        let text = try Files.text("\(spool.path)/tasks/t.toml")
        for line in [
            "on_start = \"ping\"", "on_recovery = \"well\"", "slow = \"30m\"", "on_slow = \"alert\"", "min_run = \"10\"",
            "notify_after = 3",
            "notify_every = \"6h\"",
        ] { #expect(text.contains(line + "\n"), "\(line) in \(text)") }
        for (arguments, error) in [
            (["create", "u", "--on-slow", "x", "--", "true"], "on_slow without slow; add slow = \"30m\""),
            (["create", "u", "--slow", "0s", "--", "true"], "must be longer than zero"),
            (["create", "u", "--slow", "30", "--", "true"], "30m for minutes"),
            (["create", "u", "--notify-every", "6", "--", "true"], "6h for hours"),
            (["create", "u", "--notify-after", "0", "--", "true"], "outside 1 to"),
        ] {
            let result = try spool.ctl(list: arguments)
            #expect(result.code == 4 && result.errors.contains(error), "\(arguments): \(result.code) \(result.errors)")
        }
    }
}
