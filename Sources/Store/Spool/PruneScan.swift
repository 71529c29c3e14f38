import Glibc

/// One walk over all records in done/ and failed/, some at a time, that puts those aside whose time is up.
public final class PruneScan {
    private var names: [(state: JobState, name: String)] = []

    public init(_ fs: some FileSystem) throws(SystemError) {
        for state in [JobState.done, .failed] {
            names += try fs.list(Layout.directory(state)).map { (state, $0.name) }
        }
    }

    public var isFinished: Bool { names.isEmpty }

    /// Looks at up to `count` records and returns the ids of those it put aside, and those that could not be. `keep`: the stay, in
    /// milliseconds, of records that do not say. `stays`: told of each that stays, and until when. `remove`: told of what is to be removed,
    /// which nobody sees any more.
    public func step(
        _ count: Int, _ fs: some FileSystem, keep: Int64, at now: Instant, stays: (JobID, JobState, Instant) -> Void = { _, _, _ in },
        remove: (String) -> Void
    ) throws(SystemError) -> (removed: [String], failed: [(id: String, error: SystemError)]) {
        var removed: [String] = []
        var failed: [(id: String, error: SystemError)] = []
        for _ in 0..<count {
            guard let (state, name) = names.popLast() else { break }
            let directory = "\(Layout.directory(state))/\(name)"
            do throws(SystemError) {
                // A daemon that ended meanwhile had begun to make or to remove it.
                if Layout.isAside(name) { remove(directory) }
                guard let id = JobID(name), let ends = try Self.stayEnds(directory, fs, keep: keep) else { continue }
                guard ends <= now else {
                    stays(id, state, ends)
                    continue
                }
                if let aside = try fs.setAside(recordOf: id, state) { remove(aside) }
                removed.append(name)
            } catch {
                guard error.isOfOnePath else { throw error }
                failed.append((name, error))
            }
        }
        return (removed, failed)
    }

    /// When the record's stay ends; nil when its status cannot be read, which keeps it.
    public static func stayEnds(_ directory: String, _ fs: some FileSystem, keep: Int64) throws(SystemError) -> Instant? {
        guard case .file(_, let bytes) = try fs.take("\(directory)/\(Layout.statusFile)", limit: Source.bytesMax),
            // Not readable as JSON: nothing says how long it should stay.
            case .table(let status)? = (try? JSON.parse(bytes, limits: .status))?.kind,
            var endedAt = status.instant("ended_at")
        else { return nil }
        // It was canceled some time after its last try.
        endedAt = max(endedAt, status.instant("changed_at") ?? endedAt)
        if case .integer(let own)? = status["keep_ms"]?.kind { return endedAt.advanced(byMilliseconds: own) }
        return endedAt.advanced(byMilliseconds: keep)
    }
}

extension FileSystem {
    /// Removes a directory and all in it; one that is gone already is as good.
    public func removeTreeIfThere(_ path: String) throws(SystemError) {
        do throws(SystemError) { try removeTree(path) } catch {
            if error.errno != SystemError.noSuchFile { throw error }
        }
    }

    /// Removes a job's directory, out of sight by one rename first, so that nobody meets half a record; one that is gone already is as
    /// good.
    public func removeRecord(of id: JobID, _ state: JobState) throws(SystemError) {
        if let aside = try setAside(recordOf: id, state) { try removeTree(aside) }
    }

    /// Puts a job's directory out of sight and returns where it is then, to be removed; nil: it is gone already.
    public func setAside(recordOf id: JobID, _ state: JobState) throws(SystemError) -> String? {
        let aside = Layout.aside(of: id, state)
        do throws(SystemError) { try rename(Layout.directory(of: id, state), to: aside) } catch {
            if error.errno == ENOENT { return nil }
            guard error.isNotEmpty else { throw error }
            // An earlier removal failed halfway.
            try removeTree(aside)
            try rename(Layout.directory(of: id, state), to: aside)
        }
        return aside
    }
}

extension Spool {
    /// Keeps the latest `count` records of a task and puts the older ones aside; `remove` is told of each. The records are listed once a
    /// task, then kept in mind.
    public func keepLatest(
        _ count: Int, of task: String, adding latest: (id: JobID, state: JobState), remove: (String) -> Void
    ) throws(SystemError) {
        var records: [(id: JobID, state: JobState)]
        if let known = recordsOfTask[task] {
            records = known.filter { $0.id != latest.id } + [latest]
        } else {
            records = []
            for state in [JobState.done, .failed] {
                for entry in try fs.list(Layout.directory(state)) {
                    guard let id = JobID(entry.name), id.name == task, id != latest.id, try isRun(id, state, of: task)
                    else { continue }
                    records.append((id, state))
                }
            }
            records.sort { $0.id < $1.id }
            records.append(latest)
        }
        if records.count > count {
            // Records that somebody has removed or moved do not count.
            var present: [(id: JobID, state: JobState)] = []
            for record in records where try fs.status(Layout.directory(of: record.id, record.state)) != nil { present.append(record) }
            records = present
        }
        while records.count > count {
            let oldest = records.removeFirst()
            if let aside = try fs.setAside(recordOf: oldest.id, oldest.state) { remove(aside) }
        }
        recordsOfTask[task] = records
    }

    /// Whether a record is one of the task's runs, and not only called like it.
    private func isRun(_ id: JobID, _ state: JobState, of task: String) throws(SystemError) -> Bool {
        let path = "\(Layout.directory(of: id, state))/\(Layout.statusFile)"
        guard case .file(_, let bytes) = try fs.take(path, limit: Source.bytesMax, ignoringWriters: true),
            // Not readable as JSON: nobody knows whose it is, so it stays.
            case .table(let status)? = (try? JSON.parse(bytes, limits: .status))?.kind, case .string(let owner)? = status["task"]?.kind
        else { return false }
        return owner == task
    }
}
