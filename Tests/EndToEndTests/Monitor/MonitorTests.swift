import Glibc
import Linux
import Testing

/// `spoolctl monitor`: its server by `Tests/monitor/clients.py`, and its page in a browser by `Tests/monitor/browse.py`.
@Suite("Monitor", .ownThreads, .enabled(if: Commands.has("python3"), "needs python3"))
struct MonitorTests {
    private static let scripts = "\(ShippedTextTests.root)/Tests/monitor"

    private static let pythonPath = getenv("PYTHONPATH").map { ["PYTHONPATH=\(String(cString: $0))"] } ?? []

    private func run(_ script: String, _ name: String, _ spool: SpoolUnderTest) throws {
        let found = try Commands.run(
            "python3", ["\(Self.scripts)/\(script)", "\(SpoolUnderTest.programs)/spoolctl", spool.path, name],
            environment: spool.environment + Self.pythonPath + ["NO_PROXY=*"])
        #expect(found.code == 0 && found.output.hasSuffix("\(name) ok\n"), "\(found.output)\(found.error)")
    }

    // MARK: The server

    @Test(
        "W2: The server withstands its clients",
        arguments: [
            "answers", "mistakes", "connections", "idle", "flood", "half", "few", "slow", "reading", "hosts", "tokens", "unix_socket",
            "activation", "events", "heartbeat", "hostile", "secrets", "quiet",
        ])
    func clients(name: String) throws { try run("clients.py", name, try SpoolUnderTest()) }

    @Test(
        "W2: While inotify watches or instances are short the page says so, follows all the same, and recovers",
        .enabled(if: WatchLimitTests.canLimit, WatchLimitTests.reason),
        arguments: [("max_inotify_instances", 0), ("max_inotify_instances", 1), ("max_inotify_watches", 3), ("max_inotify_watches", 9)])
    func fewWatches(name: String, count: Int) throws { try run("clients.py", "few_watches:\(name):\(count)", try SpoolUnderTest()) }

    @Test("W2: On a full disk the page is served and live", .enabled(if: FullDiskTests.canMount, FullDiskTests.reason))
    func fullDisk() throws { try run("clients.py", "full_disk", try SpoolUnderTest(tmpfsBytes: 2 << 20)) }

    @Test(
        "W2: A wrong address, mode or token file is refused with the reason",
        arguments: [
            (["--listen", "8080"], Int32(2), "is not ADDRESS:PORT"), (["--listen", "example.org:80"], 2, "names are not looked up"),
            (["--listen", "127.0.0.1:70000"], 2, "is not ADDRESS:PORT"), (["--mode", "0660"], 2, "--mode is for --listen unix:PATH"),
            (["--listen", "unix:/nothing/here"], 1, "No such file or directory"),
            (["--listen", "unix:x", "--mode", "9"], 2, "is not an octal mode"),
            (["--no-token", "--token-file", "x"], 2, "does not go with --no-token"), (["--token-file", "/nothing"], 1, "/nothing"),
            (["x"], 2, "remove \"x\""),
        ])
    func refusals(options: [String], code: Int32, why: String) throws {
        let spool = try SpoolUnderTest()
        let result = try spool.ctl(list: ["monitor", "--spool", spool.path] + options)
        #expect(result.code == code && result.errors.contains(why), "\(result.code): \(result.errors)")
    }

    // MARK: Everybody's spool

    /// The page of an address over a Unix socket, by a monitor that runs under `prefix`.
    private func page(_ spool: SpoolUnderTest, _ prefix: [String], _ addresses: String...) throws -> [String] {
        let socket = "\(spool.out)/page-\(UInt32.random(in: 0...(.max))).sock"
        let line = prefix + ["\(SpoolUnderTest.programs)/spoolctl", "monitor", "--spool", spool.path, "--listen", "unix:\(socket)"]
        let monitor = try Commands.Running(
            "sh", ["-c", "exec \"$@\" > \(socket).told", "sh"] + line, environment: spool.environment)
        defer { monitor.child.kill(SIGTERM) }
        // The socket has its name before somebody listens there; then the monitor says so.
        try spool.wait(for: "the monitor") { (try? Files.text("\(socket).told"))?.hasSuffix("\n") ?? false }  // not yet
        return try addresses.map { address in
            // The monitor closes a connection in which nothing is asked for ten seconds.
            let again = ["--retry", "9", "--retry-all-errors"]
            let found = try Commands.run("curl", ["-s"] + again + ["--unix-socket", socket, "http://localhost\(address)"])
            #expect(found.code == 0, "\(address): \(found.error)")
            return found.output
        }
    }

    @Test(
        "W2: A user's page shows that user's part alone; root's shows all, also with few rights, and so does that of one who may only read",
        .enabled(if: TestUser.areHere && Commands.has("curl"), "\(TestUser.reason), and curl"))
    func everybody() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        try spool.acceptedTask("roots", "command = \"true\"")
        for user in [TestUser.games, .daemon] {
            let made = try spool.ctl(as: user, "create", "of-\(user.name)", "printf says-%s \(user.name)")
            #expect(made.code == 0, "\(made.error)")
            #expect(try spool.ctl(as: user, "run", "-w", "of-\(user.name)").code == 0)
        }
        let job = try spool.ctl("jobs", "-q").lines.first { $0.contains("of-games") } ?? ""
        for prefix in [["env"], ["setpriv", "--bounding-set=-all,+setuid,+setgid", "--no-new-privs"], Self.reader] {
            let pages = try page(spool, prefix, "/tasks", "/jobs/\(job)", "/tasks/daemon/of-daemon", "/metrics", "/")
            for name in ["roots", "games/of-games", "daemon/of-daemon"] { #expect(pages[0].contains(">\(name)<"), "\(pages[0])") }
            #expect(pages[1].contains("says-games"), "\(pages[1])")
            #expect(pages[2].contains("It has not run yet.") == false && pages[2].contains("daemon/of-daemon"))
            #expect(pages[3].contains("user=\"games\"") && pages[3].contains("user=\"root\""))
            #expect(!pages[4].contains("role=\"alert\""), "\(pages[4])")
        }
        try ownQueues(spool)
        let own = try page(
            spool, ["setpriv", "--reuid=5", "--regid=5", "--init-groups"], "/tasks", "/jobs", "/metrics", "/search?q=daemon", "/")
        #expect(own[0].contains(">of-games<") && own[1].contains("of-games"))
        for text in own { #expect(!text.contains("of-daemon") && !text.contains("roots") && !text.contains("says-daemon")) }
    }

    /// Runs a monitor as the unit does: a user who owns nothing and may read every file.
    private static let reader: [String] = {
        let right = "-all,+dac_read_search"
        let user = ["--reuid=64102", "--regid=64102", "--clear-groups", "--no-new-privs"]
        return ["setpriv"] + user + ["--inh-caps=\(right)", "--ambient-caps=\(right)", "--bounding-set=\(right)"]
    }()

    @Test(
        "W2: Attack 88: the page shows a user's own files alone, wherever links in that user's part lead",
        .enabled(if: TestUser.areHere && Commands.has("curl"), "\(TestUser.reason), and curl"), arguments: [false, true])
    func links(isReader: Bool) throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let prefix = isReader ? Self.reader : ["env"]
        func run(_ user: TestUser, _ name: String) throws -> String {
            #expect(try spool.ctl(as: user, "submit", "-w", "--name", name, "printf says-%s \(user.name)").code == 0)
            return try spool.ctl(as: user, "jobs", "-q", "--name", name).output.filter { $0 != "\n" }
        }
        let ids = try ["plain", "linked", "named", "moved"].map { try run(.games, $0) }
        let foreign = try run(.daemon, "foreign")
        let whole = try page(spool, prefix, "/jobs/games/\(ids[0])", "/jobs/daemon/\(foreign)")
        #expect(whole[0].contains("says-games") && whole[1].contains("says-daemon"), "\(whole)")
        // A secret of root's, in the form of everything that a part can have.
        let secret = "\(spool.base)/secret"
        try Files.makeDirectory(secret)
        for name in ["stdout", "stderr"] { try Files.write("\(secret)/\(name)", "hunter2\n") }
        try Files.write("\(secret)/task.toml", "command = \"hunter2\"\n")
        try Commands.succeed("cp", "\(spool.path)/done/games/\(ids[3])/status.json", secret)
        try Commands.succeed("chmod", "-R", "go=", secret)
        let done = "\(spool.path)/done/games"
        try TestUser.games.shell(
            """
            cd \(done) && ln -sf \(secret)/stdout \(ids[1])/stdout && rm -r \(ids[2])/stdout \(ids[3]) && ln -s \(secret) \(ids[3]) &&
            ln -s ../daemon/\(foreign) \(foreign) && ln -s \(secret)/task.toml ../../tasks/games/linked.toml
            """)
        // Where hard links are not protected, the user can make these as well, proc_sys_fs(5).
        try Commands.succeed("ln", "\(secret)/stdout", "\(done)/\(ids[2])/stdout")
        try Commands.succeed("ln", "\(secret)/task.toml", "\(spool.path)/tasks/games/named.toml")
        let jobs = (ids.dropFirst() + [foreign]).map { "/jobs/games/\($0)" }
        let pages = ["/jobs", "/tasks", "/tasks/games/linked", "/tasks/games/named", "/metrics", "/"] + jobs
        for address in pages {
            let text = try page(spool, prefix, address)[0]
            #expect(!text.contains("hunter2") && !text.contains("says-daemon") && !text.contains("says-%s daemon"), "\(address): \(text)")
        }
        #expect(try page(spool, prefix, "/jobs/games/\(ids[0])")[0].contains("says-games"))
    }

    /// Root's pages keep queues, pauses and tasks of the same name apart, and their links lead to what they count.
    private func ownQueues(_ spool: SpoolUnderTest) throws {
        let gate = try spool.gate()
        chmod(gate.path, 0o666)
        try Files.write(spool.configuration, "[queues.video]\nslots = 1\n")
        try spool.acceptedTask("of-games", "command = \"true\"")
        #expect(try spool.ctl("run", "-w", "of-games").code == 0)
        let line = "echo > \(spool.out)/held; read x < \(gate.path)"
        #expect(try spool.ctl(as: .games, "submit", "--name", "film", "--queue", "video", line).code == 0)
        try spool.output("held")
        #expect(try spool.ctl(as: .games, "pause").code == 0)
        let pages = try page(
            spool, ["env"], "/queues", "/running?queue=video", "/running?queue=games%2Fvideo", "/tasks/games/of-games", "/tasks/of-games",
            "/jobs?task=games%2Fof-games", "/jobs?task=of-games", "/jobs?queue=games%2Fvideo", "/jobs?queue=video")
        func row(_ queue: String) throws -> String {
            try #require(pages[0].split(separator: "<tr ").first { $0.contains("<div>\(queue)</div>") }.map(String.init), "\(pages[0])")
        }
        #expect(try row("video").contains("0&nbsp;of&nbsp;1") && row("video").contains("open"))
        #expect(try row("default").contains("open"))
        #expect(try row("games/video").contains("href=\"/running?queue=games%2Fvideo\">1</a>") && row("games/video").contains("paused"))
        #expect(!pages[1].contains("games/film") && pages[2].contains("games/film"))
        #expect(pages[3].contains("href=\"/jobs?task=games%2Fof-games\">all") && pages[4].contains("href=\"/jobs?task=of-games\">all"))
        #expect(pages[5].contains(">games/of-games<") && !pages[5].contains(">of-games<"), "\(pages[5])")
        #expect(!pages[6].contains(">games/of-games<") && pages[6].contains(">of-games<"), "\(pages[6])")
        #expect(pages[7].contains("games/film") && !pages[8].contains("games/film"))
        try gate.release()
        #expect(try spool.ctl(as: .games, "resume").code == 0)
    }

    @Test("W2: The link of a number lists what is counted, and waiting jobs that are too many for a view are all in a list",
        .enabled(if: Commands.has("curl"), "needs curl"))
    func numbers() throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.ctl("submit", "-w", "--name", "bad", "false").code == 1)
        #expect(try spool.ctl("pause").code == 0)
        let id = try spool.ctl("submit", "--name", "given-up", "true").id
        #expect(try spool.ctl("cancel", id).code == 0)
        let count = 230
        for number in 0..<count { try spool.drop("w\(number).toml", "command = 'true'") }
        try spool.wait(for: "all jobs to wait") {
            try spool.jobs(in: "failed").count == 2 && spool.statusText.contains("\"waiting\":\(count),")
        }
        func link(_ text: String, _ start: String) throws -> String {
            let found = try #require(text.firstRange(of: "href=\"\(start)"), "\(text)")
            let address = text[text.index(found.lowerBound, offsetBy: 6)...].prefix { $0 != "\"" }
            return address.split(separator: "&amp;").joined(separator: "&")
        }
        let pages = try page(spool, ["env"], "/", "/waiting", "/queues")
        #expect(pages[2].contains(">\(count) waiting jobs</a>"))
        let lists = try page(spool, ["env"], link(pages[0], "/jobs?state=failed"), link(pages[1], "/jobs?state=new"))
        #expect(lists[0].contains(">bad<") && !lists[0].contains("given-up"), "\(lists[0])")
        let older = try page(spool, ["env"], link(lists[1], "/jobs?state=new&amp;before="))
        #expect(older[0].contains(">w") && older[0].contains("Older"))
        // Canceled jobs are no failures, however many there are.
        #expect(try spool.ctl("cancel", "--state", "new", "-y").code == 0)
        try spool.wait(for: "all jobs to be canceled") { try spool.jobs(in: "failed").count == count + 2 }
        #expect(try page(spool, ["env"], "/")[0].contains("<b>1</b><span>failed in 24 h</span>"))
    }

    // MARK: A browser

    private static let hasAxe =
        (try? Commands.run("python3", ["-c", "import axe_playwright_python"], environment: pythonPath))?.code == 0  // no Python: skipped
    private static let browser = Commands.has("chromium") && Commands.has("chromedriver")

    /// A spool with something in each view.
    private func busySpool() throws -> (SpoolUnderTest, Gate) {
        let spool = try SpoolUnderTest(configuration: "slots = 4\n[queues.video]\nslots = 1\n")
        let gate = try spool.gate()
        try spool.acceptedTask("backup", "command = \"exit 3\"\ntitle = \"Off-site copy\"\n[[schedule]]\ncron = \"30 2 * * *\"")
        try spool.acceptedTask(
            "report", "command = \"true\"\nexpect = \"26h\"\n[[schedule]]\nevery = \"1h\"\n[[schedule]]\ncron = \"@daily\"")
        #expect(try spool.ctl("run", "-w", "backup").code == 3)
        #expect(try spool.ctl("run", "-w", "report").code == 0)
        let line = "\(SpoolUnderTest.programs)/spoolctl progress 40% 'pass <1>'; read x < \(gate.path)"
        #expect(try spool.ctl("submit", "--name", "transcode", "--queue", "video", "--timeout", "3h", "--title", "A film", line).code == 0)
        #expect(try spool.ctl("submit", "--name", "transcode", "--queue", "video", "true").code == 0)
        #expect(try spool.ctl("submit", "--name", "later", "--in", "3h", "true").code == 0)
        #expect(try spool.ctl("pause", "--task", "report", "--note", "a holiday").code == 0)
        try spool.define("tasks/backup.toml", "comand = \"true\"")
        return (spool, gate)
    }

    @Test(
        "W2: In a browser: live, paused, after a restart, followed output, and the keyboard alone; and all of it without JavaScript",
        .enabled(if: browser, "needs chromium and chromedriver"), arguments: ["live", "returns", "follows", "keyboard", "without_script"])
    func browsing(name: String) throws {
        let (spool, gate) = try busySpool()
        try run("browse.py", name, spool)
        try gate.release()
    }

    @Test(
        "W2: Every view in both themes at three widths: no error on the console, nothing too wide, no violation for axe-core",
        .enabled(if: browser && hasAxe, "needs chromium, chromedriver and the Python package axe-playwright-python"),
        arguments: ["light", "dark"], [360, 1280, 3840])
    func looks(theme: String, width: Int) throws {
        let (spool, gate) = try busySpool()
        try run("browse.py", "looks:\(theme):\(width)", spool)
        try gate.release()
    }
}
