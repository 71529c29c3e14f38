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

    mutating func compose(_ source: Source, name: String, mode: UInt32 = 0o600) throws(Failure) -> Composed {
        try compose(source, id: nextID(name), mode: mode)
    }

    func compose(_ source: Source, id: JobID, mode: UInt32 = 0o600) throws(Failure) -> Composed {
        let file = Self.fileName(id, source.format)
        try attempt { () throws(SystemError) in try fs.create("\(Layout.temporary)/\(file)", source.bytes, mode: mode) }
        return Composed(id: id, file: file)
    }

    /// Syncs what was composed and gives it its names.
    func publish(_ jobs: [Composed]) throws(Failure) {
        guard !jobs.isEmpty else { return }
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
