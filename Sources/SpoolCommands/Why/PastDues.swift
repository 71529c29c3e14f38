import Store

/// A task's past due times, by the definitions that were in force at the time, and what became of each.
struct PastDues {
    let task: String
    let history: History
    /// The present time without a daemon; nil while one runs.
    let down: Downtime?
    private let now: Instant
    private let context: ReadingContext
    /// The task as its files define it now; nil when there is no usable file.
    private let entry: TaskCatalog.Entry?

    init(_ task: String, _ entry: TaskCatalog.Entry?, _ history: History, down: Downtime?, _ context: ReadingContext) {
        self.task = task
        self.entry = entry
        self.history = history
        self.down = down
        self.context = context
        now = context.now
    }

    /// The schedules in force at an instant, each with the time when it was written.
    func inForce(at instant: Instant) -> [TaskCatalog.Schedule] {
        var schedules: [TaskCatalog.Schedule] = []
        for (file, changes) in history.definitions.sorted(by: { $0.key < $1.key }) {
            guard let source = history.source(of: file, at: instant) else { continue }
            var context = context
            context.now = (changes.last { $0.at <= instant } ?? changes[0]).writtenAt
            // An accepted definition was readable then. It can be unreadable now only because its time zone was removed since.
            if file == "\(Layout.tasks)/\(task)" {
                let definition = try? TaskDefinition(name: task, source: source, context)  // see above
                schedules += definition?.schedules.map { .init(definition: $0, file: nil, changedAt: context.now) } ?? []
            } else if file.hasPrefix("\(Layout.schedules)/") {
                let id = String(file.dropFirst(Layout.schedules.utf8.count + 1))
                // The schedule was readable then, too.
                guard let read = try? ScheduleDefinition.file(id: id, source: source, context), read.task == task else { continue }
                schedules.append(.init(definition: read.schedule, file: file, changedAt: context.now))
            }
        }
        // Schedules that are written, and that no daemon has accepted yet.
        for own in entry?.schedules ?? [] where !schedules.contains(where: { $0.definition.id == own.definition.id }) {
            let file = own.file.map { "\(Layout.schedules)/\(Layout.stem(of: $0))" } ?? "\(Layout.tasks)/\(task)"
            if history.definitions[file] == nil || down != nil && instant >= now { schedules.append(own) }
        }
        return schedules
    }

    private func origin(_ schedule: TaskCatalog.Schedule) -> Instant {
        history.schedules[schedule.definition.id]?.lazy.compactMap(\.kept).last?.origin ?? schedule.changedAt
    }

    /// The due times of a schedule that earlier calendars had decided, as known at an instant.
    private func settled(_ schedule: TaskCatalog.Schedule, at instant: Instant) -> SettledDues? {
        history.settled[schedule.definition.id]?.last { $0.at <= instant }?.dues
    }

    /// The last `count` due times of a schedule before an instant and not before `floor`, oldest first. Due times that depend on the end
    /// of a run, a start or a program cannot be computed.
    static func last(
        _ recurrence: Recurrence, before end: Instant, floor: Instant, origin: Instant, settled: SettledDues? = nil, count: Int
    ) -> [Occurrence] {
        guard !recurrence.isFromEnd, count > 0 else { return [] }
        // The window doubles, so that a schedule of each second and one of each year both need few steps.
        var window: Int64 = 1000
        while true {
            let start = max(end.advanced(byMilliseconds: -window), floor)
            var found: [Occurrence] = []
            var after = start.advanced(byMilliseconds: -1)
            while let next = recurrence.nextOccurrence(after: after, origin: origin, settled: settled), next.instant < end {
                if found.count >= 2 * count + 64 { found.removeFirst(count) }
                found.append(next)
                after = next.instant
            }
            if found.count >= count || start == floor { return found.suffix(count) }
            window *= 2
        }
    }

    private func verdict(_ occurrence: Occurrence, _ schedule: TaskCatalog.Schedule) -> DueVerdict {
        var verdict = history.verdict(
            on: occurrence.instant, schedule: schedule.definition.id, schedule.definition, down: down, now: now)
        verdict.note = occurrence.note.map { "\($0)" }
        return verdict
    }

    // MARK: Around an instant

    static let dayMilliseconds: Int64 = 86_400_000

    /// The due time nearest to an instant, within a day; several when schedules have due times at the same distance.
    func nearest(to instant: Instant) -> [DueVerdict] {
        var found: [DueVerdict] = []
        func add(_ verdict: DueVerdict) {
            let distance = abs(verdict.due.milliseconds - instant.milliseconds)
            guard distance <= Self.dayMilliseconds else { return }
            if let best = found.first.map({ abs($0.due.milliseconds - instant.milliseconds) }) {
                if distance > best || found.contains(where: { $0.schedule == verdict.schedule && $0.due == verdict.due }) { return }
                if distance < best { found.removeAll() }
            }
            found.append(verdict)
        }
        for verdict in accounted() { add(verdict) }
        var seen: Set<String> = []
        // The schedules in force then, and later ones, which were not due then.
        for (schedule, known) in inForce(at: instant).map({ ($0, instant) }) + inForce(at: now).map({ ($0, now) }) {
            let definition = schedule.definition
            guard seen.insert("\(definition.id) \(definition.expression)").inserted else { continue }
            let origin = origin(schedule)
            if definition.recurrence.isFromEnd { continue }
            // Settled due times that reach beyond the instant do not decide about it.
            let settled = settled(schedule, at: known).flatMap { $0.through < instant ? $0 : nil }
            let before = instant.advanced(byMilliseconds: -1)
            if let next = definition.recurrence.nextOccurrence(after: before, origin: origin, settled: settled) {
                add(verdict(next, schedule))
            }
            let floor = instant.advanced(byMilliseconds: -Self.dayMilliseconds)
            for last in Self.last(definition.recurrence, before: instant, floor: floor, origin: origin, settled: settled, count: 1) {
                add(verdict(last, schedule))
            }
        }
        // A real due time answers the question better than one that a later schedule would have had.
        let real = found.filter { $0.outcome != .none }
        return real.isEmpty ? found : real
    }

    /// The calendars that exclude a due time which would be at an instant, or in the minute after it, as a clause. Nil when none does.
    func exclusion(at instant: Instant) -> String? {
        for schedule in inForce(at: instant) + inForce(at: now) {
            guard let filter = schedule.definition.recurrence.filter else { continue }
            let rule = schedule.definition.recurrence.filtered(by: nil)
            guard let due = rule.next(after: instant.advanced(byMilliseconds: -1), origin: origin(schedule)),
                due.milliseconds - instant.milliseconds < 60_000, let calendars = schedule.definition.recurrence.exclusion(of: due)
            else { continue }
            let what = filter.whenExcluded == .skip ? "leaves out" : "moves"
            return "its schedule \(schedule.definition.id) \(what) this time by its calendars: \(calendars)"
        }
        return nil
    }

    // MARK: The latest

    /// The due times that the journal accounts for.
    private func accounted() -> [DueVerdict] {
        var all = history.order.compactMap { history.jobs[$0] }.compactMap { job in
            job.task == task ? job.schedule.map { history.verdict(on: job, schedule: $0, down: down) } : nil
        }
        for (at, skip) in history.skips {
            // A run that the user asked for (backfill) may have replaced the skipped due time.
            if skip.count == 1, history.jobs[JobID(task: task, schedule: skip.schedule, due: skip.from).text] != nil { continue }
            all.append(history.verdict(on: skip.from, skip, at: at))
        }
        return all
    }

    /// The results of the last `count` due times, oldest first. Consecutive ones with the same reason are one entry.
    func last(_ count: Int, floor: Instant) -> [DueVerdict] {
        var all = accounted().filter { $0.due <= now }
        for schedule in inForce(at: now) {
            let occurrences = Self.last(
                schedule.definition.recurrence, before: now, floor: floor, origin: origin(schedule), settled: settled(schedule, at: now),
                count: max(count, 100))
            var run: DueVerdict?
            for occurrence in occurrences {
                let verdict = verdict(occurrence, schedule)
                // The journal's own due times are in `all` already.
                guard [.pending, .skipped].contains(verdict.outcome), verdict.job == nil, verdict.why == nil || verdict.why == .disabled
                else { continue }
                if run?.outcome == verdict.outcome {
                    let count = run?.count ?? 1
                    run?.through = verdict.due
                    run?.count = count + 1
                } else {
                    if let run { all.append(run) }
                    run = verdict
                }
            }
            if let run { all.append(run) }
        }
        all.sort { ($0.due, $0.schedule) < ($1.due, $1.schedule) }
        return all.suffix(count)
    }
}
