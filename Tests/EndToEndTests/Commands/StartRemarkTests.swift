import Glibc
import Testing

/// Commands that create jobs print what keeps the jobs from starting.
@Suite("Remarks on jobs that cannot start", .ownThreads)
struct StartRemarkTests {
    @Test("U6: submit, run and retry say that no daemon runs, except with -q and --json")
    func noDaemon() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = 'true'")
        let old = try spool.ctl("submit", "-w", "true").id
        try spool.stop()
        for words in [["submit", "true"], ["run", "t"], ["retry", old]] {
            let result = try spool.ctl(list: words)
            #expect(result.code == 0 && result.lines.count == 1, "\(result)")
            #expect(result.errors.hasPrefix("spoolctl: spoold is not running (last seen at "), "\(result)")
            for form in ["-q", "--json"] { #expect(try spool.ctl(list: [words[0], form] + words.dropFirst()).errors == "") }
        }
    }

    @Test("U7: submit and run say that the spool, the queue or the task is paused, and -w says that it waits for that")
    func paused() throws {
        let spool = try SpoolUnderTest(configuration: "[queues.video]\nslots = 2")
        try spool.acceptedTask("t", "command = 'true'\nqueue = 'video'")
        #expect(try spool.ctl("submit", "true").errors == "")
        #expect(try spool.ctl("run", "t").errors == "")
        #expect(try spool.ctl("pause", "-Q", "video", "--note", "new disk").code == 0)
        #expect(try spool.ctl("submit", "true").errors == "")
        let queue = "spoolctl: queue video is paused (new disk): its jobs wait for spoolctl resume --queue video\n"
        #expect(try spool.ctl("submit", "-Q", "video", "true").errors == queue)
        #expect(try spool.ctl("run", "t").errors == queue, "the queue is that of the task")
        #expect(try spool.ctl("resume", "-Q", "video").code == 0)
        #expect(try spool.ctl("pause", "--task", "t").code == 0)
        #expect(try spool.ctl("run", "t").errors == "spoolctl: task t is paused: its jobs wait for spoolctl resume --task t\n")
        #expect(try spool.ctl("pause").code == 0)
        #expect(try spool.ctl("submit", "true").errors == "spoolctl: the spool is paused: no job starts until spoolctl resume\n")
        let waiter = try spool.startCtl(["submit", "-w", "echo ran"])
        try spool.wait(for: "the remark") { try waiter.errors.contains("the spool is paused: no job starts until spoolctl resume\n") }
        #expect(try spool.ctl("resume").code == 0)
        let result = try waiter.end()
        #expect(result.code == 0 && result.output == "ran\n", "\(result)")
    }

    @Test("A5: a queue that neither the configuration nor a task names is remarked on, with the nearest that one does")
    func unknownQueue() throws {
        let spool = try SpoolUnderTest(configuration: "[queues.video]\nslots = 2")
        try spool.acceptedTask("t", "command = 'true'\nqueue = 'audio'")
        let result = try spool.ctl("submit", "-w", "-Q", "vidoe", "true")
        #expect(result.code == 0)
        #expect(
            result.errors.contains(
                "queue \"vidoe\" is in neither the configuration nor a task; all slots of the spool are its slots; did you mean \"video\"?")
                || result.errors.split(separator: "\n").count == 1, "the job may have ended before the wait began")
        #expect(try spool.ctl("submit", "-Q", "vidoe", "true").errors.contains("did you mean \"video\"?"))
        for queue in ["video", "audio", "default"] { #expect(try spool.ctl("submit", "-Q", queue, "true").errors == "") }
    }

    @Test("U3: a remark names root's spool to a user whose own spool has no daemon", .enabled(if: TestUser.areHere, TestUser.reason))
    func rootsSpool() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        try spool.wait(for: "the parts") { Files.exists("\(spool.path)/users") }
        let home = "\(spool.base)/home"
        // For this command alone, /var/spool/spoold is the spool under test.
        let script = """
            set -e; mkdir -p \(spool.base)/var; ln -sfn \(spool.whole) \(spool.base)/var/spoold; mkdir -m 777 \(home)
            mount --bind \(spool.base)/var /var/spool
            run() { HOME=\(home) setpriv --reuid=5 --regid=60 --clear-groups \(SpoolUnderTest.programs)/spoolctl "$@" 2>&1 || true; }
            run status; echo -; run submit true; echo -; run list; echo -; run --spool \(home)/.local/state/spoold list
            """
        let result = try Commands.run(
            "unshare", ["-m", "--propagation", "private", "sh", "-c", script], environment: ["PATH=/usr/bin:/bin:/usr/sbin:/sbin"])
        let parts = result.output.split(separator: "-\n", omittingEmptySubsequences: false)
        let remark =
            "spoolctl: this is your own spool, \(home)/.local/state/spoold; root's spoold serves everybody in /var/spool/spoold: "
            + "use --spool /var/spool/spoold, or set SPOOL_DIR\n"
        #expect(result.code == 0 && parts.count == 4, "\(result)")
        for part in parts.prefix(3) { #expect(part.hasSuffix(remark), "\(part)") }
        #expect(parts.last?.contains(remark) == false, "the user named the spool")
    }
}
