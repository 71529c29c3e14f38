import Store

extension Session {
    /// Reads the journal since an instant. Damage in it is reported on standard error.
    func history(task: String? = nil, job: String? = nil, since: Instant, _ fs: DiskFileSystem) throws(Failure) -> History {
        let configuration = try configuration()
        let context = ReadingContext(now: now, zones: zones, zone: configuration.zone, calendars: configuration.calendars)
        var history = History(task: task, job: job, context)
        var read = history
        let damage = try attempt { () throws(SystemError) in try Journal<DiskFileSystem>.scan(fs, since: since, into: &read) }
        history = read
        for one in damage { complain("\(one)") }
        return history
    }
}
