import Linux
import Store

extension Session {
    /// Everything that can hold any waiting job of the spool: the daemon, pauses, slots, and the running jobs.
    func surroundings(_ fs: DiskFileSystem, _ records: inout JobRecords<DiskFileSystem>) throws(Failure) -> WaitingSurroundings {
        let daemon = try DaemonState(self, fs)
        var surroundings = WaitingSurroundings()
        surroundings.daemonGoneSince = daemon.down?.from
        surroundings.take(try configuration())
        if daemon.down == nil, let published = daemon.published { surroundings.take(published: published) }
        surroundings.pauses = try Pauses.read(fs)
        let places = try reading { () throws(JournalError) in try records.places(in: [.running]) }
        for place in places {
            if let record = try reading({ () throws(JournalError) in try records.record(at: place) }) {
                surroundings.running.append(record.status)
            }
        }
        return surroundings
    }
}
