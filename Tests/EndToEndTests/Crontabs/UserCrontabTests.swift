import Documents
import Glibc
import Linux
import Testing

/// The crontabs of users, which their own daemons run.
@Suite("Users' crontabs", .ownThreads, .enabled(if: TestUser.areHere, TestUser.reason))
struct UserCrontabTests {
    private func write(_ text: String, of user: TestUser, _ machine: CrontabMachine, mode: mode_t = 0o600) throws {
        let path = "\(machine.root)/new"
        try Files.write(path, text, mode: mode)
        guard chown(path, user.id, user.id) == 0 else { throw SystemError(call: "chown", path: path, errno: errno) }
        try Files.rename(path, "\(machine.root)/var/spool/cron/crontabs/\(user.name)")
    }

    @Test("C1: a user's crontab runs in that user's daemon with that user's rights, and the user sees its lines as tasks")
    func runs() throws {
        let machine = try CrontabMachine(starting: false)
        let spool = machine.spool
        try write("@every 1s id -un >>\(spool.out)/games\n61 * * * * bad\n", of: .games, machine)
        try spool.start()
        #expect(try spool.lines("games", count: 2).allSatisfy { $0 == "games" })
        let record = try spool.wait(for: "a record") { () throws -> String? in
            try Files.list("\(spool.path)/done/games").first.map { "\(spool.path)/done/games/\($0)" }
        }
        #expect(try Files.status(record).owner == TestUser.games.id)
        let list = try spool.ctl(as: .games, "list", "-q")
        #expect(list.output == "crontab-games-id\n", "\(list)")
        #expect(try machine.names() == ["games/crontab-games-id"])
        let path = "\(machine.root)/var/spool/cron/crontabs/games"
        let check = try spool.ctl(as: .games, "check")
        let problem = "\(path):2:1: cron \"61 * * * *\": minute 61 is out of range 0-59"
        #expect(check.code == 4 && (check.output + check.error).contains(problem), "\(check)")
        // The line of another user's text is not read by name: root's daemon opens the file.
        try machine.change(until: "event=defined", "user=games", "file=tasks/crontab-games-true") {
            try write("1 * * * * true\n", of: .games, machine)
        }
        try spool.wait(for: "the line") { try spool.ctl(as: .games, "list", "-q").output == "crontab-games-true\n" }
        // One that cron(8) would refuse: the line stays as it was. Also after restarts.
        try machine.change(until: "event=refused", "user=games", "its mode is 0640, and cron wants 0600") { chmod(path, 0o640) }
        try spool.restart()
        try spool.logLine("event=refused", "user=games", "its mode is 0640, and cron wants 0600", after: spool.logLength / 2)
        try spool.wait(for: "the line again") { try spool.ctl(as: .games, "list", "-q").output == "crontab-games-true\n" }
        try machine.change(until: "event=removed", "user=games", "file=tasks/crontab-games-true") { try Files.remove(path) }
        try spool.wait(for: "no line") { try spool.ctl(as: .games, "list", "-q").output == "" }
    }

    @Test("C1: a user whom the configuration refuses runs nothing of a crontab until admitted; a crontab of nobody is reported")
    func denied() throws {
        let machine = try CrontabMachine(configuration: "deny = [\"games\"]", starting: false)
        let spool = machine.spool
        try write("@every 1s echo ran >>\(spool.out)/games\n", of: .games, machine)
        try write("* * * * * true\n", of: TestUser(name: "no-such-user", id: 64103), machine)
        try spool.start()
        try spool.logLine("event=refused", "file=users/games", "may not use this spool")
        try spool.logLine("event=refused", "crontabs/no-such-user", "whose crontab this is")
        #expect(!Files.exists("\(spool.out)/games"))
        try machine.configure()
        try spool.lines("games", count: 1)
    }

    @Test(
        "C1: nobody keeps a user's crontab from running by taking the user's name in the spool; what was there is kept and reported",
        arguments: ["mkdir $0", "echo kept > $0", "ln -s /etc $0", "mkfifo $0"])
    func squatted(by way: String) throws {
        let machine = try CrontabMachine()
        let spool = machine.spool
        let parents = ["new", "tasks", "schedules", "control", "tmp"]
        for parent in parents { try TestUser.games.shell("umask 022; sh -c '\(way)' \(spool.path)/\(parent)/daemon") }
        // It may have been set aside already.
        try TestUser.games.shell("[ ! -d \(spool.path)/tasks/daemon ] || echo kept > \(spool.path)/tasks/daemon/file || true")
        try write("@every 1s id -un >>\(spool.out)/daemon\n", of: .daemon, machine)
        #expect(try spool.lines("daemon", count: 1).allSatisfy { $0 == "daemon" })
        let aside = "\(spool.path)/state/lost+found"
        #expect(try Files.list(aside).count == parents.count)
        for parent in parents {
            try spool.logLine("event=set-aside", "file=\(parent)/daemon", "belongs to user 5, and only daemon may have")
            #expect(try Files.status("\(spool.path)/\(parent)/daemon").owner == TestUser.daemon.id)
        }
        for name in try Files.list(aside) { #expect(try Files.status("\(aside)/\(name)").owner == TestUser.games.id) }
        // Also later, when the user has removed a directory.
        let seen = spool.logLength
        let line = "until rmdir control/daemon; do :; done"
        let race = try TestUser.games.start("sh", ["-c", "cd \(spool.path); until \(way) 2>/dev/null; do :; done", "control/daemon"])
        try TestUser.daemon.shell("cd \(spool.path); \(line) 2>/dev/null")
        // root's daemon may be first. Then the other user gets nothing.
        try spool.wait(for: "the directory of daemon") {
            (try? Files.status("\(spool.path)/control/daemon"))?.owner == TestUser.daemon.id  // missing: not yet
        }
        race.child.kill(SIGKILL)
        _ = try race.end()
        #expect(try spool.ctl(as: .daemon, "pause").code == 0)
        try spool.logLine("event=paused", "user=daemon", after: seen)
        #expect(try spool.ctl(as: .daemon, "resume").code == 0)
        try spool.logLine("event=resumed", "user=daemon", after: seen)
    }

    @Test(
        "C1: a file that is open for writing is reported after a while, in the system's and in users' crontabs, until it is closed",
        arguments: [false, true])
    func written(byAnotherName isElsewhere: Bool) throws {
        let machine = try CrontabMachine(starting: false)
        let spool = machine.spool
        try machine.write("etc/cron.d/x", "0 1 * * * root one\n")
        try write("0 1 * * * one\n", of: .games, machine)
        try spool.start()
        try spool.logLine("event=defined", "user=games", "file=tasks/crontab-games-one")
        var raws: [Int32] = []
        for path in ["etc/cron.d/x", "var/spool/cron/crontabs/games"] {
            let path = "\(machine.root)/\(path)"
            // Where the file was opened by another name, the crontab's directory has no event when it is closed.
            let name = isElsewhere ? "\(spool.base)/another" : path
            if isElsewhere { #expect(link(path, name) == 0) }
            raws.append(try FileDescriptor.open(name, O_WRONLY | O_APPEND).release())
            if isElsewhere { try Files.remove(name) }
            // Only an event has the file looked at.
            #expect(chmod(path, path.hasSuffix("games") ? 0o600 : 0o644) == 0)
        }
        let why = "somebody keeps it open for writing; it is read when it is closed"
        try spool.logLine("event=refused", "etc/cron.d/x: \(why)")
        try spool.logLine("event=refused", "user=games", "crontabs/games: \(why)")
        try spool.wait(for: "the lines and the reason") {
            try spool.ctl("status").output.contains(why) && machine.names() == ["cron.d-x", "games/crontab-games-one"]
        }
        for (raw, user) in zip(raws, ["root ", ""]) {
            let file = FileDescriptor(owning: raw)
            try file.write(Array("0 2 * * * \(user)two\n".utf8))
        }
        try spool.logLine("event=defined", "file=tasks/cron.d-x-two")
        try spool.logLine("event=defined", "user=games", "file=tasks/crontab-games-two")
        try spool.wait(for: "no reason any more") { try !spool.ctl("status").output.contains(why) }
    }

    @Test("C1: a user's daemon that does not read holds up no writer of the user's crontab")
    func lease() throws {
        let machine = try CrontabMachine(starting: false)
        let spool = machine.spool
        try write("0 1 * * * one\n", of: .games, machine)
        try spool.start()
        try spool.logLine("event=defined", "user=games", "file=tasks/crontab-games-one")
        let daemon = try #require(Processes.userDaemons(ofSpool: spool.path).first)
        kill(daemon, SIGSTOP)
        try write("0 1 * * * two\n", of: .games, machine)
        // Root's daemon has sent the first one when it has read the second.
        try machine.change(until: "event=defined", "file=tasks/cron.d-x") { try machine.write("etc/cron.d/x", "0 1 * * * root x\n") }
        #expect(try spool.runsOn())
        let path = "\(machine.root)/var/spool/cron/crontabs/games"
        #expect(throws: Never.self) { _ = try FileDescriptor.open(path, O_WRONLY | O_NONBLOCK) }
        kill(daemon, SIGCONT)
        try spool.logLine("event=defined", "user=games", "file=tasks/crontab-games-two")
    }
}
