import CLinux
import ExecutorProtocol
import Glibc
import Linux
import Scheduler
import Store
import WorkerProtocol

/// The programs of executors that were called. The scheduler decides what is called and when; see ``RemoteRuns``.
///
/// Invariants:
/// - Each call gets exactly one reply, whatever its program does. What the program printed in whole lines before it failed counts.
/// - A program runs as the user of the jobs that it is called for.
/// - The loop never waits for a program. A program that takes too long gets SIGTERM, then SIGKILL.
/// - A program is signaled only before it is reaped: after that its number may belong to another process.
/// - What goes wrong is logged once until it is right again.
final class Executors: Part {
    private struct Running {
        let call: ExecutorCall
        let process: ExecutorProcess
        let tokens: [EventLoop.Token]
        /// Answers that were known without the program: about jobs that cannot be submitted.
        let own: [ExecutorAnswer]
        let timeoutMilliseconds: Int64
    }

    /// By the call's number.
    private var running: [UInt64: Running] = [:]
    /// The executors, verbs and users of which trouble was logged last.
    private var troubles: Set<String> = []
    private var surroundings: RunSurroundings
    private var settings: [String: ExecutorSettings] = [:]
    private let identities: RunIdentities
    /// The path of the worker program, which becomes other users.
    private let worker: String
    private let watches: RunWatches
    private let loop: EventLoop
    private let service: SpoolService
    private let log: Log

    init(
        _ surroundings: RunSurroundings, worker: String, _ loop: EventLoop, _ watches: RunWatches, _ service: SpoolService, _ log: Log
    ) {
        self.surroundings = surroundings
        // A worker would insert the variables of its session. An executor's jobs have none.
        self.surroundings.hasSessions = false
        self.worker = worker
        self.watches = watches
        self.loop = loop
        self.service = service
        self.log = log
        identities = RunIdentities(own: surroundings.user)
    }

    func configure(_ configuration: Configuration) {
        settings = configuration.executors
        surroundings.defaultTimeoutMilliseconds = configuration.defaultTimeoutMilliseconds
        surroundings.outputLimitBytes = configuration.outputLimitBytes
    }

    // MARK: Calling

    /// Starts the program of a call. When that is not possible, the reply says so.
    func call(_ call: ExecutorCall) {
        for item in call.items { watches.watch(item.job) }
        var own: [ExecutorAnswer] = []
        do {
            guard let first = call.items.first else { return reply(call, []) }
            let identity = try identities.find(first.job.definition, at: service.now)
            let settings = settings[call.executor] ?? ExecutorSettings()
            var input = ExecutorInput(executor: call.executor, settings, spool: surroundings.spool)
            var hasItems = false
            for item in call.items {
                let directory = "\(surroundings.spool)/\(Layout.directory(of: item.job.id, .running))"
                guard call.verb == .submit else {
                    input.add(item, call.verb, directory: directory)
                    hasItems = true
                    continue
                }
                do throws(RunNotPrepared) {
                    var remarks: [String] = []
                    // Variables that jobs inherit from spoold mean something on its machine.
                    let request = try RunRequest(item.job, as: identity.user, isOwn: false, surroundings) { remarks.append($0) }
                    // Its spoolctl knew of no executor.
                    if let path = request.stdin, (try? FileStatus.read(path))?.kind == .fifo {  // not to be read: the executor says so
                        throw RunNotPrepared(why: "its standard input is given while it runs, which only a job of this machine can read")
                    }
                    for remark in remarks { service.submit(.remarked(item.job.id, remark)) }
                    input.add(item, request)
                    hasItems = true
                } catch {
                    own.append(answer(item, .refused, error.why))
                }
            }
            guard hasItems else { return reply(call, own) }
            let program = try ExecutorProgram.find(
                call.executor, spool: surroundings.spool, installed: [Installation.executorPath(call.executor, besideWorker: worker)])
            let variables = identity.user.variables.map { "\($0.name)=\($0.value)" }
            let process = try ExecutorProcess(
                program, [call.verb.rawValue], environment: variables, as: identity.credentials, worker: worker, input: input.bytes,
                timeoutMilliseconds: settings.callTimeoutMilliseconds)
            try watch(process, call, own, settings.callTimeoutMilliseconds)
        } catch {
            let why = (error as? RunNotPrepared)?.why ?? (error as? ExecutorProgram.Refusal)?.why ?? "executor \(call.executor): \(error)"
            // Nothing was started, so certainly nothing was submitted.
            let answered = Set(own.map(\.id))
            if call.verb == .submit { own += call.items.filter { !answered.contains($0.job.id) }.map { answer($0, .later, why) } }
            reply(call, own, failure: why)
        }
    }

    private func answer(_ item: ExecutorCall.Item, _ kind: ExecutorAnswer.Kind, _ message: String) -> ExecutorAnswer {
        var answer = ExecutorAnswer(item.job.id, attempt: item.runNumber, kind)
        answer.message = message
        return answer
    }

    private func watch(_ process: ExecutorProcess, _ call: ExecutorCall, _ own: [ExecutorAnswer], _ timeout: Int64) throws {
        var tokens: [EventLoop.Token] = []
        let number = call.number
        do {
            for descriptor in process.descriptors { tokens.append(try loop.add(descriptor) { [unowned self] in takeOutput(number) }) }
        } catch {
            process.kill()
            for token in tokens { loop.forget(token) }
            // It was started and may have submitted something before it was killed.
            return reply(call, own, failure: "executor \(call.executor): \(error)")
        }
        running[number] = Running(call: call, process: process, tokens: tokens, own: own, timeoutMilliseconds: timeout)
    }

    private func takeOutput(_ number: UInt64) {
        guard let one = running[number], !one.process.read() else { return }
        one.process.kill()
        finish(one, "printed too much")
    }

    // MARK: Ending

    var wakeAt: Wake { Wake(monotonic: running.values.lazy.map(\.process.deadline).min()) }
    var isIdle: Bool { running.isEmpty }

    /// Ends the programs that have taken too long.
    func beforeTurn() {
        guard !running.isEmpty else { return }
        let now = MonotonicInstant.now()
        for one in running.values where one.process.deadline <= now {
            let wasOverdue = one.process.isOverdue
            one.process.end()
            if wasOverdue { finish(one, "did not answer within \(Span(milliseconds: one.timeoutMilliseconds))") }
        }
    }

    func afterTurn() { watches.removeEnded() }

    /// Kills all programs, but does not forget them. If this daemon continues after all, their ends are replies.
    func killAll() { for one in running.values { one.process.kill() } }

    /// Ends all programs. Their calls count as not answered.
    func endAll() {
        for one in running.values { one.process.kill() }
        for one in running.values { for token in one.tokens { loop.forget(token) } }
        running = [:]
    }

    /// Called before a child is reaped. If the child is a program, returns its call. What a program leaves running when it ends in time
    /// goes on: it may be a connection that the next call uses, or the job itself on its way into a session of its own.
    func childEnded(_ pid: pid_t) -> UInt64? {
        guard let (number, one) = running.first(where: { $0.value.process.pid == pid }) else { return nil }
        if one.process.isOverdue || one.process.isFull { one.process.kill() }
        return number
    }

    /// Called after the program was reaped.
    func take(_ status: Int32, of number: UInt64) {
        guard let one = running[number] else { return }
        _ = one.process.read()
        var failure: String?
        if one.process.isFull {
            failure = "printed too much"
        } else if one.process.isOverdue {
            failure = "did not answer within \(Span(milliseconds: one.timeoutMilliseconds))"
        } else if linux_wifsignaled(status) != 0 {
            failure = "was ended by \(Signal.name(linux_wtermsig(status)))"
        } else if linux_wexitstatus(status) != 0 {
            failure = "exited with \(linux_wexitstatus(status))"
        }
        finish(one, failure)
    }

    /// Takes what the program has printed, and forgets it. It is reaped as any other child.
    private func finish(_ one: Running, _ failure: String?) {
        running[one.call.number] = nil
        for token in one.tokens { loop.forget(token) }
        let output = ExecutorOutput(one.process.printed, one.call, isCut: one.process.isCut)
        var why = failure.map { "executor \(one.call.executor) \($0)\(one.process.complaint)" }
        if let version = output.otherVersion {
            why = "executor \(one.call.executor) speaks version \(version) of the protocol, this spoold version \(ExecutorLines.version)"
        }
        if why == nil, let problem = output.problem { why = "executor \(one.call.executor): \(problem)" }
        reply(one.call, one.own + output.answers, failure: why)
    }

    private func reply(_ call: ExecutorCall, _ answers: [ExecutorAnswer], failure: String? = nil) {
        tell(call, failure ?? answers.first { $0.kind == .later || $0.kind == .unknown }?.message)
        service.submit(.replied(ExecutorReply(number: call.number, answers: answers, failure: failure)))
        service.isPublishDue = true
    }

    /// Logs what is wrong once, and that it is right again.
    private func tell(_ call: ExecutorCall, _ why: String?) {
        let user = call.items.first?.job.definition.user.map { "\($0)" } ?? ""
        let key = "\(call.executor) \(call.verb.rawValue) \(user)"
        guard why == nil ? troubles.remove(key) != nil : troubles.insert(key).inserted else { return }
        if let why {
            log.write(
                .warning, "executor-trouble", at: service.now,
                ["executor": call.executor, "verb": call.verb.rawValue, "jobs": "\(call.items.count)", "error": why])
        } else {
            log.write(.notice, "executor-works", at: service.now, ["executor": call.executor, "verb": call.verb.rawValue])
        }
    }
}
