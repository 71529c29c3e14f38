import Glibc
import Linux
import Testing

/// A user attacks the right that the setgid bit gives to crontab(1).
@Suite("Attacks on crontab", .ownThreads, .enabled(if: CronMachine.isHere, CronMachine.reason))
struct CrontabAttackTests {
    static let old = "0 1 * * * old\n"

    /// A machine on which games and daemon have a crontab.
    private func machine() throws -> CronMachine {
        let machine = try CronMachine()
        for user in ["games", "daemon"] { #expect(try machine.run("crontab -u \(user) -", as: nil, input: Self.old).code == 0) }
        try Files.write("\(machine.base)/etc/secret", "7 7 * * * secret\n", mode: 0o640)
        #expect(chown("\(machine.base)/etc/secret", 0, try #require(try Group.number(of: "crontab"))) == 0)
        return machine
    }

    /// The crontab of games, and all other names, are as before.
    private func isUnchanged(_ machine: CronMachine) throws -> Bool {
        try machine.names() == ["daemon", "games"] && machine.run("crontab -u games -l", as: nil).output == Self.old
    }

    @Test("C2: Attack 81: a file that only the group crontab may read is not read for a user, by whatever name")
    func othersFiles() throws {
        let machine = try machine()
        let home = "\(machine.base)/home"
        try Files.write("\(home)/link", "rm $1; ln -s /etc/secret $1")
        try Files.write("\(home)/exchange", "d=${1%/*}; mv $d $d.x; ln -s /var/spool/cron/crontabs $d")
        for line in [
            "crontab /etc/secret", "ln -s /etc/secret s && crontab s", "crontab -n /etc/secret", "crontab /var/spool/cron/crontabs/daemon",
            "cd / && crontab etc/secret", "crontab -u daemon -l", "EDITOR='sh \(home)/link' crontab -e",
            "EDITOR='sh \(home)/exchange' crontab -e",
        ] {
            let result = try machine.run(line)
            #expect(!result.output.contains("secret") && !result.error.contains("7 7"), "\(line): \(result.output)\(result.error)")
            #expect(try isUnchanged(machine), "\(line): \(result.error)")
            // Removes the edit, its directory that was moved away, and the link in the place of the directory.
            guard let place = result.error.firstRange(of: "/tmp/crontab.") else { continue }
            let kept = String(result.error[place.lowerBound...].prefix(19))
            try Commands.succeed("rm", "-rf", kept, "\(kept).x")
        }
    }

    @Test("C2: Attack 82: the editor, and what it starts, have nothing of the group crontab")
    func editorsRights() throws {
        let machine = try machine()
        let result = try machine.run(
            "EDITOR='grep -hE ^[UG]id: /proc/self/status; id -G; ls /proc/self/fd; cat /etc/secret; true' crontab -e")
        #expect(result.output.hasPrefix("Uid:\t5\t5\t5\t5\nGid:\t60\t60\t60\t60\n60\n0\n1\n2\n3\n"), "\(result.output)")
        #expect(result.error.contains("/etc/secret: Permission denied"), "\(result.error)")
        #expect(try isUnchanged(machine))
    }

    @Test("C2: Attack 83: variables of the loader, of the Swift runtime and of the shell change nothing, nor does a call without a name")
    func environment() throws {
        let machine = try machine()
        for variable in [
            "LD_PRELOAD=/lib/x86_64-linux-gnu/libm.so.6", "LD_LIBRARY_PATH=/tmp", "LD_DEBUG=all", "SWIFT_DEBUG_HELP=YES",
            "SWIFT_DEBUG_ENABLE_LIB_PRESPECIALIZED_METADATA=1 SWIFT_DEBUG_LIB_PRESPECIALIZED_PATH=/lib/x86_64-linux-gnu/libm.so.6",
            "SWIFT_BACKTRACE=enable=yes", "SWIFT_DETERMINISTIC_HASHING=1", "TMPDIR=/var/spool/cron/crontabs", "IFS=o", "PATH=", "HOME=",
            "LOGNAME=daemon USER=daemon", "GCONV_PATH=/tmp", "LC_ALL=xx_XX", "POSIXLY_CORRECT=1", "MALLOC_CHECK_=3", "TZ=:/etc/secret",
        ] {
            for (line, output) in [("-l", Self.old), ("-n -", ""), ("-e", "")] {
                let result = try machine.run("env EDITOR=/bin/true \(variable) /usr/bin/crontab \(line)", input: Self.old)
                #expect(result.code == 0 && result.output == output, "\(variable) \(line): \(result.code) \(result.output)\(result.error)")
                #expect(!result.error.contains("Swift") && !result.error.contains("calling init"), "\(variable): \(result.error)")
            }
        }
        let nameless = "python3 -c 'import ctypes; ctypes.CDLL(None).execv(b\"/usr/bin/crontab\", (ctypes.c_char_p * 1)(None))'"
        let result = try machine.run(nameless, input: Self.old)
        #expect(result.code <= 1 || result.code == 134, "\(result.code)")
        #expect(try isUnchanged(machine))
    }

    @Test("C2: Attack 84: limits, a full disk and calls that fail leave the crontab as it was and no temporary file")
    func failures() throws {
        let machine = try machine()
        let big = String(repeating: "0 0 * * * something that takes place\n", count: 2000)
        for limit in ["-f 0", "-f 1", "-n 3", "-v 1000"] {
            let result = try machine.run("ulimit \(limit); exec crontab -", input: big)
            #expect(result.code != 0, "\(limit)")
            #expect(try isUnchanged(machine), "\(limit): \(result.error)")
        }
        // Each call by which root installs a crontab fails in turn, or the program is killed before it.
        guard Commands.has("strace") else { return }
        for call in ["write", "fsync", "fchmod", "fchown", "renameat,renameat2"] {
            let quiet = "-o /dev/null -e trace=\(call)"
            let failed = try machine.run("strace \(quiet) -e inject=\(call):error=ENOSPC:when=1 crontab -u games -", as: nil, input: big)
            let says = "No space left on device; the crontab is as it was\n"
            #expect(failed.code == 1 && failed.error.contains(says), "\(call): \(failed.error)")
            #expect(try isUnchanged(machine), "\(call)")
            _ = try machine.run("strace \(quiet) -e inject=\(call):signal=KILL:when=1 crontab -u games -", as: nil, input: big)
            let text = try machine.run("crontab -u games -l", as: nil).output
            #expect(text == Self.old || text == big, "\(call)")
            #expect(try machine.names().filter { !$0.hasPrefix(".tmp.") } == ["daemon", "games"])
            for name in try machine.names() where name.hasPrefix(".") { try Files.remove("\(machine.crontabs)/\(name)") }
            #expect(try machine.run("crontab -u games -", as: nil, input: Self.old).code == 0)
        }
        let full = try machine.run(
            "mount -t tmpfs -o size=64k,mode=1730,gid=$(stat -c %g /var/spool/cron/crontabs) none /var/spool/cron/crontabs && "
                + "echo '\(Self.old.dropLast())' | crontab - && "
                + "seq -f '%g 1 * * * xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' 3000 | "
                + "sed 's/^[0-9]*/1/' | crontab -; echo $?; crontab -l; ls -A /var/spool/cron/crontabs", as: nil)
        #expect(
            full.output == "1\n\(Self.old)root\n" && full.error.contains("No space left on device"),
            "\(full.output.prefix(300))\(full.error)")
        for descriptors in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
            for line in ["crontab -l", "crontab -", "crontab -e", "crontab -r -i"] {
                _ = try machine.run("EDITOR=true \(line) \(descriptors)")
                let now = try machine.run("crontab -u games -l", as: nil).output
                #expect(now == Self.old || line == "crontab -" && now.isEmpty, "\(line) \(descriptors): \(now)")
                #expect(try machine.run("crontab -u games -", as: nil, input: Self.old).code == 0)
            }
        }
        #expect(try machine.run("crontab -l > /dev/full").code == 1)
        #expect(try machine.names() == ["daemon", "games"])
    }

    @Test("C2: Attack 85: a FIFO, a device, a directory, an endless and a very large file are refused soon")
    func files() throws {
        let machine = try machine()
        for line in [
            "mkfifo f; crontab f", "crontab /dev/zero", "crontab /dev/tty", "crontab .", "truncate -s 1T big; crontab big",
            "truncate -s 1T big; crontab - < big", "crontab - < /dev/zero", "yes '* * * * * x' | crontab -", "crontab - < .",
            "crontab /proc/self/mem", "crontab /proc/kmsg",
        ] {
            let result = try machine.run(line)
            #expect(result.code == 1 && !result.error.isEmpty, "\(line): \(result.error)")
            #expect(try isUnchanged(machine), "\(line)")
        }
    }

    @Test(
        "C2: Attack 87: what is no regular file in the place of a crontab holds nobody up, is not read, and is replaced by root",
        arguments: ["mkfifo -m 666 $f", "ln -s /etc/secret $f", "mkdir $f", "mknod -m 666 $f c 1 5", "ln -s $f $f"])
    func noFile(made line: String) throws {
        let machine = try machine()
        let place = { "f=/var/spool/cron/crontabs/games; rm $f; \(line)" }()
        #expect(try machine.run(place, as: nil).code == 0)
        for call in ["crontab -l", "EDITOR=true crontab -e"] {
            let result = try machine.run(call)
            #expect(result.code == 1 && result.error.contains("crontabs/games: it is a"), "\(call): \(result.error)")
            #expect(result.error.contains("not a regular file") && !result.output.contains("secret"), "\(call): \(result.error)")
        }
        let isDirectory = line.hasPrefix("mkdir")
        // The directory is sticky: a user removes no file of root's, and root does.
        for user in [TestUser.games, nil] {
            for (call, after) in [("crontab -u games -", "1 1 * * * new\n"), ("crontab -u games -r", "")] {
                _ = try machine.run("rm -rf /var/spool/cron/crontabs/games; \(place)", as: nil)
                let result = try machine.run(call, as: user, input: after)
                let isDone = user == nil && !isDirectory
                #expect(result.code == (isDone ? 0 : 1), "\(call): \(result.error)")
                let now = try machine.run("crontab -u games -l", as: nil)
                #expect(isDone ? now.output == after : now.error.contains("not a regular file"), "\(call): \(now)")
            }
        }
        #expect(try machine.names().allSatisfy { !$0.hasPrefix(".tmp") })
    }

    @Test("C2: Attack 86: a user who stops a process that holds the lock of a crontab holds root up for seconds")
    func heldLock() throws {
        let machine = try machine()
        let holder = try Commands.Running("flock", ["-x", "\(machine.crontabs)/games", "sh", "-c", "echo held; exec sleep 1000"])
        defer { holder.child.kill(SIGKILL) }
        while !holder.output.contains("held") {
            try #require(!holder.child.hasEnded)
            sched_yield()
        }
        #expect(try machine.run("crontab -u games -", as: nil, input: "1 1 * * * new\n").code == 0)
        #expect(try machine.run("crontab -u games -l", as: nil).output == "1 1 * * * new\n")
    }
}
