import Glibc
import Linux
import Testing

/// Debian's atd(8) runs jobs of at, and spoold runs the same. Environment, output, exit code and mail must be the same.
@Suite("atd itself", .ownThreads)
struct AtPeerTests {
    private static let atd = "/usr/sbin/atd"
    static let isHere = CronMachine.isHere && Commands.has("at") && access(atd, X_OK) == 0

    /// What at is called with, what it reads, and whether a mail follows.
    private static let jobs: [(line: String, input: String, mails: Bool)] = [
        ("at now", "pwd; umask; id; nice; ulimit -n | wc -l", true),
        ("at -q c now", "nice", true),
        ("umask 27; mkdir -p 'a b' && cd 'a b' && A=\"it's 5\\$\" V=$(printf 'x\\ny') TERM=x DISPLAY=:0 at now", "pwd; umask; env", true),
        ("at now", "echo one; echo two >&2; echo three; exit 3", true),
        ("at now", "true", false),
        ("at -m now", "true", true),
        ("at -M now", "echo x >after-M", false),
        ("at -u daemon now", "printf 'no end é \\377'", true),
        ("at now", "echo $# ${BASH_VERSION:-sh}; kill -TERM $$; echo after", true),
        ("at now", "cat <<X | tr a-z A-Z\ntext\nX", true),
        ("PATH=/opt:/usr/bin:/bin LC_ALL=C at now", "echo $PATH $LC_ALL $HOME $LOGNAME", true),
    ]

    /// Variables that spoold gives to each job besides those of the call, and those that a shell sets.
    private static let own = ["SPOOL_", "USER=", "LANG=", "SHELL=", "SHLVL=", "_=", "OLDPWD="]

    private func settled(_ text: String, _ base: String) -> String {
        text.replacing(base, with: "BASE").split(separator: "\n", omittingEmptySubsequences: false)
            .filter { line in !Self.own.contains { line.hasPrefix($0) } }.joined(separator: "\n")
    }

    /// The mails, by the number in their subject.
    private func mails(_ directory: String, _ base: String) throws -> [Int: String] {
        var mails: [Int: String] = [:]
        for name in try Files.list(directory) where !name.hasPrefix(".") {
            let text = try Files.text("\(directory)/\(name)")
            let subject = text.split(separator: "\n").first { $0.hasPrefix("Subject: ") } ?? ""
            mails[subject.split(separator: " ").last.flatMap { Int($0) } ?? 0] = settled(text, base)
        }
        return mails
    }

    @Test(
        "C6: a job runs as under atd: variables, directory, umask, niceness, output in its order, and the mail to the byte",
        .enabled(if: isHere, "needs root, unshare, and Debian's cron and at"))
    func runs() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.letUsersIn()
        let (theirs, ours) = (try CronMachine(.debians), try CronMachine(names: ["at"]))
        func sendmail(_ machine: CronMachine) throws -> String {
            try Files.makeDirectory("\(machine.base)/mails")
            for directory in ["mails", "home"] { chmod("\(machine.base)/\(directory)", 0o1777) }
            _ = try spool.inotify.add("\(machine.base)/mails", [.movedTo])
            _ = try spool.inotify.add("\(machine.base)/home", [.closedAfterWriting])
            let path = "\(machine.base)/sendmail"
            try Files.write(path, "#!/bin/sh\ncd \(machine.base)/mails && cat >.$$ && mv .$$ $$\n", mode: 0o755)
            return path
        }
        try Files.write(spool.configuration, "mail_command = [\"\(try sendmail(ours))\"]\n")
        try spool.start()
        // atd looks at the jobs when it starts.
        for machine in [theirs, ours] {
            let environment = machine === ours ? ["SPOOL_DIR=\(spool.path)"] : []
            for job in Self.jobs {
                let result = try machine.run(job.line, as: .games, input: job.input, environment: environment)
                #expect(result.code == 0, "\(job.line): \(result.error)")
            }
        }
        let count = Self.jobs.count { $0.mails }
        // A container may give no process a login id, so that module is left out.
        try Files.write("\(theirs.base)/etc/pam.d/atd", "account required pam_permit.so\nsession required pam_permit.so\n")
        let their = try sendmail(theirs)
        let atd = try theirs.start(
            """
            cp \(Self.atd) \(theirs.base)/atd && mount -t tmpfs none /run && mount -t tmpfs none /usr/sbin &&
            cp \(their) /usr/sbin/sendmail && exec \(theirs.base)/atd -f
            """, as: nil)
        defer { atd.child.kill(SIGKILL) }
        func mails(_ machine: CronMachine) throws -> [Int: String] { try self.mails("\(machine.base)/mails", machine.base) }
        try spool.wait(for: "\(count) mails of each") { try mails(theirs).count >= count && mails(ours).count >= count }
        let (expected, got) = (try mails(theirs), try mails(ours))
        for (number, job) in Self.jobs.enumerated() {
            #expect((expected[number + 1] != nil) == job.mails, "\(job)")
            #expect(got[number + 1] == expected[number + 1], "\(job)")
        }
        // This job has no mail, and may end after those that have.
        for machine in [theirs, ours] {
            let file = "\(machine.base)/home/after-M"
            try spool.wait(for: file) { try Files.exists(file) && Files.text(file) == "x\n" }
        }
    }
}
