// What executors do before they ask any engine: lines that they cannot use, and start marks.

import Glibc
import Linux
import TestSupport
import Testing

@Suite("Lines of executors", .ownThreads)
struct ExecutorLineTests {
    static let executors = ["slurm", "ssh", "kubernetes"].filter { $0 != "ssh" || Commands.has("ssh") }

    @Test("A job that an executor cannot read is refused with the reason, not left without an answer", arguments: executors)
    func refused(executor: String) throws {
        let calls = try RemoteCalls(executor)
        let bad = try calls.job("true", ["arguments": "[]"])
        let other = try calls.job("true", ["resources": #"{"cpus":-1}"#])
        let outcome = try calls.submit(bad, other)
        #expect(outcome.answer(bad)?.text("error") == "refused" && outcome.answer(bad)?.text("message") == "arguments names no command")
        #expect(outcome.answer(other)?.text("error") == "refused" && outcome.answer(other)?.number("try") == 1, "\(outcome)")
    }

    @Test("For a verb that asks, such a line has no answer", arguments: executors)
    func unanswered(executor: String) throws {
        let calls = try RemoteCalls(executor)
        let job = try calls.job("true")
        #expect(try calls.order("poll", job, [("directory", "5")]).answers.isEmpty)
    }

    @Test("logs says that it can be called again, though the engine does not answer, where it brings output", arguments: executors)
    func logsCanBeCalledAgain(executor: String) throws {
        let calls = try RemoteCalls(executor)
        let job = try calls.job("true")
        let place = executor == "kubernetes" ? "team s-job-1 tag\n" : "nowhere.invalid \(job.id).1.00000000 home - 0\n"
        try Files.write("\(job.directory)/place.1", place)
        let outcome = try calls.end(calls.start("logs", calls.items([job])))
        #expect(outcome.code == (executor == "slurm" ? 2 : 0) && outcome.answers.isEmpty, "\(outcome)")
        #expect(outcome.errors.isEmpty == (executor == "slurm"), "\(outcome)")
    }

    @Test("A call that has no time left submits nothing, and says so", arguments: executors)
    func noTime(executor: String) throws {
        let calls = try RemoteCalls(executor)
        calls.callMilliseconds = 1
        let members = ["hosts": #"["nowhere.invalid"]"#, "executor_args": executor == "kubernetes" ? #"["--image=i"]"# : "[]"]
        let jobs = [try calls.job("true", members), try calls.job("true", members)]
        let outcome = try calls.submit(jobs[0], jobs[1])
        for job in jobs {
            #expect(outcome.answer(job)?.text("error") == "later", "\(outcome)")
            #expect(!Files.exists("\(job.directory)/place.1"))
        }
    }

    @Test("Whoever ends the process group of a call ends the engine's programs too", arguments: ["slurm", "kubernetes"])
    func endedWithTheGroup(executor: String) throws {
        let engine = try HangingEngine(executor, "sleep 1000")
        let call = try engine.poll()
        try engine.awaitStart()
        kill(-call.child.pid, SIGKILL)
        try engine.awaitEndOfAll()
        #expect(try engine.calls.end(call).code == 128 + SIGKILL)
    }

    @Test("A program that outlasts its time ends, and what it has started ends with the call", arguments: ["slurm", "kubernetes"])
    func outlastsItsTime(executor: String) throws {
        let engine = try HangingEngine(executor, "sleep 1000 & trap '' TERM; wait")
        engine.calls.callMilliseconds = 1500
        let call = try engine.poll()
        try engine.awaitStart()
        let outcome = try engine.calls.end(call)
        #expect(outcome.code == 1 && outcome.answers.isEmpty, "\(outcome)")
        try engine.awaitEndOfAll()
    }

    /// The marks that are there before the cancel, and the end mark after it.
    static let canceled: [(there: [String], end: String?)] = [
        ([], #"{"never_began":true}"#),
        // A call was killed before its mark had its name, or between that and the end.
        ([".started.1.new", ".started.1.new/canceled"], #"{"never_began":true}"#),
        (["started.1", "started.1/canceled"], #"{"never_began":true}"#),
        // The wrapper's mark, which may have nothing in it yet.
        (["started.1"], nil),
        (["started.1", "started.1/host", ".started.1.new"], nil),
    ]

    @Test("A cancel that comes before the wrapper keeps the run from beginning, also when a call was killed in it", arguments: canceled)
    func keptFromBeginning(_ there: [String], _ end: String?) throws {
        let calls = try RemoteCalls("slurm", settings: #"{"path":"/nonexistent"}"#)
        let job = try calls.job("true")
        for name in there {
            let path = "\(job.directory)/\(name)"
            if name.hasSuffix("canceled") || name.hasSuffix("host") { try Files.write(path, "") } else { try Files.makeDirectory(path) }
        }
        #expect(try calls.order("cancel", job).answer(job)?.text("error") == "later", "there is no Slurm")
        #expect(job.hasEnded == (end != nil))
        if let end { #expect(try job.text("end.1") == "\(end)\n") }
        #expect(Files.exists("\(job.directory)/started.1/canceled") == (end != nil))
        #expect(!Files.exists("\(job.directory)/.started.1.new"))
    }
}

/// An engine whose programs do nothing but what a line of the shell says.
private final class HangingEngine {
    let calls: RemoteCalls
    private let job: RemoteCalls.Job
    /// A FIFO that every process of the engine has open for writing.
    private let alive: FileDescriptor

    init(_ executor: String, _ line: String) throws {
        calls = try RemoteCalls(executor)
        let programs = "\(calls.base)/programs"
        let fifo = "\(calls.base)/alive"
        guard mkfifo(fifo, 0o600) == 0 else { throw SystemError(call: "mkfifo", path: fifo, errno: errno) }
        alive = try FileDescriptor.open(fifo, O_RDONLY | O_NONBLOCK)
        try Files.makeDirectory(programs)
        for name in ["kubectl", "squeue"] {
            try Files.write("\(programs)/\(name)", "#!/bin/sh\nexec 9>'\(fifo)'\necho begun >&9\n\(line)\n")
            chmod("\(programs)/\(name)", 0o755)
        }
        calls.variables = ["PATH=\(programs):/usr/bin:/bin"]
        var one = try calls.job("true")
        one.handle = "7"
        try Files.write("\(one.directory)/place.1", "team s-job-1 tag\n")
        job = one
    }

    func poll() throws -> Commands.Running { try calls.start("poll", calls.items([job])) }

    func awaitStart() throws { try wait("a program of the engine") { $0 > 0 } }

    func awaitEndOfAll() throws { try wait("the end of the engine's programs") { $0 == 0 } }

    /// Waits for a result of read(2) at the FIFO.
    private func wait(_ what: String, for isIt: (Int) -> Bool) throws {
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            guard awaitReadable([alive.raw], until: end) else { throw WaitFailed(description: "\(what) does not come") }
            if isIt(read(alive.raw, &bytes, bytes.count)) { return }
        }
    }
}
