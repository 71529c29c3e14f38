import Glibc
import Linux
import Synchronization
import Testing

/// Accounts are added, removed and changed while root's daemon serves their users. The daemon has a copy of /etc, in which the
/// test does this.
@Suite("Accounts that change", .ownThreads, .enabled(if: MachineUnderTest.canBeHere, MachineUnderTest.reason))
struct AccountTests {
    @Test("When a user's groups change, the user's daemon is started again with the new ones")
    func groups() throws {
        let machine = try MachineUnderTest()
        try machine.addUser("spoola")
        #expect(try machine.submit("spoola", "id -Gn") == "spoola\n")
        try machine.root("groupadd spoolg && usermod -aG spoolg spoola")
        try machine.spool.logLine("event=user-changed", "user=spoola")
        #expect(try machine.submit("spoola", "id -Gn") == "spoola spoolg\n")
        let seen = machine.spool.logLength
        try machine.root("gpasswd -d spoola spoolg")
        try machine.spool.logLine("event=user-changed", "user=spoola", after: seen)
        #expect(try machine.submit("spoola", "id -Gn") == "spoola\n")
    }

    @Test("No job starts for an expired account or password, as with cron(8), until the expiry is lifted", arguments: [
        ("chage -E 1 spoola", "the account has expired", "chage -E -1 spoola"),
        ("chage -d 0 spoola", "the password must be changed", "chage -d -1 spoola"),
        ("chage -d 2020-01-01 -M 10 spoola", "the password has expired", "chage -M -1 spoola"),
    ])
    func expired(by change: String, why: String, back: String) throws {
        let machine = try MachineUnderTest()
        try machine.addUser("spoola")
        #expect(try machine.submit("spoola", "echo before") == "before\n")
        try machine.root(change)
        try machine.spool.logLine("event=refused", "nothing is run for user spoola: \(why)")
        try machine.spool.logLine("event=stopped", "user=spoola")
        #expect(try machine.spool.ctl("status").output.contains(why))
        // Jobs of root that name this user are refused, too.
        let own = try machine.spool.ctl("submit", "--wait", "--user", "spoola", "--", "true")
        #expect(own.code == 125 && own.errors.contains(why), "\(own)")
        let seen = machine.spool.logLength
        try machine.root(back)
        try machine.spool.logLine("event=serving-user", "user=spoola", after: seen)
        #expect(try machine.submit("spoola", "echo after") == "after\n")
    }

    @Test("A locked password alone keeps no job from starting; cron(8) does the same")
    func locked() throws {
        let machine = try MachineUnderTest()
        try machine.addUser("spoola")
        #expect(try machine.submit("spoola", "echo before") == "before\n")
        try machine.root("usermod -L spoola")
        #expect(try machine.submit("spoola", "echo after") == "after\n")
    }

    @Test("When a user is removed, the user's daemon ends, and the next user with the same number inherits nothing")
    func deleted() throws {
        let machine = try MachineUnderTest()
        try machine.addUser("spoola")
        // The name is the daemon's: id(1) of a run that began before would find the next user by the number.
        let line = "echo $USER >> \(machine.spool.out)/ran"
        #expect(try machine.ctl(as: "spoola", "create", "tick", "--cron", "* * * * * *", "--", "sh", "-c", line).code == 0)
        try machine.spool.lines("ran", count: 1)
        let daemon = try #require(Processes.userDaemons(ofSpool: machine.spool.path).first)
        try machine.root("uid=$(id -u spoola) && userdel -f spoola && useradd -u $uid -M -d /tmp spoolb")
        try machine.spool.logLine("event=refused", "no user is called spoola")
        // Root's daemon may have started the user's anew in the meantime.
        for one in [daemon] + Processes.userDaemons(ofSpool: machine.spool.path) { try Processes.awaitEnd(of: one) }
        try awaitJobs(machine.spool, of: "spoola")
        let ran = try machine.spool.linesNow("ran")
        // A task that is due each minute keeps the daemon from resting.
        #expect(try machine.ctl(as: "spoolb", "create", "often", "--cron", "* * * * *", "--", "true").code == 0)
        #expect(try machine.submit("spoolb", "id -un") == "spoolb\n")
        #expect(try machine.spool.linesNow("ran") == ran && !ran.contains("spoolb"))
        #expect(Processes.userDaemons(ofSpool: machine.spool.path).count == 1)
        #expect(try machine.spool.ctl("status").output.contains("no user is called spoola"))
    }

    /// Waits until the runs have ended that a user's daemon, which has ended, has left to its workers.
    private func awaitJobs(_ spool: SpoolUnderTest, of user: String) throws {
        for worker in Processes.workers(ofSpool: "\(spool.path)/users/\(user)") { try Processes.awaitEnd(of: worker) }
    }

    /// Waits until a user's daemon rests after this event of it, and returns the line of the log that says so.
    @discardableResult
    private func rests(_ spool: SpoolUnderTest, _ user: String, after event: String, since offset: Int = 0) throws -> String {
        try spool.wait(for: "\(user) to rest after \(event)") {
            let lines = String(Substring(spool.log.utf8.dropFirst(offset))).split(separator: "\n").filter { $0.contains("user=\(user)") }
            guard let begin = lines.firstIndex(where: { $0.contains("event=\(event) ") }) else { return nil }
            return lines[begin...].first { $0.contains("event=user-rests") }.map(String.init)
        }
    }

    @Test("A user without work has no process, is still served, and can be removed")
    func rests() throws {
        let machine = try MachineUnderTest()
        let spool = machine.spool
        try machine.addUser("spoola")
        #expect(try machine.ctl(as: "spoola", "create", "daily", "--every", "1d", "--", "true").code == 0)
        #expect(try machine.submit("spoola", "echo before") == "before\n")
        let rest = try rests(spool, "spoola", after: "ended")
        let pid = try #require(rest.split(separator: " ").first { $0.hasPrefix("pid=") })
        try spool.logLine("event=started", "user=spoola", String(pid))
        try machine.root("! pgrep -u spoola")
        let status = try machine.ctl(as: "spoola", "status").output
        for words in ["runs, pid \(spool.daemon?.pid ?? 0) ", "resting", "daily"] { #expect(status.contains(words), "\(status)") }
        #expect(try !spool.ctl("status").output.contains("is not served"))
        // The user drops a file and later sends a request.
        let seen = spool.logLength
        let drop = "umask 077; cd \(spool.path); echo command = [\\\"true\\\"] > tmp/spoola/x && mv tmp/spoola/x new/spoola/x.toml"
        try machine.root("setpriv --reuid=spoola --regid=spoola --clear-groups sh -c '\(drop)'")
        try rests(spool, "spoola", after: "ended", since: seen)
        let later = spool.logLength
        #expect(try machine.ctl(as: "spoola", "cancel", "nothing-of-that-name").code == 3)
        #expect(try machine.ctl(as: "spoola", "pause", "--note", "later").code == 0)
        try spool.logLine("event=paused", "user=spoola", after: later)
        #expect(try machine.ctl(as: "spoola", "resume").code == 0)
        try rests(spool, "spoola", after: "resumed", since: later)
        try machine.root("userdel spoola")
        try spool.logLine("event=refused", "no user is called spoola")
        #expect(Processes.userDaemons(ofSpool: spool.path).isEmpty)
    }

    @Test("C1: a crontab runs from when its user is there until the account expires or is removed, and wakes nobody else's daemon")
    func crontabs() throws {
        let machine = try MachineUnderTest()
        let spool = machine.spool
        let root = "\(spool.base)/root"
        let tabs = "\(root)/var/spool/cron/crontabs"
        try Commands.succeed("mkdir", "-p", "\(root)/etc/cron.d", tabs)
        func write(_ name: String, _ owner: UInt32, _ text: String) throws {
            try Files.write("\(tabs)/.new", text, mode: 0o600)
            guard chown("\(tabs)/.new", owner, owner) == 0 else { throw SystemError(call: "chown", path: name, errno: errno) }
            try Files.rename("\(tabs)/.new", "\(tabs)/\(name)")
        }
        try write("spoola", 64771, "@every 1s id -un >>\(spool.out)/spoola\n")
        try write("games", 5, "0 0 1 1 * true\n")
        try Files.write("\(root)/etc/cron.d/x", "0 0 1 1 * spoola true\n")
        try Files.write(spool.configuration, "crontabs = true\ncrontab_root = \"\(root)\"\n")
        try spool.logLine("event=refused", "crontabs/spoola: there is no user", "whose crontab this is")
        try spool.logLine("event=refused", "cron.d/x:1:1: there is no user")
        try spool.logLine("event=user-rests", "user=games")
        var seen = spool.logLength
        try machine.root("useradd -M -u 64771 -d /tmp spoola")
        #expect(try spool.lines("spoola", count: 1).allSatisfy { $0 == "spoola" })
        try spool.logLine("event=defined", "file=tasks/cron.d-x", after: seen)
        #expect(try !spool.ctl("status").output.contains("there is no user"))
        try machine.root("chage -E 1 spoola")
        try spool.logLine("event=refused", "nothing is run for user spoola: the account has expired", after: seen)
        try spool.logLine("event=stopped", "user=spoola", after: seen)
        try awaitJobs(spool, of: "spoola")
        let count = try spool.linesNow("spoola").count
        #expect(try spool.runsOn("one") && spool.linesNow("spoola").count == count)
        seen = spool.logLength
        try machine.root("chage -E -1 spoola")
        try spool.lines("spoola", count: count + 1)
        try machine.root("userdel -f spoola")
        try spool.logLine("event=refused", "no user is called spoola", after: seen)
        try spool.logLine("event=stopped", "user=spoola", after: seen)
        try awaitJobs(spool, of: "spoola")
        let last = try spool.linesNow("spoola").count
        #expect(try spool.runsOn("two") && spool.linesNow("spoola").count == last)
        try spool.logLine("event=refused", "cron.d/x:1:1: there is no user", after: seen)
        #expect(!spool.log.contains("event=serving-user user=games") || spool.log.split(separator: "\n").count {
            $0.contains("event=serving-user") && $0.contains("user=games")
        } == 1)
    }

    @Test("A user whose number has changed is not served with the old number's directories")
    func renumbered() throws {
        let machine = try MachineUnderTest()
        try machine.addUser("spoola")
        #expect(try machine.submit("spoola", "echo before") == "before\n")
        // The daemon may rest already.
        let daemon = Processes.userDaemons(ofSpool: machine.spool.path).first
        try machine.root("sed -i 's/^\\(spoola:[^:]*\\):[0-9]*:/\\1:64777:/' /etc/passwd")
        try machine.spool.logLine("event=refused", "not to spoola")
        if let daemon { try Processes.awaitEnd(of: daemon) }
        #expect(Processes.userDaemons(ofSpool: machine.spool.path).isEmpty)
    }
}

/// A shared spool whose daemon has a copy of /etc, so that a test can add and change users.
final class MachineUnderTest {
    let spool: SpoolUnderTest

    static let canBeHere = TestUser.areHere
        && ["unshare", "nsenter", "useradd", "usermod", "userdel", "chage", "gpasswd", "pgrep"].allSatisfy(Commands.has)
        && (try? Commands.run("unshare", "-m", "--propagation", "private", "true"))?.code == 0  // needs namespaces
    static let reason: Comment = "needs root, mount namespaces, unshare, nsenter and the programs of Debian's package passwd"

    init(configuration: String = "") throws {
        spool = try SpoolUnderTest(configuration: configuration, starting: false)
        try spool.letUsersIn()
        try Commands.succeed("cp", "-a", "/etc", "\(spool.base)/etc")
        try start()
    }

    func start() throws {
        try spool.launch(tracer: [
            "/usr/bin/unshare", "-m", "--propagation", "private", "/bin/sh", "-c",
            "mount --bind \(spool.base)/etc /etc && exec \"$0\" \"$@\"",
        ])
        try spool.notification("READY=1")
    }

    /// Runs a line of the shell as root in the daemon's mount namespace. The line must succeed.
    func root(_ line: String) throws { try Commands.succeed("nsenter", "-m", "-t", daemon, "sh", "-c", line) }

    /// The last number that a test gave to a user. All users of the tests have numbers of their own, since userdel(8) looks at the
    /// processes of the whole machine.
    private static let lastUser = Atomic(64_800)

    func addUser(_ name: String) throws {
        let number = Self.lastUser.add(1, ordering: .relaxed).newValue
        try root("useradd -M -u \(number) -d /tmp \(name)")
    }

    func ctl(as user: String, _ arguments: String...) throws -> Commands.Result { try ctl(as: user, arguments) }

    private func ctl(as user: String, _ arguments: [String]) throws -> Commands.Result {
        try Commands.run(
            "nsenter",
            ["-m", "-t", daemon, "setpriv", "--reuid=\(user)", "--regid=\(user)", "--init-groups", "\(SpoolUnderTest.programs)/spoolctl"]
                + arguments,
            environment: ["SPOOL_DIR=\(spool.path)"])
    }

    /// Runs a line of the shell as a job of the user, and returns its output.
    func submit(_ user: String, _ line: String) throws -> String {
        let result = try ctl(as: user, ["submit", "--wait", "--", "sh", "-c", line])
        #expect(result.code == 0, "\(result)")
        return result.output
    }

    private var daemon: String { "\(spool.daemon?.pid ?? 0)" }
}
