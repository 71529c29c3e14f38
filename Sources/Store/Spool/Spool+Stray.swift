// Directories of jobs that somebody has moved while they were in use: for example a running job's to new/, or a waiting job's to
// running/.
//
// Invariants:
// - Such a directory still belongs to its job. It is found by the id in its status.json and moved back to the job's place. Its
//   content is not changed, because the run may be writing to it.
// - Root's daemon takes only a directory that root owns or, for a job that runs as another user, that user: anybody can create one in
//   new/ with the status of any job.
// - If the job's own directory is in its place, another one with the same id is a copy, and these rules do not apply.

extension Spool {
    /// The id in a directory's status. Nil when there is none.
    func jobOfStray(_ path: String) throws(SystemError) -> JobID? { try fs.jobStatus(in: path).flatMap { JobID($0.id) } }

    /// True when the directory can be the job's, by its owner.
    func mayBelong(_ path: String, to job: Job) throws(SystemError) -> Bool {
        guard isRoots else { return true }
        guard let status = try fs.status(path) else { return false }
        return status.owner == 0 || job.definition.isForAnother && status.owner == owner(job.definition)?.user
    }

    /// True when the directory of a job that is running, or has run in this turn, is not in its place.
    func isStray(_ job: Job) throws(SystemError) -> Bool {
        guard places[job] == .directory(.running) else { return false }
        return try fs.status(Layout.directory(of: job.id, .running)) == nil
    }

    /// The place of a job's misplaced directory. A running job's may have any name in `new/`, so all entries there are examined.
    package func stray(of job: Job) throws(SystemError) -> String? {
        for state in JobState.allCases where places[job] != .directory(state) {
            let path = Layout.directory(of: job.id, state)
            if try fs.status(path)?.kind == .directory, try mayBelong(path, to: job), try jobOfStray(path) == job.id { return path }
        }
        guard places[job] == .directory(.running) else { return nil }
        for entry in try fs.list(Layout.new) where entry.kind == .directory && !Name.isUnfinished(entry.name) {
            let path = "\(Layout.new)/\(entry.name)"
            if try mayBelong(path, to: job), try jobOfStray(path) == job.id { return path }
        }
        return nil
    }

    /// Moves a job's misplaced directory back to its place, unchanged. Returns a sentence about it for the log. Returns nil when
    /// the directory has disappeared, or when something else is in its place.
    package func putBack(_ job: Job, from path: String) throws(SystemError) -> String? {
        guard case .directory(let state) = places[job] else { return nil }
        do throws(SystemError) { try fs.renameNoReplace(path, to: Layout.directory(of: job.id, state)) } catch {
            guard error.isOfOnePath else { throw error }
            return nil
        }
        let what = state == .running ? "it runs, and goes on" : "it waits"
        return "somebody moved its directory to \(path); it was put back into \(state.rawValue)/, for \(what)"
    }
}
