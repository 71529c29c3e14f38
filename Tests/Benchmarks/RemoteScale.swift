import Linux
import Scheduler

/// Very many jobs of an executor, in simulated time: the scheduler as it is, and an engine that takes as long as a real one. So the numbers
/// of calls, and of what the engine sees of them, are exact, and only the processor time depends on the machine.
extension Suite {
    func measureRemoteScale(_ name: String) throws {
        let minutes = options.isSmoke ? 1 : 10
        let engines = [(RemoteEngine.slurm, "slurm"), (.ssh(hosts: 100), "ssh, 100 hosts"), (.ssh(hosts: 1000), "ssh, 1000 hosts")]
        for (engine, title) in engines {
            for slots in options.isSmoke ? [100] : [1000, 10_000] {
                try measure(engine, "\(name), \(title), \(slots) jobs at once", slots: slots, minutes: minutes)
            }
        }
    }

    private func measure(_ engine: RemoteEngine, _ title: String, slots: Int, minutes: Int) throws {
        let cluster = SimulatedCluster(engine, slots: slots, waiting: options.isSmoke ? 1000 : 100_000)
        cluster.fill()
        cluster.run(minutes: 2)  // until all places are taken
        let before = cluster.counts
        let start = System.ownSeconds()
        cluster.run(minutes: minutes)
        let seconds = System.ownSeconds() - start
        let counts = cluster.counts - before
        func perMinute(_ count: Int) -> String { decimal(Double(count) / Double(minutes), 1) }
        report.add(
            Row(
                measure: title, ours: "\(perMinute(counts.ended)) jobs a minute, \(counts.doubled) twice",
                figure: (Double(counts.ended) / Double(minutes), "jobs/min"), bar: "none twice", isMet: counts.doubled == 0))
        report.add(
            Row(
                measure: "  calls a minute",
                ours: "submit \(perMinute(counts.submits)), poll \(perMinute(counts.polls)), find \(counts.finds)",
                figure: (Double(counts.submits + counts.polls) / Double(minutes), "calls/min"), bar: "polls: at most 30",
                isMet: counts.polls <= 30 * minutes))
        report.add(
            Row(
                measure: "  the engine sees a minute", ours: engine.told(perMinute(counts.toSubmit), perMinute(counts.toAsk)),
                figure: (Double(counts.toSubmit + counts.toAsk) / Double(minutes), "1/min")))
        report.add(
            Row(
                measure: "  processor time of the scheduler", ours: "\(decimal(1000 * seconds / Double(minutes), 0)) ms a minute",
                figure: (seconds / Double(minutes), "s/min"), bar: "below 3 s, 5 % of a processor",
                isMet: seconds < 3 * Double(minutes)))
    }
}

/// What an engine sees of calls, and how long they take. The times were measured on two processors with Tests/slurm/cluster and an sshd on
/// loopback: sbatch 4 ms, squeue 17 ms with 1,000 jobs, a connection of ssh to the first line of its shell 400 ms.
private enum RemoteEngine {
    case slurm
    case ssh(hosts: Int)

    /// - Parameter hostsOfRuns: the number of hosts that the call's runs have.
    func cost(of call: ExecutorCall, hostsOfRuns: Int) -> (count: Int, milliseconds: Int64) {
        switch self {
        // One sbatch for each job, and one squeue for all.
        case .slurm where call.verb == .submit: return (call.items.count, 4 * Int64(call.items.count))
        case .slurm: return (1, 2 + 15 * Int64(call.items.count) / 1000)
        // A connection for each host, 32 at once.
        case .ssh: return (hostsOfRuns, 400 * Int64((hostsOfRuns + 31) / 32))
        }
    }

    func told(_ toSubmit: String, _ toAsk: String) -> String {
        switch self {
        case .slurm: "sbatch \(toSubmit), squeue \(toAsk)"
        case .ssh: "connections \(toSubmit) to submit, \(toAsk) to ask"
        }
    }
}

/// A cluster that runs jobs of a minute, with a spool that always has more of them.
private final class SimulatedCluster {
    struct Counts {
        var ended = 0, doubled = 0, submits = 0, polls = 0, finds = 0
        /// What the engine saw of calls of `submit`, and of the others.
        var toSubmit = 0, toAsk = 0

        static func - (one: Counts, other: Counts) -> Counts {
            Counts(
                ended: one.ended - other.ended, doubled: one.doubled - other.doubled, submits: one.submits - other.submits,
                polls: one.polls - other.polls, finds: one.finds - other.finds, toSubmit: one.toSubmit - other.toSubmit,
                toAsk: one.toAsk - other.toAsk)
        }
    }

    private(set) var counts = Counts()
    private let scheduler: Scheduler
    private var now = Instant(seconds: 1_795_226_400)
    private let definition: JobDefinition
    private let source: Source
    private let waiting: Int
    private var dropped: UInt64 = 0
    private var begun = 0
    /// What happens next: the earliest first, in the order in which they were planned.
    private var events = EventHeap()
    private var running: Set<JobID> = []
    private var random: UInt64 = 1

    private let engine: RemoteEngine
    /// The hosts of the runs, if the engine is ssh: each submission goes to the next one, as to the one with the fewest.
    private var hosts: [JobID: Int] = [:]
    private var lastHost = 0

    init(_ engine: RemoteEngine, slots: Int, waiting: Int) {
        self.engine = engine
        self.waiting = waiting
        var limits = SchedulerLimits()
        var settings = ExecutorSettings()
        settings.slots = slots
        limits.executors = ["cluster": settings]
        let zones = ZoneDatabase()
        scheduler = Scheduler(limits: limits, zones: zones)
        source = Source(format: .toml, bytes: Array("command = \"work\"\nexecutor = \"cluster\"\n".utf8))
        let context = ReadingContext(now: now, zones: zones, filesMax: 1 << 20, calendars: Calendars())
        definition = try! JobDefinition.read(try! source.table(), context)  // the text is right
    }

    /// Drops jobs until as many as wanted wait.
    func fill() {
        while Int(dropped) - begun < waiting {
            dropped += 1
            let id = JobID(instant: now, name: "work", unique: dropped)
            let job = AcceptedJob(
                id: id, name: "work", due: now, createdAt: now, notBefore: now, source: source, definition: definition,
                file: FileStamp(name: "\(dropped).toml", inode: dropped, size: 1, modifiedNanoseconds: 1))
            scheduler.handle(.dropped(job), at: now)
        }
    }

    func run(minutes: Int) {
        let end = now.advanced(byMilliseconds: Int64(minutes) * 60_000)
        while now < end {
            turn()
            let wake = [events.first, scheduler.nextWake()].compactMap(\.self).min() ?? end
            now = min(max(now, wake), end)
            while let first = events.first, first <= now { handle(events.removeFirst()) }
        }
    }

    private func turn() {
        while true {
            let turn = scheduler.takeTurn(at: now)
            begun += turn.starts.count
            for job in turn.starts { scheduler.handle(.placed(job.id, attempt: job.attempt), at: now) }
            for call in turn.calls { take(call) }
            for end in turn.remoteEnds {
                scheduler.handle(.ended(end.id, attempt: end.attempt, end.result), at: now)
                counts.ended += 1
            }
            if !turn.remoteEnds.isEmpty { fill() }
            if turn.isEmpty { return }
        }
    }

    private func take(_ call: ExecutorCall) {
        if case .ssh(let count) = engine, call.verb == .submit {
            for item in call.items {
                lastHost = (lastHost + 1) % count
                hosts[item.job.id] = lastHost
            }
        }
        let cost = engine.cost(of: call, hostsOfRuns: Set(call.items.compactMap { hosts[$0.job.id] }).count)
        switch call.verb {
        case .submit: counts.submits += 1
        case .poll: counts.polls += 1
        case .find: counts.finds += 1
        case .cancel, .signal, .extend: break
        }
        if call.verb == .submit { counts.toSubmit += cost.count } else { counts.toAsk += cost.count }
        events.add(.reply(call), at: now.advanced(byMilliseconds: cost.milliseconds))
    }

    private func handle(_ event: EventHeap.Event) {
        switch event {
        case .reply(let call):
            let answers = call.items.map { item in
                let kind: ExecutorAnswer.Kind =
                    call.verb == .submit ? .submitted : .state(running.contains(item.job.id) ? .running : .ended)
                return ExecutorAnswer(item.job.id, attempt: item.attempt, kind)
            }
            if call.verb == .submit {
                for item in call.items {
                    if !running.insert(item.job.id).inserted { counts.doubled += 1 }
                    random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    // Jobs take from 45 to 75 seconds.
                    let length = 45_000 + Int64(random >> 33) % 30_000
                    events.add(.end(item.job.id, attempt: item.attempt), at: now.advanced(byMilliseconds: length))
                }
            }
            scheduler.handle(.replied(ExecutorReply(number: call.number, answers: answers)), at: now)
        case .end(let id, let attempt):
            running.remove(id)
            hosts[id] = nil
            scheduler.handle(
                .marked(id, attempt: attempt, RemoteMarks(hasStarted: true, beat: 1, end: RemoteEnd(.exited(0)))), at: now)
        }
    }
}

/// Events of the future, by their times.
private struct EventHeap {
    enum Event {
        case reply(ExecutorCall)
        case end(JobID, attempt: Int)
    }

    private var entries: [(at: Instant, number: Int, event: Event)] = []
    private var added = 0

    var first: Instant? { entries.first?.at }

    mutating func add(_ event: Event, at instant: Instant) {
        added += 1
        entries.append((instant, added, event))
        var place = entries.count - 1
        while place > 0, comes(place, before: (place - 1) / 2) {
            entries.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    mutating func removeFirst() -> Event {
        entries.swapAt(0, entries.count - 1)
        let event = entries.removeLast().event
        var place = 0
        while let child = [2 * place + 1, 2 * place + 2].filter({ $0 < entries.count }).min(by: { comes($0, before: $1) }),
            comes(child, before: place)
        {
            entries.swapAt(place, child)
            place = child
        }
        return event
    }

    private func comes(_ one: Int, before other: Int) -> Bool {
        (entries[one].at, entries[one].number) < (entries[other].at, entries[other].number)
    }
}
