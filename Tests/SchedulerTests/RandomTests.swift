import TestSupport
import Testing

@testable import Scheduler

/// An event of a scheduler as a value, so that two schedulers can handle the same event.
enum Act {
    case drop(AcceptedJob, OnRecord = OnRecord())
    case end(JobID, attempt: Int, RunResult.Outcome)
    case cancel(JobID)
    case kill(JobID, Int32)
    case withdraw(JobID)
    case reject(RejectedFile)
    case pause(PauseScope)
    case resume(PauseScope)
    case task(TaskDefinition)
    case removeTask(String)
    case schedule(id: String, task: String, ScheduleDefinition, Source)
    case removeSchedule(String)
    case limits(SchedulerLimits)
    case answer(Question, Answer)
    case programChanged
    case nothing

    func happen(to scheduler: Scheduler, at now: Instant) {
        let event: Event
        switch self {
        case .drop(let job, let onRecord): event = .dropped(job, onRecord)
        case .end(let id, let attempt, let outcome):
            event = .ended(id, attempt: attempt, RunResult(outcome: outcome, startedAt: nil, endedAt: now))
        case .cancel(let id): event = .cancel(id)
        case .kill(let id, let signal): event = .kill(id, signal: signal)
        case .withdraw(let id): event = .withdrawn(id)
        case .reject(let file): event = .rejected(file)
        case .pause(let scope): event = .paused(scope, note: "")
        case .resume(let scope): event = .resumed(scope)
        case .task(let definition): event = .task(definition, since: now)
        case .removeTask(let name): event = .taskRemoved(name)
        case .schedule(let id, let task, let definition, let source):
            _ = id
            event = .schedule(task: task, definition, source, writtenAt: now, since: now)
        case .removeSchedule(let id): event = .scheduleRemoved(id: id)
        case .limits(let limits): event = .limits(limits)
        case .answer(let question, let answer): event = .answered(question, answer)
        case .programChanged: event = .programChanged("k")
        case .nothing: event = .tick
        }
        scheduler.handle(event, at: now)
    }
}

/// Random events from a seed, and the rules that must hold after each turn.
final class RandomRun {
    let seed: UInt64
    let scheduler: Scheduler
    var random: SeededGenerator
    var now = at("02:00")
    /// The latest time that the clock has shown.
    private var latest = at("02:00")
    private(set) var records: [(at: Instant, record: Record)] = []
    private var retries = Retries()
    private(set) var limits = SchedulerLimits(slots: 3, queueSlots: ["q": 1, "r": 2])
    private var names = 0
    var stepsBack = true
    /// True if some schedules ask a program. A restart asks unanswered questions again, so the test of restarts leaves
    /// this false.
    var asksPrograms = false
    private var questions: [Question] = []
    /// The definitions in force.
    private(set) var tasks: [String: TaskDefinition] = [:]
    private(set) var schedules: [String: (task: String, definition: ScheduleDefinition, source: Source)] = [:]

    // The state according to the records so far.
    private var live = Set<JobID>()
    private var ended = Set<JobID>()
    private var tries = Set<String>()
    private var announced = Set<String>()
    /// The failures of each task in a row, and the time of the last one that was reported.
    private var streaks: [String: (failures: Int, toldAt: Instant?)] = [:]
    private var definitions: [JobID: (task: String?, definition: JobDefinition)] = [:]
    /// The notices that the records of this turn must contain, and those that they contain.
    private var expectedNotices: Set<String> = []
    private var notices: Set<String> = []
    private var dues: [String: Set<Instant>] = [:]
    /// The jobs for which accepted jobs wait, and the results of ended jobs.
    private var waits: [JobID: (on: [JobID], when: After.When)] = [:]
    private var ends: [JobID: JobState] = [:]
    private var skips: [String: [(from: Instant, through: Instant)]] = [:]
    /// The due times that earlier calendars decided.
    private var settled: [String: SettledDues] = [:]
    /// For each schedule, the time from which its due times must be accounted for, and the rule by which they occur.
    private var grids: [String: (since: Instant, origin: Instant, rule: Recurrence)] = [:]

    init(seed: UInt64) {
        self.seed = seed
        random = SeededGenerator(seed: seed)
        scheduler = Scheduler(limits: limits, zones: zones)
        scheduler.settings.calendars = calendars
    }

    var context: ReadingContext { ReadingContext(now: now, zones: zones, calendars: calendars) }

    private var calendars = RandomRun.calendars(["02:10-02:30", "03:00-03:05"])

    private static func calendars(_ windows: [String]) -> Calendars {
        Calendars([Calendars.Entry(name: "c", windows: windows)], zone: .utc, zones: zones) { _ in [] }
    }

    // MARK: Choosing events

    private func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
    private func pick<Element>(_ choices: [Element]) -> Element { choices.randomElement(using: &random)! }

    private func jobs(_ state: JobState) -> [Job] {
        scheduler.jobs.values.filter { $0.state == state }.sorted { $0.id < $1.id }
    }

    private func jobKeys() -> String {
        var keys: [String] = []
        if chance(30) { keys.append("priority = \(pick([-5, 0, 3, 9]))") }
        if chance(20) { keys.append("deadline = \"\(pick(["20s", "2m", "1h"]))\"") }
        if chance(40) {
            keys.append(
                "tries = \(pick([2, 3]))\nbackoff = {initial = \"\(pick(["0s", "7s", "1m"]))\", factor = 2, jitter = \(pick([0, 0.3]))}")
        }
        if chance(20) { keys.append("retry_on = \(pick(["[1]", "[\"lost\", \"exit\"]", "\"timeout\""]))") }
        if chance(30) { keys.append("on_crash = \"retry\"") }
        if chance(30) { keys.append("locks = \(pick(["[\"a\"]", "[\"b\"]", "[\"a\", \"b\"]", "[\"c\", \"a\"]"]))") }
        if chance(15) {
            keys.append("\(pick(["on_success", "on_failure", "on_end"])) = \(pick(["\"t1\"", "\"t2\"", "\"t4\"", "[\":\"]"]))")
        }
        if chance(10) { keys.append("pause_on_failure = true") }
        if chance(15) { keys.append("on_start = [\":\"]") }
        if chance(15) { keys.append("slow = \"\(pick(["5s", "1m", "10m"]))\"\non_slow = [\":\"]") }
        if chance(10) { keys.append("min_run = \"\(pick(["2s", "1m"]))\"") }
        if chance(20) { keys.append("notify_after = \(pick([1, 2, 3]))\nnotify_every = \"\(pick(["30s", "10m", "2h"]))\"") }
        if chance(10) { keys.append("on_recovery = [\":\"]") }
        return keys.map { $0 + "\n" }.joined()
    }

    private func text(_ text: String) -> Source { Source(format: .toml, bytes: Array(text.utf8)) }

    private func newJob() -> AcceptedJob {
        names += 1
        var keys = jobKeys() + (chance(40) ? "queue = \"\(pick(["q", "r", "s"]))\"\n" : "")
        if chance(20) { keys += "start = \"in \(pick([5, 60, 400]))s\"\n" }
        if chance(40) { keys += afterKey(["t1", "t2", "t3"]) }
        if chance(10) { keys += "unique = \"\(pick(["u", "v"]))\"\n" }
        let source = text("command = \":\"\n\(keys)")
        let definition = try! JobDefinition.read(try! source.table(), context)
        let name = "j\(names)"
        return AcceptedJob(
            id: JobID(instant: now, name: name, unique: UInt64(names)), name: name, due: now, createdAt: now,
            notBefore: definition.start ?? now, source: source, definition: definition,
            file: chance(80) ? FileStamp(name: name, inode: 1, size: 1, modifiedNanoseconds: 1) : nil)
    }

    /// A retry of an ended job. It may name other ended jobs; the event then includes their recorded ends.
    private func retry() -> Act {
        let old = ended.sorted().suffix(20)
        var job = newJob()
        guard let original = old.randomElement(using: &random) else { return .drop(job) }
        job.retryOf = original.text
        job.isDirectory = true
        job.file = nil
        var onRecord = OnRecord()
        if chance(50), let other = old.randomElement(using: &random) {
            let keys = jobKeys() + "after = {all = [\"\(other)\"], when = \"\(pick(["success", "failure", "end"]))\"}\n"
            job.source = text("command = \":\"\n\(keys)")
            job.definition = try! JobDefinition.read(try! job.source.table(), context)
        }
        for name in job.definition.after?.all ?? [] {
            for id in scheduler.awaited(name) {
                if scheduler.jobs[id] != nil { break }
                guard let end = ends[id] else { continue }
                onRecord.ends[id] = end
                break
            }
        }
        return .drop(job, onRecord)
    }

    private func afterKey(_ tasks: [String]) -> String {
        var names: [String] = []
        for job in (jobs(.new) + jobs(.running)).shuffled(using: &random).prefix(pick([0, 1, 2])) { names.append(job.id.text) }
        if chance(30) || names.isEmpty { names.append(pick(tasks)) }
        return "after = {all = [\(names.map { "\"\($0)\"" }.joined(separator: ", "))], when = \"\(pick(["success", "failure", "end"]))\"}\n"
    }

    private func scheduleKeys() -> String {
        let when = pick([
            "cron = \"* * * * *\"", "cron = \"*/5 * * * *\"", "cron = \"*/20 * * * * *\"", "every = \"90s\"",
            "every = \"2m\"\nfrom = \"start\"", "at = \"\(now.advanced(byMilliseconds: 200_000))\"",
            "pattern = \"\(asksPrograms ? "ext:k:" : "40.seconds")\"", "pattern = \"**.0\(pick([2, 3, 4])).\(pick([10, 45])).00\"",
        ])
        var keys = "\(when)\n"
        if chance(25) { keys += "catch_up = \"\(pick(["all", "none"]))\"\ncatch_up_limit = 3\n" }
        if chance(25) { keys += "jitter = \"30s\"\n" }
        if chance(15) { keys += "enabled = false\n" }
        if chance(20), !when.contains("ext:") { keys += "\(pick(["except", "only"])) = \"c\"\n" }
        return keys
    }

    private func newTask() -> Act {
        let name = pick(["t1", "t2", "t3", "t4"])
        var text = "command = \":\"\noverlap = \"\(pick(Overlap.allCases).rawValue)\"\n" + jobKeys()
        if chance(40) { text += "queue = \"q\"\n" }
        if chance(20), let other = ["t1", "t2"].first(where: { $0 != name }) { text += "after = {all = [\"\(other)\"], when = \"end\"}\n" }
        if chance(30) { text += "expect = \"\(pick(["1m", "10m", "2h"]))\"\non_overdue = \(pick(["\"t3\"", "[\":\"]"]))\n" }
        for _ in 0..<pick([0, 1, 1, 2]) { text += "[[schedule]]\n" + scheduleKeys() }
        let definition = try! TaskDefinition(name: name, source: self.text(text), context)
        return .task(definition)
    }

    private func newSchedule() -> Act {
        let task = pick(["t1", "t2"])
        let id = pick(["s1", "s2"])
        let source = text("task = \"\(task)\"\n" + scheduleKeys())
        let definition = try! ScheduleDefinition.file(id: id, source: source, context).schedule
        return .schedule(id: id, task: task, definition, source)
    }

    /// Moves the clock and chooses the next event.
    func choose() -> Act {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<45:
            if let wake = scheduler.nextWake(), wake > now, wake.milliseconds - now.milliseconds < 300_000 { now = wake }
        case 45..<80: now = now.advanced(byMilliseconds: Int64.random(in: 0...30_000, using: &random))
        case 80..<83: now = now.advanced(byMilliseconds: 3_600_000)
        case 83..<86 where stepsBack: now = now.advanced(byMilliseconds: -Int64.random(in: 0...1_800_000, using: &random))
        default: break
        }
        let running = jobs(.running)
        let waiting = jobs(.new)
        let outcomes: [RunResult.Outcome] = [
            .exited(0), .exited(0), .exited(1), .exited(2), .timedOut(exitCode: nil, signal: 15),
            .signaled(9, coreDumped: false), .lost("x"), .notSpawned("x"),
        ]
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<15: return .drop(newJob())
        case 15..<18: return retry()
        case 18..<55:
            guard let job = running.randomElement(using: &random) else { return .drop(newJob()) }
            return .end(job.id, attempt: job.attempt, pick(outcomes))
        case 55..<58: return (running + waiting).randomElement(using: &random).map { .cancel($0.id) } ?? .nothing
        case 58..<60: return running.randomElement(using: &random).map { .kill($0.id, pick([9, 10])) } ?? .nothing
        case 60..<62: return waiting.randomElement(using: &random).map { .withdraw($0.id) } ?? .nothing
        case 62..<64:
            guard let job = waiting.filter({ $0.attempt == 0 && $0.schedule == nil }).randomElement(using: &random) else { return .nothing }
            if chance(30) { return .reject(RejectedFile(id: job.id, name: job.name, file: "x", inode: 0, due: now, error: "x")) }
            var edited = newJob()
            edited.id = job.id
            edited.name = job.name
            return .drop(edited)
        case 64..<74:
            let scope = pick([PauseScope.all, .queue("q"), .queue("default"), .task("t1"), .task("t2")])
            return scheduler.pauses[scope] == nil && chance(40) ? .pause(scope) : .resume(scope)
        case 74..<86: return newTask()
        case 86..<88: return .removeTask(pick(["t1", "t2", "t3", "t4"]))
        case 88..<91: return newSchedule()
        case 91..<92: return .removeSchedule(pick(["s1", "s2"]))
        case 94..<98 where !questions.isEmpty:
            let question = questions.remove(at: Int.random(in: 0..<questions.count, using: &random))
            let due = question.after.advanced(byMilliseconds: Int64.random(in: -5_000...300_000, using: &random))
            return .answer(question, pick([.due(due), .due(due), .never, .failed("x")]))
        case 98..<99 where asksPrograms: return .programChanged
        case 92..<94: return .limits(SchedulerLimits(slots: pick([1, 3, 5]), queueSlots: ["q": pick([1, 2]), "r": 2]))
        default: return .nothing
        }
    }

    // MARK: Handling events

    /// Handles the event, takes a turn, checks the rules, and returns the decisions.
    @discardableResult
    func happen(_ act: Act) -> [String] {
        latest = max(latest, now)
        switch act {
        case .task(let definition): tasks[definition.name] = definition
        case .removeTask(let name): tasks[name] = nil
        case .schedule(let id, let task, let definition, let source): schedules[id] = (task, definition, source)
        case .removeSchedule(let id): schedules[id] = nil
        case .limits(let limits): self.limits = limits
        default: break
        }
        act.happen(to: scheduler, at: now)
        let turn = scheduler.takeTurn(at: now)
        records += turn.records
        questions += turn.questions
        for (instant, record) in turn.records { check(record, at: instant) }
        check(turn)
        checkNotices()
        return Self.lines(of: turn)
    }

    static func lines(of turn: Turn) -> [String] {
        turn.records.map { "\($0.at) \(line($0.record))" } + turn.starts.map { "start \($0.id) \($0.attempt)" }
            + turn.stops.map { "stop \($0.job.id) \($0.how)" } + turn.refusals.map { "refused \($0)" }
            + turn.places.map { "place \($0.id) \($0.state) \($0.attempt) \($0.reason.map { $0.rawValue } ?? "")" }.sorted()
    }

    private func fail(_ why: String) { Issue.record("\(why), at \(now), seed \(seed)") }

    /// Checks that a record fits the records before it.
    private func check(_ record: Record, at instant: Instant) {
        switch record {
        case .accepted(let job):
            definitions[job.id] = (job.task, job.definition)
            if let parent = job.parent, job.task == nil, let key = job.name.split(separator: ".").last {
                notices.insert("\(parent) \(key)")
            }
            waits[job.id] = (job.waitsFor, job.definition.after?.when ?? .end)
            if let original = job.retryOf.flatMap({ JobID($0) }) { retries.add(job.id, of: original) }
            if job.depth > Scheduler.depthMax + 1 { fail("\(job.id) is follow-up \(job.depth)") }
            if job.parent != nil, live.contains(job.id) || ended.contains(job.id) { fail("\(job.id) follows twice") }
            if job.schedule == nil, ended.contains(job.id) { fail("\(job.id) was accepted after its end") }
            if let task = job.task, let schedule = job.schedule {
                let key = "\(task) \(schedule)"
                if !dues[key, default: []].insert(job.due).inserted { fail("\(key) was due twice at \(job.due)") }
                if live.contains(job.id) { fail("\(job.id) is two jobs") }
                tries = tries.filter { !$0.hasPrefix(job.id.text) }
                if skips[key, default: []].contains(where: { $0.from <= job.due && job.due <= $0.through }) {
                    fail("\(key) at \(job.due) was skipped and run")
                }
            }
            live.insert(job.id)
        case .rejected(let file):
            ends[file.id] = .failed
            live.remove(file.id)
            ended.insert(file.id)
        case .withdrawn(let id):
            if live.remove(id) == nil { fail("\(id) was withdrawn and not there") }
            ends[id] = .failed
            ended.insert(id)
        case .started(let id, let attempt):
            if !live.contains(id) { fail("\(id) was started and not there") }
            for other in waits[id]?.on ?? [] {
                let after = After(all: [], when: waits[id]!.when)
                let isMet = retries.family(of: other).contains { ends[$0].map(after.isMet) ?? false }
                if !isMet { fail("\(id) starts before \(other)") }
            }
            if !tries.insert("\(id) \(attempt)").inserted { fail("try \(attempt) of \(id) was started twice") }
        case .submitted(let id, _, _): if !live.contains(id) { fail("\(id) was submitted and not there") }
        case .stopping(let id, _): if !live.contains(id) { fail("\(id) was stopped and not there") }
        case .requested(let id, _): if !live.contains(id) { fail("something was done for \(id), which was not there") }
        case .ended(let id, let ending):
            if !live.contains(id) { fail("\(id) has ended and was not there") }
            if ending.state.isTerminal {
                live.remove(id)
                ended.insert(id)
                ends[id] = ending.state
                expectNotices(of: id, ending, at: instant)
            }
            if (ending.state == .failed) != (ending.reason != nil && ending.state != .new) { fail("\(id) \(ending)") }
        case .skipped(let due):
            let key = "\(due.task) \(due.schedule)"
            if due.from > due.through { fail("\(key) skipped nothing") }
            if dues[key, default: []].contains(where: { due.from <= $0 && $0 <= due.through }) { fail("\(key) was run and skipped") }
            skips[key, default: []].append((due.from, due.through))
        case .scheduled(let task, let schedule, let accounted, let origin, _):
            let definition = tasks[task]?.schedules.first { $0.id == schedule } ?? schedules[schedule]?.definition
            guard let rule = definition?.recurrence else { return fail("\(task) \(schedule) is not defined") }
            grids["\(task) \(schedule)"] = (accounted, origin, rule)
        case .settled(let task, let schedule, let dues): settled["\(task) \(schedule)"] = dues
        case .unscheduled(let task, let schedule):
            settled["\(task) \(schedule)"] = nil
            // A schedule that is defined again after the clock was set back is due again, so its due times are forgotten.
            let key = "\(task) \(schedule)"
            grids[key] = nil
            dues[key] = nil
            skips[key] = nil
        case .answered(let task, let schedule, let due, let last):
            if let due, dues["\(task) \(schedule)", default: []].contains(due) { fail("\(task) \(schedule) is due again at \(due)") }
            if let due, let last, due <= last { fail("\(task) \(schedule) is due at \(due), after \(last)") }
        case .announced(let id, let what):
            if !live.contains(id) { fail("\(id) was announced and is not there") }
            if !announced.insert("\(id) \(what)").inserted { fail("\(id) was announced twice: \(what)") }
            expectedNotices.insert("\(id) on_\(what)")
        case .ran, .counted, .failing, .retried, .moved, .remarked: fail("\(record) outside of a snapshot")
        case .expecting, .filesSeen, .filesGone, .defined, .stamped, .undefined, .paused, .resumed, .refused, .followed,
            .repaired, .recovered, .daemonStarted, .daemonStopped:
            break
        }
    }

    /// Counts an end among the failures of its task, and adds the notices that must follow.
    private func expectNotices(of id: JobID, _ ending: Ending, at instant: Instant) {
        guard let (task, definition) = definitions[id], ending.reason != .canceled, ending.reason != .replaced else { return }
        let rules = definition.notices
        if ending.state == .done {
            let failedTries = ending.attempt - 1
            let isRecovery = task.map { streaks[$0]?.toldAt != nil } ?? (failedTries > 0 && failedTries >= rules?.after ?? 1)
            if isRecovery { expectedNotices.insert("\(id) on_recovery") }
            if let task { streaks[task] = nil }
            return
        }
        guard let task else { return _ = expectedNotices.insert("\(id) on_failure") }
        var streak = streaks[task] ?? (0, nil)
        streak.failures += 1
        var isHeldBack = streak.failures < rules?.after ?? 1
        if let toldAt = streak.toldAt, let every = rules?.everyMilliseconds {
            isHeldBack = isHeldBack || toldAt <= instant && instant.milliseconds - toldAt.milliseconds < every
        }
        if !isHeldBack {
            streak.toldAt = instant
            expectedNotices.insert("\(id) on_failure")
        }
        streaks[task] = streak
    }

    /// Checks that the turn gave each notice that it owed, and no other.
    private func checkNotices() {
        let keys = ["on_start", "on_slow", "on_failure", "on_recovery"]
        func commands(_ key: String, of id: String) -> Bool {
            guard let job = JobID(id), let (_, definition) = definitions[job] else { return false }
            return definition.followUps.contains { $0.key == key && $0.action == .arguments([":"]) }
        }
        let expected = expectedNotices.filter { notice in
            let words = notice.split(separator: " ").map(String.init)
            return commands(words[1], of: words[0])
        }
        let given = notices.filter { notice in keys.contains(String(notice.split(separator: " ")[1])) }
        if expected != given { fail("the notices are \(given.sorted()), not \(expected.sorted())") }
        expectedNotices = []
        notices = []
        for task in streaks.keys where scheduler.tasks[task] == nil { streaks[task] = nil }
    }

    /// The rules that hold after every turn.
    private func check(_ turn: Turn) {
        let jobs = Array(scheduler.jobs.values)
        let running = jobs.filter { $0.state == .running }
        if scheduler.runningCount != running.count { fail("\(running.count) run, \(scheduler.runningCount) are counted") }
        var byQueue: [String: Int] = [:]
        for job in running { byQueue[job.definition.queue, default: 0] += 1 }
        if byQueue != scheduler.runningByQueue { fail("\(byQueue) run, \(scheduler.runningByQueue) are counted") }
        if Set(jobs.map(\.id)) != live { fail("\(jobs.map(\.id)) are known, \(live) are alive") }
        let held = running.flatMap(\.definition.locks)
        if Set(held).count != held.count { fail("a lock of \(held) is held twice") }
        for job in jobs where job.state == .running && !job.waitsFor.isEmpty { fail("\(job.id) runs and waits for \(job.waitsFor)") }
        if Set(turn.starts.map { ObjectIdentifier($0) }).count != turn.starts.count { fail("one job starts twice in a turn") }
        if Set(turn.places.map { ObjectIdentifier($0) }).count != turn.places.count { fail("one job is placed twice in a turn") }
        if !turn.starts.isEmpty, running.count > limits.slots { fail("\(running.count) run on \(limits.slots) slots") }
        for job in turn.starts {
            let queue = job.definition.queue
            if let slots = limits.queueSlots[queue], byQueue[queue, default: 0] > slots { fail("\(queue) has \(byQueue)") }
            if job.notBefore > latest { fail("\(job.id) starts early") }
            if let deadline = job.deadline, job.attempt == 1, deadline <= now { fail("\(job.id) starts after its deadline") }
            if scheduler.pauses[.all] != nil || scheduler.pauses[.queue(queue)] != nil { fail("\(job.id) starts in a pause") }
            if let task = job.task, scheduler.pauses[.task(task)] != nil { fail("\(job.id) starts in its task's pause") }
        }
        checkTasks(jobs)
        checkNothingIdles(jobs, turn)
        checkDues()
    }

    /// Checks that one run of each task goes on at a time, unless runs may overlap. A run between two tries has not ended.
    private func checkTasks(_ jobs: [Job]) {
        for (task, runs) in Dictionary(grouping: jobs.filter { $0.task != nil }, by: { $0.task! }) {
            let begun = runs.filter { $0.attempt > 0 && $0.definition.overlap != .allow }
            if begun.count > 1 { fail("\(begun.map(\.id)) of \(task) run together") }
        }
    }

    /// Checks that no slot stays free while a job could use it, and that no job starts before a better one.
    private func checkNothingIdles(_ jobs: [Job], _ turn: Turn) {
        guard scheduler.pauses[.all] == nil else { return }
        let held = Set(jobs.filter { $0.state == .running }.flatMap(\.definition.locks))
        let could = jobs.filter { job in
            guard job.waitsFor.isEmpty, held.isDisjoint(with: job.definition.locks) else { return false }
            let queue = job.definition.queue
            guard job.state == .new, job.notBefore <= now, scheduler.pauses[.queue(queue)] == nil,
                scheduler.runningByQueue[queue] ?? 0 < limits.queueSlots[queue] ?? .max
            else { return false }
            guard let task = job.task else { return true }
            if scheduler.pauses[.task(task)] != nil { return false }
            return job.definition.overlap == .allow
                || !jobs.contains { $0 !== job && $0.task == task && $0.attempt > 0 && $0.definition.overlap != .allow }
        }
        if scheduler.runningCount < limits.slots, let job = could.first { fail("\(job.id) waits beside a free slot") }
        for job in could {
            // A job whose try ended in this turn was not there when the others were chosen. Neither was a follow-up of a start in
            // this turn.
            if job.parent != nil, job.createdAt == now { continue }
            for started in turn.starts where ReadyQueues.Entry(job) < ReadyQueues.Entry(started) && job.task == nil {
                fail("\(started.id) starts before \(job.id)")
            }
        }
    }

    /// Checks that every due time up to `accounted` became a job or a record with the reason.
    private func checkDues() {
        for (key, grid) in grids where !grid.rule.isFromEnd {
            let words = key.split(separator: " ").map(String.init)
            guard let state = scheduler.tasks[words[0]]?.schedule(words[1]) else { continue }
            var last = grid.since
            while let due = grid.rule.next(after: last, origin: grid.origin, settled: settled[key]), due <= state.accounted {
                if !dues[key, default: []].contains(due),
                    !skips[key, default: []].contains(where: { $0.from <= due && due <= $0.through })
                {
                    fail("\(key) at \(due) became nothing")
                }
                last = due
            }
            grids[key]!.since = max(last, state.accounted)
        }
    }

    // MARK: After a restart

    /// If the clock was set back, sets it to the latest time that it has shown.
    func catchUpWithTheClock() {
        now = latest
        happen(.nothing)
    }

    /// A scheduler that has replayed `records` and read the definitions in force again.
    func restored(from records: [(at: Instant, record: Record)]) -> Scheduler {
        let other = Scheduler(limits: limits, zones: zones)
        other.settings.calendars = calendars
        for entry in records { other.restore(entry.record, at: entry.at) }
        _ = other.finishRestoring()
        for name in tasks.keys.sorted() { other.handle(.task(tasks[name]!, since: now), at: now) }
        for id in schedules.keys.sorted() {
            let schedule = schedules[id]!
            other.handle(.schedule(task: schedule.task, schedule.definition, schedule.source, writtenAt: now, since: now), at: now)
        }
        return other
    }

    /// Lets every job end.
    func drain() {
        for scope in scheduler.pauses.keys.sorted(by: { "\($0)" < "\($1)" }) { happen(.resume(scope)) }
        for name in ["t1", "t2", "t3", "t4"] { happen(.removeTask(name)) }
        for id in ["s1", "s2"] { happen(.removeSchedule(id)) }
        for _ in 0..<10_000 {
            if let job = jobs(.running).first {
                happen(.end(job.id, attempt: job.attempt, .exited(0)))
            } else if let wake = scheduler.nextWake() {
                now = max(now, wake)
                happen(.nothing)
            } else {
                break
            }
        }
        if !live.isEmpty { fail("\(live) never ended") }
        if !scheduler.jobs.isEmpty || !scheduler.tasks.isEmpty { fail("\(scheduler.tasks.keys) are never forgotten") }
    }
}

@Suite struct RandomTests {
    /// Checks slots, queues, one start for each try, one end for each job and one job for each due time, after every turn of any
    /// history.
    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func theRulesHoldInAnyHistory(seed: UInt64) {
        let run = RandomRun(seed: seed)
        run.asksPrograms = true
        for _ in 0..<400 { run.happen(run.choose()) }
        run.drain()
    }

    /// A restart at any moment changes nothing: all later decisions are the same.
    @Test(arguments: 1001...1040 as ClosedRange<UInt64>, [false, true])
    func aRestartChangesNothing(seed: UInt64, fromSnapshot: Bool) {
        let run = RandomRun(seed: seed)
        for _ in 0..<Int(50 + seed % 7 * 30) { run.happen(run.choose()) }
        // With a clock that was set back, a job would wait for its start time in the restored scheduler, instead of starting at
        // once.
        run.catchUpWithTheClock()
        run.stepsBack = false
        let other = run.restored(from: fromSnapshot ? run.scheduler.snapshot(at: run.now) : run.records)
        // A disabled schedule is accounted for up to now whenever its definition is read.
        let first = other.takeTurn(at: run.now).records.map { line($0.record) }.filter { !$0.hasPrefix("scheduled") }
        guard first.isEmpty else {
            Issue.record("a restart alone decides \(first), seed \(seed)")
            return
        }
        for step in 0..<150 {
            let act = run.choose()
            let expected = run.happen(act)
            act.happen(to: other, at: run.now)
            let lines = RandomRun.lines(of: other.takeTurn(at: run.now))
            guard lines == expected, other.nextWake() == run.scheduler.nextWake() else {
                Issue.record(
                    """
                    step \(step), \(act): \(expected) became \(lines); \(String(describing: run.scheduler.nextWake())) became \
                    \(String(describing: other.nextWake())), seed \(seed)
                    """)
                return
            }
        }
    }
}
