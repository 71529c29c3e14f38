import Glibc
import Linux
import Testing

/// Debian's cron(8) runs a crontab, and spoold runs the tasks imported from it. Both must run the same commands with the same
/// input, variables and directory.
@Suite("cron itself", .ownThreads)
struct CronPeerTests {
    static let cron = "/usr/sbin/cron"
    static let isHere = geteuid() == 0 && access(cron, X_OK) == 0 && access("/usr/bin/unshare", X_OK) == 0

    /// Each line writes what it saw to `OUT`. `@reboot` runs at once, with cron and with spoold.
    static let crontab = """
        MAILTO=""
        A='x y'
        B = un  quoted\u{20}
        C="it's"
        # The shell's own variables differ by the shell alone.
        @reboot echo "$A|$B|$C|$PATH|$HOME|$LOGNAME|$SHELL|$MAILTO" >OUT/01; pwd >>OUT/01; id -un >>OUT/01; umask >>OUT/01
        @reboot cat >OUT/02%
        @reboot cat >OUT/03%a%b%
        @reboot cat >OUT/04%a\\%b\\\\%c\\x\\%
        @reboot cat >OUT/05%%
        @reboot cat >OUT/06%\u{20}
        @reboot cat >OUT/07%x\\
        @reboot cat >OUT/08%END%END_%'%"$A"%`x`
        @reboot printf '\\%s\\n' a\\\\b 'c\\\\\\\\d' \\\\\\% >OUT/09
        @reboot echo 100\\% \\a >OUT/10; cat >>OUT/10%\tin
        @reboot wc -c >OUT/11
        \t @reboot\t \techo  blanks   >OUT/12
        HOME=/tmp
        SHELL=/bin/bash
        PATH=/usr/bin:/bin:/opt
        A=again
        @reboot echo "$A|$PATH|$HOME|$SHELL|${BASH_VERSION:+bash}" >OUT/13; pwd >>OUT/13
        @reboot printf 'caf\u{E9} é' >OUT/14

        """

    @Test("U1: a crontab's lines run as tasks as cron(8) runs them", .enabled(if: isHere, "needs root and Debian's cron"))
    func runs() throws {
        let spool = try SpoolUnderTest(starting: false)
        for directory in ["peer", "crontabs"] { try Files.makeDirectory("\(spool.base)/\(directory)") }
        func text(_ out: String) -> [UInt8] {
            // Among the UTF-8 is one byte of Latin-1.
            Array(Self.crontab.replacing("OUT", with: out).utf8).split(separator: Array("caf\u{E9}".utf8))
                .joined(separator: Array("caf".utf8) + [0xE9]).map(\.self)
        }
        let count = 14
        try Files.write("\(spool.base)/crontabs/root", text("\(spool.base)/peer"), mode: 0o600)
        _ = try spool.inotify.add("\(spool.base)/peer", [.created, .closedAfterWriting, .modified])
        let cron = try startCron(beside: spool, "exec \(Self.cron) -f")
        defer { cron.kill(SIGKILL) }

        try Files.write("\(spool.base)/c", text(spool.out))
        let result = try spool.ctl("import", "crontab", "\(spool.base)/c")
        #expect(result.code == 0 && result.lines.count == count, "\(result.errors)")
        try spool.start()
        try spool.wait(for: "\(count) ended jobs") {
            try Files.list("\(spool.path)/done").count + Files.list("\(spool.path)/failed").count == count
        }
        let names = (1...count).map { $0 < 10 ? "0\($0)" : "\($0)" }
        func matches(_ name: String) throws -> Bool {
            try Files.exists("\(spool.base)/peer/\(name)")
                && Files.bytes("\(spool.base)/peer/\(name)") == Files.bytes("\(spool.out)/\(name)")
        }
        // cron does not report the ends of its jobs, so the files are compared until they are equal or the guard ends the wait.
        do { try spool.wait(for: "the same of cron") { try names.allSatisfy(matches) } } catch {
            for name in names where try !matches(name) {
                Issue.record(
                    """
                    \(name): cron \((try? Files.text("\(spool.base)/peer/\(name)")) ?? "nothing"), spoold \
                    \(try Files.text("\(spool.out)/\(name)"))
                    """)
            }
        }
    }

    /// Each line writes something, so each but the last two is mailed.
    static let mailed = """
        @reboot echo plain; echo error >&2; echo last
        MAILTO = "ops@example.org,root"
        B = un  quoted\u{20}
        @reboot cat%to the command%100\\% of it
        MAILFROM=cron@example.org
        CONTENT_TYPE="text/html; charset=UTF-8"
        PATH=/bin:/usr/bin
        @reboot printf '\\000caf\u{E9} é without an end'
        MAILFROM="no one"
        HOME=/tmp
        SHELL=/bin/bash
        @reboot seq 1 3000; exit 3
        @reboot true; exit 4
        MAILTO=root -v
        @reboot echo to nobody
        MAILTO=""
        @reboot echo to nobody

        """

    /// The locale of cron, and of the session in which spoold runs jobs, decides about the charset of a mail.
    @Test(
        "C3: output is mailed as cron(8) mails it, to the byte", .enabled(if: isHere, "needs root and Debian's cron"),
        arguments: ["C.UTF-8", "C"])
    func mails(locale: String) throws {
        let spool = try SpoolUnderTest(starting: false)
        for directory in ["peer", "mails", "crontabs"] { try Files.makeDirectory("\(spool.base)/\(directory)") }
        for directory in ["peer", "mails"] { _ = try spool.inotify.add("\(spool.base)/\(directory)", [.movedTo]) }
        func sendmail(_ directory: String) throws -> String {
            let path = "\(spool.base)/sendmail-to-\(directory)"
            let script = "#!/bin/sh\ncd \(spool.base) && cat > .\(directory).$$ && mv .\(directory).$$ \(directory)/$$\n"
            try Files.write(path, script, mode: 0o755)
            return path
        }
        try Files.write("\(spool.base)/crontabs/root", Self.mailed, mode: 0o600)
        // Nobody finds another sendmail there: only cron's own directory is replaced, and cron runs from a copy.
        let cron = try startCron(
            beside: spool,
            """
            cp \(Self.cron) \(spool.base)/cron && mount -t tmpfs none /usr/sbin && cp \(try sendmail("peer")) /usr/sbin/sendmail && \
            LC_ALL=\(locale) exec \(spool.base)/cron -f
            """)
        defer { cron.kill(SIGKILL) }

        try Files.write(spool.configuration, "mail_command = [\"\(try sendmail("mails"))\", \"-i\", \"-t\"]\n")
        try Files.write("\(spool.base)/c", Self.mailed)
        let result = try spool.ctl("import", "crontab", "\(spool.base)/c")
        #expect(result.code == 0, "\(result.errors)")
        // spoold's own default needs no session.
        if locale == "C.UTF-8" {
            try spool.start()
        } else {
            guard SessionTests.isHere else { return }
            try Commands.succeed("cp", "-a", "/etc/pam.d", "\(spool.base)/pam.d")
            try Files.write("\(spool.base)/pam.d/cron", """
                account required pam_permit.so
                session required pam_env.so envfile=\(spool.base)/locale

                """)
            try Files.write("\(spool.base)/locale", "LC_ALL=\(locale)\n")
            try Files.write(
                spool.configuration, "mail_command = [\"\(try sendmail("mails"))\", \"-i\", \"-t\"]\npam_service = \"cron\"\n")
            try spool.launch(tracer: [
                "/usr/bin/unshare", "-m", "--propagation", "private", "/bin/sh", "-c",
                "mount --bind \(spool.base)/pam.d /etc/pam.d && exec \"$0\" \"$@\"",
            ])
            try spool.notification("READY=1")
        }
        func mails(_ directory: String) throws -> [String] {
            try Files.list("\(spool.base)/\(directory)").map { try Files.text("\(spool.base)/\(directory)/\($0)") }.sorted()
        }
        try spool.wait(for: "four mails of each") { try mails("peer").count == 4 && mails("mails").count == 4 }
        for (ours, crons) in zip(try mails("mails"), try mails("peer")) { #expect(ours == crons) }
        // Every job that has no mail has ended before the last mail is counted.
        try spool.wait(for: "the ends of all jobs") {
            try Files.list("\(spool.path)/running").isEmpty && spool.journal().count { $0.kind == "ended" } == 11
        }
        #expect(try mails("mails").count == 4)
    }

    /// Starts a cron whose files are away from the machine's, with `crontabs/root` of the spool's directory as root's crontab.
    private func startCron(beside spool: SpoolUnderTest, _ command: String) throws -> Child {
        let script = """
            mount -t tmpfs none /run && mount -t tmpfs none /var/spool && mkdir -p /var/spool/cron/crontabs &&
            { [ ! -d /etc/cron.d ] || mount -t tmpfs none /etc/cron.d; } && cp -p \(spool.base)/crontabs/root /var/spool/cron/crontabs/
            """
        return try Self.startCron(beside: spool, script, command)
    }

    /// Starts a cron, or `command`, in a mount namespace that lines of the shell have prepared.
    static func startCron(beside spool: SpoolUnderTest, _ mounts: String, _ command: String = "exec \(cron) -f") throws -> Child {
        let log = try FileDescriptor.open("\(spool.base)/cron.log", O_WRONLY | O_CREAT, mode: 0o600)
        return try Child(
            "/usr/bin/unshare", ["-m", "--propagation", "private", "/bin/sh", "-c", "\(mounts) && cd / && \(command)"],
            environment: spool.environment, output: log.raw, error: log.raw)
    }
}
