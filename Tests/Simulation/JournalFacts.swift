import Store

/// The facts in the journal's text, read when they are first needed.
final class LazyFacts {
    private var known: JournalFacts?

    func facts(_ world: SimulatedWorld) throws(Violation) -> JournalFacts {
        if let known { return known }
        let facts = try JournalFacts(world.disk, taken: world.takenSegments)
        known = facts
        return facts
    }
}

struct FollowUpOf: Hashable {
    let parent: JobID
    let key: String
}

/// The facts in the text of all segments of the journal.
struct JournalFacts {
    /// The due times of a task since its schedule last changed.
    struct Due {
        var since: Instant?
        /// The time up to which they were handled.
        var accounted: Instant?
        var text = ""
        var ran: Set<JobID> = []
        var skipped: [SkippedDue] = []
        /// The keys of the schedule that concern calendars. Empty when it has none.
        var calendarKeys: [String: String] = [:]
        /// The due times by these calendars. Nil when there are none, or none yet.
        var byCalendars: CalendarDues?
        /// The due times of the runs.
        var runs: Set<Instant> = []
        /// The calendars, or the schedule's keys for them, have changed. The change counts from the next record of the schedule.
        private(set) var changed: CalendarDues.Filter?
        /// The time of the record that changed them.
        private(set) var changedAt: Instant?
        /// The schedule's keys for calendars have changed. Its next record says from when they count.
        var isEdited = false

        mutating func deal(through instant: Instant) { accounted = max(accounted ?? instant, instant) }

        /// The schedule is gone. One that is created later counts from its own beginning, even if the clock was set back.
        mutating func end() {
            (since, accounted, byCalendars) = (nil, nil, nil)
            (skipped, runs) = ([], [])
            forgetChange()
        }

        /// When the clock is set back further than a right clock would be, the count begins there, whatever a wrong clock had handled.
        mutating func begin(_ instant: Instant) {
            if let accounted, instant.advanced(byMilliseconds: 86_400_000) < accounted {
                if !isEdited { change(at: accounted) }
                byCalendars = isEdited ? nil : byCalendars?.restarted(at: instant)
                (since, skipped, runs) = (instant, [], [])
                self.accounted = instant
            } else {
                since = since ?? instant
                deal(through: instant)
            }
        }

        /// The calendars have changed at an instant. A change before this one counts already, even if nothing of the schedule was recorded
        /// since. Only records of the same instant belong to the same change: the clock may have been set back between two changes.
        mutating func expectChange(_ filter: CalendarDues.Filter, at instant: Instant) {
            countChange(before: instant)
            (changed, changedAt) = (filter, instant)
        }

        /// The schedule's keys for calendars change at an instant.
        mutating func edit(at instant: Instant) {
            countChange(before: instant)
            isEdited = true
        }

        private mutating func countChange(before instant: Instant) {
            if !isEdited, let changedAt, changedAt != instant, let accounted { change(at: accounted) }
        }

        /// The schedule has no earlier calendars, so no change is expected.
        mutating func forgetChange() { changed = nil }

        /// The change of the calendars counts from an instant.
        mutating func change(at instant: Instant) {
            guard let filter = changed else { return }
            changed = nil
            byCalendars?.change(filter, at: instant)
        }

        var stepMilliseconds: Int64 { text.contains("cron = \"* * * * *\"") ? 60_000 : text.contains("*/20") ? 1_200_000 : 300_000 }
    }

    private(set) var due: [String: Due] = [:]
    /// The text of each calendar that the journal keeps.
    private var calendars: [String: Source] = [:]
    /// The times from which a task's due times count: one for each time that the task was created.
    private(set) var beginnings: [String: [Instant]] = [:]
    private var inForce: Set<String> = []
    /// The facts of the segment that is being read.
    private var acceptedHere: Set<JobID> = []
    /// The state before the preceding record, if that concerned a schedule.
    private var scheduledBefore: (task: String, at: Instant, due: Due?)?
    /// Each accepted version of each job.
    private(set) var accepted: [JobID: [AcceptedJob]] = [:]
    /// The jobs that are only in segments that somebody took away. The daemon may have removed the segment with their end.
    private(set) var takenAway: Set<JobID> = []
    private(set) var ends: [JobID: Instant] = [:]
    /// The ends of the jobs that have ended.
    private(set) var states: [JobID: JobState] = [:]
    private(set) var retries = Retries()
    /// The follow-ups of each job, by the job and the key.
    private(set) var followUps: [FollowUpOf: Set<JobID>] = [:]
    /// The first ends of the jobs that have run again under the same id.
    private(set) var firstEnds: [JobID: Instant] = [:]
    /// The names in new/ that did not become jobs, and the time when that was first found.
    private(set) var rejected: [String: Instant] = [:]

    /// `taken` is the text of the segments that somebody has taken away.
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

    // MARK: Calendars

    private static func calendarKeys(_ source: Source) -> [String: String] {
        var keys: [String: String] = [:]
        for line in String(decoding: source.bytes, as: UTF8.self).split(separator: "\n") {
            // An edit may have added a comment to the line.
            let words = line.prefix { $0 != "#" }.split(separator: " = ", maxSplits: 1).map(String.init)
            if words.count == 2, ["except", "only", "when_excluded"].contains(words[0]) { keys[words[0]] = words[1] }
        }
        return keys
    }

    private func filter(_ keys: [String: String]) -> CalendarDues.Filter {
        func named(_ key: String) -> [CalendarDues.Windows?] {
            (keys[key] ?? "").filter { $0.isLetter || $0 == " " }.split(separator: " ").map { name in
                calendars[String(name)].flatMap { CalendarDues.Windows($0) }
            }
        }
        return CalendarDues.Filter(
            except: named("except"), only: named("only"), moves: keys["when_excluded"]?.hasPrefix("\"next\"") == true)
    }

    /// A schedule's due times count from an instant.
    private mutating func begin(_ task: String, _ accounted: Instant) {
        let before = due[task]?.accounted
        due[task]?.begin(accounted)
        guard var known = due[task] else { return }
        if known.byCalendars == nil {
            guard !known.calendarKeys.isEmpty else { return }
            known.byCalendars = CalendarDues(step: known.stepMilliseconds, filter(known.calendarKeys), since: accounted)
            known.forgetChange()
            (known.isEdited, known.runs) = (false, [])
        } else if known.isEdited {
            // Due times from before the edit that nobody has handled do not count.
            if let before, before < accounted {
                known.skipped.append(
                    SkippedDue(
                        task: task, schedule: "", from: before.advanced(byMilliseconds: 1), through: accounted, count: nil,
                        reason: .missed))
            }
            known.expectChange(filter(known.calendarKeys), at: accounted)
            known.isEdited = false
        }
        known.change(at: accounted)
        due[task] = known
    }

    /// A due time of a task was handled, so a change of its calendars counts from the one before.
    private mutating func handled(_ task: String) {
        if due[task]?.isEdited == false, let accounted = due[task]?.accounted { due[task]?.change(at: accounted) }
    }

    // MARK: Records

    private mutating func take(_ record: Record, at instant: Instant) {
        let scheduled = scheduledBefore
        scheduledBefore = nil
        switch record {
        case .defined(let file, let definition) where file.hasPrefix("calendars/"):
            let name = String(file.dropFirst("calendars/".count))
            guard calendars[name] != definition.source else { return }
            calendars[name] = definition.source
            for (task, known) in due where known.calendarKeys.values.contains(where: { $0.contains("\"\(name)\"") }) {
                let filter = filter(known.calendarKeys)
                due[task]?.expectChange(filter, at: instant)
            }
        case .undefined(let file) where file.hasPrefix("calendars/"): calendars[String(file.dropFirst("calendars/".count))] = nil
        case .defined(let file, let definition):
            let source = definition.source
            let name = String(file.dropFirst("tasks/".count))
            let text = String(decoding: source.bytes, as: UTF8.self).split(separator: "\n").filter { $0.hasPrefix("cron") }.joined()
            // The schedule is another one now, so earlier due times do not count.
            if due[name]?.text != text { due[name] = Due(text: text) }
            let keys = Self.calendarKeys(source)
            guard due[name]?.calendarKeys != keys else { return }
            // Before its first record of due times, the schedule has no earlier calendars.
            if due[name]?.since != nil, due[name]?.byCalendars != nil || !keys.isEmpty { due[name]?.edit(at: instant) }
            due[name]?.calendarKeys = keys
        case .scheduled(let task, _, let accounted, _, _):
            if inForce.insert(task).inserted { beginnings[task, default: []].append(accounted) }
            // Of two records at the same time, the first has only the state before a leap of the clock.
            if let scheduled, scheduled.task == task, scheduled.at == instant { due[task] = scheduled.due }
            scheduledBefore = (task, instant, due[task])
            begin(task, accounted)
        case .settled(let task, _, let dues): if due[task]?.isEdited == false { due[task]?.change(at: dues.through) }
        case .unscheduled(let task, _):
            due[task]?.end()
            inForce.remove(task)
        case .accepted(let job):
            let isRepeated = accepted[job.id] != nil
            accepted[job.id, default: []].append(job)
            acceptedHere.insert(job.id)
            if let parent = job.parent, let key = job.name.split(separator: ".").last.map(String.init) {
                followUps[FollowUpOf(parent: parent, key: key), default: []].insert(job.id)
            }
            if let original = job.retryOf.flatMap({ JobID($0) }) { retries.add(job.id, of: original) }
            guard let task = job.task, job.schedule != nil else { return }
            handled(task)
            due[task]?.ran.insert(job.id)
            // A later segment tells of a waiting job again, which may be of an earlier text and, by a clock that was set back since, ahead.
            if !isRepeated { due[task]?.runs.insert(job.due) }
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
            handled(skipped.task)
            due[skipped.task]?.skipped.append(skipped)
            due[skipped.task]?.deal(through: skipped.through)
        default: break
        }
    }
}
