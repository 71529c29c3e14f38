// Files that cannot be used are moved to failed/ with the reason, and the daemon goes on serving.

import CLinux
import Documents
import Glibc
import Linux
import Testing

let isRoot = getuid() == 0

@Suite("Bad input", .ownThreads)
struct BadInputTests {
    static let texts: [(file: String, text: String, errors: [String])] = [
        ("bad.toml", "command = [\"true\"]\ntimout = \"5s\"\n", ["bad.toml:2:1: ", "\"timout\"", "\"timeout\""]),
        ("bad.toml", "comand = \"true\"\n", ["bad.toml:1:1: ", "\"comand\"", "\"command\""]),
        ("bad.json", "{\"command\": \"true\",\n  \"prioritty\": 3}", ["bad.json:2:3: ", "\"prioritty\"", "\"priority\""]),
        ("bad.toml", "command = [\"true\"\n\ntags = 1", ["bad.toml:3:"]),
        ("bad.toml", "command = \"true\"\ncommand = \"false\"", ["bad.toml:2:1: ", "command"]),
        ("bad.toml", "command = \"\u{1}\"", ["bad.toml:1:12: "]),
        ("bad.toml", "= 3", ["bad.toml:1:1: "]),
        ("bad.json", "{\"command\": \"true\",}", ["bad.json:1:"]),
        ("bad.json", "{\"command\": \"true\"", ["bad.json:1:"]),
        ("bad.json", "[1, 2]", ["bad.json:1:1: ", "object"]),
        ("bad.json", "not json", ["bad.json:1:1: "]),
        ("bad.toml", "", ["bad.toml:1:1: ", "empty"]),
        ("bad.json", "", ["bad.json:1:1: "]),
        ("bad.toml", "description = \"nothing to run\"", ["bad.toml:1:1: ", "command"]),
        ("bad.toml", "command = 5", ["bad.toml:1:11: ", "command"]),
        ("bad.toml", "command = []", ["bad.toml:1:11: ", "empty"]),
        ("bad.toml", "command = \"\"", ["bad.toml:1:11: ", "empty"]),
        ("bad.toml", "command = [\"a\", 1]", ["bad.toml:1:17: "]),
        ("bad.toml", "command = \"true\"\nscript = \"true\"", ["bad.toml:2:10: ", "script"]),
        ("bad.toml", "command = \"true\"\npriority = \"high\"", ["bad.toml:2:12: ", "priority"]),
        ("bad.toml", "command = \"true\"\npriority = 1001", ["bad.toml:2:12: ", "1000"]),
        ("bad.toml", "command = \"true\"\ntries = 0", ["bad.toml:2:9: ", "tries"]),
        ("bad.toml", "command = \"true\"\ntimeout = \"5 parsecs\"", ["bad.toml:2:", "timeout"]),
        ("bad.toml", "command = \"true\"\ntimeout = -1", ["bad.toml:2:11: ", "timeout"]),
        ("bad.toml", "command = \"true\"\nstart = \"some day\"", ["bad.toml:2:", "start"]),
        ("bad.toml", "command = \"true\"\nstart = 2026-02-30T00:00:00Z", ["bad.toml:2:"]),
        ("bad.toml", "command = \"true\"\numask = \"999\"", ["bad.toml:2:9: ", "umask"]),
        ("bad.toml", "command = \"true\"\nstop_signal = \"TREM\"", ["bad.toml:2:15: ", "TREM", "TERM"]),
        ("bad.toml", "command = \"true\"\nsuccess = [256]", ["bad.toml:2:12: ", "255"]),
        ("bad.toml", "command = \"true\"\nretry_on = [\"timout\"]", ["bad.toml:2:13: ", "timout", "timeout"]),
        ("bad.toml", "command = \"true\"\non_crash = \"rerun\"", ["bad.toml:2:12: ", "retry"]),
        ("bad.toml", "command = \"true\"\nenv = [\"A=1\"]", ["bad.toml:2:7: ", "env"]),
        ("bad.toml", "command = \"true\"\nenv = {\"A=B\" = \"1\"}", ["bad.toml:2:8: ", "A=B"]),
        ("bad.toml", "command = \"true\"\nqueue = \"../x\"", ["bad.toml:2:9: ", "queue"]),
        ("bad.toml", "command = \"true\"\npayload = 1\nstdin = \"/dev/null\"", ["bad.toml:3:9: ", "stdin"]),
        ("bad.toml", "task = \"unknown\"\ncommand = \"true\"", ["bad.toml:2:11: ", "command and task"]),
        ("bad.toml", "a = 1\nb = 2\ncommand = \"true\"", ["bad.toml:1:1: ", "bad.toml:2:1: "]),
        ("bad.sh", "#!/bin/sh\n#SPOOL timout = 5\n", ["bad.sh:2:8: ", "\"timeout\""]),
        ("bad.sh", "#!/bin/sh\n#SPOOL command = \"true\"\n", ["bad.sh:2:"]),
        ("bad.txt", "command = \"true\"", ["bad.txt", ".toml"]),
        ("bad", "no shebang", ["bad: ", "#!"]),
    ]

    @Test("Attack 21: a file that cannot be used is rejected, and the error points at the place (CVE-2019-9706)", arguments: texts)
    func rejected(_ row: (file: String, text: String, errors: [String])) throws {
        let spool = try SpoolUnderTest()
        try spool.drop(row.file, row.text, mode: row.file.hasSuffix(".sh") || row.file == "bad" ? 0o755 : 0o644)
        let job = try spool.ended(count: 1)[0]
        #expect(job.outcome == "failed rejected")
        for part in row.errors { #expect(job.error.contains(part), "\(row.text)") }
        let kept = try #require(try job.files.first { $0.hasPrefix("job") })
        #expect(try job.text(kept) == row.text, "what was dropped is kept as it is")
        #expect(try spool.runsOn())
        #expect(try Files.list("\(spool.path)/new") == [])
    }

    static let bytes: [(what: String, file: String, bytes: [UInt8], error: String)] = [
        ("bad UTF-8", "bad.toml", Array("command = \"true\"\ndescription = \"a".utf8) + [0xC3, 0x28] + Array("\"".utf8), "bad.toml:2:"),
        ("an overlong slash", "bad.json", Array("{\"command\": \"".utf8) + [0xC0, 0xAF] + Array("\"}".utf8), "bad.json:1:"),
        ("a surrogate", "bad.toml", Array("command = \"".utf8) + [0xED, 0xA0, 0x80] + Array("\"".utf8), "bad.toml:1:"),
        ("NUL", "bad.toml", Array("command = \"true\"\n\0".utf8), "bad.toml:2:1"),
        ("NUL in a string", "bad.json", Array("{\"command\": \"a\0b\"}".utf8), "bad.json:1:"),
        ("NUL by its escape", "bad.toml", Array("command = [\"a\\u0000b\"]".utf8), "bad.toml:1:"),
        ("two byte order marks", "bad.toml", [0xEF, 0xBB, 0xBF, 0xEF, 0xBB, 0xBF] + Array("command = \"true\"".utf8), "bad.toml:1:"),
        ("UTF-16", "bad.json", [0xFF, 0xFE, 0x7B, 0, 0x7D, 0], "bad.json:1:"),
        ("an integer beyond 64 bits", "bad.toml", Array("command = \"true\"\npriority = 9223372036854775808".utf8), "bad.toml:2:"),
        (
            "a thousand digits", "bad.json", Array("{\"command\": \"true\", \"priority\": \(String(repeating: "9", count: 1000))}".utf8),
            "bad.json:1:"),
        ("a huge exponent", "bad.json", Array("{\"command\": \"true\", \"timeout\": 1e999999999}".utf8), "bad.json:1:"),
        (
            "keys that differ only in how a letter is written", "bad.toml",
            Array("command = \"true\"\n\"caf\u{E9}\" = 1\n\"cafe\u{301}\" = 1".utf8), "bad.toml:2:"),
    ]

    @Test("Attack 21: bytes that are not text and numbers that are too large are errors with their position", arguments: bytes)
    func rejectedBytes(_ row: (what: String, file: String, bytes: [UInt8], error: String)) throws {
        let spool = try SpoolUnderTest()
        let directory = try Directory.open("\(spool.path)/tmp")
        try directory.writeFile(row.file, row.bytes, mode: 0o644)
        try Files.rename("\(spool.path)/tmp/\(row.file)", "\(spool.path)/new/\(row.file)")
        let job = try spool.end(of: "bad")
        #expect(job.outcome == "failed rejected" && job.error.contains(row.error), "\(job.outcome) \(job.error)")
        #expect(try spool.runsOn())
    }

    @Test("Attack 20: a file full of wrong keys is refused quickly, with the first mistakes only", arguments: ["toml", "json"])
    func manyKeys(_ kind: String) throws {
        let spool = try SpoolUnderTest()
        let keys = (0..<100_000).map { kind == "toml" ? "a\($0)=1\n" : "\"a\($0)\":1" }
        try spool.drop("many.\(kind)", kind == "toml" ? keys.joined() : "{\(keys.joined(separator: ","))}")
        let job = try spool.end(of: "many")
        #expect(job.outcome == "failed rejected" && job.error.contains("many.\(kind):"), "\(job.error.prefix(200))")
        #expect(job.error.utf8.count < 10_000)
        #expect(try spool.runsOn())
    }

    @Test("Attack 13: a job's file may have 1 MiB and not a byte more (CVE-2019-9704, CVE-2019-9705)", arguments: [1 << 20, 1 << 20 + 1])
    func large(_ size: Int) throws {
        let spool = try SpoolUnderTest()
        let head = "command = [\"true\"]\n#"
        try spool.drop("large.toml", head + String(repeating: "x", count: size - head.utf8.count))
        let job = try spool.end(of: "large")
        #expect(job.outcome == (size > 1 << 20 ? "failed rejected" : "done 0"))
        #expect(size <= 1 << 20 || job.error.contains("\(size) bytes"))
        #expect(try Files.status("\(job.directory)/job.toml").size == size)
        #expect(try spool.runsOn())
    }

    @Test("Attack 13: a file that claims a terabyte is refused unread")
    func sparse() throws {
        let spool = try SpoolUnderTest()
        try Commands.succeed("truncate", "-s", "1T", "\(spool.path)/tmp/huge.json")
        try Files.rename("\(spool.path)/tmp/huge.json", "\(spool.path)/new/huge.json")
        let job = try spool.end(of: "huge")
        #expect(job.outcome == "failed rejected")
        #expect(try spool.runsOn())
    }

    @Test("Attack 20: nesting that is too deep is an error and does not crash the daemon", arguments: ["toml", "json"])
    func deep(_ kind: String) throws {
        let spool = try SpoolUnderTest()
        let brackets = String(repeating: "[", count: 300_000)
        try spool.drop("deep.\(kind)", kind == "toml" ? "payload = \(brackets)" : "{\"payload\": \(brackets)")
        let job = try spool.end(of: "deep")
        #expect(job.outcome == "failed rejected")
        #expect(job.error.contains("deep.\(kind):1:"))
        #expect(try spool.runsOn())
    }

    @Test("A payload of more than 256 KiB is refused with both sizes")
    func payload() throws {
        let job = try SpoolUnderTest().run("command = \"cat\"\npayload = \"\(String(repeating: "x", count: 256 << 10))\"")
        #expect(job.outcome == "failed rejected")
        #expect(job.error.contains("\(256 << 10 + 2)") || job.error.contains("\((256 << 10) + 2)"))
        #expect(job.error.contains("\(256 << 10)"))
    }

    // MARK: Things that are not regular files

    enum Thing: String, CaseIterable { case fifo, symlink, danglingSymlink, socket, device }

    @Test("Attacks 1, 8, 9: anything but a regular file is set aside without being opened or waited for", arguments: Thing.allCases)
    func thing(_ thing: Thing) throws {
        if thing == .device, !isRoot {
            print("skipped: only root can make a device")
            return
        }
        let spool = try SpoolUnderTest()
        try Files.write("\(spool.base)/secret", "command = [\"true\"] # secret")
        let path = "\(spool.path)/new/thing.toml"
        switch thing {
        case .fifo: try Commands.succeed("mkfifo", path)
        case .symlink: try Files.symlink("\(spool.base)/secret", path)
        case .danglingSymlink: try Files.symlink("/no/such/target", path)
        case .socket:
            let raw = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(raw) }
            try bindSocket(raw, path)
        case .device: try Commands.succeed("mknod", path, "c", "1", "3")
        }
        let job = try spool.end(of: "thing")
        #expect(job.outcome == "failed rejected")
        let words: [Thing: String] = [
            .fifo: "a FIFO", .symlink: "a symbolic link", .danglingSymlink: "a symbolic link", .socket: "a socket", .device: "a device",
        ]
        #expect(job.error.contains("thing.toml: is \(words[thing] ?? "")"))
        #expect(!spool.log.contains("secret"), "what a link points to is never shown")
        #expect(try Files.status("\(job.directory)/job.toml").kind != .file, "it is kept as it is")
        #expect(try spool.runsOn())
    }

    @Test("Attack 10: a directory that is not a job is set aside with its content and the reason")
    func directory() throws {
        let spool = try SpoolUnderTest()
        try spool.pause()
        try Files.makeDirectory("\(spool.path)/new/folder")
        try Files.write("\(spool.path)/new/folder/notes", "x")
        spool.signal(SIGCONT)
        #expect(try spool.runsOn())
        try spool.logLine("event=rejected", "file=folder", "is a directory without a job's file")
        #expect(try spool.runsOn("another"))
        let set = try Files.list("\(spool.path)/failed")
        #expect(try set.count == 1 && Files.text("\(spool.path)/failed/\(set[0])/notes") == "x")
        #expect(try Files.list("\(spool.path)/new") == [])
    }

    // MARK: Names

    static let names: [(what: String, bytes: [UInt8])] = [
        ("newline", Array("a\nb.toml".utf8)),
        ("forged log line", Array("x\ntime=2026 event=started.toml".utf8)),
        ("leading dash", Array("-rf.toml".utf8)),
        ("two leading dashes", Array("--help.toml".utf8)),
        ("255 bytes", Array(String(repeating: "n", count: 250).utf8) + Array(".toml".utf8)),
        ("255 bytes of three each", Array(String(repeating: "€", count: 83).utf8) + Array("x.toml".utf8)),
        ("invalid UTF-8", [0xFF, 0xFE, 0x80] + Array(".toml".utf8)),
        ("escape sequence", Array("\u{1B}[2J\u{1B}]0;x\u{7}.toml".utf8)),
        ("blanks", Array(" a  b .toml".utf8)),
        ("quotes and shell", Array("$(touch x)`'\"\\;&|<>*?.toml".utf8)),
        ("only an ending", Array("x.toml.toml".utf8)),
        ("percent", Array("%s%n%2e.toml".utf8)),
        ("a private character that stands for bytes elsewhere", Array("\u{10FF41}.toml".utf8)),
    ]

    @Test(
        "Attacks 22, 41: a file of any name runs; its id is safe, and log and status.json have no control characters (CVE-2018-15686)",
        arguments: names
    )
    func name(_ row: (what: String, bytes: [UInt8])) throws {
        let spool = try SpoolUnderTest()
        let file = FileName.string(from: row.bytes)
        try Files.write("\(spool.path)/tmp/x", "command = [\"true\"]")
        try Files.rename("\(spool.path)/tmp/x", "\(spool.path)/new/\(file)")
        let job = try spool.ended(count: 1)[0]
        #expect(job.outcome == "done 0", "\(row.what)")
        let safe = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-".utf8)
        #expect(job.id.utf8.allSatisfy(safe.contains) && job.id.utf8.count <= 255)
        #expect(spool.log.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x0A }, "the log holds no control character")
        #expect(spool.log.split(separator: "\n").allSatisfy { $0.hasPrefix("time=20") && $0.contains(" event=") })
        #expect(try job.text("status.json").utf8.allSatisfy { $0 >= 0x20 || $0 == 0x0A })
        // Reading the journal again gives the same file name.
        try spool.restart()
        #expect(try spool.runsOn())
    }

    @Test("Attacks 22, 41: a rejected file of any name is logged in one line, and can be found", arguments: names)
    func rejectedName(_ row: (what: String, bytes: [UInt8])) throws {
        let spool = try SpoolUnderTest()
        let file = FileName.string(from: row.bytes)
        try Files.write("\(spool.path)/tmp/x", "comand = 1")
        try Files.rename("\(spool.path)/tmp/x", "\(spool.path)/new/\(file)")
        let job = try spool.ended(count: 1)[0]
        #expect(job.outcome == "failed rejected", "\(row.what)")
        #expect(try job.text("job.toml") == "comand = 1")
        #expect(spool.log.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x0A }, "the log holds no control character")
        try spool.restart()
        #expect(try spool.runsOn())
        #expect(try spool.ended().count == 2)
    }

    // MARK: Changes while it waits

    @Test("A waiting job whose file is edited, replaced or renamed runs once, with the last content", arguments: ["rename", "write"])
    func replaced(_ way: String) throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let gate = try spool.gate()
        try spool.drop("first.toml", "command = 'read x < \(gate.path)'")
        _ = try spool.running("first")
        try spool.drop("job.toml", "command = 'echo old >> \(spool.out)/ran'")
        try spool.logLine("event=accepted", "file=job.toml")
        let seen = spool.logLength
        let new = "command = 'echo new >> \(spool.out)/ran'"
        if way == "rename" { try spool.drop("job.toml", new) } else { try Files.write("\(spool.path)/new/job.toml", new) }
        try spool.logLine("event=accepted", "file=job.toml", after: seen)
        try gate.release()
        let job = try spool.end(of: "job")
        #expect(try job.text("job.toml") == new)
        #expect(try spool.runsOn())
        #expect(try spool.linesNow("ran") == ["new"])
        #expect(try spool.ended("job").count == 1)
    }

    @Test("A waiting job whose file becomes invalid is rejected, and its earlier content does not run")
    func editedBadly() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let gate = try spool.gate()
        try spool.drop("first.toml", "command = 'read x < \(gate.path)'")
        _ = try spool.running("first")
        try spool.drop("job.toml", "command = 'touch \(spool.out)/ran'")
        try spool.logLine("event=accepted", "file=job.toml")
        try spool.drop("job.toml", "command = ")
        #expect(try spool.end(of: "job").outcome == "failed rejected")
        try gate.release()
        #expect(try spool.runsOn())
        #expect(!Files.exists("\(spool.out)/ran"))
        #expect(try spool.ended("job").count == 1)
    }

    @Test("Attack 17: a file that is replaced all the time is each time read as one whole version")
    func replacedQuickly() throws {
        let spool = try SpoolUnderTest()
        // Two files take turns under one name. Each of them counts as a new drop, and the daemon must read each as a whole.
        let script = """
            i=0
            while [ $i -lt 300 ]; do
              printf 'command = "echo %s-%s >> %s/ran"\\n' $i $i "$2" > "$1/../tmp/a"; mv "$1/../tmp/a" "$1/x.toml"; i=$((i + 1))
            done
            """
        #expect(try Commands.run("sh", "-c", script, "sh", "\(spool.path)/new", spool.out).code == 0)
        #expect(try spool.runsOn())
        try spool.wait(for: "new/ to be empty") {
            try Files.list("\(spool.path)/new").isEmpty && Files.list("\(spool.path)/running").isEmpty
        }
        let ran = try spool.linesNow("ran")
        #expect(Set(ran).count == ran.count, "none ran twice")
        #expect(ran.contains("299-299"), "the last one was replaced by none")
        #expect(ran.allSatisfy { line in let halves = line.split(separator: "-"); return halves.count == 2 && halves[0] == halves[1] })
        #expect(try spool.ended().allSatisfy { $0.place == "done" })
    }

    @Test("Attack 23: a dropped id with the same text is the same job; with another text it is refused and kept")
    func sameID() throws {
        let spool = try SpoolUnderTest()
        let id = "20260101T000000.000Z-mine-abcd"
        try spool.drop("\(id).toml", "command = 'echo ran >> \(spool.out)/ran'")
        let first = try spool.end(of: "mine")
        #expect(first.id == id)
        try spool.drop("\(id).toml", "command = 'echo ran >> \(spool.out)/ran'")
        try spool.logLine("event=submitted-again", id)
        try spool.drop("\(id).toml", "command = 'echo other >> \(spool.out)/ran'")
        let ended = try spool.ended("mine", count: 2)
        #expect(ended.map(\.outcome).sorted() == ["done 0", "failed rejected"])
        #expect(try spool.runsOn())
        #expect(try spool.linesNow("ran") == ["ran"])
    }

    @Test("Attack 43: an event queue that overflows loses nothing")
    func overflow() throws {
        let limit = Int((try? Files.text("/proc/sys/fs/inotify/max_queued_events"))?.split(separator: "\n").first ?? "") ?? 16384
        guard limit <= 20_000 else {
            print("skipped: max_queued_events is \(limit); filling that takes too long")
            return
        }
        let spool = try SpoolUnderTest()
        spool.signal(SIGSTOP)
        // Each file name causes three events. The kernel would merge equal events that follow one another.
        try Files.write("\(spool.path)/tmp/x", "")
        let count = limit / 2 + 200
        for index in 0..<count {
            try Files.rename("\(spool.path)/tmp/x", "\(spool.path)/new/.\(index)")
            try Files.rename("\(spool.path)/new/.\(index)", "\(spool.path)/tmp/x")
        }
        for index in 0..<20 { try spool.drop("late-\(index).toml", "command = [\"true\"]") }
        spool.signal(SIGCONT)
        try spool.ended(count: 20)
        #expect(spool.log.contains("event=events-lost"))
    }
}
