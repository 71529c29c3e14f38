import Documents
import Glibc
import Linux
import Testing

/// One command imports a whole crontab: U1.
@Suite("Importing a crontab", .ownThreads)
struct ImportTests {
    static let lines: [(what: String, crontab: String, task: String, holds: [String])] = [
        (
            "a plain line", "30 2 * * 1-5 backup --all >/dev/null\n", "backup",
            [
                "command = \"backup --all >/dev/null\"", "cron = \"30 2 * * 1-5\"", "timezone = \"local\"", "catch_up = \"none\"",
                "overlap = \"allow\"", "PATH = \"/usr/bin:/bin\"",
            ]),
        ("a word", "@weekly tidy\n", "tidy", ["cron = \"@weekly\""]),
        ("@reboot has no zone", "@reboot tidy\n", "tidy", ["cron = \"@reboot\""]),
        (
            "the comment above", "# Tidies\n# up.\n\n# All of it,\n#   at night.\n0 3 * * * tidy\n", "tidy",
            ["description = \"All of it, at night.\""]),
        (
            "SHELL and PATH", "SHELL=/bin/bash\nPATH = \"/opt/bin:/bin\"\n0 3 * * * tidy\n", "tidy",
            ["shell = \"/bin/bash\"", "PATH = \"/opt/bin:/bin\""]),
        (
            "other variables, as they are, in quotes too", "A='x  $B '\nC =  y z  \n0 3 * * * tidy\n", "tidy",
            ["A = \"x  $B \"", "C = \"y z\""]),
        (
            "a HOME that is not there is not where it runs", "HOME=/nonexistent/home\n0 3 * * * tidy\n", "tidy",
            ["directory = \"/\"", "HOME = \"/nonexistent/home\""]
        ),
        ("HOME is where it runs", "HOME=/var/tmp\n0 3 * * * tidy\n", "tidy", ["directory = \"/var/tmp\"", "HOME = \"/var/tmp\""]),
        ("CRON_TZ", "CRON_TZ=Asia/Tokyo\n0 3 * * * tidy\n", "tidy", ["timezone = \"Asia/Tokyo\""]),
        ("RANDOM_DELAY", "RANDOM_DELAY=45\n0 3 * * * tidy\n", "tidy", ["jitter = \"45m\""]),
        ("MAILTO", "MAILTO=ops@example.org\n0 3 * * * tidy\n", "tidy",
            ["to = \"ops@example.org\"", "when = \"output\"", "form = \"cron\""]),
        ("MAILFROM", "MAILFROM=cron@x\n0 3 * * * tidy\n", "tidy", ["from = \"cron@x\"", "MAILFROM = \"cron@x\""]),
        ("input for any shell", "SHELL=/bin/csh\n0 3 * * * tidy%a%\\\n", "tidy", ["command = \"tidy\"", "[stdin]", "a\n\\"]),
        ("MAILTO of several", "MAILTO=a@x,b@x\n0 3 * * * tidy\n", "tidy", ["to = \"a@x,b@x\"", "MAILTO = \"a@x,b@x\""]),
        ("a leading -", "-*/15 * * * * tidy\n", "tidy", ["cron = \"*/15 * * * *\""]),
        ("cronie's -n", "0 3 * * * -n tidy\n", "tidy", ["command = \"tidy\"", "when = \"failure\""]),
        ("CR LF", "A=b\r\n# All\r\n0 3 * * * tidy up\r\n", "tidy", ["description = \"All\"", "A = \"b\"", "command = \"tidy up\""]),
        (
            "a name behind others", "0 3 * * * cd /srv && flock -n /run/x nice -n 19 /opt/bin/tidy -x\n", "tidy",
            ["command = \"cd /srv && flock"]),
        ("an escaped %", "0 3 * * * date +\\%F\n", "date", ["command = \"date +%F\""]),
        ("tabs", "0\t3\t*\t*\t*\ttidy  up\n", "tidy", ["cron = \"0 3 * * *\"", "command = \"tidy  up\""]),
    ]

    @Test("U1: each kind of line becomes a task with the right keys", arguments: lines)
    func line(_ row: (what: String, crontab: String, task: String, holds: [String])) throws {
        let spool = try SpoolUnderTest(starting: false)
        try Files.write("\(spool.base)/crontab", row.crontab)
        let result = try spool.ctl("import", "crontab", "\(spool.base)/crontab")
        #expect(result.code == 0 && result.lines == [row.task], "\(row.what): \(result.errors)")
        let text = try Files.text("\(spool.path)/tasks/\(row.task).toml")
        for part in row.holds { #expect(text.contains(part), "\(row.what):\n\(text)") }
        #expect(text.hasPrefix("# From \(spool.base)/crontab, line "))
        #expect(try spool.ctl("check").code == 0)
    }

    @Test("U1: variables hold for the lines below them, an empty MAILTO sends no mail, and equal names get numbers")
    func positions() throws {
        let spool = try SpoolUnderTest(starting: false)
        try Files.write("\(spool.base)/c", "X=1\n0 1 * * * run-it a\nX=2\nMAILTO=\"\"\n0 2 * * * /opt/run-it b\n")
        #expect(try spool.ctl("import", "crontab", "\(spool.base)/c").lines == ["run-it", "run-it-2"])
        let first = try Files.text("\(spool.path)/tasks/run-it.toml")
        let second = try Files.text("\(spool.path)/tasks/run-it-2.toml")
        #expect(first.contains("X = \"1\"") && first.contains("[mail]"))
        #expect(second.contains("X = \"2\"") && second.contains("mail = false"))
    }

    @Test("U1: a second import skips equal tasks, gives others new names, imports the rest, and prints a count")
    func again() throws {
        let spool = try SpoolUnderTest(starting: false)
        let file = "\(spool.base)/c"
        // cron runs a line twice if the crontab has it twice.
        try Files.write(file, "MAILTO=\"\"\n0 1 * * * tidy a\n0 2 * * * tidy b\n0 2 * * * tidy b\n")
        let first = try spool.ctl("import", "crontab", file)
        #expect(
            first.code == 0 && first.lines == ["tidy", "tidy-2", "tidy-3"]
                && first.errors == "spoolctl: 3 written, 0 the same, 0 refused\n",
            "\(first.errors)")
        let same = try spool.ctl("import", "crontab", file)
        #expect(same.code == 0 && same.lines == [] && same.errors == "spoolctl: 0 written, 3 the same, 0 refused\n", "\(same.errors)")
        // A new line above it, another comment or another layout do not change the task.
        try Files.write("\(spool.path)/tasks/tidy-2.toml", "# Mine.\n" + Files.text("\(spool.path)/tasks/tidy-2.toml"))
        try Files.write(file, "MAILTO=\"\"\n\n61 * * * * x\n0 4 * * * tidy new\n0 1 * * * tidy a\n0 2 * * * tidy b\n")
        let dry = try spool.ctl("import", "crontab", "--dry-run", file)
        #expect(
            dry.code == 4 && dry.output.contains("# tasks/tidy-4.toml")
                && dry.errors.hasSuffix("spoolctl: 1 to be written, 2 the same, 1 refused\n"),
            "\(dry.errors)")
        let third = try spool.ctl("import", "crontab", file)
        #expect(
            third.code == 4 && third.lines == ["tidy-4"] && third.errors.hasSuffix("spoolctl: 1 written, 2 the same, 1 refused\n"),
            "\(third.errors)")
        // An existing task of that name, written by somebody else, stays unchanged.
        try Files.write("\(spool.path)/tasks/other.toml", "command = \"mine\"\n")
        try Files.write(file, "0 1 * * * other\n")
        #expect(try spool.ctl("import", "crontab", file).lines == ["other-2"])
        #expect(try Files.text("\(spool.path)/tasks/other.toml") == "command = \"mine\"\n")
    }

    @Test("U1: an import that finds nothing says so", arguments: ["", "# nothing\n", "A=b\n"])
    func nothing(_ text: String) throws {
        let spool = try SpoolUnderTest(starting: false)
        try Files.write("\(spool.base)/c", text)
        let result = try spool.ctl("import", "crontab", "\(spool.base)/c")
        #expect(result.code == 0 && result.errors.contains("\(spool.base)/c: the file has no line with a command"), "\(result.errors)")
    }

    @Test("U1: text after % is standard input, and the task runs as the line did")
    func percent() throws {
        let spool = try SpoolUnderTest()
        try Files.write(
            "\(spool.base)/c",
            """
            MAILTO=\"\"\n0 5 * * * cat > \(spool.out)/got; echo 100\\% > \(spool.out)/percent%one%END%\\%three\n\
            0 6 * * * dd of=\(spool.out)/empty%\n
            """)
        let result = try spool.ctl("import", "crontab", "\(spool.base)/c")
        #expect(
            result.code == 0 && result.errors.contains("c:2:") && result.errors.contains("note: the % ends the command"),
            "\(result.errors)")
        #expect(try spool.ctl("run", "cat", "-w").code == 0)
        #expect(try Files.text("\(spool.out)/got") == "one\nEND\n%three\n")
        #expect(try Files.text("\(spool.out)/percent") == "100%\n")
        #expect(try spool.ctl("run", "dd", "-w").code == 0)
        #expect(try Files.text("\(spool.out)/empty") == "", "a % at the end is an empty input")
    }

    @Test("U1: a command reaches its shell with the bytes that the crontab has, in UTF-8 or not")
    func latin1() throws {
        let spool = try SpoolUnderTest()
        let line = Array("MAILTO=\"\"\nWHO=Jos".utf8) + [0xE9] + Array("\n0 5 * * * printf 'caf".utf8) + [0xE9]
            + Array("' > \(spool.out)/got; printf \"$WHO\" > \(spool.out)/who\n".utf8)
        try Files.write("\(spool.base)/c", line)
        #expect(try spool.ctl("import", "crontab", "\(spool.base)/c").code == 0)
        #expect(try Files.text("\(spool.path)/tasks/printf.toml").contains("caf\\U0010FFE9"))
        #expect(try spool.ctl("run", "printf", "-w").code == 0)
        #expect(try Files.bytes("\(spool.out)/got") == Array("caf".utf8) + [0xE9])
        #expect(try Files.bytes("\(spool.out)/who") == Array("Jos".utf8) + [0xE9])
    }

    static let refused: [(crontab: String, error: String)] = [
        ("* * * * tidy\n", ":1:13: not a crontab line"),
        ("\n61 * * * * tidy\n", ":2:1: cron \"61 * * * *\": minute 61 is out of range 0-59"),
        ("@dialy tidy\n", ":1:1: cron \"@dialy\": unknown word \"@dialy\"; did you mean @daily?"),
        ("0 3 * * *\n", ":1:10: not a crontab line"),
        ("SHELL=bash\n0 3 * * * tidy\n", ":2:1: SHELL is \"bash\", not an absolute path"),
        ("RANDOM_DELAY=soon\n0 3 * * * tidy\n", ":2:1: RANDOM_DELAY is \"soon\", not a number of minutes"),
        ("CRON_TZ=Mars/Base\n0 3 * * * tidy\n", ":2:1: timezone: unknown time zone \"Mars/Base\""),
    ]

    @Test("U1: a line that cannot be imported is refused with file, line and reason, and the rest is written", arguments: refused)
    func refuses(_ row: (crontab: String, error: String)) throws {
        let spool = try SpoolUnderTest(starting: false)
        try Files.write("\(spool.base)/c", "0 4 * * * good\n" + row.crontab)
        let result = try spool.ctl("import", "crontab", "\(spool.base)/c")
        #expect(result.code == 4 && result.lines == ["good"] && result.errors.hasSuffix("spoolctl: 1 written, 0 the same, 1 refused\n"))
        // The test puts one line before the text.
        let parts = row.error.split(separator: ":", maxSplits: 1)
        let expected = ":\((Int(parts[0]) ?? 0) + 1):\(parts[1])"
        #expect(result.errors.contains("\(spool.base)/c\(expected)"), "\(result.errors)")
    }

    @Test("U1: the users of the system form become those of root's tasks; an ordinary user's spool refuses lines of others")
    func system() throws {
        let spool = try SpoolUnderTest(starting: false)
        try Files.makeDirectory("\(spool.base)/cron.d")
        let me = try Commands.run("id", "-un").output.filter { !$0.isNewline }
        try Files.write(
            "\(spool.base)/cron.d/pkg", "MAILTO=\"\"\n5 * * * * \(me) one\n6 * * * * somebody-else two\n7 * * * * \(me) three\n")
        try Files.write("\(spool.base)/cron.d/pkg.dpkg-old", "5 * * * * \(me) old\n")
        let result = try spool.ctl("import", "crontab", "\(spool.base)/cron.d")
        if geteuid() == 0 {
            #expect(result.code == 0 && result.lines == ["pkg", "pkg-2", "pkg-3"], "\(result.output)\(result.errors)")
            #expect(try Files.text("\(spool.path)/tasks/pkg-2.toml").contains("user = \"somebody-else\""))
            #expect(try !Files.text("\(spool.path)/tasks/pkg.toml").contains("user ="))
            for path in [spool.base, "\(spool.base)/cron.d"] {
                guard chmod(path, 0o755) == 0 else { throw SystemError(call: "chmod", path: path, errno: errno) }
            }
            let other = try Commands.run(
                "/usr/bin/setpriv",
                [
                    "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "env", "HOME=/nonexistent",
                    "\(SpoolUnderTest.programs)/spoolctl", "import", "crontab", "--dry-run", "\(spool.base)/cron.d",
                ])
            #expect(other.code == 4 && other.error.contains("cron.d/pkg:3:1: it runs as somebody-else"), "\(other.error)")
        } else {
            #expect(result.code == 4 && result.lines == ["pkg", "pkg-2"], "\(result.output)\(result.errors)")
            #expect(result.errors.contains("cron.d/pkg:3:1: it runs as somebody-else"))
        }
    }

    @Test(
        "U1: root's import of the system's crontabs takes the files that cron(8) takes, and reports why it skips the others",
        .enabled(if: geteuid() == 0, "only root has files of others")
    )
    func trust() throws {
        let spool = try SpoolUnderTest(starting: false)
        let directory = "\(spool.base)/cron.d"
        try Files.makeDirectory(directory)
        func put(_ name: String, mode: mode_t = 0o644, owner: uid_t = 0) throws {
            try Files.write("\(directory)/\(name)", "1 * * * * root \(name)\n", mode: mode)
            #expect(chown("\(directory)/\(name)", owner, owner) == 0)
        }
        try put("good")
        try put("world", mode: 0o666)
        try put("group", mode: 0o664)
        try put("nobodys", owner: 65534)
        try put("twice")
        try Files.link("\(directory)/twice", "\(spool.base)/twice")
        try put("not.a-name")
        try Files.write("\(spool.base)/target", "1 * * * * root linked\n")
        try Files.symlink("\(spool.base)/target", "\(directory)/roots-link")
        try Files.symlink("\(spool.base)/target", "\(directory)/nobodys-link")
        #expect(lchown("\(directory)/nobodys-link", 65534, 65534) == 0)
        try Files.makeDirectory("\(directory)/directory")
        let result = try spool.ctl("import", "crontab", "--system", directory)
        #expect(result.code == 4 && result.lines == ["good", "roots-link"], "\(result.output)\(result.errors)")
        let reasons = [
            ("group", "its mode 0664 lets others than root write to it"), ("nobodys", "it belongs to user 65534"),
            ("nobodys-link", "it is a symbolic link of user 65534"),
            ("twice", "it has 2 hard links"), ("world", "its mode 0666 lets others than root write to it"),
        ]
        for (name, why) in reasons {
            #expect(result.errors.contains("spoolctl: \(directory)/\(name): cron(8) would not read it: \(why)"), "\(result.errors)")
        }
        #expect(result.errors.hasSuffix("spoolctl: 2 written, 0 the same, 5 refused\n"))
    }

    @Test(
        "U1: a user's crontab in cron's own directory runs as that user, whoever imports it",
        .enabled(if: TestUser.areHere, TestUser.reason)
    )
    func spoolOfCron() throws {
        let spool = try SpoolUnderTest(starting: false)
        for directory in ["cron", "cron/crontabs"] { try Files.makeDirectory("\(spool.base)/\(directory)") }
        let file = "\(spool.base)/cron/crontabs/games"
        try Files.write(file, "0 1 * * * tidy\n", mode: 0o600)
        #expect(chown(file, TestUser.games.id, 0) == 0)
        let result = try spool.ctl("import", "crontab", file)
        #expect(result.code == 0, "\(result.errors)")
        let text = try Files.text("\(spool.path)/tasks/tidy.toml")
        #expect(text.contains("user = \"games\"") && text.contains("to = \"games\""), "\(text)")
        try Files.write(file, "0 1 * * * tidy\n", mode: 0o644)
        let readable = try spool.ctl("import", "crontab", file)
        #expect(readable.code == 4 && readable.errors.contains("its mode is 0644, and cron wants 0600"), "\(readable.errors)")
    }

    @Test("U1: --dry-run and --verify write nothing; verify shows 20 equal runs")
    func dry() throws {
        let spool = try SpoolUnderTest(starting: false)
        try Files.write("\(spool.base)/c", "CRON_TZ=Europe/Berlin\n30 2 * * * tidy\n")
        let dry = try spool.ctl("import", "crontab", "--dry-run", "\(spool.base)/c")
        #expect(dry.code == 0 && dry.output.contains("# tasks/tidy.toml") && dry.output.contains("timezone = \"Europe/Berlin\""))
        let verify = try spool.ctl("import", "crontab", "--verify", "\(spool.base)/c")
        #expect(verify.lines.count == 20)
        for line in verify.lines {
            let cells = line.split(separator: "\t", omittingEmptySubsequences: false)
            #expect(cells.count == 4 && cells[1] == cells[2] && cells[3] == "")
        }
        #expect(try Files.list("\(spool.path)/tasks").isEmpty)
    }

    // MARK: The way back

    @Test("U1: export writes a line of a crontab that can be imported again as the same task, and reports losses")
    func exportCrontab() throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(try spool.ctl(
            "create", "backup", "--description", "Nightly", "--cron", "30 2 * * 1-5", "--timezone", "Europe/Berlin", "--catch-up", "none",
            "--overlap", "allow", "-E", "A=b c", "--", "/bin/sh", "-c", "echo \"$A\" 50%").code == 0)
        let result = try spool.ctl("export", "backup", "--crontab")
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.lines == [
            "PATH=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"", "A=\"b c\"", "MAILTO=\"\"",
            "CRON_TZ=\"Europe/Berlin\"", "# Nightly",
            "30 2 * * 1-5 /bin/sh -c 'echo \"$A\" 50\\%'",
        ])
        #expect(result.errors == "spoolctl: backup: note: only cronie knows CRON_TZ; Debian's cron uses the machine's clock\n")
        let lossy = try spool.ctl("create", "other", "--every", "5m", "--tries", "3", "--", "true")
        #expect(lossy.code == 0)
        let other = try spool.ctl("export", "other", "--crontab")
        #expect(
            other.code == 4 && other.errors.contains("tries has no counterpart in a crontab")
                && other.errors.contains("every \"5m\" cannot be expressed in a crontab"),
            "\(other.errors)")
        #expect(try spool.ctl("export", "none", "--crontab").code == 3)
        #expect(try spool.ctl("export", "backup").code == 2)
    }

    @Test(
        "U1: export writes a service and a timer that systemd accepts",
        .enabled(if: Commands.has("systemd-analyze"), "systemd-analyze is not installed")
    )
    func exportUnits() throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(try spool.ctl(
            "create", "report", "--description", "50% done", "--cron", "0 9 13 * 5", "--timezone", "Europe/Berlin", "--timeout", "90s",
            "--nice", "5",
            "-E", "PCT=5%", "--", "/bin/sh", "-c", "echo \"$HOME\" 'a b' 50%").code == 0)
        let result = try spool.ctl("export", "report", "--systemd")
        #expect(result.code == 0, "\(result.errors)")
        let parts = result.output.split(separator: "# report.timer\n")
        #expect(parts.count == 2)
        for (ending, text) in zip(["service", "timer"], parts) { try Files.write("\(spool.base)/report.\(ending)", String(text)) }
        let verify = try Commands.run("systemd-analyze", "verify", "--man=no", "\(spool.base)/report.service", "\(spool.base)/report.timer")
        #expect(verify.code == 0 && verify.error.isEmpty, "\(verify.error)")
        #expect(
            result.lines.contains("OnCalendar=*-*-13 09:00:00 Europe/Berlin")
                && result.lines.contains("OnCalendar=Fri *-*-* 09:00:00 Europe/Berlin"))
        #expect(
            result.lines.contains("Persistent=true") && result.lines.contains("TimeoutStartSec=90000ms") && result.lines.contains("Nice=5"))
        #expect(result.lines.contains("ExecStart=/bin/sh -c \"echo \\\"$$HOME\\\" 'a b' 50%%\""))
    }
}
