import CLinux
import Glibc
import Linux
import Testing

/// The kinds of objects that a user puts in the place of files in their part.
enum Forging: String, CaseIterable, Sendable {
    case garbage, sparse, huge, link, fifo, directory

    /// A shell line with which the user makes the object at a path. `secret` is a file that only root can read. `huge` is one
    /// line of 6 MB, owned by the user.
    func line(_ path: String, secret: String, huge: String) -> String {
        switch self {
        case .garbage: "head -c 100000 /dev/urandom > \(path)"
        case .sparse: "truncate -s 1T \(path)"
        case .huge: "ln \(huge) \(path)"
        case .link: "ln -s \(secret) \(path)"
        case .fifo: "mkfifo \(path)"
        case .directory: "mkdir \(path) && touch \(path)/x"
        }
    }
}

/// root's commands work although a user has replaced any file of their part by any object.
@Suite(
    "Forged files in a user's part", .ownThreads,
    .enabled(if: TestUser.areHere && Commands.has("prlimit"), "needs root, setpriv and prlimit"))
struct ForgedPartTests {
    /// A command of root, and texts that it must print whatever the user games does: root's own and another user's.
    private struct Call {
        var arguments: [String]
        /// The command reads files whose paths contain one of these words, so it runs for each of these files.
        var about: [String]
        var shows: [String]

        init(_ line: String, about: [String] = [], shows: [String] = []) {
            arguments = line.split(separator: " ").map(String.init)
            self.about = about
            self.shows = shows
        }

        /// For files that the command does not read it runs for every 40th only, because all commands for all files take minutes.
        func concerns(_ target: String, _ turn: Int) -> Bool { about.contains { target.contains($0) } || turn % 40 == 0 }
    }

    private static let secret = "root's own secret"

    /// A spool in which root and two users have tasks and jobs of each kind. No daemon runs.
    private struct Scene {
        let spool: SpoolUnderTest
        let done: String
        let waiting: String

        init() throws {
            let spool = try SpoolUnderTest.ofEverybody()
            self.spool = spool
            var ids: [String: String] = [:]
            func submitted(_ user: TestUser) throws -> String? {
                let result = try spool.ctl(as: user, "submit", "--in", "10h", "-N", "later", "--", "true")
                return result.output.split(separator: "\n").first.map(String.init)
            }
            for user in [TestUser.games, .daemon] {
                #expect(try spool.ctl(as: user, "create", "backup", "--every", "1h", "--", "echo", "out").code == 0)
                #expect(try spool.ctl(as: user, "schedule", "backup", "--cron", "0 5 * * *").code == 0)
                #expect(try spool.ctl(as: user, "run", "--wait", "backup").code == 0)
                ids["done \(user.name)"] = try Files.list("\(spool.path)/done/\(user.name)").first
                #expect(try spool.ctl(as: user, "submit", "-w", "-N", "bad", "--", "false").code == 1)
                ids["waiting \(user.name)"] = try submitted(user)
                #expect(try spool.ctl(as: user, "pause", "--queue", "other").code == 0)
            }
            #expect(try spool.ctl("create", "own", "--every", "1h", "--", "echo", "out").code == 0)
            #expect(try spool.ctl("run", "-w", "own").code == 0)
            try Files.write("\(spool.base)/secret", "\(ForgedPartTests.secret)\n", mode: 0o600)
            try TestUser.games.shell("umask 077; head -c 6000000 /dev/urandom | tr '\\n' x > \(spool.out)/huge; mkdir \(spool.out)/kept")
            try spool.stop()
            (done, waiting) = (try #require(ids["done games"]), try #require(ids["waiting games"]))
        }

        var calls: [Call] {
            let tasks = ["daemon/backup", "own"]
            let jobs = ["daemon/", "-own-"]
            let record = ["done/"]
            return [
                Call("jobs --columns id,name", about: ["done/", "failed/", "new/"], shows: jobs),
                Call("jobs --json", about: ["status.json"], shows: jobs),
                Call("list", about: ["tasks/", "schedules/"], shows: tasks),
                Call("list --json", shows: tasks),
                Call("next -n 20", about: ["journal/"], shows: tasks),
                Call("simulate"),
                Call("status", about: ["state/"]),
                Call("top", about: ["state/", "done/"], shows: jobs),
                Call("top --json", shows: jobs),
                Call("journal", about: ["journal/"], shows: jobs),
                Call("journal --json", about: ["journal/"], shows: jobs),
                Call("fsck", about: ["journal/", "state/", "done/", "new/"]),
                Call("prune --dry-run", about: ["done/"]),
                Call("check", about: ["tasks/", "new/"]),
                Call("why own", shows: ["own"]),
                Call("show own", shows: ["own"]),
                Call("export own --systemd"),
                Call("show games/backup", about: ["tasks/", "journal/"]),
                Call("why games/backup", about: ["tasks/", "journal/"]),
                Call("why games/\(done)", about: ["journal/", "done/"]),
                Call("status games/\(done)", about: record),
                Call("logs games/\(done)", about: record),
                Call("logs --json games/\(done)", about: record),
                Call("logs --stderr --json games/\(done)", about: record),
                Call("status games/\(waiting)", about: ["new/"]),
                Call("why games/\(waiting)", about: ["new/", "journal/", "control/"]),
                Call("next games/backup"),
                Call("journal --task games/backup", about: ["journal/"]),
                Call("wait --timeout 0 games/\(waiting)", about: ["new/", "lock"]),
                Call("export games/backup --crontab"),
                Call("run games/backup", about: ["tasks/", "unique"]),
                Call("retry games/\(done)", about: record),
                Call("cancel games/\(waiting)", about: ["new/", "lock"]),
                Call("pause --task games/backup"),
                Call("resume --task games/backup"),
                Call("edit games/backup", about: ["tasks/"]),
                Call("update games/backup --priority 3", about: ["tasks/"]),
                Call("backfill games/backup --from 3h --dry-run"),
                Call("schedule games/backup --at +3h"),
            ]
        }

        /// All paths of the user that the user can rename, with directories last.
        func targets() throws -> [String] {
            let names = ["new", "tasks", "schedules", "control", "done", "failed", "running"].map { "\(spool.path)/\($0)/games" }
            let line = "find \(names.joined(separator: " ")) \(spool.path)/users/games/* -depth -mindepth 1"
            let found = try Commands.run("sh", ["-c", line]).output.split(separator: "\n").map(String.init)
            var seen: Set<String> = []
            return found.filter { seen.insert($0).inserted }
        }

        /// Replaces a file as the user. Returns false if root owns it, so that the user cannot.
        func forge(_ target: String, _ forging: Forging, keeping: Bool = true) throws -> Bool {
            let line = forging.line(target, secret: "\(spool.base)/secret", huge: "\(spool.out)/huge")
            let away = keeping ? "rm -rf \(spool.out)/kept/it; mv \(target) \(spool.out)/kept/it" : "rm -rf \(target)"
            let result = try TestUser.games.run("sh", "-c", "\(away) && { \(line); }")
            if result.code == 0 { return true }
            // The daemon may have been writing the file under a temporary name, and may have renamed it by now, or have written it anew.
            let allowed = ["Permission denied", "not permitted", "No such file", "File exists"]
            #expect(allowed.contains { result.error.contains($0) }, "\(result)")
            return false
        }

        func restore(_ target: String) throws {
            let kept = "\(spool.out)/kept/it"
            try Commands.succeed("sh", "-c", "rm -rf \(target) && if [ -e \(kept) ]; then mv \(kept) \(target); fi")
        }

        /// Calls spoolctl as root, with limited memory and output.
        func call(_ arguments: [String]) throws -> Commands.Result {
            let limits = ["--as=700000000", "--fsize=200000000", "timeout", "-k", "5", "500"]
            return try Commands.run(
                "prlimit", limits + ["\(SpoolUnderTest.programs)/spoolctl", "--config", spool.configuration] + arguments,
                environment: ["SPOOL_DIR=\(spool.path)", "EDITOR=true"])
        }
    }

    @Test(
        "When a user replaces any file by any object, each of root's commands ends, in bounded memory, and shows the rest",
        arguments: Forging.allCases)
    func commands(forging: Forging) throws {
        let scene = try Scene()
        let path = scene.spool.path
        var turn = 0
        for target in try scene.targets() {
            let name = String(target.dropFirst(path.utf8.count + 1))
            guard try scene.forge(target, forging) else { continue }
            for one in scene.calls {
                turn += 1
                guard one.concerns(name, turn) else { continue }
                let result = try scene.call(one.arguments)
                let said = "\(result.code) \(result.output.prefix(300)) \(result.error.prefix(600))"
                let what: Comment = "\(name) is \(forging.rawValue): \(one.arguments): \(said)"
                #expect(result.code <= 6 || [124, 125].contains(result.code) && one.arguments[0] == "wait", what)
                #expect(one.shows.allSatisfy { result.output.contains($0) }, what)
                #expect(!(result.output + result.error).contains(Self.secret), what)
                #expect(result.error.utf8.count < 100_000, what)
                if name.hasPrefix("users/games/journal/"), ["journal", "fsck"].contains(one.arguments[0]), one.arguments.count < 3 {
                    #expect(result.code == 1 && (result.output + result.error).contains("games"), what)
                }
            }
            try scene.restore(target)
        }
    }

    @Test(
        "When a user replaces any file by any object, root's daemon serves root and the others, also when it starts",
        arguments: Forging.allCases)
    func daemon(forging: Forging) throws {
        let scene = try Scene()
        let spool = scene.spool
        try spool.start()
        let daemon = try #require(spool.daemon).pid
        func serves(_ what: String) throws {
            let comment: Comment = "\(what) is \(forging.rawValue)"
            #expect(try spool.ctl("submit", "-w", "true").code == 0, comment)
            #expect(try spool.ctl(as: .daemon, "submit", "-w", "true").code == 0, comment)
        }
        let targets = try scene.targets()
        for target in targets where try scene.forge(target, forging) {
            try serves(target)
            try scene.restore(target)
        }
        #expect(spool.daemon?.pid == daemon && spool.daemon?.hasEnded == false)
        let status = try Files.text("/proc/\(daemon)/status")
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        let peak = try #require(line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) })
        #expect(peak < 300_000, "KiB")
        try spool.stop()
        // Replaces all files before the daemon starts. Directories that contain others are last.
        for target in targets where Files.exists(target) { _ = try scene.forge(target, forging, keeping: false) }
        try spool.start()
        try serves("all")
    }

    @Test("Root edits a user's task with root's editor on root's copy, and the user can neither stop nor trace the editor")
    func editing() throws {
        let scene = try Scene()
        let spool = scene.spool
        let gate = try spool.gate()
        let editor = "\(spool.base)/editor"
        try Files.write(editor, """
            #!/bin/sh
            { id -u; stat -c '%u %a' "$1" "$(dirname "$1")"; echo "$OWN"; echo $PPID; echo $$; } > \(spool.out)/seen.tmp
            mv \(spool.out)/seen.tmp \(spool.out)/seen
            read x < \(gate.path)
            echo 'priority = 7' | cat - "$1" > "$1.new" && mv "$1.new" "$1"
            """, mode: 0o755)
        let editing = try Commands.Running(
            "\(SpoolUnderTest.programs)/spoolctl", ["edit", "games/backup"],
            environment: ["SPOOL_DIR=\(spool.path)", "EDITOR=\(editor)", "OWN=root's own"])
        let seen = try spool.output("seen").split(separator: "\n").map(String.init)
        #expect(seen.prefix(4) == ["0", "0 600", "0 700", "root's own"])
        // The attacked processes are the shell that started the editor, the editor, and spoolctl, which acts as the user.
        for pid in [editing.child.pid, try #require(pid_t(seen[4])), try #require(pid_t(seen[5]))] {
            for attack in ["kill -STOP \(pid)", "kill -KILL \(pid)", "cat /proc/\(pid)/environ"] {
                #expect(try TestUser.games.run("sh", "-c", attack).code != 0, "\(attack)")
            }
        }
        try gate.release()
        let result = try editing.end()
        #expect(result.code == 0, "\(result)")
        let task = "\(spool.path)/tasks/games/backup.toml"
        #expect(try Files.text(task).hasPrefix("priority = 7\n") && Files.status(task).owner == TestUser.games.id)
        #expect(try Files.list("\(spool.path)/tmp").filter { $0.hasSuffix(".edit") } == [])
    }

    @Test("check names some of the files that users put beside root's jobs, and counts the others")
    func strangers() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        try TestUser.games.shell("for i in $(seq 1 60); do echo 'command = \"true\"' > \(spool.path)/new/x$i.toml; done")
        let result = try spool.ctl("check")
        #expect(result.code == 0 && result.lines.count == 11, "\(result)")
        #expect(result.output.contains("50 more files belong to other users and are ignored"))
    }
}
