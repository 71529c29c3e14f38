// The definitions in force of tasks/ and schedules/, from their files and the journal. All questions about tasks use this.
//
// - A usable file is in force, or will be as soon as a daemon reads it.
// - While a file cannot be used, the definition that was accepted last stays in force. When the file is gone, no definition is in
//   force.
// - An `at` that has passed is treated as the scheduler does: see `TaskDefinition.lateness`.
// - Relative times count from the first record of that text in the journal.
//
// The journal is read once for all requested names, and only when one of them needs it: a file cannot be used, or its meaning
// depends on the time at which it was written.

import Scheduler

/// A definition in force, and the problems of its file.
public struct InForce<Definition: Sendable>: Sendable {
    /// The task's name or the schedule's id.
    public var stem: String
    /// The files of that name: one, or several, which is then the problem.
    public var files: [String]
    /// Nil when none is in force.
    public var definition: Definition?
    /// The instant from which the due times of `definition` count when no daemon has taken it up yet.
    public var writtenAt: Instant?
    /// The time of the file's last change. Nil when it cannot be read.
    public var changedAt: Instant?
    /// The reasons why the file is not in force. Empty when it is.
    public var problems: [String] = []
    /// The line of a crontab that the task is.
    public var crontab: CrontabLineTask?
    /// The only problem is this `at`, which has passed.
    public var late: Problems?
}

/// A file in `schedules/` that has been read.
public struct ScheduleFile: Sendable {
    public var task: String
    public var schedule: ScheduleDefinition
    let source: Source
}

extension Spool {
    public typealias Files = [(stem: String, files: [String])]

    /// The definitions in force of these tasks, see ``taskFiles()``, in order, and the damage of the journal if it was read.
    public func tasksInForce(
        _ files: Files, _ context: ReadingContext
    ) throws(SystemError) -> (all: [InForce<TaskDefinition>], damage: [JournalDamage]) {
        let lines = try crontabTasks(among: files)
        var found = try inForce(ofTasks(), files, context) { stem, names throws(DefinitionProblem) in
            if let line = lines[stem] { return DefinitionFile(line) }
            return try definition(in: Layout.tasks, stem: stem, files: names)
        }
        guard !lines.isEmpty else { return found }
        for index in found.all.indices {
            guard let line = lines[found.all[index].stem] else { continue }
            found.all[index].crontab = line
            found.all[index].problems += line.problems
        }
        return found
    }

    /// The definition that would be in force if a task's file had this text.
    public func taskInForce(as text: DefinitionFile, _ context: ReadingContext) throws(SystemError) -> InForce<TaskDefinition> {
        try tasksInForce(as: [text], context)[0]
    }

    /// The same for several tasks, in their order.
    public func tasksInForce(
        as texts: [DefinitionFile], _ context: ReadingContext
    ) throws(SystemError) -> [InForce<TaskDefinition>] {
        try inForce(ofTasks(), as: texts, context)
    }

    /// The same for schedules in files of their own.
    public func schedulesInForce(
        as texts: [DefinitionFile], _ context: ReadingContext
    ) throws(SystemError) -> [InForce<ScheduleFile>] {
        try inForce(ofSchedules(), as: texts, context)
    }

    private func inForce<Definition>(
        _ kind: Kind<Definition>, as texts: [DefinitionFile], _ context: ReadingContext
    ) throws(SystemError) -> [InForce<Definition>] {
        let byStem = Dictionary(texts.map { ($0.stem, $0) }) { first, _ in first }
        return try inForce(kind, texts.map { ($0.stem, [$0.file]) }, context) { stem, _ in byStem[stem] }.all
    }

    private func ofTasks() -> Kind<TaskDefinition> {
        Kind(
            directory: Layout.tasks, read: { file, context throws(DefinitionProblem) in try self.task(file, context) },
            schedules: { task in task.schedules.map { (task.name, $0) } }, lateness: { $0.lateness(since: $1, isDealtWith: $2) })
    }

    /// The same for these files in `schedules/`.
    public func schedulesInForce(
        _ files: Files, _ context: ReadingContext
    ) throws(SystemError) -> (all: [InForce<ScheduleFile>], damage: [JournalDamage]) {
        try inForce(ofSchedules(), files, context) { stem, names throws(DefinitionProblem) in
            try definition(in: Layout.schedules, stem: stem, files: names)
        }
    }

    private func ofSchedules() -> Kind<ScheduleFile> {
        Kind(
            directory: Layout.schedules,
            read: { file, context throws(DefinitionProblem) in
                let read = try self.schedule(file, context)
                return ScheduleFile(task: read.task, schedule: read.schedule, source: file.source)
            },
            schedules: { [($0.task, $0.schedule)] },
            lateness: { $2($0.schedule) ? nil : $0.schedule.lateness(since: $1, in: $0.source) })
    }

    private struct Kind<Definition: Sendable> {
        let directory: String
        let read: (DefinitionFile, ReadingContext) throws(DefinitionProblem) -> Definition
        let schedules: (Definition) -> [(task: String, schedule: ScheduleDefinition)]
        let lateness: (Definition, Instant, (ScheduleDefinition) -> Bool) -> Problems?
    }

    private func inForce<Definition>(
        _ kind: Kind<Definition>, _ files: Files, _ context: ReadingContext,
        take: (String, [String]) throws(DefinitionProblem) -> DefinitionFile?
    ) throws(SystemError) -> (all: [InForce<Definition>], damage: [JournalDamage]) {
        var all: [InForce<Definition>] = []
        var read: [Int: DefinitionFile] = [:]
        var unsettled: [Int] = []
        for (stem, names) in files {
            var one = InForce<Definition>(stem: stem, files: names)
            var file: DefinitionFile?
            do throws(DefinitionProblem) {
                file = try take(stem, names)
                one.changedAt = file?.changedAt
                one.writtenAt = file?.changedAt
                if let file {
                    one.definition = try kind.read(file, context)
                } else {
                    one.problems = ["\(kind.directory)/\(names[0]): is being written"]
                }
            } catch {
                one.problems = error.lines
            }
            if one.definition.map({ kind.schedules($0).contains { $0.schedule.dependsOnWhenWritten } }) ?? true {
                read[all.count] = file
                unsettled.append(all.count)
            }
            all.append(one)
        }
        guard !unsettled.isEmpty else { return (all, []) }
        var accepted = AcceptedDefinitions(of: unsettled.map { "\(kind.directory)/\(all[$0].stem)" }, context)
        let damage = try Journal<FS>.scanNewest(fs, into: &accepted)
        var context = context
        context.calendars = context.calendars.filled(from: accepted.calendars.times(context.zones))
        for index in unsettled { settle(&all[index], read[index], kind, accepted, context) }
        return (all, damage)
    }

    /// Decides by the definition that was accepted before. `file` is nil when it cannot be read.
    private func settle<Definition>(
        _ one: inout InForce<Definition>, _ file: DefinitionFile?, _ kind: Kind<Definition>, _ accepted: AcceptedDefinitions,
        _ context: ReadingContext
    ) {
        let known = accepted.definitions["\(kind.directory)/\(one.stem)"]
        var before: Definition?
        if let known {
            var text = DefinitionFile(file: one.files[0], stem: one.stem, source: known.source, changedAt: known.writtenAt)
            text.writtenAt = known.writtenAt
            // An accepted text was readable. Only a zone that was removed since can make it unreadable.
            before = try? kind.read(text, context.ofAccepted)
        }
        // With the calendars of the journal the file may be usable, or the problem another.
        if var file {
            if let known, known.source == file.source { file.writtenAt = known.writtenAt }
            do throws(DefinitionProblem) {
                let definition = try kind.read(file, context)
                let late = kind.lateness(definition, min(file.changedAt, context.now)) { schedule in
                    guard let task = kind.schedules(definition).first?.task, accepted.isAccounted(schedule.id, of: task)
                    else { return false }
                    let earlier = before.flatMap { kind.schedules($0).first { $0.task == task && $0.schedule.id == schedule.id } }
                    return earlier.map { $0.schedule.isDueAlike(schedule) } ?? true
                }
                guard let late else {
                    one.definition = definition
                    one.writtenAt = file.writtenAt
                    one.problems = []
                    return
                }
                one.late = late
                one.problems = late.all.map { "\(kind.directory)/\(file.file):\($0)" }
            } catch {
                one.problems = error.lines
            }
        }
        one.definition = before
        one.writtenAt = known?.writtenAt
    }
}

/// The accepted definitions of some files, by their paths without endings.
private struct AcceptedDefinitions: JournalReader {
    private let files: Set<String>
    private let ofSchedules: Bool
    private let context: ReadingContext
    private(set) var definitions: [String: RecordedDefinition] = [:]
    private(set) var calendars = KeptCalendars()
    private var accounted: Set<String> = []

    init(of files: [String], _ context: ReadingContext) {
        self.context = context
        self.files = Set(files)
        ofSchedules = files.first?.hasPrefix("\(Layout.schedules)/") ?? false
    }

    /// True when due times of the schedule have been handled.
    func isAccounted(_ schedule: String, of task: String) -> Bool { accounted.contains("\(task)/\(schedule)") }

    func wants(_ line: JournalGlance) -> Bool {
        switch line.kind {
        case "defined", "undefined": calendars.wants(line) || line.firstValue(of: "file").map { files.contains($0) } ?? false
        case "scheduled", "unscheduled": ofSchedules || line.firstValue(of: "task").map { files.contains("\(Layout.tasks)/\($0)") } ?? false
        default: false
        }
    }

    mutating func take(_ fields: JournalFields) {
        calendars.take(fields)
        switch fields.record(context) {
        case .defined(let file, let definition): definitions[file] = definition
        case .undefined(let file): definitions[file] = nil
        case .scheduled(let task, let schedule, _, _, _): accounted.insert("\(task)/\(schedule)")
        case .unscheduled(let task, let schedule): accounted.remove("\(task)/\(schedule)")
        default: break
        }
    }
}
