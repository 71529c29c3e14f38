import ExecutorProtocol

/// One try of a job that an executor runs: what is known of it, and what follows from each answer and each mark.
///
/// Invariants:
/// - It is submitted only while it is certain that no engine has it, or when the engine has answered for the grace time that it does not
///   know it and the run has left no start mark. What is submitted a second time is the same try: its start mark lets only one copy begin.
/// - An end mark ends it, whatever anybody says. The engine's word ends it only when the end mark could have come since and did not. Of a
///   signal that nobody here has sent, the engine is asked why before the run ends, as long as it answers: its limits of time and of memory
///   end runs so.
/// - An answer that did not come says nothing. Time counts only from answer to answer, at most two questions' worth at a time, so that
///   neither a clock that was set nor an engine that did not answer makes anything late.
/// - After it was asked to end it is never submitted again.
struct RemoteRun {
    enum Phase: Hashable {
        case toSubmit, submitting, looking, submitted
    }

    /// A consequence of an answer or a mark. The steps are done in their order.
    enum Step: Sendable {
        /// The handle has changed, which is recorded before anything else.
        case record(handle: String?)
        case end(RunResult.Outcome, cause: String?)
        /// A sentence about the run for its record.
        case remark(String)
    }

    let job: Job
    let attempt: Int
    private(set) var phase: Phase
    /// The engine's name for the run. Nil when none is on record.
    var handle: String? { job.recorded.handle }
    /// False while it is certain that no engine has had it.
    private(set) var mayBeThere: Bool
    private var hasBeenRefused = false
    private var vainCount = 0
    /// The submissions in a row of which nobody knows whether they arrived, and the last one's message while the run is looked for.
    private var unknownCount = 0
    private var doubt: String?
    /// The reason why the run could not be submitted, or the engine's last message.
    private(set) var message: String?
    private(set) var state: EngineState?
    private(set) var report = EngineReport()
    private(set) var marks = RemoteMarks()
    private var absence = Patience()
    private var ending = Patience()
    private var silence = Patience()
    private var unheard = Patience()
    /// Since a signal has ended it whose reason only the engine can know.
    private var unexplained: Patience?
    private(set) var farewell = Farewell.none
    /// A farewell was passed on, so an end that the engine tells from now on may be its effect.
    private var wasBidFarewell = false
    /// The signals that people have sent it.
    private var passedOn: Set<Int32> = []
    /// It was asked to end. When the next `cancel` is due, and how it goes.
    var stop: Stop?
    /// The time at which `submit` is called.
    var submitAt: Instant
    /// The wait before the next `submit` after the answer `later`.
    var backoffMilliseconds: Int64 = 0

    /// The one order to end that an engine gets for a run which is about to be lost while the engine has it wait.
    enum Farewell {
        case none
        /// To be passed on, or under way.
        case wanted
        case said
    }

    struct Stop {
        var since: Instant
        var isForced: Bool
        var askAt: Instant
        var backoffMilliseconds: Int64 = 0
        var hasAsked = false
    }

    /// - Parameter isNew: it was begun just now, and nothing was done for it yet.
    init(_ job: Job, isNew: Bool, at now: Instant) {
        self.job = job
        attempt = job.attempt
        phase = isNew ? .toSubmit : job.recorded.handle == nil ? .looking : .submitted
        mayBeThere = !isNew
        submitAt = now
    }

    // MARK: Submission

    mutating func beginSubmitting() {
        phase = .submitting
        message = nil
    }

    /// Takes the answer to `submit`. Nil when none came.
    mutating func submitted(_ answer: ExecutorAnswer?, _ limits: ExecutorSettings, at now: Instant) -> [Step] {
        guard phase == .submitting else { return [] }
        switch answer?.kind {
        case .submitted:
            phase = .submitted
            mayBeThere = true
            isFound()
            forget()
            state = nil
            report = answer?.report ?? EngineReport()
            return [.record(handle: answer?.handle ?? ExecutorCall.name(of: job))]
        case .later:
            phase = .toSubmit
            message = answer?.message ?? "the executor takes no job now"
            backoffMilliseconds = min(max(limits.pollLeast, 2 * backoffMilliseconds), limits.pollMilliseconds)
            submitAt = now.advanced(byMilliseconds: backoffMilliseconds)
            return []
        case .refused where !mayBeThere || hasBeenRefused:
            return [.end(.notSpawned(answer?.message ?? "the executor refused it"), cause: nil)]
        default:
            // An earlier copy may be there, even if this one was refused. Refused again, after the engine has not known it for long, it
            // ends.
            hasBeenRefused = answer?.kind == .refused
            phase = .looking
            mayBeThere = true
            message = answer?.message
            doubt = message
            if answer?.kind == .unknown { unknownCount += 1 }
            forget()
            return []
        }
    }

    private mutating func isFound() { (unknownCount, doubt) = (0, nil) }

    private mutating func forget() {
        absence = Patience()
        unheard = Patience()
        lives()
    }

    /// It has shown itself alive: the time without a sign of life is counted anew.
    private mutating func lives() {
        silence = Patience()
        ending = Patience()
        farewell = .none
    }

    /// The run is not to be submitted again. An earlier copy may be at the engine.
    mutating func look() {
        phase = .looking
        forget()
    }

    // MARK: What the engine says

    /// Takes the answer to `find` or `poll`, and the marks that were read after it.
    mutating func heard(
        _ answer: ExecutorAnswer, _ marks: RemoteMarks?, _ limits: ExecutorSettings, at now: Instant
    ) -> [Step] {
        guard phase == .looking || phase == .submitted, case .state(let state) = answer.kind else { return [] }
        if state == .ended {
            report = answer.report
            message = answer.message
        }
        if let marks {
            let steps = seen(marks)
            if !steps.isEmpty { return steps }
        }
        let stepMax = 2 * limits.pollMilliseconds
        if unexplained != nil {
            unexplained?.add(at: now, stepMax: stepMax)
            if state == .ended || state == .gone || unexplained?.milliseconds ?? 0 >= limits.lagMilliseconds { return endAsMarked() }
        }
        self.state = state
        message = answer.message ?? (state == .gone ? doubt : nil)
        unheard = Patience()
        if state != .gone { report = answer.report }
        switch state {
        case .pending where self.marks.hasStarted:
            // Its engine has it wait again, which never begins: it had begun. It may live nevertheless.
            absence = Patience()
            ending = Patience()
            silence.add(at: now, stepMax: stepMax)
            let steps = found(answer)
            guard silence.count >= 2, silence.milliseconds >= limits.lostAfterMilliseconds else { return steps }
            // Nobody would ever take it out of the engine's queue.
            if stop == nil, farewell != .said {
                farewell = .wanted
                return steps
            }
            return steps + [.end(.lost(Self.waitedAgain), cause: answer.report.why)]
        case .pending, .running, .open:
            forget()
            return found(answer)
        case .ended:
            absence = Patience()
            silence = Patience()
            ending.add(at: now, stepMax: stepMax)
            let steps = found(answer)
            guard ending.count >= 2, ending.milliseconds >= limits.lagMilliseconds else { return steps }
            return steps + (countVainEnd() ? submitAgain(at: now) : [verdict()])
        case .gone:
            ending = Patience()
            absence.add(at: now, stepMax: stepMax)
            if self.marks.hasStarted || stop != nil {
                silence.add(at: now, stepMax: stepMax)
                guard silence.count >= 2, silence.milliseconds >= limits.lostAfterMilliseconds else { return [] }
                let why = "its engine does not know it any more, and it shows no sign of life"
                return [.end(.lost(wasBidFarewell ? Self.waitedAgain : why), cause: answer.message)]
            }
            guard absence.count >= 2, absence.milliseconds >= limits.findGraceMilliseconds else { return [] }
            // The engine does not know it, so each of these submissions has failed.
            guard unknownCount < Self.unknownMax else {
                return [.end(.notSpawned(doubt ?? "its submissions do not arrive"), cause: nil)]
            }
            return submitAgain(at: now)
        }
    }

    private mutating func submitAgain(at now: Instant) -> [Step] {
        phase = .toSubmit
        submitAt = now
        forget()
        return handle == nil ? [] : [.record(handle: nil)]
    }

    /// Counts an end of a run that has not begun. Returns true when the run is to be submitted again: not for ever, and not after a cancel.
    private mutating func countVainEnd() -> Bool {
        guard !marks.hasStarted, stop == nil, let reason = report.reason, Self.vainReasons.contains(reason) else { return false }
        vainCount += 1
        return vainCount <= Self.vainMax
    }

    /// Its node was not up yet, or was lost or taken away before the wrapper began, or the wrapper did not see the directory. If a run has
    /// begun nevertheless, its start mark keeps the next copy from beginning.
    private static let vainReasons: Set<EndReason> = [.completed, .failed, .nodeFail, .preempted]
    /// The number of times that a run may do nothing.
    private static let vainMax = 3
    /// The number of submissions in a row that may not arrive. After each of them the engine is asked for the grace time.
    private static let unknownMax = 10

    /// The engine knows the run.
    private mutating func found(_ answer: ExecutorAnswer) -> [Step] {
        let found = answer.handle ?? handle ?? ExecutorCall.name(of: job)
        phase = .submitted
        isFound()
        return found == handle ? [] : [.record(handle: found)]
    }

    /// No usable answer to `find` or `poll` came. With `lost_after` in the configuration the run is lost after that time without one.
    mutating func unheard(
        _ answer: ExecutorAnswer?, _ marks: RemoteMarks?, _ limits: ExecutorSettings, at now: Instant
    ) -> [Step] {
        guard phase == .looking || phase == .submitted else { return [] }
        if let marks {
            if marks.beat != self.marks.beat || marks.hasStarted != self.marks.hasStarted { unheard = Patience() }
            let steps = seen(marks)
            if !steps.isEmpty { return steps }
        }
        if unexplained != nil { return endAsMarked() }
        message = answer?.message
        interrupt()
        unheard.add(at: now, stepMax: 2 * limits.pollMilliseconds)
        guard limits.isLostWithoutAnswer, unheard.count >= 2, unheard.milliseconds >= limits.lostAfterMilliseconds else { return [] }
        return [.end(.lost("its executor has not answered for \(Span(milliseconds: unheard.milliseconds))"), cause: message)]
    }

    /// The time until the next answer does not count: nobody answered, or the clock was set.
    mutating func interrupt() {
        absence.interrupt()
        ending.interrupt()
        silence.interrupt()
    }

    /// It had begun, and its engine has it wait.
    var waitsAgain: Bool { state == .pending && silence.count >= 2 }

    /// The last question about it was not answered.
    var isUnheard: Bool { unheard.count > 0 }

    // MARK: Marks

    /// Takes what the run has left in its directory.
    mutating func seen(_ marks: RemoteMarks) -> [Step] {
        if marks.beat != self.marks.beat || marks.hasStarted != self.marks.hasStarted {
            // Whatever its engine says: a second copy may have ended that found the start mark.
            lives()
        }
        // The directory may be moved away while the engine is asked. The host and the end that were read in it still count.
        let (host, end) = (marks.host ?? self.marks.host, marks.end ?? self.marks.end)
        self.marks = marks
        (self.marks.host, self.marks.end) = (host, end)
        guard let signal = end?.endingSignal, !passedOn.contains(signal), phase == .submitted, stop == nil, report.reason == nil else {
            return endAsMarked()
        }
        if unexplained == nil { unexplained = Patience() }
        return []
    }

    /// The reason for a run that is lost while its engine has it wait, or after the farewell.
    private static let waitedAgain = "its engine had it wait again, and it showed no sign of life"

    /// The answer to `cancel` came, whatever it was. Returns true when it is that to the farewell.
    mutating func tookOrder() -> Bool {
        guard farewell == .wanted else { return false }
        farewell = .said
        return true
    }

    /// The farewell is passed on.
    mutating func bidFarewell() { wasBidFarewell = true }

    mutating func willPassOn(_ signal: Int32) { passedOn.insert(signal) }

    /// A signal has ended it, and its engine is asked why.
    var isUnexplained: Bool { unexplained != nil }

    /// The end by the end mark, if there is one.
    private func endAsMarked() -> [Step] {
        guard let end = marks.end else { return [] }
        switch end.how {
        case .exited(let code): return [.end(.exited(code), cause: end.endingSignal == nil ? nil : cause)]
        case .signaled(let signal) where stop == nil && (report.reason == .timeout || report.reason == .deadline):
            return [.end(.timedOut(exitCode: nil, signal: signal), cause: message)]
        case .signaled(let signal): return [.end(.signaled(signal, coreDumped: false), cause: cause)]
        case .timedOut(let code, let signal): return [.end(.timedOut(exitCode: code, signal: signal), cause: nil)]
        case .notStarted(let why, let code): return [.end(.notSpawned(why, exitCode: code), cause: nil)]
        case .neverBegan:
            // This daemon, or an earlier one, has asked for it.
            if job.stopping != nil { return [.end(.neverBegan, cause: nil)] }
            return [.end(.lost("it was kept from beginning, and nobody here has asked for that"), cause: nil)]
        }
    }

    /// The engine's reason for ending the processes of the run, in its words if it gave any. Nil when it gave no reason.
    private var cause: String? {
        switch report.reason {
        case .outOfMemory, .nodeFail, .preempted, .canceled, .timeout, .deadline: message ?? report.reason?.rawValue
        default: nil
        }
    }

    /// The end by the engine's word alone.
    private func verdict() -> Step {
        let said = message ?? "the engine says: \(report.reason?.rawValue ?? "ended")"
        // It was killed with its wrapper, as was asked.
        if stop?.isForced ?? false, marks.hasStarted, report.reason != .nodeFail {
            return .end(.signaled(9, coreDumped: false), cause: nil)
        }
        switch report.reason {
        case .timeout, .deadline: return .end(.timedOut(exitCode: report.exitCode, signal: report.signal), cause: message)
        case .outOfMemory: return .end(.signaled(9, coreDumped: false), cause: said)
        case .launch where !marks.hasStarted: return .end(.notSpawned(said), cause: nil)
        case .canceled where job.stopping != nil: return .end(.signaled(report.signal ?? 15, coreDumped: false), cause: nil)
        case .canceled where wasBidFarewell: return .end(.lost(Self.waitedAgain), cause: message)
        case .canceled: return .end(.lost("it was canceled at its engine, and not here"), cause: message)
        case .nodeFail, .preempted: return .end(.lost(said), cause: nil)
        case .failed where marks.hasStarted:
            if let signal = report.signal, signal != 0 { return .end(.signaled(signal, coreDumped: false), cause: message) }
            if let code = report.exitCode, code != 0 { return .end(.exited(code), cause: nil) }
            return .end(.lost("\(said); it wrote no end"), cause: nil)
        case .completed, .failed, .launch, nil:
            let mark = marks.hasStarted ? "it wrote no end" : "it never began: can its host see the job's directory?"
            return .end(.lost("\(said); \(mark)"), cause: nil)
        }
    }

    // MARK: Reading

    /// The engine's word is not final yet, or is about to be: it is asked again soon.
    var isUrgent: Bool { ending.count > 0 || stop != nil || isUnexplained || farewell != .none }

    /// True when an order can be passed on: the run has been submitted.
    var takesOrders: Bool { phase == .looking || phase == .submitted }

    /// True when `cancel` can be called: the engine may have the run, and no `submit` is under way.
    var canBeCanceled: Bool { phase != .submitting && mayBeThere }

    /// - Parameter failure: why the last question of its executor was not answered.
    func view(since: Instant, failure: String?) -> RemoteView {
        let undecided = isUnheard ? message ?? failure ?? "its executor did not answer" : nil
        var view = RemoteView(phase: .looking, handle: handle, why: report.why, host: marks.host ?? report.host, since: since)
        switch phase {
        case .toSubmit, .submitting:
            view.phase = .submitting
            view.why = message
        case .looking:
            view.phase = undecided != nil || state == .gone && marks.hasStarted ? .undecided : .looking
            view.why = undecided ?? message
        case .submitted:
            switch state {
            case .running: view.phase = .running
            case .ended: view.phase = .ending
            case .gone: view.phase = .undecided
            case .pending where waitsAgain: view.phase = .undecided
            case .open, .pending, nil: view.phase = marks.hasStarted ? .running : .pending
            }
            if view.phase == .pending { view.position = report.position }
            if view.phase == .running { view.why = nil }
            if view.phase == .undecided { view.why = message ?? "its engine does not know it" }
            if waitsAgain { view.why = "its engine has it wait again (\(report.why ?? "for no reason"))" }
            if let undecided {
                view.phase = .undecided
                view.why = undecided
            }
        }
        return view
    }
}

extension RemoteEnd {
    /// The signal that has ended its command, or what a shell ran in it: then the shell's exit code is 128 and the signal.
    fileprivate var endingSignal: Int32? {
        switch how {
        case .signaled(let signal): signal
        case .exited(let code): 129...192 ~= code ? Int32(code - 128) : nil
        case .timedOut, .notStarted, .neverBegan: nil
        }
    }
}

extension ExecutorCall {
    /// The name of a run at its engine.
    public static func name(of job: Job) -> String { ExecutorRun.name(id: job.id.text, number: job.runNumber) }
}

extension ExecutorSettings {
    /// The shortest time between two questions.
    var pollLeast: Int64 { min(2000, pollMilliseconds) }
}

/// The time for which answers have agreed, counted from one to the next.
private struct Patience {
    private var last: Instant?
    private(set) var milliseconds: Int64 = 0
    private(set) var count = 0

    mutating func interrupt() { last = nil }

    mutating func add(at now: Instant, stepMax: Int64) {
        if let last { milliseconds += min(max(0, now.milliseconds - last.milliseconds), stepMax) }
        last = now
        count += 1
    }
}
