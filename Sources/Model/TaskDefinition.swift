/// The content of a file in `tasks/`: a job's keys as a template, and the schedules.
///
/// Keeps the text rather than the decoded job, because a spool may have a hundred thousand tasks and runs few at a time.
public struct TaskDefinition: Sendable {
    public let name: String
    public let source: Source
    /// The instant from which relative times such as `in 2 hours` count.
    public let writtenAt: Instant
    public let overlap: Overlap
    /// True when the file sets `overlap`. Otherwise a run for a new file waits its turn, because no file may be lost.
    public let saysOverlap: Bool
    public let schedules: [ScheduleDefinition]
    /// The task must succeed again within this time after a success.
    public let expectMilliseconds: Int64?
    /// The other tasks that the definition names.
    public let references: [TaskReference]
    /// The path of the crontab whose line the task is. Nil for a task that has a file of its own.
    public var crontab: String?
    /// The path of the file that defines the task, if that is in a directory of `--tasks`.
    public var mounted: String?

    /// The keys about the expectations of a task. Jobs do not have them.
    public static let expectationKeys = ["expect", "on_overdue"]

    /// The keys of a task: the keys of a job without those that name one, and the task's schedules.
    public static let keys = JobDefinition.keys.filter { !["task", "unique"].contains($0) } + ["schedule"]

    /// Reads a task's file. `source` must not be a script.
    public init(name: String, source: Source, _ context: ReadingContext) throws(Problems) {
        let table = try source.table()
        var reader = TableReader(table, context)
        let zone = reader.zone("timezone") ?? context.zone
        let job = JobDefinition(&reader, isScript: false)
        var schedules: [ScheduleDefinition] = []
        if let value = reader.value("schedule") {
            switch value.kind {
            case .array(let elements):
                for element in elements {
                    guard case .table(let inner) = element.kind else {
                        reader.fail(element, "schedule", expected: "a table, written as [[schedule]]")
                        continue
                    }
                    if let known = context.sharedSchedules?.schedule(of: inner, zone) {
                        schedules.append(known)
                        continue
                    }
                    var innerReader = TableReader(inner, context)
                    let schedule = ScheduleDefinition(&innerReader, at: element.position, task: name, zone: zone)
                    innerReader.finish()
                    if let schedule {
                        schedules.append(schedule)
                        if innerReader.problems.isEmpty { context.sharedSchedules?.keep(schedule, of: inner, zone) }
                    }
                    reader.absorb(innerReader)
                }
            case .table:
                reader.fail(value.position, "schedule is a single table", hint: "write [[schedule]] with two brackets")
            default:
                reader.fail(value, "schedule", expected: "a list of tables, written as [[schedule]]")
            }
        }
        if table["task"] != nil {
            reader.expect(["task"])
            reader.fail(table["task"]!.position, "task is a key of jobs; a task has its own command or script")
        }
        if let value = table["unique"] {
            reader.fail(
                value.position, "unique is a key of jobs; all runs of a task would have the same",
                hint: "overlap = \"skip\" runs one at a time")
        }
        if let value = table["after"], let after = job.after {
            if after.all.contains(name) { reader.fail(value.position, "after names the task itself; see overlap") }
            if let id = after.all.first(where: { JobID($0) != nil }) {
                reader.fail(value.position, "after names \(id), one job; a task waits for tasks")
            }
        }
        let expect = reader.milliseconds("expect")
        if let expect, expect <= 0, let value = table["expect"] { reader.fail(value.position, "expect must be longer than zero") }
        if reader.followUp("on_overdue", .overdue) != nil, table["expect"] == nil, let value = table["on_overdue"] {
            reader.fail(value.position, "on_overdue without expect", hint: "add expect = \"26h\"")
        }
        reader.finish()
        guard reader.problems.isEmpty else { throw Problems(reader.problems) }
        self.name = name
        self.source = source
        writtenAt = context.now
        self.overlap = job.overlap
        saysOverlap = table["overlap"] != nil
        self.schedules = ScheduleDefinition.numbered(schedules)
        expectMilliseconds = expect
        references = table.taskReferences
    }

    /// A definition that was read before, from its parts.
    public init(
        name: String, source: Source, writtenAt: Instant, overlap: Overlap, saysOverlap: Bool, schedules: [ScheduleDefinition],
        expectMilliseconds: Int64?, references: [TaskReference], crontab: String?
    ) {
        self.name = name
        self.source = source
        self.writtenAt = writtenAt
        self.overlap = overlap
        self.saysOverlap = saysOverlap
        self.schedules = schedules
        self.expectMilliseconds = expectMilliseconds
        self.references = references
        self.crontab = crontab
    }

    /// The reason why one of its schedules cannot be taken up. Nil when all can. See `ScheduleDefinition.lateness`.
    ///
    /// - Parameter isDealtWith: returns true when due times of an equal schedule have already been handled.
    public func lateness(since: Instant, isDealtWith: (ScheduleDefinition) -> Bool) -> Problems? {
        for (index, schedule) in schedules.enumerated() where schedule.once.map({ $0 <= since }) ?? false && !isDealtWith(schedule) {
            var position: Position?
            let table = try? source.table()  // never nil: the text was read before without an error
            if case .array(let tables)? = table?["schedule"]?.kind, case .table(let table) = tables[index].kind {
                position = table["at"]?.position
            }
            return schedule.lateness(since: since, position: position)
        }
        return nil
    }

    /// The task's keys as the keys of a job. `overrides` replace them, and `defaults` add what they lack.
    public func jobTable(overrides: Table? = nil, _ defaults: TaskDefaults = TaskDefaults()) throws(Problems) -> Table {
        var table = try source.table()
        table.removeTaskKeys()
        for entry in overrides?.entries ?? [] where entry.key != "task" {
            if table[entry.key] == nil {
                // Keep the position of the key, so that an error can point to it.
                table.entries.append(entry)
            } else {
                table.set(entry.key, entry.value)
            }
        }
        table.add(defaults, ofTask: name)
        return table
    }
}

extension Table {
    /// The remaining keys of a task's table are the keys of its runs.
    public mutating func removeTaskKeys() {
        for key in ["schedule"] + TaskDefinition.expectationKeys { remove(key) }
    }
}

extension TaskDefinition {
    /// The action to start when the task has not succeeded within the expected time.
    public func whenOverdue(_ context: ReadingContext) throws(Problems) -> FollowUp? {
        var reader = TableReader(try source.table(), context)
        return reader.followUp("on_overdue", .overdue)
    }

    /// A run of the task: the keys of its job, as text and decoded. `payload` is JSON that replaces the task's payload.
    public func job(
        payload: [UInt8]? = nil, _ context: ReadingContext
    ) throws(Problems) -> (source: Source, definition: JobDefinition) {
        var overrides: Table?
        if let payload {
            do throws(DocumentError) {
                var table = Table()
                table.set("payload", try JSON.parse(payload))
                overrides = table
            } catch {
                throw Problems(error)
            }
        }
        let table = try jobTable(overrides: overrides, context.taskDefaults)
        let bytes = Array(JSON.write(Value(.table(table), at: Position(line: 1, column: 1)), pretty: true).utf8)
        // A longer text could not be read back from the journal.
        guard bytes.count <= Source.bytesMax else {
            throw Problems(
                DocumentError(
                    position: Position(line: 1, column: 1),
                    message: "a run of the task is \(bytes.count) bytes as JSON; at most \(Source.bytesMax) are allowed"))
        }
        return (Source(format: .json, bytes: bytes), try JobDefinition.read(table, context))
    }

    /// Refuses a task whose runs could never be started.
    public func checkRun(_ context: ReadingContext) throws(Problems) {
        _ = try JobDefinition.accept(try jobTable(), context)
        _ = try job(context)
    }
}
