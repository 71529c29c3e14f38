/// What a file in `tasks/` says: a job's keys as a template, and when to run it.
///
/// Holds the text rather than the decoded job, because a spool may have a hundred thousand tasks and runs few at a time.
public struct TaskDefinition: Sendable {
    public let name: String
    public let source: Source
    /// From when its relative times count, such as `in 2 hours`.
    public let writtenAt: Instant
    public let overlap: Overlap
    /// The file says so; else a file that comes waits its turn, as none may be lost.
    public let saysOverlap: Bool
    public let schedules: [ScheduleDefinition]
    /// Within this time of a success there must be another.
    public let expectMilliseconds: Int64?
    /// The other tasks that it names.
    public let references: [TaskReference]

    /// The keys that say what is expected of a task; no job has them.
    public static let expectationKeys = ["expect", "on_overdue"]

    /// The keys of a task: those of a job but for what names one, and its schedules.
    public static let keys = JobDefinition.keys.filter { !["task", "unique"].contains($0) } + ["schedule"]

    /// Reads a task's file; `source` must not be a script.
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
                    var innerReader = TableReader(inner, context)
                    if let schedule = ScheduleDefinition(&innerReader, at: element.position, task: name, zone: zone) {
                        schedules.append(schedule)
                    }
                    innerReader.finish()
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
            reader.fail(table["task"]!.position, "task is a key of jobs; a task says itself what to run")
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

    /// Why one of its schedules cannot be taken up; nil when all can. See `ScheduleDefinition.lateness`.
    ///
    /// - Parameter isDealtWith: whether due times of a schedule that says the same have been accounted for.
    public func lateness(since: Instant, isDealtWith: (ScheduleDefinition) -> Bool) -> Problems? {
        for (index, schedule) in schedules.enumerated() where schedule.once.map({ $0 <= since }) ?? false && !isDealtWith(schedule) {
            var position: Position?
            // The text was read whole before.
            if case .array(let tables)? = (try? source.table())?["schedule"]?.kind, case .table(let table) = tables[index].kind {
                position = table["at"]?.position
            }
            return schedule.lateness(since: since, position: position)
        }
        return nil
    }

    /// The task's keys as those of a job, with `overrides` taking precedence.
    public func jobTable(overrides: Table? = nil) throws(Problems) -> Table {
        var table = try source.table()
        table.removeTaskKeys()
        for entry in overrides?.entries ?? [] where entry.key != "task" {
            if table[entry.key] == nil {
                // With the place of its key, to which an error points.
                table.entries.append(entry)
            } else {
                table.set(entry.key, entry.value)
            }
        }
        return table
    }
}

extension Table {
    /// What is left of a task's table are the keys of its runs.
    public mutating func removeTaskKeys() {
        for key in ["schedule"] + TaskDefinition.expectationKeys { remove(key) }
    }
}

extension TaskDefinition {
    /// What is started when the task has not succeeded within the time that is expected.
    public func whenOverdue(_ context: ReadingContext) throws(Problems) -> FollowUp? {
        var reader = TableReader(try source.table(), context)
        return reader.followUp("on_overdue", .overdue)
    }

    /// A run of the task: its keys as a job's, as text and as read. `payload`: JSON that takes the place of the task's.
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
        let table = try jobTable(overrides: overrides)
        let bytes = Array(JSON.write(Value(.table(table), at: Position(line: 1, column: 1)), pretty: true).utf8)
        // The journal would hold what nobody reads again.
        guard bytes.count <= Source.bytesMax else {
            throw Problems(
                DocumentError(
                    position: Position(line: 1, column: 1),
                    message: "a run of the task is \(bytes.count) bytes as JSON; at most \(Source.bytesMax) are allowed"))
        }
        return (Source(format: .json, bytes: bytes), try JobDefinition.read(table, context))
    }

    /// Refuses a task whose runs could not be started, whatever they are given.
    public func checkRun(_ context: ReadingContext) throws(Problems) {
        _ = try JobDefinition.accept(try jobTable(), context)
        _ = try job(context)
    }
}
