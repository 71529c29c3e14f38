import Linux
import Store

struct JournalCursor {
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
    mutating func expectMore() { mayHaveMore = !isDamaged }

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

    func newer() throws(JournalError) -> String? {
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
