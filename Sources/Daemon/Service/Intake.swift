import Glibc
import Scheduler
import Store

/// Reads files that are added to new/ and notices those that are removed, name by name.
///
/// Invariants:
/// - Every name that was added, changed or removed is read once more. A name that cannot be read now is read again later.
/// - A job that names others is accepted with the known facts about them. The others are read before it.
/// - While descriptors have run out, nothing is opened: current work needs the remaining ones.
final class Intake<FS: FileSystem, W: World>: ServicePart {
    unowned let service: Service<FS, W>

    /// The number of names that are read before slots are filled again.
    private static var namesPerTurn: Int { 256 }
    /// When more names than this wait, files that may be urgent are read before the others.
    private static var namesOfFlood: Int { 4096 }
    /// The number of files that each turn examines for that, the newest first.
    private static var looksPerTurn: Int { 512 }
    /// While jobs wait for slots, a turn reads this part of them, so that a slot which becomes free is filled soon.
    private var partOfTurn: Int { scheduler.hasReady && scheduler.runningHereCount > 0 ? 8 : 1 }
    /// The number of names that are read before anything starts, when the daemon starts.
    private static var namesAtStart: Int { 8192 }
    /// The time for which reading waits when descriptors have run out.
    private static var shortageMilliseconds: Int64 { 1000 }
    /// The maximum depth of jobs that wait for one another and are read recursively.
    private static var chainMax: Int { 100 }

    /// Names to read.
    private var arrivals = NameQueue()
    /// The time at which names are read again after descriptors ran out.
    private var againAt: MonotonicInstant?
    private var unready = UnreadyPaths()
    /// Names that could not be read. This has been logged.
    private var unreadable: Set<String> = []
    /// Names that are being read, including those that another one named.
    private var beingTaken: Set<String> = []
    /// The waiting jobs that are files, by name.
    private var waitingFiles: [String: JobID] = [:]
    private var hasMovedFiles = false

    init(_ service: Service<FS, W>) { self.service = service }

    private var context: ReadingContext { service.context }

    /// True when there are names that may be read at once.
    var hasWork: Bool { arrivals.hasNames && againAt == nil }

    var hasNames: Bool { arrivals.hasNames }

    /// True when some file was not ready or could not be read, and will be read again.
    var hasUnready: Bool { !unready.isEmpty || againAt != nil && arrivals.hasNames }

    var wakeAt: MonotonicInstant? {
        guard let lookAt = unready.lookAt, let againAt else { return unready.lookAt ?? againAt }
        return min(lookAt, againAt)
    }

    /// Reads the files that wait in new/ when the daemon starts. The most urgent job starts first. After a certain number of
    /// files, the first jobs do not wait for the rest.
    func begin() throws(SystemError) {
        let names = try spool.fs.list(Layout.new).map(\.name).sorted()
        for name in names where waitingFiles[name] == nil { arrivals.add(name) }
        // The journal has these jobs. Their files may have been edited.
        for name in names where waitingFiles[name] != nil { arrivals.add(name) }
        for _ in 0..<Self.namesAtStart / Self.namesPerTurn where arrivals.hasNames { try takeArrivals() }
    }

    /// Finds the waiting jobs that are files, once the journal is read.
    func recovered() {
        waitingFiles.reserveCapacity(scheduler.jobs.count)
        for job in scheduler.jobs.values {
            if case .file(let name) = spool.places[job], job.state == .new { waitingFiles[name] = job.id }
        }
    }

    // MARK: Changes

    /// A name in new/ was added, changed or removed.
    func noticed(_ name: String, isGone: Bool, isCreated: Bool, isMovedIn: Bool) {
        // The daemon itself has moved most of the files that leave new/.
        if isGone, waitingFiles[name] == nil, waitingDirectory(name) == nil { return }
        arrivals.add(name, isMovedIn ? [.settled, .movedIn] : isCreated ? [] : .settled)
    }

    func add(_ name: String) { arrivals.add(name) }

    /// The file of a job has left new/. Another job that was dropped under this name is still there.
    func left(_ name: String, by id: JobID) {
        hasMovedFiles = true
        if waitingFiles[name] == id { waitingFiles[name] = nil }
    }

    /// True when the daemon has moved files out of new/ since the last call.
    func takeMovedFiles() -> Bool {
        defer { hasMovedFiles = false }
        return hasMovedFiles
    }

    /// Any name may have been added, changed or removed.
    func allNoticed() throws(SystemError) {
        for entry in try spool.fs.list(Layout.new) { arrivals.add(entry.name) }
        for name in waitingFiles.keys { arrivals.add(name) }
        for job in scheduler.jobs.values where spool.places[job] == .directory(.new) { arrivals.add(job.id.text) }
    }

    /// A waiting job of this name that is a directory.
    private func waitingDirectory(_ name: String) -> Job? {
        guard let id = JobID(name), let job = scheduler.jobs[id], spool.places[job] == .directory(.new) else { return nil }
        return job
    }

    // MARK: Reading

    func takeArrivals() throws(SystemError) {
        guard canTakeUp() else { return }
        if arrivals.count > Self.namesOfFlood {
            for (name, sighting) in arrivals.lookAhead(Self.looksPerTurn / partOfTurn) where againAt == nil && sighting.contains(.settled) {
                guard try hasNewText(name), spool.mayBeUrgent(name) else { continue }
                arrivals.remove(name)
                try takeArrival(name, sighting)
            }
        }
        var count = Self.namesPerTurn / partOfTurn
        while againAt == nil, count > 0, let (name, sighting) = arrivals.next() {
            count -= 1
            try takeArrival(name, sighting)
        }
    }

    /// False for the file of a waiting job that was not edited, and for one that is gone.
    private func hasNewText(_ name: String) throws(SystemError) -> Bool {
        guard let job = waitingFiles[name].flatMap({ scheduler.jobs[$0] }), let stamp = job.file else { return waitingFiles[name] == nil }
        return try spool.fs.status("\(Layout.new)/\(name)").map { !stamp.isOf($0) } ?? false
    }

    private func takeArrival(_ name: String, _ sighting: Sighting) throws(SystemError) {
        try take(name, sighting)
        if !world.canOpenMore() { pause(SystemError(call: "open", errno: EMFILE)) }
    }

    /// True when new files may be opened. False while descriptors have run out, because current work needs the remaining ones.
    private func canTakeUp() -> Bool {
        if let againAt, monotonicNow < againAt { return false }
        guard world.canOpenMore() else {
            pause(SystemError(call: "open", errno: EMFILE))
            return false
        }
        againAt = nil
        service.health.end(.descriptors)
        return true
    }

    /// Handles the lack of descriptors.
    func pause(_ error: SystemError) {
        againAt = monotonicNow.advanced(byMilliseconds: Self.shortageMilliseconds)
        service.health.begin(.descriptors, "\(error)", effect: "nothing is taken up or started until this is over")
    }

    func take(_ name: String, _ sighting: Sighting) throws(SystemError) {
        beingTaken.insert(name)
        defer { beingTaken.remove(name) }
        let known = waitingFiles[name]
        // The job has ended in this turn, possibly canceled. Its file is about to be moved and is not a new job.
        if let known, scheduler.jobs[known] == nil { return }
        if let id = JobID(name), scheduler.endedInTurn[id] != nil { return }
        if try service.placement.isOfUnplaced(name) { return }
        if let known, let job = scheduler.jobs[known] {
            guard let status = try spool.fs.status("\(Layout.new)/\(name)") else {
                // Nobody has removed it: it is where it was moved to, and the disk refused the rest.
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
            spool.forgetPlace(of: job)
            return
        }
        let arrival: Arrival
        var isTaskUnready = false
        do throws(SystemError) {
            arrival = try spool.intake(
                name, known: known, isSettled: sighting.contains(.settled), isMovedIn: sighting.contains(.movedIn), context,
                isTaken: { self.scheduler.jobs[$0] }, ending: { self.scheduler.endedInTurn[$0] ?? self.service.placement.unplacedJob($0) },
                task: { task in
                    // It may have arrived just before the job and not have been read yet.
                    if self.scheduler.tasks[task]?.definition == nil, Name.isValid(task) {
                        isTaskUnready = !self.service.definitions.loadTask(task)
                    }
                    return self.scheduler.tasks[task]?.definition
                },
                schedules: { self.scheduler.tasks[$0]?.schedules.map(\.id) ?? [] })
        } catch {
            // An unreadable file only concerns that file. A machine without descriptors concerns the daemon.
            if error.isShortage {
                arrivals.add(name, sighting)
                return pause(error)
            }
            if unreadable.insert(name).inserted { logUnreadable("new/\(name)", error) }
            // A fault of the disk may pass. A file without permission stays unreadable until somebody changes it.
            if error.mayPass { lookAgain(at: name) }
            return
        }
        unreadable.remove(name)
        switch arrival {
        case .job(let job):
            let known: OnRecord?
            do throws(SystemError) { known = try onRecord(for: job) } catch {
                // This path is in the place of another job's record.
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
        // Somebody is still writing its task.
        case .rejected where isTaskUnready: lookAgain(at: name)
        case .rejected(let file):
            handle(.rejected(file))
            // A search for this job in the same turn finds that the job is about to be moved.
            if waitingFiles[file.file] == nil, scheduler.jobs[file.id] == nil { waitingFiles[file.file] = file.id }
        case .again(let id): log.write(.info, "submitted-again", at: now, ["id": id.text])
        case .strayed(let id):
            // A job that has ended is found when it is moved to its place.
            if let job = scheduler.jobs[id] { _ = try putBack(job, from: "\(Layout.new)/\(name)") }
        case .ignored(let why):
            if spool.firstTimeIgnored(name) {
                log.write(.warning, "ignored", at: now, ["file": "new/\(name)", "why": why])
            }
        case .foreign(let user):
            // A user's own directory counts. If this cannot be determined, the message may appear once too often.
            if (try? UserPart.owner(ofName: name))?.id != user { sayForeign("\(Layout.new)/\(name)", of: user, in: Layout.new) }
        case .notYet:
            guard !Name.isUnfinished(name) else { return }
            lookAgain(at: name)
        case .soon(let milliseconds): lookAgain(at: name, afterMilliseconds: milliseconds)
        case .missing: break
        }
    }

    /// Moves a job's directory back to its place. Returns false when that is impossible.
    private func putBack(_ job: Job, from path: String) throws(SystemError) -> Bool {
        guard let moved = try persistently({ () throws(SystemError) in try self.spool.putBack(job, from: path) }) else { return false }
        handle(.moved(job.id, moved))
        return true
    }

    /// Logged once for each user and directory: the user decides how many names there are.
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

    /// Reads a file of new/, control/, tasks/ or schedules/ again later, or all files of one of these.
    func lookAgain(atPath path: String, afterMilliseconds delay: Int64 = UnreadyPaths.milliseconds) {
        unready.add(path, at: monotonicNow.advanced(byMilliseconds: delay))
    }

    /// Reads the files that were not ready again, when it is time.
    func lookAgainAtUnready() {
        for path in unready.takeDue(at: monotonicNow) {
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

    /// The known facts about the jobs that an arriving one names. Nil while one of these is still being written.
    func onRecord(for job: AcceptedJob) throws(SystemError) -> OnRecord? {
        var onRecord = OnRecord()
        for name in job.definition.after?.all ?? [] {
            // It was dropped first, but may not have been read first.
            if let id = JobID(name), id != job.id, !service.isKnown(id) {
                for file in Layout.waitingNames(of: id.text) where !beingTaken.contains(file) {
                    guard try spool.fs.status("\(Layout.new)/\(file)") != nil else { continue }
                    // A chain that arrived in the wrong order is followed to this depth, and the rest of it later.
                    guard beingTaken.count < Self.chainMax else { return nil }
                    try take(file, .settled)
                    if unready.contains("\(Layout.new)/\(file)") { return nil }
                }
            }
            for id in scheduler.awaited(name) where id != job.id {
                if service.isKnown(id) { break }
                guard let end = try spool.end(of: id) else { continue }
                onRecord.ends[id] = end
                break
            }
        }
        if let unique = job.definition.unique { onRecord.holder = try service.uniqueKeys.holder(of: unique, besides: job) }
        return onRecord
    }
}
