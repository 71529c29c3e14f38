// The spool on disk: the place of each job, and the steps that move it there.
//
// Contract:
// - A job is where its file is, and one rename moves it. A `status.json` is replaced by rename and always complete.
// - `place` moves a job to the directory of its state, from wherever it is. It can be repeated at any time: if it is interrupted
//   at any step, repeating it gives the same tree.
// - A dropped file is opened once, without following links and without blocking, and read completely. It is never read again: the
//   text that was read is the text that runs.
// - No dropped file is deleted. A file that cannot be used is moved to failed/ unchanged, whatever it is.

@_exported import Scheduler
import Glibc
import CLinux
import WorkerProtocol

public final class Spool<FS: FileSystem> {
    public let fs: FS
    public let journal: Journal<FS>
    public let host: String
    public internal(set) var places = Places()
    /// The owner of a job's directory while it runs and after its end. Nil means the spool's owner, as in a spool that is not
    /// root's.
    public var owner: (JobDefinition) -> FileOwner? = { _ in nil }
    /// True for root's spool: files that other users have written are not jobs of it.
    public var isRoots = false
    /// When a recovery has this number of jobs, or more, the names of all records are listed: that takes as long as 40,000 looks at single
    /// names when there are half a million records.
    package var listedJobsMin = 20_000
    /// The directories in new/ that are not jobs. Each is reported once.
    var ignored: Set<String> = []

    public init(_ fs: FS, host: String) {
        self.fs = fs
        self.host = host
        journal = Journal(fs)
    }

    /// True when a directory in new/ is ignored for the first time, so that it is reported once.
    public func firstTimeIgnored(_ name: String) -> Bool { ignored.insert(name).inserted }

    /// The job has ended and is in its place, or was withdrawn.
    package func forgetPlace(of job: Job) { places.forget(job) }

    // MARK: Creating and opening

    /// Refuses a spool or a journal of another format, and changes nothing. An empty spool is accepted. Reads the journal's
    /// newest segment.
    public static func check(_ fs: FS) throws(SpoolError) {
        try checkFormat(fs)
        let format: String?
        do throws(SystemError) { format = try Journal.foreignFormat(fs) } catch { throw .system(error) }
        if let format { throw .format("journal format \(format)") }
    }

    /// Refuses a directory that contains other files and was never a spool: a wrong path must not be filled with directories.
    private static func checkContent(_ fs: FS) throws(SpoolError) {
        let names: Set<String>
        do throws(SystemError) { names = Set(try fs.list(".").map(\.name)) } catch { throw .system(error) }
        // Somebody has removed state/.
        if names.isSuperset(of: [Layout.journal, Layout.running, Layout.new]) { return }
        let own = Set((Layout.directories + [Layout.users]).filter { !$0.contains("/") })
        // mke2fs(8) creates lost+found in each new file system.
        if let other = names.subtracting(own).subtracting(["lost+found"]).min() { throw .noSpool(holding: other) }
    }

    private static func checkFormat(_ fs: FS) throws(SpoolError) {
        do throws(SystemError) {
            switch try fs.take(Layout.format, limit: 4096, ignoringWriters: true) {
            case .file(_, let bytes):
                let text = String(decoding: bytes, as: UTF8.self)
                // It is empty because a power cut interrupted the first start. Nothing can have been stored yet.
                guard text == Layout.formatText || text.isEmpty else {
                    throw SystemError(call: "open", path: text.trimmedLine, errno: EPROTONOSUPPORT)
                }
                return
            case .tooLarge(let status): throw SystemError(call: "open", path: "\(status.size) bytes", errno: EPROTONOSUPPORT)
            default: break
            }
        } catch {
            if error.errno == EPROTONOSUPPORT { throw .format(error.path ?? "") }
            throw .system(error)
        }
        try checkContent(fs)
    }

    /// Writes the spool's format. Several programs may create the same spool at the same time: each removes the others' temporary file, so
    /// only the first rename succeeds, and the others try again until the file is there.
    private static func writeFormat(_ fs: FS) throws(SystemError) {
        for attempt in 1... {
            do throws(SystemError) { return try fs.replaceDurably(Layout.format, Array(Layout.formatText.utf8)) } catch {
                guard attempt < 100, error.errno == ENOENT || error.errno == EEXIST else { throw error }
            }
            if try fs.status(Layout.format)?.size ?? 0 > 0 { return }
        }
    }

    /// Creates the missing parts of the layout, and refuses a spool of another format without changing it.
    public static func prepare(_ fs: FS) throws(SpoolError) {
        try checkFormat(fs)
        do throws(SystemError) {
            var isNew = false
            for directory in Layout.directories where try fs.status(directory) == nil {
                try fs.makeDirectory(directory)
                isNew = true
            }
            if isNew {
                // A power cut may have kept only some of the directories. After the sync, files in the others do not vanish with
                // them.
                try fs.sync(Layout.state)
                try fs.sync(".")
            }
            // ext4 does not use an inode again for some minutes, and searches past such inodes one by one. Where records come and go, this
            // search makes each job several times as slow, unless the directories of jobs are in different block groups.
            fs.spreadDirectories(in: Layout.running)
            if try fs.status(Layout.format)?.size ?? 0 == 0 {
                try writeFormat(fs)
                try fs.sync(Layout.state)
                try fs.sync(".")
            }
        } catch {
            throw .system(error)
        }
    }
}

/// The reason why a spool cannot be used.
public enum SpoolError: Error, Sendable, CustomStringConvertible {
    /// It was written by programs of another format, with this name.
    case format(String)
    /// The directory contains something, including this name, and is not a spool.
    case noSpool(holding: String)
    case system(SystemError)

    public var description: String {
        switch self {
        case .format(let found):
            """
            the spool's format is "\(found)", this program knows "\(Layout.formatText.trimmedLine)" with journal format \
            \(Layout.journalFormat): use the spoold that wrote it; nothing has been changed
            """
        case .noSpool(let name):
            "the directory is no spool and not empty: it holds \"\(name)\"; name an empty or a new directory; nothing has been changed"
        case .system(let error): "\(error)"
        }
    }
}

extension String {
    var trimmedLine: String { String(prefix { $0 != "\n" }) }
}
