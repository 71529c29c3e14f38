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
        #expect(try spool.lines("games", count: 2) == ["games", "games"])
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
        #expect(try spool.ctl(as: .games, "list", "-q").output == "crontab-games-true\n")
        // One that cron(8) would refuse: the line stays as it was. Also after restarts.
        try machine.change(until: "event=refused", "user=games", "its mode is 0640, and cron wants 0600") { chmod(path, 0o640) }
        try spool.restart()
        try spool.logLine("event=refused", "user=games", "its mode is 0640, and cron wants 0600", after: spool.logLength / 2)
        #expect(try spool.ctl(as: .games, "list", "-q").output == "crontab-games-true\n")
        try machine.change(until: "event=removed", "user=games", "file=tasks/crontab-games-true") { try Files.remove(path) }
        #expect(try spool.ctl(as: .games, "list", "-q").output == "")
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
}
