// Jobs as a reader without the daemon finds them: by looking where they stand.
//
// - Nothing is kept between two questions: the tree is the truth, and it moves meanwhile. A job goes new, running, done or
//   failed, so looking in that order cannot miss one on its way; only a job between two tries goes back, and a second look
//   finds it.
// - A question about one id is answered by looking at names, never by listing, however many records there are.

import Glibc

/// Where a job stands.
public struct JobPlace: Sendable, Hashable {
    public var id: String
    public var state: JobState
    /// It waits as the file that was dropped.
    public var isFile: Bool
    /// Where it stands, if not in the directory of its id: there may be very many of them.
    private var otherPath: String?

    /// The job's directory, or the file that waits in `new/`.
    public var path: String { otherPath ?? "\(state.rawValue)/\(id)" }

    public init(id: String, state: JobState, path: String, isFile: Bool) {
        self.id = id
        self.state = state
        self.isFile = isFile
        if path != "\(state.rawValue)/\(id)" { otherPath = path }
    }

    /// A job that stands in its directory.
    init(id: String, state: JobState) {
        self.id = id
        self.state = state
        isFile = false
    }
}

/// A job, what is known of it, and the JSON that says so.
public struct JobRecord: Sendable {
    public var place: JobPlace
    public var status: JobStatus
    public var json: [UInt8]
    /// The status was there and readable; else the place is all that is known.
    public var isComplete = true
}

/// Reads jobs from the tree.
public struct JobRecords<FS: FileSystem> {
    public let fs: FS
    let context: ReadingContext
    /// For records of ended jobs; nil: not made yet.
    private var reader: RecordReader??
    /// Ids of waiting files whose names are none, from the journal; read when first needed.
    private var accepted: [String: AcceptedFile]?

    private struct AcceptedFile {
        var id: String
        var inode: UInt64
    }

    public init(_ fs: FS, _ context: ReadingContext) {
        self.fs = fs
        self.context = context
    }

    // MARK: One job

    /// Where the job of that id stands; nil when there is none.
    public mutating func place(of id: String) throws(JournalError) -> JobPlace? {
        // An id becomes part of paths, so nothing else than an id may.
        guard Name.isValid(id.prefix(Name.lengthMax)), id.utf8.allSatisfy({ $0 != UInt8(ascii: "/") }) else { return nil }
        for _ in 0..<2 {
            guard var place = try quickPlace(of: id) else { continue }
            // A file's own name finds its job too, which may have an id by now.
            if place.isFile, JobID(id) == nil {
                place.id = try self.id(ofWaiting: String(place.path.dropFirst(Layout.new.utf8.count + 1)))
            }
            return place
        }
        // Waiting under a name that is not its id.
        for (file, one) in try acceptedFiles() where one.id == id {
            if try isWaiting(file, one) { return JobPlace(id: id, state: .new, path: "\(Layout.new)/\(file)", isFile: true) }
        }
        // What the journal knew may have moved since it was read.
        return try quickPlace(of: id)
    }

    private func quickPlace(of id: String) throws(JournalError) -> JobPlace? {
        do throws(SystemError) {
            var waiting: JobPlace?
            for file in ["\(id).toml", "\(id).json", id] {
                let found: FileStatus?
                do throws(SystemError) { found = try fs.status("\(Layout.new)/\(file)") } catch {
                    // A job that runs as another in root's spool, and asks for itself, may not look there.
                    guard error.errno == EACCES else { throw error }
                    break
                }
                guard let status = found else { continue }
                waiting = JobPlace(id: id, state: .new, path: "\(Layout.new)/\(file)", isFile: status.kind != .directory)
                break
            }
            for state in [JobState.running, .done, .failed] {
                let path = "\(state.rawValue)/\(id)"
                guard let status = try fs.status(path), status.kind == .directory else { continue }
                // A directory without a status is what stands there a moment before the file moves into it.
                if try fs.status("\(path)/\(Layout.statusFile)") != nil || waiting == nil {
                    return JobPlace(id: id, state: state, path: path, isFile: false)
                }
            }
            return waiting
        } catch {
            throw .system(error)
        }
    }

    /// What is known of the job that stood at `place`. Nil when it has moved on meanwhile.
    public mutating func record(at place: JobPlace) throws(JournalError) -> JobRecord? {
        if place.state.isTerminal, let record = quickRecord(at: place) { return record }
        do throws(SystemError) {
            if place.isFile { return try waitingRecord(at: place) }
            switch try fs.take("\(place.path)/\(Layout.statusFile)", limit: Source.bytesMax, ignoringWriters: true) {
            case .file(_, let bytes):
                // Not readable: being written, or damaged. Then its place is all that is known.
                guard case .table(let table)? = (try? JSON.parse(bytes, limits: .status))?.kind, var status = JobStatus(json: table) else {
                    return bareRecord(at: place)
                }
                // Between the new status and the move, the status is ahead of the place, and right.
                if status.id != place.id { status.id = place.id }
                // A run speaks by a file beside its status, which is written anew only when the run begins and ends.
                if place.state == .running, let progress = try fs.progress(in: place.path), progress != status.progress {
                    status.progress = progress
                    return JobRecord(place: place, status: status, json: status.json())
                }
                return JobRecord(place: place, status: status, json: bytes)
            default:
                return try fs.status(place.path) == nil ? nil : bareRecord(at: place)
            }
        } catch {
            throw .system(error)
        }
    }

    private mutating func recordReader() -> RecordReader? {
        if let reader { return reader }
        let made = fs.recordReader()
        reader = .some(made)
        return made
    }

    /// Of an ended job whose record is this user's own. Nil: it must be read with more care.
    private mutating func quickRecord(at place: JobPlace) -> JobRecord? {
        let record = recordReader()?.withStatus(at: place) { status, isOwn -> JobRecord? in
            guard isOwn else { return nil }
            let bytes = Array(status)
            // Not readable: found out again, and told.
            guard case .table(let table)? = (try? JSON.parse(bytes, limits: .status))?.kind, let status = JobStatus(json: table),
                status.id == place.id
            else { return nil }
            return JobRecord(place: place, status: status, json: bytes)
        }
        return record ?? nil
    }

    /// Looks at the status of an ended job as it is written. True when that cannot be done.
    public mutating func mayBe(_ place: JobPlace, _ look: (UnsafeRawBufferPointer) -> Bool) -> Bool {
        guard place.state.isTerminal else { return true }
        return recordReader()?.withStatus(at: place) { status, _ in look(status) } ?? true
    }

    /// The job of that id; nil when there is none.
    public mutating func record(of id: String) throws(JournalError) -> JobRecord? {
        // A job moves a few times at most; one that moves oftener than this is not worth waiting for.
        for _ in 0..<8 {
            guard let place = try place(of: id) else { return nil }
            if let record = try record(at: place) { return record }
        }
        return nil
    }

    private func bareRecord(at place: JobPlace) -> JobRecord {
        // Gone meanwhile, or not to be looked at: then nothing tells.
        let changed = (try? fs.status(place.path)).flatMap { $0 }.map { Instant(milliseconds: $0.changedNanoseconds / 1_000_000) }
        let instant = JobID(place.id)?.instant ?? changed ?? Instant(milliseconds: 0)
        var status = JobStatus(
            id: place.id, name: JobID(place.id)?.name ?? place.id, due: instant, createdAt: changed ?? instant, host: "")
        status.state = place.state
        if place.state == .new, !place.isFile, let path = place.path.split(separator: "/").last,
            // As above.
            let names = try? fs.list(place.path).map(\.name), !names.contains(where: Source.fileNames.contains)
        {
            status.error = "\(path): \(Spool<FS>.noJobsFile)"
        }
        return JobRecord(place: place, status: status, json: status.json(), isComplete: false)
    }

    /// A file that waits has no status yet: what it says of itself, read as the daemon would.
    private func waitingRecord(at place: JobPlace) throws(SystemError) -> JobRecord? {
        let file = String(place.path.dropFirst(Layout.new.utf8.count + 1))
        switch try fs.take(place.path, limit: Source.bytesMax, ignoringWriters: true) {
        case .missing, .foreign: return nil
        case .file(let status, let bytes):
            let dropped = Instant(milliseconds: status.changedNanoseconds / 1_000_000)
            let id = JobID(place.id)
            var record = JobStatus(
                id: place.id, name: id?.name ?? Name.sanitized(Spool<FS>.stem(of: file)), due: id?.instant ?? dropped,
                createdAt: dropped, host: "")
            var context = context
            context.now = dropped
            guard let format = Source.format(ofFile: file, firstBytes: bytes, isExecutable: status.mode & 0o111 != 0) else {
                record.error = "\(file): is not a job: expected NAME.toml, NAME.json, or an executable script"
                return JobRecord(place: place, status: record, json: record.json())
            }
            do throws(Problems) {
                let table = try Source(format: format, bytes: bytes).table()
                let definition = try read(table, isScript: format == .script, context)
                record.description = definition.description
                record.task = table.text("task")
                record.tries = definition.tries
                record.priority = definition.priority
                record.queue = definition.queue
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

    /// A job's keys, over those of the task it names.
    func read(_ table: Table, isScript: Bool, _ context: ReadingContext) throws(Problems) -> JobDefinition {
        guard let name = table.text("task"), Name.isValid(name) else {
            return try JobDefinition.read(table, isScript: isScript, context)
        }
        let spool = Spool(fs, host: "")
        func problem(_ message: String) -> Problems { Problems(DocumentError(position: Position(line: 1, column: 1), message: message)) }
        let task: InForce<TaskDefinition>?
        do throws(SystemError) {
            let files = try spool.definitionFiles(in: Layout.tasks, stem: name)
            task = files.isEmpty ? nil : try spool.tasksInForce([(name, files)], context).all[0]
        } catch {
            throw problem("\(error)")
        }
        guard let task else { throw problem("there is no task \"\(name)\"") }
        guard let definition = task.definition else { throw problem(task.problems.joined(separator: "; ")) }
        var merged = try definition.source.table()
        merged.removeTaskKeys()
        for entry in table.entries where entry.key != "task" { merged.set(entry.key, entry.value) }
        return try JobDefinition.read(merged, context)
    }

    // MARK: Many jobs

    /// Where all jobs of these states stand, newest id first. Reads names alone.
    public mutating func places(in states: [JobState]) throws(JournalError) -> [JobPlace] {
        var places: [JobPlace] = []
        for state in states {
            let entries: [DirectoryEntry]
            do throws(SystemError) { entries = try fs.list(state.rawValue) } catch { throw .system(error) }
            places.reserveCapacity(places.count + entries.count)
            for entry in entries where !Name.isUnfinished(entry.name) {
                do throws(SystemError) {
                    if try fs.isStranger(entry.name, in: state.rawValue, isDirectory: entry.kind == .directory) { continue }
                } catch {
                    throw .system(error)
                }
                if entry.kind == .directory {
                    places.append(JobPlace(id: entry.name, state: state))
                } else if state == .new {
                    let path = "\(Layout.new)/\(entry.name)"
                    places.append(JobPlace(id: try id(ofWaiting: entry.name), state: .new, path: path, isFile: true))
                }
            }
        }
        places.sort { $0.id > $1.id }
        return places
    }

    private mutating func id(ofWaiting file: String) throws(JournalError) -> String {
        let stem = Spool<FS>.stem(of: file)
        if JobID(stem) != nil { return stem }
        if let one = try acceptedFiles()[file], try isWaiting(file, one) { return one.id }
        // Not taken up yet: its name is the only name it has.
        return file
    }

    /// Ids that begin or end with `part`, for a person who types less than a whole one; at most `limit`.
    public mutating func matches(_ part: String, limit: Int) throws(JournalError) -> [JobPlace] {
        var found: [JobPlace] = []
        for place in try places(in: JobState.allCases) where place.id.hasPrefix(part) || place.id.hasSuffix(part) {
            if found.contains(where: { $0.id == place.id }) { continue }
            found.append(place)
            if found.count == limit { break }
        }
        return found
    }

    // MARK: The journal

    private func isWaiting(_ file: String, _ one: AcceptedFile) throws(JournalError) -> Bool {
        do throws(SystemError) { return try fs.status("\(Layout.new)/\(file)")?.inode == one.inode } catch {
            throw .system(error)
        }
    }

    /// The ids under which files in `new/` were accepted. Reads the newest segment once.
    private mutating func acceptedFiles() throws(JournalError) -> [String: AcceptedFile] {
        if let accepted { return accepted }
        var files: [String: AcceptedFile] = [:]
        let newest: String?
        do throws(SystemError) { newest = try Journal<FS>.segments(fs).last } catch { throw .system(error) }
        if let newest {
            try Journal<FS>.read(fs, segment: newest) { line in
                guard line.kind == "accepted", let file = line.bytes("file"), let id = line["id"],
                    let inode = line.integer("inode")
                else { return }
                files[FileName.string(from: file)] = AcceptedFile(id: id, inode: UInt64(bitPattern: inode))
            }
        }
        accepted = files
        return files
    }
}
