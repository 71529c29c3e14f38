import Daemon
import Store

/// Checks the rules that must hold. It uses only facts that can be seen from outside: the tree, the journal's text, and the
/// effects of jobs in the world.
struct Check {
    private let world: SimulatedWorld
    private let people: People
    private let disk: SimulatedDisk
    private let places: [Int: [String]]
    /// The journal is read once, because it does not change during a check.
    private let journal = LazyFacts()

    init(_ world: SimulatedWorld, _ people: People) {
        self.world = world
        self.people = people
        disk = world.disk
        places = Self.places(world.disk, people)
    }

    /// Checks the rules that hold just after a start of the daemon.
    func afterStart() throws(Violation) {
        guard let service = world.service else { return }
        try TallyCheck.perform(disk, service.scheduler.tally, hasAll: world.takenSegments.isEmpty)
        try eachTryBeganOnce()
        try eachNoticeIsGivenOnce()
        // A job that the disk refused to move is in another directory for a while.
        if service.hasUnplaced { return }
        try everyDropHasItsPlace()
        try jobsStandWhereTheJournalSays(service)
        try whatBeganIsStillThere(service.scheduler)
        try recordsAreTrue(service.scheduler)
        if !service.hasWork, !service.isCrontabLeaving { try world.crontab.check(service.scheduler) }
        // A file that could not be read is read again later.
        if !service.hasUnready, disk.lookFault == nil { try everyUsableTextIsInForce(service.scheduler) }
    }

    /// Checks the rules that hold when all jobs have ended.
    func atEnd() throws(Violation) {
        try afterStart()
        guard let service = world.service else { throw Violation("the daemon does not come up: \(world.gaveUp.last ?? "?")") }
        for job in service.scheduler.jobs.values where job.schedule == nil {
            throw Violation("\(job.id) has not come to an end: \(job.state), try \(job.attempt)")
        }
        for drop in people.drops {
            for place in places(of: drop) where !place.hasPrefix("done/") && !place.hasPrefix("failed/") {
                throw Violation("mark-\(drop.number) is left at \(place)")
            }
        }
        for drop in people.drops where drop.isInTime && !drop.mayBeGone {
            for place in places(of: drop) {
                let status = disk.bytes("\(place)/\(Layout.statusFile)").map { String(decoding: $0, as: UTF8.self) }
                guard status?.contains("not executable") ?? false else { continue }
                throw Violation("mark-\(drop.number) was executable in time, and is at \(place)")
            }
        }
        try everyDueTimeIsAccountedFor(service.scheduler)
    }

    /// The daemon has noticed every change of a task's file, whether it was up or down, and whatever the file's time says.
    private func everyUsableTextIsInForce(_ scheduler: Scheduler) throws(Violation) {
        guard let directory = try? disk.node(Layout.tasks) else { return }  // no spool yet
        for (name, file) in directory.entries.sorted(by: { $0.key < $1.key }) where name.hasSuffix(".toml") {
            let text = String(decoding: file.bytes, as: UTF8.self)
            let (stem, source) = (Layout.stem(of: name), Source(format: .toml, bytes: file.bytes))
            // A text that names a calendar which nobody knows cannot be used, and neither can a spoiled text.
            if text.contains("except = ") || text.contains("only = ") { continue }
            let context = ReadingContext(now: world.now, zones: ZoneDatabase(directories: []))
            guard (try? TaskDefinition(name: stem, source: source, context)) != nil else { continue }
            guard scheduler.definitions["\(Layout.tasks)/\(stem)"]?.source == source
            else { throw Violation("the text of tasks/\(name) is not in force") }
        }
    }

    /// Checks the rules that hold when the daemon has examined all records whose time was up at `since`.
    func afterPruning(since: Instant) throws(Violation) {
        for state in [JobState.done, .failed] {
            guard let directory = try? disk.node(state.rawValue) else { continue }  // no spool yet
            for name in directory.entries.keys {
                // A record that cannot be read is kept.
                let keep = world.configuration.keepMilliseconds
                guard let id = JobID(name), let ends = try? PruneScan.stayEnds(of: id, state, disk, keep: keep, at: world.now)
                else { continue }
                if ends <= since { throw Violation("\(state)/\(name) is still there, and was to go at \(ends.rfc3339)") }
            }
        }
    }

    // MARK: Jobs

    private func eachTryBeganOnce() throws(Violation) {
        if let id = world.misplaced.first { throw Violation("\(id) was started in a directory that was not its user's") }
        for (attempt, count) in world.begun where count > 1 {
            if people.movedAway.contains(attempt.id), let id = JobID(attempt.id) {
                // The journal no longer has the record of this due time.
                if attempt.id.contains("-task") { continue }
                // The record was removed. The job's file may have been left, or a power cut has brought it back.
                if try mayBeForgotten(id, endedAt: journal.facts(world).firstEnds[id]) { continue }
            }
            guard let id = JobID(attempt.id), let due = id.instant,
                // A task that was removed and created again while the clock was set back is due at those times, too.
                try journal.facts(world).beginnings[id.name, default: []].count(where: { $0 < due }) >= count
            else { throw Violation("try \(attempt.number) of \(attempt.id) was started \(count) times") }
        }
    }

    private func eachNoticeIsGivenOnce() throws(Violation) {
        let facts = try journal.facts(world)
        for (of, ids) in facts.followUps where ids.count > 1 {
            let parent = of.parent
            // If somebody moved the parent away, or it is due again after the clock was set back, it may have run again under its
            // id.
            if people.movedAway.contains(parent.text) || people.carriedOff.contains(parent.text) { continue }
            if let due = parent.instant, facts.beginnings[parent.name, default: []].count(where: { $0 < due }) >= ids.count { continue }
            throw Violation("\(parent) has \(ids.count) follow-ups of \(of.key): \(ids.sorted())")
        }
    }

    private func everyDropHasItsPlace() throws(Violation) {
        for drop in people.drops {
            let places = places(of: drop)
            if places.isEmpty, !drop.mayBeGone, try !hasBeenForgotten(drop) { throw Violation("mark-\(drop.number) is nowhere") }
            // A power cut may bring back a directory that somebody moved, after its job was run again.
            let isMoved = places.contains { people.movedAway.contains(String($0.drop { $0 != "/" }.dropFirst())) }
            if places.count > 1, !drop.mayBeTwice, !isMoved { throw Violation("mark-\(drop.number) is in \(places)") }
            guard !isMoved, !drop.retriesLost, drop.tries == 1, !drop.mayBeTwice, let place = places.first else { continue }
            let id = String(place.drop { $0 != "/" }.dropFirst())
            let starts = world.begun.filter { $0.key.id == id }.values.reduce(0, +)
            if starts > 1 { throw Violation("mark-\(drop.number) was run \(starts) times, and on_crash is fail") }
        }
    }

    private func jobsStandWhereTheJournalSays(_ service: Service<SimulatedDisk, SimulatedWorld>) throws(Violation) {
        let places = service.spool.places
        for job in places.moved where service.scheduler.jobs[job.id] !== job {
            throw Violation("\(job.id) is \(job.state) and gone, and its place is kept")
        }
        for job in service.scheduler.jobs.values {
            var found = JobState.allCases.filter { hasJobFile(Layout.directory(of: job.id, $0)) }.map { Layout.directory(of: job.id, $0) }
            if case .file(let name) = places[job], disk.exists("new/\(name)") { found.append("new/\(name)") }
            let expected = if case .file(let name) = places[job] { "new/\(name)" } else { Layout.directory(of: job.id, job.state) }
            if found.isEmpty, job.state == .running, people.carriedOff.contains(job.id.text) { continue }
            if found != [expected] { throw Violation("\(job.id) is \(job.state) and in \(found), not in \(expected)") }
        }
    }

    /// Checks that no job that ran is forgotten.
    private func whatBeganIsStillThere(_ scheduler: Scheduler) throws(Violation) {
        // After a crash nothing shows if a job whose directory somebody carried off had its record before.
        for id in Set(world.begun.keys.map(\.id)) where !people.movedAway.contains(id) && !people.carriedOff.contains(id) {
            guard let job = JobID(id), scheduler.jobs[job] == nil else { continue }
            if !hasJobFile("done/\(id)"), !hasJobFile("failed/\(id)"), try !mayBeForgotten(job) {
                throw Violation("\(id) ran and has no record")
            }
        }
    }

    private func recordsAreTrue(_ scheduler: Scheduler) throws(Violation) {
        for state in JobState.allCases {
            guard let directory = try? disk.node(state.rawValue) else { continue }  // no spool yet
            for (name, entry) in directory.entries where entry.kind == .directory {
                guard let id = JobID(name), hasJobFile("\(state)/\(name)") else { continue }
                if !state.isTerminal {
                    // A directory in new/ may be one that somebody has just moved there.
                    // A power cut may bring back a directory that somebody had moved out of running/.
                    if state == .running, scheduler.jobs[id]?.state != .running, !people.movedAway.contains(name) {
                        throw Violation("running/\(name) does not run")
                    }
                    continue
                }
                guard scheduler.jobs[id] == nil else { throw Violation("\(state)/\(name) has not ended") }
                // The journal cannot know what a power cut leaves of a record that somebody moved.
                if people.movedAway.contains(name) { continue }
                guard let bytes = entry.entries[Layout.statusFile]?.bytes, let table = JSON.readableTable(bytes),
                    case .string(let told)? = table["state"]?.kind, case .integer(let attempt)? = table["try"]?.kind
                else {
                    // A power cut has brought back a part of a record that was removed.
                    if try mayBeForgotten(id) { continue }
                    let bytes = entry.entries[Layout.statusFile]?.bytes
                    throw Violation("\(state)/\(name) has no status: \(bytes.map { String(decoding: $0, as: UTF8.self) } ?? "?")")
                }
                guard told == state.rawValue else { throw Violation("\(state)/\(name) says \(told)") }
                let success = world.succeeded.contains(.init(id: name, number: Int(attempt)))
                if state == .done, !success { throw Violation("done/\(name) did not succeed") }
                try theEndElsewhereIsTold(of: id, table, attempt: Int(attempt), state)
                if table.text("reason") == "lost", try journal.facts(world).accepted[id]?.last?.definition.onCrash == .retry {
                    throw Violation("failed/\(name) is lost, and on_crash is retry")
                }
            }
        }
    }

    /// The record of a run that an executor had says what its end mark says. It is lost only if there is none, and none could come.
    private func theEndElsewhereIsTold(of id: JobID, _ table: Table, attempt: Int, _ state: JobState) throws(Violation) {
        let reason = table.text("reason") ?? ""
        guard table.text("executor") == "far", !people.carriedOff.contains(id.text), !["canceled", "replaced"].contains(reason)
        else { return }
        let one = SimulatedWorld.Try(id: id.text, number: attempt)
        // After people took its directory away, nobody knows whether it has begun and how it ended.
        if reason == "lost", people.movedRunning.contains(id.text) { return }
        if let end = world.engine.ends[one] {
            let code = table.whole("exit_code").map { Int($0) }
            let signal = table.whole("signal").map { Int32($0) }
            guard reason != "deadline", reason != "dependency", code != end.code || signal != end.signal else { return }
            let told = "\(table.text("error") ?? "nothing") \(code ?? -1)"
            throw Violation("\(state)/\(id) ended with \(end) elsewhere, and its record says \(told)")
        }
        if reason == "lost", !world.engine.untold.contains(one) {
            throw Violation("\(state)/\(id) is lost, and its engine knows it")
        }
    }

    // MARK: Due times

    private func everyDueTimeIsAccountedFor(_ scheduler: Scheduler) throws(Violation) {
        let facts = try journal.facts(world).due
        for task in scheduler.tasks.values where task.isDefined {
            let name = task.name
            guard var facts = facts[name], let from = facts.since, let schedule = task.schedules.first?.id else { continue }
            if let accounted = facts.accounted { facts.change(at: accounted) }
            if let byCalendars = facts.byCalendars {
                let (lost, invented) = byCalendars.faults(ran: facts.runs, skipped: facts.skipped, now: world.now)
                if let lost { throw Violation("\(name) was due at \(lost.rfc3339) by its calendars, of which nothing is known") }
                if let invented { throw Violation("\(name) ran for \(invented.rfc3339), which its calendars do not give") }
                continue
            }
            let step = facts.stepMilliseconds
            var due = (from.milliseconds / step + 1) * step
            while due <= world.now.milliseconds {
                let instant = Instant(milliseconds: due)
                if let skipped = facts.skipped.first(where: { $0.from <= instant && instant <= $0.through }) {
                    due = skipped.through.milliseconds / step * step
                } else if !facts.ran.contains(JobID(task: name, schedule: schedule, due: instant)) {
                    throw Violation("\(name) was due at \(instant.rfc3339), of which nothing is known")
                }
                due += step
            }
        }
    }

    // MARK: Records whose time is up

    private func hasBeenForgotten(_ drop: People.Drop) throws(Violation) -> Bool {
        if let id = drop.record.flatMap({ JobID($0) }), try mayBeForgotten(id) { return true }
        let facts = try journal.facts(world)
        for (name, end) in facts.rejected where name == drop.name || people.movedAway.contains(name) {
            if end.advanced(byMilliseconds: world.configuration.keepMilliseconds) <= world.latest { return true }
        }
        for (id, versions) in facts.accepted {
            guard let text = versions.last?.source.bytes, people.marks(in: text).contains(drop.number) else { continue }
            if try mayBeForgotten(id) { return true }
        }
        let isKnown = facts.accepted.values.contains { $0.contains { people.marks(in: $0.source.bytes).contains(drop.number) } }
        return !isKnown && world.earliest.advanced(byMilliseconds: world.configuration.keepMilliseconds) <= world.latest
    }

    /// True if the job's `keep` allows its record to be gone by now.
    func mayBeForgotten(_ id: JobID, endedAt: Instant? = nil) throws(Violation) -> Bool {
        let facts = try journal.facts(world)
        let endedAt = endedAt ?? facts.ends[id]
        let job = facts.accepted[id]?.last
        // The record of its first end was kept for the time that the file had before somebody edited it.
        let stays = (facts.accepted[id] ?? []).compactMap(\.definition.keepMilliseconds)
        let keep = (job?.definition.keepMilliseconds == nil ? stays + [world.configuration.keepMilliseconds] : stays).min() ?? 0
        // The journal removes old records, too.
        if (endedAt ?? world.earliest).advanced(byMilliseconds: keep) <= world.latest,
            job == nil || endedAt != nil || facts.takenAway.contains(id)
        {
            return true
        }
        guard let job, endedAt != nil, let task = job.task else { return false }
        // Any of these jobs may have set the time, and the others may still be kept.
        let others = facts.ends.keys.filter { $0 != id }.compactMap { facts.accepted[$0]?.last }.filter { $0.task == task }
        return (others + [job]).contains { $0.definition.keepCount.map { $0 <= others.count } ?? false }
    }

    // MARK: Files and marks

    private func hasJobFile(_ directory: String) -> Bool {
        Source.fileNames.contains { disk.exists("\(directory)/\($0)") }
    }

    private func places(of drop: People.Drop) -> [String] { places[drop.number] ?? [] }

    /// The paths of the files that have each mark.
    private static func places(_ disk: SimulatedDisk, _ people: People) -> [Int: [String]] {
        var places: [Int: [String]] = [:]
        for state in JobState.allCases {
            guard let directory = try? disk.node(state.rawValue) else { continue }  // no spool yet
            for (name, entry) in directory.entries.sorted(by: { $0.key < $1.key }) where !Layout.isAside(name) {
                for number in Set(people.marks(in: entry)) { places[number, default: []].append("\(state.rawValue)/\(name)") }
            }
        }
        return places
    }
}
