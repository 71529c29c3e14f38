import Documents
import Glibc
import Linux
import Testing

/// `spoolctl import at` takes over the queue of at(1).
@Suite("Importing from at", .ownThreads)
struct ImportAtTests {
    /// A job's file as at.c writes it.
    static func file(
        _ commands: String, uid: uid_t = geteuid(), mail: String = "root 0", umask: String = "22", directory: String = "/tmp"
    ) -> String {
        """
        #!/bin/sh
        # atrun uid=\(uid) gid=0
        # mail \(mail)
        umask \(umask)
        OWN=of\\ at; export OWN
        cd \(directory) || {
        \t echo 'Execution directory inaccessible' >&2
        \t exit 1
        }
        \(commands)

        """
    }

    /// A directory of atd for one test.
    private func jobs(_ spool: SpoolUnderTest) throws -> String {
        try Files.makeDirectory("\(spool.base)/atjobs")
        return "\(spool.base)/atjobs"
    }

    /// 2099-01-01T00:00:00Z, in minutes.
    static let minute = "040b4920"

    @Test(
        "U6: import at submits each queued job with its script, start, queue and mail; others are refused with the reason; at's spool stays"
    )
    func kinds() throws {
        let spool = try SpoolUnderTest(starting: false)
        let directory = try jobs(spool)
        func put(_ name: String, _ text: String, mode: mode_t = 0o700) throws {
            try Files.write("\(directory)/\(name)\(Self.minute)", text, mode: mode)
        }
        try put("a00005", Self.file("echo one; cat <<X\na\nX"))
        try put("c0000b", Self.file("true", mail: "ops 1"))
        try put("d0000c", Self.file("true", mail: "ops -1"))
        try put("=00007", Self.file("true"))
        try put("a00008", Self.file("true"), mode: 0o600)
        try put("a00009", Self.file("true", uid: geteuid() + 1))
        try put("a0000d", "#!/bin/sh\nexec cat\u{0}\n")
        #expect(mkfifo("\(directory)/a0000e\(Self.minute)", 0o700) == 0)
        try Files.write("\(directory)/.SEQ", "0000e")
        try Files.write("\(directory)/README", "none of at's")
        let before = Files.tree(directory)

        let dry = try spool.ctl("import", "at", "--dry-run", "--dir", directory)
        #expect(
            dry.code == 4 && dry.output.contains("# new/20990101T000000.000Z-at-5-000005.toml\n") && !dry.errors.contains("atrm"),
            "\(dry.output)\(dry.errors)")
        #expect(try Files.list("\(spool.path)/new").isEmpty)

        let result = try spool.ctl("import", "at", "--dir", directory)
        #expect(result.code == 4, "\(result.errors)")
        #expect(
            result.lines == ["20990101T000000.000Z-at-5-000005", "20990101T000000.000Z-at-11-00000b", "20990101T000000.000Z-at-12-00000c"])
        let reasons = [
            ("=00007", "it is running"), ("a00008", "it is still being written"),
            ("a00009", "it names user \(geteuid() + 1), but its file belongs to user \(geteuid())"),
            ("a0000d", "it is not a text: it contains a zero byte"), ("a0000e", "it is not a regular file"),
        ]
        for (name, why) in reasons {
            #expect(result.errors.contains("spoolctl: \(directory)/\(name)\(Self.minute): \(why)\n"), "\(result.errors)")
        }
        #expect(result.errors.hasSuffix("to remove them there: atrm 5 11 12\n"))
        #expect(Files.tree(directory) == before)

        guard case .table(let first) = try spool.ctl("status", "--json", result.lines[0]).json.kind
        else { return #expect(Bool(false), "no status") }
        #expect(
            first.text("scheduled_at") == "2099-01-01T00:00:00.000Z" && first.text("queue") == "a"
                && first.text("description") == "at job 5: echo one; cat <<X")
        let files = try result.lines.map { try Files.text("\(spool.path)/new/\($0).toml") }
        #expect(files.allSatisfy { $0.hasPrefix("# From \(directory)/") && $0.contains("script = ") })
        #expect(files[0].contains("when = \"output\"") && !files[0].contains("nice"))
        #expect(
            files[1].contains("[mail]") && files[1].contains("when = \"always\"") && files[1].contains("to = \"ops\"")
                && files[1].contains("nice = 4"))
        #expect(!files[2].contains("[mail]") && files[2].contains("nice = 6"))
        #expect(try spool.ctl("check").code == 0)
    }

    @Test("U6: a second import of the same job of at does not double it, waiting or ended, with the daemon up or down")
    func twice() throws {
        let spool = try SpoolUnderTest()
        let directory = try jobs(spool)
        // The job's time has passed, so it runs at once, as it does when atd starts late.
        try Files.write(
            "\(directory)/a0000100000001",
            Self.file("echo ran >> \(spool.out)/ran; pwd; umask; echo $OWN", mail: "root -1", umask: "27", directory: spool.out),
            mode: 0o700)
        try Files.write("\(directory)/a00002\(Self.minute)", Self.file("true"), mode: 0o700)
        let ids = try spool.ctl("import", "at", "--dir", directory).lines
        #expect(ids.count == 2)
        #expect(try spool.ctl("wait", ids[0]).code == 0)
        #expect(try spool.ctl("logs", ids[0]).output == "\(spool.out)\n0027\nof at\n")
        for isUp in [true, false] {
            if !isUp { try spool.stop() }
            let again = try spool.ctl("import", "at", "--dir", directory)
            // After an interrupted first import, the second one names the jobs that can be removed from at's queue.
            #expect(again.code == 0 && again.lines == ids, "\(again.output)")
            #expect(
                again.errors.contains("at's job 1 was imported before and is in done: \(ids[0])")
                    && again.errors.contains("at's job 2 was imported before and is in new: \(ids[1])"),
                "\(again.errors)")
        }
        try spool.start()
        #expect(try spool.runsOn())
        #expect(try spool.linesNow("ran") == ["ran"] && Files.list("\(spool.path)/new").count == 1)
    }

    @Test(
        "U6: jobs of other users that root imports run as these users, and those of unknown users are refused",
        .enabled(if: TestUser.areHere, TestUser.reason)
    )
    func otherUsers() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let directory = try jobs(spool)
        for (name, uid) in [("a0000100000001", TestUser.games.id), ("a0000200000001", TestUser.nameless.id)] {
            try Files.write("\(directory)/\(name)", Self.file("id -un", uid: uid, mail: "games -1"), mode: 0o700)
            #expect(chown("\(directory)/\(name)", uid, uid) == 0)
        }
        let result = try spool.ctl("import", "at", "--dir", directory)
        #expect(
            result.code == 4 && result.errors.contains("a0000200000001: it belongs to user 64101, who is not in the user database"),
            "\(result.errors)")
        let id = try #require(result.lines.first)
        #expect(result.lines.count == 1)
        #expect(try spool.ctl("wait", id).code == 0)
        #expect(try spool.ctl("logs", id).output == "games\n")
        let refused = try TestUser.games.run(
            "\(SpoolUnderTest.programs)/spoolctl", "import", "at", "--dry-run", "--dir", directory,
            environment: ["SPOOL_DIR=\(spool.path)"])
        #expect(refused.code != 0, "\(refused.output)")
    }

    @Test("U6: wrong uses of import at, and a missing directory, are refused")
    func mistakes() throws {
        let spool = try SpoolUnderTest(starting: false)
        for (arguments, code, says) in [
            (["at", "--dir", "/no/such/directory"], 1, "/no/such/directory"), (["at", "--verify"], 2, "--verify needs import crontab"),
            (["at", "--system"], 2, "--system needs import crontab"), (["crontab", "--dir", "/tmp"], 2, "--dir needs import at"),
            (["anacron"], 2, "crontab or at"),
        ] as [([String], Int32, String)] {
            let result = try spool.ctl(list: ["import"] + arguments)
            #expect(result.code == code && result.errors.contains(says), "\(arguments): \(result.code) \(result.errors)")
        }
    }

    @Test(
        "U6: a job that at(1) itself has queued runs with spoold as it would have run with atd",
        .enabled(if: Commands.has("at") && geteuid() == 0, "at is not installed, or its spool is not to be read"))
    func realAt() throws {
        let spool = try SpoolUnderTest()
        let directory = try jobs(spool)
        try Files.makeDirectory("\(spool.out)/a b")
        let script = """
            cd '\(spool.out)/a b'; umask 077; export OWN=\"it's \\$5\"; echo 'pwd; umask; echo \"$OWN\"; cat <<X\nend $((1 + 1))\n\
            X' | at -M -q e 23:59 2099-12-31
            """
        let queued = try Commands.run("sh", ["-c", script])
        let said = queued.error.split(separator: "\n").first { $0.hasPrefix("job ") }
        let number = try #require(said?.split(separator: " ").dropFirst().first.flatMap { Int($0) }, "\(queued.error)")
        defer { _ = try? Commands.run("atrm", "\(number)") }  // an at job that stays is due in the year 2099
        let digits = String(number, radix: 16)
        let prefix = "e" + String(repeating: "0", count: 5 - digits.count) + digits
        let file = try #require(try Files.list("/var/spool/cron/atjobs").first { $0.hasPrefix(prefix) })
        let here = try spool.ctl("import", "at", "--dry-run")
        #expect(
            here.output.contains("-at-\(number)-") && here.output.contains("start = \"2099-12-31T23:59:00.000Z\""),
            "\(here.output)\(here.errors)")
        // The same job with a time that has passed.
        try Commands.succeed("cp", "-p", "/var/spool/cron/atjobs/\(file)", "\(directory)/\(prefix)00000001")
        let imported = try spool.ctl("import", "at", "--dir", directory)
        #expect(imported.code == 0 && imported.errors.hasSuffix("atrm \(number)\n"), "\(imported.errors)")
        #expect(try spool.ctl("wait", imported.id).code == 0)
        #expect(try spool.ctl("logs", imported.id).output == "\(spool.out)/a b\n0077\nit's $5\nend 2\n")
    }
}
