// Directories of jobs that somebody has moved while they were in use: a running job's into new/, say, or a waiting one's into running/.
//
// What holds:
// - Such a directory is the job's still: it is found by the id in its status.json and goes back to where the job belongs. Nothing in it
//   changes, for the run may be writing there.
// - Where the job's own directory stands in its place, another one with that id is a copy, and none of this.

extension Spool {
    /// The id that a directory's status has; nil when it has none.
    func jobOfStray(_ path: String) throws(SystemError) -> JobID? { try fs.jobStatus(in: path).flatMap { JobID($0.id) } }

    /// Whether the directory of a job that runs, or has run in this turn, is not where it belongs.
    func isStray(_ job: Job) throws(SystemError) -> Bool {
        guard job.place == .directory(.running) else { return false }
        return try fs.status(Layout.directory(of: job.id, .running)) == nil
    }

    /// Where the directory of a job is that is not in its place. A running job's may have any name in `new/`; then all of what stands there
    /// is looked at.
    package func stray(of job: Job) throws(SystemError) -> String? {
        for state in JobState.allCases where job.place != .directory(state) {
            let path = Layout.directory(of: job.id, state)
            if try fs.status(path)?.kind == .directory, try jobOfStray(path) == job.id { return path }
        }
        guard job.place == .directory(.running) else { return nil }
        for entry in try fs.list(Layout.new) where entry.kind == .directory && !Name.isUnfinished(entry.name) {
            let path = "\(Layout.new)/\(entry.name)"
            if try jobOfStray(path) == job.id { return path }
        }
        return nil
    }

    /// Moves a job's directory from where somebody has moved it back to its place, as it is. Returns what is to be said of it; nil: it is
    /// not there any more, or something else is in its place.
    package func putBack(_ job: Job, from path: String) throws(SystemError) -> String? {
        guard case .directory(let state) = job.place else { return nil }
        do throws(SystemError) { try fs.renameNoReplace(path, to: Layout.directory(of: job.id, state)) } catch {
            guard error.isOfOnePath else { throw error }
            return nil
        }
        let what = state == .running ? "it runs, and goes on" : "it waits"
        return "somebody moved its directory to \(path); it was put back into \(state.rawValue)/, for \(what)"
    }
}
