// Jobs without a readable status: above all files that wait in new/, which are shown as the daemon would accept them.

extension JobRecords {
    /// The facts that the place alone shows.
    func bareRecord(at place: JobPlace) -> JobRecord {
        // The place is gone by now or not accessible, so nothing is known.
        let changed = (try? fs.status(place.path)).flatMap { $0 }.map { Instant(milliseconds: $0.changedNanoseconds / 1_000_000) }
        let instant = JobID(place.id)?.instant ?? changed ?? Instant(milliseconds: 0)
        var status = JobStatus(
            id: place.id, name: JobID(place.id)?.name ?? place.id, due: instant, createdAt: changed ?? instant, host: "")
        status.state = place.state
        if place.state == .new, !place.isFile, let path = place.path.split(separator: "/").last,
            // The directory is gone by now or not accessible, so nothing is known.
            let names = try? fs.list(place.path).map(\.name), !names.contains(where: Source.fileNames.contains)
        {
            status.error = "\(path): \(Spool<FS>.noJobsFile)"
        }
        return JobRecord(place: place, status: status, json: status.json(), isComplete: false)
    }

    /// A waiting file has no status yet. Its content is read as the daemon would read it.
    func waitingRecord(at place: JobPlace) throws(SystemError) -> JobRecord? {
        let file = String(place.path.dropFirst(Layout.new.utf8.count + 1))
        switch try fs.take(place.path, limit: Source.bytesMax, ignoringWriters: true) {
        case .missing, .foreign: return nil
        case .file(let status, let bytes):
            let changed = Instant(milliseconds: status.changedNanoseconds / 1_000_000)
            // This reader may have been made before the file was dropped.
            let now = max(context.now, changed)
            let dropped = DroppedFile(file, status, at: now)
            // An update changes the file, and not the age of the job.
            // The id under which it was accepted has the instant that counts, whatever its mode and owner were set to since.
            let due = JobID(place.id)?.instant.map { min($0, now) } ?? dropped.due
            var record = JobStatus(id: place.id, name: dropped.name(task: nil), due: due, createdAt: due, host: "")
            guard let format = dropped.format(of: bytes) else {
                record.error = "\(file): \(DroppedFile.refusal(of: bytes))"
                return JobRecord(place: place, status: record, json: record.json())
            }
            var then = context
            then.now = changed
            do throws(Problems) {
                let (definition, task) = try read(Source(format: format, bytes: bytes), then)
                record.name = dropped.name(task: task)
                record.title = definition.title
                record.description = definition.description
                record.task = task
                record.tries = definition.tries
                record.priority = definition.priority
                record.queue = definition.queue
                record.executor = definition.executor
                record.tags = definition.tags
                record.payload = definition.payload
                record.scheduledAt = definition.start ?? record.due
                record.notBefore = definition.start ?? record.due
                record.deadline = definition.deadline?.instant(due: record.due)
                record.keepMilliseconds = definition.keepMilliseconds
            } catch {
                record.error = error.all.map { "\(file):\($0)" }.joined(separator: "\n")
            }
            return JobRecord(place: place, status: record, json: record.json())
        case .busy, .tooLarge, .other, .refused:
            return bareRecord(at: place)
        }
    }

    /// A job's definition, by the text of its file and the definition in force of the task that it names.
    func read(_ source: Source, _ context: ReadingContext) throws(Problems) -> (definition: JobDefinition, task: String?) {
        let (keys, task) = try source.keys(context) { name throws(Problems) in try taskInForce(name, context) }
        return (try JobDefinition.read(keys, isScript: source.format == .script, context), task)
    }

    private func taskInForce(_ name: String, _ context: ReadingContext) throws(Problems) -> TaskDefinition? {
        guard Name.isValid(name) else { return nil }
        func problem(_ message: String) -> Problems { Problems(DocumentError(position: Position(line: 1, column: 1), message: message)) }
        let spool = Spool(fs, host: "")
        let task: InForce<TaskDefinition>?
        do throws(SystemError) {
            let files = try spool.taskFiles(named: name)
            task = files.isEmpty ? nil : try spool.tasksInForce([(name, files)], context).all[0]
        } catch {
            throw problem("\(error)")
        }
        guard let task else { return nil }
        guard let definition = task.definition else { throw problem(task.problems.joined(separator: "; ")) }
        return definition
    }
}
