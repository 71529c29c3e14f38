import Store

extension Session {
    /// Reads the journal since an instant. Damage in it is reported on standard error.
    func history(task: String? = nil, job: String? = nil, since: Instant, _ fs: DiskFileSystem) throws(Failure) -> History {
        var history = History(task: task, job: job, ReadingContext(now: now, zones: zones, zone: try configuration().zone))
        var read = history
        let damage = try attempt { () throws(SystemError) in try Journal<DiskFileSystem>.scan(fs, since: since, into: &read) }
        history = read
        for one in damage { complain("\(one)") }
        return history
    }
}
