import CLinux
import Glibc
import Linux
import Testing

@Suite("Dropping a file into new/", .ownThreads)
struct DropTests {
    static let kinds: [(file: String, text: String, mode: mode_t, kept: String)] = [
        ("hello.toml", "command = [\"echo\", \"hello\"]\n", 0o644, "job.toml"),
        ("hello.json", "{\"command\": [\"echo\", \"hello\"]}\n", 0o644, "job.json"),
        ("hello", "#!/bin/sh\n#SPOOL description = \"greets\"\necho hello\n", 0o755, "job"),
        ("hello.sh", "#!/bin/sh\necho hello\n", 0o755, "job"),
    ]

    enum Way: String, CaseIterable { case rename, link, copy, pieces, unnamed, redirection }

    @Test("Attacks 15, 16: each kind of job, put there in each way, runs once", arguments: kinds, Way.allCases)
    func everyWay(_ kind: (file: String, text: String, mode: mode_t, kept: String), _ way: Way) throws {
        // Where the kernel does not protect links, root refuses linked files. Kept settings make the test's answer certain.
        let settings = try KernelSettings.kept()
        defer { withExtendedLifetime(settings) {} }
        let spool = try SpoolUnderTest()
        try put(kind.file, kind.text, mode: kind.mode, way, spool)
        let job = try spool.ended(count: 1)[0]
        #expect(job.outcome == "done 0")
        #expect(try job.stdout == "hello\n")
        #expect(try job.text(kind.kept) == kind.text, "the file as it was dropped is part of the record")
        #expect(try Files.list("\(spool.path)/new") == [])
        #expect(try spool.ended().count == 1)
    }

    @Test("E1: a job with a priority that is dropped behind thousands of others does not wait until those have been read")
    func aheadOfAFlood() throws {
        let spool = try SpoolUnderTest()
        spool.signal(SIGSTOP)
        let count = 6000
        // Their start times keep them from running.
        for number in 0..<count { try spool.drop("many-\(number).toml", "command = 'true'\nstart = 'in 1 day'") }
        try spool.drop("urgent.toml", "command = 'true'\npriority = 1")
        try spool.drop("last.toml", "command = 'true'")
        spool.signal(SIGCONT)
        _ = try spool.end(of: "last")
        let names = try spool.journal().filter { $0.kind == "accepted" }.compactMap { $0.fields["name"] }
        let urgent = try #require(names.firstIndex(of: "urgent"))
        #expect(urgent < count / 2, "\(urgent) jobs were accepted before it")
        #expect(names.filter { $0 != "urgent" } == (0..<count).map { "many-\($0)" } + ["last"], "the others keep their order")
    }

    @Test("E4: a waiting job that gets a priority behind thousands of others does not wait until those have been read")
    func madeUrgentInAFlood() throws {
        let spool = try SpoolUnderTest()
        try spool.drop("edited.toml", "command = 'true'\nstart = 'in 1 day'")
        try spool.wait(for: "the job") { try spool.journal().contains { $0.kind == "accepted" } }
        spool.signal(SIGSTOP)
        let count = 6000
        for number in 0..<count { try spool.drop("many-\(number).toml", "command = 'true'\nstart = 'in 1 day'") }
        try spool.drop("edited.toml", "command = 'true'\npriority = 1")
        spool.signal(SIGCONT)
        #expect(try spool.end(of: "edited").outcome == "done 0")
        try spool.wait(for: "all jobs") { try spool.journal().count { $0.kind == "accepted" } == count + 2 }
        let names = try spool.journal().filter { $0.kind == "accepted" }.compactMap { $0.fields["name"] }.dropFirst()
        let edited = try #require(names.firstIndex(of: "edited"))
        #expect(edited < count / 2, "\(edited) jobs were accepted before it")
    }

    private func put(_ file: String, _ text: String, mode: mode_t, _ way: Way, _ spool: SpoolUnderTest) throws {
        let here = "\(spool.path)/new/\(file)"
        let elsewhere = "\(spool.base)/\(file)"
        switch way {
        case .rename: try spool.drop(file, text, mode: mode)
        case .link:
            try Files.write(elsewhere, text, mode: mode)
            try Files.link(elsewhere, here)
        case .copy:
            try Files.write(elsewhere, text, mode: mode)
            try Commands.succeed("cp", "-p", elsewhere, here)
        case .pieces:
            let open = try FileDescriptor.open(here, O_WRONLY | O_CREAT | O_EXCL, mode: mode)
            for byte in text.utf8 { try open.write([byte]) }
        case .unnamed:
            // open(2), O_TMPFILE: the file gets its name when it is complete, and no process sees it being closed under that
            // name.
            let open = try FileDescriptor.open("\(spool.path)/new", linux_o_tmpfile() | O_WRONLY, mode: mode)
            try open.write(Array(text.utf8))
            guard linkat(AT_FDCWD, "/proc/self/fd/\(open.raw)", AT_FDCWD, here, AT_SYMLINK_FOLLOW) == 0 else {
                throw SystemError(call: "linkat", path: here, errno: errno)
            }
        case .redirection:
            // A user of a shell has to set the mode first, because a script that is not executable is no job.
            let place = mode == 0o755 ? "\(spool.path)/tmp" : "\(spool.path)/new"
            let move = mode == 0o755 ? "chmod +x \"$1/$2\"; mv \"$1/$2\" \"$1/../new/$2\"" : ":"
            try Commands.succeed("sh", "-c", "printf %s \"$3\" > \"$1/$2\"; \(move)", "sh", place, file, text)
        }
    }

    /// Ways of putting a file into new/ that set its mode or its owner last.
    static let modeLast: [(way: String, script: String)] = [
        ("install", "install -m 755 \"$1\" \"$2\""),
        ("install by its own name", "install -m 755 -t \"$(dirname \"$2\")\" \"$1\""),
        ("redirection", "cat \"$1\" > \"$2\"; chmod +x \"$2\""),
        ("move", "mv \"$1\" \"$2\"; chmod +x \"$2\""),
        ("link", "ln \"$1\" \"$2\"; rm \"$1\"; chmod 755 \"$2\""),
        ("a wide mode", "cat \"$1\" > \"$2\"; chmod 777 \"$2\"; chmod 755 \"$2\" || test $(id -u) != 0"),
    ]

    @Test("A script that becomes executable in new/ runs, however it was put there", arguments: modeLast)
    func modeComesLast(_ way: (way: String, script: String)) throws {
        let spool = try SpoolUnderTest()
        var number = 0
        var inTime: [String] = []
        for _ in 1...15 {
            // The daemon waits for the mode for one second. A file whose shell took longer may be rejected, and then the shell fails, too.
            try withinMilliseconds(900) {
                number += 1
                let script = "\(spool.base)/s\(number)"
                try Files.write(script, "#!/bin/sh\necho hello\n")
                let began = MonotonicInstant.now()
                let result = try Commands.run("sh", "-c", way.script, "sh", script, "\(spool.path)/new/s\(number)")
                #expect(result.code == 0 || MonotonicInstant.now().milliseconds(since: began) >= 900, "\(result)")
            }
            inTime.append("s\(number)")
        }
        let jobs = try spool.ended(count: number)
        for name in inTime { #expect(jobs.filter { $0.string("name") == name }.map(\.outcome) == ["done 0"], "\(name): \(spool.log)") }
        #expect(try Files.list("\(spool.path)/new") == [])
    }

    @Test("A file in new/ stays there until install(1) has set its mode", arguments: ["644", "600", "755"])
    func install(_ mode: String) throws {
        let spool = try SpoolUnderTest()
        try Files.write("\(spool.base)/job.toml", "command = ['true']\n")
        // The daemon waits for the mode for 20 ms. install(1) may fail if it stands still for as long just before it sets the mode.
        let script = """
            for i in $(seq 100); do
              began=$(date +%s%N)
              install -m \(mode) "$1/job.toml" "$1/spool/new/j$i.toml" || [ $(($(date +%s%N) - began)) -gt 20000000 ] || exit
            done
            """
        try Commands.succeed("sh", "-c", script, "sh", spool.base)
        #expect(try spool.ended(count: 100).allSatisfy { $0.outcome == "done 0" })
    }

    @Test("A script that becomes executable while spoold starts runs, and one that does not is rejected")
    func modeAcrossStart() throws {
        // The daemon waits for the mode for one second.
        let spool = try withinMilliseconds(900) {
            let spool = try SpoolUnderTest(starting: false)
            try Files.write("\(spool.path)/new/never", "#!/bin/sh\n")
            for number in 1...20 {
                try Files.write("\(spool.path)/new/s\(number)", "#!/bin/sh\necho hello\n")
            }
            try spool.launch()
            for number in 1...20 { _ = chmod("\(spool.path)/new/s\(number)", 0o755) }
            return spool
        }
        try spool.notification("READY=1")
        #expect(try spool.end(of: "never").string("error")?.contains("not executable") == true)
        #expect(try spool.ended(count: 21).filter { $0.outcome == "done 0" }.count == 20)
    }

    @Test("Attack 15: a file that is still being written is left alone, and runs when it is closed")
    func openFile() throws {
        let spool = try SpoolUnderTest()
        let open = try FileDescriptor.open("\(spool.path)/new/slow.toml", O_WRONLY | O_CREAT, mode: 0o644)
        try open.write(Array("command = [\"echo\", ".utf8))
        // The daemon handles files in order, so when this job has ended it has examined the earlier file.
        #expect(try spool.runsOn("one"))
        #expect(Files.exists("\(spool.path)/new/slow.toml"))
        try open.write(Array("\"whole\"]\n".utf8))
        #expect(try spool.runsOn("two"))
        #expect(try spool.ended("slow").isEmpty)
        close(open.release())
        #expect(try spool.end(of: "slow").stdout == "whole\n")
    }

    @Test("Attack 15: a run of a task whose file is still being written waits for that")
    func openTask() throws {
        let spool = try SpoolUnderTest()
        let open = try FileDescriptor.open("\(spool.path)/tasks/slow.toml", O_WRONLY | O_CREAT, mode: 0o644)
        try open.write(Array("command = ['echo', 'whole']\n".utf8))
        try spool.drop("early.toml", "task = 'slow'")
        #expect(try spool.runsOn("one"))
        #expect(try spool.ended("early").isEmpty && Files.exists("\(spool.path)/new/early.toml"))
        close(open.release())
        #expect(try spool.end(of: "early").stdout == "whole\n")
    }

    @Test("Attack 15: a file that is being written while spoold starts is left alone too")
    func openAcrossStart() throws {
        let spool = try SpoolUnderTest(starting: false)
        let open = try FileDescriptor.open("\(spool.path)/new/slow.toml", O_WRONLY | O_CREAT, mode: 0o644)
        try open.write(Array("command = [\"echo\", ".utf8))
        try spool.start()
        #expect(try spool.runsOn("one"))
        try spool.restart()
        #expect(try spool.runsOn("two"))
        #expect(try spool.ended("slow").isEmpty)
        try open.write(Array("\"whole\"]\n".utf8))
        close(open.release())
        #expect(try spool.end(of: "slow").stdout == "whole\n")
    }

    @Test("Attack 16: a file linked in while its writer still has it open runs when the writer is done")
    func linkedWhileOpen() throws {
        let settings = try KernelSettings.kept()
        defer { withExtendedLifetime(settings) {} }
        let spool = try SpoolUnderTest()
        let elsewhere = "\(spool.base)/slow.toml"
        let open = try FileDescriptor.open(elsewhere, O_WRONLY | O_CREAT, mode: 0o644)
        try open.write(Array("command = [\"echo\", ".utf8))
        try Files.link(elsewhere, "\(spool.path)/new/slow.toml")
        #expect(try spool.runsOn("one"))
        #expect(try spool.ended("slow").isEmpty)
        try open.write(Array("\"whole\"]\n".utf8))
        close(open.release())
        #expect(try spool.end(of: "slow").stdout == "whole\n")
    }

    @Test("Twenty writers drop twenty files each at once, and every one runs exactly once")
    func manyWriters() throws {
        let settings = try KernelSettings.kept()
        defer { withExtendedLifetime(settings) {} }
        let spool = try SpoolUnderTest()
        let script = """
            i=0
            while [ $i -lt 20 ]; do
              f="$1/w$2-$i.toml"
              case $((i % 3)) in
                0) printf 'command = "echo w%s-%s >> %s/ran"\\n' "$2" $i "$3" > "$f";;
                1) printf 'command = "echo w%s-%s >> %s/ran"\\n' "$2" $i "$3" > "$1/../tmp/$2-$i"; mv "$1/../tmp/$2-$i" "$f";;
                2) printf 'command = "echo w%s-%s >> %s/ran"\\n' "$2" $i "$3" > "$1/../tmp/$2-$i"; ln "$1/../tmp/$2-$i" "$f";;
              esac
              i=$((i + 1))
            done
            """
        let writers = try (0..<20).map { try Commands.Running("sh", ["-c", script, "sh", "\(spool.path)/new", "\($0)", spool.out]) }
        for writer in writers { #expect(try writer.end().code == 0) }
        let jobs = try spool.ended(count: 400)
        #expect(jobs.count == 400)
        #expect(jobs.allSatisfy { $0.outcome == "done 0" })
        let expected = (0..<20).flatMap { writer in (0..<20).map { "w\(writer)-\($0)" } }
        #expect(try spool.linesNow("ran").sorted() == expected.sorted())
        #expect(try Files.list("\(spool.path)/new") == [])
    }

    @Test("A waiting file that is written again and again holds up nobody, and its last text counts")
    func rewritten() throws {
        let spool = try SpoolUnderTest()
        // The writer and the daemon open the file all the time. The daemon's lease must not kill the daemon or fail the writer.
        let script = """
            i=0
            while [ $i -lt 3000 ]; do printf 'start = "2099-01-01T00:00:00Z"\\ncommand = ["echo", "%s"]\\n' $i > "$1"; i=$((i + 1)); done
            printf 'command = ["echo", "last"]\\n' > "$1"
            """
        let result = try Commands.run("sh", "-c", script, "sh", "\(spool.path)/new/again.toml")
        #expect(result.code == 0 && result.error.isEmpty)
        let last = try spool.wait(for: "the last text to run") { try spool.jobs(in: "done", named: "again").first }
        #expect(try last.stdout == "last\n")
        #expect(try spool.ended("again").map { "\($0.outcome) \($0.error)" } == ["done 0 "])
        #expect(try spool.runsOn())
    }

    @Test("Files that are in new/ before spoold starts run when it starts")
    func before() throws {
        let spool = try SpoolUnderTest(starting: false)
        for index in 0..<5 { try spool.drop("early-\(index).toml", "command = [\"true\"]") }
        try spool.start()
        #expect(try spool.ended(count: 5).allSatisfy { $0.outcome == "done 0" })
    }

    @Test(
        "Names of work in progress are never touched",
        arguments: [".hidden.toml", "backup.toml~", "x.toml.tmp", "x.part", ".x.toml.swp", "x.lock", ".#x.toml", "x.swp"])
    func workInProgress(_ name: String) throws {
        let spool = try SpoolUnderTest()
        try spool.drop(name, "command = [\"true\"]")
        #expect(try spool.runsOn())
        try spool.restart()
        #expect(try spool.runsOn("after-restart"))
        #expect(try Files.list("\(spool.path)/new") == [name])
        #expect(try Files.text("\(spool.path)/new/\(name)") == "command = [\"true\"]")
        #expect(try spool.ended().count == 2)
    }

    @Test("A file with a name of work in progress becomes a job when it gets its final name")
    func finished() throws {
        let spool = try SpoolUnderTest()
        try Files.write("\(spool.path)/new/x.toml.part", "command = [\"echo\", \"finished\"]")
        #expect(try spool.runsOn())
        try Files.rename("\(spool.path)/new/x.toml.part", "\(spool.path)/new/x.toml")
        #expect(try spool.end(of: "x").stdout == "finished\n")
    }
}
