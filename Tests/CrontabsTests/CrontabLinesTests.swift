import Crontabs
import Documents
import Model
import Testing

/// Which line of a crontab is which line of its earlier text. A line `a1` is the command `a` at minute 1; `!` makes a line unusable.
@Suite("Lines of a crontab that is read again")
struct CrontabLinesTests {
    static func crontab(_ words: String) -> LiveCrontab {
        let lines = words.split(separator: " ").map { word in
            word.hasPrefix("!") ? "99 * * * * \(word)" : "\(word.dropFirst()) * * * * \(word.prefix(1))"
        }
        return LiveCrontab(Array(lines.map { "\($0)\n" }.joined().utf8), path: "/c/u", user: "u", reading)
    }

    /// A machine on which every user exists and every task can run.
    static var reading: LiveCrontab.Reading {
        LiveCrontab.Reading(owner: "root", isRoot: true, catchUp: "none", isUser: { _ in true }, fault: { _ in nil })
    }

    /// The first line of a crontab, if it is a task.
    static func task(_ text: String, path: String = "/etc/crontab", user: String? = nil) -> LiveCrontab.Task? {
        guard case .task(let task)? = LiveCrontab(Array("\(text)\n".utf8), path: path, user: user, reading).lines.first else { return nil }
        return task
    }

    /// The names of the tasks after each text, without `crontab-u-`. A name in brackets is of an unusable line.
    static let histories: [(texts: [String], names: [String])] = [
        (["a1 b1", "b1 a1"], ["a b", "b a"]),
        (["a1", "x1 a1", "a1"], ["a", "x a", "a"]),
        (["a1 a1 a1", "a1 a1"], ["a a-2 a-3", "a a-2"]),
        // The time alone, and times of several equal commands.
        (["a1 a2", "a3 a2"], ["a a-2", "a a-2"]),
        (["a1 a2 a3", "a1 a5 a3", "a5 a3"], ["a a-2 a-3", "a a-2 a-3", "a-2 a-3"]),
        // Another command takes a free name.
        (["a1", "b1", "a1 b1"], ["a", "b", "a b"]),
        // Unusable lines keep what they were.
        (["a1 b1 c1", "a1 !x c1", "a1 b1 c1"], ["a b c", "a (b) c", "a b c"]),
        (["a1 b1 c1", "a1 !x c1", "a1 !y c1", "a1 c1"], ["a b c", "a (b) c", "a (b) c", "a c"]),
        (["a1 b1 c1", "!x c1"], ["a b c", "(a) c"]),
        (["a1 b1", "!x !y !z"], ["a b", "(a) (b) ()"]),
        (["!x a1", "!x", "!x b1"], ["() a", "()", "() b"]),
        (["a1 !x", "!x"], ["a ()", "()"]),
        (["a1 b1 c1", "a1 !x c1", "c1 !x a1"], ["a b c", "a (b) c", "c (b) a"]),
        (["a1 b1", "a1 !x", "b1 a1 !x"], ["a b", "a (b)", "b-2 a (b)"]),
    ]

    @Test("A line keeps its name and an unusable line its task", arguments: histories)
    func history(_ row: (texts: [String], names: [String])) {
        var lines = CrontabLines()
        for (text, names) in zip(row.texts, row.names) {
            lines = lines.reread(as: Self.crontab(text)) { _ in false }
            let said = lines.all.map { line in
                let name = line.task.map { String($0.name.dropFirst("crontab-u-".count)) } ?? ""
                return line.fault == nil ? name : "(\(name))"
            }
            #expect(said.joined(separator: " ") == names, "\(row.texts) at \(text)")
            #expect(lines.all.map(\.number) == Array(1...lines.all.count))
        }
    }

    @Test("A name that something else has is not taken")
    func taken() {
        let lines = CrontabLines().reread(as: Self.crontab("a1 a1 b1")) { ["crontab-u-a", "crontab-u-a-3"].contains($0) }
        #expect(lines.all.map { $0.task?.name } == ["crontab-u-a-2", "crontab-u-a-4", "crontab-u-b"])
    }

    @Test("The variables above a line and its comment do not decide what it is; its user, time, zone, command and input do")
    func identity() {
        func identity(_ text: String) -> LiveCrontab.Identity? {
                Self.task(text)?.identity
        }
        let line = "1 2 * * * u cat%in"
        let same = [line, "# why\n\(line)", "PATH=/opt\nMAILTO=x\n\(line)\n", "1  2 *\t* * u   cat%in"]
        for text in same { #expect(identity(text) == identity(line) && identity(text) != nil) }
        for text in ["1 3 * * * u cat%in", "1 2 * * * v cat%in", "1 2 * * * u cat%on", "1 2 * * * u cut%in", "CRON_TZ=UTC\n\(line)"] {
            #expect(identity(text) != identity(line) && identity(text) != nil)
        }
    }

    @Test("The last line counts only when it has an end")
    func unended() {
        let crontab = LiveCrontab(Array("1 * * * * u a\n2 * * * * u b".utf8), path: "/etc/crontab", user: nil, Self.reading)
        #expect(crontab.lines.count == 2 && crontab.faults.map(\.line) == [2])
    }

    static let names: [(path: String, user: String?, command: String, name: String)] = [
        ("/etc/crontab", nil, "cd / && run-parts --report /etc/cron.hourly", "crontab-cron.hourly"),
        ("/etc/cron.d/certbot", nil, "test -x /usr/bin/certbot && perl -e 'sleep 1' && certbot -q renew", "cron.d-certbot"),
        ("/var/spool/cron/crontabs/u1", "u1", "cd /srv && /opt/backup --all", "crontab-u1-backup"),
        ("/x/etc/cron.d/e2scrub_all", nil, "test -e /run/systemd/system || /sbin/e2scrub_all -A -r", "cron.d-e2scrub_all"),
    ]

    @Test("A task's name says where its line comes from", arguments: names)
    func name(_ row: (path: String, user: String?, command: String, name: String)) {
        let text = "1 * * * * \(row.user == nil ? "root " : "")\(row.command)\n"
        #expect(Self.task(text, path: row.path, user: row.user)?.baseName == row.name)
    }
}
