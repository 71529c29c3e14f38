// Lines of `submit` that an executor cannot use, without any engine.

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
}
