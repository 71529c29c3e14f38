import Glibc
import TestSupport
import Testing

@testable import Store

/// Describes an arrival in a few words.
private func words(_ arrival: Arrival) -> String {
    switch arrival {
    case .job(let job): "job \(job.name)\(job.task.map { " of \($0)" } ?? "")\(job.retryOf.map { " again \($0)" } ?? "")"
    case .rejected(let file): "rejected \(file.error)"
    case .notYet: "not yet"
    case .soon: "soon"
    case .again: "again"
    case .strayed(let id): "strayed \(id)"
    case .ignored(let why): "ignored \(why)"
    case .foreign(let user): "foreign \(user)"
    case .missing: "missing"
    }
}

extension Spool {
    fileprivate func take(
        _ name: String, known: JobID? = nil, isSettled: Bool = true, isMovedIn: Bool = false, _ context: ReadingContext = context,
        isTaken: (JobID) -> Job? = { _ in nil },
        task: (String) -> TaskDefinition? = { _ in nil }
    ) throws -> Arrival {
        try intake(name, known: known, isSettled: isSettled, isMovedIn: isMovedIn, context, isTaken: isTaken, task: task)
    }
}

@Suite struct IntakeTests {
    /// A file's name, text and mode, and the resulting arrival.
    static let files: [(String, String, mode_t, String)] = [
        ("a.toml", "command = \":\"", 0o600, "job a"),
        ("a.json", #"{"command": [":"]}"#, 0o600, "job a"),
        ("a", "#!/bin/sh\n", 0o700, "job a"),
        ("a.sh", "#!/bin/sh\n#SPOOL tries = 2\n", 0o755, "job a.sh"),
        ("a b.toml", "command = \":\"", 0o600, "job a_b"),
        ("-rf.toml", "command = \":\"", 0o600, "job rf"),
        ("a\nb.toml", "command = \":\"", 0o600, "job a_b"),
        ("$(x).toml", "command = \":\"", 0o600, "job __x_"),
        ("20261121T015900.000Z-x-abcd.toml", "command = \":\"", 0o600, "job x"),
        ("a", "#!/bin/sh\n", 0o600, "rejected a: is a script but not executable; chmod +x it"),
        (
            "a.txt", "hello", 0o600,
            "rejected a.txt: is not a job: expected NAME.toml, NAME.json, or an executable script that begins with #!"),
        ("a", "\u{7F}ELF", 0o700, "rejected a: is not a job: expected NAME.toml, NAME.json, or an executable script that begins with #!"),
        ("a.toml", "", 0o600, "rejected a.toml:1:1: nothing to run: give command, script or task; the file is empty"),
        (
            "a.toml", "comand = \":\"\ntries = 0", 0o600,
            "rejected a.toml:1:1: unknown key \"comand\"; did you mean \"command\"?\na.toml:2:9: tries is 0, outside 1 to 1000000"),
        ("a.json", "[]", 0o600, "rejected a.json:1:1: expected an object, found a list"),
        (
            "s", "#!/bin/sh\n#SPOOL timeout = \"x\"", 0o700,
            "rejected s:2:18: timeout: expected a number in the duration \"x\"; for example 90s, 1h30m, 2 days or PT1H30M"),
        ("s", "#!/bin/sh\n#SPOOL task = \"t\"", 0o700, "rejected s:2:15: task in a script: the script itself is what runs"),
        (".a.toml", "command = \":\"", 0o600, "not yet"),
        ("a.toml~", "command = \":\"", 0o600, "not yet"),
        ("a.toml.tmp", "command = \":\"", 0o600, "not yet"),
    ]

    /// The time since the mode was changed, in milliseconds, and the arrival of a script that is not executable.
    @Test("A script is given a second to become executable", arguments: [
        (0, "not yet"), (900, "not yet"), (-900, "not yet"), (1100, "rejected a: is a script but not executable; chmod +x it"),
        (-1100, "rejected a: is a script but not executable; chmod +x it"),
    ])
    func aSecondForTheMode(age: Int64, taken: String) throws {
        let temporary = try TemporarySpool()
        try temporary.write("new/a", "#!/bin/sh\n", mode: 0o644)
        var context = context
        let changed = try #require(try temporary.disk().status("new/a")).changedNanoseconds / 1_000_000
        context.now = Instant(milliseconds: changed + age)
        #expect(words(try temporary.spool().take("a", context)) == taken)
        chmod("\(temporary.path)/new/a", 0o700)
        #expect(words(try temporary.spool().take("a", context)) == "job a")
    }

    @Test("A file that others can write, in a spool that serves everybody, is given a second to become its owner's alone")
    func aSecondForTrust() throws {
        let temporary = try TemporarySpool()
        try temporary.write("new/a.toml", "command = \":\"")
        try Directory.open(temporary.path).makeDirectory("users")
        #expect(chmod("\(temporary.path)/new/a.toml", 0o664) == 0)
        var context = context
        let changed = try #require(try temporary.disk().status("new/a.toml")).changedNanoseconds / 1_000_000
        context.now = Instant(milliseconds: changed + 500)
        #expect(words(try temporary.spool().take("a.toml", context)) == "not yet")
        context.now = Instant(milliseconds: changed + 1500)
        #expect(
            words(try temporary.spool().take("a.toml", context))
                == "rejected a.toml: can be written by others than its owner; chmod go-w it")
        #expect(chmod("\(temporary.path)/new/a.toml", 0o644) == 0)
        #expect(words(try temporary.spool().take("a.toml", context)) == "job a")
    }

    @Test(arguments: files)
    func aFileIsTakenForWhatItIs(name: String, text: String, mode: mode_t, taken: String) throws {
        let temporary = try TemporarySpool()
        try temporary.write("new/\(name)", text, mode: mode)
        #expect(words(try temporary.spool().take(name)) == taken)
        // Reading a dropped file does not change it.
        #expect(temporary.text("new/\(name)") == text)
    }

    @Test func whatIsNotThereIsMissing() throws { #expect(words(try TemporarySpool().spool().take("a.toml")) == "missing") }

    static let urgent: [(text: String, isUrgent: Bool)] = [
        ("command = 'true'\npriority = 1", true), ("{\"command\": \"true\", \"priority\": 10}", true),
        ("#!/bin/sh\n#SPOOL priority = +5\ntrue", true), ("command = 'true'", false), ("command = 'true'\npriority = 0", false),
        ("command = 'true'\npriority = -1", false), ("command = 'priority'", false), ("priority = 1\ntask = 't'", false),
        ("command = 'true'\npriority = 1\nafter = ['t']", false), ("command = 'true'\npriority = 1\nunique = 'k'", false),
    ]

    @Test("A file that may be read out of turn gives a priority above 0, and nothing in it depends on files before it", arguments: urgent)
    func mayBeUrgent(_ row: (text: String, isUrgent: Bool)) throws {
        let temporary = try TemporarySpool()
        try temporary.write("new/a.toml", row.text)
        #expect(try temporary.spool().mayBeUrgent("a.toml") == row.isUrgent)
    }

    @Test func aJobHasItsFilesStamp() throws {
        let temporary = try TemporarySpool()
        try temporary.write("new/a.toml", "command = \":\"\nstart = \"2030-01-01\"")
        guard case .job(let job) = try temporary.spool().take("a.toml") else {
            Issue.record("no job")
            return
        }
        let status = try #require(try temporary.disk().status("new/a.toml"))
        #expect(
            job.file == FileStamp(name: "a.toml", inode: status.inode, size: status.size, modifiedNanoseconds: status.modifiedNanoseconds))
        #expect(job.notBefore == instant("2030-01-01T00:00:00.000Z") && job.createdAt == now && job.due <= now)
        #expect(JobID(job.id.text) != nil)
    }

    @Test func anEmptyFileThatHasOnlyBeenMadeIsStillToBeWritten() throws {
        let temporary = try TemporarySpool()
        try temporary.write("new/a.toml", "")
        #expect(words(try temporary.spool().take("a.toml", isSettled: false)) == "not yet")
    }

    @Test func aFileThatIsOpenForWritingIsLeftAlone() throws {
        let temporary = try TemporarySpool()
        try temporary.write("new/a.toml", "command = \":\"")
        let descriptor = try temporary.hold("new/a.toml")
        #expect(words(try temporary.spool().take("a.toml")) == "not yet")
        try temporary.letGo(descriptor, "new/a.toml")
        #expect(words(try temporary.spool().take("a.toml")) == "job a")
    }

    @Test("Attack 13: a file may have one MiB", arguments: [0, 1])
    func aFileMayHaveOneMiB(excess: Int) throws {
        let temporary = try TemporarySpool()
        let head = Array("command = \":\"\n#".utf8)
        try temporary.write("new/a.toml", head + [UInt8](repeating: 0x78, count: Source.bytesMax - head.count + excess))
        let taken = words(try temporary.spool().take("a.toml"))
        #expect(taken == (excess == 0 ? "job a" : "rejected a.toml: is 1048577 bytes; a job's file may have 1048576"))
    }

    @Test("Attacks 8, 9: anything but a regular file is rejected unopened") func whatIsNoRegularFileIsRejectedUnopened() throws {
        let temporary = try TemporarySpool()
        let spool = try temporary.spool()
        try temporary.write("state/secret", "command = \":\"")
        symlink("../state/secret", "\(temporary.path)/new/link.toml")
        symlink("nowhere", "\(temporary.path)/new/dangling.toml")
        mkfifo("\(temporary.path)/new/pipe.toml", 0o600)
        #expect(words(try spool.take("link.toml")) == "rejected link.toml: is a symbolic link, not a regular file")
        #expect(words(try spool.take("dangling.toml")) == "rejected dangling.toml: is a symbolic link, not a regular file")
        #expect(words(try spool.take("pipe.toml")) == "rejected pipe.toml: is a FIFO, not a regular file")
    }

    @Test func aNameOfAnyBytesIsTaken() throws {
        let temporary = try TemporarySpool()
        let names = [
            FileName.string(from: [0x61, 0xFF, 0xC3, 0x2E, 0x74, 0x6F, 0x6D, 0x6C]), String(repeating: "x", count: 250) + ".toml",
        ]
        for name in names {
            try temporary.write("new/\(name)", "command = \":\"")
            guard case .job(let job) = try temporary.spool().take(name) else {
                Issue.record("\(name) is no job")
                continue
            }
            #expect(Name.isValid(job.name) && JobID(job.id.text) != nil && job.file?.name == name)
        }
    }

    @Test func twoDropsUnderOneNameAreTwoJobs() throws {
        let temporary = try TemporarySpool()
        var ids = Set<JobID>()
        for _ in 0..<3 {
            try temporary.write("tmp/a.toml", "command = \":\"")
            try temporary.move("tmp/a.toml", to: "new/a.toml")
            guard case .job(let job) = try temporary.spool().take("a.toml") else { continue }
            ids.insert(job.id)
            try temporary.move("new/a.toml", to: "done/a\(ids.count)")
        }
        #expect(ids.count == 3)
    }

    // MARK: Ids

    private let name = "20261121T015900.000Z-x-abcd"

    @Test func aFileNamedByAnIDHasIt() throws {
        let temporary = try TemporarySpool()
        try temporary.write("new/\(name).toml", "command = \":\"")
        guard case .job(let job) = try temporary.spool().take("\(name).toml") else {
            Issue.record("no job")
            return
        }
        #expect(job.id.text == name && job.due == instant("2026-11-21T01:59:00.000Z"))
        // The time in an id cannot make a job older or newer than it is.
        let future = "20991121T015900.000Z-x-abcd"
        try temporary.write("new/\(future).toml", "command = \":\"")
        guard case .job(let later) = try temporary.spool().take("\(future).toml") else {
            Issue.record("no job")
            return
        }
        #expect(later.id.text == future && later.due == now)
    }

    /// The state of the job that has the id already.
    @Test(arguments: ["waiting", "done", "failed"])
    func anIDThatIsTakenIsTheSameJobOrAnError(place: String) throws {
        let temporary = try TemporarySpool()
        let spool = try temporary.spool()
        let text = "command = \":\""
        let id = try #require(JobID(name))
        let scheduler = Scheduler(zones: zones)
        if place == "waiting" {
            var first = try accepted("x", text)
            first.id = id
            scheduler.handle(.dropped(first), at: now)
        } else {
            try temporary.disk().makeDirectory("\(place)/\(name)")
            try temporary.write("\(place)/\(name)/job.toml", text)
        }
        try temporary.write("new/\(name).toml", text)
        #expect(words(try spool.take("\(name).toml", isTaken: { scheduler.jobs[$0] })) == "again")
        #expect(!temporary.exists("new/\(name).toml"))
        try temporary.write("new/\(name).toml", text + "\ntries = 2")
        guard case .rejected(let file) = try spool.take("\(name).toml", isTaken: { scheduler.jobs[$0] }) else {
            Issue.record("not rejected")
            return
        }
        #expect(file.error == "\(name).toml: has the id of another job" && file.id.text != name && file.name == "x")
        #expect(temporary.exists("new/\(name).toml"))
    }

    @Test func anEditedWaitingFileKeepsItsID() throws {
        let temporary = try TemporarySpool()
        let spool = try temporary.spool()
        try temporary.write("new/a.toml", "command = \":\"")
        guard case .job(let first) = try spool.take("a.toml") else { return }
        try temporary.write("new/a.toml", "command = \"x\"")
        guard case .job(let second) = try spool.take("a.toml", known: first.id) else { return }
        #expect(second.id == first.id && second.source != first.source)
        try temporary.write("new/a.toml", "command = 3")
        guard case .rejected(let third) = try spool.take("a.toml", known: first.id) else { return }
        #expect(third.id == first.id)
    }

    // MARK: Tasks

    private func task(_ name: String) -> TaskDefinition? {
        name != "t" ? nil : try? TaskDefinition(name: "t", source: source("command = [\"a\"]\ntries = 3\n[[schedule]]\nevery = 5"), context)
    }

    @Test func aJobOfATaskHasTheTasksKeysAndItsOwn() throws {
        let temporary = try TemporarySpool()
        try temporary.write("new/x.toml", "task = \"t\"\npayload = 7\npriority = 5")
        guard case .job(let job) = try temporary.spool().take("x.toml", task: task) else {
            Issue.record("no job")
            return
        }
        #expect(job.task == "t" && job.name == "t")
        #expect(job.definition.action == .arguments(["a"]) && job.definition.tries == 3 && job.definition.priority == 5)
        // The text in the record is complete without the task.
        let again = try JobDefinition.read(try job.source.table(), context)
        #expect(again.action == job.definition.action && again.payload == Array("7".utf8))
    }

    static let mistakes = [
        ("task = \"u\"", "rejected x.toml:1:8: there is no task \"u\""),
        ("task = 5", "rejected x.toml:1:8: task must be a task's name"),
        ("task = \"t\"\ncommand = \":\"", "rejected x.toml:2:11: command and task are both given; keep one of them"),
        ("task = \"t\"\ntris = 2", "rejected x.toml:2:1: unknown key \"tris\"; did you mean \"tries\"?"),
    ]

    @Test(arguments: mistakes)
    func aJobOfATaskThatCannotBeUsedSaysWhy(text: String, taken: String) throws {
        let temporary = try TemporarySpool()
        try temporary.write("new/x.toml", text)
        #expect(words(try temporary.spool().take("x.toml", task: task)) == taken)
    }

    // MARK: Directories

    @Test func aRecordThatIsMovedBackRunsAgainUnderANewID() throws {
        let temporary = try TemporarySpool()
        let disk = try temporary.disk()
        try disk.makeDirectory("new/\(name)")
        try temporary.write("new/\(name)/job.toml", "command = \":\"")
        try temporary.write("new/\(name)/status.json", JobStatus(id: name, name: "x", due: now, createdAt: now, host: "h").json())
        guard case .job(let job) = try temporary.spool().take(name) else {
            Issue.record("no job")
            return
        }
        #expect(job.id.text != name && job.retryOf == name && job.name == "x" && job.file == nil)
        #expect(try temporary.names("new") == [job.id.text])
        // A crash before the job is accepted does not change it: the next intake finds the same new job.
        guard case .job(let again) = try temporary.spool().take(job.id.text) else {
            Issue.record("no job")
            return
        }
        #expect(again.id == job.id && again.retryOf == name)
    }

    @Test func aDirectoryThatWasMovedInIsWholeAndOneThatIsCopiedHasTime() throws {
        let temporary = try TemporarySpool()
        try temporary.disk().makeDirectory("new/\(name)")
        try temporary.write("new/\(name)/job.toml", "command = \":\"")
        try temporary.write("new/\(name)/stdin", "what it reads")
        let spool = try temporary.spool()
        let changed = try #require(try temporary.disk().status("new/\(name)")).modifiedNanoseconds / 1_000_000
        let soon = ReadingContext(now: Instant(milliseconds: changed + 999), zones: zones)
        #expect(words(try spool.take(name, soon)) == "not yet")
        let descriptor = try temporary.hold("new/\(name)/stdin")
        #expect(words(try spool.take(name, isMovedIn: true, soon)) == "not yet", "somebody still writes a file of it")
        try temporary.letGo(descriptor, "new/\(name)/stdin")
        guard case .job(let job) = try spool.take(name, isMovedIn: true, soon) else {
            Issue.record("no job")
            return
        }
        #expect(job.id.text == name && job.isDirectory && job.retryOf == nil && job.due == job.id.instant)
        #expect(words(try spool.take(name, ReadingContext(now: Instant(milliseconds: changed + 1000), zones: zones))) == "job x")
    }

    @Test("Attack 10: a directory that is no job is rejected with its reason once nothing has been added to it for a while")
    func aDirectoryThatIsNoJobIsRejected() throws {
        let temporary = try TemporarySpool()
        let spool = try temporary.spool()
        for name in ["photos", "20261121T015900.000Z-x-abcd"] {
            try temporary.disk().makeDirectory("new/\(name)")
            let changed = try #require(try temporary.disk().status("new/\(name)")).modifiedNanoseconds / 1_000_000
            func context(_ milliseconds: Int64) -> ReadingContext {
                ReadingContext(now: Instant(milliseconds: changed + milliseconds), zones: zones)
            }
            let rejected = "rejected \(name): is a directory without a job's file: job.toml, job.json, or an executable job"
            #expect(words(try spool.take(name, context(4999))) == "not yet")
            #expect(words(try spool.take(name, isMovedIn: true, context(1))) == rejected, "it came whole")
            #expect(words(try spool.take(name, context(5000))) == rejected)
        }
        try temporary.disk().makeDirectory("new/lost+found")
        #expect(words(try spool.take("lost+found")) == "ignored a directory without a job's file")
        try temporary.write("new/photos/job.toml", "command = 3")
        #expect(
            words(try spool.take("photos"))
                == """
                    rejected photos/job.toml:1:11: command must be a list of strings (an argv) or a string (a shell line), not a whole \
                    number
                    """)
        #expect(temporary.exists("new/photos/job.toml"))
    }
}
