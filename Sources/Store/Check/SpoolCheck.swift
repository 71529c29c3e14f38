// Finds the faults of a spool and the repair of each.
//
// Invariants:
// - The check changes nothing. While a daemon serves the spool, the check skips everything that the daemon may be changing.
// - Each fault is reported once, with its path. An unreadable journal is reported first: the jobs are compared with the journal
//   after its repair.

import Glibc

/// A fault of the spool.
public struct Finding: Sendable {
    public enum Remedy: Sendable, Equatable {
        case makeDirectory
        case writeFormat
        case setAside
        case remove
        /// Cut a journal segment to this many bytes.
        case cutTail(to: Int64)
        case rewriteSegment
        /// Add records of what the tree shows to the journal.
        case takeUp
        /// Move the job to the place that the journal gives.
        case place(JobID)
        case rewriteStatus
        case setMode(UInt32)
        case setOwner(UInt32, group: UInt32)
        /// Only a person can repair this. The text says how.
        case none(String)

        /// The action of the repair, in the words shown before it is done.
        public var plan: String {
            switch self {
            case .makeDirectory: "makes it"
            case .writeFormat: "keeps it in \(Layout.lostAndFound)/ and writes it anew"
            case .setAside: "moves it to \(Layout.lostAndFound)/"
            case .remove: "removes it"
            case .cutTail(let size): "cuts it off at byte \(size)"
            case .rewriteSegment: "keeps the file as it is beside it, named .damaged, and writes it anew without what cannot be read"
            case .takeUp: "writes that into the journal"
            case .place: "brings the job where the journal has it"
            case .rewriteStatus: "keeps it in \(Layout.lostAndFound)/ and writes it anew"
            case .setMode(let mode): "sets its mode to \(String(mode, radix: 8))"
            case .setOwner(let owner, _): "gives it to user \(owner)"
            case .none(let what): "nothing: \(what)"
            }
        }
    }

    /// The path in the spool.
    public var path: String
    /// The line in a file of lines.
    public var line: Int?
    public var what: String
    public var remedy: Remedy

    init(_ path: String, line: Int? = nil, _ what: String, _ remedy: Remedy) {
        self.path = path
        self.line = line
        self.what = what
        self.remedy = remedy
    }
}

/// Checks a spool.
public struct SpoolCheck<FS: FileSystem> {
    let fs: FS
    let context: ReadingContext
    /// True while a daemon serves the spool.
    let isServed: Bool
    /// Returns true when a process holds a worker's record file, given the file's name in `state/workers/`.
    let isHeld: (String) -> Bool
    var findings: [Finding] = []

    public init(_ fs: FS, isServed: Bool, _ context: ReadingContext, isHeld: @escaping (String) -> Bool) {
        self.fs = fs
        self.isServed = isServed
        self.context = context
        self.isHeld = isHeld
    }

    public static func check(
        _ fs: FS, isServed: Bool, _ context: ReadingContext, isHeld: @escaping (String) -> Bool
    ) throws(SystemError) -> [Finding] {
        var check = SpoolCheck(fs, isServed: isServed, context, isHeld: isHeld)
        try check.look()
        return check.findings
    }

    private mutating func look() throws(SystemError) {
        guard try lookAtFormat() else { return }
        try lookAtLayout()
        try lookAtOwners()
        let state = try lookAtJournal()
        if let state {
            try lookAtJobs(state)
            try lookAtKeys(state)
        }
        if !isServed {
            try lookAtRemains()
            try lookAtWorkers()
        }
        try lookAtLitter()
    }

    mutating func add(_ path: String, line: Int? = nil, _ what: String, _ remedy: Finding.Remedy) {
        findings.append(Finding(path, line: line, what, remedy))
    }

    // MARK: The journal

    /// The state of the newest segment. Nil when it cannot be compared with the tree: the segment has unreadable parts, or a
    /// daemon is changing the spool.
    private mutating func lookAtJournal() throws(SystemError) -> Scheduler? {
        var state: Scheduler?
        let segments = try Journal.segments(fs)
        for name in segments {
            let isNewest = name == segments.last
            let segment = try Journal.salvage(fs, segment: name)
            if let foreign = segment.foreign {
                add(segment.path, line: 1, foreign.why, .none("use the programs that wrote it"))
                continue
            }
            if let unread = segment.unread {
                add(segment.path, line: unread.line, unread.why, .none("move it away, or ask as the user whose it is"))
                continue
            }
            for damage in segment.damage { add(segment.path, line: damage.line, damage.why, .rewriteSegment) }
            guard isNewest, !isServed, segment.damage.isEmpty else { continue }
            if segment.tornBytes > 0 {
                add(
                    segment.path, "ends with \(segment.tornBytes) bytes of records that were never completed",
                    .cutTail(to: segment.goodBytes))
            }
            state = Spool.replay(fs, segment, before: nil, context)
        }
        if segments.isEmpty, !isServed { state = Scheduler(zones: context.zones) }
        return state
    }

    // MARK: The layout

    /// The name of the spool's format, if it is another version's. Otherwise nil.
    public static func foreignFormat(_ fs: FS) throws(SystemError) -> String? {
        guard case .file(_, let bytes) = try fs.take(Layout.format, limit: 4096, ignoringWriters: true) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        return text != Layout.formatText && text.hasPrefix("spoold spool format ") ? text.trimmedLine : nil
    }

    /// Returns false when the spool belongs to another program.
    private mutating func lookAtFormat() throws(SystemError) -> Bool {
        if let format = try Self.foreignFormat(fs) {
            add(Layout.format, "is \"\(format)\", and this program knows \"\(Layout.formatText.trimmedLine)\"",
                .none("use the programs that wrote the spool"))
            return false
        }
        switch try fs.take(Layout.format, limit: 4096, ignoringWriters: true) {
        case .file(_, let bytes):
            let text = String(decoding: bytes, as: UTF8.self)
            if text == Layout.formatText { return true }
            add(Layout.format, "does not say what the format of the spool is", .writeFormat)
        case .missing: add(Layout.format, "is missing", .writeFormat)
        case .busy, .other, .tooLarge, .foreign, .refused: add(Layout.format, "is not a file that can be read", .writeFormat)
        }
        return true
    }

    private mutating func lookAtLayout() throws(SystemError) {
        for directory in Layout.directories {
            switch try fs.status(directory)?.kind {
            case .directory: break
            // In a user's part of a shared spool these are links, which only root can change.
            case .symbolicLink where !directory.utf8.contains(UInt8(ascii: "/")): break
            case nil: add(directory, "is missing", .makeDirectory)
            case let kind?: add(directory, "is \(kind.article), not a directory", .none("move it away; then it is made"))
            }
        }
    }

    private mutating func lookAtOwners() throws(SystemError) {
        // In a shared spool, the top directory of a user's part belongs to root, and the rest to that user.
        guard var root = try fs.status(".") else { return }
        if try fs.status(Layout.new)?.kind == .symbolicLink {
            guard let own = try fs.status(Layout.state) else { return }
            root = own
        }
        try lookAtOwner(".", root, of: root)
        var paths = Layout.directories + [Layout.format, Layout.lock, Layout.daemonStatus, SpoolIdentity.file]
        for directory in [Layout.tasks, Layout.schedules, Layout.journal, Layout.running, Layout.done, Layout.failed] {
            for entry in try fs.list(directory) where !Name.isUnfinished(entry.name) {
                // The files of users in a shared spool belong to these users.
                if try !fs.isStranger(entry.name, in: directory, isDirectory: true) { paths.append("\(directory)/\(entry.name)") }
            }
        }
        for path in paths {
            guard let status = try fs.status(path), status.kind == .file || status.kind == .directory else { continue }
            try lookAtOwner(path, status, of: root)
        }
    }

    private mutating func lookAtOwner(_ path: String, _ status: FileStatus, of root: FileStatus) throws(SystemError) {
        let isShared = Layout.shared.contains(path) && status.mode & 0o1000 != 0
        if status.mode & 0o002 != 0, !isShared { add(path, "can be written by others", .setMode(UInt32(status.mode) & ~0o002)) }
        // Anybody may have written a task for the spool's owner.
        guard status.owner != root.owner, !path.hasPrefix("\(Layout.tasks)/"), !path.hasPrefix("\(Layout.schedules)/") else { return }
        // Root's jobs have a key `user`. Nobody but root can have given that user the record.
        if root.owner == 0, [Layout.running, Layout.done, Layout.failed].contains(where: { path.hasPrefix("\($0)/") }) { return }
        add(path, "belongs to user \(status.owner), and the spool to user \(root.owner)", .setOwner(root.owner, group: root.group))
    }
}
