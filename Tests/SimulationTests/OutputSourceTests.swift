import Daemon
import Scheduler
import Testing
import WorkerProtocol

@Suite struct OutputSourceTests {
    private static let source = OutputSource(id: "20261121T020000.000Z-report-k3f9", attempt: 1, task: "report")

    private func report(_ text: String, upTo end: Int64) -> Report.Output {
        Report.Output(
            jobID: Self.source.id, attempt: 1, stream: "stdout", isPartial: false, bytes: Array(text.utf8.dropLast()), end: end)
    }

    private func leaveOut(_ source: inout OutputSource, stdout: Int64, stderr: Int64 = 0) -> Int64 {
        source.leaveOut { _, name in ["stdout": stdout, "stderr": stderr][name] }
    }

    @Test("W5: the sum of the greatest sizes is the greatest number")
    func greatest() {
        var source = Self.source
        let count = leaveOut(&source, stdout: .max, stderr: .max)
        #expect(count == .max)
        #expect(source.leftOutBytes(unreportedBytes: .max) == 0, "counted already")
    }

    @Test("W5: output that was counted as left out is neither written nor counted again, and later output is written")
    func goesOn() {
        var source = Self.source
        var isWritten = [source.reported(report("one\n", upTo: 4))]
        var counts = [leaveOut(&source, stdout: 10), leaveOut(&source, stdout: 10)]
        // On its way when it was counted.
        isWritten.append(source.reported(report("two\n", upTo: 8)))
        counts.append(source.leftOutBytes(unreportedBytes: 2))
        // The line was not whole when it was counted.
        isWritten.append(source.reported(report("three\n", upTo: 14)))
        counts.append(source.leftOutBytes(unreportedBytes: 0))
        isWritten.append(source.reported(report("four\n", upTo: 19)))
        counts.append(source.leftOutBytes(unreportedBytes: 7))
        counts.append(leaveOut(&source, stdout: 25))
        #expect(isWritten == [true, false, false, true])
        #expect(counts == [6, 0, 0, 4, 11, 10])
    }

    @Test("W5: a report that was left out and counted at once is said once, and not counted again")
    func atOnce() {
        var source = Self.source
        let isTaken = source.reported(report("one\n", upTo: 4))
        source.wasLeftOut(report("one\n", upTo: 4))
        #expect(isTaken && source.leftOutBytes(unreportedBytes: 3) == 3)
        let counts = [leaveOut(&source, stdout: 10), source.takeSaidLater(), source.takeSaidLater()]
        #expect(counts == [6, 4, 0])
    }

    @Test("W5: when the job truncates its output after it was counted, what it writes then is written")
    func truncated() {
        var source = Self.source
        var isWritten = [source.reported(report("one\n", upTo: 4))]
        let count = leaveOut(&source, stdout: 10)
        isWritten.append(source.reported(report("new\n", upTo: 4)))
        isWritten.append(source.reported(report("more\n", upTo: 9)))
        #expect(count == 6 && isWritten == [true, true, true])
    }
}
