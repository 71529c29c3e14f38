// Reports of a run about itself, in files in its directory.
//
// - `progress` is replaced by rename as often as the run wants, `result` is whatever the run leaves, and `extend` moves the
//   timeout (WorkerProtocol). None of them needs the daemon, and none is in the journal: the files are the truth, and each
//   `status.json` includes their content when it is written.
// - They belong to one try: before the next try, `result` becomes `result.N` like the output, and the others are removed. A
//   record that is run again keeps these files, and its tries continue the numbers.
// - Their writers may write anything. The files are read once, without following links, up to a limit.

import Glibc
import WorkerProtocol

extension FileSystem {
    /// The progress that the run in a job's directory reports. Nil when there is no report, or an unreadable one.
    public func progress(in directory: String) throws(SystemError) -> Progress? {
        guard case .file(let status, let bytes) = try take("\(directory)/\(Layout.progressFile)", limit: 16 << 10, ignoringWriters: true),
            // Not JSON, so its meaning is unknown.
            let table = JSON.readableTable(bytes)
        else { return nil }
        var progress = Progress(json: table)
        if table["at"] == nil { progress?.at = Instant(milliseconds: status.modifiedNanoseconds / 1_000_000) }
        return progress
    }

    /// The result of the run in a job's directory, as JSON on one line: the result itself when it is JSON of at most 64 KiB,
    /// otherwise its file name and length. Nil when there is none.
    public func result(in directory: String) throws(SystemError) -> [UInt8]? {
        let size: Int64
        switch try take("\(directory)/\(Layout.resultFile)", limit: 64 << 10, ignoringWriters: true) {
        case .file(let status, let bytes):
            // A status is read with the same limits, and the result is one level deeper in it.
            let limits = Limits(depth: Limits.standard.depth - 1)
            // A result that is not JSON is given by its name and length only.
            if (try? JSON.parse(bytes, limits: limits)) != nil { return JSON.compact(bytes) }
            size = status.size
        case .tooLarge(let status): size = status.size
        case .missing, .busy, .other, .foreign, .refused: return nil
        }
        var writer = JSONWriter(reserving: 64)
        writer.beginObject()
        writer.member("file", Layout.resultFile)
        writer.member("bytes", Int(size))
        writer.endObject()
        return writer.bytes
    }

    /// Moves the timeout of the run in a job's directory. Returns the sum of all extensions in milliseconds.
    public func extend(_ directory: String, milliseconds: Int64) throws(SystemError) -> Int64 {
        let path = "\(directory)/\(Extension.fileName)"
        try openLog(path).append(Array(Extension.line(milliseconds: milliseconds).utf8))
        return try extended(directory)
    }

    /// The sum of all extensions of the timeout of the run in a job's directory, in milliseconds.
    public func extended(_ directory: String) throws(SystemError) -> Int64 {
        let path = "\(directory)/\(Extension.fileName)"
        guard case .file(_, let text) = try take(path, limit: Extension.bytesMax, ignoringWriters: true) else { return 0 }
        return Extension.milliseconds(text)
    }
}

extension Spool {
    /// The `status.json` of a job in this directory, including the reports of its last try.
    public func status(of job: Job, in directory: String) throws(SystemError) -> [UInt8] {
        var status = job.status(host: host)
        // A job that has not begun has no reports. The files in its directory belong to the job that it repeats.
        if job.attempt > 0 {
            // Files of another user in a waiting directory are not read: the directory now belongs to the spool's owner.
            if job.state == .new, job.definition.isForAnother { return status.json() }
            status.progress = try fs.progress(in: directory)
            if job.state != .running { status.result = try fs.result(in: directory) }
            if job.state != .running, job.reason?.isOfRun == true { status.errorTail = fs.errorTail(in: directory) }
        }
        return status.json()
    }

    /// Before each try, the output and the result of the previous try are renamed to `stdout.N` and so on, and its progress is
    /// removed. N continues the numbers of the jobs that this one repeats, whose output is in the directory. `status.json.N`
    /// contains the end of these jobs.
    func setAsideReports(of job: Job, in directory: String) throws(SystemError) {
        let last = job.runNumber - 1
        if last > 0 {
            for name in [Layout.outputFile, Layout.errorFile, Layout.resultFile] { try setAside(name, as: last, in: directory) }
        }
        if job.executor != nil, last > 0 {
            // A copy of the try before may still be on its way to some host. It must not begin beside this one.
            try makeStartMark(last, in: directory)
        }
        guard job.attempt > 1 || job.isDirectory else { return }
        // Don't write through files that another user may have created under the names of the output in a repeated record.
        let outputs = job.attempt == 1 ? [Layout.outputFile, Layout.errorFile] : []
        for name in [Layout.progressFile, Layout.resultFile, Extension.fileName] + outputs {
            // EISDIR: somebody's own directory, which is not a report.
            do throws(SystemError) { try fs.removeFile("\(directory)/\(name)") } catch {
                guard error.errno == ENOENT || error.errno == EISDIR else { throw error }
            }
        }
    }

    /// Keeps the status of the job that this one repeats beside the output of that job's last try.
    func setAsideStatus(of job: Job, in directory: String) throws(SystemError) {
        guard job.earlierTries > 0, job.attempt <= 1, let status = try fs.jobStatus(in: directory), status.id != job.id.text else { return }
        // A copy, so that readers find a status under its own name too.
        let path = "\(directory)/\(Layout.statusFile)"
        _ = try fs.keep(path, as: "\(path).\(job.earlierTries)")
    }

    private func setAside(_ name: String, as number: Int, in directory: String) throws(SystemError) {
        do throws(SystemError) { try fs.renameNoReplace("\(directory)/\(name)", to: "\(directory)/\(name).\(number)") } catch {
            // ENOENT: that try wrote none. EEXIST: this was done before a crash.
            guard error.errno == ENOENT || error.errno == EEXIST else { throw error }
        }
    }

    /// The number of the last try whose output is in a job's directory. It is at least `attempt`, and larger when this job has
    /// repeated others. 0 when there is no output.
    func lastTry(in directory: String, attempt: Int) throws(SystemError) -> Int {
        var last = 0
        var isUnnumbered = false
        for entry in try fs.list(directory) {
            for name in [Layout.outputFile, Layout.errorFile, Layout.resultFile] where entry.name.hasPrefix(name) {
                let rest = entry.name.dropFirst(name.count)
                if rest.isEmpty { isUnnumbered = true }
                // A name with more digits is not ours.
                if rest.first == ".", rest.count < 8, let number = Int(rest.dropFirst()) { last = max(last, number) }
            }
        }
        if isUnnumbered { last += 1 }
        // The marks of a run that an executor had keep their number, whether the run wrote anything or not.
        last = max(last, try lastMark(in: directory))
        return last == 0 ? 0 : max(last, min(attempt, 1_000_000))
    }

    /// The number of the last run of an executor that has left marks in a job's directory. 0 when none has.
    func lastMark(in directory: String) throws(SystemError) -> Int {
        var last = 0
        for entry in try fs.list(directory) {
            for name in [Layout.startMark, Layout.endMark] where entry.name.hasPrefix("\(name).") {
                let rest = entry.name.dropFirst(name.count + 1)
                if rest.count < 7, let number = Int(rest), number >= 0 { last = max(last, number) }
            }
        }
        return last
    }
}

extension Progress {
    /// Reads the form that `write(to:)` writes. Returns nil without a fraction from 0 to 1.
    public init?(json table: Table) {
        let fraction: Double
        switch table["fraction"]?.kind {
        case .number(let number)?: fraction = number.double
        case .integer(let number)?: fraction = Double(number)
        default: return nil
        }
        guard (0...1).contains(fraction) else { return nil }
        self.init(fraction: fraction, message: table.text("message"), at: table.instant("at") ?? Instant(milliseconds: 0))
    }
}
