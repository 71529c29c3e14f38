import Crontabs
import Linux
import Testing

/// Reads a user's crontab, or the system's, on a machine with the users root and alice.
func crontab(_ text: String, isSystem: Bool = false) -> Crontab { crontab(Array(text.utf8), isSystem: isSystem) }
func crontab(_ bytes: [UInt8], isSystem: Bool = false) -> Crontab {
    Crontab(bytes, isSystem: isSystem, isUser: { ["root", "alice"].contains($0) })
}

@Suite("Reading crontabs")
struct CrontabTests {
    // MARK: Lines in every form

    static let plain = "# Nightly\nMAILTO=ops\n0 1 * * * one\n\n@daily two\n"

    static let forms: [(what: String, bytes: [UInt8])] = [
        ("LF", Array(plain.utf8)), ("no last end", Array(plain.utf8.dropLast())),
        ("CR LF", plain.utf8.flatMap { $0 == 0x0A ? [0x0D, $0] : [$0] }),
        ("CR LF, no last end", Array(plain.utf8.flatMap { $0 == 0x0A ? [0x0D, $0] : [$0] }.dropLast(2))),
        ("a byte order mark", [0xEF, 0xBB, 0xBF] + Array(plain.utf8)),
    ]

    @Test("A crontab has the same meaning with every kind of line end", arguments: forms)
    func form(_ row: (what: String, bytes: [UInt8])) {
        let read = crontab(row.bytes)
        #expect(read.problems.isEmpty && read.remarks.isEmpty)
        #expect(read.entries.map(\.command) == ["one", "two"] && read.entries.map(\.when) == ["0 1 * * *", "@daily"])
        #expect(read.entries.map(\.line) == [3, 5] && read.entries.allSatisfy { $0.settings.mailTo == "ops" })
    }

    @Test("A byte that is not UTF-8 reaches the command as it is")
    func bytes() {
        let read = crontab(
            Array("N=".utf8) + [0xE9] + Array("\n# ".utf8) + [0xFC] + Array("\n0 1 * * * echo caf".utf8) + [0xE9] + Array("%".utf8)
                + [0xE8, 0x0A])
        let entry = read.entries.first
        #expect(entry.map { FileName.bytes(of: $0.command) } == Array("echo caf".utf8) + [0xE9])
        #expect(entry.flatMap { $0.input.map(FileName.bytes) } == [0xE8, 0x0A])
        #expect(entry.flatMap { $0.settings["N"].map(FileName.bytes) } == [0xE9])
        #expect(entry.flatMap { $0.comment.map(FileName.bytes) } == [0xFC])
    }

    /// The behaviour of Debian's cron 3.0pl1-162, whose log and mails show these commands.
    static let blanks: [(line: String, isSystem: Bool, command: String)] = [
        ("0 1 * * *   one two", false, "one two"), ("0 1 * * * root one", true, "one"), ("0 1 * * *  root\tone", true, "one"),
        ("0 1 * * * root  one", true, " one"), ("@daily\troot\t  [ -x one ]", true, "  [ -x one ]"),
        ("0 1 * * * root \tone%in", true, "\tone"),
    ]

    @Test("One blank ends the user of a line, and all others belong to the command", arguments: blanks)
    func blank(_ row: (line: String, isSystem: Bool, command: String)) {
        let read = crontab("\(row.line)\n", isSystem: row.isSystem)
        #expect(read.problems.isEmpty && read.entries.map(\.command) == [row.command])
    }

    // MARK: % and \

    /// The behaviour of do_command.c in Debian's cron 3.0pl1-162. Each row was checked with that program.
    static let percents: [(line: String, command: String, input: String?)] = [
        ("cat%", "cat", ""), ("cat%%", "cat", "\n"), ("cat%a%b", "cat", "a\nb\n"), ("cat%a%b%", "cat", "a\nb\n"), ("cat% ", "cat", " \n"),
        ("cat%a\\%b\\\\%c\\x\\%", "cat", "a%b\\%c\\x%\n"), ("cat%\\", "cat", "\\"), ("cat%a\\", "cat", "a\\\n"),
        ("date +\\%F", "date +%F", nil), ("echo a\\\\b 'c\\\\\\\\d'", "echo a\\b 'c\\\\d'", nil), ("echo \\a\\", "echo \\a\\", nil),
        ("echo \\\\%x", "echo \\", "x\n"),
        ("%x", "", "x\n"),
    ]

    @Test("% and \\ are read as Debian's cron reads them", arguments: percents)
    func percent(_ row: (line: String, command: String, input: String?)) {
        let entry = crontab("0 1 * * * \(row.line)\n").entries.first
        #expect(entry?.command == row.command && entry?.input == row.input)
    }

    static let remarked: [(line: String, isSystem: Bool, column: Int, remark: String)] = [
        ("0 1 * * * date +%F >/tmp/x", false, 17, "the % ends the command, which is \"date +\""),
        ("0 1 * * * echo \\\\n", false, 16, "Debian's cron does; cronie hands both"),
        ("0 1 * * * root /usr/bin/x", false, 11, "\"root\", a user's name; if every line names a user, import with --system"),
        ("0 1 * * * munin /usr/bin/x", true, 11, "\"munin\" is not a user of this machine; if the user's column is missing"),
    ]

    @Test("A line that may not mean what it was meant to is remarked on", arguments: remarked)
    func remarks(_ row: (line: String, isSystem: Bool, column: Int, remark: String)) {
        let read = crontab(row.line, isSystem: row.isSystem)
        #expect(read.entries.count == 1 && read.problems.isEmpty)
        #expect(
            read.remarks.count == 1 && read.remarks[0].column == row.column && read.remarks[0].message.contains(row.remark),
            "\(read.remarks)")
    }

    @Test("An escaped %, and a line without one, are not remarked on", arguments: ["date +\\%F", "x", "echo a\\nb"])
    func noRemarks(_ command: String) { #expect(crontab("0 1 * * * \(command)").remarks.isEmpty) }

    // MARK: Dialects

    static let dialects: [(what: String, line: String, isSystem: Bool, when: String, command: String, mailsFailuresOnly: Bool)] = [
        ("SUSE, cronie: - keeps the line out of the log", "-*/15 * * * * root x", true, "*/15 * * * *", "x", false),
        ("the same of a word", "-@daily x", false, "@daily", "x", false),
        ("cronie, FreeBSD: -n", "0 1 * * * -n x y", false, "0 1 * * *", "x y", true),
        ("FreeBSD: -q", "0 1 * * * -q x", false, "0 1 * * *", "x", false),
        ("both", "0 1 * * * root -n -q x", true, "0 1 * * *", "x", true),
        ("supercronic, robfig: @every", "@every 10m x y", false, "@every 10m", "x y", false),
    ]

    @Test("Additions of other crons are read with their meaning", arguments: dialects)
    func dialect(_ row: (what: String, line: String, isSystem: Bool, when: String, command: String, mailsFailuresOnly: Bool)) {
        let read = crontab(row.line, isSystem: row.isSystem)
        let entry = read.entries.first
        #expect(
            entry?.when == row.when && entry?.command == row.command && entry?.mailsFailuresOnly == row.mailsFailuresOnly,
            "\(read.problems)")
    }

    // MARK: Problems

    static let refused: [(text: String, isSystem: Bool, place: String, message: String)] = [
        ("* * * * tidy", false, "1:13", "not a crontab line: expected five time fields or an @word, then a command"),
        ("\n61 * * * * tidy", false, "2:1", "cron \"61 * * * *\": minute 61 is out of range 0-59"),
        ("0 1 * 13\t* tidy", false, "1:7", "month 13 is out of range"),
        ("@dialy tidy", false, "1:1", "did you mean @daily?"),
        ("0 3 * * *", false, "1:10", "not a crontab line"),
        ("0 3 * * * * tidy", false, "1:11", "expected a command after five time fields, found \"*\""),
        ("0 0 12 ? * MON tidy", false, "1:12", "expected a command after five time fields, found \"MON\""),
        ("0 0 2 * * 1-5 tidy", false, "1:11", "expected a command after five time fields, found \"1-5\""),
        ("0 0 2 * * MON-FRI tidy", true, "1:11", "expected a user after five time fields, found \"MON-FRI\""),
        ("0 0 12 1 * ? 2026 tidy", false, "1:12", "expected a command after five time fields, found \"?\""),
        (
            "0 3 * * * /usr/bin/x --all", true, "1:11",
            """
            expected a user, found \"/usr/bin/x\", which is not a user name; in this form of a crontab a user stands between the time and \
            the command: 0 3 * * * root /usr/bin/x --all
            """),
        ("0 3 * * * tidy", true, "1:11", "expected a user, found \"tidy\", which is not a user name"),
        ("0 3 * * * php -f x", true, "1:11", "expected a user, found \"php\", which is not a user name"),
        ("0 3 * * * root", true, "1:11", "expected a command after the user \"root\""),
        ("0 3 * * * -x y", false, "1:11", "a command cannot begin with \"-x\""),
        ("A=\"x\n", false, "1:1", "the value of A has a quote that is not closed"),
        ("A=\"x\" y\n", false, "1:1", "the value of A has a quote that is not closed, or something after"),
        ("0 3 * * * a\0b", false, "1:12", "a zero byte"),
    ]

    @Test("A text that is no line of a crontab is a problem with its line and column", arguments: refused)
    func refuses(_ row: (text: String, isSystem: Bool, place: String, message: String)) {
        let read = crontab(row.text + "\n0 4 * * * \(row.isSystem ? "root " : "")good", isSystem: row.isSystem)
        #expect(read.entries.map(\.command) == ["good"], "the others count")
        #expect(read.problems.count == 1)
        #expect(
            read.problems.first.map { "\($0.line):\($0.column)" } == row.place && read.problems[0].message.contains(row.message),
            "\(read.problems)")
    }

    @Test("UTF-16 is refused, and the error names it")
    func utf16() {
        let read = crontab("0 1 * * * x\n".utf8.flatMap { [$0, 0] })
        #expect(read.entries.isEmpty && read.problems.map(\.line) == [1] && read.problems[0].message.contains("looks like UTF-16"))
    }

    // MARK: Variables

    static let assignments: [(line: String, name: String, value: String?)] = [
        ("A=x", "A", "x"), ("  A  =  x y  ", "A", "x y"), ("A='x  $B '", "A", "x  $B "), ("A=\"it's\"", "A", "it's"), ("A=", "A", ""),
        ("A=\"\"", "A", ""),
        ("'A B'=x", "A B", "x"), ("A=b=c", "A", "b=c"), ("A=x\"y\"", "A", "x\"y\""), ("A = x # no comment", "A", "x # no comment"),
        ("A.B=x", "A.B", "x"),
    ]

    @Test("Variables are read as env.c of cron reads them", arguments: assignments)
    func assignment(_ row: (line: String, name: String, value: String?)) {
        let read = crontab("\(row.line)\n0 1 * * * x")
        #expect(read.problems.isEmpty && read.entries.first?.settings[row.name] == row.value)
    }

    // MARK: Ownership and modes

    static func status(_ kind: FileKind = .file, mode: UInt32 = 0o644, owner: UInt32 = 0, links: UInt64 = 1) -> FileStatus {
        FileStatus(kind: kind, mode: mode, size: 1, inode: 1, links: links, owner: owner, modifiedNanoseconds: 0, changedNanoseconds: 0)
    }

    static let places: [(what: String, place: CrontabPlace, name: FileStatus?, file: FileStatus, why: String?)] = [
        ("root's", .system, nil, status(), nil), ("root's, read-only", .system, nil, status(mode: 0o400), nil),
        ("executable", .system, nil, status(mode: 0o755), nil),
        ("the group writes", .system, nil, status(mode: 0o664), "0664"), ("the world writes", .system, nil, status(mode: 0o666), "0666"),
        ("alice's", .system, nil, status(owner: 1000), "it belongs to user 1000"),
        ("two links", .system, nil, status(links: 2), "2 hard links"),
        ("a FIFO", .system, nil, status(.fifo), "not a regular file"),
        ("root's symbolic link", .system, status(.symbolicLink, mode: 0o777), status(), nil),
        ("alice's symbolic link", .system, status(.symbolicLink, mode: 0o777, owner: 1000), status(), "symbolic link of user 1000"),
        ("root's link to alice's file", .system, status(.symbolicLink, mode: 0o777), status(owner: 1000), "it belongs to user 1000"),
        ("alice's own", .user(name: "alice", id: 1000), nil, status(mode: 0o600, owner: 1000), nil),
        ("alice's, of root", .user(name: "alice", id: 1000), nil, status(mode: 0o600), nil),
        ("alice's, of bob", .user(name: "alice", id: 1000), nil, status(mode: 0o600, owner: 1001), "it belongs to user 1001"),
        ("alice's, to be read by all", .user(name: "alice", id: 1000), nil, status(owner: 1000), "cron wants 0600"),
        (
            "alice's, a link", .user(name: "alice", id: 1000), status(.symbolicLink, owner: 1000), status(mode: 0o600, owner: 1000),
            "symbolic link"),
        ("alice's, two links", .user(name: "alice", id: 1000), nil, status(mode: 0o600, owner: 1000, links: 2), "2 hard links"),
    ]

    @Test("Crontabs count under the same conditions as in database.c of cron", arguments: places)
    func place(_ row: (what: String, place: CrontabPlace, name: FileStatus?, file: FileStatus, why: String?)) {
        let refusal = row.place.refusal(name: row.name ?? row.file, file: row.file)
        if let why = row.why { #expect(refusal?.contains(why) == true, "\(refusal ?? "taken")") } else { #expect(refusal == nil) }
    }

    @Test(
        "Names in cron.d",
        arguments: [
            ("sysstat", true), ("e2scrub_all", true), ("a-b", true), ("a.dpkg-old", false), (".placeholder", false), ("a~", false),
            ("", false),
        ]
    )
    func systemName(_ name: String, _ isOne: Bool) { #expect(CrontabPlace.isSystemName(name) == isOne) }

    // MARK: Names

    @Test("A task is named after the program that does the work", arguments: [
        ("backup --all >/dev/null", "backup"), ("/usr/local/bin/backup.sh", "backup.sh"), ("cd /srv && ./run me", "run"),
        ("cd /srv; php artisan x", "php"),
        ("flock -n /run/x.lock /opt/backup", "backup"), ("flock -w 10 /run/x.lock -c 'cd / && /opt/backup -x'", "backup"),
        ("flock /x sh -c \"nice tidy\"", "tidy"),
        ("env A=1 B='x y' tidy", "tidy"), ("/usr/bin/env -i PATH=/bin tidy", "tidy"), ("A=1 tidy", "tidy"), ("sleep 30; tidy", "tidy"),
        ("sleep $((RANDOM % 60)) && tidy", "tidy"),
        ("nice -n 19 tidy", "tidy"), ("nice -19 tidy", "tidy"), ("nice tidy", "tidy"), ("ionice -c 3 nice -n 19 tidy", "tidy"),
        ("ionice -c3 tidy", "tidy"),
        ("chronic tidy", "tidy"), ("timeout 1h tidy", "tidy"), ("timeout -k 5 --foreground 1h tidy", "tidy"),
        ("test -x /usr/bin/tidy && /usr/bin/tidy", "tidy"),
        ("[ -x /usr/bin/tidy ] && tidy", "tidy"), ("[ -x /x ] && { /opt/tidy; }", "tidy"),
        ("command -v debian-sa1 > /dev/null && debian-sa1 1 1", "debian-sa1"),
        ("if [ -x /a ]; then /a/tidy; fi", "tidy"), ("bash -lc 'tidy x'", "tidy"), ("sh /opt/tidy.sh", "tidy.sh"),
        ("sudo -u www-data tidy", "tidy"),
        ("(cd / && tidy) | mail x", "tidy"), ("exec tidy", "tidy"), ("cd /", "cd"), ("", "cron"), ("flock", "flock"), ("sleep 5", "sleep"),
        ("\"/opt/my app/tidy\" x", "tidy"),
        ("taskset -c 0-3 tidy", "tidy"),
        ("test -e /run/systemd/system || SERVICE_MODE=1 /usr/lib/e2fsprogs/e2scrub_all -A -r", "e2scrub_all"),
    ])
    func name(_ command: String, _ name: String) { #expect(ProgramName.of(command) == name) }
}
