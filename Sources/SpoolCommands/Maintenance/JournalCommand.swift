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

    /// Prints what has come in all of them, in the order of time. Of each, a part at a time is in memory.
    private func readAll() throws(Failure) {
        for index in readers.indices { readers[index].look() }
        while true {
            for index in readers.indices where readers[index].lines.isEmpty && readers[index].mayHaveMore { try refill(index) }
            let heads = readers.indices.compactMap { index in readers[index].lines.first.map { (index, $0.at) } }
            guard let first = heads.min(by: { $0.1 < $1.1 }) else { return }
            let next = heads.lazy.filter { $0.0 != first.0 }.map(\.1).min()
            while let line = readers[first.0].lines.first, next.map({ line.at <= $0 }) ?? true {
                session.output.line(line.text)
                readers[first.0].lines.removeFirst()
            }
        }
    }

    private func refill(_ index: Int) throws(Failure) {
        var reader = readers[index]
        var failure: Failure?
        do throws(Failure) {
            try reader.session.asOwner { () throws(Failure) in try reader.read() }
        } catch {
            reader.isDamaged = true
            failure = error
        }
        readers[index] = reader
        guard let failure else { return }
        // A user's journal is that user's trouble.
        guard reader.session.owner != nil, readers.count > 1 else {
            for line in reader.lines { session.output.line(line.text) }
            throw failure
        }
        for line in failure.lines { session.complain(reader.session.qualified(line)) }
        code = failure.code
    }
}

private struct JournalReader {
    let session: Session
    /// What has been read and not printed.
    var lines: ArraySlice<(at: Instant, text: String)> = []
    /// It is read no further.
    var isDamaged = false
    private(set) var mayHaveMore = true
    private let fs: DiskFileSystem
    private let since: Instant?
    private let id: String?
    private let task: String?
    /// Jobs of the task asked for, whose later records do not name it.
    private var idsOfTask: Set<String> = []
    private var segment = ""
    private var current: SegmentReader<DiskFileSystem>?
    /// The segment behind the current one, whose end is looked at once more: it may have got records before the next one was there.
    private var following: String?
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

    /// Something may have come.
    mutating func look() { mayHaveMore = !isDamaged }

    /// How much is read at a time, in bytes.
    private static let partBytes: Int64 = 1 << 20

    /// Reads some of what has come since it was read last.
    mutating func read() throws(Failure) {
        var bytes: Int64 = 0
        do throws(JournalError) {
            while bytes < Self.partBytes {
                let from = current?.offset ?? 0
                if let fields = try current?.next() {
                    bytes += current!.offset - from
                    take(fields)
                } else if let following {
                    self.following = nil
                    begin(following)
                } else if let newer = try newer() {
                    if current == nil { begin(newer) } else { following = newer }
                } else {
                    mayHaveMore = false
                    return
                }
            }
        } catch {
            throw Failure(ExitCode.failed, "\(error)")
        }
    }

    private mutating func begin(_ name: String) {
        isFirstSegment = segment.isEmpty
        segmentBegan = nil
        segment = name
        current = SegmentReader(fs, name)
    }

    private func newer() throws(JournalError) -> String? {
        do throws(SystemError) { return try Journal<DiskFileSystem>.segments(fs).first { $0 > segment } } catch { throw .system(error) }
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

    private mutating func emit(_ at: Instant, _ text: String) { lines.append((at, text)) }

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
