import Glibc
import Scheduler
import Store

// What comes into new/ and goes from there, name by name.

extension Service {
    /// A name in new/ is to be looked at.
    package func noticed(_ name: String, isGone: Bool, isCreated: Bool, isMovedIn: Bool) {
        // Most of what leaves new/ is what we moved ourselves.
        if isGone, waitingFiles[name] == nil, waitingDirectory(name) == nil { return }
        arrivals.add(name, isMovedIn ? [.settled, .movedIn] : isCreated ? [] : .settled)
    }

    /// As if everything that stands in the spool had just come, and all that does not had just gone.
    package func lookAtAll() throws(SystemError) {
        for entry in try spool.fs.list(Layout.new) { arrivals.add(entry.name) }
        for name in waitingFiles.keys { arrivals.add(name) }
        for job in scheduler.jobs.values where job.place == .directory(.new) { arrivals.add(job.id.text) }
        noticed.addAll()
        submit(.programChanged(nil))
    }

    /// A name in control/ has come, changed or gone.
    package func noticed(control name: String) { noticed.control.append(name) }

    /// A file in tasks/ has come, changed or gone: its name without the ending.
    package func noticed(task stem: String) { noticed.tasks.insert(stem) }

    /// The same of schedules/.
    package func noticed(schedule stem: String) { noticed.schedules.insert(stem) }

    /// Reads what has come, changed or gone in control/, tasks/ and schedules/.
    func takeNoticed() {
        let names = noticed.takeAll()
        for name in names.control { takeControl(name) }
        // Requests that were made together are carried out in one turn: between two of them nothing starts that the second one cancels.
        if names.isAllOfControl || names.control.contains(where: { $0.hasSuffix(".request") }) { scanControl() }
        if names.areAllDefinitions { return loadDefinitions() }
        for stem in names.tasks.sorted() { loadTask(stem) }
        for stem in names.schedules.sorted() { loadSchedule(stem) }
        warnOfMissingTasks(changed: names.tasks)
    }

    /// A waiting job of this name, which stands as a directory.
    private func waitingDirectory(_ name: String) -> Job? {
        guard let id = JobID(name), let job = scheduler.jobs[id], job.place == .directory(.new) else { return nil }
        return job
    }

    /// True for the directory, whole or begun, of a job that the disk has refused to bring to its place, and for the name of the file that
    /// is to go into one. Neither is a new job. A file that takes this name meanwhile is read when the job is in its place.
    private func isOfUnplaced(_ name: String) throws(SystemError) -> Bool {
        if unplaced.values.contains(where: { $0.job.place == .file(name) }) { return true }
        guard let id = JobID(name), let one = unplaced[id] else { return false }
        switch one.job.place {
        case .directory(let state): if state != .new { return false }
        // What somebody has moved here from where it was to be brought is an arrival.
        case .file, .nowhere: if !one.begun.contains(.new) { return false }
        }
        // A file of that name is what is in the way.
        return try spool.fs.status("\(Layout.new)/\(name)")?.kind == .directory
    }

    func takeArrivals() throws(SystemError) {
        guard canTakeUp() else { return }
        var count = 0
        while intakeAgainAt == nil, count < Self.intakePerTurn, let (name, sighting) = arrivals.next() {
            count += 1
            try takeArrival(name, sighting)
            if !world.canOpenMore() { pauseIntake(SystemError(call: "open", errno: EMFILE)) }
        }
    }

    /// Whether what has come may be opened: not while descriptors have run out, for what is under way needs those there are.
    private func canTakeUp() -> Bool {
        if let intakeAgainAt, now < intakeAgainAt { return false }
        guard world.canOpenMore() else {
            pauseIntake(SystemError(call: "open", errno: EMFILE))
            return false
        }
        intakeAgainAt = nil
        end(.descriptors)
        return true
    }

    func pauseIntake(_ error: SystemError) {
        intakeAgainAt = now.advanced(byMilliseconds: Self.shortageMilliseconds)
        begin(.descriptors, "\(error)", effect: "nothing is taken up or started until this is over")
    }

    func takeArrival(_ name: String, _ sighting: Sighting) throws(SystemError) {
        beingTaken.insert(name)
        defer { beingTaken.remove(name) }
        let known = waitingFiles[name]
        // It has ended in this very turn, canceled perhaps: its file is about to move, and is no new job.
        if let known, scheduler.jobs[known] == nil { return }
        if let id = JobID(name), scheduler.endedInTurn[id] != nil { return }
        if try isOfUnplaced(name) { return }
        if let known, let job = scheduler.jobs[known] {
            guard let status = try spool.fs.status("\(Layout.new)/\(name)") else {
                // Nobody has taken it away: it stands where it was moved to, and the disk refused the rest.
                if unplaced[known] != nil { return }
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
                isTaken: { self.scheduler.jobs[$0] }, ending: { self.scheduler.endedInTurn[$0] ?? self.unplaced[$0]?.job },
                task: { task in
                    // It may have come just before the job, and not have been looked at yet.
                    if self.scheduler.tasks[task]?.definition == nil, Name.isValid(task) { isTaskUnready = !self.loadTask(task) }
                    return self.scheduler.tasks[task]?.definition
                },
                schedules: { self.scheduler.tasks[$0]?.schedules.map(\.id) ?? [] })
        } catch {
            // One file that cannot be read is that file's trouble; a machine out of descriptors is ours.
            if error.isShortage {
                arrivals.add(name, sighting)
                return pauseIntake(error)
            }
            if unreadable.insert(name).inserted { log.write(.error, "unreadable", at: now, ["file": "new/\(name)", "error": "\(error)"]) }
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
                if unreadable.insert(name).inserted { log.write(.error, "unreadable", at: now, ["file": "new/\(name)", "error": "\(error)"]) }
                known = nil
            }
            guard let onRecord = known else { return lookAgain(at: job.file?.name ?? job.id.text) }
            if let file = job.file { waitingFiles[file.name] = job.id }
            for followUp in job.definition.followUps {
                if case .task(let task) = followUp.action { warnIfMissing(task, key: followUp.key, file: "\(Layout.new)/\(name)") }
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
            ["file": path, "why": "belongs to user \(user); what users put into \(directory)/ counts in the directory of their own name there"])
    }

    private func lookAgain(at name: String, afterMilliseconds delay: Int64 = unreadyMilliseconds) {
        lookAgain(atPath: "\(Layout.new)/\(name)", afterMilliseconds: delay)
    }

    /// At what stands in one of the directories to which people write, or at all of one of these.
    func lookAgain(atPath path: String, afterMilliseconds delay: Int64 = unreadyMilliseconds) {
        let due = now.advanced(byMilliseconds: delay)
        unreadyLookAt = unready.isEmpty ? due : min(unreadyLookAt, due)
        unready.insert(path)
    }

    func lookAgainAtUnready() {
        guard !unready.isEmpty, now >= unreadyLookAt else { return }
        let paths = unready.sorted()
        unready.removeAll()
        for path in paths {
            guard let slash = path.firstIndex(of: "/") else {
                if path == Layout.control { scanControl() } else { loadDefinitions() }
                continue
            }
            let name = String(path[path.index(after: slash)...])
            switch path[..<slash] {
            case Layout.control: takeControl(name)
            case Layout.tasks: loadTask(name)
            case Layout.schedules: loadSchedule(name)
            default: arrivals.add(name)
            }
        }
    }
}
