/// The running tries that executors have, and the calls that are made because of them.
///
/// Invariants:
/// - A run is here from the record of its start to the record of its end, and nowhere twice.
/// - For each executor and user at most one call of each verb is under way. A run is in at most one of `submit`, and never in `poll`,
///   `find` or `cancel` while it is in `submit`.
/// - All answers are asked for in rounds, one for each executor and user: as few calls as there can be, one after the other. The time
///   between two rounds grows from the shortest to the longest while nothing changes.
/// - Nothing is called before the turn after a run's start, in which its directory is in its place.
final class RemoteRuns {
    /// The runs of one executor and one user.
    private final class Group {
        let executor: String
        var members: Set<JobID> = []
        var line = SubmissionLine()
        /// The number of the call under way for each verb.
        var underWay: [ExecutorCall.Verb: UInt64] = [:]
        var askAt: [ExecutorCall.Verb: Instant] = [:]
        var waitMilliseconds: [ExecutorCall.Verb: Int64] = [:]
        /// The runs of this round of questions that no call has taken yet, the last one first, and whether an earlier call of it had news.
        var unasked: [ExecutorCall.Verb: [JobID]] = [:]
        var hasNews: Set<ExecutorCall.Verb> = []
        /// The earliest `submitAt` in the line, and the earliest `askAt` of a stop.
        var submitAt: Instant?
        var stopAt: Instant?
        var orders = RemoteOrders()
        /// Since when questions have not been answered, and why.
        var failure: (since: Instant, why: String)?

        init(_ executor: String) { self.executor = executor }
    }

    private struct Call {
        let group: Group
        let verb: ExecutorCall.Verb
        let items: [(id: JobID, attempt: Int)]
        /// The orders that it passes on, in the order of the items. A `cancel` that is repeated anyway has none.
        let orders: [RemoteOrders.Order]
    }

    private var runs: [JobID: RemoteRun] = [:]
    private var groups: [String: Group] = [:]
    private var calls: [UInt64: Call] = [:]
    private var lastNumber: UInt64 = 0
    private var counts: [String: Int] = [:]
    /// The runs about which people are to be told something new.
    private var changed: [JobID] = []

    /// See ``ExecutorCall/itemsMax``. Tests set less.
    var itemsMax = ExecutorCall.itemsMax

    var count: Int { runs.count }

    func count(of executor: String) -> Int { counts[executor] ?? 0 }

    func run(_ id: JobID) -> RemoteRun? { runs[id] }

    // MARK: Records

    /// A try has begun. Nobody can have it before it is recorded that it is submitted.
    func begin(_ job: Job, at now: Instant) {
        guard let executor = job.executor else { return }
        remove(job)
        runs[job.id] = RemoteRun(job, isNew: true, at: now)
        counts[executor, default: 0] += 1
        group(of: job, executor).members.insert(job.id)
    }

    /// The submission of a run was replayed, or its handle. An earlier daemon may have done anything for it.
    func restored(_ job: Job, at now: Instant) {
        guard let run = runs[job.id], let executor = job.executor else { return }
        runs[job.id] = RemoteRun(job, isNew: false, at: now)
        runs[job.id]?.stop = run.stop
        let group = group(of: job, executor)
        group.askAt[.poll] = now
        group.askAt[.find] = now
    }

    func remove(_ job: Job) {
        guard runs.removeValue(forKey: job.id) != nil, let executor = job.executor else { return }
        let left = counts[executor, default: 0] - 1
        counts[executor] = left == 0 ? nil : left
        let key = Self.key(of: job, executor)
        guard let group = groups[key] else { return }
        group.members.remove(job.id)
        group.line.remove(job.id)
        // Its calls that are under way keep it until they are answered.
        if group.members.isEmpty, group.underWay.isEmpty { groups[key] = nil }
    }

    private static func key(of job: Job, _ executor: String) -> String {
        guard job.definition.isForAnother else { return executor }
        return "\(executor)\u{0}\(job.definition.user.map { "\($0)" } ?? "")\u{0}\(job.definition.group.map { "\($0)" } ?? "")"
    }

    private func group(of job: Job, _ executor: String) -> Group {
        let key = Self.key(of: job, executor)
        if let group = groups[key] { return group }
        let group = Group(executor)
        groups[key] = group
        return group
    }

    // MARK: Orders

    /// The job's directory is in its place: it can be submitted.
    func placed(_ job: Job, at now: Instant) {
        guard let run = runs[job.id], run.attempt == job.attempt, run.phase == .toSubmit, let executor = job.executor else { return }
        let group = group(of: job, executor)
        group.line.append(job.id)
        group.submitAt = min(group.submitAt ?? now, now)
    }

    /// Returns the step that ends a run that certainly nobody has.
    @discardableResult
    func stop(_ job: Job, isForced: Bool, at now: Instant) -> [RemoteRun.Step] {
        guard let run = runs[job.id], let executor = job.executor else { return [] }
        let group = group(of: job, executor)
        group.line.remove(job.id)
        if run.phase == .toSubmit, !run.mayBeThere { return [.end(.neverBegan, cause: nil)] }
        var stop = run.stop ?? RemoteRun.Stop(since: now, isForced: false, askAt: now)
        if isForced, !stop.isForced { stop.isForced = true }
        stop.askAt = now
        stop.backoffMilliseconds = 0
        runs[job.id]?.stop = stop
        if run.phase == .toSubmit {
            runs[job.id]?.look()
            group.askAt[.find] = now
        }
        group.stopAt = now
        return []
    }

    func signal(_ job: Job, _ signal: Int32) {
        runs[job.id]?.willPassOn(signal)
        order(.signal, job) { $0.signal = signal }
    }

    func extend(_ job: Job, byMilliseconds milliseconds: Int64) { order(.extend, job) { $0.byMilliseconds = milliseconds } }

    private func order(_ verb: ExecutorCall.Verb, _ job: Job, _ fill: (inout ExecutorCall.Item) -> Void) {
        guard let run = runs[job.id], let executor = job.executor else { return }
        var item = ExecutorCall.Item(run)
        fill(&item)
        group(of: job, executor).orders.add(verb, item)
    }

    /// The clock was set: nothing waits for an instant that may never come.
    func clockWasSet(at now: Instant) {
        for group in groups.values {
            for verb in group.askAt.keys { group.askAt[verb] = now }
            if group.submitAt != nil { group.submitAt = now }
            if group.stopAt != nil { group.stopAt = now }
            group.failure?.since = now
            group.orders.clockWasSet(at: now)
        }
        for id in runs.keys {
            runs[id]?.interrupt()
            runs[id]?.submitAt = now
            if runs[id]?.stop != nil { runs[id]?.stop?.askAt = now }
            runs[id]?.stop?.since = now
        }
    }

    // MARK: Calls

    /// The time at which a call is due. Nil when none is.
    func nextWake() -> Instant? {
        var wake: Instant?
        func consider(_ instant: Instant?) { if let instant { wake = wake.map { min($0, instant) } ?? instant } }
        for group in groups.values {
            if group.underWay[.submit] == nil, !group.line.isEmpty { consider(group.submitAt) }
            if group.underWay[.cancel] == nil { consider(group.stopAt) }
            for verb in [ExecutorCall.Verb.poll, .find] where group.underWay[verb] == nil { consider(group.askAt[verb]) }
            for order in group.orders.waiting where group.underWay[order.verb] == nil {
                if runs[order.item.job.id]?.takesOrders == true { consider(order.at) }
            }
        }
        return wake
    }

    /// The calls that are due.
    func takeCalls(at now: Instant, _ limits: (String) -> ExecutorSettings) -> [ExecutorCall] {
        var due: [ExecutorCall] = []
        for (_, group) in groups.sorted(by: { $0.key < $1.key }) {
            let settings = limits(group.executor)
            submit(group, at: now, &due)
            cancel(group, settings, at: now, &due)
            for verb in [ExecutorCall.Verb.poll, .find] { ask(group, verb, settings, at: now, &due) }
            passOn(group, at: now, &due)
        }
        return due
    }

    private func call(
        _ group: Group, _ verb: ExecutorCall.Verb, _ items: [ExecutorCall.Item], orders: [RemoteOrders.Order] = [],
        _ due: inout [ExecutorCall]
    ) {
        lastNumber += 1
        group.underWay[verb] = lastNumber
        calls[lastNumber] = Call(group: group, verb: verb, items: items.map { ($0.job.id, $0.attempt) }, orders: orders)
        due.append(ExecutorCall(number: lastNumber, executor: group.executor, verb: verb, items: items))
    }

    private func submit(_ group: Group, at now: Instant, _ due: inout [ExecutorCall]) {
        guard group.underWay[.submit] == nil, !group.line.isEmpty, let at = group.submitAt, at <= now else { return }
        var items: [ExecutorCall.Item] = []
        var left = SubmissionLine()
        var next: Instant?
        for id in group.line.takeAll() {
            guard let run = runs[id], run.phase == .toSubmit else { continue }
            if run.submitAt <= now, items.count < ExecutorCall.submitMax {
                items.append(ExecutorCall.Item(run))
                runs[id]?.beginSubmitting()
            } else {
                left.append(id)
                next = min(next ?? run.submitAt, run.submitAt)
            }
        }
        group.line = left
        group.submitAt = next
        if !items.isEmpty { call(group, .submit, items, &due) }
    }

    private func cancel(_ group: Group, _ settings: ExecutorSettings, at now: Instant, _ due: inout [ExecutorCall]) {
        guard group.underWay[.cancel] == nil, let at = group.stopAt, at <= now else { return }
        var items: [ExecutorCall.Item] = []
        var next: Instant?
        for id in group.members.sorted() {
            guard let run = runs[id], var stop = run.stop else { continue }
            // When the `submit` that is under way is answered, the run's next `cancel` is due at once.
            guard run.canBeCanceled else { continue }
            if stop.askAt <= now, items.count < itemsMax {
                let patience = run.job.definition.killAfterMilliseconds + 15 * settings.pollLeast
                if stop.hasAsked, now.milliseconds - stop.since.milliseconds >= patience { stop.isForced = true }
                if !stop.hasAsked { stop.since = now }
                stop.hasAsked = true
                stop.backoffMilliseconds = min(max(settings.pollLeast, 2 * stop.backoffMilliseconds), settings.pollMilliseconds)
                stop.askAt = now.advanced(byMilliseconds: stop.backoffMilliseconds)
                runs[id]?.stop = stop
                var one = ExecutorCall.Item(run)
                one.force = stop.isForced
                one.signal = run.job.definition.stopSignal
                items.append(one)
            }
            next = min(next ?? stop.askAt, stop.askAt)
        }
        group.stopAt = next
        if !items.isEmpty { call(group, .cancel, items, &due) }
    }

    private func ask(
        _ group: Group, _ verb: ExecutorCall.Verb, _ settings: ExecutorSettings, at now: Instant, _ due: inout [ExecutorCall]
    ) {
        guard group.underWay[verb] == nil, let at = group.askAt[verb], at <= now else { return }
        let phase: RemoteRun.Phase = verb == .poll ? .submitted : .looking
        var items: [ExecutorCall.Item] = []
        func take(_ rest: [JobID]) {
            var rest = rest
            while items.count < itemsMax, let id = rest.popLast() {
                if let run = runs[id], run.phase == phase { items.append(ExecutorCall.Item(run)) }
            }
            group.unasked[verb] = rest.isEmpty ? nil : rest
        }
        take(group.unasked[verb] ?? [])
        if items.isEmpty {
            let asked = group.members.compactMap { runs[$0] }.filter { $0.phase == phase }
            take(asked.sorted { $0.job.arrival > $1.job.arrival }.map(\.job.id))
        }
        if items.isEmpty { group.askAt[verb] = nil } else { call(group, verb, items, &due) }
    }

    private func passOn(_ group: Group, at now: Instant, _ due: inout [ExecutorCall]) {
        group.orders.dropVoid(runs)
        for verb in RemoteOrders.verbs where group.underWay[verb] == nil {
            let taken = group.orders.take(verb, itemsMax: itemsMax, at: now, &runs)
            if !taken.isEmpty { call(group, verb, taken.map(\.item), orders: taken, &due) }
        }
    }

    // MARK: Answers

    /// True when the reply's call is under way.
    func awaits(_ number: UInt64) -> Bool { calls[number] != nil }

    /// The runs of the call whose marks count for the reply: those that no answer shows alive.
    func mattersForMarks(_ reply: ExecutorReply) -> [Job] {
        guard let call = calls[reply.number] else { return [] }
        var alive: Set<JobID> = []
        for answer in reply.answers {
            switch answer.kind {
            // It had begun and waits again: only its marks say whether it lives.
            case .state(.pending) where runs[answer.id]?.marks.hasStarted == true: break
            case .state(.pending), .state(.running), .submitted, .later: alive.insert(answer.id)
            default: break
            }
        }
        return call.items.compactMap { alive.contains($0.id) ? nil : runs[$0.id]?.job }
    }

    /// Takes the answers of a call. Returns what follows for each run.
    func take(
        _ reply: ExecutorReply, _ limits: (String) -> ExecutorSettings, at now: Instant
    ) -> [(job: Job, steps: [RemoteRun.Step])] {
        guard let call = calls.removeValue(forKey: reply.number) else { return [] }
        let group = call.group
        let settings = limits(group.executor)
        group.underWay[call.verb] = nil
        var answers: [JobID: ExecutorAnswer] = [:]
        for answer in reply.answers { answers[answer.id] = answer }
        var result: [(job: Job, steps: [RemoteRun.Step])] = []
        var hasNews = false
        var unanswered = 0
        for (index, (id, attempt)) in call.items.enumerated() {
            guard var run = runs[id], run.attempt == attempt else { continue }
            let before = run
            var steps: [RemoteRun.Step] = []
            let answer = answers[id].flatMap { $0.attempt == run.job.runNumber ? $0 : nil }
            switch call.verb {
            case .submit:
                steps = run.submitted(answer, settings, at: now)
                if run.stop != nil, run.phase == .toSubmit {
                    if run.mayBeThere { run.look() } else { steps = [.end(.neverBegan, cause: nil)] }
                }
            case .poll, .find:
                if let answer, case .state = answer.kind {
                    steps = run.heard(answer, reply.marks[id], settings, at: now)
                } else {
                    unanswered += 1
                    steps = run.unheard(answer, reply.marks[id], settings, at: now)
                }
            case .cancel, .signal, .extend:
                let isFarewell = call.verb == .cancel && run.tookOrder()
                if call.orders.indices.contains(index) {
                    let again = now.advanced(byMilliseconds: settings.pollMilliseconds)
                    group.orders.addAgain(call.orders[index], after: answer, at: again)
                }
                if let marks = reply.marks[id] { steps = run.seen(marks) }
                if steps.isEmpty, let remark = RemoteOrders.remark(on: call.verb, answer, reply.failure, isFarewell: isFarewell) {
                    steps = [.remark(remark)]
                }
            }
            runs[id] = run
            if run.phase != before.phase || run.state != before.state || run.report != before.report || run.marks != before.marks
                || run.message != before.message || run.isUnheard != before.isUnheard || run.waitsAgain != before.waitsAgain
            {
                changed.append(id)
            }
            if run.phase != before.phase || run.state != before.state || run.isUrgent { hasNews = true }
            follow(run, before, group, settings, at: now)
            if !steps.isEmpty { result.append((run.job, steps)) }
        }
        if call.verb == .poll || call.verb == .find {
            hear(reply, call, group, settings, unanswered: unanswered, hasNews: hasNews, at: now)
        }
        if group.members.isEmpty, group.underWay.isEmpty { groups = groups.filter { $0.value !== group } }
        return result
    }

    /// A run whose phase has changed is asked about, or submitted.
    private func follow(_ run: RemoteRun, _ before: RemoteRun, _ group: Group, _ settings: ExecutorSettings, at now: Instant) {
        if run.phase == .toSubmit, run.stop == nil || !run.mayBeThere {
            group.line.append(run.job.id)
            group.submitAt = min(group.submitAt ?? run.submitAt, run.submitAt)
        }
        if run.farewell == .wanted, before.farewell != .wanted {
            order(.cancel, run.job) { $0.signal = run.job.definition.stopSignal }
        }
        guard run.phase != before.phase else { return }
        if run.stop != nil { group.stopAt = now }
        switch run.phase {
        case .looking:
            let wait = before.phase == .submitting ? 0 : settings.pollLeast
            hurry(group, .find, to: now.advanced(byMilliseconds: wait), settings)
        case .submitted: hurry(group, .poll, to: now.advanced(byMilliseconds: settings.pollLeast), settings)
        case .toSubmit, .submitting: break
        }
    }

    private func hurry(_ group: Group, _ verb: ExecutorCall.Verb, to instant: Instant, _ settings: ExecutorSettings) {
        group.askAt[verb] = min(group.askAt[verb] ?? instant, instant)
        group.waitMilliseconds[verb] = settings.pollLeast
    }

    /// A question was answered, or was not. Plans the next one.
    private func hear(
        _ reply: ExecutorReply, _ call: Call, _ group: Group, _ settings: ExecutorSettings, unanswered: Int, hasNews: Bool, at now: Instant
    ) {
        if hasNews { group.hasNews.insert(call.verb) }
        if group.unasked[call.verb] != nil {
            group.askAt[call.verb] = now
        } else {
            let hasNews = group.hasNews.remove(call.verb) != nil
            let wait = group.waitMilliseconds[call.verb] ?? settings.pollLeast
            group.askAt[call.verb] = now.advanced(byMilliseconds: hasNews ? settings.pollLeast : wait)
            group.waitMilliseconds[call.verb] = hasNews ? settings.pollLeast : min(2 * wait, settings.pollMilliseconds)
        }
        let isSilent = unanswered == call.items.count && unanswered > 0
        if !isSilent, reply.failure == nil {
            if group.failure != nil { changed += group.members.sorted() }
            group.failure = nil
        } else if unanswered > 0 || reply.failure != nil {
            let why = reply.failure ?? "the executor did not answer"
            if group.failure == nil { changed += group.members.sorted() }
            group.failure = (group.failure?.since ?? now, why)
        }
    }

    /// Takes what a run has left in its directory.
    func seen(_ job: Job, _ marks: RemoteMarks, _ limits: (String) -> ExecutorSettings, at now: Instant) -> [RemoteRun.Step] {
        guard var run = runs[job.id], let executor = job.executor else { return [] }
        let before = run
        let steps = run.seen(marks)
        runs[job.id] = run
        if run.marks.hasStarted != before.marks.hasStarted || run.marks.host != before.marks.host { changed.append(job.id) }
        if run.phase == .submitted, run.marks.hasStarted != before.marks.hasStarted || run.isUnexplained {
            let settings = limits(executor)
            hurry(group(of: job, executor), .poll, to: now.advanced(byMilliseconds: settings.pollLeast), settings)
        }
        return steps
    }

    // MARK: Reading

    /// The runs about which there is something new, each with what people are to be shown.
    func takeChanged(at now: Instant) -> [(job: Job, view: RemoteView)] {
        var seen: Set<JobID> = []
        let ids = changed
        changed = []
        return ids.compactMap { id in
            guard seen.insert(id).inserted, let run = runs[id] else { return nil }
            return view(of: run, at: now).map { (run.job, $0) }
        }
    }

    /// The executors that have runs.
    var loads: [String: ExecutorLoad] {
        var loads: [String: ExecutorLoad] = [:]
        for run in runs.values {
            guard let executor = run.job.executor else { continue }
            loads[executor, default: ExecutorLoad()].runs[run.job.remote?.phase ?? .submitting, default: 0] += 1
        }
        for group in groups.values where group.failure != nil { loads[group.executor]?.isUnanswered = true }
        return loads
    }

    private func view(of run: RemoteRun, at now: Instant) -> RemoteView? {
        guard let executor = run.job.executor else { return nil }
        let failure = groups[Self.key(of: run.job, executor)]?.failure.flatMap { run.isUnheard ? $0 : nil }
        var view = run.view(since: now, failure: failure?.why)
        if view.phase == .undecided, let since = failure?.since { view.since = since }
        if let before = run.job.remote, before.phase == view.phase { view.since = before.since }
        return view
    }
}

/// The runs of an executor.
public struct ExecutorLoad: Sendable, Hashable {
    public var runs: [RemoteView.Phase: Int] = [:]
    /// True while questions about some of them are not answered.
    public var isUnanswered = false
}
