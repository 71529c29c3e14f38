// Alarms are started although the fault that kept the job from running would keep them from running, too.

import Glibc
import Linux
import Testing

@Suite("Alarms when something of the job is missing", .ownThreads)
struct FallbackTests {
    /// A fault of a job: its keys, its command, and the alarm's remark about the substitute.
    struct Lack: CustomTestStringConvertible, Sendable {
        let name: String
        let keys: String
        var command = "'exit 3'"
        let says: String
        /// The key that names the alarm.
        var key = "on_failure"
        var needsRoot = false
        /// True if the alarm runs in the home directory of the user who runs the test.
        var isAtHome = true

        var testDescription: String { name }
    }

    static let lacks: [Lack] = [
        Lack(
            name: "directory that is missing", keys: "directory = '/no/such/disk'",
            says: "directory \"/no/such/disk\": No such file or directory; it runs in"),
        Lack(
            name: "directory that is a file", keys: "directory = '/etc/passwd'",
            says: "directory \"/etc/passwd\": Not a directory; it runs in"),
        Lack(
            name: "directory that the job removes", keys: "directory = 'OUT/mine'", command: "'rmdir \"$PWD\"; exit 3'",
            says: "/mine\": No such file or directory; it runs in"),
        Lack(
            name: "directory that the job removes before it succeeds", keys: "directory = 'OUT/mine'", command: "'rmdir \"$PWD\"'",
            says: "/mine\": No such file or directory; it runs in", key: "on_success"),
        Lack(
            name: "directory, at its end", keys: "directory = 'OUT/mine'", command: "'rmdir \"$PWD\"'",
            says: "/mine\": No such file or directory; it runs in", key: "on_end"),
        Lack(
            name: "env_file that is missing", keys: "env_file = '/no/such/file'",
            says: "env_file \"/no/such/file\": No such file or directory; it runs without it"),
        Lack(
            name: "env_file that is none", keys: "env_file = '/etc/passwd'",
            says: "env_file \"/etc/passwd\" line 1: expected KEY=value; it runs without it"),
        Lack(name: "shell", keys: "shell = '/no/such/sh'", says: "command not found: \"/no/such/sh\"; /bin/sh takes its place"),
        Lack(
            name: "all of them", keys: "directory = '/no/such/disk'\nenv_file = 'env'\nshell = '/no/such/sh'",
            says: "env_file \"/no/such/disk/env\": No such file or directory; it runs without it. directory \"/no/such/disk\""),
        Lack(
            name: "user", keys: "user = 'nosuchuser'", says: "user \"nosuchuser\": there is no such user; it runs as nobody",
            needsRoot: true, isAtHome: false),
        Lack(
            name: "group", keys: "user = 'daemon'\ngroup = 'nosuchgroup'",
            says: "group \"nosuchgroup\": there is no such group; it runs with the user's own group", needsRoot: true, isAtHome: false),
    ]

    @Test("The alarm runs, with the job's status as its payload, and its remark names the substitutes", arguments: lacks)
    func alarm(_ lack: Lack) throws {
        if lack.needsRoot, geteuid() != 0 {
            print("skipped: only root's jobs name users")
            return
        }
        let spool = try lack.needsRoot ? UserTests.spool() : SpoolUnderTest()
        try Files.makeDirectory("\(spool.out)/mine")
        let keys = lack.keys.replacing("OUT", with: spool.out)
        let job = try spool.run("command = \(lack.command)\n\(lack.key) = 'pwd; cat'\n\(keys)")
        let alarm = try spool.end(of: "job.\(lack.key)")
        #expect(alarm.outcome == "done 0", "\(alarm.error)")
        let lines = try alarm.stdout.split(separator: "\n", maxSplits: 1)
        #expect(lines.last?.contains(job.id) == true, "the payload is the job's status")
        let home = try #require(try User.find(id: geteuid())).home
        if lack.isAtHome { #expect(String(lines[0]) == home) }
        #expect(alarm.string("remark")?.contains(lack.says) == true, "\(alarm.string("remark") ?? "no remark")")
        try spool.logLine("event=substituted", alarm.id)
        #expect(try spool.ctl("why", alarm.id).output.contains(lack.says))
        // The job itself gets no substitutes.
        if lack.command == "'exit 3'" { #expect(job.reason == "spawn", "\(job.outcome)") }
    }

    @Test("Programs are found in the usual directories although the job's PATH leads nowhere")
    func path() throws {
        let spool = try SpoolUnderTest()
        let job = try spool.run("command = ['nosuchprogram']\nenv = {PATH = '/no/such'}\non_failure = ['cat']")
        #expect(job.outcome == "failed spawn 127")
        #expect(try spool.end(of: "job.on_failure").stdout.contains(job.id))
    }

    @Test("on_overdue runs, too")
    func overdue() throws {
        let spool = try SpoolUnderTest()
        try spool.task(
            "t", "command = ['true']\ndirectory = '/no/such/disk'\nexpect = '100ms'\non_overdue = 'cat; echo \"$SPOOL_OVERDUE_TASK\"'")
        let alarm = try spool.end(of: "t.on_overdue")
        #expect(alarm.outcome == "done 0", "\(alarm.error)")
        #expect(try alarm.stdout.hasSuffix("t\n"))
        #expect(alarm.string("remark")?.contains("/no/such/disk") == true)
    }

    @Test("The remark about substitutes is kept when another daemon records the end", arguments: [SIGKILL, SIGTERM])
    func restarted(_ signal: Int32) throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let failing = "command = ['true']\ndirectory = '/no/such/disk'"
        let job = try spool.run("\(failing)\non_failure = 'echo > \(spool.out)/began; read x < \(gate.path)'")
        try spool.output("began")
        let id = try spool.running("job.on_failure").id
        try spool.watch("running/\(id)")
        let remark = try spool.wait(for: "the remark") { try spool.job(id, in: "running")?.string("remark") }
        #expect(remark.contains("/no/such/disk"))
        // The second restart reads the end of the first restart's daemon, or the second's beginning.
        for _ in 0..<2 {
            spool.signal(signal)
            try spool.exitCode()
            try spool.start()
        }
        #expect(try spool.job(id, in: "running")?.string("remark") == remark)
        try gate.release()
        let alarm = try spool.end(of: "job.on_failure")
        #expect(alarm.outcome == "done 0" && alarm.string("remark") == remark, "of \(job.id)")
    }

    @Test("A job with fallback = true gets substitutes, too; only missing things are replaced")
    func asked() throws {
        let spool = try SpoolUnderTest()
        try Files.write("\(spool.out)/env", "GREETING=hello\n")
        let job = try spool.run("command = 'pwd; echo $GREETING'\ndirectory = '\(spool.out)'\nenv_file = 'env'\nfallback = true")
        #expect(try job.stdout == "\(spool.out)\nhello\n" && job.string("remark") == nil)
        let other = try spool.run("command = 'echo ran'\ndirectory = '/no/such/disk'\nfallback = true", as: "other")
        #expect(try other.stdout == "ran\n" && other.string("remark") != nil)
    }

    @Test(
        "A job of a user whose home is missing runs in /, and the log reports that once",
        .enabled(if: geteuid() == 0, "only root's jobs name users")
    )
    func noHome() throws {
        let nobody = try #require(try User.find(name: "nobody"))
        guard !Files.exists(nobody.home) else {
            print("skipped: nobody has a home here")
            return
        }
        let spool = try UserTests.spool()
        for name in ["one", "two"] {
            let job = try spool.run("command = 'pwd'\nuser = 'nobody'", as: name)
            #expect(job.outcome == "done 0", "\(job.error)")
            #expect(try job.stdout == "/\n")
            #expect(job.string("remark") == "directory \"\(nobody.home)\": No such file or directory; it runs in \"/\"")
        }
        #expect(spool.count("event=substituted") == 1)
        // Without fallback = true, a directory that the job itself names gets no substitute.
        #expect(try spool.run("command = 'pwd'\nuser = 'nobody'\ndirectory = '/no/such'", as: "three").outcome == "failed spawn")
        #expect(try spool.run("command = 'pwd'\nuser = 'nobody'\ndirectory = '~'", as: "four").outcome == "failed spawn")
    }
}
