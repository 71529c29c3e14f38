import Store

extension Session {
    /// Reads the tree or the journal; an error ends the command.
    func reading<Value>(_ body: () throws(JournalError) -> Value) throws(Failure) -> Value {
        do throws(JournalError) { return try body() } catch { throw Failure(error) }
    }

    /// Finds a job by its id, or by the beginning or end of an id that only one job has.
    func job(_ text: String, _ records: inout JobRecords<DiskFileSystem>) throws(Failure) -> JobRecord {
        if let record = try reading({ () throws(JournalError) in try records.record(of: text) }) { return record }
        // Fewer characters would match too many jobs, after reading the name of every job.
        if text.utf8.count >= 4 {
            let matches = try reading { () throws(JournalError) in try records.matches(text, limit: 4) }
            if matches.count > 1 {
                let names = matches.prefix(3).map(\.id).joined(separator: ", ") + (matches.count > 3 ? ", …" : "")
                throw .notFound("\"\(text)\" matches several jobs: \(names)")
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

    /// The name for `after`: a task's name, or the whole id of the job that the text matches.
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
