import Glibc
import Linux
import Scheduler
import Store

/// Which inotify watch stands for which directory.
struct Watches {
    var new: Int32 = -1
    var tasks: Int32 = -1
    var schedules: Int32 = -1
    var control: Int32 = -1
    var patterns: Int32 = -1
    var configuration: Int32 = -1
}

extension Daemon {
    func watchSpool() throws(SystemError) {
        let comings: InotifyMask = [.closedAfterWriting, .movedTo, .movedFrom, .created, .deleted, .onlyDirectory]
        watches.new = try inotify.add("\(options.spool)/\(Layout.new)", comings)
        watches.tasks = try inotify.add("\(options.spool)/\(Layout.tasks)", comings)
        watches.schedules = try inotify.add("\(options.spool)/\(Layout.schedules)", comings)
        watches.control = try inotify.add("\(options.spool)/\(Layout.control)", comings)
        // A program may also become one by chmod(1).
        watches.patterns = try inotify.add("\(options.spool)/\(Layout.patterns)", comings.union(.attributesChanged))
        if let path = options.configuration, let slash = path.lastIndex(of: "/") {
            do throws(SystemError) {
                watches.configuration = try inotify.add(
                    String(path[..<slash]), [.closedAfterWriting, .movedTo, .movedFrom, .deleted, .onlyDirectory])
            } catch {
                // No such directory: there is nothing to re-read until SIGHUP says otherwise.
                guard error.errno == ENOENT || error.errno == EACCES else { throw error }
            }
        }
    }

    func takeFileEvents() throws(SystemError) {
        var events: [InotifyEvent] = []
        if try inotify.readEvents(into: &events) {
            log.write(.warning, "events-lost", at: now, ["effect": "the whole spool is looked at again"])
            try rescan()
            return
        }
        var stems = Set<String>()
        var scheduleStems = Set<String>()
        var programs = Set<String>()
        var zonesChanged = false
        for event in events {
            if zoneWatches.contains(event) { zonesChanged = true }
            switch event.watch {
            case watches.new:
                let isGone = event.mask.isDisjoint(with: [.created, .movedTo, .closedAfterWriting])
                // Most of what leaves new/ is what we moved ourselves.
                if isGone, waitingFiles[event.name] == nil, waitingDirectory(event.name) == nil { continue }
                let isMovedIn = event.mask.contains(.movedTo)
                arrivals.add(event.name, isMovedIn ? [.settled, .movedIn] : event.mask.contains(.created) ? [] : .settled)
            case watches.tasks:
                if !Name.isUnfinished(event.name) { stems.insert(Spool<DiskFileSystem>.stem(of: event.name)) }
            case watches.schedules:
                if !Name.isUnfinished(event.name) { scheduleStems.insert(Spool<DiskFileSystem>.stem(of: event.name)) }
            case watches.patterns: programs.insert(event.name)
            case watches.control: takeControl(event.name)
            case watches.configuration:
                if let path = options.configuration, path.hasSuffix("/\(event.name)") { loadConfiguration(isFirst: false) }
            default: break
            }
        }
        if zonesChanged { reloadZones() }
        for name in programs { scheduler.handle(.programChanged(name), at: now) }
        for stem in stems.sorted() { loadTask(stem, files: nil) }
        for stem in scheduleStems.sorted() { loadSchedule(stem, files: nil) }
        warnOfMissingTasks(changed: stems)
    }

    /// After lost events: every name is looked at as if it had just come or gone.
    private func rescan() throws(SystemError) {
        for entry in try spool.fs.list(Layout.new) { arrivals.add(entry.name) }
        for name in waitingFiles.keys { arrivals.add(name) }
        for job in scheduler.jobs.values where job.place == .directory(.new) { arrivals.add(job.id.text) }
        loadDefinitions()
        scheduler.handle(.programChanged(nil), at: now)
        reloadZones()
        scanControl()
    }

    // MARK: new/

    private func waitingDirectory(_ name: String) -> Job? {
        guard let id = JobID(name), let job = scheduler.jobs[id], job.place == .directory(.new) else { return nil }
        return job
    }

    func takeArrivals() throws(SystemError) {
        var count = 0
        while count < Self.intakePerTurn, let (name, sighting) = arrivals.next() {
            count += 1
            try takeArrival(name, sighting)
        }
    }

    func takeArrival(_ name: String, _ sighting: Sighting) throws(SystemError) {
        beingTaken.insert(name)
        defer { beingTaken.remove(name) }
        let known = waitingFiles[name]
        // It has ended in this very turn, canceled perhaps: its file is about to move, and is no new job.
        if let known, scheduler.jobs[known] == nil { return }
        if let known, let job = scheduler.jobs[known] {
            guard let status = try spool.fs.status("\(Layout.new)/\(name)") else {
                waitingFiles[name] = nil
                scheduler.handle(.withdrawn(known), at: now)
                return
            }
            if let stamp = job.file, stamp.inode == status.inode, stamp.size == status.size,
                stamp.modifiedNanoseconds == status.modifiedNanoseconds
            {
                return
            }
        } else if let job = waitingDirectory(name) {
            if try spool.fs.status("\(Layout.new)/\(name)") == nil { scheduler.handle(.withdrawn(job.id), at: now) }
            return
        }
        let arrival: Arrival
        do throws(SystemError) {
            arrival = try spool.intake(
                name, known: known, isSettled: sighting.contains(.settled), isMovedIn: sighting.contains(.movedIn), context,
                isTaken: { self.scheduler.jobs[$0] }, task: { self.scheduler.tasks[$0]?.definition },
                schedules: { self.scheduler.tasks[$0]?.schedules.map(\.id) ?? [] })
        } catch {
            // One file that cannot be read is that file's trouble; a machine out of descriptors is ours.
            guard error.errno != EMFILE, error.errno != ENFILE, error.errno != ENOMEM else { throw error }
            log.write(.error, "unreadable", at: now, ["file": "new/\(name)", "error": "\(error)"])
            return
        }
        switch arrival {
        case .job(let job):
            guard let onRecord = try onRecord(for: job) else { return lookAgain(at: job.file?.name ?? job.id.text) }
            if let file = job.file { waitingFiles[file.name] = job.id }
            for followUp in job.definition.followUps {
                if case .task(let task) = followUp.action { warnIfMissing(task, key: followUp.key, file: "\(Layout.new)/\(name)") }
            }
            scheduler.handle(.dropped(job, onRecord), at: now)
        case .rejected(let file):
            scheduler.handle(.rejected(file), at: now)
        case .again(let id): log.write(.info, "submitted-again", at: now, ["id": id.text])
        case .ignored(let why):
            if spool.firstTimeIgnored(name) {
                log.write(.warning, "ignored", at: now, ["file": "new/\(name)", "why": why])
            }
        case .notYet:
            guard !Name.isUnfinished(name) else { return }
            lookAgain(at: name)
        case .missing: break
        }
    }

    private func lookAgain(at name: String) {
        if unready.isEmpty { unreadyLookAt = now.advanced(byMilliseconds: Self.unreadyMilliseconds) }
        unready.insert(name)
    }

    func lookAgainAtUnready() {
        guard !unready.isEmpty, now >= unreadyLookAt else { return }
        for name in unready { arrivals.add(name) }
        unready.removeAll()
    }

    // MARK: Tasks and schedules

    func loadDefinitions() {
        do throws(SystemError) {
            let tasks = try spool.definitionFiles(in: Layout.tasks)
            for (stem, files) in tasks { loadTask(stem, files: files) }
            for name in scheduler.tasks.keys where tasks[name] == nil && scheduler.tasks[name]?.definition != nil {
                loadTask(name, files: [])
            }
            let schedules = try spool.definitionFiles(in: Layout.schedules)
            for (stem, files) in schedules { loadSchedule(stem, files: files) }
            warnOfMissingTasks(changed: Set(tasks.keys))
        } catch {
            log.write(.error, "unreadable", at: now, ["error": "\(error)"])
        }
    }

    /// Takes up what `tasks/` has for a name now. `files`: what is known to be there; nil: to be looked up.
    private func loadTask(_ stem: String, files: [String]?) {
        let path = "\(Layout.tasks)/\(stem)"
        do {
            let files = try files ?? spool.definitionFiles(in: Layout.tasks, stem: stem)
            guard !files.isEmpty else {
                problems[path] = nil
                isPublishDue = true
                scheduler.handle(.taskRemoved(stem), at: now)
                return
            }
            guard let file = try spool.definition(in: Layout.tasks, stem: stem, files: files) else { return }
            if let known = scheduler.tasks[stem]?.definition, known.source == file.source, problems[path] == nil { return }
            let task = try spool.task(file, context)
            problems[path] = nil
            scheduler.handle(.task(task, since: min(file.changedAt, now)), at: now)
        } catch let problem as DefinitionProblem {
            report(problem: problem.lines, of: path)
            scheduler.handle(.taskUnusable(stem), at: now)
        } catch {
            report(problem: ["\(error)"], of: path)
        }
    }

    private func loadSchedule(_ stem: String, files: [String]?) {
        let path = "\(Layout.schedules)/\(stem)"
        do {
            let files = try files ?? spool.definitionFiles(in: Layout.schedules, stem: stem)
            guard !files.isEmpty else {
                problems[path] = nil
                isPublishDue = true
                scheduler.handle(.scheduleRemoved(id: stem), at: now)
                return
            }
            guard let file = try spool.definition(in: Layout.schedules, stem: stem, files: files) else { return }
            if scheduler.definitions[path] == file.source, problems[path] == nil, scheduler.isInForce(schedule: stem) { return }
            let (task, schedule) = try spool.schedule(file, context)
            problems[path] = nil
            scheduler.handle(.schedule(task: task, schedule, file.source, since: min(file.changedAt, now)), at: now)
        } catch let problem as DefinitionProblem {
            report(problem: problem.lines, of: path)
            scheduler.handle(.scheduleUnusable(id: stem), at: now)
        } catch {
            report(problem: ["\(error)"], of: path)
        }
    }

    /// Says once that a definition cannot be used; the last one that could stays in force.
    func report(problem lines: [String], of path: String, inForce: String? = nil) {
        guard problems[path] != lines else { return }
        problems[path] = lines
        isPublishDue = true
        // A definition's, not the configuration's.
        if inForce == nil { spool.journal.add(.refused(file: path, why: lines.joined(separator: "\n")), at: now) }
        let inForce = inForce ?? (scheduler.definitions[path] == nil ? "none" : "the last definition that was accepted")
        for line in lines {
            log.write(
                .error, "refused", at: now,
                ["file": path, "error": line, "in_force": inForce])
        }
    }

    // MARK: Configuration

    private static let configurationInForce = "the last configuration that was accepted, or the defaults"

    func loadConfiguration(isFirst: Bool) {
        guard let path = options.configuration else { return }
        configurationLookAt = nil
        let bytes: [UInt8]
        do throws(SystemError) {
            let file = try FileDescriptor.open(path, O_RDONLY)
            // Half a file can be a valid one that means something else. At the start there is none to keep meanwhile.
            if !file.excludeWriters() {
                configurationLookAt = now.advanced(byMilliseconds: Self.unreadyMilliseconds)
                if !isFirst { return }
            }
            bytes = try file.readAll(limit: Source.bytesMax)
        } catch {
            if error.errno == ENOENT {
                problems[path] = nil
                apply(Configuration())
            } else {
                report(problem: ["\(error)"], of: path, inForce: Self.configurationInForce)
            }
            return
        }
        do throws(Problems) {
            apply(try Configuration(bytes, zones: zones, now: now))
            problems[path] = nil
            if !isFirst { log.write(.notice, "configured", at: now, ["file": path]) }
        } catch {
            report(problem: error.all.map { "\(path):\($0)" }, of: path, inForce: Self.configurationInForce)
        }
    }

    private func apply(_ new: Configuration) {
        configuration = new
        surroundings.defaultTimeoutMilliseconds = new.defaultTimeoutMilliseconds
        surroundings.outputLimitBytes = new.outputLimitBytes
        scheduler.zone = new.zone
        scheduler.mailCommand = new.mailCommand
        scheduler.handle(.limits(SchedulerLimits(slots: new.slots, queueSlots: new.queueSlots)), at: now)
        isPublishDue = true
    }
}
