import Store

extension Session {
    /// Carries out a reading of the tree or the journal.
    func reading<Value>(_ body: () throws(JournalError) -> Value) throws(Failure) -> Value {
        do throws(JournalError) { return try body() } catch { throw Failure(error) }
    }

    /// The job that a person means: an exact id, else the only id that begins or ends so.
    func job(_ text: String, _ records: inout JobRecords<DiskFileSystem>) throws(Failure) -> JobRecord {
        if let record = try reading({ () throws(JournalError) in try records.record(of: text) }) { return record }
        // Less would match too much, and every job's name must be read for it.
        if text.utf8.count >= 4 {
            let matches = try reading { () throws(JournalError) in try records.matches(text, limit: 4) }
            if matches.count > 1 {
                let names = matches.prefix(3).map(\.id).joined(separator: ", ") + (matches.count > 3 ? ", …" : "")
                throw .notFound("\"\(text)\" may mean several jobs: \(names)")
            }
            if let match = matches.first, let record = try record(at: match, &records) { return record }
        }
        throw .notFound("there is no job \"\(text)\" in \(spoolPath)")
    }

    /// The record of a job at the place where it was listed or, when the job has moved since, where it is now.
    func record(at place: JobPlace, _ records: inout JobRecords<DiskFileSystem>) throws(Failure) -> JobRecord? {
        try reading { () throws(JournalError) in
            if let record = try records.record(at: place) { return record }
            return try records.record(of: place.id)
        }
    }

    /// What `after` may name: a task, or the whole id of the job that a person means.
    func waitable(_ text: String) throws(Failure) -> String {
        let tasks = try TaskCatalog(self, withSchedules: false).names()
        if tasks.contains(text) { return text }
        var records = try records()
        let found: JobRecord
        do throws(Failure) { found = try job(text, &records) } catch {
            guard error.code == ExitCode.notFound, error.lines.allSatisfy({ $0.hasPrefix("there is no job") }) else { throw error }
            throw .notFound("there is no job or task \"\(text)\" in \(spoolPath)")
        }
        return found.place.id
    }

    func records() throws(Failure) -> JobRecords<DiskFileSystem> {
        JobRecords(try openSpool(), contextInAnyCase())
    }
}
