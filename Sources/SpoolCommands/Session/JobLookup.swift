import Linux
import Store

// The job that a person means by a word, wherever a command takes an ID. The first of these forms that fits counts:
//
// 1. a whole id, which is looked up without listing a directory;
// 2. `@`, `@2`: the caller's newest job, the one before it;
// 3. the name of a task or job: its newest job. A name comes before a part of an id that reads the same, because people choose names;
// 4. the name of a file in new/ that has no id yet;
// 5. four or more characters of the beginning or end of one job's id.
//
// A word that fits several jobs by 2 or 3 means the newest, and standard error says which. A part of several ids is refused.

extension Session {
    /// Reads the tree or the journal; an error ends the command.
    func reading<Value>(_ body: () throws(JournalError) -> Value) throws(Failure) -> Value {
        do throws(JournalError) { return try body() } catch { throw Failure(error) }
    }

    /// The job that a word means; a word without a job ends the command.
    ///
    /// - Parameter preferred: the states that the command acts on. A name means the newest job in one of these, if it has any.
    func job(
        _ word: String, _ records: inout JobRecords<DiskFileSystem>, preferring preferred: [JobState] = JobState.allCases
    ) throws(Failure) -> JobRecord {
        if let meant = try findJob(word, &records, preferring: preferred) { return say(meant) }
        let fs = records.fs
        let tasks = try attempt { () throws(SystemError) in try Spool(fs, host: "").taskFiles() }.keys
        if tasks.contains(word) { throw .notFound("task \"\(word)\" has no job in \(spoolPath); spoolctl run \(word) submits one") }
        throw .notFound("there is no job \"\(word)\" in \(spoolPath)".suggesting(word, among: word.utf8.count > 3 ? Array(tasks) : []))
    }

    /// The same; nil when the word means no job. The caller passes the result to ``say(_:)``.
    func findJob(
        _ word: String, _ records: inout JobRecords<DiskFileSystem>, preferring preferred: [JobState] = JobState.allCases
    ) throws(Failure) -> MeantJob? {
        if JobID(word) != nil, let record = try reading({ () throws(JournalError) in try records.record(of: word) }) {
            return MeantJob(record: record)
        }
        if word.utf8.first == UInt8(ascii: "@") { return try newestOfCaller(word, &records) }
        if Name.isValid(word) {
            if preferred.count < JobState.allCases.count, let meant = try newest(named: word, in: preferred, &records) { return meant }
            if let meant = try newest(named: word, in: JobState.allCases, &records) { return meant }
        }
        let ofFile = try reading { () throws(JournalError) in try records.record(of: word) }
        if let ofFile { return MeantJob(record: ofFile) }
        if let meant = try jobByPart(word, &records) { return meant }
        // A dropped file that was taken up while it was looked for has an id now.
        return Name.isValid(word) ? try newest(named: word, in: JobState.allCases, &records) : nil
    }

    /// The name for `after`: a task's name, or the whole id of the job that the word means.
    func waitable(_ word: String) throws(Failure) -> String {
        let tasks = try TaskCatalog(self, withSchedules: false).names()
        if tasks.contains(word) { return word }
        var records = try records()
        guard let found = try findJob(word, &records) else { throw .notFound("there is no job or task \"\(word)\" in \(spoolPath)") }
        return say(found).place.id
    }

    /// Says on standard error which job was chosen, if there were several. Returns the job.
    func say(_ meant: MeantJob) -> JobRecord {
        let record = meant.record
        if let remark = meant.remark, !isQuiet {
            let state = record.place.state.isTerminal ? record.status.brief : record.place.state.word
            complain("\(remark) \(qualified(record.place.id)) (\(state))")
        }
        return record
    }

    /// The record of a job at the place where it was listed or, when the job has moved since, where it is now.
    func record(at place: JobPlace, _ records: inout JobRecords<DiskFileSystem>) throws(Failure) -> JobRecord? {
        try reading { () throws(JournalError) in
            if let record = try records.record(at: place) { return record }
            return try records.record(of: place.id)
        }
    }

    func records() throws(Failure) -> JobRecords<DiskFileSystem> {
        JobRecords(try openSpool(), contextInAnyCase())
    }

    // MARK: The forms of a word

    /// The newest job of a name, or run of the task of that name. Jobs of other names are read only when they are newer than the newest
    /// job of the name, and may be runs of the task.
    private func newest(
        named name: String, in states: [JobState], _ records: inout JobRecords<DiskFileSystem>
    ) throws(Failure) -> MeantJob? {
        let fs = records.fs
        let isTask = try attempt { () throws(SystemError) in
            try !Spool(fs, host: "").taskFiles(named: name).isEmpty
        }
        var needles = StatusNeedles()
        needles.add(anyOf: [name])
        var found: JobRecord?
        var count = 0
        var previous: String?
        let places = try places(in: states, &records)
        var glances = StatusGlances(needles.mayBe)
        for (index, place) in places.enumerated() where place.id != previous {
            previous = place.id
            if place.isNamed(name) {
                count += 1
                if found == nil { found = try record(at: place, &records) }
            } else if found == nil, isTask, glances.mayBe(index, of: places, records.fs), let record = try record(at: place, &records),
                record.status.task == name
            {
                count += 1
                found = record
            }
        }
        return found.map { MeantJob(record: $0, remark: count > 1 ? "\"\(name)\" means the newest of \(count) jobs:" : nil) }
    }

    /// The newest job that the caller made by hand, or with `@2` the one before it: neither a schedule nor another job's end made it.
    private func newestOfCaller(_ word: String, _ records: inout JobRecords<DiskFileSystem>) throws(Failure) -> MeantJob? {
        let digits = word.dropFirst()
        guard let wanted = digits.isEmpty ? 1 : Int(digits), (1...9999).contains(wanted) else {
            throw .invalid("\"\(word)\" is not a job: @ is your newest job, @2 the one before it")
        }
        var found: JobRecord?
        var count = 0
        var previous: String?
        let places = try places(in: JobState.allCases, &records)
        var glances = StatusGlances(ScheduledGlance.mayBeMadeByHand)
        for (index, place) in places.enumerated() where place.id != previous {
            previous = place.id
            guard glances.mayBe(index, of: places, records.fs), let record = try record(at: place, &records),
                record.status.isMadeByHand
            else { continue }
            count += 1
            if count == wanted { found = record }
            if count > wanted { break }
        }
        guard let found else {
            let what = count == 0 ? "no job here was" : count == 1 ? "only 1 job here was" : "only \(count) jobs here were"
            throw .notFound("\(word): \(what) submitted by hand; the name of a task means its newest run")
        }
        return MeantJob(record: found, remark: count > 1 ? "\"\(word)\" means" : nil)
    }

    /// The only job whose id begins or ends with a text.
    private func jobByPart(_ part: String, _ records: inout JobRecords<DiskFileSystem>) throws(Failure) -> MeantJob? {
        // Fewer characters would fit too many jobs.
        guard part.utf8.count >= 4 else { return nil }
        let shownMax = 10
        let matches = try reading { () throws(JournalError) in try records.matches(part, limit: shownMax + 1) }
        guard matches.count > 1 else {
            guard let match = matches.first, let record = try record(at: match, &records) else { return nil }
            return MeantJob(record: record)
        }
        var lines = ["\"\(part)\" is part of several ids; give more of one, or the whole:"]
        lines += matches.prefix(shownMax).map { "  \($0.id)  \($0.state.rawValue)" }
        if matches.count > shownMax { lines.append("  and more; spoolctl jobs lists them") }
        throw Failure(ExitCode.notFound, lines)
    }

    private func places(
        in states: [JobState], _ records: inout JobRecords<DiskFileSystem>
    ) throws(Failure) -> [JobPlace] {
        try reading { () throws(JournalError) in try records.places(in: states) }
    }
}

/// The job that a word means.
struct MeantJob {
    var record: JobRecord
    /// The beginning of a sentence about the choice; nil when there was none.
    var remark: String?
}

extension JobPlace {
    /// True for a job of this name. A waiting file that has no id yet has the name of the file.
    fileprivate func isNamed(_ name: String) -> Bool {
        // 20261121T020000.000Z-NAME-k3f9ab, compared before anything is parsed: there may be very many places.
        let bytes = id.utf8
        if bytes.count > 22 + name.utf8.count, bytes.dropFirst(21).starts(with: name.utf8) { return JobID(id)?.name == name }
        return isFile && state == .new && (id == name || id == "\(name).toml" || id == "\(name).json")
    }
}

extension JobStatus {
    /// True when a person or program submitted, dropped or retried the job.
    fileprivate var isMadeByHand: Bool { (schedule == nil && !isFollowUp) || retryOf != nil }

    /// True when the start, the end or the absence of another job made the job.
    var isFollowUp: Bool { parent != nil || overdueTask != nil }
}

extension JobState {
    /// The state as tables and sentences name it: jobs in new/ are waiting.
    var word: String { self == .new ? "waiting" : rawValue }
}

/// Tells most scheduled runs by the text of their status, without decoding the JSON.
private enum ScheduledGlance {
    private static let schedule = Array("\"schedule\":\"".utf8)
    private static let noSchedule = Array("\"schedule\":null".utf8)
    private static let noOriginal = Array("\"retry_of\":null".utf8)

    /// Returns false only for a run of a schedule. A payload may contain the same texts, and then the JSON is decoded.
    static func mayBeMadeByHand(_ status: UnsafeRawBufferPointer) -> Bool {
        !(status.holds(schedule) && !status.holds(noSchedule) && status.holds(noOriginal))
    }
}
