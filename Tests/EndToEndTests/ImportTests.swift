import Documents
import Glibc
import Linux
import Testing

/// U1: a crontab moves over in one command.
@Suite("Importing a crontab", .ownThreads)
struct ImportTests {
    static let lines: [(what: String, crontab: String, task: String, holds: [String])] = [
        ("a plain line", "30 2 * * 1-5 backup --all >/dev/null\n", "backup", ["command = \"backup --all >/dev/null\"", "cron = \"30 2 * * 1-5\"", "timezone = \"local\"", "catch_up = \"none\"", "overlap = \"allow\"", "PATH = \"/usr/bin:/bin\""]),
        ("a word", "@weekly tidy\n", "tidy", ["cron = \"@weekly\""]),
        ("@reboot has no zone", "@reboot tidy\n", "tidy", ["cron = \"@reboot\""]),
        ("the comment above", "# Tidies\n# up.\n\n# All of it,\n#   at night.\n0 3 * * * tidy\n", "tidy", ["description = \"All of it, at night.\""]),
        ("SHELL and PATH", "SHELL=/bin/bash\nPATH = \"/opt/bin:/bin\"\n0 3 * * * tidy\n", "tidy", ["shell = \"/bin/bash\"", "PATH = \"/opt/bin:/bin\""]),
        ("other variables, as they are, in quotes too", "A='x  $B '\nC =  y z  \n0 3 * * * tidy\n", "tidy", ["A = \"x  $B \"", "C = \"y z\""]),
        ("HOME is where it runs", "HOME=/var/tmp\n0 3 * * * tidy\n", "tidy", ["directory = \"/var/tmp\"", "HOME = \"/var/tmp\""]),
        ("CRON_TZ", "CRON_TZ=Asia/Tokyo\n0 3 * * * tidy\n", "tidy", ["timezone = \"Asia/Tokyo\""]),
        ("RANDOM_DELAY", "RANDOM_DELAY=45\n0 3 * * * tidy\n", "tidy", ["jitter = \"45m\""]),
        ("MAILTO", "MAILTO=ops@example.org\n0 3 * * * tidy\n", "tidy", ["to = \"ops@example.org\"", "when = \"output\""]),
        ("an escaped %", "0 3 * * * date +\\%F\n", "date", ["command = \"date +%F\""]),
        ("tabs", "0\t3\t*\t*\t*\ttidy  up\n", "tidy", ["cron = \"0 3 * * *\"", "command = \"tidy  up\""]),
    ]

    @Test("U1: what a line becomes", arguments: lines)
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

    @Test("U1: variables hold from where they stand, an empty MAILTO mails nothing, and names are told apart")
    func positions() throws {
        let spool = try SpoolUnderTest(starting: false)
        try Files.write("\(spool.base)/c", "X=1\n0 1 * * * run-it a\nX=2\nMAILTO=\"\"\n0 2 * * * /opt/run-it b\n")
        #expect(try spool.ctl("import", "crontab", "\(spool.base)/c").lines == ["run-it", "run-it-2"])
        let first = try Files.text("\(spool.path)/tasks/run-it.toml")
        let second = try Files.text("\(spool.path)/tasks/run-it-2.toml")
        #expect(first.contains("X = \"1\"") && first.contains("[mail]"))
        #expect(second.contains("X = \"2\"") && !second.contains("mail"))
        let again = try spool.ctl("import", "crontab", "\(spool.base)/c")
        #expect(again.code == 1 && again.errors.contains("task \"run-it\" exists"))
    }

    @Test("U1: text after % is standard input, and the task runs as the line did")
    func percent() throws {
        let spool = try SpoolUnderTest()
        try Files.write("\(spool.base)/c", "MAILTO=\"\"\n0 5 * * * cat > \(spool.out)/got; echo 100\\% > \(spool.out)/percent%one%END%\\%three\n")
        #expect(try spool.ctl("import", "crontab", "\(spool.base)/c").code == 0)
        #expect(try spool.ctl("run", "cat", "-w").code == 0)
        #expect(try Files.text("\(spool.out)/got") == "one\nEND\n%three\n")
        #expect(try Files.text("\(spool.out)/percent") == "100%\n")
    }

    static let refused: [(crontab: String, error: String)] = [
        ("* * * * tidy\n", ":1: is no line of a crontab"), ("\n61 * * * * tidy\n", ":2: cron \"61 * * * *\": minute 61 is out of range 0-59"),
        ("@dialy tidy\n", ":1: cron \"@dialy\": unknown word \"@dialy\"; did you mean @daily?"), ("0 3 * * *\n", ":1: is no line of a crontab"),
        ("SHELL=bash\n0 3 * * * tidy\n", ":2: SHELL is \"bash\", no absolute path"),
        ("SHELL=/usr/bin/python3\n0 3 * * * print(1)%x\n", ":2: its % text is standard input"),
        ("RANDOM_DELAY=soon\n0 3 * * * tidy\n", ":2: RANDOM_DELAY is \"soon\", no number of minutes"),
        ("CRON_TZ=Mars/Base\n0 3 * * * tidy\n", ":2: timezone: unknown time zone \"Mars/Base\""),
    ]

    @Test("U1: what cannot be carried over is refused with file, line and reason, and the rest is written", arguments: refused)
    func refuses(_ row: (crontab: String, error: String)) throws {
        let spool = try SpoolUnderTest(starting: false)
        try Files.write("\(spool.base)/c", "0 4 * * * good\n" + row.crontab)
        let result = try spool.ctl("import", "crontab", "\(spool.base)/c")
        #expect(result.code == 4 && result.lines == ["good"])
        // One line was put before.
        let parts = row.error.split(separator: ":", maxSplits: 1)
        let expected = ":\((Int(parts[0]) ?? 0) + 1):\(parts[1])"
        #expect(result.errors.contains("\(spool.base)/c\(expected)"), "\(result.errors)")
    }

    @Test("U1: the system form names users: as whom root's tasks run; anybody else's spool refuses lines of others")
    func system() throws {
        let spool = try SpoolUnderTest(starting: false)
        try Files.makeDirectory("\(spool.base)/cron.d")
        let me = try Commands.run("id", "-un").output.filter { !$0.isNewline }
        try Files.write("\(spool.base)/cron.d/pkg", "MAILTO=\"\"\n5 * * * * \(me) one\n6 * * * * somebody-else two\n7 * * * * \(me) three\n")
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
                ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "\(SpoolUnderTest.programs)/spoolctl", "import", "crontab", "--dry-run", "\(spool.base)/cron.d"])
            #expect(other.code == 4 && other.error.contains("cron.d/pkg:3: it runs as somebody-else"), "\(other.error)")
        } else {
            #expect(result.code == 4 && result.lines == ["pkg", "pkg-3"], "\(result.output)\(result.errors)")
            #expect(result.errors.contains("cron.d/pkg:3: it runs as somebody-else"))
        }
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

    @Test("U1: export writes a line for a crontab that imports again as the same, and says what is lost")
    func exportCrontab() throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(try spool.ctl(
            "create", "backup", "--description", "Nightly", "--cron", "30 2 * * 1-5", "--timezone", "Europe/Berlin", "--catch-up", "none",
            "--overlap", "allow", "-E", "A=b c", "--", "/bin/sh", "-c", "echo \"$A\" 50%").code == 0)
        let result = try spool.ctl("export", "backup", "--crontab")
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.lines == ["# Nightly", "A=\"b c\"", "CRON_TZ=Europe/Berlin", "30 2 * * 1-5 /bin/sh -c 'echo \"$A\" 50\\%'"])
        let lossy = try spool.ctl("create", "other", "--every", "5m", "--tries", "3", "--", "true")
        #expect(lossy.code == 0)
        let other = try spool.ctl("export", "other", "--crontab")
        #expect(other.code == 4 && other.errors.contains("tries has no counterpart in a crontab") && other.errors.contains("every \"5m\" cannot be said in a crontab"), "\(other.errors)")
        #expect(try spool.ctl("export", "none", "--crontab").code == 3)
        #expect(try spool.ctl("export", "backup").code == 2)
    }

    @Test("U1: export writes a service and a timer that systemd accepts", .enabled(if: Commands.has("systemd-analyze"), "systemd-analyze is not installed"))
    func exportUnits() throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(try spool.ctl(
            "create", "report", "--description", "50% done", "--cron", "0 9 13 * 5", "--timezone", "Europe/Berlin", "--timeout", "90s", "--nice", "5",
            "-E", "PCT=5%", "--", "/bin/sh", "-c", "echo \"$HOME\" 'a b' 50%").code == 0)
        let result = try spool.ctl("export", "report", "--systemd")
        #expect(result.code == 0, "\(result.errors)")
        let parts = result.output.split(separator: "# report.timer\n")
        #expect(parts.count == 2)
        for (ending, text) in zip(["service", "timer"], parts) { try Files.write("\(spool.base)/report.\(ending)", String(text)) }
        let verify = try Commands.run("systemd-analyze", "verify", "--man=no", "\(spool.base)/report.service", "\(spool.base)/report.timer")
        #expect(verify.code == 0 && verify.error.isEmpty, "\(verify.error)")
        #expect(result.lines.contains("OnCalendar=*-*-13 09:00:00 Europe/Berlin") && result.lines.contains("OnCalendar=Fri *-*-* 09:00:00 Europe/Berlin"))
        #expect(result.lines.contains("Persistent=true") && result.lines.contains("TimeoutStartSec=90000ms") && result.lines.contains("Nice=5"))
        #expect(result.lines.contains("ExecStart=/bin/sh -c \"echo \\\"$$HOME\\\" 'a b' 50%%\""))
    }
}
