import Glibc
import Linux
import Store

extension Command {
    static let journal = Command(
        "journal", "[-f] [options]", "print the journal: every decision, oldest first",
        details: [
            "What the daemon decided and when: accepted, started, ended, skipped and why. Damage is said with file and line, after what is before it. The texts of definitions are left out but with --json. In a spool for everybody root sees everybody's, of which --id and --task name one USER/….",
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
        return try JournalView(session).run()
    }
}

/// The journals of a spool: one, or in everybody's spool for root that of each user, too, in the order of time as far as it is known.
private final class JournalView {
    private let session: Session
    private let inotify: Inotify
    private var readers: [JournalReader] = []
    private var code = ExitCode.done

    init(_ session: Session) throws(Failure) {
        self.session = session
        inotify = try attempt { () throws(SystemError) in try Inotify() }
        let asked = [session.arguments.value("id"), session.arguments.value("task")].compactMap(\.self)
        let named = asked.lazy.compactMap { UserPart.split($0).owner }.first
        let parts = try EverybodysSpool.users(session)
        if let named, !parts.contains(where: { $0.owner?.name == named }) { throw .notFound("\(named) has nothing in \(session.spoolPath)") }
        // A task without a user's name before it is root's.
        let isOwn = named == nil && session.arguments.value("task") != nil
        for part in [session] + parts where named == nil ? part === session || !isOwn : part.owner?.name == named {
            if try !session.tolerating(part, { () throws(Failure) in try self.open(part) }) { code = ExitCode.failed }
        }
        if readers.count > 1 { for index in readers.indices { readers[index].isCollecting = true } }
    }

    private func open(_ part: Session) throws(Failure) {
        // Before reading, so that nothing is missed between.
        try attempt { () throws(SystemError) in _ = try self.inotify.add("\(part.spoolPath)/\(Layout.journal)", [.movedTo, .modified]) }
        readers.append(try JournalReader(part))
    }

    func run() throws(Failure) -> Int32 {
        let follows = session.arguments.flag("follow")
        while true {
            try readAll()
            session.output.flush()
            guard follows else { return code }
            var polls = [pollfd(fd: inotify.descriptor.raw, events: Int16(POLLIN), revents: 0), session.output.poll]
            if Glibc.poll(&polls, 2, -1) < 0, errno != EINTR { throw Failure(SystemError(call: "poll", errno: errno)) }
            session.output.check()
            var events: [InotifyEvent] = []
            do throws(SystemError) { _ = try inotify.readEvents(into: &events) } catch { throw Failure(error) }
        }
    }

    private func readAll() throws(Failure) {
        var lines: [(at: Instant, order: Int, text: String)] = []
        for index in readers.indices where !readers[index].isDamaged {
            var reader = readers[index]
            do throws(Failure) {
                try reader.session.asOwner { () throws(Failure) in try reader.read() }
            } catch {
                // A user's journal is that user's trouble.
                guard reader.session.owner != nil, readers.count > 1 else { throw error }
                for line in error.lines { session.complain(reader.session.qualified(line)) }
                reader.isDamaged = true
                code = error.code
            }
            for one in reader.collected { lines.append((one.at, lines.count, one.text)) }
            reader.collected = []
            readers[index] = reader
        }
        lines.sort { ($0.at, $0.order) < ($1.at, $1.order) }
        for line in lines { session.output.line(line.text) }
    }
}

private struct JournalReader {
    let session: Session
    /// Lines are kept for whoever puts them in order, instead of being printed.
    var isCollecting = false
    var collected: [(at: Instant, text: String)] = []
    /// It is read no further.
    var isDamaged = false
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
        // Behind the name of the user whose part this is.
        func own(_ option: String) -> String? {
            session.arguments.value(option).map { text in text.firstIndex(of: "/").map { String(text[text.index(after: $0)...]) } ?? text }
        }
        id = own("id")
        task = own("task")
        since = try session.arguments.value("since").map { text throws(Failure) in try session.past(text, option: "since") }
    }

    /// Reads what has come since it was read last.
    mutating func read() throws(Failure) {
        let fs = fs
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
        collected = reader.collected
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

    private mutating func emit(_ at: Instant, _ text: String) {
        if isCollecting { collected.append((at, text)) } else { session.output.line(text) }
    }

    private mutating func writeLine(_ fields: JournalFields) {
        let output = session.output
        if session.isQuiet {
            if let id = fields["id"] { emit(fields.at, session.qualified(id)) }
            return
        }
        var words: [String] = []
        for (key, value) in fields.fields where !Self.hidden.contains(key) {
            var text = Output.oneLine(String(decoding: value, as: UTF8.self))
            if key == "id" || key == "task" { text = session.qualified(text) }
            words.append(key == "id" ? text : "\(key)=\(text.contains(" ") || text.isEmpty ? "\"\(text)\"" : text)")
        }
        let text = words.joined(separator: " ")
        if output.isTerminal {
            let kind = fields.kind + String(repeating: " ", count: max(0, 14 - fields.kind.count))
            emit(fields.at, "\(output.coloured(session.time(fields.at), .dim))  \(output.coloured(kind, .bold))  \(text)")
        } else {
            emit(fields.at, "\(fields.at)\t\(fields.kind)\t\(text)")
        }
    }

    private mutating func writeJSON(_ fields: JournalFields) {
        var writer = JSONWriter(reserving: 512)
        writer.beginObject()
        writer.member("sequence", Int(fields.sequence))
        writer.member("at", fields.at)
        writer.member("kind", fields.kind)
        for (key, value) in fields.fields where key != "at" && key != "kind" && key != "sequence" {
            let text = String(decoding: value, as: UTF8.self)
            writer.key(key)
            if Self.numbers.contains(key), let number = Int64(text) { writer.integer(number) } else { writer.string(key == "id" || key == "task" ? session.qualified(text) : text) }
        }
        writer.endObject()
        emit(fields.at, String(decoding: writer.bytes, as: UTF8.self))
    }

    private static let numbers: Set<String> = [
        "try", "exit_code", "signal", "pid", "wall_ms", "user_ms", "sys_ms", "max_rss", "count", "inode", "size", "mtime",
    ]
}
