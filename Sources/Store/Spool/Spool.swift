// The spool on disk: where each job stands, and how it gets there.
//
// Contract:
// - A job is where its file is, and one rename moves it; a `status.json` is replaced by rename, always whole.
// - `place` brings a job to the directory that its state names, from wherever it stands, and may be done again at any
//   time: cut at any step, doing it once more ends in the same tree.
// - What somebody dropped is opened once, without following links and without blocking, and read whole. It is never looked
//   at again: what runs is what was read.
// - Nothing that was dropped is deleted. What cannot be used goes to failed/ as it is, whatever it is.

@_exported import Scheduler
import Glibc
import CLinux
import WorkerProtocol

public final class Spool<FS: FileSystem> {
    public let fs: FS
    public let journal: Journal<FS>
    public let host: String
    /// Whose the directory of a job is while it runs and after its end; nil: the spool owner's, as in a spool that is not root's.
    public var owner: (JobDefinition) -> FileOwner? = { _ in nil }
    /// It is root's: what others have written is no job of it.
    public var isRoots = false
    /// Directories in new/ that are no jobs, each said once.
    var ignored: Set<String> = []
    /// The records of tasks that keep a number of them, oldest first.
    var recordsOfTask: [String: [(id: JobID, state: JobState)]] = [:]

    public init(_ fs: FS, host: String) {
        self.fs = fs
        self.host = host
        journal = Journal(fs)
    }

    /// Whether a directory in new/ is ignored for the first time; it is said once.
    public func firstTimeIgnored(_ name: String) -> Bool { ignored.insert(name).inserted }

    // MARK: Making and opening

    /// Refuses a spool or a journal of another format, and changes nothing. An empty spool will do. Reads the journal's newest
    /// segment.
    public static func check(_ fs: FS) throws(SpoolError) {
        try checkFormat(fs)
        let format: String?
        do throws(SystemError) { format = try Journal.foreignFormat(fs) } catch { throw .system(error) }
        if let format { throw .format("journal format \(format)") }
    }

    /// Refuses a directory that was never a spool and holds something else: a wrong path must not fill it with directories.
    private static func checkContent(_ fs: FS) throws(SpoolError) {
        let names: Set<String>
        do throws(SystemError) { names = Set(try fs.list(".").map(\.name)) } catch { throw .system(error) }
        // Somebody has removed state/.
        if names.isSuperset(of: [Layout.journal, Layout.running, Layout.new]) { return }
        let own = Set((Layout.directories + [Layout.users]).filter { !$0.contains("/") })
        // mke2fs(8) makes lost+found in each new file system.
        if let other = names.subtracting(own).subtracting(["lost+found"]).min() { throw .noSpool(holding: other) }
    }

    private static func checkFormat(_ fs: FS) throws(SpoolError) {
        do throws(SystemError) {
            switch try fs.take(Layout.format, limit: 4096, ignoringWriters: true) {
            case .file(_, let bytes):
                let text = String(decoding: bytes, as: UTF8.self)
                // Empty: what a power cut left of the first start. Nothing can have been kept yet.
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

    /// Makes what is missing of the layout, and refuses a spool of another format untouched.
    public static func prepare(_ fs: FS) throws(SpoolError) {
        try checkFormat(fs)
        do throws(SystemError) {
            var isNew = false
            for directory in Layout.directories where try fs.status(directory) == nil {
                try fs.makeDirectory(directory)
                isNew = true
            }
            if isNew {
                // Also when a power cut kept some of them: what is put into the others must not vanish with their names.
                try fs.sync(Layout.state)
                try fs.sync(".")
            }
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

/// Why a spool cannot be used.
public enum SpoolError: Error, Sendable, CustomStringConvertible {
    /// It was written by programs of another format, which calls itself so.
    case format(String)
    /// The directory holds something, by this name among others, and is no spool.
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
