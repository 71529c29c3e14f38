import Glibc
import Linux
import Store

/// Submits jobs: puts their files into `new/`, complete and durable.
///
/// A file is composed in `tmp/` and synced before it is renamed into `new/`, and `new/` is synced before the id is returned: a printed
/// id is on the disk. The rename replaces nothing. The ids of one process sort in the order of its calls.
struct JobDrop {
    private let fs: DiskFileSystem
    private var instant = Instant(milliseconds: 0)
    /// A suffix holds 30 bits; half of its range stays free for counting up.
    private var unique = UInt64.random(in: 0..<(1 << 29))

    init(_ fs: DiskFileSystem) { self.fs = fs }

    /// The next id. It sorts after all earlier ones, also when the clock is set back.
    mutating func nextID(_ name: String) -> JobID {
        instant = max(instant, Instant(milliseconds: Clock.now()))
        unique += 1
        return JobID(instant: instant, name: name, unique: unique)
    }

    /// A job's file, which is not in `new/` yet.
    struct Composed {
        var id: JobID
        var file: String
    }

    static func fileName(_ id: JobID, _ format: Source.Format) -> String {
        switch format {
        case .toml: "\(id).toml"
        case .json: "\(id).json"
        case .script: id.text
        }
    }

    /// Drops one job.
    mutating func drop(_ source: Source, name: String, mode: UInt32 = 0o600) throws(Failure) -> JobID {
        let composed = try compose(source, name: name, mode: mode)
        try publish([composed])
        return composed.id
    }

    /// The standard input of a job that spoolctl waits for.
    enum Input {
        case nothing
        /// All of the input is stored before the job is submitted.
        case stored(StandardInput)
        /// The input is given while the job runs.
        case given
    }

    /// The largest input that is stored, in bytes.
    static let inputBytesMax = 64 << 20

    /// Composes a job that spoolctl waits for: a directory with the job's file, the waiter's file and the input.
    mutating func compose(
        _ source: Source, name: String, mode: UInt32, awaitedWith input: Input, showsOutput: Bool
    ) throws(Failure) -> (Composed, AwaitedJob) {
        try Self.checkReadable(source)
        let id = nextID(name)
        let directory = "\(Layout.temporary)/\(id)"
        do throws(Failure) {
            try attempt { () throws(SystemError) in
                try fs.makeDirectory(directory)
                try fs.create("\(directory)/\(source.fileName)", source.bytes, mode: mode)
                try fs.sync("\(directory)/\(source.fileName)")
            }
            var isGiven = false
            switch input {
            case .nothing: break
            case .stored(let input): try store(input, in: "\(directory)/\(Layout.inputFile)")
            case .given: isGiven = true
            }
            let awaited = try attempt { () throws(SystemError) in
                let awaited = try AwaitedJob("\(fs.path)/\(directory)", showsOutput: showsOutput, feedsInput: isGiven)
                // The directory is synced, so that the job never runs without input that a power cut removed.
                try fs.sync(directory)
                return awaited
            }
            return (Composed(id: id, file: id.text), awaited)
        } catch {
            // The first error is reported; a directory left in tmp/ is litter.
            try? fs.removeTree(directory)
            throw error
        }
    }

    private func store(_ input: StandardInput, in path: String) throws(Failure) {
        guard let first = try input.nextChunk() else { return }
        let file = try attempt { () throws(SystemError) in
            try FileDescriptor.open("\(fs.path)/\(path)", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        }
        var count = 0
        var chunk: [UInt8]? = first
        while let bytes = chunk {
            count += bytes.count
            guard count <= Self.inputBytesMax else {
                throw .invalid("stdin: more than 64 MiB; name a file with --stdin, or use --no-stdin")
            }
            try attempt { () throws(SystemError) in try file.write(bytes) }
            chunk = try input.nextChunk()
        }
        try attempt { () throws(SystemError) in try file.sync() }
    }

    mutating func compose(_ source: Source, name: String, mode: UInt32 = 0o600, isReadable: Bool = false) throws(Failure) -> Composed {
        try compose(source, id: nextID(name), mode: mode, isReadable: isReadable)
    }

    /// `isReadable`: the text was checked before.
    func compose(_ source: Source, id: JobID, mode: UInt32 = 0o600, isReadable: Bool = false) throws(Failure) -> Composed {
        if !isReadable { try Self.checkReadable(source) }
        let file = Self.fileName(id, source.format)
        do throws(Failure) {
            try attempt { () throws(SystemError) in try fs.create("\(Layout.temporary)/\(file)", source.bytes, mode: mode) }
        } catch {
            discard([Composed(id: id, file: file)])
            throw error
        }
        return Composed(id: id, file: file)
    }

    /// Refuses a text that the daemon would not accept: a file in new/ counts as submitted.
    private static func checkReadable(_ source: Source) throws(Failure) {
        do throws(Problems) { try source.checkReadable() } catch {
            throw Failure(ExitCode.invalid, error.all.map { "the job cannot be submitted: \($0.text)" })
        }
    }

    /// Syncs the composed files and renames them into `new/`.
    func publish(_ jobs: [Composed]) throws(Failure) {
        guard !jobs.isEmpty else { return }
        do throws(Failure) { try give(jobs) } catch {
            discard(jobs)
            throw error
        }
    }

    /// Removes composed files that are not in `new/`; no other program removes them.
    func discard(_ jobs: [Composed]) {
        for job in jobs { try? fs.removeTree("\(Layout.temporary)/\(job.file)") }  // missing, or litter: another error is reported
    }

    private func give(_ jobs: [Composed]) throws(Failure) {
        try attempt { () throws(SystemError) in
            // One syncfs costs less than many fsyncs, but more than a few: it also writes the data of other programs.
            if jobs.count > 16 {
                try fs.syncAll()
            } else {
                for job in jobs { try fs.sync("\(Layout.temporary)/\(job.file)") }
            }
            for job in jobs { try fs.renameNoReplace("\(Layout.temporary)/\(job.file)", to: "\(Layout.new)/\(job.file)") }
            try fs.sync(Layout.new)
        }
    }
}
