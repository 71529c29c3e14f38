// Finds jobs without the daemon, by reading the tree.
//
// - Nothing is kept between two questions: the tree is the truth, and it changes. A job moves from new to running and then to
//   done or failed, so a search in that order cannot miss a moving job. Only a job between two tries moves back, and a second
//   search finds it.
// - A question about one id looks up names and never lists a directory, however many records there are.

import Glibc

/// The place of a job.
public struct JobPlace: Sendable, Hashable {
    public var id: String
    public var state: JobState
    /// The job waits as the dropped file.
    public var isFile: Bool
    /// The path, if it is not the directory of the job's id. Such places are rare, and there may be very many places.
    private var otherPath: String?

    /// The job's directory, or the file that waits in `new/`.
    public var path: String { otherPath ?? "\(state.rawValue)/\(id)" }

    public init(id: String, state: JobState, path: String, isFile: Bool) {
        self.id = id
        self.state = state
        self.isFile = isFile
        if path != "\(state.rawValue)/\(id)" { otherPath = path }
    }

    /// A job in its directory.
    init(id: String, state: JobState) {
        self.id = id
        self.state = state
        isFile = false
    }
}

/// A job, its known facts, and their JSON.
public struct JobRecord: Sendable {
    public var place: JobPlace
    public var status: JobStatus
    public var json: [UInt8]
    /// True when the status exists and is readable. Otherwise only the place is known.
    public var isComplete = true
}

/// Reads jobs from the tree.
public struct JobRecords<FS: FileSystem> {
    public let fs: FS
    let context: ReadingContext
    /// The reader for records of ended jobs. Nil until it is first needed.
    private var reader: RecordReader??
    private var accepted: AcceptedFiles<FS>

    public init(_ fs: FS, _ context: ReadingContext) {
        self.fs = fs
        self.context = context
        accepted = AcceptedFiles(fs)
    }

    // MARK: One job

    /// The place of the job with that id. Nil when there is none.
    public mutating func place(of id: String) throws(JournalError) -> JobPlace? {
        // An id becomes part of paths, so nothing but an id is accepted.
        guard Name.isValid(id.prefix(Name.lengthMax)), id.utf8.allSatisfy({ $0 != UInt8(ascii: "/") }) else { return nil }
        for _ in 0..<2 {
            guard var place = try quickPlace(of: id) else { continue }
            // The name of a file also finds its job, which may have an id by now.
            if place.isFile, JobID(id) == nil {
                place.id = try self.id(ofWaiting: String(place.path.dropFirst(Layout.new.utf8.count + 1)))
            }
            return place
        }
        // The job waits under a name that is not its id.
        if let file = try accepted.file(of: id) { return JobPlace(id: id, state: .new, path: "\(Layout.new)/\(file)", isFile: true) }
        // Files may have moved since the journal was read.
        return try quickPlace(of: id)
    }

    private func quickPlace(of id: String) throws(JournalError) -> JobPlace? {
        do throws(SystemError) {
            var waiting: JobPlace?
            for file in Layout.waitingNames(of: id) {
                let found: FileStatus?
                do throws(SystemError) { found = try fs.status("\(Layout.new)/\(file)") } catch {
                    // In root's spool, a job that runs as another user and asks about itself may not read this directory.
                    guard error.errno == EACCES else { throw error }
                    break
                }
                guard let status = found else { continue }
                waiting = JobPlace(id: id, state: .new, path: "\(Layout.new)/\(file)", isFile: status.kind != .directory)
                break
            }
            for state in JobState.afterNew {
                let path = "\(state.rawValue)/\(id)"
                guard let status = try fs.status(path), status.kind == .directory else { continue }
                // A directory without a status exists for a moment, before the file is moved into it.
                if try fs.status("\(path)/\(Layout.statusFile)") != nil || waiting == nil {
                    return JobPlace(id: id, state: state, path: path, isFile: false)
                }
            }
            return waiting
        } catch {
            throw .system(error)
        }
    }

    /// The known facts of the job at `place`. Nil when it has moved in the meantime.
    public mutating func record(at place: JobPlace) throws(JournalError) -> JobRecord? {
        if place.state.isTerminal, let record = quickRecord(at: place) { return record }
        do throws(SystemError) {
            if place.isFile { return try waitingRecord(at: place) }
            switch try fs.take("\(place.path)/\(Layout.statusFile)", limit: Source.bytesMax, ignoringWriters: true) {
            case .file(_, let bytes):
                // Not readable: being written, or damaged. Then only the place is known.
                guard let table = JSON.readableTable(bytes, limits: .status), var status = JobStatus(json: table) else {
                    return bareRecord(at: place)
                }
                // A retry that no daemon has taken up yet has the status of the job that it repeats.
                if status.id != place.id, place.state == .new { return bareRecord(at: place) }
                // Between the new status and the move, the status is ahead of the place, and correct.
                if status.id != place.id { status.id = place.id }
                // A run reports its progress in a file beside its status, which is only written when the run begins and ends.
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

    /// Reads an ended job whose record belongs to this user. Returns nil when it must be read with more checks.
    private mutating func quickRecord(at place: JobPlace) -> JobRecord? {
        let record = recordReader()?.withStatus(at: place) { status, isOwn -> JobRecord? in
            guard isOwn else { return nil }
            let bytes = Array(status)
            // Not readable: the careful reading finds and reports the error again.
            guard let table = JSON.readableTable(bytes, limits: .status), let status = JobStatus(json: table),
                status.id == place.id
            else { return nil }
            return JobRecord(place: place, status: status, json: bytes)
        }
        return record ?? nil
    }

    /// The job with that id. Nil when there is none.
    public mutating func record(of id: String) throws(JournalError) -> JobRecord? {
        // A job moves a few times at most. One that moves more often than this is not worth waiting for.
        for _ in 0..<8 {
            guard let place = try place(of: id) else { return nil }
            if let record = try record(at: place) { return record }
        }
        return nil
    }

    // MARK: Many jobs

    /// The places of all jobs in these states, newest id first. Reads only names.
    public mutating func places(in states: [JobState]) throws(JournalError) -> [JobPlace] {
        var places: [JobPlace] = []
        for state in states { try eachPlace(in: state) { places.append($0) } }
        places.sort { $0.id > $1.id }
        return places
    }

    /// The number of jobs in these states whose ids are meant. Reads only names, and keeps those of one directory at a time.
    public mutating func count(in states: [JobState], _ isMeant: (String) -> Bool) throws(JournalError) -> Int {
        var count = 0
        // A job that ends meanwhile is listed twice. There are few jobs that can.
        var seen: Set<String> = []
        for state in states {
            try eachPlace(in: state) { place in
                guard isMeant(place.id), !seen.contains(place.id) else { return }
                count += 1
                if !state.isTerminal { seen.insert(place.id) }
            }
        }
        return count
    }

    private mutating func eachPlace(in state: JobState, _ body: (JobPlace) -> Void) throws(JournalError) {
        let entries: [DirectoryEntry]
        do throws(SystemError) { entries = try fs.list(state.rawValue) } catch { throw .system(error) }
        for entry in entries where !Name.isUnfinished(entry.name) {
            do throws(SystemError) {
                if try fs.isStranger(entry.name, in: state.rawValue, isDirectory: entry.kind == .directory) { continue }
            } catch {
                throw .system(error)
            }
            if entry.kind == .directory {
                body(JobPlace(id: entry.name, state: state))
            } else if state == .new {
                let path = "\(Layout.new)/\(entry.name)"
                body(JobPlace(id: try id(ofWaiting: entry.name), state: .new, path: path, isFile: true))
            }
        }
    }

    private mutating func id(ofWaiting file: String) throws(JournalError) -> String {
        let stem = Layout.stem(of: file)
        if JobID(stem) != nil { return stem }
        // Not taken up yet: the file's name is its only name.
        return try accepted.id(of: file) ?? file
    }

    /// Ids that begin or end with `part`, at most `limit`, for a person who types only part of an id.
    public mutating func matches(_ part: String, limit: Int) throws(JournalError) -> [JobPlace] {
        var found: [JobPlace] = []
        for place in try places(in: JobState.allCases) where place.id.hasPrefix(part) || place.id.hasSuffix(part) {
            if found.contains(where: { $0.id == place.id }) { continue }
            found.append(place)
            if found.count == limit { break }
        }
        return found
    }
}
