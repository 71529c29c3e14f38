import Glibc
import Linux
import Store

extension Command {
    static let journal = Command(
        "journal", "[-f] [options]", "print the journal: every decision, oldest first",
        details: [
            "What the daemon decided and when: accepted, started, ended, skipped and why. Damage is said with file and line, after what is before it. The texts of definitions are left out but with --json.",
        ],
        options: [
            Option("follow", "f", "go on as decisions are made"),
            Option("since", value: "TIME", "only records since: an instant, or a duration ago"),
            Option("id", value: "ID", "only those of this job"),
            Option("task", value: "NAME", "only those of this task and its jobs"),
        ],
        examples: [
            Example("spoolctl journal --task backup --since 1d", "what became of its due times"),
            Example("spoolctl journal -f --json | jq .kind", "as it happens"),
        ]
    ) { session throws(Failure) in
        try session.noOperands()
        var reader = try JournalReader(session)
        return try reader.run()
    }
}

private struct JournalReader {
    private let session: Session
    private let fs: DiskFileSystem
    private let since: Instant?
    private let id: String?
    private let task: String?
    /// Jobs of the task asked for, whose later records do not name it.
    private var idsOfTask: Set<String> = []
    private var segment = ""
    private var offset: Int64 = 0
    /// A segment begins with the state, told by instants before its own: news only in the first one.
    private var segmentBegan: Instant?
    private var isFirstSegment = true

    init(_ session: Session) throws(Failure) {
        self.session = session
        fs = try session.openSpool()
        id = session.arguments.value("id")
        task = session.arguments.value("task")
        since = try session.arguments.value("since").map { text throws(Failure) in try session.past(text, option: "since") }
    }

    mutating func run() throws(Failure) -> Int32 {
        let fs = fs
        let follows = session.arguments.flag("follow")
        let directory = "\(session.spoolPath)/\(Layout.journal)"
        // Before reading, so that nothing is missed between.
        let inotify = try attempt { () throws(SystemError) -> Inotify in
            let inotify = try Inotify()
            _ = try inotify.add(directory, [.movedTo, .modified])
            return inotify
        }
        while true {
            let segments = try attempt { () throws(SystemError) in try Journal<DiskFileSystem>.segments(fs) }
            for name in segments where name >= segment {
                if name != segment {
                    isFirstSegment = segment.isEmpty
                    segment = name
                    offset = 0
                    segmentBegan = nil
                    // Whole, with all its checks; what is appended later is read as it comes.
                    try readWhole(name)
                } else {
                    try readAppended()
                }
            }
            session.output.flush()
            guard follows else { return ExitCode.done }
            var poll = pollfd(fd: inotify.descriptor.raw, events: Int16(POLLIN), revents: 0)
            if Glibc.poll(&poll, 1, -1) < 0, errno != EINTR { throw Failure(SystemError(call: "poll", errno: errno)) }
            var events: [InotifyEvent] = []
            do throws(SystemError) { _ = try inotify.readEvents(into: &events) } catch { throw Failure(error) }
        }
    }

    private mutating func readWhole(_ name: String) throws(Failure) {
        var reader = self
        do throws(JournalError) {
            offset = try Journal<DiskFileSystem>.read(fs, segment: name) { reader.take($0) }.goodBytes
        } catch {
            throw Failure(ExitCode.failed, "\(error)")
        }
        idsOfTask = reader.idsOfTask
        segmentBegan = reader.segmentBegan
    }

    private mutating func readAppended() throws(Failure) {
        let path = "\(session.spoolPath)/\(Layout.journal)/\(segment)"
        let from = offset
        let bytes = try attempt { () throws(SystemError) -> [UInt8] in
            let file = try FileDescriptor.open(path, O_RDONLY | O_NOFOLLOW)
            let size = try file.status().size
            return size > from ? try file.read(count: Int(size - from), at: from) : []
        }
        guard let last = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return }
        for line in bytes[...last].split(separator: UInt8(ascii: "\n")) {
            guard let fields = line.withUnsafeBufferPointer({ JournalFields($0) }) else {
                throw Failure(ExitCode.failed, "\(Layout.journal)/\(segment): a record at byte \(offset) or later is damaged")
            }
            take(fields)
        }
        offset += Int64(last + 1)
    }

    // MARK: Records

    private mutating func take(_ fields: JournalFields) {
        if fields.kind == "segment" { segmentBegan = fields.at }
        if let task, fields["task"] == task, let id = fields["id"] { idsOfTask.insert(id) }
        if !isFirstSegment, let segmentBegan, fields.at < segmentBegan { return }
        if let since, fields.at < since { return }
        if let id, fields["id"].map({ $0 != id && !$0.hasSuffix(id) }) ?? true { return }
        if let task {
            let isAbout = fields["task"] == task || fields["file"] == "\(Layout.tasks)/\(task)"
            guard isAbout || fields["id"].map(idsOfTask.contains) ?? false else { return }
        }
        session.isJSON ? writeJSON(fields) : writeLine(fields)
    }

    /// Fields that say nothing to a person.
    private static let hidden: Set<String> = ["source", "format", "inode", "size", "mtime", "boot"]

    private func writeLine(_ fields: JournalFields) {
        let output = session.output
        if session.isQuiet {
            if let id = fields["id"] { output.line(id) }
            return
        }
        var words: [String] = []
        for (key, value) in fields.fields where !Self.hidden.contains(key) {
            let text = Output.oneLine(String(decoding: value, as: UTF8.self))
            words.append(key == "id" ? text : "\(key)=\(text.contains(" ") || text.isEmpty ? "\"\(text)\"" : text)")
        }
        let text = words.joined(separator: " ")
        if output.isTerminal {
            let kind = fields.kind + String(repeating: " ", count: max(0, 14 - fields.kind.count))
            output.line("\(output.coloured(session.time(fields.at), .dim))  \(output.coloured(kind, .bold))  \(text)")
        } else {
            output.line("\(fields.at)\t\(fields.kind)\t\(text)")
        }
    }

    private func writeJSON(_ fields: JournalFields) {
        var writer = JSONWriter(reserving: 512)
        writer.beginObject()
        writer.member("sequence", Int(fields.sequence))
        writer.member("at", fields.at)
        writer.member("kind", fields.kind)
        for (key, value) in fields.fields where key != "at" && key != "kind" && key != "sequence" {
            let text = String(decoding: value, as: UTF8.self)
            writer.key(key)
            if Self.numbers.contains(key), let number = Int64(text) { writer.integer(number) } else { writer.string(text) }
        }
        writer.endObject()
        session.output.line(String(decoding: writer.bytes, as: UTF8.self))
    }

    private static let numbers: Set<String> = [
        "try", "exit_code", "signal", "pid", "wall_ms", "user_ms", "sys_ms", "max_rss", "count", "inode", "size", "mtime",
    ]
}
