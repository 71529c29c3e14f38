import Testing

@testable import Scheduler

/// Schedules that wait for files.
@Suite struct FileTests {
    static let each = "[[schedule]]\nid = \"s\"\non_path = \"/in/*\""
    static let all = each + "\npaths = \"all\""

    /// A world with a task whose first listing of files is done.
    func world(_ keys: String, slots: Int = 8, seen: [UInt64] = []) -> World {
        let world = World(slots: slots)
        world.task("t", keys)
        world.handle(.firstFiles(task: "t", schedule: "s", seen))
        world.lines()
        return world
    }

    func file(_ name: String, _ fingerprint: UInt64, _ time: String = "01:59") -> ArrivedFile {
        ArrivedFile(path: "/in/\(name)", fingerprint: fingerprint, changedAt: at(time))
    }

    func report(_ came: ArrivedFile..., gone: [UInt64] = [], isMissed: Bool = false) -> Event {
        .files(FileReport(task: "t", schedule: "s", came: came, gone: gone, isMissed: isMissed))
    }

    func seen(_ world: World) -> [UInt64] { world.scheduler.tasks["t"]?.schedule("s")?.seenFiles.sorted() ?? [] }

    @Test("U5: A new file starts one job, which gets its path")
    func comes() throws {
        let world = world(Self.each, seen: [1, 2])
        #expect(seen(world) == [1, 2])
        world.now = at("02:05")
        world.handle(report(file("a", 1), file("b", 3, "02:04")))
        #expect(world.lines() == ["accepted t due 02:04:00", "started t 1"])
        let job = try #require(world.turn.starts.first)
        #expect(job.paths == ["/in/b"] && job.status(host: "h").paths == ["/in/b"] && job.definition.payload == nil)
        world.handle(report(file("b", 3, "02:04")))
        #expect(world.lines() == [] && seen(world) == [1, 2, 3])
    }

    @Test("U5: Before a schedule's first listing there are no jobs, and the files of that listing start none")
    func first() {
        let world = World()
        world.task("t", Self.each)
        world.lines()
        world.handle(report(file("a", 1)))
        #expect(world.lines() == [])
        world.handle(.firstFiles(task: "t", schedule: "s", Array(0..<1201)))
        #expect(world.lines() == ["seen t 500 and more", "seen t 500 and more", "seen t 201"] && seen(world).count == 1201)
        // The first listing counts once. Later files start jobs.
        world.handle(.firstFiles(task: "t", schedule: "s", [5000]))
        #expect(world.lines() == [])
    }

    @Test("U5: With paths = \"each\" every file gets its own run, in the order of arrival")
    func queued() {
        let world = world(Self.each)
        world.now = at("02:10")
        world.handle(report(file("c", 3, "02:03"), file("a", 1, "02:01"), file("b", 2, "02:03")))
        #expect(world.lines().filter { $0.hasPrefix("accepted") }.count == 3)
        var order: [String] = []
        while let job = world["t"] {
            order += job.paths
            world.end("t")
            world.lines()
        }
        #expect(order == ["/in/a", "/in/b", "/in/c"])
    }

    @Test("Files of the same millisecond are separate jobs, whatever times they have")
    func sameInstant() {
        let world = world(Self.each)
        world.now = at("02:10")
        for number in 0..<100 { world.handle(report(file("f\(number)", UInt64(number + 1), number % 2 == 0 ? "02:03" : "03:00"))) }
        world.lines()
        #expect(world.scheduler.jobs.count == 100 && world.scheduler.jobs.values.allSatisfy { $0.due <= world.now })
    }

    @Test("U5: The overlap of the task also applies to files", arguments: [
        (
            "skip",
            [
                "accepted t due 02:01:00", "skipped t 02:02:00 to 02:02:00 (1) overlap /in/b",
                "skipped t 02:03:00 to 02:03:00 (1) overlap /in/c",
            ]),
        (
            "wait",
            [
                "accepted t due 02:01:00", "skipped t 02:02:00 to 02:02:00 (1) overlap /in/b",
                "skipped t 02:03:00 to 02:03:00 (1) overlap /in/c",
            ]),
        ("queue", ["accepted t due 02:01:00", "accepted t due 02:02:00", "accepted t due 02:03:00"]),
        ("allow", ["accepted t due 02:01:00", "accepted t due 02:02:00", "accepted t due 02:03:00"]),
    ])
    func overlap(_ rule: String, _ expected: [String]) {
        let world = world("overlap = \"\(rule)\"\n\(Self.each)")
        world.now = at("02:10")
        world.handle(report(file("a", 1, "02:01"), file("b", 2, "02:02"), file("c", 3, "02:03")))
        #expect(world.lines().filter { !$0.hasPrefix("started") } == expected)
        #expect(seen(world) == [1, 2, 3])
    }

    @Test("U5: With paths = \"all\" one job gets all files that arrived since the job before")
    func all() throws {
        let world = world(Self.all)
        world.now = at("02:10")
        world.handle(report(file("a", 1, "02:01")))
        #expect(world.lines() == ["accepted t due 02:01:00", "started t 1"])
        world.handle(report(file("b", 2, "02:02"), file("gone", 9, "02:02")))
        world.handle(report(file("c\n\"d", 3, "02:03"), gone: [9]))
        // Files that arrive during the run are only collected.
        #expect(world.lines() == [] && seen(world) == [1])
        world.end("t")
        #expect(world.lines() == ["ended t 1 done", "accepted t due 02:03:00", "started t 1"] && seen(world) == [1, 2, 3])
        let job = try #require(world.turn.starts.first)
        #expect(job.paths == ["/in/b", "/in/c\n\"d"])
        #expect(job.definition.payload.map { String(decoding: $0, as: UTF8.self) } == #"["/in/b","/in/c\n\"d"]"#)
        world.end("t")
        #expect(world.lines() == ["ended t 1 done"])
    }

    @Test("A payload of the schedule replaces the list; files that do not fit into a variable are left for the next job")
    func allLimits() throws {
        let world = world(Self.all + "\npayload = 7")
        world.now = at("02:10")
        let names = (0..<700).map { String(repeating: "x", count: 200) + "\($0)" }
        world.handle(.files(FileReport(task: "t", schedule: "s", came: names.enumerated().map { file($1, UInt64($0 + 1)) })))
        var paths: [String] = []
        world.lines()
        while let job = world["t"] {
            #expect(
                job.paths.joined(separator: "\n").utf8.count <= OnPath.bytesMax
                    && String(decoding: job.definition.payload ?? [], as: UTF8.self) == "7")
            paths += job.paths
            world.end("t")
            world.lines()
        }
        #expect(paths.count == 700 && Set(paths).count == 700)
    }

    @Test("U5: A file that is removed is forgotten, and starts a job when it is created again")
    func gone() {
        let world = world(Self.each, seen: [1])
        world.now = at("02:10")
        world.handle(report(gone: [1, 77]))
        #expect(world.lines() == ["gone t 1"] && seen(world) == [])
        world.handle(report(file("a", 1, "02:05")))
        #expect(world.lines() == ["accepted t due 02:05:00", "started t 1"])
        // The file was moved away with its directory and back, so it has the same time as before.
        world.handle(report(gone: [1]))
        world.handle(report(file("a", 1, "02:05")))
        #expect(world.lines() == ["gone t 1", "accepted t due 02:10:00"])
    }

    @Test("U5: After a restart, files that were handled are not handled again, from the records and from a snapshot")
    func restart() {
        for isSnapshot in [false, true] {
            let world = world(Self.all, seen: [1, 2])
            world.now = at("02:10")
            world.handle(report(file("c", 3, "02:03"), gone: [2]))
            world.lines()
            world.handle(report(file("d", 4, "02:04")))
            world.lines()
            let records = isSnapshot ? world.scheduler.snapshot(at: world.now) : world.records
            let after = World.restored(from: records, at: at("02:20"))
            after.task("t", Self.all, since: at("01:00"))
            after.handle(.started(boot: "b", version: "1"))
            after.lines()
            #expect(seen(after) == [1, 3] && after["t"]?.paths == ["/in/c"], "\(isSnapshot)")
            #expect(after.scheduler.tasks["t"]?.schedule("s")?.wantsFirstFiles == false)
            // The file was collected before the restart, and is found again.
            after.handle(report(file("d", 4, "02:04"), file("c", 3, "02:03"), isMissed: true))
            after.end("t")
            #expect(after.lines().first { $0.hasPrefix("accepted") } == "accepted t due 02:04:00")
            #expect(after["t"]?.paths == ["/in/d"])
        }
    }

    @Test("A daemon that ended during its first listing lists the files again")
    func tornFirstLook() {
        let world = World()
        world.task("t", Self.each)
        world.handle(.firstFiles(task: "t", schedule: "s", Array(0..<600)))
        world.lines()
        let after = World.restored(from: world.records.dropLast(), at: at("02:20"))
        #expect(after.scheduler.tasks["t"]?.schedule("s")?.wantsFirstFiles == true)
    }

    @Test("U5: Files that arrived while the daemon was down count, unless catch_up is none", arguments: [
        ("last", "accepted t due 02:05:00"), ("all", "accepted t due 02:05:00"),
        ("none", "skipped t 02:05:00 to 02:05:00 (1) missed /in/a"),
    ])
    func missed(_ rule: String, _ expected: String) {
        let world = world(Self.each + "\ncatch_up = \"\(rule)\"")
        world.now = at("02:10")
        world.handle(report(file("a", 1, "02:05"), isMissed: true))
        #expect(world.lines().first == expected && seen(world) == [1])
        world.handle(report(file("b", 2, "02:06")))
        #expect(world.lines().contains("accepted t due 02:06:00"))
    }

    @Test("U5: Files that arrive while their task is paused are skipped by name; those outside not_before and not_after are not")
    func pausedAndOutside() {
        let world = world(Self.each + "\nnot_before = \"2026-11-21T02:02:00Z\"\nnot_after = \"2026-11-21T02:06:00Z\"")
        world.handle(.paused(.task("t"), note: ""))
        world.now = at("02:10")
        world.handle(report(file("a", 1, "02:03"), file("b", 2, "02:04")))
        #expect(
            world.lines().dropFirst()
                == ["skipped t 02:03:00 to 02:03:00 (1) paused /in/a", "skipped t 02:04:00 to 02:04:00 (1) paused /in/b"])
        world.handle(.resumed(.task("t")))
        world.handle(report(file("a", 1, "02:03"), file("c", 3, "02:07"), file("d", 4, "02:05")))
        #expect(world.lines().dropFirst() == ["accepted t due 02:05:00", "seen t 1", "started t 1"] && seen(world) == [1, 2, 3, 4])
    }

    @Test("A changed pattern, and a schedule that was disabled, begin with a new first listing; other edits do not")
    func edits() {
        let world = world(Self.each, seen: [1])
        world.task("t", "timeout = 5\n\(Self.each)\npaths = \"all\"")
        #expect(seen(world) == [1] && world.scheduler.takeFileSchedules().map(\.isNew) == [true])
        #expect(world.scheduler.takeFileSchedules().map(\.isNew) == [false])
        world.now = at("02:05")
        world.task("t", "[[schedule]]\nid = \"s\"\non_path = \"/other/*\"")
        #expect(seen(world) == [] && world.scheduler.tasks["t"]?.schedule("s")?.wantsFirstFiles == true)
        world.handle(.firstFiles(task: "t", schedule: "s", [2]))
        world.task("t", "[[schedule]]\nid = \"s\"\non_path = \"/other/*\"\nenabled = false")
        #expect(world.scheduler.takeFileSchedules().isEmpty)
        world.now = at("02:06")
        world.task("t", "[[schedule]]\nid = \"s\"\non_path = \"/other/*\"")
        #expect(
            world.scheduler.tasks["t"]?.schedule("s")?.wantsFirstFiles == true
                && world.scheduler.tasks["t"]?.schedule("s")?.filesSince == at("02:06"))
        let version = world.scheduler.fileSchedulesVersion
        world.handle(.taskRemoved("t"))
        #expect(world.scheduler.fileSchedulesVersion > version && world.scheduler.takeFileSchedules().isEmpty)
    }
}
