// What a run says of itself, by files in its directory.
//
// - `progress` is replaced by rename as often as the run likes, `result` is whatever it leaves; the timeout is moved by `extend`
//   (WorkerProtocol). None of them needs the daemon, and nothing of them is journaled: the files are the truth, and
//   each `status.json` takes in what they say when it is written.
// - They belong to one try: before the next, `result` becomes `result.N` as the output does, the others go. A record that is run again
//   keeps these files: its tries go on counting.
// - Whoever writes them may write anything. They are read once, without following links, up to a limit.

import Glibc
import WorkerProtocol

extension FileSystem {
    /// How far the run in a job's directory says it has come; nil when it has not said so, or nothing that can be read.
    public func progress(in directory: String) throws(SystemError) -> Progress? {
        guard case .file(_, let bytes) = try take("\(directory)/\(Layout.progressFile)", limit: 16 << 10, ignoringWriters: true),
            // No JSON: nobody knows what it says.
            case .table(let table)? = (try? JSON.parse(bytes))?.kind
        else { return nil }
        return Progress(json: table)
    }

    /// The result that the run in a job's directory has left, as JSON on one line: itself when it is JSON of at most 64 KiB, else
    /// the name of its file and its length; nil when there is none.
    public func result(in directory: String) throws(SystemError) -> [UInt8]? {
        let size: Int64
        switch try take("\(directory)/\(Layout.resultFile)", limit: 64 << 10, ignoringWriters: true) {
        case .file(let status, let bytes):
            // A status is read with the same limits, and the result stands one level deeper in it.
            let limits = Limits(depth: Limits.standard.depth - 1)
            // No JSON: then it is only spoken of.
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

    /// Moves the timeout of the run in a job's directory, and returns by how much it has been moved in all, in milliseconds.
    public func extend(_ directory: String, milliseconds: Int64) throws(SystemError) -> Int64 {
        let path = "\(directory)/\(Extension.fileName)"
        try openLog(path).append(Array(Extension.line(milliseconds: milliseconds).utf8))
        return try extended(directory)
    }

    /// By how much the timeout of the run in a job's directory has been moved, in milliseconds.
    public func extended(_ directory: String) throws(SystemError) -> Int64 {
        let path = "\(directory)/\(Extension.fileName)"
        guard case .file(_, let text) = try take(path, limit: Extension.bytesMax, ignoringWriters: true) else { return 0 }
        return Extension.milliseconds(text)
    }
}

extension Spool {
    /// The `status.json` of a job that stands in this directory, with what its last try says of itself.
    public func status(of job: Job, in directory: String) throws(SystemError) -> [UInt8] {
        var status = job.status(host: host)
        // A job that has not begun has said nothing; what its directory holds is of the job that it repeats.
        if job.attempt > 0 {
            // What another user left in a directory that waits is not looked at: it is the spool owner's now.
            if job.state == .new, job.definition.isForAnother { return status.json() }
            status.progress = try fs.progress(in: directory)
            if job.state != .running { status.result = try fs.result(in: directory) }
        }
        return status.json()
    }

    /// Before each try the output and the result of the one before become `stdout.N` and so on; what it said on its way goes. N counts
    /// on from the tries of the jobs that this one repeats, whose output it has brought along; `status.json.N` says how they ended.
    func setAsideReports(of job: Job, in directory: String) throws(SystemError) {
        let last = job.earlierTries + job.attempt - 1
        if last > 0 {
            for name in [Layout.outputFile, Layout.errorFile, Layout.resultFile] { try setAside(name, as: last, in: directory) }
        }
        guard job.attempt > 1 || job.isDirectory else { return }
        // What another user may have put under the names of the output in a record that is repeated is not written through.
        let outputs = job.attempt == 1 ? [Layout.outputFile, Layout.errorFile] : []
        for name in [Layout.progressFile, Layout.resultFile, Extension.fileName] + outputs {
            // EISDIR: somebody's own directory, which is no report.
            do throws(SystemError) { try fs.removeFile("\(directory)/\(name)") } catch {
                guard error.errno == ENOENT || error.errno == EISDIR else { throw error }
            }
        }
    }

    /// The status of the job that this one repeats, which its directory has brought along, stays beside the output of its last try.
    func setAsideStatus(of job: Job, in directory: String) throws(SystemError) {
        guard job.earlierTries > 0, job.attempt <= 1, let status = try fs.jobStatus(in: directory), status.id != job.id.text else { return }
        // Whoever looks meanwhile finds a status under its own name, too.
        let path = "\(directory)/\(Layout.statusFile)"
        _ = try fs.keep(path, as: "\(path).\(job.earlierTries)")
    }

    private func setAside(_ name: String, as number: Int, in directory: String) throws(SystemError) {
        do throws(SystemError) { try fs.renameNoReplace("\(directory)/\(name)", to: "\(directory)/\(name).\(number)") } catch {
            // ENOENT: that try wrote none. EEXIST: done before a crash.
            guard error.errno == ENOENT || error.errno == EEXIST else { throw error }
        }
    }

    /// The number that the last try has whose output is in a job's directory: of `attempt` tries or more, as there may be those of jobs
    /// that this one has repeated. 0: there is no output.
    func lastTry(in directory: String, attempt: Int) throws(SystemError) -> Int {
        var last = 0
        var isUnnumbered = false
        for entry in try fs.list(directory) {
            for name in [Layout.outputFile, Layout.errorFile, Layout.resultFile] where entry.name.hasPrefix(name) {
                let rest = entry.name.dropFirst(name.count)
                if rest.isEmpty { isUnnumbered = true }
                // Of more digits it is somebody's own.
                if rest.first == ".", rest.count < 8, let number = Int(rest.dropFirst()) { last = max(last, number) }
            }
        }
        if isUnnumbered { last += 1 }
        return last == 0 ? 0 : max(last, min(attempt, 1_000_000))
    }
}

extension Progress {
    /// Reads what `write(to:)` writes; nil without a fraction from 0 to 1.
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
