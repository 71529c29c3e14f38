import Store

/// What the journal's text says, read when it is first asked for.
final class LazyFacts {
    private var known: JournalFacts?

    func facts(_ world: SimulatedWorld) throws(Violation) -> JournalFacts {
        if let known { return known }
        let facts = try JournalFacts(world.disk, taken: world.takenSegments)
        known = facts
        return facts
    }
}

/// What the journal's text says, all segments of it.
struct JournalFacts {
    /// A task's due times, since its schedule has been as it is.
    struct Due {
        var since: Instant?
        /// Up to when they were dealt with.
        var accounted: Instant?
        var text = ""
        var ran: Set<JobID> = []
        var skipped: [SkippedDue] = []

        mutating func deal(through instant: Instant) { accounted = max(accounted ?? instant, instant) }

        /// Set back further than any right clock is, it counts from there, whatever was dealt with when the clock was wrong.
        mutating func begin(_ instant: Instant) {
            if let accounted, instant.advanced(byMilliseconds: 86_400_000) < accounted {
                (since, skipped) = (instant, [])
                self.accounted = instant
            } else {
                since = since ?? instant
                deal(through: instant)
            }
        }

        var stepMilliseconds: Int64 { text.contains("cron = \"* * * * *\"") ? 60_000 : 300_000 }
    }

    private(set) var due: [String: Due] = [:]
    /// From when a task's due times have counted, each time that it was new: never there before, or removed since.
    private(set) var beginnings: [String: [Instant]] = [:]
    private var inForce: Set<String> = []
    /// Those of the segment that is being read.
    private var acceptedHere: Set<JobID> = []
    /// Of the record before this one, if that was of a schedule: how things stood before it.
    private var scheduledBefore: (task: String, at: Instant, due: Due?)?
    /// Each version of each job, as it was taken up.
    private(set) var accepted: [JobID: [AcceptedJob]] = [:]
    /// Jobs that only segments speak of that somebody has taken away. The daemon may have removed the segment that told of their end.
    private(set) var takenAway: Set<JobID> = []
    private(set) var ends: [JobID: Instant] = [:]
    /// How those have ended that have.
    private(set) var states: [JobID: JobState] = [:]
    private(set) var retries = Retries()
    /// The same of a job's first end, of those that have run again under their id.
    private(set) var firstEnds: [JobID: Instant] = [:]
    /// Names in new/ that became no job, and when that was first found.
    private(set) var rejected: [String: Instant] = [:]

    /// `taken`: the text of the segments that somebody has taken away.
    init(_ disk: SimulatedDisk, taken: [String: [UInt8]]) throws(Violation) {
        let zones = ZoneDatabase(directories: [])
        do {
            try disk.undisturbed {
                let segments = Set(try Journal<SimulatedDisk>.segments(disk)).union(taken.keys)
                for segment in segments.sorted() {
                    guard let bytes = taken[segment] else {
                        _ = try Journal<SimulatedDisk>.read(disk, segment: segment) { take($0, zones) }
                        takenAway.subtract(acceptedHere)
                        acceptedHere = []
                        continue
                    }
                    for line in bytes.split(separator: 0x0A) {
                        if let fields = line.withUnsafeBufferPointer({ JournalFields($0) }) { take(fields, zones) }
                    }
                    takenAway.formUnion(acceptedHere)
                    acceptedHere = []
                }
            }
        } catch {
            throw Violation("the journal cannot be read: \(error)")
        }
    }

    private mutating func take(_ fields: JournalFields, _ zones: ZoneDatabase) {
        if let record = fields.record(ReadingContext(now: fields.at, zones: zones)) { take(record, at: fields.at) }
    }

    private mutating func take(_ record: Record, at instant: Instant) {
        let scheduled = scheduledBefore
        scheduledBefore = nil
        switch record {
        case .defined(let file, let source, _):
            let name = String(file.dropFirst("tasks/".count))
            let text = String(decoding: source.bytes, as: UTF8.self).split(separator: "\n").filter { $0.hasPrefix("cron") }.joined()
            // Another schedule: what was due before is another's affair.
            if due[name]?.text != text { due[name] = Due(text: text) }
        case .scheduled(let task, _, let accounted, _, _):
            if inForce.insert(task).inserted { beginnings[task, default: []].append(accounted) }
            // The first of two at once tells only to what it had come before a leap.
            if let scheduled, scheduled.task == task, scheduled.at == instant { due[task] = scheduled.due }
            scheduledBefore = (task, instant, due[task])
            due[task]?.begin(accounted)
        case .unscheduled(let task, _):
            due[task]?.since = nil
            inForce.remove(task)
        case .accepted(let job):
            accepted[job.id, default: []].append(job)
            acceptedHere.insert(job.id)
            if let original = job.retryOf.flatMap({ JobID($0) }) { retries.add(job.id, of: original) }
            guard let task = job.task, job.schedule != nil else { return }
            due[task]?.ran.insert(job.id)
            due[task]?.deal(through: job.due)
        case .rejected(let file):
            rejected[file.file] = min(rejected[file.file] ?? instant, instant)
            ends[file.id] = instant
        case .ended(let id, let ending):
            guard ending.state.isTerminal else { return }
            firstEnds[id] = firstEnds[id] ?? instant
            ends[id] = instant
            states[id] = ending.state
        case .retried(let id, let original): retries.add(id, of: original)
        case .skipped(let skipped):
            due[skipped.task]?.skipped.append(skipped)
            due[skipped.task]?.deal(through: skipped.through)
        default: break
        }
    }
}
