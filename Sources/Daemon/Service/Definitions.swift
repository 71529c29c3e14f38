import Scheduler
import Store

/// Reads the files of tasks/ and schedules/ into definitions.
///
/// Invariants:
/// - If a definition cannot be used, the last accepted one stays in force, and health contains the problem.
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
        for stem in tasks.sorted() { loadTask(stem) }
        for stem in schedules.sorted() { loadSchedule(stem) }
        warnOfMissingTasks(changed: tasks)
    }

    // MARK: Reading

    func loadDefinitions() {
        do throws(SystemError) {
            let tasks = try spool.findDefinitions(in: Layout.tasks)
            for (stem, found) in tasks { loadTask(stem, found) }
            for name in scheduler.tasks.keys where tasks[name] == nil && scheduler.tasks[name]?.definition != nil {
                loadTask(name)
            }
            for (stem, found) in try spool.findDefinitions(in: Layout.schedules) { loadSchedule(stem, found) }
            warnOfMissingTasks(changed: Set(tasks.keys))
        } catch {
            if error.mayPass { service.intake.lookAgain(atPath: Layout.tasks) }
            log.write(.error, "unreadable", at: now, ["error": "\(error)"])
        }
    }

    /// Reads the definition of a task.
    ///
    /// - Parameter found: the task's files, if the caller has just listed `tasks/`.
    /// - Returns: false while somebody is still writing the file. Another event follows then.
    @discardableResult
    func loadTask(_ stem: String, _ found: FoundDefinition? = nil) -> Bool {
        let path = "\(Layout.tasks)/\(stem)"
        do {
            let files = try found?.files ?? spool.definitionFiles(in: Layout.tasks, stem: stem)
            guard !files.isEmpty else {
                service.health.solved(path)
                handle(.taskRemoved(stem))
                return true
            }
            guard var file = try read(in: Layout.tasks, stem, files, found, at: path) else { return false }
            if let known = scheduler.tasks[stem]?.definition, known.source == file.source, service.health.problems[path] == nil,
                !mayCalendarsDiffer || known.schedules.allSatisfy(\.calendarNames.isEmpty)
            {
                return true
            }
            count(&file, at: path)
            let task = try spool.task(file, context)
            service.health.problems[path] = nil
            handle(.task(task, since: since(file), file.stamp))
        } catch let problem as DefinitionProblem {
            if let errno = problem.errno, SystemError(call: "open", errno: errno).mayPass { service.intake.lookAgain(atPath: path) }
            service.health.report(problem: problem.lines, of: path)
            handle(.taskUnusable(stem))
        } catch {
            if (error as? SystemError)?.mayPass == true { service.intake.lookAgain(atPath: path) }
            service.health.report(problem: ["\(error)"], of: path)
        }
        return true
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
            guard var file = try read(in: Layout.schedules, stem, files, found, at: path) else { return }
            if scheduler.definitions[path]?.source == file.source, service.health.problems[path] == nil,
                scheduler.isInForce(schedule: stem), !mayCalendarsDiffer
            {
                return
            }
            count(&file, at: path)
            let (task, schedule) = try spool.schedule(file, context)
            service.health.problems[path] = nil
            handle(.schedule(task: task, schedule, file.source, since: since(file), file.stamp))
            warnIfMissing(task, key: "task", file: path)
        } catch let problem as DefinitionProblem {
            if let errno = problem.errno, SystemError(call: "open", errno: errno).mayPass { service.intake.lookAgain(atPath: path) }
            service.health.report(problem: problem.lines, of: path)
            handle(.scheduleUnusable(id: stem))
        } catch {
            if (error as? SystemError)?.mayPass == true { service.intake.lookAgain(atPath: path) }
            service.health.report(problem: ["\(error)"], of: path)
        }
    }

    /// The text of a definition's file. The file is not opened when its stamp says that it has the text in force. Returns nil while
    /// somebody is still writing the file.
    ///
    /// A stamp of an earlier boot says nothing: after a power cut a file may have an older text and yet the time of its last change.
    private func read(
        in directory: String, _ stem: String, _ files: [String], _ found: FoundDefinition?, at path: String
    ) throws(DefinitionProblem) -> DefinitionFile? {
        if let found, service.recovery.isSameBoot, service.health.problems[path] == nil,
            let file = spool.unchanged(found, since: scheduler.definitions[path])
        {
            return file
        }
        let before = now
        var file = try spool.definition(in: directory, stem: stem, files: files, found?.status)
        if file?.stamp?.isSettled(at: before) == false { file?.stamp = nil }
        return file
    }

    /// A known text keeps the instant from which its relative times count.
    private func count(_ file: inout DefinitionFile, at path: String) {
        if let known = scheduler.definitions[path], known.source == file.source { file.writtenAt = known.writtenAt }
    }

    /// The instant from which a new schedule's due times count. A schedule that a damaged journal has lost counts as new: due
    /// times before the journal's last readable record have been handled.
    private func since(_ file: DefinitionFile) -> Instant { min(max(file.changedAt, scheduler.repairedSince ?? file.changedAt), now) }

    // MARK: Missing tasks

    /// Logs missing tasks that a changed task names, and removed tasks that another task names. Called when all files of a turn
    /// have been read, because they may name one another.
    private func warnOfMissingTasks(changed stems: Set<String>) {
        for stem in stems.filter({ scheduler.tasks[$0]?.definition?.references.isEmpty == false }).sorted() {
            for reference in scheduler.tasks[stem]?.definition?.references ?? [] {
                warnIfMissing(reference.task, key: reference.key, file: "\(Layout.tasks)/\(stem)")
            }
        }
        let gone = stems.filter { scheduler.tasks[$0]?.definition == nil }
        guard !gone.isEmpty else { return }
        for (name, state) in scheduler.tasks where !stems.contains(name) {
            for reference in state.definition?.references ?? [] where gone.contains(reference.task) {
                warnIfMissing(reference.task, key: reference.key, file: "\(Layout.tasks)/\(name)")
            }
        }
    }

    func warnIfMissing(_ task: String, key: String, file: String) {
        guard scheduler.tasks[task]?.definition == nil else { return }
        log.write(.warning, "missing-task", at: now, ["file": file, "key": key, "task": task])
    }
}
