// Privileges of root, or parts of its daemon's environment, that must not reach a user's job, and texts of users that must not
// affect root's terminal.

import CLinux
import Glibc
import Linux
import Testing

@Suite("Privileges that a job must not get", .ownThreads, .enabled(if: TestUser.areHere, TestUser.reason))
struct PrivilegeAttackTests {
    /// A spool for everybody whose daemon has not been started.
    private func spool() throws -> SpoolUnderTest {
        let spool = try SpoolUnderTest(starting: false)
        try spool.letUsersIn()
        return spool
    }

    static let steps = [
        "setgroups:error=EPERM", "setresgid:error=EPERM", "setresuid:error=EAGAIN", "capset:error=EPERM", "keyctl:error=EDQUOT",
        "setgroups:retval=0",
        "setresgid:retval=0", "setresuid:retval=0", "setuid:retval=0", "getresuid:error=EFAULT", "getgroups:error=EFAULT",
        "capget:error=EFAULT",
    ]

    @Test("Attack 31: a user's daemon in which a step to become that user fails runs nothing, and is started again (CVE-2006-2607)",
        .enabled(if: Commands.has("strace"), "strace is not installed"), arguments: steps)
    func stepsOfUserDaemon(_ fault: String) throws {
        let spool = try spool()
        let call = String(fault.prefix { $0 != ":" })
        try Files.makeDirectory("\(spool.base)/programs")
        chmod("\(spool.base)/programs", 0o755)
        // root's daemon starts the users' daemons from the path of its own program.
        let program = "\(spool.base)/programs/spoold"
        try Commands.succeed("cp", "\(SpoolUnderTest.programs)/spoold", program)
        try spool.launch(programs: "\(spool.base)/programs", arguments: ["--worker", "\(SpoolUnderTest.programs)/spool-worker"])
        try spool.notification("READY=1")
        try Files.write(
            "\(program).new",
            """
            #!/bin/sh
            [ -e \(spool.base)/well ] && exec \(SpoolUnderTest.programs)/spoold "$@"
            exec /usr/bin/strace -D -qq -o /dev/null -e trace=\(call) -e inject=\(fault) \(SpoolUnderTest.programs)/spoold "$@"
            """, mode: 0o755)
        try Files.rename("\(program).new", program)
        try spool.drop(as: .games, "job.toml", "command = 'id -u >> \(spool.out)/ran'\ndirectory = \"/\"")
        let seen = try spool.logLine("event=user-daemon-ended", "user=games")
        #expect(!seen.contains("status=0 "), "\(seen)")
        #expect(try spool.runsOn(), "root's own go on")
        #expect(Files.exists("\(spool.path)/new/games/job.toml") && !Files.exists("\(spool.out)/ran"))
        try Files.write("\(spool.base)/well", "")
        #expect(try spool.lines("ran", count: 1) == ["5"])
    }

    @Test("Attack 35: jobs have no access to the terminal at which spoold runs", arguments: [true, false])
    func terminal(isUsers: Bool) throws {
        let spool = try spool()
        let terminal = try Terminal()
        // The daemon leads a session without a terminal. The first terminal that it opens becomes the session's.
        let path = try Directory.open("/proc/self/fd").readSymbolicLink("\(terminal.raw)")
        try spool.launch(tracer: ["/bin/sh", "-c", "exec \"$@\" < \(path)", "sh"])
        try spool.notification("READY=1")
        // proc(5): the terminal is the seventh field. It is found behind the name in parentheses.
        let daemon = try Files.text("/proc/\(try #require(spool.daemon).pid)/stat").split(separator: ")").last?.split(separator: " ")
        #expect(daemon?.dropFirst(4).first != "0", "it has the terminal")
        let probe = """
            read a b c d e f tty rest < /proc/self/stat; echo $tty > \(spool.out)/tty; (exec 3<>/dev/tty) 2> /dev/null && echo open > \
            \(spool.out)/opened; echo > \(spool.out)/over
            """
        if isUsers {
            try spool.drop(as: .games, "job.toml", "command = '\(probe)'\ndirectory = \"/\"")
        } else {
            try spool.drop("job.toml", "command = '\(probe)'\ndirectory = \"/\"")
        }
        try spool.output("over")
        #expect(try Files.text("\(spool.out)/tty") == "0\n")
        #expect(!Files.exists("\(spool.out)/opened"))
    }

    @Test("Attack 36: variables that root's shell has exported reach no job and no user's daemon")
    func environment() throws {
        let spool = try spool()
        let names = [
            "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "IFS", "BASH_ENV", "ENV", "BASH_FUNC_id%%", "SHELLOPTS", "PYTHONPATH", "PERL5OPT",
            "TMPDIR", "LOCALDOMAIN",
        ]
        // The loader tries to load a library that does not exist, and prints an error.
        try spool.start(environment: names.map { $0 == "BASH_FUNC_id%%" ? "\($0)=() { echo 0; }" : "\($0)=/nonexistent" })
        // While the job runs, neither its worker nor the user's daemon ends.
        let gate = try spool.gate()
        chmod(gate.path, 0o666)
        let line = "env > \(spool.out)/env; id -u > \(spool.out)/id; read x < \(gate.path)"
        try spool.drop(as: .games, "job.toml", "command = '\(line)'\ndirectory = \"/\"")
        #expect(try spool.lines("id", count: 1) == ["5"])
        let variables = try Files.text("\(spool.out)/env")
        for pid in Processes.userDaemons(ofSpool: spool.path) + Processes.workers(ofSpool: spool.path) {
            let own = String(decoding: try Files.bytes("/proc/\(pid)/environ"), as: UTF8.self)
            for name in names { #expect(!own.contains("\(name)="), "\(name)") }
        }
        for name in names { #expect(!variables.contains("\(name)="), "\(name)") }
        try gate.release()
        // A variable whose value contains NUL is refused.
        let job = try spool.run("command = [\"true\"]\nenv = {A = \"x\\u0000LD_PRELOAD=/x\"}")
        #expect(job.outcome == "failed rejected" && job.error.contains("job.toml:2:"), "\(job.error)")
    }

    @Test("Attack 37: a user's job has no keys of the keyring of root's daemon",
        .enabled(if: Commands.has("perl") && Files.exists("/proc/keys"), "needs perl and the kernel's keys"))
    func keyring() throws {
        let spool = try spool()
        let key = "spool-secret-\(getpid())"
        // keyctl(2): 1 is KEYCTL_JOIN_SESSION_KEYRING; add_key(2): -3 is the session's keyring.
        let perl = """
            my ($type, $key, $text) = ('user', '\(key)', 'x'); syscall(\(SYS_keyctl), 1, 0) > 0 or die; syscall(\(SYS_add_key), $type, \
            $key, $text, 1, -3) > 0 or die; exec @ARGV
            """
        let before = try Commands.run("perl", "-e", perl, "cat", "/proc/keys")
        guard before.code == 0, before.output.contains(key) else {
            print("skipped: no keys can be made here: \(before.error)")
            return
        }
        try spool.launch(tracer: ["/usr/bin/perl", "-e", perl])
        try spool.notification("READY=1")
        try spool.drop(
            as: .games, "job.toml",
            "command = 'cat /proc/keys > \(spool.out)/keys.tmp; mv \(spool.out)/keys.tmp \(spool.out)/keys'\ndirectory = \"/\"")
        #expect(try !spool.output("keys").contains(key))
    }

    @Test("Attack 41: text in a user's jobs moves no cursor on root's terminal and adds no line")
    func texts() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let evil = "\\u001b[2J\\u001b]0;x\\u0007\\nforged line\\r\\u009b1m\\u202e"
        try spool.drop(as: .games, "evil.toml", """
            command = ["/no/such/\(evil)"]
            description = "\(evil)"
            directory = "/"
            """)
        try spool.drop(as: .games, "says.toml", """
            command = 'printf "{\\"fraction\\": 0.5, \\"message\\": \\"\\\\\\\\u001b[2J\\\\\\\\nforged line\\"}" > \
            $SPOOL_JOB_DIR/progress; printf "\\033[2Jforged line\\007\\n"; exit 1'
            directory = "/"
            """)
        try TestUser.games.shell(
            """
            umask 077; mkdir -p \(spool.path)/tasks/games; printf 'command = \"true\"\\ndescription = \
            \"\(evil.replacing("\\", with: "\\\\"))\"\\n' > \(spool.path)/tasks/games/t.toml
            """)
        try spool.logLine("user=games", "event=ended", "says")
        try spool.logLine("user=games", "event=ended", "evil")
        try spool.logLine("user=games", "event=defined", "tasks/t")
        let ids = try Files.list("\(spool.path)/failed/games")
        #expect(ids.count == 2)
        let calls = [["jobs"], ["jobs", "--columns", "id,name,state,reason,error"], ["list"], ["show", "games/t"], ["journal"], ["status"]]
            + ids.flatMap { [["status", "games/\($0)"], ["why", "games/\($0)"], ["status", "--json", "games/\($0)"]] }
        for arguments in calls {
            let result = try spool.ctl(list: arguments)
            let text = result.output + result.errors
            #expect(result.code == 0, "\(arguments): \(text)")
            #expect(
                text.unicodeScalars.allSatisfy {
                    $0.value >= 0x20 && !(0x7F..<0xA0).contains($0.value) && $0.value != 0x202E || $0 == "\n" || $0 == "\t"
                },
                "\(arguments)")
            #expect(!text.split(separator: "\n").contains { $0.hasPrefix("forged") }, "\(arguments): \(text)")
        }
        #expect(spool.log.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x0A })
        #expect(!spool.log.split(separator: "\n").contains { $0.hasPrefix("forged") })
        // The output of a job is kept unchanged, but made safe on a terminal.
        let id = try #require(ids.first { $0.contains("-says-") })
        let terminal = try Terminal()
        let logs = try spool.startCtl(["logs", "games/\(id)"], output: terminal.raw)
        #expect(try logs.end().code == 0)
        try terminal.shows("forged line")
        #expect(!terminal.text.contains("\u{1B}[2J") && !terminal.text.contains("\u{7}"))
    }
}
