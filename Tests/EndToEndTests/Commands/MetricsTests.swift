import Glibc
import Linux
import Testing

/// `state/metrics.prom` and `spoolctl metrics`: what a Prometheus reads.
@Suite("Metrics", .ownThreads)
struct MetricsTests {
    /// The samples of a text, by their series. The spool of a root's test serves everybody, so its samples name root, which is left out.
    private static func samples(_ text: String) -> [String: String] {
        var samples: [String: String] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let blank = line.lastIndex(of: " ") else { continue }
            let series = line[..<blank].replacing(",user=\"root\"", with: "").replacing("{user=\"root\"}", with: "")
            samples[String(series)] = String(line[line.index(after: blank)...])
        }
        return samples
    }

    private static func file(_ spool: SpoolUnderTest) -> [String: String] {
        samples((try? Files.text("\(spool.path)/state/metrics.prom")) ?? "")  // missing until the first turn
    }

    /// Waits until the daemon's file has these samples.
    @discardableResult
    private static func wait(_ spool: SpoolUnderTest, for wanted: [String: String]) throws -> [String: String] {
        try spool.wait(for: "\(wanted) in the metrics") { () throws -> [String: String]? in
            let found = file(spool)
            return wanted.allSatisfy { found[$0.key] == $0.value } ? found : nil
        }
    }

    /// The metrics that count, which never fall.
    private static func counters(_ samples: [String: String]) -> [String: String] {
        samples.filter { series, _ in
            let name = series.prefix { $0 != "{" }
            return ["_total", "_bucket", "_sum", "_count"].contains { name.hasSuffix($0) }
        }
    }

    /// A spool in which each kind of metric has a value.
    /// - Parameter minute: the minute of each hour at which a task is due, none of those in which the test runs.
    private static func busySpool(
        configuration: String = "", minute: Int = DistantTimes.minute
    ) throws -> (spool: SpoolUnderTest, gate: Gate) {
        let spool = try SpoolUnderTest(configuration: configuration)
        let gate = try spool.gate()
        try spool.acceptedTask("good", "command = \"true\"\nexpect = \"26h\"\n[[schedule]]\ncron = \"\(minute) * * * *\"")
        try spool.acceptedTask("bad", "command = \"exit 3\"\ntries = 2\nbackoff = \"1ms\"")
        try spool.acceptedTask("held", "command = \"read x < \(gate.path)\"")
        #expect(try spool.ctl("run", "-w", "good").code == 0)
        #expect(try spool.ctl("run", "-w", "bad").code == 3)
        #expect(try spool.ctl("run", "held").code == 0)
        #expect(try spool.ctl("run", "held").code == 0)
        #expect(try spool.ctl("pause", "--task", "bad").code == 0)
        try spool.define("tasks/good.toml", "comand = \"true\"")
        return (spool, gate)
    }

    @Test("W1: The file says what has happened and what is; no label has an id or a command; nobody else can read it")
    func values() throws {
        let minute = DistantTimes.minute
        let (spool, gate) = try Self.busySpool(configuration: "[queues.backup]\nslots = 2\n", minute: minute)
        let found = try Self.wait(spool, for: [
            "spoold_jobs_started_total": "3", "spoold_jobs_ended_total{result=\"done\"}": "1",
            "spoold_jobs_ended_total{result=\"exit\"}": "1", "spoold_jobs_ended_total{result=\"lost\"}": "0",
            "spoold_retries_total": "1", "spoold_due_times_total{outcome=\"ran\"}": "0",
            "spoold_job_duration_seconds_count": "3", "spoold_job_duration_seconds_bucket{le=\"+Inf\"}": "3",
            "spoold_start_delay_seconds_count": "3", "spoold_up": "1", "spoold_slots": "8", "spoold_held": "0",
            "spoold_trouble{of=\"disk\"}": "0", "spoold_standbys": "0", "spoold_tasks": "3", "spoold_tasks_left_out": "0",
            "spoold_tasks_overdue": "0", "spoold_definitions_refused": "1",
            "spoold_queue_slots{queue=\"default\"}": "8", "spoold_queue_slots{queue=\"backup\"}": "2",
            "spoold_queue_running{queue=\"default\"}": "1", "spoold_queue_waiting{queue=\"default\"}": "1",
            "spoold_task_running{task=\"held\"}": "1", "spoold_task_running{task=\"good\"}": "0",
            "spoold_task_last_exit_code{task=\"bad\"}": "3", "spoold_task_last_exit_code{task=\"good\"}": "0",
            "spoold_task_paused{task=\"bad\"}": "1", "spoold_task_paused{task=\"good\"}": "0",
            "spoold_task_definition_refused{task=\"good\"}": "1", "spoold_task_definition_refused{task=\"bad\"}": "0",
            "spoold_task_expect_seconds{task=\"good\"}": "93600", "spoold_task_overdue{task=\"good\"}": "0",
        ])
        func number(_ series: String) throws -> Double { try #require(found[series].flatMap(Double.init), "\(series)") }
        let now = Double(Clock.now()) / 1000
        let due = try number("spoold_task_next_due_timestamp_seconds{task=\"good\"}")
        #expect(due > now - 60 && due < now + 3660 && due.truncatingRemainder(dividingBy: 3600) == Double(60 * minute))
        for series in ["last_start", "last_end", "last_success"] {
            let at = try number("spoold_task_\(series)_timestamp_seconds{task=\"good\"}")
            #expect(at > now - 3600 && at < now + 60, "\(series)")
        }
        #expect(found["spoold_task_last_success_timestamp_seconds{task=\"bad\"}"] == nil)
        #expect(found["spoold_task_last_end_timestamp_seconds{task=\"held\"}"] == nil)
        #expect(found["spoold_task_expect_seconds{task=\"bad\"}"] == nil)
        #expect(try number("spoold_journal_bytes") > 500 && number("spoold_spool_free_bytes") > 0)
        #expect(try number("spoold_oldest_waiting_timestamp_seconds") > now - 3600)
        #expect(try number("spoold_start_time_seconds") > now - 3600)
        let text = try Files.text("\(spool.path)/state/metrics.prom")
        #expect(!text.contains("-good-") && !text.contains("exit 3"))
        #expect(try Files.status("\(spool.path)/state/metrics.prom").mode == 0o600)
        try gate.release(2)
    }

    @Test("W1: The counters survive kill -9 and an orderly end, in the segment of the journal and from one to the next")
    func counters() throws {
        let (spool, gate) = try Self.busySpool()
        try gate.release(2)
        _ = try spool.ended("held", count: 2)
        let before = try Self.wait(
            spool, for: ["spoold_jobs_ended_total{result=\"done\"}": "3", "spoold_job_duration_seconds_count": "5"])
        try spool.crash()
        try spool.start()
        func started(_ samples: [String: String]) -> String? { samples["spoold_start_time_seconds"] }
        func after(_ old: [String: String]) throws -> [String: String] {
            try spool.wait(for: "the new daemon's metrics") {
                let new = Self.file(spool)
                return started(new) != nil && started(new) != started(old) && new["spoold_up"] == "1" ? new : nil
            }
        }
        let killed = try after(before)
        #expect(Self.counters(killed) == Self.counters(before))
        for series in ["last_success_timestamp_seconds", "last_duration_seconds", "last_start_timestamp_seconds", "last_exit_code"] {
            let series = "spoold_task_\(series){task=\"good\"}"
            #expect(killed[series] == before[series] && killed[series] != nil, "\(series)")
        }
        // A journal that is gone is written from memory, which makes a new segment.
        let journal = try #require(Files.list("\(spool.path)/journal").filter { $0.hasSuffix(".log") }.max())
        try Commands.succeed("mv", "\(spool.path)/journal/\(journal)", "\(spool.base)/taken.log")
        try spool.logLine("event=mended", "from memory")
        try spool.stop()
        #expect(Self.file(spool)["spoold_up"] == "0")
        try spool.start()
        #expect(Self.counters(try after(killed)) == Self.counters(before))
    }

    @Test("W1: Only as many tasks have metrics as the configuration says, the first by name, and the number of the others is shown")
    func cap() throws {
        let spool = try SpoolUnderTest(configuration: "metrics_tasks = 2")
        for name in ["d", "b", "c", "a", "e"] { try spool.acceptedTask(name, "command = \"true\"") }
        var found = try Self.wait(spool, for: ["spoold_tasks": "5", "spoold_tasks_left_out": "3"])
        func labelled() -> [String] { found.keys.filter { $0.hasPrefix("spoold_task_running{") }.sorted() }
        #expect(labelled() == ["spoold_task_running{task=\"a\"}", "spoold_task_running{task=\"b\"}"])
        #expect(try spool.ctl("run", "-w", "e").code == 0)
        // The place of a task that is gone is for the next one.
        #expect(try spool.ctl("delete", "-f", "a").code == 0)
        found = try Self.wait(spool, for: ["spoold_tasks": "4", "spoold_tasks_left_out": "2", "spoold_jobs_started_total": "1"])
        #expect(labelled() == ["spoold_task_running{task=\"b\"}", "spoold_task_running{task=\"c\"}"])
        try Files.write(spool.configuration, "metrics_tasks = 0")
        found = try Self.wait(spool, for: ["spoold_tasks_left_out": "4"])
        #expect(labelled() == [])
    }

    @Test("W1: spoolctl metrics prints the file with what time alone changes, without a daemon too, and in OpenMetrics")
    func command() throws {
        let (spool, gate) = try Self.busySpool(configuration: "[executors.slurm]\nslots = 2\n")
        try Self.wait(
            spool, for: ["spoold_task_running{task=\"held\"}": "1", "spoold_definitions_refused": "1", "spoold_retries_total": "1"])
        let up = Self.samples(try spool.ctl("metrics").output)
        #expect(up["spoold_up"] == "1" && up["spoold_retries_total"] == "1")
        #expect(try #require(up["spoold_oldest_waiting_seconds"].flatMap(Double.init)) > 0)
        try gate.release(2)
        _ = try spool.ended("held", count: 2)
        try spool.crash()
        // The daemon could not write its end.
        #expect(Self.file(spool)["spoold_up"] == "1")
        let printed = Set(up.keys.map { series in
            let name = String(series.prefix { $0 != "{" })
            for ending in ["_bucket", "_sum", "_count"] where name.hasSuffix(ending) { return String(name.dropLast(ending.count)) }
            return name
        })
        let names = try Files.text("\(ShippedTextTests.root)/man/spoold-metrics.7").split(separator: "\n")
            .filter { $0.hasPrefix(".It Va spoold_") }.map { String($0.split(separator: " ")[2]) }
        #expect(printed == Set(names), "\(printed.symmetricDifference(names))")
        let down = try spool.ctl("metrics")
        #expect(down.code == 0 && Self.samples(down.output)["spoold_up"] == "0")
        let open = try spool.ctl("metrics", "--format", "openmetrics")
        #expect(open.output.hasSuffix("\n# EOF\n") && open.lines.contains("# TYPE spoold_jobs_started counter"))
        #expect(Self.counters(Self.samples(open.output)) == Self.counters(Self.samples(down.output)))
        try Commands.succeed("rm", "\(spool.path)/state/metrics.prom")
        let none = try spool.ctl("metrics")
        var alone = Self.samples(none.output)
        #expect(try #require(alone.removeValue(forKey: "spoold_spool_free_bytes").flatMap(Double.init)) > 0)
        #expect(none.code == 0 && alone == ["spoold_up": "0", "spoold_oldest_waiting_seconds": "0", "spoold_standbys": "0"])
    }

    @Test("W1: spoolctl metrics tells the standbys and the free space as they are, whatever the daemon wrote")
    func present() throws {
        let spool = try SpoolUnderTest()
        let file = try Self.wait(spool, for: ["spoold_standbys": "0"])
        func told(_ series: String) throws -> String? { Self.samples(try spool.ctl("metrics").output)[series] }
        #expect(try told("spoold_standbys") == "0")
        // A standby is no change for the daemon.
        let standby = try spool.standby()
        #expect(try told("spoold_standbys") == "1")
        standby.kill(SIGKILL)
        _ = standby.exitCode()
        #expect(try told("spoold_standbys") == "0")
        // A file that says something else, as after a change of the disk.
        try spool.stop()
        let text = try Files.text("\(spool.path)/state/metrics.prom").split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.hasPrefix("spoold_spool_free_bytes") ? "\($0.prefix { $0 != " " }) 1" : String($0) }
        try Files.write("\(spool.path)/state/metrics.prom", text.joined(separator: "\n"))
        #expect(Self.file(spool)["spoold_spool_free_bytes"] == "1" && file["spoold_spool_free_bytes"] != "1")
        #expect(try #require(told("spoold_spool_free_bytes").flatMap(Double.init)) > 1)
    }

    @Test("W1: The file is written once a second at most, whatever happens, and at the end says all")
    func seldom() throws {
        let spool = try SpoolUnderTest()
        try Self.wait(spool, for: ["spoold_jobs_started_total": "0"])
        let inotify = try Inotify()
        let began = MonotonicInstant.now()
        _ = try inotify.add("\(spool.path)/state", [.movedTo])
        // Each job is several changes of its own.
        let count = 40
        for _ in 0..<count { #expect(try spool.ctl("submit", "-w", "-q", "--", "true").code == 0) }
        try Self.wait(spool, for: ["spoold_jobs_ended_total{result=\"done\"}": "\(count)"])
        var events: [InotifyEvent] = []
        _ = try inotify.readEvents(into: &events)
        let writes = events.count { $0.name == "metrics.prom" }
        // The write before the first event may have been any time ago.
        let seconds = MonotonicInstant.now().milliseconds(since: began) / 1000
        #expect(writes > 0 && writes <= seconds + 1, "\(writes) writes in \(seconds) s of \(count) jobs")
    }

    @Test("W1: promtool finds nothing wrong with the text", .enabled(if: Commands.has("promtool"), "needs promtool of prometheus"))
    func promtool() throws {
        let (spool, gate) = try Self.busySpool()
        try Self.wait(spool, for: ["spoold_task_running{task=\"held\"}": "1", "spoold_definitions_refused": "1"])
        let printed = try Self.pipe(spool, "metrics | promtool check metrics")
        #expect(printed.code == 0 && printed.output.isEmpty && printed.error.isEmpty, "\(printed.output)\(printed.error)")
        let file = try Commands.run("sh", "-c", "promtool check metrics < \(spool.path)/state/metrics.prom")
        #expect(file.code == 0 && file.output.isEmpty && file.error.isEmpty, "\(file.output)\(file.error)")
        try gate.release(2)
    }

    /// Runs spoolctl on the spool in a pipe of the shell.
    private static func pipe(_ spool: SpoolUnderTest, _ line: String) throws -> Commands.Result {
        try Commands.run(
            "sh", ["-c", "\(SpoolUnderTest.programs)/spoolctl --spool \(spool.path) \(line)"], environment: pythonPath)
    }

    private static let hasParser =
        (try? Commands.run("python3", ["-c", "import prometheus_client"], environment: pythonPath))?.code == 0  // no Python: skipped
    private static let pythonPath = getenv("PYTHONPATH").map { ["PYTHONPATH=\(String(cString: $0))"] } ?? []

    @Test(
        "W1: The parser of OpenMetrics takes the text",
        .enabled(if: hasParser, "needs prometheus_client of Python"))
    func openMetrics() throws {
        let (spool, gate) = try Self.busySpool()
        try Self.wait(spool, for: ["spoold_task_running{task=\"held\"}": "1", "spoold_definitions_refused": "1"])
        let script = """
            import sys
            from prometheus_client.openmetrics.parser import text_string_to_metric_families
            for family in text_string_to_metric_families(sys.stdin.read()): print(family.name, family.type, len(family.samples))
            """
        try Files.write("\(spool.base)/parse.py", script)
        let parsed = try Self.pipe(spool, "metrics --format openmetrics | python3 \(spool.base)/parse.py")
        #expect(parsed.code == 0, "\(parsed.error)")
        #expect(parsed.output.contains("spoold_jobs_started counter 1\n") && parsed.output.contains("spoold_build info 1\n"))
        #expect(parsed.output.contains("spoold_job_duration_seconds histogram 12\n"))
        try gate.release(2)
    }

    @Test(
        "W1: A Prometheus reads the metrics, evaluates the alert rules, and answers each query of the dashboard",
        .enabled(if: Commands.has("prometheus") && Commands.has("python3"), "needs prometheus and python3"))
    func prometheus() throws {
        let (spool, gate) = try Self.busySpool(configuration: "[executors.slurm]\nslots = 2\n")
        try Self.wait(spool, for: [
            "spoold_task_running{task=\"held\"}": "1", "spoold_definitions_refused": "1", "spoold_jobs_started_total": "3",
        ])
        let found = try Commands.run(
            "python3", "\(ShippedTextTests.root)/Tests/prometheus/scrape.py", "\(SpoolUnderTest.programs)/spoolctl", spool.path)
        #expect(found.code == 0, "\(found.error)")
        // A task that failed and a file that is refused are pending: both alerts have a time to wait.
        #expect(found.output.contains("\nalerts SpooldDefinitionRefused SpooldTaskFailed\n"), "\(found.output)")
        let dashboard = try Files.text("\(ShippedTextTests.root)/etc/monitoring/spoold-dashboard.json")
        func count(_ key: String) -> Int { dashboard.split(separator: "\"\(key)\":").count - 1 }
        let (queries, variables) = (count("expr"), count("definition"))
        #expect(found.output.contains("\nqueries \(queries)\n") && queries > 40, "\(found.output)")
        #expect(found.output.contains("\nvariables \(variables)\n") && variables > 2, "\(found.output)")
        let asked = { (name: String) in dashboard.contains(name) }
        #expect(["spoold_executor_slots", "spoold_executor_runs", "spoold_executor_trouble"].allSatisfy(asked))
        try gate.release(2)
    }

    @Test(
        "W1: Each alert rule is raised by series that a test gives, and not by others",
        .enabled(if: Commands.has("promtool"), "needs promtool of prometheus"))
    func rules() throws {
        let directory = "\(ShippedTextTests.root)/etc/monitoring"
        for (words, file) in [(["check", "rules"], "spoold.rules.yml"), (["test", "rules"], "spoold.rules.test.yml")] {
            let result = try Commands.run("promtool", words + ["\(directory)/\(file)"])
            #expect(result.code == 0 && result.output.contains("SUCCESS"), "\(result.output)\(result.error)")
        }
        let alerts = try Files.text("\(directory)/spoold.rules.yml").split(separator: "\n").filter { $0.hasPrefix("      - alert: ") }
            .map { $0.dropFirst("      - alert: ".count) }
        let raised = try Files.text("\(directory)/spoold.rules.test.yml").split(separator: "      - alertname: ")
            .filter { $0.contains("exp_labels") }.map { $0.prefix { $0 != "\n" } }
        #expect(alerts.count > 10 && Set(alerts) == Set(raised), "\(Set(alerts).symmetricDifference(raised))")
    }

    @Test(
        "W1: A user sees the own part alone and root sees all; what a user writes into the own file shows as that user's, or not at all",
        .enabled(if: TestUser.areHere, TestUser.reason))
    func everybody() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        try spool.acceptedTask("roots", "command = \"true\"")
        for user in [TestUser.games, .daemon] {
            let made = try spool.ctl(as: user, "create", "of-\(user.name)", "true")
            #expect(made.code == 0, "\(made.error)")
            #expect(try spool.ctl(as: user, "run", "-w", "of-\(user.name)").code == 0)
        }
        func part(_ user: TestUser) -> String { "\(spool.path)/users/\(user.name)/state" }
        for user in [TestUser.games, .daemon] {
            try spool.watchAll()
            try spool.watch("users/\(user.name)/state")
            try spool.wait(for: "the metrics of \(user.name)") {
                let text = try? Files.text("\(part(user))/metrics.prom")  // missing until the first turn
                return Self.samples(text ?? "")["spoold_jobs_ended_total{result=\"done\",user=\"\(user.name)\"}"] == "1"
            }
            #expect(try Files.status("\(part(user))/metrics.prom").mode == 0o600)
        }
        let own = try spool.ctl(as: .games, "metrics")
        #expect(own.code == 0 && own.output.contains("{task=\"of-games\",user=\"games\"}"))
        #expect(!own.output.contains("of-daemon") && !own.output.contains("roots") && !own.output.contains("\"root\""))
        let refused = try TestUser.games.run("cat", "\(spool.path)/state/metrics.prom", "\(part(.daemon))/metrics.prom")
        #expect(refused.code != 0 && refused.output.isEmpty)
        try Self.wait(spool, for: ["spoold_task_running{task=\"roots\"}": "0"])
        let all = try spool.ctl("metrics")
        #expect(all.code == 0, "\(all.errors)")
        for (task, user) in [("roots", "root"), ("of-games", "games"), ("of-daemon", "daemon")] {
            #expect(all.lines.contains("spoold_task_running{task=\"\(task)\",user=\"\(user)\"} 0"))
            #expect(all.lines.contains("spoold_up{user=\"\(user)\"} 1"))
        }
        #expect(all.lines.count { $0 == "# TYPE spoold_task_running gauge" } == 1)
        // The user's daemon, which ends when it has had nothing to do for a while, would then write its numbers over these.
        let daemons = Processes.userDaemons(ofSpool: spool.path)
        for daemon in daemons { kill(daemon, SIGSTOP) }
        defer { for daemon in daemons { kill(daemon, SIGCONT) } }
        // A part is no root's: no value of root's can come from there, and no line that is none.
        try TestUser.games.shell(
            """
            cat > \(part(.games))/forged <<'END'
            spoold_task_running{task="roots",user="root"} 7
            spoold_task_running{task="x\\e[2J"} 1
            spoold_up 0
            up{job="node"} 0
            spoold_jobs_started_total{user="daemon"} 99
            spoold_oldest_waiting_timestamp_seconds -9223372036854775
            END
            mv \(part(.games))/forged \(part(.games))/metrics.prom
            """)
        let forged = try spool.ctl("metrics")
        #expect(forged.code == 0 && forged.lines.contains("spoold_task_running{task=\"roots\",user=\"games\"} 7"))
        #expect(forged.lines.contains("spoold_task_running{task=\"roots\",user=\"root\"} 0"))
        #expect(forged.lines.contains("spoold_jobs_started_total{user=\"games\"} 99"))
        #expect(forged.lines.contains("spoold_up{user=\"games\"} 1"))
        #expect(!forged.output.contains("2J") && !forged.output.contains("node"))
        if Commands.has("promtool") {
            let checked = try Self.pipe(spool, "metrics | promtool check metrics")
            #expect(checked.code == 0, "\(checked.output)\(checked.error)")
        }
        // A file that root cannot use hides nobody else's.
        try TestUser.games.shell("cd \(part(.games)) && rm metrics.prom && ln -s /etc/passwd metrics.prom")
        let linked = try spool.ctl("metrics")
        #expect(linked.code == 1 && linked.errors.contains("games") && linked.output.contains("of-daemon"), "\(linked.errors)")
        #expect(!linked.output.contains("/bin/"))
    }
}
