import CLinux
import Glibc
import Linux
import Testing

/// Debian's cron(8), in a private mount namespace, and spoold read the same files. Both must accept the same ones.
@Suite("Crontabs that cron accepts", .ownThreads, .enabled(if: CronPeerTests.isHere && TestUser.areHere, "needs root and Debian's cron"))
struct AcceptedCrontabTests {
    /// A file, made by a line of the shell: `$f` is its path, which exists with mode 0644, or 0600 for a user's. The name is that of the
    /// file that its `@reboot` line makes.
    private static let system: [(name: String, made: String)] = [
        ("plain", ""), ("Upper_9-", ""), ("a.b", ""), ("a~", ""), ("ä", ""), ("dpkg.dpkg-new", ""), ("_", ""),
        ("mode600", "chmod 600 $f"), ("mode400", "chmod 400 $f"), ("mode755", "chmod 755 $f"), ("mode664", "chmod 664 $f"),
        ("mode646", "chmod 646 $f"), ("mode4644", "chmod 4644 $f"), ("mode000", "chmod 000 $f"),
        ("games", "chown games $f"), ("group", "chgrp games $f"),
        ("hardlink", "ln $f $d/hard"), ("link", "mv $f $d/target; ln -s $d/target $f"),
        ("gameslink", "mv $f $d/target2; ln -s $d/target2 $f; chown -h games $f"),
        ("linktogames", "mv $f $d/target3; chown games $d/target3; ln -s $d/target3 $f"), ("dangling", "rm $f; ln -s nowhere $f"),
        ("directory", "rm $f; mkdir $f"), ("nolastend", "printf %s \"$(cat $f)\" > $f"), ("empty", ": > $f"),
    ]
    private static let users: [(name: String, made: String)] = [
        ("games", ""), ("daemon", "chown root $f"), ("bin", "chown games $f"), ("sys", "chmod 644 $f"), ("mail", "chmod 400 $f"),
        ("news", "ln $f $d/hard2"), ("uucp", "mv $f $d/target4; ln -s $d/target4 $f"), ("no-such-user", "chown 64103 $f"),
        ("proxy", "chmod 4600 $f"), ("backup", "chgrp games $f"), ("root", ""),
    ]

    @Test("C1: spoold accepts the files of cron.d and crontabs that Debian's cron accepts: names, owners, modes, links")
    func accepted() throws {
        let machine = try CrontabMachine(starting: false)
        let spool = machine.spool
        try Files.makeDirectory("\(spool.base)/peer")
        for directory in ["peer", "out"] { chmod("\(spool.base)/\(directory)", 0o1777) }
        _ = try spool.inotify.add("\(spool.base)/peer", [.created, .closedAfterWriting])
        func make(_ root: String, _ out: String) throws {
            let others = "\(spool.base)/others-\(out)"
            try Files.makeDirectory(others)
            chmod(others, 0o755)
            for (name, made) in Self.system {
                try place("\(root)/etc/cron.d/\(name)", "@reboot root touch \(spool.base)/\(out)/s-\(name)\n", 0o644, made, others)
            }
            for (name, made) in Self.users {
                let path = "\(root)/var/spool/cron/crontabs/\(name)"
                let owner = (try User.find(name: name))?.id ?? 0
                try place(
                    path, "@reboot touch \(spool.base)/\(out)/u-\(name)\n", 0o600, "chown \(owner) $f; \(made)", others)
            }
        }
        func place(_ path: String, _ text: String, _ mode: mode_t, _ made: String, _ others: String) throws {
            try Files.write(path, text, mode: mode)
            try Commands.succeed("sh", "-c", "f=\(path); d=\(others); \(made)")
        }
        try make(machine.root, "out")
        try Files.makeDirectory("\(spool.base)/peer-root")
        for directory in CrontabMachine.directories { try Files.makeDirectory("\(spool.base)/peer-root/\(directory)") }
        try make("\(spool.base)/peer-root", "peer")
        let script = """
            mount -t tmpfs none /run && mount --bind \(spool.base)/peer-root/var/spool /var/spool && \
            mount --bind \(spool.base)/peer-root/etc/cron.d /etc/cron.d
            """
        let cron = try CronPeerTests.startCron(beside: spool, script)
        defer { cron.kill(SIGKILL) }
        try spool.start()
        let all = Self.system.map { "s-\($0.name)" } + Self.users.map { "u-\($0.name)" }
        func ran(_ out: String) -> [String] { all.filter { Files.exists("\(spool.base)/\(out)/\($0)") } }
        // A user's @reboot line does not run here, because the crontab reaches a user's daemon after its first start.
        func accepted() throws -> [String] {
            let tasks = try machine.names()
            let files = try tasks.compactMap { name in
                try machine.shown(name, "file")?.split(separator: "/").suffix(2).joined(separator: "/")
            }
            return all.filter { name in
                files.contains("\(name.hasPrefix("s-") ? "cron.d" : "crontabs")/\(name.dropFirst(2))")
            }
        }
        // cron reports nothing. Its jobs are awaited until they are those that spoold accepts, or the guard ends the wait.
        do { try spool.wait(for: "the same of cron") { ran("peer") == (try accepted()) } } catch {
            Issue.record("cron ran \(ran("peer")), spoold accepts \(try accepted())\n\(spool.log)")
        }
        #expect(try accepted().count == 14)
    }

    @Test(
        "C1: spoold accepts the /etc/crontab that Debian's cron accepts: owners, modes, links",
        arguments: [
            "", "chmod 600 $f", "chmod 664 $f", "chown games $f", "ln $f $d/hard", "mv $f $d/target; ln -s $d/target $f",
            "mv $f $d/target; ln -s $d/target $f; chown -h games $f", "rm $f; ln -s nowhere $f", "rm $f; mkdir $f",
        ])
    func system(made line: String) throws {
        let machine = try CrontabMachine(starting: false)
        let spool = machine.spool
        try Files.makeDirectory("\(spool.base)/peer")
        _ = try spool.inotify.add("\(spool.base)/peer", [.created, .closedAfterWriting])
        try Commands.succeed("cp", "-a", "/etc", "\(spool.base)/peer-etc")
        try Commands.succeed("sh", "-c", "cd \(spool.base)/peer-etc && rm -rf crontab cron.d && mkdir cron.d")
        for (etc, out) in [("\(spool.base)/peer-etc", "peer"), ("\(machine.root)/etc", "out")] {
            let others = "\(spool.base)/others-\(out)"
            try Files.makeDirectory(others)
            try Files.write("\(etc)/cron.d/other", "@reboot root touch \(spool.base)/\(out)/other\n", mode: 0o644)
            try Files.write("\(etc)/crontab", "@reboot root touch \(spool.base)/\(out)/crontab\n", mode: 0o644)
            try Commands.succeed("sh", "-c", "f=\(etc)/crontab; d=\(others); \(line)")
        }
        let script = """
            mount -t tmpfs none /run && mount -t tmpfs none /var/spool && mkdir -p /var/spool/cron/crontabs && \
            mount --bind \(spool.base)/peer-etc /etc
            """
        let cron = try CronPeerTests.startCron(beside: spool, script)
        defer { cron.kill(SIGKILL) }
        try spool.start()
        let accepted = try machine.names().contains("crontab-touch")
        // cron starts the line of /etc/crontab first.
        let files = ["other"] + (accepted ? ["crontab"] : [])
        do { try spool.wait(for: "the same of cron") { try Files.list("\(spool.base)/peer").sorted() == files.sorted() } } catch {
            Issue.record("cron ran \(try Files.list("\(spool.base)/peer")), spoold accepts \(try machine.names())\n\(spool.log)")
        }
        #expect(["", "chmod 600 $f"].contains(line) ? accepted : true)
    }
}
