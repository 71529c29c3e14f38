import Glibc
import Linux
import Testing
import WorkerProtocol

/// A run has ended. A reader of its output is announced, but has not opened the output yet.
@Suite("Output that waits for its reader")
final class LaterCutTests {
    let worker: WorkerUnderTest
    /// Announces the reader while it is held.
    let waiter: FileDescriptor
    var temporary: TemporaryDirectory { worker.temporary }

    init() throws {
        worker = try WorkerUnderTest()
        waiter = try FileDescriptor.open("\(worker.temporary.path)/\(Waiter.fileName)", O_RDONLY | O_CREAT, mode: Waiter.mode)
        try waiter.lockReading(count: Waiter.outputByte.upperBound)
    }

    /// A run that writes 4000 bytes. 1000 of them are kept.
    private func writer(_ script: String = "", _ change: (inout RunRequest) -> Void = { _ in }) -> RunRequest {
        worker.shell("printf '%04000d' 7; \(script)") {
            $0.outputLimitBytes = 1000
            $0.stdoutName = "first"
            change(&$0)
        }
    }

    private func size(_ name: String) throws -> Int64 { try temporary.directory.status(name).size }

    /// Waits until the shorter file is renamed into place. The worker does not report that.
    private func awaitCut(_ name: String) throws {
        let end = MonotonicInstant.now().advanced(byMilliseconds: Int64(patienceMilliseconds))
        while try size(name) == 4000 {
            if .now() > end { throw TimedOut() }
            sched_yield()
        }
        #expect(try temporary.text(name).contains("\n[spoold: 3000 bytes are left out here; output_limit is 1000]\n"))
    }

    @Test("The run is reported, the next one runs and obeys a stop, and nothing is cut before the reader has opened the output")
    func slotIsFree() throws {
        #expect(try worker.run(writer()).kind == .exited(code: 0))
        let ready = try Pipe(temporary, "ready")
        try worker.send(.run(worker.shell("echo ready > ready; exec sleep 1000")))
        #expect(try ready.line() == "ready")
        try worker.send(.stop(killAfterMilliseconds: nil))
        #expect(try worker.report().kind == .signaled(number: SIGTERM, coreDumped: false))
        #expect(try size("first") == 4000)

        let reader = try FileDescriptor.open("\(temporary.path)/first", O_RDONLY)
        try reader.lockReading(from: 0)
        try awaitCut("first")
        #expect(try reader.readAll(limit: .max).count == 4000, "the reader has all of it")
    }

    @Test("The output is cut when its reader has ended, under the name that it has then")
    func readerIsGone() throws {
        #expect(try worker.run(writer()).kind == .exited(code: 0))
        try temporary.directory.rename("first", to: "first.1")
        try waiter.setUnlocked()
        try awaitCut("first.1")
    }

    @Test("A worker that ends leaves the output whole for an announced reader")
    func workerEnds() throws {
        #expect(try worker.run(writer()).kind == .exited(code: 0))
        worker.hangUp()
        #expect(try worker.exitCode() == 0)
        #expect(try size("first") == 4000)
    }

    @Test("Without a reader the output is cut before the run is reported")
    func nobody() throws {
        try waiter.setUnlocked()
        #expect(try worker.run(writer()).kind == .exited(code: 0))
        #expect(try size("first") < 4000)
    }
}

extension FileDescriptor {
    /// Unlocks the region, as the end of its process does.
    fileprivate borrowing func setUnlocked() throws(SystemError) {
        var region = flock()
        region.l_type = Int16(F_UNLCK)
        let setRecordLock: Int32 = 37  // F_OFD_SETLK, shown with _GNU_SOURCE only
        if fcntl(raw, setRecordLock, &region) != 0 { throw SystemError(call: "lock", errno: errno) }
    }
}
