// Limits of inotify: the watches and instances of a user, and the queued events. In a user namespace of its own spoold can have
// other limits than the machine.

import Glibc
import Linux
import Testing

@Suite("The limits of inotify", .ownThreads)
struct WatchLimitTests {
    private static let limits = "/proc/sys/user"

    static let canLimit: Bool = {
        guard Commands.has("unshare"), Commands.has("nsenter") else { return false }
        return (try? Commands.run("unshare", "-U", "-r", "sh", "-c", "echo 5 > \(limits)/max_inotify_watches"))?.code == 0
    }()

    static let reason: Comment = "needs user namespaces with limits of inotify of their own"

    private func launch(_ spool: SpoolUnderTest, _ name: String, _ value: Int) throws {
        let shell = "echo \(value) > \(Self.limits)/\(name) && exec \"$@\""
        try spool.launch(tracer: ["/usr/bin/unshare", "-U", "-r", "/bin/sh", "-c", shell, "sh"])
    }

    private func lift(_ spool: SpoolUnderTest, _ name: String) throws {
        let pid = try #require(spool.daemon?.pid)
        try Commands.succeed("nsenter", "-U", "--preserve-credentials", "-t", "\(pid)", "sh", "-c", "echo 1000 > \(Self.limits)/\(name)")
    }

    @Test(
        "Attack 44: while inotify watches or instances are short the spool is read every two seconds",
        .enabled(if: canLimit, reason), arguments: [("max_inotify_watches", 2), ("max_inotify_watches", 0), ("max_inotify_instances", 0)])
    func tooFew(_ name: String, _ value: Int) throws {
        let spool = try SpoolUnderTest(starting: false)
        try launch(spool, name, value)
        try spool.notification("READY=1")
        try spool.logLine("event=degraded", "of=watches", name.hasSuffix("watches") ? "max_user_watches" : "max_user_instances")
        try spool.awaitTrouble("watches")
        #expect(try spool.runsOn("first"))
        // A script that gets its mode after its name runs, too. spoold waits for the mode for half a second only, and is stopped meanwhile.
        try spool.pause()
        try Files.write("\(spool.path)/new/script", "#!/bin/sh\n")
        #expect(chmod("\(spool.path)/new/script", 0o755) == 0)
        spool.signal(SIGCONT)
        #expect(try spool.end(of: "script").outcome == "done 0")
        try spool.acceptedTask("t", "command = ['true']\n[[schedule]]\nat = '2090-01-01T00:00:00Z'")
        try Files.write("\(spool.path)/control/pause", "look")
        try spool.logLine("event=paused")
        try Files.remove("\(spool.path)/control/pause")
        try spool.logLine("event=resumed")
        try lift(spool, name)
        try spool.logLine("event=recovered", "of=watches")
        try spool.awaitNoTrouble()
        #expect(try spool.runsOn("second"))
        #expect(spool.count("event=degraded") == 1)
    }

    @Test(
        "Files that cannot be watched are found by listing, status names their schedule, and later they are watched",
        .enabled(if: canLimit, reason), arguments: [("max_inotify_instances", 1), ("max_inotify_watches", 9)])
    func pathsTooFew(_ name: String, _ value: Int) throws {
        let spool = try SpoolUnderTest(starting: false)
        try Files.makeDirectory("\(spool.base)/in")
        try launch(spool, name, value)
        try spool.notification("READY=1")
        try spool.task(
            "t", "command = 'echo \"$SPOOL_PATH\" >> \(spool.out)/ran'\n[[schedule]]\nid = 's'\non_path = '\(spool.base)/in/*.csv'")
        try spool.logLine(
            "event=paths-not-watched", "t/s waits for files that cannot be watched",
            name.hasSuffix("watches") ? "max_user_watches" : "max_user_instances")
        try spool.logLine("event=waits-for-files")
        try Files.write("\(spool.base)/in/a.csv", "a")
        #expect(try spool.lines("ran", count: 1) == ["\(spool.base)/in/a.csv"])
        try lift(spool, name)
        try spool.logLine("event=paths-watched")
        try Files.write("\(spool.base)/in/b.csv", "b")
        #expect(try spool.lines("ran", count: 2) == ["\(spool.base)/in/a.csv", "\(spool.base)/in/b.csv"])
        #expect(spool.count("event=paths-not-watched") == 1)
    }

    @Test("Attack 43: when the kernel drops events the whole spool is read, and no job is missed")
    func overflow() throws {
        let spool = try SpoolUnderTest()
        let text = try Files.text("/proc/sys/fs/inotify/max_queued_events")
        let limit = try #require(Int(text.split(separator: "\n")[0]))
        for index in 0..<20 { try Files.write("\(spool.path)/tmp/job-\(index).toml", "command = 'echo \(index) >> \(spool.out)/ran'") }
        try Files.write("\(spool.path)/tmp/task.toml", "command = ['true']")
        try Files.write("\(spool.path)/tmp/.churn", "")
        spool.signal(SIGSTOP)
        let directory = try Directory.open(spool.path)
        for _ in 0...limit / 2 {
            try directory.rename("tmp/.churn", to: "new/.churn")
            try directory.rename("new/.churn", to: "tmp/.churn")
        }
        for index in 0..<20 { try directory.rename("tmp/job-\(index).toml", to: "new/job-\(index).toml") }
        try directory.rename("tmp/task.toml", to: "tasks/t.toml")
        try Files.write("\(spool.path)/control/pause-other", "note")
        spool.signal(SIGCONT)
        try spool.logLine("event=events-lost")
        try spool.ended(count: 20)
        #expect(try spool.linesNow("ran").sorted() == (0..<20).map(String.init).sorted(), "each ran once")
        try spool.logLine("event=defined", "tasks/t")
        try spool.logLine("event=paused", "scope=pause-other")
        #expect(spool.count("event=events-lost") == 1)
    }
}
