// The programs run under load and are killed at random moments. Afterwards the test counts: no job is lost, none runs twice.

import CLinux
import Glibc
import Linux
import TestSupport
import Testing

@Suite("Crashes", .ownThreads)
struct CrashTests {
    /// The number of kills. `SPOOLD_KILLS` sets it for a long test.
    static let kills = getenv("SPOOLD_KILLS").flatMap { Int(String(cString: $0)) } ?? 8

    enum Victims: String, CaseIterable { case daemon, workers, both }

    @Test(
        "Killed at random moments under load: no due time, no drop, no cancel is lost, and no try begins twice", arguments: Victims.allCases
    )
    func random(_ victims: Victims) throws {
        let spool = try SpoolUnderTest()
        let load = try Load(spool)
        for task in Load.tasks { try load.define(task, isScheduled: true) }
        var random = SystemRandomNumberGenerator()
        for _ in 1...Self.kills {
            try load.goOn()
            // Waits for a number of changes in the spool, so that the kill falls into the midst of the work on a machine of any
            // speed.
            try spool.someChanges(Int.random(in: 0...60, using: &random))
            try spool.killSome(victims, using: &random)
            if spool.daemon?.hasEnded == true {
                spool.forgetNotifications()
                // Every other daemon may be killed again before it is ready.
                if Bool.random(using: &random) { try spool.start() } else { try spool.launch() }
            }
        }
        try load.expectNothingLost(mayBeLost: victims != .daemon)
        if Self.kills > 8 { print("\(victims): \(Self.kills) kills, \(try load.figures())") }
    }

    @Test("The daemon, its standby and workers killed at random moments: nothing is lost, and no try begins twice")
    func standbys() throws {
        let spool = try SpoolUnderTest()
        let load = try Load(spool)
        for task in Load.tasks { try load.define(task, isScheduled: true) }
        var random = SystemRandomNumberGenerator()
        var pair = [try #require(spool.daemon), try spool.standby()]
        for _ in 1...Self.kills {
            try load.goOn()
            try spool.someChanges(Int.random(in: 0...60, using: &random))
            if Bool.random(using: &random) { try spool.killSome(.workers, using: &random) }
            spool.forgetNotifications()
            // Either daemon may be the one that serves: the one that holds the lock.
            pair.shuffle(using: &random)
            let killsBoth = Int.random(in: 0..<4, using: &random) == 0
            for victim in killsBoth ? pair : [pair[0]] {
                victim.kill(SIGKILL)
                #expect(victim.exitCode() == 128 + SIGKILL)
            }
            let first = killsBoth ? try spool.spoold("--standby") : pair[1]
            pair = [first, try spool.spoold("--standby")]
            if spool.daemon?.hasEnded == true { spool.lead(first) }
        }
        // The serving daemon may end first or last.
        for daemon in pair.shuffled(using: &random) {
            daemon.kill(SIGTERM)
            #expect(daemon.exitCode() != nil)
        }
        try spool.start()
        try load.expectNothingLost(mayBeLost: true)
        if Self.kills > 8 { print("standby: \(Self.kills) kills, \(try load.figures())") }
    }

    @Test(
        "Root's daemon, a user's daemon and workers killed at random moments: nothing is lost, and no try begins twice",
        .enabled(if: TestUser.areHere, TestUser.reason))
    func everybody() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let user = TestUser.games
        try user.shell("mkdir -m 700 \(spool.path)/tasks/\(user.name)")
        try spool.logLine("event=started", "user=\(user.name)")
        spool.part = user.name
        try spool.watchAll()
        let load = try Load(spool, as: user)
        for task in Load.tasks { try load.define(task, isScheduled: true) }
        var random = SystemRandomNumberGenerator()
        for _ in 1...Self.kills {
            try load.goOn()
            try spool.someChanges(Int.random(in: 0...60, using: &random))
            let daemons = Processes.userDaemons(ofSpool: spool.whole)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: for daemon in daemons { kill(daemon, SIGKILL) }
            case 1: try spool.killSome(.workers, using: &random)
            case 2: try spool.killSome(.both, using: &random)
            default:
                try spool.killSome(.daemon, using: &random)
                for daemon in daemons { kill(daemon, SIGKILL) }
            }
            guard spool.daemon?.hasEnded == true else { continue }
            spool.forgetNotifications()
            if Bool.random(using: &random) { try spool.start() } else { try spool.launch() }
        }
        try load.expectNothingLost(mayBeLost: true)
        if Self.kills > 8 { print("everybody: \(Self.kills) kills, \(try load.figures())") }
    }
}

/// Tasks that are due each second, and programs that drop, submit, edit and cancel jobs, one round at a time.
private struct Load {
    static let tasks = [
        (name: "fail-each", keys: "on_crash = \"fail\"\noverlap = \"allow\"", argument: "long"),
        (name: "retry-each", keys: "on_crash = \"retry\"\noverlap = \"queue\"\nbackoff = \"1ms\"", argument: "long"),
        (name: "retry-once", keys: "on_crash = \"retry\"\noverlap = \"allow\"\ntries = 2\nbackoff = \"1ms\"", argument: "once"),
    ]

    let spool: SpoolUnderTest
    let job: String
    /// The user who does all this, when the spool is root's for everybody.
    private let user: TestUser?
    private let clients: [Commands.Running]
    private let gates: [Gate]

    /// Each program does one round of its loop for each line that it reads.
    private static let programs = [
        "drop": """
            for rule in fail retry; do
              for size in short long; do
                printf 'command = ["%s", "%s"]\\non_crash = "%s"\\nbackoff = "1ms"\\n' "$job" $size $rule > "$spool/tmp/drop"
                mv "$spool/tmp/drop" "$spool/new/$rule-$size-$i.toml"
                echo $rule-$size-$i >> "$out/dropped"
              done
            done
            """,
        "submit": """
            id=$("$ctl" submit --name retry-sent-$i --on-crash retry --backoff 1ms -- "$job") && echo "$id" >> "$out/sent"
            """,
        // A job that begins before the cancel has run, or is stopped. A job that still waited must never begin.
        "cancel": """
            id=$("$ctl" submit --name fail-cancel-$i --in 300ms -- "$job") &&
              case $("$ctl" cancel "$id") in *": canceled") echo "$id" >> "$out/canceled" ;; esac
            """,
        "edit": """
            for task in fail-each retry-each; do
              sed "s/^description.*/description = \\"edit $i\\"/" "$spool/tasks/$task.toml" > "$spool/tmp/edit"
              mv "$spool/tmp/edit" "$spool/tasks/$task.toml"
            done
            """,
    ]

    init(_ spool: SpoolUnderTest, as user: TestUser? = nil) throws {
        self.spool = spool
        self.user = user
        job = try spool.makeCountingJob()
        let variables = ["job": job, "spool": spool.path, "out": spool.out, "ctl": "\(SpoolUnderTest.programs)/spoolctl"]
        var clients: [Commands.Running] = []
        var gates: [Gate] = []
        for (name, program) in Self.programs {
            let gate = try spool.gate(name)
            if user != nil { chmod(gate.path, 0o666) }
            let loop = "exec 3< '\(gate.path)'; i=0; while read go <&3 && [ \"$go\" = go ]; do i=$((i + 1))\n\(program)\ndone"
            let environment = spool.environment + variables.map { "\($0.key)=\($0.value)" }
            clients.append(
                try user?.start("sh", ["-c", loop], environment: environment)
                    ?? Commands.Running("sh", ["-c", loop], environment: environment))
            gates.append(gate)
        }
        self.clients = clients
        self.gates = gates
    }

    func text(of task: (name: String, keys: String, argument: String), isScheduled: Bool) -> String {
        let schedule = "[[schedule]]\nid = \"each\"\ncron = \"* * * * * *\"\ncatch_up = \"all\"\n"
        return "description = \"edit 0\"\ncommand = [\"\(job)\", \"\(task.argument)\"]\n\(task.keys)\n\(isScheduled ? schedule : "")"
    }

    /// Defines a task and waits until spoold has read it.
    func define(_ task: (name: String, keys: String, argument: String), isScheduled: Bool) throws {
        let text = text(of: task, isScheduled: isScheduled)
        guard let user else { return try spool.acceptedTask(task.name, text) }
        let seen = spool.logLength
        let draft = "\(spool.path)/tmp/definition"
        try user.shell("cat > \(draft) <<'END'\n\(text)\nEND\nmv \(draft) \(spool.path)/tasks/\(task.name).toml")
        try spool.logLine("event=defined", "file=tasks/\(task.name)", after: seen)
    }

    /// Lets every client do one more round.
    func goOn() throws { for gate in gates { try gate.release() } }

    /// Waits until every client has done all its rounds.
    func end() throws {
        for gate in gates { try gate.release(1, "end") }
        for client in clients { _ = try client.end() }
    }

    /// Ends the clients and the tasks, waits until all jobs have ended, and counts them.
    func expectNothingLost(mayBeLost: Bool) throws {
        // On a fast machine, less than a second may have passed.
        for task in Load.tasks {
            try spool.wait(for: "a due time of \(task.name)") {
                try spool.journal().contains { $0.kind == "accepted" && $0.fields["task"] == task.name && $0.fields["schedule"] != nil }
            }
        }
        try end()
        try spool.stop()
        try spool.start()
        for task in Load.tasks { try define(task, isScheduled: false) }
        try spool.wait(for: "nothing to wait or run") { try spool.isEmptied }
        try spool.stop()
        let faults = try spool.faults(
            dropped: spool.linesNow("dropped"), acknowledged: spool.linesNow("sent"), canceled: spool.linesNow("canceled"),
            mayBeLost: mayBeLost)
        #expect(faults.isEmpty, "\(spool.failure(faults.joined(separator: "\n")))")
        for task in Load.tasks {
            let dues = try spool.dueSeconds(of: task.name)
            let first = try #require(dues.first)
            let last = try #require(dues.last)
            #expect(dues == Array(first...last), "\(spool.failure("each second once"))")
        }
        let another = try spool.faultsOfAnotherStart()
        #expect(another.isEmpty, "\(spool.failure(another.joined(separator: "\n")))")
    }

    func figures() throws -> String {
        let runs = try spool.linesNow("runs").filter { $0.hasPrefix("began") }.count
        let ended = try spool.ended()
        let lost = ended.filter { $0.reason == "lost" }.count
        let dues = ended.filter { $0.string("schedule") != nil }.count
        let counts = try ["dropped", "sent", "canceled"].map { "\(try spool.linesNow($0).count) \($0)" }.joined(separator: ", ")
        return "\(ended.count) jobs ended (\(lost) lost by name), \(runs) runs, \(dues) due seconds, \(counts)"
    }
}

extension SpoolUnderTest {
    /// Waits for this number of events in the spool's directories. A daemon with tasks that are due each second causes them.
    func someChanges(_ count: Int) throws {
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        var events: [InotifyEvent] = []
        _ = try inotify.readEvents(into: &events)
        events.removeAll()
        while events.count < count {
            guard daemon?.hasEnded == false else { throw failure("spoold ended by itself") }
            guard awaitReadable([inotify.descriptor.raw], until: end) else { throw failure("nothing happens in the spool") }
            _ = try inotify.readEvents(into: &events)
        }
    }

    /// Sends SIGKILL to the daemon, to some of the workers, or to both in any order.
    fileprivate func killSome(_ victims: CrashTests.Victims, using random: inout some RandomNumberGenerator) throws {
        var workers = victims == .daemon ? [] : Processes.workers(ofSpool: path)
        // Leaves out children that a worker has forked and that are about to become a job's command.
        let all = Set(workers)
        workers.removeAll { pid in ((try? ProcessStatus.read(pid)).map { all.contains($0.parent) }) ?? true }  // gone
        let isDaemonFirst = Bool.random(using: &random)
        if victims != .workers, isDaemonFirst { try crash() }
        let killsAll = victims == .both || Bool.random(using: &random)
        for worker in killsAll ? workers : Array(workers.shuffled(using: &random).prefix(1)) { kill(worker, SIGKILL) }
        if victims != .workers, !isDaemonFirst { try crash() }
    }
}
