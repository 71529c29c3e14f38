import Documents
import Glibc
import Linux
import Testing

/// Tasks are exported as lines of a crontab, and as units of systemd.
@Suite("Exporting tasks", .ownThreads)
struct ExportTests {
    // MARK: There and back

    static let crontabs: [(what: String, text: String)] = [
        (
            "Debian's /etc/crontab",
            """
            SHELL=/bin/sh\n# Hourly things.\n17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly\n\
            25 6\t* * *\troot\ttest -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }\n
            """),
        (
            "sysstat",
            """
            PATH=/usr/lib/sysstat:/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin\n5-55/10 * * * * root command -v debian-sa1 > /dev/null && \
            debian-sa1 1 1\n59 23 * * * root command -v debian-sa1 > /dev/null && debian-sa1 60 2\n
            """),
        (
            "certbot",
            """
            SHELL=/bin/sh\n0 */12 * * * root test -x /usr/bin/certbot -a \\! -d /run/systemd/system && perl -e 'sleep int(rand(43200))' && \
            certbot -q renew --no-random-sleep-on-renewal\n
            """),
        ("another user", "MAILTO=ops\n1 2 3 4 5 nobody x\n1 2 3 4 5 root x\nMAILTO=nobody\n1 2 3 4 5 nobody x\n"),
        (
            "percent signs and backslashes",
            """
            0 1 * * * root date +\\%F\\%T\n0 1 * * * root cat%a%b\n0 1 * * * root cat%%a\\%\\\\%\n0 1 * * * root cat%\n\
            0 1 * * * root echo a\\\\b\\c '\\\\\\\\' \\\\\\%\n0 1 * * * root cat%x\\\n
            """),
        (
            "variables",
            """
            A='x \"y\" '\nB=\"it's\"\nA.B=1\nE=\n0 1 * * * root x\nA=2\n0 2 * * * root x\nHOME=/var/tmp\nSHELL=/bin/bash\nPATH=/bin\n\
            0 3 * * * root x\n@reboot root x\n
            """),
        ("mail", "MAILTO=\"\"\n0 1 * * * root x\nMAILTO=a@x,b@x\n0 1 * * * root x\nMAILTO=root\n0 1 * * * root x\n"),
        (
            "zones and delays",
            """
            0 1 * * * root x\nCRON_TZ=Europe/Berlin\n0 1 * * * root x\nRANDOM_DELAY=45\n0 1 * * * root x\nRANDOM_DELAY=0\n\
            0 1 * * * root x\nCRON_TZ=UTC\n@reboot root x\n
            """),
        (
            "times",
            """
            */5 * * * * root x\n0-30/10 1,2 1-7 * mon root x\n@daily root x\n@weekly root x\n0 0 1 jan-mar * root x\n* * * * 7 root x\n\
            0 0 1 * sun,tue root x\n
            """),
        ("comments", "# One\n# and more.\n0 1 * * * root x\n\n# Not this.\n\n0 2 * * * root x\n"),
    ]

    @Test("U1: crontab → tasks → crontab → tasks are the same tasks", arguments: crontabs)
    func thereAndBack(_ row: (what: String, text: String)) throws {
        try roundTrip(row.text, isLossless: !row.text.contains("' \"") && !row.what.hasPrefix("variables"))
    }

    @Test("U1: the same holds for random crontabs", arguments: 1...12)
    func generated(_ seed: UInt64) throws {
        var state = seed &* 0x9E37_79B9_7F4A_7C15
        func pick<Element>(_ choices: [Element]) -> Element {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return choices[Int(state >> 33) % choices.count]
        }
        var text = ""
        for _ in 0..<25 {
            switch pick(Array(0..<8)) {
            case 0: text += "\(pick(["A", "B", "PATH", "LANG", "X_1"]))=\(pick(["x", "\"x y\"", "'a\"b'", "/bin", "$HOME", "é"]))\n"
            case 1: text += "MAILTO=\(pick(["", "root", "ops@x", "a,b"]))\n"
            case 2:
                text += pick(
                    ["SHELL=/bin/bash\n", "SHELL=/bin/sh\n", "HOME=/tmp\n", "HOME=/\n", "CRON_TZ=Asia/Tokyo\n", "RANDOM_DELAY=5\n"])
            case 3: text += pick(["# What follows\n", "\n"])
            default:
                let times = pick(["0 1 * * *", "*/7 2-5 * * 1-5", "@hourly", "1,2 3 4 5 6", "0 0 * feb sat", "@reboot", "59 23 31 12 *"])
                var command = ""
                for _ in 0..<(1 + Int(state >> 40) % 9) {
                    command += pick(["x", " ", "\\%", "%", "\\", "\\\\", "'a'", "$(b)", ";c", "é", "&&d", "\"", "|e"])
                }
                text += "\(times) root \(pick(["echo", "/usr/bin/x", "cd / && y"])) \(command)z\n"
            }
        }
        try roundTrip(text, isLossless: false)
    }

    /// Exports a crontab's tasks and imports them again.
    /// - Parameter isLossless: true if no loss may be reported.
    private func roundTrip(_ text: String, isLossless: Bool) throws {
        let spool = try SpoolUnderTest(starting: false)
        let user = try Commands.run("id", "-un").output.filter { !$0.isNewline }
        func imported(_ text: String, to name: String) throws -> (names: [String], tasks: [String], errors: String) {
            // An ordinary user's import refuses lines of root, so the lines name this user.
            try Files.write("\(spool.base)/crontab", text.replacing(" root ", with: " \(user) ").replacing("\troot\t", with: "\t\(user)\t"))
            let result = try spool.ctl("--spool", "\(spool.base)/\(name)", "import", "crontab", "--system", "\(spool.base)/crontab")
            let tasks = try result.lines.map {
                try Files.text("\(spool.base)/\(name)/tasks/\($0).toml").split(separator: "\n").dropFirst().joined(separator: "\n")
            }
            return (result.lines, tasks, result.errors)
        }
        let first = try imported(text, to: "first")
        guard !first.names.isEmpty else { return }
        let export = try spool.ctl(list: ["--spool", "\(spool.base)/first", "export", "--crontab", "--system"] + first.names)
        if isLossless { #expect(export.code == 0, "\(export.errors)") }
        #expect(!export.errors.contains("command:") && !export.errors.contains("cannot be said"), "\(export.errors)\n\(text)")
        let second = try imported(export.output, to: "second")
        #expect(second.tasks == first.tasks, "\(text)\n---\n\(export.output)\n---\n\(second.errors)")
    }

    // MARK: Keys that a crontab cannot express

    static let crontabLosses: [(task: String, says: String)] = [
        ("command = \"a\\nb\"", "command: the command has several lines, and a crontab has one for each; put the command into a script"),
        ("script = \"x\"", "script: put the script into a file, and name the file in the crontab"),
        ("command = \"x\"\nenv = {A = \"a\\nb\"}", "env.A: its value has several lines"),
        ("command = \"x\"\nenv = {A = \"a'\\\"b \"}", "env.A: its value has quotes of both kinds"),
        ("command = \"x\"\nenv = {LOGNAME = \"b\"}", "env.LOGNAME: cron sets it itself"),
        ("command = \"x\"\nenv = {MAILTO = \"b\"}", "env.MAILTO: cron gives this variable another meaning"),
        ("command = \"x\"\nmail = \"ops\"", "mail.when: cron mails whenever there is output"),
        ("command = \"x\"\ntries = 3", "tries has no counterpart in a crontab"),
        ("command = \"x\"\nstdin = \"/x\"", "stdin: write it into the command"),
        ("command = \"x\"\nenv_file = \"/x\"", "env_file has no counterpart"),
        ("command = \"x\"\nnice = 5", "nice has no counterpart"), ("command = \"-x\"", "command: the command begins with -"),
    ]

    @Test("U1: each key that a crontab cannot express is reported, and the exit code is 4", arguments: crontabLosses)
    func crontabLoss(_ row: (task: String, says: String)) throws {
        let spool = try SpoolUnderTest(starting: false)
        let schedule = "\n[[schedule]]\ncron = \"0 1 * * *\"\ncatch_up = \"none\"\ntimezone = \"local\"\n"
        try Files.write("\(spool.path)/tasks/t.toml", "overlap = \"allow\"\n\(row.task)\(schedule)")
        let result = try spool.ctl("export", "t", "--crontab")
        let lines = result.errors.split(separator: "\n")
        #expect(result.code == 4 && lines.count == 1 && result.errors.hasPrefix("spoolctl: t: \(row.says)"), "\(result.errors)")
    }

    @Test("U1: no mail, another directory and the machine's zone are kept in a crontab")
    func kept() throws {
        let spool = try SpoolUnderTest(starting: false)
        let rest = "overlap = \"allow\"\nenv = {PATH = \"/bin\"}\n[[schedule]]\ncron = \"0 1 * * *\"\ncatch_up = \"none\"\n"
        try Files.write(
            "\(spool.path)/tasks/t.toml",
            "command = \"date +%F\"\ndirectory = \"/srv/a b\"\numask = \"027\"\n\(rest)timezone = \"local\"\n")
        let result = try spool.ctl("export", "t", "--crontab")
        #expect(result.code == 0 && result.errors.isEmpty, "\(result.errors)")
        #expect(result.output == "PATH=\"/bin\"\nMAILTO=\"\"\n0 1 * * * umask 27; cd '/srv/a b' || exit; date +\\%F\n")
        try Files.write(
            "\(spool.path)/tasks/u.toml",
            "command = \"x\"\nmail = {to = \"ops\", when = \"output\"}\n\(rest)timezone = \"Europe/Berlin\"\n")
        let both = try spool.ctl("export", "u", "t", "--crontab")
        #expect(both.code == 0, "\(both.errors)")
        // The settings of the first task must not apply to the second.
        #expect(
            both.lines.prefix(4) == ["PATH=\"/bin\"", "MAILTO=\"ops\"", "CRON_TZ=\"Europe/Berlin\"", "0 1 * * * x"]
                && both.lines[4] == "MAILTO=\"\"" && both.lines[5].hasPrefix("CRON_TZ="),
            "\(both.output)")
    }

    // MARK: Units

    @Test(
        "U1: no value of a task adds a line to a unit, and systemd reads every line",
        .enabled(if: Commands.has("systemd-analyze"), "systemd-analyze is not installed"),
        arguments: [
            "/tmp\\nExecStartPre=/bin/evil", "/tmp\\rUser=root", "/a b/50%/$x", "/tmp/\\\\", "/tmp ", "/x\\u0085y\\u2028z",
            "/tmp\\\\\\nUser=root", "%h/x\\u000b", "/tmp\\\"\\nUser=root\\n\\\"", "/-@!+:",
        ]
    )
    func injection(_ value: String) throws {
        let spool = try SpoolUnderTest(starting: false)
        let text = """
            command = ["\(value)", "\(value)", ";", "$$", "%n", "", "a b"]
            description = "\(value)"
            directory = "/\(value)"
            env_file = "/\(value)"
            env = {A = "\(value)", "B C" = "x"}
            [[schedule]]
            cron = "0 1 * * *"
            timezone = "local"

            """
        try Files.write("\(spool.path)/tasks/t.toml", text)
        let result = try spool.ctl("export", "t", "--systemd")
        #expect(!result.output.isEmpty, "\(result.errors)")
        let directives: Set = [
            "Description", "Type", "ExecStart", "Environment", "WorkingDirectory", "EnvironmentFile", "User", "OnCalendar", "Persistent",
            "AccuracySec", "WantedBy",
        ]
        var seen: [String] = []
        // Only LF ends a line of a unit.
        for line in result.output.utf8.split(separator: UInt8(ascii: "\n")).map({ String(decoding: $0, as: UTF8.self) })
            where !line.hasPrefix("#") && !line.hasPrefix("[")
        {
            let key = String(line.prefix { $0 != "=" })
            #expect(directives.contains(key) && !line.hasSuffix("\\"), "\(line)")
            seen.append(key)
        }
        #expect(Set(seen).count + 1 == seen.count, "only Description is there twice: \(seen)")
        let parts = result.output.split(separator: "# t.timer\n")
        #expect(parts.count == 2)
        for (ending, text) in zip(["service", "timer"], parts) { try Files.write("\(spool.base)/t.\(ending)", String(text)) }
        let verify = try Commands.run("systemd-analyze", "verify", "--man=no", "\(spool.base)/t.service", "\(spool.base)/t.timer")
        #expect(
            !verify.error.contains("Unknown") && !verify.error.contains("Failed to parse") && !verify.error.contains("ignoring"),
            "\(verify.error)\n\(result.output)")
    }

    @Test("U1: the service of an ordinary user names that user, whoever exports it", .enabled(if: TestUser.areHere, TestUser.reason))
    func users() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        #expect(try spool.ctl(as: .games, "create", "t", "--cron", "0 1 * * *", "--", "id").code == 0)
        try Files.write("\(spool.path)/tasks/r.toml", "command = \"id\"\n")
        try Files.write("\(spool.path)/tasks/n.toml", "command = \"id\"\nuser = \"nobody\"\n")
        #expect(try spool.ctl("export", "games/t", "--systemd").lines.contains("User=games"))
        #expect(try spool.ctl(as: .games, "export", "t", "--systemd").output.contains("\nUser=games\n"))
        #expect(try !spool.ctl(as: .games, "export", "t", "--systemd", "--user").output.contains("User="))
        #expect(try !spool.ctl("export", "r", "--systemd").output.contains("User="))
        #expect(try spool.ctl("export", "n", "--systemd").lines.contains("User=nobody"))
        #expect(try spool.ctl("export", "n", "--systemd", "--user").errors.contains("n: user: "))
        #expect(try spool.ctl("export", "n", "--crontab").errors.contains("n: user: a user's crontab runs its lines as that user"))
    }

    @Test("U1: a timer has the zone of the task", arguments: [
        ("cron = \"0 9 * * *\"\ntimezone = \"local\"", "OnCalendar=*-*-* 09:00:00"),
        ("calendar = \"Mon 09:00\"\ntimezone = \"local\"", "OnCalendar=Mon *-*-* 09:00:00"),
        ("calendar = \"Mon 09:00\"\ntimezone = \"Asia/Tokyo\"", "OnCalendar=Mon *-*-* 09:00:00 Asia/Tokyo"),
        ("calendar = \"Mon 09:00 UTC\"", "OnCalendar=Mon *-*-* 09:00:00 UTC"),
    ])
    func zones(_ schedule: String, _ line: String) throws {
        let spool = try SpoolUnderTest(starting: false)
        try Files.write("\(spool.path)/tasks/t.toml", "command = \"x\"\n[[schedule]]\n\(schedule)\n")
        let result = try spool.ctl("export", "t", "--systemd")
        #expect(result.lines.contains(line), "\(result.output)")
    }
}
