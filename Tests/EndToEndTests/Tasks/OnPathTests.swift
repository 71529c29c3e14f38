import CLinux
import Documents
import Glibc
import Linux
import Testing

/// Schedules with `on_path`, which are due when a file arrives.
@Suite("Files that arrive", .ownThreads)
struct OnPathTests {
    /// A spool with a directory in/ beside it, and a task `t` that is due when a file arrives there.
    func spool(
        _ pattern: String = "in/*", _ keys: String = "", schedule: String = "", configuration: String = "", starting: Bool = true,
        directory: Bool = true
    ) throws -> SpoolUnderTest {
        let spool = try SpoolUnderTest(configuration: configuration, starting: starting)
        if directory { try Files.makeDirectory("\(spool.base)/in") }
        if starting { try take(spool, pattern, keys, schedule: schedule) }
        return spool
    }

    /// Defines the task, and waits until the daemon watches its files.
    func take(_ spool: SpoolUnderTest, _ pattern: String = "in/*", _ keys: String = "", schedule: String = "") throws {
        let seen = spool.logLength
        try spool.task("t", Self.task(spool, pattern, keys, schedule: schedule))
        try spool.logLine("event=waits-for-files", "task=t", after: seen)
    }

    static func task(_ spool: SpoolUnderTest, _ pattern: String = "in/*", _ keys: String = "", schedule: String = "") -> String {
        let command = keys.contains("command") ? "" : "command = [\"true\"]\n"
        return "\(command)\(keys)\n[[schedule]]\nid = \"s\"\non_path = \"\(spool.base)/\(pattern)\"\n\(schedule)\n"
    }

    /// The paths of each job, relative to the test's directory, in the order of the jobs.
    func paths(_ jobs: [FoundJob]) -> [[String]] {
        jobs.map { job in
            guard case .array(let values)? = job.status["paths"]?.kind else { return [] }
            return values.map { if case .string(let path) = $0.kind { String(path.dropFirst(job.spool.base.utf8.count + 1)) } else { "?" } }
        }
    }

    /// Writes a last file and waits until all jobs have ended. Fails if other jobs than those of `expected` have run. The daemon
    /// has seen all earlier files when it has seen the last one.
    func expect(_ expected: [String], _ spool: SpoolUnderTest, last: String = "in/last", _ at: SourceLocation = #_sourceLocation) throws {
        try Files.write("\(spool.base)/\(last)", "last")
        let found = paths(try spool.ended("t", count: expected.count + 1)).map { $0.joined(separator: "|") }
        #expect(found.sorted() == (expected + [last]).sorted(), "\(spool.log)", sourceLocation: at)
    }

    // MARK: Files that count

    @Test("U5: A file that is closed after writing starts a job with its path; files from before the task do not")
    func closed() throws {
        let spool = try spool(starting: false)
        try Files.write("\(spool.base)/in/old", "old")
        try spool.start()
        try take(spool, "in/*", "command = \"echo $SPOOL_PATH; cat $SPOOL_PATH\"")
        try Files.write("\(spool.base)/in/new", "content")
        let job = try spool.end(of: "t")
        #expect(try job.stdout == "\(spool.base)/in/new\ncontent" && job.string("schedule") == "s")
        #expect(try job.text("environment").contains("SPOOL_PATH=\(spool.base)/in/new\n"))
        // A file that is written again arrives again. So does the old file.
        try Files.write("\(spool.base)/in/old", "changed")
        try expect(["in/new", "in/old"], spool)
    }

    @Test("U5: A file counts when it is closed, not while it is written")
    func slowWriter() throws {
        let spool = try spool()
        let file = try FileDescriptor.open("\(spool.base)/in/slow", O_WRONLY | O_CREAT, mode: 0o600)
        try file.write(Array("half".utf8))
        try expect([], spool)
        try file.write(Array(" and half".utf8))
        _ = consume file
        let jobs = try spool.ended("t", count: 2)
        #expect(paths(jobs) == [["in/last"], ["in/slow"]])
    }

    @Test("U5: A file that is renamed in, moved in, or linked in counts; directories, links, FIFOs and other names do not")
    func movedIn() throws {
        let spool = try spool("in/*.csv")
        for name in ["renamed", "linked"] { try Files.write("\(spool.base)/\(name)", name) }
        try Files.rename("\(spool.base)/renamed", "\(spool.base)/in/renamed.csv")
        try Files.link("\(spool.base)/linked", "\(spool.base)/in/linked.csv")
        try Files.write("\(spool.base)/in/part.csv.tmp", "x")
        try Files.rename("\(spool.base)/in/part.csv.tmp", "\(spool.base)/in/part.csv")
        try Files.symlink("\(spool.base)/linked", "\(spool.base)/in/symlink.csv")
        try Files.makeDirectory("\(spool.base)/in/directory.csv")
        #expect(mkfifo("\(spool.base)/in/fifo.csv", 0o600) == 0)
        try Files.write("\(spool.base)/in/.hidden.csv", "x")
        try Files.write("\(spool.base)/in/other.txt", "x")
        try expect(["in/renamed.csv", "in/linked.csv", "in/part.csv"], spool, last: "in/last.csv")
    }

    @Test("U5: A file with a temporary name of an editor or copy counts only when it gets its final name, as in new/")
    func unfinished() throws {
        let spool = try spool()
        for name in ["f~", ".f.swp", "f.tmp", "g.part", "h.lock", "i.swp"] { try Files.write("\(spool.base)/in/\(name)", name) }
        try Files.rename("\(spool.base)/in/g.part", "\(spool.base)/in/g")
        try expect(["in/g"], spool)
        // A temporary file does not count after a restart either, when the daemon lists the directory.
        try spool.stop()
        try Files.write("\(spool.base)/in/j~", "j")
        try Files.write("\(spool.base)/in/k", "k")
        try spool.start()
        let jobs = paths(try spool.ended("t", count: 3))
        #expect(jobs.map { $0.joined() }.sorted() == ["in/g", "in/k", "in/last"])
    }

    @Test("U5: A file that was created without a name counts when it gets one")
    func unnamed() throws {
        let spool = try spool()
        let file = try FileDescriptor.open("\(spool.base)/in", O_WRONLY | linux_o_tmpfile(), mode: 0o600)
        try file.write(Array("x".utf8))
        #expect(linkat(AT_FDCWD, "/proc/self/fd/\(file.raw)", AT_FDCWD, "\(spool.base)/in/named", AT_SYMLINK_FOLLOW) == 0)
        _ = consume file
        #expect(try paths([spool.end(of: "t")]) == [["in/named"]])
    }

    @Test("Changes of mode or owner, reading, and closing without a write do not count")
    func unchanged() throws {
        let spool = try spool()
        try Files.write("\(spool.base)/in/a", "a")
        try spool.ended("t", count: 1)
        try FileDescriptor.open("\(spool.base)/in/a", O_RDONLY).setMode(0o640)
        _ = try Files.text("\(spool.base)/in/a")
        _ = try FileDescriptor.open("\(spool.base)/in/a", O_RDWR)
        try expect(["in/a"], spool)
    }

    @Test("U5: A file is noticed each time it is written, even with the same size at the same time")
    func rewritten() throws {
        let spool = try spool("in/*", "command = \"cat $SPOOL_PATH >> $SPOOL_DIR/../out/seen\"")
        for number in 0..<40 {
            try Files.write("\(spool.base)/in/state", "\(number % 10)\n")
        }
        // The daemon may merge several writes into one run, but the last run reads the last text.
        try spool.wait(for: "the last word") {
            try self.paths(spool.ended("t")).count >= 1 && (try spool.linesNow("seen")).last?.last == "9"
        }
        let count = try spool.ended("t").count
        try Files.write("\(spool.base)/in/state", "x\n")
        try spool.wait(for: "another word") { try (spool.linesNow("seen")).last?.last == "x" }
        #expect(count <= 40)
    }

    @Test("U5: A file that is removed and put back with its old times counts again")
    func putBack() throws {
        let spool = try spool()
        let path = "\(spool.base)/in/a"
        try Files.write(path, "a")
        try spool.ended("t", count: 1)
        try Files.rename(path, "\(spool.base)/aside")
        try Files.rename("\(spool.base)/aside", path)
        #expect(try paths(spool.ended("t", count: 2)) == [["in/a"], ["in/a"]])
    }

    @Test("U5: File names of any bytes reach the job unchanged")
    func names() throws {
        let names: [[UInt8]] = [
            Array("a b".utf8), Array("line\nfeed".utf8), [0x66, 0xFF, 0x80], Array("q\"'$(x)`\\".utf8), Array("-rf".utf8),
            Array("caf\u{E9}".utf8), Array("cafe\u{301}".utf8),
        ]
        let spool = try spool("in/*", "command = 'printf \"%s\" \"$SPOOL_PATH\"'")
        for name in names { try Files.write("\(spool.base)/in/\(FileName.string(from: name))", "x") }
        let jobs = try spool.ended("t", count: names.count)
        let said = try jobs.map { try Files.bytes("\($0.directory)/stdout") }
        let expected = names.map { Array("\(spool.base)/in/".utf8) + $0 }
        #expect(Set(said) == Set(expected) && said.count == names.count)
        let retried = try spool.ctl("retry", jobs[0].id).output.split(separator: "\n").map(String.init)
        let again = try spool.wait(for: "the retry") { try spool.job(try #require(retried.first), in: "done") }
        #expect(try Files.bytes("\(again.directory)/stdout") == said[0])
    }

    // MARK: Directories

    @Test("U5: No file is missed in directories of any depth that are created and filled at once")
    func recursive() throws {
        let spool = try spool("in/**/*.csv")
        var expected: [String] = []
        for number in 0..<20 {
            let directory = "in/d\(number)/e/f"
            for part in ["in/d\(number)", "in/d\(number)/e", directory] { try Files.makeDirectory("\(spool.base)/\(part)") }
            try Files.write("\(spool.base)/\(directory)/a.csv", "x")
            try Files.write("\(spool.base)/in/d\(number)/b.csv", "x")
            expected += ["\(directory)/a.csv", "in/d\(number)/b.csv"]
        }
        // A whole tree is renamed into the directory, under a name that matches the pattern of files.
        for part in ["tree", "tree/x", "tree/.hidden"] { try Files.makeDirectory("\(spool.base)/\(part)") }
        for file in ["tree/1.csv", "tree/x/2.csv", "tree/.hidden/3.csv"] { try Files.write("\(spool.base)/\(file)", "x") }
        try Files.rename("\(spool.base)/tree", "\(spool.base)/in/tree.csv")
        expected += ["in/tree.csv/1.csv", "in/tree.csv/x/2.csv"]
        // Links to directories are not followed.
        try Files.makeDirectory("\(spool.base)/outside")
        try Files.symlink("\(spool.base)/outside", "\(spool.base)/in/link")
        try Files.write("\(spool.base)/outside/4.csv", "x")
        try expect(expected, spool, last: "in/last.csv")
        // Files that move within the tree count again under their new names. Files that are written later have the new path.
        try Files.rename("\(spool.base)/in/tree.csv/x", "\(spool.base)/in/y")
        try Files.write("\(spool.base)/in/y/5.csv", "x")
        let all = paths(try spool.ended("t", count: expected.count + 3)).flatMap(\.self)
        #expect(all.suffix(2).sorted() == ["in/y/2.csv", "in/y/5.csv"])
    }

    @Test("U5: The directory is created after the start, is removed, and is created again")
    func later() throws {
        let spool = try spool("in/a/b/*", directory: false)
        func make(_ directories: String...) throws { for one in directories { try Files.makeDirectory("\(spool.base)/\(one)") } }
        try make("in", "in/a", "in/a/b")
        try Files.write("\(spool.base)/in/a/b/1", "x")
        try spool.ended("t", count: 1)
        try Files.rename("\(spool.base)/in", "\(spool.base)/away")
        try Files.write("\(spool.base)/away/a/b/not", "x")
        try make("in", "in/a", "in/a/b")
        try Files.write("\(spool.base)/in/a/b/2", "x")
        try spool.ended("t", count: 2)
        try Files.removeTree("\(spool.base)/in")
        // The directory is created again as a link to a full directory.
        try make("real", "real/b")
        try Files.write("\(spool.base)/real/b/3", "x")
        try make("in")
        try Files.symlink("\(spool.base)/real", "\(spool.base)/in/a")
        try expect(["in/a/b/1", "in/a/b/2", "in/a/b/3"], spool, last: "in/a/b/last")
        // The link now leads to another directory.
        try make("other", "other/b")
        try Files.write("\(spool.base)/other/b/4", "x")
        try Files.symlink("\(spool.base)/other", "\(spool.base)/in/new")
        try Files.rename("\(spool.base)/in/new", "\(spool.base)/in/a")
        #expect(paths(try spool.ended("t", count: 5)).last == ["in/a/b/4"])
    }

    // MARK: Nothing is lost

    @Test("U5: Files that came while spoold was down count too, after an orderly end and after a crash", arguments: [false, true])
    func down(isCrash: Bool) throws {
        let spool = try spool()
        for name in ["before", "changed", "removed"] { try Files.write("\(spool.base)/in/\(name)", name) }
        try spool.ended("t", count: 3)
        if isCrash { try spool.crash() } else { try spool.stop() }
        try Files.write("\(spool.base)/in/changed", "otherwise")
        try Files.remove("\(spool.base)/in/removed")
        try Files.write("\(spool.base)/in/new", "new")
        let file = try FileDescriptor.open("\(spool.base)/in/written", O_WRONLY | O_CREAT, mode: 0o600)
        try file.write(Array("half".utf8))
        try spool.start()
        let first = ["in/before", "in/changed", "in/removed"]
        try expect(first + ["in/changed", "in/new"], spool)
        try file.write(Array("whole".utf8))
        _ = consume file
        #expect(paths(try spool.ended("t", count: 7)).last == ["in/written"])
        try spool.restart()
        #expect(try spool.runsOn() && spool.ended("t").count == 7)
    }

    @Test("With catch_up = \"none\" files that arrived while spoold was down are skipped, and reported as skipped")
    func notCaughtUp() throws {
        let spool = try spool(schedule: "catch_up = \"none\"")
        try spool.stop()
        try Files.write("\(spool.base)/in/missed", "x")
        try spool.start()
        try spool.logLine("event=skipped", "why=missed", "path=\(spool.base)/in/missed")
        try expect([], spool)
        try spool.restart()
        #expect(try spool.runsOn() && spool.ended("t").count == 1)
    }

    @Test("A file that arrives after the task's file was written counts, even if spoold reads the task later")
    func givenWhileDown() throws {
        let spool = try spool(starting: false)
        try Files.write("\(spool.base)/in/old", "x")
        try spool.task("t", Self.task(spool))
        // File times advance with the kernel's tick, which is 10 ms at most.
        try awaitClock(Clock.now() + 20)
        try Files.write("\(spool.base)/in/new", "x")
        try spool.start()
        try expect(["in/new"], spool)
    }

    @Test("U5: 300 files that arrive at once while the only slot is taken become one job each, over a crash")
    func many() throws {
        let spool = try spool("in/*", "command = \"read x < $SPOOL_DIR/../out/gate\"", configuration: "slots = 1\n")
        let gate = try spool.gate()
        try Files.write("\(spool.base)/in/first", "x")
        _ = try spool.running("t")
        let names = (0..<300).map { "in/f\($0)" }
        for name in names { try Files.write("\(spool.base)/\(name)", "x") }
        try spool.wait(for: "some to be taken up") { try spool.jobs(in: "new", named: "t").count > 10 }
        try spool.crash()
        try Files.write("\(spool.base)/in/down", "x")
        try spool.start()
        try spool.wait(for: "all to be taken up") { try Files.list("\(spool.path)/new").count == 301 }
        try gate.release(302)
        let found = paths(try spool.ended("t", count: 302)).flatMap(\.self)
        #expect(found.sorted() == (names + ["in/first", "in/down"]).sorted())
    }

    @Test("U5: With paths = \"all\" one job gets all files that arrived since the job before")
    func all() throws {
        let spool = try spool(
            "in/*", "command = 'printf \"%s\\n\" \"$SPOOL_PATH\"; cat \"$SPOOL_PAYLOAD\"; read x < $SPOOL_DIR/../out/gate'",
            schedule: "paths = \"all\"")
        let gate = try spool.gate()
        try Files.write("\(spool.base)/in/a", "x")
        _ = try spool.running("t")
        for name in ["b", "c", "gone"] { try Files.write("\(spool.base)/in/\(name)", "x") }
        try Files.remove("\(spool.base)/in/gone")
        // After a crash the daemon finds the collected files again.
        try spool.crash()
        try spool.start()
        try Files.write("\(spool.base)/in/d", "x")
        let other = try FileDescriptor.open("\(spool.base)/in/e", O_WRONLY | O_CREAT, mode: 0o600)
        try gate.release()
        let first = try spool.ended("t", count: 1)[0]
        #expect(try first.stdout == "\(spool.base)/in/a\n[\"\(spool.base)/in/a\"]")
        _ = try spool.running("t")
        _ = consume other
        try gate.release(2)
        var jobs = try spool.ended("t", count: 2)
        while paths(jobs).flatMap(\.self).count < 5 {
            try gate.release()
            jobs = try spool.ended("t", count: jobs.count + 1)
        }
        #expect(paths(jobs).flatMap(\.self).sorted() == ["in/a", "in/b", "in/c", "in/d", "in/e"])
        #expect(Set(paths(jobs)[1]).isSuperset(of: ["in/b", "in/c"]), "together")
    }

    @Test("U5: When the kernel's queue of events overflows, files whose events were lost are found")
    func overflow() throws {
        let spool = try spool("in/*.csv")
        let most = try #require(Int(try Files.text("/proc/sys/fs/inotify/max_queued_events").split(separator: "\n")[0]))
        try Files.write("\(spool.base)/in/before.csv", "x")
        try spool.ended("t", count: 1)
        spool.signal(SIGSTOP)
        // The kernel merges equal events that follow one another, so two names alternate. The events are twice the limit, in case
        // the daemon reads some before it stops.
        for _ in 0...most {
            for name in ["x", "y"] { _ = try FileDescriptor.open("\(spool.base)/in/\(name)", O_WRONLY | O_CREAT, mode: 0o600) }
        }
        for name in ["1", "2"] { try Files.write("\(spool.base)/in/\(name).csv", "x") }
        try Files.remove("\(spool.base)/in/before.csv")
        spool.signal(SIGCONT)
        try spool.logLine("event=events-lost")
        try expect(["in/before.csv", "in/1.csv", "in/2.csv"], spool, last: "in/last.csv")
    }

    /// Mounts a file system over in/, twice. With `isStopped` the daemon gets all events at once, when a file is there already.
    @Test(
        "U5: A file system that is mounted over a directory is watched, and files that the mount hides or takes away do not count again",
        .enabled(if: FullDiskTests.canMount, FullDiskTests.reason), arguments: ["tmpfs", "bind"], [false, true])
    func mounted(_ kind: String, isStopped: Bool) throws {
        let spool = try spool()
        let directory = "\(spool.base)/in"
        try Files.makeDirectory("\(spool.base)/other")
        func change(_ command: String, then name: String) throws {
            if isStopped { spool.signal(SIGSTOP) }
            try Commands.succeed("sh", "-c", command)
            try Files.write("\(directory)/\(name)", "x")
            if isStopped { spool.signal(SIGCONT) }
        }
        let mount = kind == "bind" ? "mount --bind \(spool.base)/other \(directory)" : "mount -t tmpfs tmpfs \(directory)"
        // The daemon may have the directory open, surely one that is stopped then.
        let unmount = isStopped ? "umount -l \(directory)" : "umount \(directory) 2>&- || umount -l \(directory)"
        try Files.write("\(directory)/below", "x")
        try spool.ended("t", count: 1)
        defer { _ = try? Commands.run("umount", "-l", directory) }  // not mounted any more: nothing to do
        try change(mount, then: "above")
        try spool.ended("t", count: 2)
        try change(unmount, then: "beside")
        try spool.ended("t", count: 3)
        try change(mount, then: "again")
        try spool.ended("t", count: 4)
        try Commands.succeed("sh", "-c", unmount)
        try expect(["in/below", "in/above", "in/beside", "in/again"], spool)
    }

    @Test(
        "U5: A daemon that starts before its files are mounted does not count them as removed, though other files are there",
        .enabled(if: FullDiskTests.canMount, FullDiskTests.reason))
    func notMountedYet() throws {
        let spool = try spool()
        try Files.makeDirectory("\(spool.base)/disk")
        func mount() throws { try Commands.succeed("mount", "--bind", "\(spool.base)/disk", "\(spool.base)/in") }
        try mount()
        defer { _ = try? Commands.run("umount", "-l", "\(spool.base)/in") }
        for name in ["a", "b"] { try Files.write("\(spool.base)/in/\(name)", "x") }
        try spool.ended("t", count: 2)
        try spool.crash()
        try Commands.succeed("umount", "\(spool.base)/in")
        try Files.write("\(spool.base)/in/stray", "x")
        try spool.start()
        try spool.ended("t", count: 3)
        try mount()
        try expect(["in/a", "in/b", "in/stray"], spool)
    }

    @Test("U5: A paused task skips files that arrive, and reports it; why names the files and the result of each")
    func pausedAndWhy() throws {
        let spool = try spool()
        try Files.write("\(spool.base)/in/ran", "x")
        let job = try spool.end(of: "t")
        #expect(try spool.ctl("pause", "--task", "t").code == 0)
        try spool.logLine("event=paused")
        try Files.write("\(spool.base)/in/paused", "x")
        try spool.logLine("event=skipped", "why=paused", "path=\(spool.base)/in/paused")
        #expect(try spool.ctl("resume", "--task", "t").code == 0)
        try spool.logLine("event=resumed")
        let why = try spool.ctl("why", "t")
        #expect(why.output.contains("\(spool.base)/in/ran: ran as job \(job.id)"), "\(why.output)\(why.errors)")
        #expect(why.output.contains("\(spool.base)/in/paused: was skipped: task t was paused"), "\(why.output)")
        #expect(why.output.contains("when a file matching \(spool.base)/in/* arrives"), "\(why.output)")
        #expect(try spool.ctl("why", "t", "--json").output.contains("\"paths\":[\"\(spool.base)/in/ran\"]"))
        #expect(try spool.ctl("status", job.id).output.contains("\(spool.base)/in/ran"))
        try expect(["in/ran"], spool)
    }

    @Test("U5: spoolctl knows schedules that wait for files")
    func control() throws {
        let spool = try SpoolUnderTest()
        let create = try spool.ctl("create", "t", "--on-path", "/srv/in/*.csv", "--paths", "all", "--", "true")
        #expect(create.code == 0, "\(create.errors)")
        #expect(try Files.text("\(spool.path)/tasks/t.toml").contains("on_path = \"/srv/in/*.csv\""))
        let schedule = try spool.ctl("schedule", "t", "--on-path", "/srv/**", "--not-after", "2100-01-01")
        #expect(schedule.code == 0, "\(schedule.errors)")
        let next = try spool.ctl("next", "t")
        #expect(
            next.code == 0 && next.output.isEmpty && next.errors.contains("task t is due when a file matching /srv/in/*.csv arrives"),
            "\(next.errors)")
        #expect(
            try spool.ctl("next", "--on-path", "/srv/*").errors.contains(
                "it is due when a file matching /srv/* arrives, not at a known time"))
        let explain = try spool.ctl("explain", "/srv/in/*.csv")
        #expect(explain.code == 0 && explain.output.contains("When a file matching /srv/in/*.csv arrives"), "\(explain.errors)")
        #expect(try spool.ctl("explain", "--on-path", "srv").errors.contains("a path begins with /"))
        let show = try spool.ctl("show", "t", "--schedules")
        #expect(show.output.contains("on_path \"/srv/in/*.csv\"") && show.output.contains("when a file arrives"), "\(show.output)")
        #expect(try spool.ctl("show", "t", "--json").output.contains("\"paths\":\"all\""))
        #expect(try spool.ctl("list").output.contains("when a file arrives"))
        #expect(try spool.ctl("check").code == 0)
        let backfill = try spool.ctl("backfill", "t", "--from", "1d")
        #expect(
            backfill.code == 0 && backfill.output.isEmpty && backfill.errors.contains("has no past due times that can be computed"),
            "\(backfill.errors)")
        #expect(
            try spool.ctl("simulate").errors.contains(
                "task t is also due when a file matching /srv/in/*.csv arrives, which is not simulated"))
        for format in ["--systemd", "--crontab"] {
            let export = try spool.ctl("export", "t", format)
            #expect(export.code == 4 && export.errors.contains("on_path \"/srv/in/*.csv\" cannot be expressed"), "\(export.errors)")
        }
        let wrong: [([String], Int32, String)] = [
            (["create", "u", "--on-path", "in/*", "true"], 4, "--on-path: on_path \"in/*\": a path begins with /"),
            (["create", "u", "--on-path", "/in/*", "--jitter", "5s", "true"], 4, "jitter has no meaning with on_path"),
            (["create", "u", "--cron", "@daily", "--paths", "all", "true"], 2, "--paths needs --on-path"),
        ]
        for (arguments, code, error) in wrong {
            let result = try spool.ctl(list: arguments)
            #expect(result.code == code && result.errors.contains(error), "\(arguments): \(result.errors)")
        }
    }

    @Test("A path that cannot be watched is reported, and reported again when it can be watched")
    func notWatched() throws {
        let spool = try spool(directory: false)
        try Files.symlink("\(spool.base)/nowhere", "\(spool.base)/in")
        try spool.logLine("event=paths-not-watched", "t/s", "every 10 seconds")
        try spool.wait(for: "it to be published") {
            try TaskTests.problems(spool).contains { $0.contains("t/s waits for files that cannot be watched") }
        }
        try Files.remove("\(spool.base)/in")
        try spool.logLine("event=paths-watched")
        try Files.makeDirectory("\(spool.base)/in")
        try expect([], spool)
    }

    // MARK: Rows

    @Test("E9: A record that changes its state starts the task that waits for it")
    func recordChangesState() throws {
        let spool = try spool("records/accepted/*", "command = \"cat $SPOOL_PATH\"", directory: false)
        for directory in ["records", "records/draft", "records/accepted"] { try Files.makeDirectory("\(spool.base)/\(directory)") }
        try Files.write("\(spool.base)/records/draft/17.json", "{\"id\": 17}")
        try Files.rename("\(spool.base)/records/draft/17.json", "\(spool.base)/records/accepted/17.json")
        #expect(try spool.end(of: "t").stdout == "{\"id\": 17}")
    }

    @Test("M21: A stored task runs because something happened elsewhere, with its own data")
    func storedInvocation() throws {
        let spool = try spool("in/*", "command = 'cat \"$SPOOL_PAYLOAD\"; echo \" $SPOOL_PATH\"'", schedule: "payload = {\"order\" = 5}")
        try Commands.succeed("touch", "\(spool.base)/in/done")
        #expect(try spool.end(of: "t").stdout == "{\"order\":5} \(spool.base)/in/done\n")
    }

    @Test("U5: Two tasks that wait for the same files each get their jobs; a removed task gets none")
    func two() throws {
        let spool = try spool()
        let seen = spool.logLength
        try spool.task("u", "command = [\"true\"]\n[[schedule]]\non_path = \"\(spool.base)/in/[a-c]\"")
        try spool.logLine("event=waits-for-files", "task=u", after: seen)
        try Files.write("\(spool.base)/in/a", "x")
        #expect(try paths([spool.end(of: "t"), spool.end(of: "u")]) == [["in/a"], ["in/a"]])
        try Files.remove("\(spool.path)/tasks/u.toml")
        try spool.logLine("event=removed", "file=tasks/u")
        try Files.write("\(spool.base)/in/b", "x")
        try expect(["in/a", "in/b"], spool)
        #expect(try spool.ended("u").count == 1)
    }
}
