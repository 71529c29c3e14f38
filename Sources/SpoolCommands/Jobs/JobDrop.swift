import Glibc
import Linux
import Store

/// Puts job files into `new/`, whole and durable.
///
/// A file is composed in `tmp/` and synced before it gets its name, and `new/` is synced before its id is told: an id that
/// was printed is on the disk. The rename replaces nothing. Ids of one process sort in the order of its calls.
struct JobDrop {
    private let fs: DiskFileSystem
    private var instant = Instant(milliseconds: 0)
    /// Half of the 30 bits a suffix holds stay free for counting up.
    private var unique = UInt64.random(in: 0..<(1 << 29))

    init(_ fs: DiskFileSystem) { self.fs = fs }

    /// The next id; later than any before, also when the clock is set back.
    mutating func nextID(_ name: String) -> JobID {
        instant = max(instant, Instant(milliseconds: Clock.now()))
        unique += 1
        return JobID(instant: instant, name: name, unique: unique)
    }

    /// A job's file that has no name in `new/` yet.
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

    /// What a job that is waited for reads on its standard input.
    enum Input {
        case nothing
        /// All of it, stored before the job is submitted.
        case stored(StandardInput)
        /// Given while the job runs.
        case given
    }

    /// How much of a caller's standard input can be stored.
    static let inputBytesMax = 64 << 20

    /// Composes a job that is waited for: a directory of its file, of what tells the worker of who waits, and of its input.
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
                // A job whose input is lost in a power cut must not run without it.
                try fs.sync(directory)
                return awaited
            }
            return (Composed(id: id, file: id.text), awaited)
        } catch {
            // The error is the news; what is left in tmp/ is litter either way.
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
                throw .invalid("stdin: more than 64 MiB; give the job a file with --stdin, or none with --no-stdin")
            }
            try attempt { () throws(SystemError) in try file.write(bytes) }
            chunk = try input.nextChunk()
        }
        try attempt { () throws(SystemError) in try file.sync() }
    }

    mutating func compose(_ source: Source, name: String, mode: UInt32 = 0o600, isReadable: Bool = false) throws(Failure) -> Composed {
        try compose(source, id: nextID(name), mode: mode, isReadable: isReadable)
    }

    /// `isReadable`: it is known to be what the daemon reads.
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

    /// Refuses a text that the daemon would not read: what is in new/ counts as submitted.
    private static func checkReadable(_ source: Source) throws(Failure) {
        do throws(Problems) { try source.checkReadable() } catch {
            throw Failure(ExitCode.invalid, error.all.map { "the job cannot be submitted: \($0.text)" })
        }
    }

    /// Syncs what was composed and gives it its names.
    func publish(_ jobs: [Composed]) throws(Failure) {
        guard !jobs.isEmpty else { return }
        do throws(Failure) { try give(jobs) } catch {
            discard(jobs)
            throw error
        }
    }

    /// Removes what was composed and has no name in `new/`: nobody else would.
    func discard(_ jobs: [Composed]) {
        for job in jobs { try? fs.removeTree("\(Layout.temporary)/\(job.file)") }  // gone, or litter: another error is the news
    }

    private func give(_ jobs: [Composed]) throws(Failure) {
        try attempt { () throws(SystemError) in
            // One syncfs costs less than many fsyncs, and more than a few: it also writes what others have written.
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
