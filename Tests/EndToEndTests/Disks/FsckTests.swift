// The faults that spoolctl fsck finds, what --repair does about each, and that the daemon serves the spool afterwards.

import CLinux
import Glibc
import Linux
import Testing

/// A spool with ended jobs, a running job and a waiting job. Each job that begins writes its name to `out/marks`.
private struct FurnishedSpool {
    let spool: SpoolUnderTest
    let gate: Gate
    /// The directories of the ended job and of the running job, within the spool.
    let one: String
    let held: String

    init() throws {
        spool = try SpoolUnderTest()
        gate = try spool.gate()
        let mark = "echo $SPOOL_NAME >> \(spool.out)/marks"
        try spool.drop("later.toml", "command = '\(mark)'\nstart = \"2090-01-01T00:00:00Z\"")
        one = "done/" + (try spool.run("command = '\(mark)'", as: "one").id)
        _ = try spool.run("command = '\(mark); exit 3'", as: "bad")
        try spool.drop("held.toml", "command = '\(mark); read x < \(gate.path)'")
        try spool.lines("marks", count: 3)
        held = "running/" + (try spool.running("held").id)
        try spool.crashBetweenWrites()
    }

    /// Checks that the daemon serves the spool: ended jobs do not run again, the running job ends, and the waiting job waits.
    func goesOn() throws {
        try spool.start()
        try gate.release()
        #expect(try spool.end(of: "held").outcome == "done 0")
        #expect(try spool.runsOn())
        #expect(try spool.linesNow("marks").sorted() == ["bad", "held", "one"])
        #expect(try spool.ended("one").count == 1)
        let waits = try spool.ctl("jobs", "--state", "new", "--quiet").lines
        #expect(waits.count == 1 && waits[0].contains("-later-"), "\(waits)")
        #expect(try spool.stop() == 0)
    }
}

@Suite("fsck", .ownThreads)
struct FsckTests {
    struct Wrong: CustomTestStringConvertible, Sendable {
        var testDescription: String
        /// Parts of the output of fsck.
        var says: [String]
        var make: @Sendable (_ path: String, _ one: String, _ held: String) throws -> Void
        /// A file that exists afterwards.
        var leaves: String?

        init(_ name: String, _ says: [String], leaves: String? = nil, _ make: @escaping @Sendable (String, String, String) throws -> Void) {
            testDescription = name
            self.says = says
            self.leaves = leaves
            self.make = make
        }
    }

    private static func journal(_ path: String) throws -> String {
        let name = try Files.list("\(path)/journal").last { $0.hasSuffix(".log") }
        return "\(path)/journal/\(name ?? "")"
    }

    private static func lines(_ path: String, _ change: (inout [Substring]) -> Void) throws {
        let file = try journal(path)
        var lines = try Files.text(file).split(separator: "\n")
        change(&lines)
        try Files.write(file, lines.map { "\($0)\n" }.joined(), mode: 0o600)
    }

    private static let ghost = "20260101T000000.000Z-ghost-abcdef"

    static let wrongs: [Wrong] = [
        Wrong("a torn tail", ["bytes of records that were never completed", "--repair cuts it off"]) { path, _, _ in
            try Files.append(try journal(path), "a1b2c3d4 99 2026-11-2")
        },
        Wrong(
            "a record that is missing",
            ["records are missing between record", "--repair keeps the file as it is beside it"],
            leaves: "journal/000000000001.log.damaged") { path, _, _ in
            try lines(path) { lines in lines.remove(at: lines.firstIndex { $0.contains(" ended ") }!) }
        },
        Wrong(
            "a segment without its header", [".log:1: the segment does not begin with its header"],
            leaves: "journal/000000000001.log.damaged") { path, _, _ in
            try lines(path) { $0.removeFirst() }
        },
        Wrong(
            "a damaged record about the running job",
            ["its checksum does not hold; it stands behind record", "before record"],
            leaves: "journal/000000000001.log.damaged") { path, _, held in
            let id = held.dropFirst("running/".count)
            try lines(path) { lines in
                let index = lines.firstIndex { $0.contains(" accepted ") && $0.contains(id) }!
                lines[index] = Substring(lines[index].replacing(" accepted ", with: " accEpted "))
            }
        },
        Wrong(
            "a waiting job whose file is gone",
            ["new/later.toml: is missing, and the journal says that ", "--repair brings the job"]) { path, _, _ in
            try Files.remove("\(path)/new/later.toml")
        },
        Wrong(
            "a directory in running/ of no job",
            ["is of no job that the journal knows", "--repair writes that into the journal"]) { path, one, _ in
            try Commands.succeed("cp", "-a", "\(path)/\(one)", "\(path)/running/\(ghost)")
            let status = try Files.text("\(path)/\(one)/status.json").replacing(one.dropFirst(5), with: ghost)
            try Files.write("\(path)/running/\(ghost)/status.json", status.replacing("\"state\":\"done\"", with: "\"state\":\"running\""))
        },
        Wrong(
            "a directory in running/ without a status",
            ["running/\(ghost): is of no job", "cannot be read", "--repair moves it"],
            leaves: "state/lost+found/running-\(ghost)") { path, _, _ in
            try Files.makeDirectory("\(path)/running/\(ghost)")
            try Files.write("\(path)/running/\(ghost)/job", "#!/bin/sh\n")
        },
        Wrong(
            "a directory in running/ of which two things are wrong",
            ["running/\(ghost): is of no job", "running/\(ghost): has no job's file"],
            leaves: "state/lost+found/running-\(ghost)/stdout"
        ) { path, _, _ in
            try Files.makeDirectory("\(path)/running/\(ghost)")
            try Files.write("\(path)/running/\(ghost)/stdout", "what it wrote")
        },
        Wrong("a job in two places", ["is a second place of running/"]) { path, _, held in
            try Commands.succeed("cp", "-a", "\(path)/\(held)", "\(path)/failed/")
        },
        Wrong("an ended job back in running/", ["stands here, and the journal says that the job is done"]) { path, one, _ in
            try Files.rename("\(path)/\(one)", "\(path)/running/\(one.dropFirst(5))")
        },
        Wrong("remains", ["failed/\(ghost): has no job's file"], leaves: "state/lost+found/failed-\(ghost)") { path, _, _ in
            try Files.makeDirectory("\(path)/failed/\(ghost)")
        },
        Wrong("a damaged status", ["status.json: is damaged", "--repair keeps it"]) { path, one, _ in
            try Files.write("\(path)/\(one)/status.json", "{\"id\": ")
        },
        Wrong("a status of another state", ["status.json: says that the job is failed, and it stands in done/"]) { path, one, _ in
            let file = "\(path)/\(one)/status.json"
            try Files.write(file, try Files.text(file).replacing("\"state\":\"done\"", with: "\"state\":\"failed\""))
        },
        Wrong("a status of another try", ["status.json: tells of try 7, and the journal of try 1"]) { path, one, _ in
            let file = "\(path)/\(one)/status.json"
            try Files.write(file, try Files.text(file).replacing("\"try\":1", with: "\"try\":7"))
        },
        Wrong(
            "temporary files",
            ["state/status.json.tmp: was never completed", "--repair removes it", "journal/9.log.tmp: was never completed"]) { path, _, _ in
            try Files.write("\(path)/state/status.json.tmp", "{")
            try Files.write("\(path)/journal/9.log.tmp", "a1")
        },
        Wrong("a missing directory", ["patterns: is missing; --repair makes it"], leaves: "patterns") { path, _, _ in
            try Directory.open(path).removeDirectory("patterns")
        },
        Wrong("no format", ["state/format: does not say", "--repair keeps it"], leaves: "state/lost+found/state-format") { path, _, _ in
            try Files.write("\(path)/state/format", "hello\n")
        },
        Wrong(
            "a worker's record that is none", ["state/workers/99: cannot be read as a worker's record"],
            leaves: "state/lost+found/state-workers-99") { path, _, _ in
            try Files.write("\(path)/state/workers/99", "running\n")
        },
        Wrong("a key that nobody holds", ["state/unique/key.id: is held by \(ghost), which is gone; --repair removes it"]) { path, _, _ in
            try Files.write("\(path)/state/unique/key.id", "\(ghost)\n")
        },
        Wrong("a directory that others can write", ["tasks: can be written by others; --repair sets its mode to 700"]) { path, _, _ in
            chmod("\(path)/tasks", 0o702)
        },
    ]

    @Test("fsck reports the fault, --repair mends it, and the daemon serves the spool", arguments: wrongs)
    func finds(_ wrong: Wrong) throws {
        let furnished = try FurnishedSpool()
        let spool = furnished.spool
        let clean = try spool.ctl("fsck")
        #expect(clean.code == 0 && clean.output.isEmpty, "\(clean)")
        try wrong.make(spool.path, furnished.one, furnished.held)
        let before = Files.tree(spool.path)
        let found = try spool.ctl("fsck")
        #expect(found.code == 1)
        #expect(found.lines.allSatisfy { $0.hasPrefix("fsck: ") })
        for part in wrong.says { #expect(found.output.contains(part), "\(part) is not in \(found.output)") }
        #expect(Files.tree(spool.path) == before, "looking changes nothing")
        let repaired = try spool.ctl("fsck", "--repair")
        #expect(repaired.code == 0, "\(repaired)")
        #expect(repaired.lines.allSatisfy { $0.contains("; repaired: ") } && !repaired.lines.isEmpty, "\(repaired)")
        if let leaves = wrong.leaves { #expect(Files.exists("\(spool.path)/\(leaves)"), "\(repaired)") }
        let after = try spool.ctl("fsck")
        #expect(after.code == 0 && after.output.isEmpty, "\(after)")
        try furnished.goesOn()
        let end = try spool.ctl("fsck")
        #expect(end.code == 0, "\(end)")
    }

    @Test("After --repair of any damaged record of the journal no job runs twice, and waiting jobs still wait")
    func everyLine() throws {
        let spool = try SpoolUnderTest()
        let mark = "echo $SPOOL_NAME >> \(spool.out)/marks"
        try spool.acceptedTask("yearly", "command = '\(mark)'\n[[schedule]]\ncron = \"0 0 1 1 *\"\nnot_before = \"2090-01-01T00:00:00Z\"")
        try spool.drop("later.toml", "command = '\(mark)'\nstart = \"2090-01-01T00:00:00Z\"")
        _ = try spool.run("command = '\(mark)'\non_success = '\(mark)'", as: "one")
        try spool.ended("one.on_success", count: 1)
        _ = try spool.run("command = '\(mark); exit 3'\ntries = 2\nbackoff = \"1ms\"", as: "bad")
        try spool.crashBetweenWrites()
        let marks = try spool.linesNow("marks").sorted()
        #expect(marks == ["bad", "bad", "one", "one.on_success"])
        let count = try Files.text(try #require(try spool.journalFiles.last)).split(separator: "\n").count
        #expect(count > 15)
        for line in 1...count {
            let copy = try SpoolUnderTest(starting: false)
            try Commands.succeed("cp", "-a", "\(spool.path)/.", copy.path)
            // Without its identity, the copy does not count as a copy.
            try Files.remove("\(copy.path)/state/identity")
            let journal = try #require(try copy.journalFiles.last)
            var bytes = try Files.bytes(journal)
            var start = 0
            for _ in 1..<line { start = bytes[start...].firstIndex(of: 0x0A)! + 1 }
            bytes[start + 12] ^= 1
            try FileDescriptor.open(journal, O_WRONLY).write(bytes, at: 0)
            let found = try copy.ctl("fsck")
            #expect(found.code == 1 && found.output.contains(".log:\(line): "), "\(found)")
            try copy.launch()
            #expect(try copy.exitCode() == 1)
            #expect(copy.log.contains("spoolctl fsck --repair"))
            #expect(try copy.ctl("fsck", "--repair").code == 0)
            #expect(try copy.ctl("fsck").code == 0)
            try copy.start()
            #expect(try copy.runsOn())
            #expect(try copy.stop() == 0)
            #expect(try spool.linesNow("marks").sorted() == marks, "line \(line)")
            #expect(try copy.ended("one").map(\.outcome) + copy.ended("bad").map(\.outcome) == ["done 0", "failed exit 3"], "line \(line)")
            #expect(Files.exists("\(copy.path)/new/later.toml"))
            let end = try copy.ctl("fsck")
            #expect(end.code == 0, "line \(line): \(end)")
        }
    }

    @Test("While a daemon serves the spool fsck only reads, and --repair refuses")
    func served() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop("held.toml", "command = 'read x < \(gate.path)'")
        _ = try spool.running("held")
        try Files.write("\(spool.path)/state/unique/key.id", "\(Self.ghost)\n")
        let looked = try spool.ctl("fsck")
        #expect(
            looked.code == 0 && looked.output.isEmpty && looked.errors.contains("files that may be moving are not checked"), "\(looked)")
        let refused = try spool.ctl("fsck", "--repair")
        #expect(refused.code == 1 && refused.errors.contains("is served by spoold, pid "), "\(refused)")
        #expect(Files.exists("\(spool.path)/state/unique/key.id"))
        try gate.release()
        #expect(try spool.end(of: "held").outcome == "done 0")
    }

    @Test("fsck --json is an array; a spool of another format is left alone")
    func json() throws {
        let spool = try SpoolUnderTest()
        try spool.stop()
        #expect(try spool.ctl("fsck", "--json").output == "[]\n")
        try Files.write("\(spool.path)/state/unique/key.id", "\(Self.ghost)\n")
        #expect(
            try spool.ctl("fsck", "--json").output
                == """
                    [{\"path\":\"state/unique/key.id\",\"line\":null,\"problem\":\"is held by \(Self.ghost), which is \
                    gone\",\"repair\":\"removes it\",\"done\":null}]\n
                    """)
        #expect(try spool.ctl("fsck", "--json", "--repair").output.contains("\"done\":\"removed\"}]"))
        try Files.write("\(spool.path)/state/format", "spoold spool format 99\n")
        #expect(try spool.ctl("fsck").output.contains("use the programs that wrote the spool"))
        #expect(try spool.ctl("fsck", "--repair").code == 1)
        #expect(try Files.text("\(spool.path)/state/format") == "spoold spool format 99\n")
    }
}
