// Clocks that are set while the daemon sleeps, machines that are suspended, and machines that boot again and again.

import Glibc
import Linux
import Testing

@Suite("A clock that jumps", .ownThreads)
struct ClockAttackTests {
    @Test(
        "Attack 56: when the kernel reports that the clock was set, all due times are computed again at once",
        .enabled(if: Commands.has("strace"), "strace is not installed")
    )
    func clockIsSet() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.task("t", "command = [\"true\"]\n" + TaskTests.eachSecond)
        // timerfd_create(2): with TFD_TIMER_CANCEL_ON_SET, read(2) fails with ECANCELED when the clock was set.
        try spool.launch(tracer: [
            "/usr/bin/strace", "-D", "-qq", "-o", "/dev/null", "-P", "anon_inode:[timerfd]", "-e", "trace=read", "-e",
            "inject=read:error=ECANCELED:when=2",
        ])
        try spool.logLine("event=clock-set")
        // The daemon handles the due time although the read of its timer failed.
        try spool.ended("t", count: 2)
        try Files.remove("\(spool.path)/tasks/t.toml")
        try spool.logLine("event=removed", "file=tasks/t")
        let accounts = try spool.accounts(ofTask: "t")
        let (first, last) = (try #require(accounts.keys.min()), try #require(accounts.keys.max()))
        #expect((first...last).filter { accounts[$0] == nil } == [], "none is missing")
        #expect(spool.count("event=clock-set") == 1)
    }

    /// Suspends nothing but the daemon: SIGSTOP stops the process while the wall clock goes on, as on a suspended machine.
    @Test(
        "Attack 57: due times from while the machine was suspended are handled once, by the schedule's catch_up",
        arguments: ["last", "all", "none"]
    )
    func suspended(_ rule: String) throws {
        let spool = try SpoolUnderTest()
        try spool.task("t", "command = [\"true\"]\noverlap = \"allow\"\n" + TaskTests.eachSecond + "catch_up = \"\(rule)\"")
        try spool.ended("t", count: 1)
        let seen = spool.logLength
        try spool.pause()
        let down = Int(Clock.now() / 1000)
        try awaitClock(Int64(down + 5) * 1000)
        spool.signal(SIGCONT)
        let up = Int(Clock.now() / 1000)
        try spool.wait(for: "due times afterwards") { try spool.accounts(ofTask: "t").keys.contains { $0 >= up + 1 } }
        try Files.remove("\(spool.path)/tasks/t.toml")
        try spool.logLine("event=removed", "file=tasks/t", after: seen)
        try spool.wait(for: "all runs to end") { try spool.isEmptied }
        let accounts = try spool.accounts(ofTask: "t")
        let (first, last) = (try #require(accounts.keys.min()), try #require(accounts.keys.max()))
        #expect((first...last).filter { accounts[$0] == nil } == [], "none is missing")
        let runs = try spool.ended("t").map { try spool.second($0.due) }
        #expect(runs == accounts.filter { $0.value == "run" }.keys.sorted(), "none is there twice")
        // These due times surely fell into the suspension. The last seconds are left out, because the machine may wake up late.
        let meanwhile = (down + 1...down + 3).filter { accounts[$0] == "run" }
        #expect(meanwhile.count == (rule == "all" ? 3 : 0), "\(accounts.sorted { $0.key < $1.key })")
    }

    @Test(
        "Attack 60: second 60 is accepted in every time, and means the first second of the next minute",
        arguments: ["start = 2016-12-31T23:59:60Z", "start = \"2016-12-31T23:59:60Z\""]
    )
    func leapSecond(_ key: String) throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.run("command = [\"true\"]\n\(key)").outcome == "done 0")
        try spool.acceptedTask("t", "command = [\"true\"]\n[[schedule]]\nat = \"2089-12-31T23:59:60Z\"")
        try spool.wait(for: "the due time") { spool.statusText.contains("2090-01-01T00:00:00.000Z") }
    }

    static let canNameBoots: Bool = isRoot && Commands.has("unshare")
        && (try? Commands.run("unshare", "-m", "mount", "--bind", "/dev/null", "/proc/sys/kernel/random/boot_id"))?.code == 0

    @Test(
        "Attack 80: @reboot runs once a boot, however often the daemon starts",
        .enabled(if: canNameBoots, "needs root and mount namespaces")
    )
    func reboots() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.task("boot", "command = [\"true\"]\n[[schedule]]\ncron = \"@reboot\"")
        for boot in 1...4 {
            try Files.write("\(spool.base)/boot_id", "0000000\(boot)-0000-4000-8000-000000000000\n")
            for start in 1...3 {
                let shell = "mount --bind \(spool.base)/boot_id /proc/sys/kernel/random/boot_id && exec \"$@\""
                try spool.launch(tracer: ["/usr/bin/unshare", "-m", "/bin/sh", "-c", shell, "sh"])
                try spool.notification("READY=1")
                try spool.ended("boot", count: boot)
                if start == 2 { try spool.crash() } else { try spool.stop() }
            }
        }
        #expect(try spool.ended("boot").count == 4)
        #expect(try spool.ended("boot").allSatisfy { $0.outcome == "done 0" })
    }
}
