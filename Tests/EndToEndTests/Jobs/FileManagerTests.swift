// Jobs are controlled by moving, copying and removing plain files, as in a file manager.

import Documents
import Glibc
import Linux
import Testing

@Suite("Plain files as commands", .ownThreads)
struct FileManagerTests {
    private func busySpool() throws -> (SpoolUnderTest, Gate) {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let gate = try spool.gate()
        try spool.drop("first.toml", "command = 'echo > \(spool.out)/began; read x < \(gate.path)'")
        try spool.output("began")
        _ = try spool.onRecord("first")
        return (spool, gate)
    }

    @Test("N8: Attack 25: rm new/FILE withdraws a waiting job, with spoold up or down", arguments: [true, false])
    func withdraw(isUp: Bool) throws {
        let (spool, gate) = try busySpool()
        try spool.drop("job.toml", "command = 'touch \(spool.out)/ran'")
        try spool.logLine("event=accepted", "file=job.toml")
        if !isUp { try spool.crash() }
        try Files.remove("\(spool.path)/new/job.toml")
        if !isUp { try spool.start() }
        try spool.logLine("event=withdrawn", "-job-")
        try gate.release()
        #expect(try spool.runsOn())
        #expect(!Files.exists("\(spool.out)/ran"))
        #expect(try spool.ended("job").isEmpty && spool.jobs(in: "running").isEmpty)
    }

    @Test("N8: mv new/FILE elsewhere holds the job, and mv back releases it")
    func hold() throws {
        let (spool, gate) = try busySpool()
        try spool.drop("job.toml", "command = [\"echo\", \"ran\"]")
        try spool.logLine("event=accepted", "file=job.toml")
        try Files.rename("\(spool.path)/new/job.toml", "\(spool.base)/job.toml")
        try spool.logLine("event=withdrawn", "-job-")
        try gate.release()
        #expect(try spool.runsOn())
        try Files.rename("\(spool.base)/job.toml", "\(spool.path)/new/job.toml")
        #expect(try spool.end(of: "job").stdout == "ran\n")
    }

    @Test("Renaming a waiting file keeps the job under its new name, once")
    func rename() throws {
        let (spool, gate) = try busySpool()
        try spool.drop("old.toml", "command = 'echo ran >> \(spool.out)/ran'")
        try spool.logLine("event=accepted", "file=old.toml")
        try Files.rename("\(spool.path)/new/old.toml", "\(spool.path)/new/other.toml")
        try spool.logLine("event=accepted", "file=other.toml")
        try gate.release()
        #expect(try spool.end(of: "other").outcome == "done 0")
        #expect(try spool.runsOn())
        #expect(try spool.linesNow("ran") == ["ran"] && spool.ended("old").isEmpty)
    }

    enum Way: String, CaseIterable { case move, copy, copyWhileDown, moveWhileDown }

    @Test("N8: a record put back into new/ runs again, under a new id that is linked to the old", arguments: Way.allCases)
    func again(_ way: Way) throws {
        let spool = try SpoolUnderTest()
        try spool.drop("job.toml", "command = 'echo ran >> \(spool.out)/ran; cat; test -e \(spool.base)/fixed'\npayload = {n = 1}")
        let old = try spool.end(of: "job")
        #expect(old.outcome == "failed exit 1")
        try Files.write("\(spool.base)/fixed", "")
        let isDown = way == .copyWhileDown || way == .moveWhileDown
        if isDown { try spool.stop() }
        switch way {
        case .move, .moveWhileDown: try Files.rename(old.directory, "\(spool.path)/new/\(old.id)")
        case .copy: try spool.copyIntoNew(old.directory)
        case .copyWhileDown: try Commands.succeed("cp", "-r", old.directory, "\(spool.path)/new/")
        }
        if isDown { try spool.start() }
        let new = try spool.wait(for: "the second run") { try spool.jobs(in: "done", named: "job").first }
        #expect(new.id != old.id && new.string("retry_of") == old.id)
        #expect(new.outcome == "done 0" && new.attempt == 1)
        #expect(try new.stdout == "{\"n\":1}")
        #expect(try spool.linesNow("ran").count == 2)
        let kept = try spool.jobs(in: "failed", named: "job").map(\.id)
        #expect(kept == (way == .move || way == .moveWhileDown ? [] : [old.id]))
        #expect(try Files.list("\(spool.path)/new") == [])
    }

    @Test("Output and ends of earlier runs are kept beside those of the next one", arguments: Way.allCases)
    func earlierOutput(_ way: Way) throws {
        let spool = try SpoolUnderTest()
        let isDown = way == .copyWhileDown || way == .moveWhileDown
        func again(_ old: FoundJob) throws -> FoundJob {
            if isDown { try spool.stop() }
            switch way {
            case .move, .moveWhileDown: try Files.rename(old.directory, "\(spool.path)/new/\(old.id)")
            case .copy: try spool.copyIntoNew(old.directory)
            case .copyWhileDown: try Commands.succeed("cp", "-r", old.directory, "\(spool.path)/new/")
            }
            if isDown { try spool.start() }
            return try spool.wait(for: "another run") {
                try spool.jobs(in: "failed", named: "job").first { $0.string("retry_of") == old.id }
            }
        }
        try spool.drop("job.toml", "command = 'echo $SPOOL_JOB_ID $SPOOL_TRY; echo error >&2; exit 4'\ntries = 2\nbackoff = 0")
        let first = try spool.end(of: "job")
        let second = try again(first)
        let third = try again(second)
        #expect(third.attempt == 2 && third.integer("earlier_tries") == 4)
        #expect(
            try ["stdout.1", "stdout.2", "stdout.3", "stdout.4", "stdout.5", "stdout"].map { try third.text($0) }
                == [first, first, second, second, third, third].enumerated().map { "\($1.id) \($0 % 2 + 1)\n" })
        #expect(try third.text("stderr.4") == "error\n")
        #expect(
            try third.text("status.json.2").contains("\"id\":\"\(first.id)\"")
                && third.text("status.json.4").contains("\"id\":\"\(second.id)\""))
        #expect(try spool.ctl("logs", "--stdout", third.id, "--try", "1").output == "\(third.id) 1\n")
        #expect(try spool.ctl("logs", "--stdout", third.id).output == "\(third.id) 2\n")
        // retry writes a new record, and the old record stays.
        let fourth = try spool.ctl("retry", third.id).id
        #expect(try spool.ctl("wait", fourth).code == 4)
        #expect(try spool.jobs(in: "failed").first { $0.id == fourth }?.integer("earlier_tries") == 0)
    }

    /// The paths to which the directory of a running job is moved.
    static let strays = ["new/ID", "new/other", "done/ID", "failed/ID"]

    @Test(
        "A running job whose directory is moved within the spool is put back, continues to write there, and does not run again",
        arguments: strays, [true, false]
    )
    func movedWhileRunning(to target: String, isUp: Bool) throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop("job.toml", "command = 'echo ran >> \(spool.out)/ran; echo before; read x < \(gate.path); echo after'")
        _ = try spool.lines("ran", count: 1)
        let job = try spool.onRecord("job")
        let path = "\(spool.path)/\(target.replacing("ID", with: job.id))"
        if !isUp { try spool.crash() }
        try Files.rename(job.directory, path)
        if !isUp { try spool.start() }
        if isUp, !target.hasPrefix("new") {
            // The daemon notices this move only when the job ends.
        } else {
            try spool.logLine("event=moved", "id=\(job.id)", "put back into running/")
            let moved = "Somebody moved its directory to \(target.replacing("ID", with: job.id)); it was put back into running/"
            #expect(try spool.ctl("why", job.id).output.contains(moved))
        }
        try gate.release()
        let ended = try spool.wait(for: "its end") { try spool.jobs(in: "done", named: "job").first { $0.exitCode == 0 } }
        #expect(ended.id == job.id && ended.outcome == "done 0")
        #expect(try ended.stdout == "before\nafter\n")
        if !isUp || target.hasPrefix("new") { #expect(ended.string("moved")?.contains("put back") == true) }
        #expect(try spool.runsOn())
        try spool.restart()
        #expect(try spool.linesNow("ran") == ["ran"])
        for directory in ["new", "running"] { #expect(try Files.list("\(spool.path)/\(directory)") == []) }
        #expect(try spool.ended().count == 2)
    }

    @Test(
        "wait gives a job's own end, though its directory is moved to done/ or failed/ while it runs", arguments: ["done", "failed"],
        [true, false]
    )
    func waitedWhileMoved(to directory: String, isMovedFirst: Bool) throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop("job.toml", "command = 'echo ran >> \(spool.out)/ran; read x < \(gate.path); exit 3'")
        _ = try spool.lines("ran", count: 1)
        let job = try spool.onRecord("job")
        let move = { () throws in try Files.rename(job.directory, "\(spool.path)/\(directory)/\(job.id)") }
        if isMovedFirst { try move() }
        let waiter = try spool.startCtl(["wait", job.id])
        // The wait is longer than the time for which the daemon tolerates a directory without a status.
        let short = try spool.startCtl(["wait", "--timeout", "4s", job.id])
        if !isMovedFirst { try move() }
        let result = try short.end()
        #expect(result.code == 124, "it runs: \(result.errors)")
        try gate.release()
        #expect(try waiter.end().code == 3)
        let ended = try spool.wait(for: "its place") { try spool.job(job.id, in: "failed") }
        #expect(ended.outcome == "failed exit 3")
    }

    @Test("A copy of a running job's directory is another job, with spoold up or down", arguments: [true, false])
    func copiedWhileRunning(isUp: Bool) throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop("job.toml", "command = 'echo $SPOOL_JOB_ID; echo ran >> \(spool.out)/ran; read x < \(gate.path)'")
        _ = try spool.lines("ran", count: 1)
        let job = try spool.onRecord("job")
        if isUp {
            try spool.copyIntoNew(job.directory)
        } else {
            try spool.crash()
            try Commands.succeed("cp", "-r", job.directory, "\(spool.path)/new/")
            try spool.start()
        }
        _ = try spool.lines("ran", count: 2)
        try gate.release(2)
        let ended = try spool.ended("job", count: 2)
        #expect(try ended[0].id == job.id && ended[0].stdout == "\(job.id)\n")
        #expect(
            try ended[1].string("retry_of") == job.id && ended[1].text("stdout.1") == "\(job.id)\n"
                && ended[1].stdout == "\(ended[1].id)\n")
    }

    @Test("A running job whose directory is moved out of the spool gets a record that says so")
    func movedAway() throws {
        let (spool, gate) = try busySpool()
        let job = try spool.running("first")
        try Files.rename(job.directory, "\(spool.base)/elsewhere")
        try gate.release()
        let ended = try spool.end(of: "first")
        #expect(ended.outcome == "done 0" && ended.string("moved")?.contains("moved away while it was in use") == true)
        #expect(try spool.ctl("why", ended.id).output.contains("Its directory was removed or moved away"))
        #expect(try spool.runsOn())
    }

    @Test(
        "A job between two tries that is moved into another directory of the spool is put back", arguments: ["running", "failed"],
        [true, false]
    )
    func movedBetweenTries(to directory: String, isUp: Bool) throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let first = "echo > \(spool.out)/began; read x < \(gate.path); exit 1"
        try spool.drop("job.toml", "command = 'echo try $SPOOL_TRY; [ $SPOOL_TRY = 2 ] || { \(first); }'\ntries = 2\nbackoff = 0")
        try spool.output("began")
        // The pause keeps the second try from starting before the directory was moved.
        try Files.write("\(spool.path)/control/pause", "")
        try spool.logLine("event=paused")
        try gate.release()
        let waiting = try spool.wait(for: "the first try") { try spool.jobs(in: "new", named: "job").first { $0.attempt == 1 } }
        if !isUp { try spool.stop() }
        try Files.rename(waiting.directory, "\(spool.path)/\(directory)/\(waiting.id)")
        if !isUp { try spool.start() }
        try spool.wait(for: "it to be put back") { Files.exists(waiting.directory) }
        try Files.remove("\(spool.path)/control/pause")
        let ended = try spool.wait(for: "the second try") { try spool.jobs(in: "done", named: "job").first }
        #expect(try ended.id == waiting.id && ended.text("stdout.1") == "try 1\n" && ended.stdout == "try 2\n")
        #expect(try spool.runsOn())
    }

    @Test("N8: rm -r done/ID forgets a record, and spoold does not bring it back")
    func forget() throws {
        let spool = try SpoolUnderTest()
        let job = try spool.run("command = [\"true\"]")
        try Files.removeTree(job.directory)
        #expect(try spool.runsOn())
        try spool.restart()
        #expect(try spool.runsOn("after"))
        #expect(try spool.ended("job").isEmpty)
    }

    @Test("A running job whose directory is removed keeps a record")
    func removedWhileRunning() throws {
        let (spool, gate) = try busySpool()
        try Files.removeTree(try spool.running("first").directory)
        try gate.release()
        #expect(try spool.end(of: "first").outcome == "done 0")
        #expect(try spool.runsOn())
    }

    @Test("Attack 74: a directory of the spool that somebody removes is made again", arguments: ["done", "failed"])
    func removedDirectory(_ directory: String) throws {
        let spool = try SpoolUnderTest()
        try Files.removeTree("\(spool.path)/\(directory)")
        try spool.drop("job.toml", directory == "done" ? "command = [\"true\"]" : "comand = 1")
        try spool.logLine(directory == "done" ? "event=ended" : "event=rejected")
        try spool.drop("other.toml", "command = 'echo > \(spool.out)/other'")
        try spool.output("other")
        try spool.restart()
        #expect(try Files.list("\(spool.path)/\(directory)").isEmpty == false)
    }

    static let pauses: [(file: String, job: String)] = [
        ("pause", "command = [\"true\"]"), ("pause@slow", "command = [\"true\"]\nqueue = \"slow\""), ("pause-t", "task = \"t\""),
    ]

    @Test("N8: a pause file pauses everything, a queue or a task, also across a restart; removing it resumes", arguments: pauses)
    func pause(_ row: (file: String, job: String)) throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = [\"true\"]")
        try Files.write("\(spool.path)/control/\(row.file)", "because")
        try spool.logLine("event=paused", "scope=\(row.file)", "note=because")
        try spool.drop("held.toml", row.job)
        try spool.logLine("event=accepted", "file=held.toml")
        if row.file != "pause" { #expect(try spool.runsOn(), "others go on") }
        try spool.restart()
        #expect(try spool.ended("held").isEmpty)
        if row.file != "pause" { #expect(try spool.runsOn("others-after")) }
        #expect(try spool.ended("held").isEmpty)
        try Files.remove("\(spool.path)/control/\(row.file)")
        #expect(try spool.end(of: "held").outcome == "done 0")
    }

    @Test("A pause file that is removed while spoold is down pauses nothing")
    func pauseLiftedWhileDown() throws {
        let spool = try SpoolUnderTest()
        try Files.write("\(spool.path)/control/pause", "")
        try spool.logLine("event=paused")
        try spool.drop("held.toml", "command = [\"true\"]")
        try spool.logLine("event=accepted")
        try spool.stop()
        try Files.remove("\(spool.path)/control/pause")
        try spool.start()
        #expect(try spool.end(of: "held").outcome == "done 0")
    }

    static let requests: [(text: String, code: Int)] = [
        ("{\"do\": \"cancel\", \"id\": \"20260101T000000.000Z-none-abcd\"}", 3),
        ("{\"do\": \"fly\", \"id\": \"20260101T000000.000Z-none-abcd\"}", 4),
        ("{\"do\": \"cancel\", \"ids\": [\"20260101T000000.000Z-none-abcd\"]}", 3), ("{\"do\": \"cancel\", \"ids\": [\"../new\"]}", 4),
        ("{\"do\": \"cancel\", \"ids\": []}", 4), ("{\"do\": \"cancel\", \"ids\": [7]}", 4),
        ("{\"do\": \"extend\", \"ids\": [\"20260101T000000.000Z-none-abcd\"], \"by\": 0}", 4),
        ("{\"do\": \"cancel\"}", 4), ("not json", 4), ("[]", 4), ("", 4), ("{\"do\": 1, \"id\": 2}", 4),
    ]

    @Test("Every request is answered and removed, however wrong it is", arguments: requests)
    func request(_ row: (text: String, code: Int)) throws {
        let spool = try SpoolUnderTest()
        try spool.define("control/x.request", row.text)
        let answer = try spool.wait(for: "the answer") {
            try Files.exists("\(spool.path)/control/x.answer")
                && !Files.exists("\(spool.path)/control/x.request") ? Files.text("\(spool.path)/control/x.answer") : nil
        }
        #expect(answer.contains("\"code\":\(row.code),"))
        #expect(try spool.runsOn())
    }

    @Test("cancel withdraws a waiting job into failed/, and stops one that runs with its stop signal")
    func cancel() throws {
        let (spool, gate) = try busySpool()
        try spool.drop("job.toml", "command = [\"true\"]")
        try spool.logLine("event=accepted", "file=job.toml")
        let id = try #require(try spool.journal().last { $0.kind == "accepted" }?.fields["id"])
        try spool.define("control/1.request", "{\"do\": \"cancel\", \"id\": \"\(id)\"}")
        let waiting = try spool.end(of: "job")
        #expect(waiting.outcome == "failed canceled" && waiting.attempt == 0)
        let running = try spool.running("first").id
        try spool.define("control/2.request", "{\"do\": \"cancel\", \"id\": \"\(running)\"}")
        let stopped = try spool.end(of: "first")
        #expect(stopped.outcome == "failed canceled" && stopped.integer("signal") == Int(SIGTERM))
        try gate.release()
        #expect(try spool.runsOn())
    }

    @Test("kill sends the signal that is named; SIGKILL when none is")
    func kill() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop(
            "job.toml", "command = '\(gate.waiting(trap: "USR1", "echo got it; exit 7", ready: "echo > \(spool.out)/began"))'")
        try spool.output("began")
        try spool.define("control/1.request", "{\"do\": \"kill\", \"id\": \"\(try spool.running("job").id)\", \"signal\": \(SIGUSR1)}")
        let job = try spool.end(of: "job")
        #expect(job.outcome == "failed exit 7")
        #expect(try job.stdout == "got it\n")
        try spool.drop(
            "hard.toml", "command = 'trap \"\" TERM INT; echo > \(spool.out)/hard; while :; do read x < \(gate.path); done'\ntries = 3")
        try spool.output("hard")
        try spool.define("control/2.request", "{\"do\": \"kill\", \"id\": \"\(try spool.running("hard").id)\"}")
        let hard = try spool.end(of: "hard")
        #expect(hard.outcome == "failed signal" && hard.integer("signal") == Int(SIGKILL))
        #expect(hard.attempt == 1, "who kills a job does not want it tried again")
    }
}
