import Scheduler
import Store

/// Reads the files of tasks/ and schedules/ into definitions.
///
/// Invariants:
/// - If a definition cannot be used, the last accepted one stays in force, and health contains the problem. The same holds for one that
///   cannot be read yet, because somebody is writing it or the system does not let it be read.
/// - The relative times of an unchanged text count as before: a restart, or touch(1), makes no task run again.
/// - A definition may name tasks that start after it or that it waits for. A missing task is not an error, because it may be
///   created later. The log names it when the definition is read, and when the task is removed.
final class Definitions<FS: FileSystem, W: World>: ServicePart {
    unowned let service: Service<FS, W>

    /// The names, without endings, of files that were added, changed or removed since they were last read.
    private var noticedTasks: Set<String> = []
    private var noticedSchedules: Set<String> = []
    /// True when any file may have changed.
    private var mayAllHaveChanged = false
    /// The files were all read once.
    private var hasLoaded = false
    /// True when a calendar that a definition names may be missing now, or may be there now.
    private var mayCalendarsDiffer = false

    init(_ service: Service<FS, W>) { self.service = service }

    private var context: ReadingContext { service.context }

    // MARK: Changes

    var hasNoticed: Bool { mayAllHaveChanged || !noticedTasks.isEmpty || !noticedSchedules.isEmpty }

    func noticed(task stem: String) { noticedTasks.insert(stem) }

    func noticed(schedule stem: String) { noticedSchedules.insert(stem) }

    func allNoticed() { mayAllHaveChanged = true }

    func calendarsChanged() {
        mayAllHaveChanged = true
        mayCalendarsDiffer = true
    }

    /// Reads the files that were added, changed or removed.
    func takeNoticed() {
        guard hasNoticed else { return }
        let (tasks, schedules, all) = (noticedTasks, noticedSchedules, mayAllHaveChanged)
        (noticedTasks, noticedSchedules, mayAllHaveChanged) = ([], [], false)
        if all {
            loadDefinitions()
            mayCalendarsDiffer = false
            return
        }
        var changed: Set<String> = []
        for stem in tasks.sorted() {
            let before = scheduler.tasks[stem]?.recorded?.source
            loadTask(stem)
            // A file that is read again for its stamp has nothing new to warn of.
            if scheduler.tasks[stem]?.recorded?.source != before { changed.insert(stem) }
        }
        for stem in schedules.sorted() { loadSchedule(stem) }
        warnOfMissingTasks(changed: changed)
    }

    // MARK: Reading

    func loadDefinitions() {
        do throws(SystemError) {
            var gone = hasLoaded ? Set(scheduler.tasks.values.lazy.filter(\.isDefined).map(\.name)) : []
            hasLoaded = true
            let tasks = try spool.findDefinitions(in: Layout.tasks)
            let context = context
            for found in tasks {
                loadTask(found.stem, found, context)
                gone.remove(found.stem)
                service.writeRecords()
            }
            for name in gone.sorted() { loadTask(name) }
            for found in try spool.findDefinitions(in: Layout.schedules) {
                loadSchedule(found.stem, found)
                service.writeRecords()
            }
            warnOfMissingTasks(of: scheduler.tasks.values)
        } catch {
            if error.mayPass { service.intake.lookAgain(atPath: Layout.tasks) }
            log.write(.error, "unreadable", at: now, ["error": "\(error)"])
        }
    }

    /// Reads the definition of a task.
    ///
    /// - Parameter found: the task's files, if the caller has just listed `tasks/`.
    /// - Parameter context: for a caller that reads many files.
    /// - Returns: false while somebody is still writing the file. Another event follows then.
    @discardableResult
    func loadTask(_ stem: String, _ found: FoundDefinition? = nil, _ context: ReadingContext? = nil) -> Bool {
        let path = "\(Layout.tasks)/\(stem)"
        do {
            let files = try found?.files ?? spool.definitionFiles(in: Layout.tasks, stem: stem)
            if let crontab = service.liveCrontabs.crontab(of: stem) {
                refuse(files, inFavourOf: "a line of \(crontab)", at: path)
                return true
            }
            if let mounted = service.mountedTasks.file(of: stem) {
                refuse(files, inFavourOf: mounted, at: path)
                return true
            }
            guard !files.isEmpty else {
                service.health.solved(path)
                handle(.taskRemoved(stem))
                service.mountedTasks.isFree(stem)
                return true
            }
            let state = scheduler.tasks[stem]
            let recorded = state?.recorded
            guard var file = try read(in: Layout.tasks, stem, files, found, recorded, at: path) else {
                keep(task: stem)
                return false
            }
            let isKnownText = recorded?.source == file.source
            if isKnownText, let state, state.isDefined, !service.health.hasProblem(of: path),
                !mayCalendarsDiffer || state.definition?.schedules.allSatisfy(\.calendarNames.isEmpty) ?? true
            {
                restamp(file, recorded, at: path)
                return true
            }
            if isKnownText, let recorded { file.writtenAt = recorded.writtenAt }
            let task = try spool.task(file, context ?? self.context)
            service.health.forgetProblem(of: path)
            handle(.task(task, since: since(file), file.stamp))
            awaitStamp(of: file, at: path)
        } catch let problem as DefinitionProblem {
            if let errno = problem.errno, SystemError(call: "open", errno: errno).mayPass { service.intake.lookAgain(atPath: path) }
            service.health.report(problem: problem.lines, of: path)
            handle(.taskUnusable(stem))
        } catch {
            if (error as? SystemError)?.mayPass == true { service.intake.lookAgain(atPath: path) }
            service.health.report(problem: ["\(error)"], of: path)
            keep(task: stem)
        }
        return true
    }

    /// Keeps the last accepted text of a task in force that cannot be read when the daemon starts.
    private func keep(task stem: String) { if scheduler.tasks[stem]?.isDefined == false { handle(.taskUnusable(stem)) } }

    private func keep(schedule stem: String) { if !scheduler.isInForce(schedule: stem) { handle(.scheduleUnusable(id: stem)) } }

    /// Reports files whose name a line of a crontab or a file outside of the spool has. That was there first, and keeps its history.
    private func refuse(_ files: [String], inFavourOf other: String, at path: String) {
        guard let file = files.first else { return service.health.solvedIfReported(path) }
        service.health.report(
            problem: ["\(Layout.tasks)/\(file): \(other) has this name; rename the file"], of: path, inForce: other)
    }

    func loadSchedule(_ stem: String, _ found: FoundDefinition? = nil) {
        let path = "\(Layout.schedules)/\(stem)"
        do {
            let files = try found?.files ?? spool.definitionFiles(in: Layout.schedules, stem: stem)
            guard !files.isEmpty else {
                service.health.solved(path)
                handle(.scheduleRemoved(id: stem))
                return
            }
            let recorded = scheduler.definition(of: path)
            guard var file = try read(in: Layout.schedules, stem, files, found, recorded, at: path) else { return keep(schedule: stem) }
            let isKnownText = recorded?.source == file.source
            if isKnownText, !service.health.hasProblem(of: path), scheduler.isInForce(schedule: stem), !mayCalendarsDiffer {
                return restamp(file, recorded, at: path)
            }
            if isKnownText, let recorded { file.writtenAt = recorded.writtenAt }
            let context = context
            let (task, schedule) = try spool.schedule(file, context)
            service.health.forgetProblem(of: path)
            let writtenAt = min(file.writtenAt, context.now)
            handle(.schedule(task: task, schedule, file.source, writtenAt: writtenAt, since: since(file), file.stamp))
            awaitStamp(of: file, at: path)
            warnIfMissing(task, key: "task", file: path)
        } catch let problem as DefinitionProblem {
            if let errno = problem.errno, SystemError(call: "open", errno: errno).mayPass { service.intake.lookAgain(atPath: path) }
            service.health.report(problem: problem.lines, of: path)
            handle(.scheduleUnusable(id: stem))
        } catch {
            if (error as? SystemError)?.mayPass == true { service.intake.lookAgain(atPath: path) }
            service.health.report(problem: ["\(error)"], of: path)
            keep(schedule: stem)
        }
    }

    /// The text of a definition's file. The file is not opened when its stamp says that it has the text in force. Returns nil while
    /// somebody is still writing the file.
    ///
    /// A stamp of an earlier boot says nothing: after a power cut a file may have an older text and yet the time of its last change.
    private func read(
        in directory: String, _ stem: String, _ files: [String], _ found: FoundDefinition?, _ recorded: RecordedDefinition?, at path: String
    ) throws(DefinitionProblem) -> DefinitionFile? {
        if let found, service.recovery.isSameBoot, !service.health.hasProblem(of: path),
            let file = spool.unchanged(found, since: recorded)
        {
            return file
        }
        let before = now
        var file = try spool.definition(in: directory, stem: stem, files: files, found?.status)
        if let settles = file?.stampSettles, before <= settles {
            file?.stamp = nil
        }
        return file
    }

    /// Has a file whose text is in force read once more to get its stamp, if it has none yet. A change that lies far ahead of the clock
    /// gets none before the next start.
    private func awaitStamp(of file: DefinitionFile, at path: String) {
        guard file.stamp == nil, let settles = file.stampSettles, scheduler.definition(of: path)?.source == file.source else { return }
        let wait = max(settles.milliseconds - now.milliseconds, 0) + 1
        if wait <= Self.settlingMillisecondsMax { service.intake.lookAgain(atPath: path, afterMilliseconds: wait) }
    }

    /// A file with a change that settles later than this is not waited for.
    private static var settlingMillisecondsMax: Int64 { 4000 }

    /// Has the stamp of a file recorded that was read again and has the text in force.
    private func restamp(_ file: DefinitionFile, _ recorded: RecordedDefinition?, at path: String) {
        if let stamp = file.stamp, recorded?.stamp != stamp { handle(.stamped(file: path, stamp)) }
        awaitStamp(of: file, at: path)
    }

    /// The instant from which a new schedule's due times count. A schedule that a damaged journal has lost counts as new: due
    /// times before the journal's last readable record have been handled.
    private func since(_ file: DefinitionFile) -> Instant { min(max(file.changedAt, scheduler.repairedSince ?? file.changedAt), now) }

    // MARK: Missing tasks

    /// Logs missing tasks that a changed task names, and removed tasks that another task names. Called when all files of a turn
    /// have been read, because they may name one another.
    private func warnOfMissingTasks(changed stems: Set<String>) {
        let tasks = scheduler.tasks
        warnOfMissingTasks(of: stems.compactMap { tasks[$0] })
        let gone = stems.filter { tasks[$0]?.isDefined != true }
        guard !gone.isEmpty else { return }
        for state in tasks.values where !stems.contains(state.name) {
            for reference in state.references where gone.contains(reference.task) {
                warnIfMissing(reference.task, key: reference.key, file: "\(Layout.tasks)/\(state.name)")
            }
        }
    }

    /// Logs missing tasks that these name.
    private func warnOfMissingTasks(of tasks: some Sequence<TaskState>) {
        for state in tasks.filter({ !$0.references.isEmpty }).sorted(by: { $0.name < $1.name }) {
            for reference in state.references { warnIfMissing(reference.task, key: reference.key, file: "\(Layout.tasks)/\(state.name)") }
        }
    }

    func warnIfMissing(_ task: String, key: String, file: String) {
        guard scheduler.tasks[task]?.isDefined != true else { return }
        log.write(.warning, "missing-task", at: now, ["file": file, "key": key, "task": task])
    }
}
