import Glibc
import Linux
import Testing

/// PAM sessions of jobs: limits, login id, environment, and an account step that can refuse.
@Suite("Sessions", .ownThreads)
struct SessionTests {
    static let isHere = MachineUnderTest.canBeHere && access("/usr/lib/x86_64-linux-gnu/security/pam_limits.so", F_OK) == 0
    static let reason: Comment = "needs root, mount namespaces, the programs of Debian's package passwd and the modules of libpam-modules"

    /// Debian's service cron without the modules that need more rights than a container has.
    private func machine() throws -> MachineUnderTest {
        let machine = try MachineUnderTest(configuration: "pam_service = \"cron\"\n")
        try machine.root(
            """
            cat > /etc/pam.d/cron <<'END'
            account required pam_unix.so
            account required pam_listfile.so item=user sense=deny file=/etc/cron.listed onerr=succeed
            session required pam_env.so
            session required pam_env.so envfile=/etc/default/locale
            session required pam_limits.so
            END
            echo 'FROM_ENVIRONMENT="a b"' > /etc/environment
            echo 'LANG=de_DE.UTF-8' > /etc/default/locale
            printf '%s\\n' 'u1 hard locks 77' 'root hard locks 78' > /etc/security/limits.conf
            rm -f /etc/security/limits.d/*
            """)
        try machine.addUser("u1")
        return machine
    }

    static let reports = "echo $FROM_ENVIRONMENT $LANG $USER; sed -n 's/Max file locks *//p' /proc/self/limits"

    @Test("C4: a job has the limits and variables of its user's session, and its own keys count more", .enabled(if: isHere, reason))
    func session() throws {
        let machine = try machine()
        let spool = machine.spool
        func output(_ name: String, _ keys: String) throws -> [String] {
            let job = try spool.run("command = \"\"\"\(Self.reports)\"\"\"\n\(keys)", as: name)
            let text = try Files.text("\(job.directory)/stdout")
            return text.split(separator: "\n").map { $0.split(separator: " ").prefix(4).joined(separator: " ") }
        }
        #expect(try output("a", "") == ["a b de_DE.UTF-8 root", "78 78 locks"])
        #expect(try output("b", "user = \"u1\"") == ["a b de_DE.UTF-8 u1", "77 77 locks"])
        #expect(try output("c", "user = \"u1\"\nenv = {LANG = \"C\", FROM_ENVIRONMENT = \"x\"}") == ["x C u1", "77 77 locks"])
        // A number without an account has no session.
        #expect(try output("d", "user = 64101\ngroup = 64101").first == "C.UTF-8 64101")
        // A user's own daemon, and so all of that user's jobs.
        let submitted = try machine.ctl(as: "u1", "submit", "-w", "--", "sh", "-c", Self.reports)
        #expect(submitted.code == 0 && submitted.output.hasPrefix("a b de_DE.UTF-8 u1\n77 "), "\(submitted)")
    }

    @Test("C4: the account step refuses a user, and the job says why", .enabled(if: isHere, reason))
    func refused() throws {
        let machine = try machine()
        try machine.root("echo u1 > /etc/cron.listed")
        try machine.spool.drop("job.toml", "user = \"u1\"\ncommand = \"true\"")
        let job = try machine.spool.end(of: "job")
        #expect(job.reason == "spawn" && job.error.contains("PAM refuses the account of u1 for the service cron: "), "\(job.error)")
        // A locked password alone prevents nothing.
        try machine.root("rm /etc/cron.listed; usermod -L u1")
        try machine.spool.drop("next.toml", "user = \"u1\"\ncommand = \"true\"")
        #expect(try machine.spool.end(of: "next").outcome == "done 0")
    }

    @Test("C4: a changed pam_service counts for the next job; a service that does not exist starts nothing", .enabled(if: isHere, reason))
    func changed() throws {
        let machine = try machine()
        let spool = machine.spool
        try Files.write(spool.configuration, "pam_service = \"nosuch\"\n")
        try spool.logLine("event=configured")
        try machine.root("rm -f /etc/pam.d/other")
        try spool.drop("job.toml", "command = \"true\"")
        let job = try spool.end(of: "job")
        #expect(job.reason == "spawn" && job.error.contains("PAM"), "\(job.error)")
        let seen = spool.logLength
        try Files.write(spool.configuration, "")
        try spool.logLine("event=configured", after: seen)
        #expect(try spool.run("command = \"true\"", as: "last").outcome == "done 0")
    }

    @Test("C4: a changed pam_service counts for users who are served; a user whom PAM refuses is a problem until that ends",
        .enabled(if: isHere, reason))
    func usersDaemons() throws {
        let machine = try machine()
        let spool = machine.spool
        func limit() throws -> String {
            let result = try machine.ctl(as: "u1", "submit", "-w", "--", "sh", "-c", Self.reports)
            #expect(result.code == 0, "\(result)")
            return result.output.split(separator: "\n").last.map { String($0.prefix { $0 != " " }) } ?? ""
        }
        #expect(try limit() == "77")
        // Another service, without limits. The files of the session are the daemon's own.
        try machine.root("grep -v limits /etc/pam.d/cron > /etc/pam.d/other-cron")
        var seen = spool.logLength
        try Files.write(spool.configuration, "pam_service = \"other-cron\"\n")
        try spool.logLine("event=user-changed", "user=u1", "why=\"pam_service has changed\"", after: seen)
        try spool.logLine("event=serving-user", "user=u1", after: seen)
        #expect(try limit() != "77")
        // PAM refuses the user.
        seen = spool.logLength
        try machine.root("echo u1 > /etc/cron.listed")
        try Files.write(spool.configuration, "pam_service = \"cron\"\n")
        let why = "PAM refuses the account of u1 for the service cron: "
        try spool.logLine("event=refused", "file=users/u1", why, after: seen)
        for command in ["status", "doctor"] { #expect(try spool.ctl(command).output.contains(why), "\(command)") }
        // The same refusal again is the same problem.
        try spool.logLine("event=serving-user", "user=u1", after: seen)
        try machine.root("rm /etc/cron.listed; usermod -c changed u1")
        #expect(try limit() == "77")
        #expect(try !spool.ctl("status").output.contains(why))
        let lines = String(Substring(spool.log.utf8.dropFirst(seen))).split(separator: "\n")
        #expect(lines.count { $0.contains("event=refused") && $0.contains(why) } == 1, "\(lines)")
    }
}
