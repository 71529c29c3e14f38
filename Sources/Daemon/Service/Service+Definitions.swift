import Scheduler
import Store

// What tasks/ and schedules/ hold, read into definitions.

extension Service {
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
            if error.mayPass { lookAgain(atPath: Layout.tasks) }
            log.write(.error, "unreadable", at: now, ["error": "\(error)"])
        }
    }

    /// Takes up what `tasks/` has for a name now. `files`: what is known to be there; nil: to be looked up.
    /// False: somebody still writes it, and its next event will say.
    @discardableResult
    func loadTask(_ stem: String, files: [String]? = nil) -> Bool {
        let path = "\(Layout.tasks)/\(stem)"
        do {
            let files = try files ?? spool.definitionFiles(in: Layout.tasks, stem: stem)
            guard !files.isEmpty else {
                problems[path] = nil
                isPublishDue = true
                handle(.taskRemoved(stem))
                return true
            }
            guard var file = try spool.definition(in: Layout.tasks, stem: stem, files: files) else { return false }
            if let known = scheduler.tasks[stem]?.definition, known.source == file.source, problems[path] == nil { return true }
            count(&file, at: path)
            let task = try spool.task(file, context)
            problems[path] = nil
            handle(.task(task, since: since(file)))
        } catch let problem as DefinitionProblem {
            if let errno = problem.errno, SystemError(call: "open", errno: errno).mayPass { lookAgain(atPath: path) }
            report(problem: problem.lines, of: path)
            handle(.taskUnusable(stem))
        } catch {
            if (error as? SystemError)?.mayPass == true { lookAgain(atPath: path) }
            report(problem: ["\(error)"], of: path)
        }
        return true
    }

    func loadSchedule(_ stem: String, files: [String]? = nil) {
        let path = "\(Layout.schedules)/\(stem)"
        do {
            let files = try files ?? spool.definitionFiles(in: Layout.schedules, stem: stem)
            guard !files.isEmpty else {
                problems[path] = nil
                isPublishDue = true
                handle(.scheduleRemoved(id: stem))
                return
            }
            guard var file = try spool.definition(in: Layout.schedules, stem: stem, files: files) else { return }
            if scheduler.definitions[path]?.source == file.source, problems[path] == nil, scheduler.isInForce(schedule: stem) { return }
            count(&file, at: path)
            let (task, schedule) = try spool.schedule(file, context)
            problems[path] = nil
            handle(.schedule(task: task, schedule, file.source, since: since(file)))
            warnIfMissing(task, key: "task", file: path)
        } catch let problem as DefinitionProblem {
            if let errno = problem.errno, SystemError(call: "open", errno: errno).mayPass { lookAgain(atPath: path) }
            report(problem: problem.lines, of: path)
            handle(.scheduleUnusable(id: stem))
        } catch {
            if (error as? SystemError)?.mayPass == true { lookAgain(atPath: path) }
            report(problem: ["\(error)"], of: path)
        }
    }

    /// A text that is known counts its relative times as before: a restart, or a `touch`, is no reason to run again.
    private func count(_ file: inout DefinitionFile, at path: String) {
        if let known = scheduler.definitions[path], known.source == file.source { file.writtenAt = known.writtenAt }
    }

    /// From when on a new schedule's due times count. One that a damaged journal has lost is new, and what was due before that
    /// journal's last record has been dealt with.
    private func since(_ file: DefinitionFile) -> Instant { min(max(file.changedAt, scheduler.repairedSince ?? file.changedAt), now) }

    /// Says once that a definition cannot be used; the last one that could stays in force.
    func report(problem lines: [String], of path: String, inForce: String? = nil, causedBy user: String? = nil) {
        guard problems[path] != lines else { return }
        problems[path] = lines
        isPublishDue = true
        // A definition's, not the configuration's.
        if inForce == nil { spool.journal.add(.refused(file: path, why: lines.joined(separator: "\n")), at: now) }
        let inForce = inForce ?? (scheduler.definitions[path] == nil ? "none" : "the last definition that was accepted")
        for line in lines {
            log.write(
                .error, "refused", at: now,
                ["file": path, "error": line, "in_force": inForce], causedBy: user)
        }
    }
}
