import Glibc

/// Walks once over all records in done/ and failed/, some at a time, and puts aside those whose time is up.
public final class PruneScan {
    private var names: [(state: JobState, name: String)] = []

    public init(_ fs: some FileSystem) throws(SystemError) {
        for state in [JobState.done, .failed] {
            names += try fs.list(Layout.directory(state)).map { (state, $0.name) }
        }
    }

    public var isFinished: Bool { names.isEmpty }

    /// Examines up to `count` records. Returns the ids of those that it put aside, and those that it failed to put aside. `keep`
    /// is the time in milliseconds for which a record stays that has no time of its own. `stays` is called with each record that
    /// stays and the end of its stay. `remove` is called with each directory to remove, which is hidden already.
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
                // An earlier daemon ended while it was creating or removing this directory.
                if Layout.isAside(name) { remove(directory) }
                guard let id = JobID(name), let ends = try Self.stayEnds(of: id, state, fs, keep: keep, at: now) else { continue }
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

    /// The end of the record's stay. Nil when its status cannot be read, and the record then stays.
    public static func stayEnds(
        of id: JobID, _ state: JobState, _ fs: some FileSystem, keep: Int64, at now: Instant
    ) throws(SystemError) -> Instant? {
        guard case .file(_, let bytes) = try fs.take("\(Layout.directory(of: id, state))/\(Layout.statusFile)", limit: Source.bytesMax),
            // Not readable as JSON: the length of its stay is unknown.
            let status = JSON.readableTable(bytes, limits: .status),
            let endedAt = status.instant("ended_at")
        else { return nil }
        // It was canceled some time after its last try.
        let begins = stayBegins(max(endedAt, status.instant("changed_at") ?? endedAt), of: id, at: now)
        if case .integer(let own)? = status["keep_ms"]?.kind { return begins.advanced(byMilliseconds: own) }
        return begins.advanced(byMilliseconds: keep)
    }

    /// The beginning of the stay of a job's record: its end. If a wrong clock gave an end before the instant in the job's id, the stay
    /// begins at that instant, unless it is ahead by more than a clock is set back.
    public static func stayBegins(_ end: Instant, of id: JobID, at now: Instant) -> Instant {
        guard let instant = id.instant, instant <= now.advanced(byMilliseconds: Scheduler.clockErrorMilliseconds) else { return end }
        return max(end, instant)
    }
}

extension FileSystem {
    /// Removes a directory and its content. A directory that is gone already is accepted.
    public func removeTreeIfThere(_ path: String) throws(SystemError) {
        do throws(SystemError) { try removeTree(path) } catch {
            if error.errno != SystemError.noSuchFile { throw error }
        }
    }

    /// Hides a job's directory by one rename and then removes it, so that nobody finds a partial record. A directory that is gone
    /// already is accepted.
    public func removeRecord(of id: JobID, _ state: JobState) throws(SystemError) {
        if let aside = try setAside(recordOf: id, state) { try removeTree(aside) }
    }

    /// Hides a job's directory and returns its new path, for the removal. Returns nil when it is gone already.
    public func setAside(recordOf id: JobID, _ state: JobState) throws(SystemError) -> String? {
        let aside = Layout.aside(of: id, state)
        do throws(SystemError) { try rename(Layout.directory(of: id, state), to: aside) } catch {
            if error.errno == ENOENT { return nil }
            guard error.isNotEmpty else { throw error }
            // An earlier removal has failed halfway.
            try removeTree(aside)
            try rename(Layout.directory(of: id, state), to: aside)
        }
        return aside
    }
}
