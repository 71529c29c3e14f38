import CLinux
import Documents
import Glibc
import Linux
import Testing

/// Jobs of another user that put links, FIFOs and directories into their own job directory to mislead root.
@Suite(.enabled(if: geteuid() == 0, "only root's jobs run as another user")) struct HostileJobTests {
    enum Plant: String, CaseIterable { case symlink, hardLink, fifo, directory }

    /// Every name that the daemon, its worker or spoolctl reads or writes there.
    static let names = [
        "status.json", "status.json.tmp", "result", "progress", "extend", "payload", "script", "stdout", "stderr", "environment", "stdin",
    ]

    /// A file of root with content that would be valid as a result, as progress and as a status.
    static let secret = "{\"fraction\": 0.5, \"message\": \"hush\", \"state\": \"done\", \"id\": \"hush\"}\n"

    @Test(
        "U3: Attacks 1, 2, 3, 8: links and FIFOs as a job's files lead nowhere, stop nobody (CVE-2010-0792, CVE-2014-3537, CVE-2024-35235)",
        arguments: Plant.allCases
    )
    func plants(_ plant: Plant) throws {
        let spool = try UserTests.spool()
        let canary = "\(spool.base)/canary"
        try Files.write(canary, Self.secret, mode: 0o600)
        let gate = try spool.gate()
        #expect(chmod(gate.path, 0o666) == 0)
        try spool.drop(
            "job.toml", """
            command = 'echo $SPOOL_TRY >>\(spool.out)/begun; read x <\(gate.path)'
            directory = "/"
            user = "games"
            payload = {a = 1}
            tries = 2
            backoff = 0
            success = [1]
            timeout = "1h"
            output_limit = "64K"
            """)
        for attempt in 1...2 {
            _ = try spool.lines("begun", count: attempt)
            let id = try #require(try Files.list("\(spool.path)/running").first)
            let directory = "\(spool.path)/running/\(id)"
            for name in Self.names { try Self.plant(plant, "\(directory)/\(name)", canary) }
            // root's commands while the job runs.
            let extend = try spool.ctl("extend", "1h", id)
            #expect(extend.code == 1, "\(extend.output)\(extend.errors)")
            _ = try spool.ctl("logs", id)
            _ = try spool.ctl("status", id)
            try gate.release()
        }
        let job = try spool.wait(for: "the end") { () -> String? in
            try ["done", "failed"].flatMap { place in try Files.list("\(spool.path)/\(place)").map { "\(place)/\($0)" } }.first
        }
        #expect(try spool.runsOn("next-of-root"))
        let next = try spool.run("command = \"id -un\"\nuser = \"games\"\ndirectory = \"/\"", as: "next")
        #expect(try next.stdout == "games\n", "\(next.error)")
        // The file was not changed, given away or shown.
        #expect(try Files.text(canary) == Self.secret)
        let status = try Files.status(canary)
        #expect(status.owner == 0 && status.mode == 0o600)
        let directory = "\(spool.path)/\(job)"
        let record = try Files.status("\(directory)/status.json")
        #expect(record.kind == .file && record.owner == 5 && record.links == 1)
        #expect(try !Files.text("\(directory)/status.json").contains("hush"))
        for command in ["status", "why"] {
            #expect(try !spool.ctl(command, String(job.split(separator: "/")[1])).output.contains("hush"), "\(command)")
        }
        // root can remove such a record, and removes nothing beside it.
        #expect(try spool.ctl("prune", "--older-than", "0s").code == 0)
        #expect(!Files.exists(directory))
        #expect(try Files.text(canary) == Self.secret)
        #expect(try spool.stop() == 0)
    }

    private static func plant(_ plant: Plant, _ path: String, _ canary: String) throws {
        // The daemon and the worker write these names, too, so this repeats until neither interferes.
        while true {
            do {
                if Files.exists(path) { try Files.removeTree(path) }
            } catch let error as SystemError where error.errno == ENOENT {
                continue
            }
            let failure: Int32 =
                switch plant {
                case .symlink: Glibc.symlink(canary, path) == 0 ? 0 : errno
                // root can link the file, as everybody can where fs.protected_hardlinks is off.
                case .hardLink: Glibc.link(canary, path) == 0 ? 0 : errno
                case .fifo: mkfifo(path, 0o600) == 0 ? 0 : errno
                case .directory: mkdir(path, 0o700) == 0 ? 0 : errno
                }
            if failure == EEXIST { continue }
            guard failure == 0 else { throw SystemError(call: "plant", path: path, errno: failure) }
            break
        }
        // The daemon may have removed it already.
        if plant == .directory { _ = mkdir("\(path)/more", 0o700) }
        if plant == .directory || plant == .fifo { _ = lchown(path, 5, 60) }
    }

    @Test("U3: Attack 18: a job's file that its user overwrites never runs as root: not after a crash, nor by mv, cp -r or retry")
    func rewrittenFile() throws {
        let spool = try UserTests.spool()
        let gate = try spool.gate()
        #expect(chmod(gate.path, 0o666) == 0)
        let evil = "command = \"id -un >>\(spool.out)/evil\"\n"
        try Files.write("\(spool.out)/evil.toml", evil)
        let first = """
            cp \(spool.out)/evil.toml $SPOOL_JOB_DIR/x; mv -f $SPOOL_JOB_DIR/x $SPOOL_JOB_DIR/job.toml; echo >\(spool.out)/written; read x \
            <\(gate.path); exit 3
            """
        try spool.drop("job.toml", "command = '\(first)'\nuser = \"games\"\ndirectory = \"/\"")
        try spool.output("written")
        try spool.crash()
        try spool.start()
        try gate.release()
        let job = try spool.end(of: "job")
        #expect(job.outcome == "failed exit 3")
        // The daemon restored root's file after the crash. The test now changes the file once more, after the job's end.
        try Self.rewrite("\(job.directory)/job.toml", evil)
        let retry = try spool.ctl("retry", job.id)
        #expect(retry.code == 1 && retry.errors.contains("belongs to user 5"), "\(retry.errors)")
        try spool.copyIntoNew(job.directory)
        let copied = try spool.wait(for: "the copy's rejection") { try spool.jobs(in: "failed").first { $0.reason == "rejected" } }
        #expect(copied.error.contains("belongs to user 5"), "\(copied.error)")
        try Files.rename(job.directory, "\(spool.path)/new/\(job.id)")
        try spool.logLine("event=ignored", "new/\(job.id)", "belongs to user 5")
        // A file that another user owns does not run either.
        try spool.drop("dropped.toml", "command = [\"true\"]")
        #expect(try spool.end(of: "dropped").outcome == "done 0")
        try Self.rewrite("\(spool.path)/tmp/foreign.toml", evil)
        try Files.rename("\(spool.path)/tmp/foreign.toml", "\(spool.path)/new/foreign.toml")
        #expect(try spool.runsOn())
        #expect(Files.exists("\(spool.path)/new/foreign.toml") && Files.exists("\(spool.path)/new/\(job.id)/job.toml"))
        #expect(try spool.linesNow("evil") == [])
    }

    private static func rewrite(_ path: String, _ text: String) throws {
        if Files.exists(path) { try Files.remove(path) }
        try Files.write(path, text)
        guard chown(path, 5, 60) == 0 else { throw SystemError(call: "chown", path: path, errno: errno) }
    }

    @Test("U3: an untouched record of another user's job runs again as that user: by retry, by mv and by cp -r")
    func again() throws {
        let spool = try UserTests.spool()
        let job = try spool.run("command = \"id -un; cat\"\npayload = 1\nuser = \"games\"\ndirectory = \"/\"")
        #expect(try job.stdout == "games\n1", "\(job.error)")
        #expect(try spool.ctl("retry", "-w", job.id).code == 0)
        try spool.copyIntoNew(job.directory)
        #expect(try spool.ended("job", count: 3).allSatisfy { try $0.stdout == "games\n1" })
        try Files.rename(job.directory, "\(spool.path)/new/\(job.id)")
        let all = try spool.wait(for: "the fourth") { () -> [FoundJob]? in
            let others = try spool.ended("job").filter { $0.id != job.id }
            return others.count == 3 ? others : nil
        }
        #expect(try all.allSatisfy { try $0.stdout == "games\n1" && Files.status($0.directory).owner == 5 })
    }

    @Test("U3: a record is removed when its time is up, even while a process of its user adds files to it")
    func growing() throws {
        let spool = try UserTests.spool()
        // The process ends when it cannot create another file.
        let grow = """
            (cd $SPOOL_JOB_DIR; mkdir -p a/b; cd a/b; while true >f$i; do i=x$i; [ ${#i} -lt 200 ] || i=; mkdir -p d$i || break; done; : \
            >\(spool.out)/over) >/dev/null 2>&1 &
            """
        try spool.drop("job.toml", "command = '\(grow)'\nuser = \"games\"\ndirectory = \"/\"\nkeep = \"10ms\"")
        try spool.logLine("forgotten", "-job-")
        try spool.output("over")
        #expect(try spool.runsOn())
        #expect(try spool.ended("job").isEmpty)
    }

    @Test("U3: a user's directory in new/ with the status of root's job never becomes that job's directory")
    func forgedStray() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let gate = try spool.gate()
        try spool.drop(
            "job.toml", """
            script = 'echo $SPOOL_TRY >>\(spool.out)/begun; [ $SPOOL_TRY = 2 ] || read x <\(gate.path); exit 3'
            tries = 2
            backoff = 0
            """)
        try spool.lines("begun", count: 1)
        let job = try spool.onRecord("job")
        try Files.write("\(spool.out)/status.json", try Files.text("\(job.directory)/status.json"), mode: 0o644)
        try Files.rename(job.directory, "\(spool.base)/away")
        let forged = "\(spool.path)/new/\(job.id)"
        try TestUser.games.shell(
            """
            mkdir \(forged) && cp \(spool.out)/status.json \(forged) && echo 'echo evil >>\(spool.out)/begun' >\(forged)/script && \
            chmod -R a+rwX \(forged)
            """)
        try gate.release()
        let end = try spool.end(of: "job")
        #expect(end.outcome == "failed exit 3", "\(spool.log)")
        #expect(try spool.linesNow("begun") == ["1", "2"])
        #expect(try Files.status(end.directory).owner == 0)
        #expect(try Files.status(forged).owner == TestUser.games.id)
    }

    @Test("U3: a user who stops their own worker stops nobody else, and cancel ends the run")
    func stoppedWorker() throws {
        let spool = try UserTests.spool()
        try spool.drop("job.toml", "command = 'kill -STOP $PPID; echo >\(spool.out)/stopped'\nuser = \"games\"\ndirectory = \"/\"")
        try spool.output("stopped")
        #expect(try spool.runsOn())
        let running = try spool.running("job")
        #expect(try spool.ctl("cancel", running.id).code == 0)
        _ = try spool.end(of: "job")
        #expect(try spool.run("command = [\"true\"]\nuser = \"games\"\ndirectory = \"/\"", as: "after").outcome == "done 0")
    }

    @Test("U3: Attack 33: a run that reaches its user's process limit fails and reports it")
    func processLimit() throws {
        let spool = try UserTests.spool()
        // The limit counts all processes of a user, so the test takes a user id that nobody else has.
        let keys = "user = 64117\ngroup = 64117\ndirectory = \"/\"\nlimits = {nproc = 1}"
        let job = try spool.run("command = \"(true) && true\"\n\(keys)")
        #expect(job.place == "failed", "\(job.outcome)")
        #expect(try job.error.contains("Resource temporarily unavailable") || job.stderr.contains("fork"), "\(job.error)")
        #expect(try spool.runsOn())
    }
}
