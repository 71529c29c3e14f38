import Linux
import Store

/// Finds jobs that wait for one another: commands in running jobs that wait for other jobs, and waiting jobs that need what other jobs
/// hold.
///
/// A job can proceed when, for each of its needs, one of the jobs that can satisfy the need can proceed. All other jobs wait for one
/// another and never proceed by themselves.
struct WaitRing {
    /// Why one job waits for the next of the ring.
    struct Step: Equatable {
        enum Cause: Equatable {
            case command, after, overlap
            case lock(String)
            case queue(String, Int)
            case executor(String, Int)
            case slots(Int)
        }

        var job: String
        var cause: Cause
    }

    /// Something that a job needs, and the jobs of which one must proceed to provide it.
    private struct Need {
        var cause: Step.Cause
        var from: [String]
    }

    private let session: Session
    private var records: JobRecords<DiskFileSystem>
    private var surroundings = WaitingSurroundings()
    private var locks: [(lock: String, job: String)] = []
    private var needs: [String: [Need]] = [:]

    init(_ session: Session) throws(Failure) {
        self.session = session
        records = try session.records()
        surroundings.take(try session.configuration())
        // The limits that the daemon uses, also when the configuration file has changed since.
        if let published = try DaemonState(session, records.fs).published {
            if let slots = published.whole("slots") { surroundings.slots = Int(slots) }
            if case .table(let queues)? = published["queues"]?.kind {
                for entry in queues.entries {
                    guard case .table(let queue) = entry.value.kind, let slots = queue.whole("slots") else { continue }
                    surroundings.queueSlots[entry.key] = Int(slots)
                }
            }
        }
        for place in try session.reading({ () throws(JournalError) in try records.places(in: [.running]) }) {
            let found = records
            if let definition = try attempt({ () throws(SystemError) in try found.definition(at: place) }) {
                locks += definition.locks.map { ($0, place.id) }
            }
            if let record = try session.reading({ () throws(JournalError) in try records.record(at: place) }) {
                surroundings.running.append(record.status)
            }
        }
    }

    /// The ring that this job waits for: each job waits for the next, and the last for the first. Nil when there is none.
    mutating func ring(of id: String) throws(Failure) -> [Step]? {
        var next = [id]
        while let one = next.popLast() {
            guard needs[one] == nil else { continue }
            let found = try self.needs(of: one)
            needs[one] = found
            next += found.flatMap(\.from)
        }
        var going = Set<String>()
        var isNews = true
        while isNews {
            isNews = false
            for (job, needs) in needs where !going.contains(job) && needs.allSatisfy({ $0.from.contains(where: going.contains) }) {
                going.insert(job)
                isNews = true
            }
        }
        guard !going.contains(id) else { return nil }
        var path: [Step] = []
        var job = id
        while true {
            if let start = path.firstIndex(where: { $0.job == job }) { return Array(path[start...]) }
            guard let need = needs[job]?.first(where: { !$0.from.contains(where: going.contains) }), let least = need.from.min()
            else { return nil }
            path.append(Step(job: job, cause: need.cause))
            // Prefers the job that is asked about, so that its own ring is found.
            job = need.from.contains(id) ? id : least
        }
    }

    private mutating func needs(of id: String) throws(Failure) -> [Need] {
        guard let record = try session.reading({ () throws(JournalError) in try records.record(of: id) }) else { return [] }
        switch record.place.state {
        case .done, .failed: return []
        case .running:
            return WaitMark.waits(in: record.place.path, records.fs).flatMap { wait in
                wait.any ? [Need(cause: .command, from: wait.ids)] : wait.ids.map { Need(cause: .command, from: [$0]) }
            }
        case .new: return try needs(ofWaiting: record)
        }
    }

    private mutating func needs(ofWaiting record: JobRecord) throws(Failure) -> [Need] {
        let found = records
        let definition = try attempt { () throws(SystemError) in try found.definition(at: record.place) }
        var around = surroundings
        around.heldLocks = locks.filter { definition?.locks.contains($0.lock) ?? false }
        if definition?.after != nil {
            around.waitsFor = try session.reading { () throws(JournalError) in try records.waitsFor(of: record.status.id) }
        }
        return around.holds(on: record.status, overlap: definition?.overlap ?? .wait, now: session.now).flatMap { hold -> [Need] in
            switch hold.kind {
            case .after: hold.jobs.map { Need(cause: .after, from: [$0]) }
            case .overlap: hold.jobs.map { Need(cause: .overlap, from: [$0]) }
            case .lock: hold.jobs.map { Need(cause: .lock(hold.note ?? ""), from: [$0]) }
            // A queue with as many slots as the spool waits for the spool's slots.
            case .queue where hold.slots == around.slots: []
            case .queue: [Need(cause: .queue(record.status.queue, hold.slots ?? 0), from: hold.jobs)]
            case .slots: [Need(cause: .slots(hold.slots ?? 0), from: hold.jobs)]
            case .executor: [Need(cause: .executor(hold.note ?? "", hold.slots ?? 0), from: hold.jobs)]
            // These holds end by themselves, or a user ends them.
            case .daemon, .file, .start, .retry, .pause, .gate: []
            }
        }
    }
}

extension WaitRing {
    /// True when only waiting commands form the ring: neither a free slot nor another configuration can end it.
    static func isOfCommandsAlone(_ ring: [Step]) -> Bool { ring.allSatisfy { $0.cause == .command } }

    /// A ring in words: `A runs, and a command in it waits for B; B needs lock L, which A holds`.
    static func text(_ ring: [Step]) -> String {
        var parts: [String] = []
        for (index, step) in ring.enumerated() {
            let next = ring[(index + 1) % ring.count].job
            switch step.cause {
            case .command where next == step.job: parts.append("\(step.job) waits for itself")
            case .command: parts.append("\(step.job) runs, and a command in it waits for \(next)")
            case .after: parts.append("\(step.job) is to start after \(next)")
            case .overlap: parts.append("\(step.job) waits for \(next), a run of the same task")
            case .lock(let lock): parts.append("\(step.job) needs lock \(lock), which \(next) holds")
            case .queue(let queue, let slots): parts.append("\(step.job) needs a slot of queue \(queue), and \(taken(slots, next))")
            case .executor(let executor, let slots):
                parts.append("\(step.job) needs a slot of executor \(executor), and \(taken(slots, next))")
            case .slots(let slots): parts.append("\(step.job) needs a slot, and \(taken(slots, next))")
            }
        }
        return parts.joined(separator: "; ")
    }

    private static func taken(_ slots: Int, _ next: String) -> String {
        let who = slots == 1 ? "the only one is taken by a job that waits" : "all \(slots) are taken by jobs that wait"
        return "\(who), such as \(next)"
    }
}
