import Glibc
import Scheduler
import Store

/// Reads what comes into new/ and notices what leaves it, name by name.
///
/// What must hold:
/// - Every name that has come, changed or gone is read once more. One that cannot be read now is read again later.
/// - A job that names others is accepted with what the spool knows of these; they are read before it.
/// - While descriptors have run out, nothing is opened: what is under way needs those there are.
final class Intake<FS: FileSystem, W: World>: ServicePart {
    unowned let service: Service<FS, W>

    /// How many names are read before slots are filled again.
    private static var namesPerTurn: Int { 256 }
    /// How many are read before anything is started, when the daemon starts.
    private static var namesAtStart: Int { 8192 }
    /// How long reading waits when descriptors have run out.
    private static var shortageMilliseconds: Int64 { 1000 }
    /// How many jobs that wait for one another are taken up one within the other.
    private static var chainMax: Int { 100 }

    /// Names to read.
    private var arrivals = NameQueue()
    /// When names are read again, after descriptors ran out.
    private var againAt: Instant?
    private var unready = UnreadyPaths()
    /// Names that could not be read, which has been logged.
    private var unreadable: Set<String> = []
    /// Names that are being read, some of them because another one named them.
    private var beingTaken: Set<String> = []
    /// The waiting jobs that are files, by name.
    private var waitingFiles: [String: JobID] = [:]

    init(_ service: Service<FS, W>) { self.service = service }

    private var context: ReadingContext { service.context }

    /// There are names that may be read at once.
    var hasWork: Bool { arrivals.hasNames && againAt == nil }

    var hasNames: Bool { arrivals.hasNames }

    /// Some file was not ready, or could not be read, and is read again.
    var hasUnready: Bool { !unready.isEmpty || againAt != nil && arrivals.hasNames }

    var wakeAt: Instant? {
        guard let lookAt = unready.lookAt, let againAt else { return unready.lookAt ?? againAt }
        return min(lookAt, againAt)
    }

    /// Waits no longer than it would have, if the clock was set back.
    func clockWasSet() {
        unready.clockWasSet(at: now)
        againAt = againAt.map { min($0, now.advanced(byMilliseconds: Self.shortageMilliseconds)) }
    }

    /// Takes up what waits in new/ when the daemon starts. The most urgent job goes first; past a number, the first ones do not wait for
    /// the last.
    func begin() throws(SystemError) {
        for entry in try spool.fs.list(Layout.new).sorted(by: { $0.name < $1.name }) { arrivals.add(entry.name) }
        for _ in 0..<Self.namesAtStart / Self.namesPerTurn where arrivals.hasNames { try takeArrivals() }
    }

    /// Learns which waiting jobs are files, once the journal is read.
    func recovered() {
        for job in scheduler.jobs.values {
            if case .file(let name) = job.place, job.state == .new { waitingFiles[name] = job.id }
        }
    }

    // MARK: Noticing

    /// A name in new/ has come, changed or gone.
    func noticed(_ name: String, isGone: Bool, isCreated: Bool, isMovedIn: Bool) {
        // Most of what leaves new/ is what we moved ourselves.
        if isGone, waitingFiles[name] == nil, waitingDirectory(name) == nil { return }
        arrivals.add(name, isMovedIn ? [.settled, .movedIn] : isCreated ? [] : .settled)
    }

    func add(_ name: String) { arrivals.add(name) }

    /// The file of a job has left new/. Another job that was dropped under this name meanwhile is still there.
    func left(_ name: String, by id: JobID) { if waitingFiles[name] == id { waitingFiles[name] = nil } }

    /// Every name may have come, changed or gone.
    func allNoticed() throws(SystemError) {
        for entry in try spool.fs.list(Layout.new) { arrivals.add(entry.name) }
        for name in waitingFiles.keys { arrivals.add(name) }
        for job in scheduler.jobs.values where job.place == .directory(.new) { arrivals.add(job.id.text) }
    }

    /// A waiting job of this name, which stands as a directory.
    private func waitingDirectory(_ name: String) -> Job? {
        guard let id = JobID(name), let job = scheduler.jobs[id], job.place == .directory(.new) else { return nil }
        return job
    }

    // MARK: Reading

    func takeArrivals() throws(SystemError) {
        guard canTakeUp() else { return }
        var count = 0
        while againAt == nil, count < Self.namesPerTurn, let (name, sighting) = arrivals.next() {
            count += 1
            try take(name, sighting)
            if !world.canOpenMore() { pause(SystemError(call: "open", errno: EMFILE)) }
        }
    }

    /// Whether what has come may be opened: not while descriptors have run out, for what is under way needs those there are.
    private func canTakeUp() -> Bool {
        if let againAt, now < againAt { return false }
        guard world.canOpenMore() else {
            pause(SystemError(call: "open", errno: EMFILE))
            return false
        }
        againAt = nil
        service.health.end(.descriptors)
        return true
    }

    /// Descriptors have run out.
    func pause(_ error: SystemError) {
        againAt = now.advanced(byMilliseconds: Self.shortageMilliseconds)
        service.health.begin(.descriptors, "\(error)", effect: "nothing is taken up or started until this is over")
    }

    func take(_ name: String, _ sighting: Sighting) throws(SystemError) {
        beingTaken.insert(name)
        defer { beingTaken.remove(name) }
        let known = waitingFiles[name]
        // It has ended in this very turn, canceled perhaps: its file is about to move, and is no new job.
        if let known, scheduler.jobs[known] == nil { return }
        if let id = JobID(name), scheduler.endedInTurn[id] != nil { return }
        if try service.placement.isOfUnplaced(name) { return }
        if let known, let job = scheduler.jobs[known] {
            guard let status = try spool.fs.status("\(Layout.new)/\(name)") else {
                // Nobody has taken it away: it stands where it was moved to, and the disk refused the rest.
                if service.placement.isUnplaced(known) { return }
                waitingFiles[name] = nil
                handle(.withdrawn(known))
                return
            }
            if let stamp = job.file, stamp.isOf(status) { return }
        } else if let job = waitingDirectory(name) {
            guard try spool.fs.status("\(Layout.new)/\(name)") == nil else { return }
            if let path = try spool.stray(of: job), try putBack(job, from: path) { return }
            handle(.withdrawn(job.id))
            return
        }
        let arrival: Arrival
        var isTaskUnready = false
        do throws(SystemError) {
            arrival = try spool.intake(
                name, known: known, isSettled: sighting.contains(.settled), isMovedIn: sighting.contains(.movedIn), context,
                isTaken: { self.scheduler.jobs[$0] }, ending: { self.scheduler.endedInTurn[$0] ?? self.service.placement.unplacedJob($0) },
                task: { task in
                    // It may have come just before the job, and not have been looked at yet.
                    if self.scheduler.tasks[task]?.definition == nil, Name.isValid(task) {
                        isTaskUnready = !self.service.definitions.loadTask(task)
                    }
                    return self.scheduler.tasks[task]?.definition
                },
                schedules: { self.scheduler.tasks[$0]?.schedules.map(\.id) ?? [] })
        } catch {
            // One file that cannot be read is that file's trouble; a machine out of descriptors is ours.
            if error.isShortage {
                arrivals.add(name, sighting)
                return pause(error)
            }
            if unreadable.insert(name).inserted { logUnreadable("new/\(name)", error) }
            // The disk's trouble may pass; a file that may not be read stays so until somebody changes it.
            if error.mayPass { lookAgain(at: name) }
            return
        }
        unreadable.remove(name)
        switch arrival {
        case .job(let job):
            let known: OnRecord?
            do throws(SystemError) { known = try onRecord(for: job) } catch {
                // What stands in the place of another job's record.
                guard error.isOfOnePath else { throw error }
                if unreadable.insert(name).inserted { logUnreadable("new/\(name)", error) }
                known = nil
            }
            guard let onRecord = known else { return lookAgain(at: job.file?.name ?? job.id.text) }
            if let file = job.file { waitingFiles[file.name] = job.id }
            for followUp in job.definition.followUps {
                if case .task(let task) = followUp.action {
                    service.definitions.warnIfMissing(task, key: followUp.key, file: "\(Layout.new)/\(name)")
                }
            }
            handle(.dropped(job, onRecord))
        // Somebody still writes its task.
        case .rejected where isTaskUnready: lookAgain(at: name)
        case .rejected(let file):
            handle(.rejected(file))
            // Whoever looks for a job there in this very turn finds that it is about to move.
            if waitingFiles[file.file] == nil, scheduler.jobs[file.id] == nil { waitingFiles[file.file] = file.id }
        case .again(let id): log.write(.info, "submitted-again", at: now, ["id": id.text])
        case .strayed(let id):
            // One that has ended is found by whoever brings it to its place.
            if let job = scheduler.jobs[id] { _ = try putBack(job, from: "\(Layout.new)/\(name)") }
        case .ignored(let why):
            if spool.firstTimeIgnored(name) {
                log.write(.warning, "ignored", at: now, ["file": "new/\(name)", "why": why])
            }
        case .foreign(let user):
            // A user's own directory counts. Where nobody can tell, it is said once too often.
            if (try? UserPart.owner(ofName: name))?.id != user { sayForeign("\(Layout.new)/\(name)", of: user, in: Layout.new) }
        case .notYet:
            guard !Name.isUnfinished(name) else { return }
            lookAgain(at: name)
        case .soon(let milliseconds): lookAgain(at: name, afterMilliseconds: milliseconds)
        case .missing: break
        }
    }

    /// A job's directory goes back to where it belongs. False: it cannot.
    private func putBack(_ job: Job, from path: String) throws(SystemError) -> Bool {
        guard let moved = try persistently({ () throws(SystemError) in try self.spool.putBack(job, from: path) }) else { return false }
        handle(.moved(job.id, moved))
        return true
    }

    /// Said once a user and directory: how many names there are is up to that user.
    func sayForeign(_ path: String, of user: UInt32, in directory: String) {
        guard spool.firstTimeIgnored("\(directory) of \(user)") else { return }
        log.write(
            .warning, "ignored", at: now,
            [
                "file": path,
                "why": "belongs to user \(user); what users put into \(directory)/ counts in the directory of their own name there",
            ])
    }

    // MARK: Reading again

    private func lookAgain(at name: String, afterMilliseconds delay: Int64 = UnreadyPaths.milliseconds) {
        lookAgain(atPath: "\(Layout.new)/\(name)", afterMilliseconds: delay)
    }

    /// Reads a file of new/, control/, tasks/ or schedules/ again later, or all of one of these.
    func lookAgain(atPath path: String, afterMilliseconds delay: Int64 = UnreadyPaths.milliseconds) {
        unready.add(path, at: now.advanced(byMilliseconds: delay))
    }

    /// Has what was not ready read again, when it is time.
    func lookAgainAtUnready() {
        for path in unready.takeDue(at: now) {
            guard let slash = path.firstIndex(of: "/") else {
                if path == Layout.control { service.requests.allNoticed() } else { service.definitions.allNoticed() }
                continue
            }
            let name = String(path[path.index(after: slash)...])
            switch path[..<slash] {
            case Layout.control: service.requests.noticed(name)
            case Layout.tasks: service.definitions.noticed(task: name)
            case Layout.schedules: service.definitions.noticed(schedule: name)
            default: arrivals.add(name)
            }
        }
    }

    // MARK: Jobs that name others

    /// What the spool knows of the jobs that an arriving one names. Nil: one of these is still being written.
    private func onRecord(for job: AcceptedJob) throws(SystemError) -> OnRecord? {
        var onRecord = OnRecord()
        for name in job.definition.after?.all ?? [] {
            // It was dropped first, but may not have been looked at first.
            if let id = JobID(name), id != job.id, !isKnown(id) {
                for file in Spool<FS>.waitingNames(of: id) where !beingTaken.contains(file) {
                    guard try spool.fs.status("\(Layout.new)/\(file)") != nil else { continue }
                    // A chain that came in the wrong order is followed this far, the rest of it at the next look.
                    guard beingTaken.count < Self.chainMax else { return nil }
                    try take(file, .settled)
                    if unready.contains("\(Layout.new)/\(file)") { return nil }
                }
            }
            for id in scheduler.awaited(name) where id != job.id {
                if isKnown(id) { break }
                guard let end = try spool.end(of: id) else { continue }
                onRecord.ends[id] = end
                break
            }
        }
        // One that waits and is edited may have its key, and say otherwise how long it is to hold it.
        if let unique = job.definition.unique, [nil, job.id].contains(scheduler.holder(ofUnique: unique.key)) {
            let claim = try spool.claim(ofUnique: unique.key)
            // A retry takes the key from the job that it repeats.
            if let claim, claim.id != job.id, claim.id.text != job.retryOf, try isHeld(by: claim) {
                onRecord.holder = claim.id
            } else if claim?.id != job.id || claim?.holding != unique.holding {
                try persistently { () throws(SystemError) in try self.spool.claim(unique, for: job.id) }
            }
        }
        return onRecord
    }

    private func isKnown(_ id: JobID) -> Bool { scheduler.jobs[id] != nil || scheduler.endedInTurn[id] != nil }

    /// Whether the job that took a key last holds it still.
    private func isHeld(by claim: UniqueClaim) throws(SystemError) -> Bool {
        switch claim.holding {
        case .recorded: return try stands(claim.id)
        case .active:
            // One that has just ended may not have left running/ yet; of one that nobody knows, only a file that waits counts.
            if let job = scheduler.jobs[claim.id] { return !job.state.isTerminal }
            return try spool.waits(claim.id)
        }
    }

    private func stands(_ id: JobID) throws(SystemError) -> Bool {
        if isKnown(id) { return true }
        return try spool.stands(id)
    }
}
