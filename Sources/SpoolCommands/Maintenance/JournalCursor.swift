import Linux
import Store

struct JournalCursor {
    let session: Session
    /// Lines that were read and are not printed yet.
    var lines: ArraySlice<(at: Instant, text: String)> = []
    /// True after damage: the journal is read no further.
    var isDamaged = false
    private(set) var mayHaveMore = true
    private let fs: DiskFileSystem
    private let since: Instant?
    private let id: String?
    private let task: String?
    /// The ids of the selected task's jobs: their later records do not name the task.
    private var idsOfTask: Set<String> = []
    private var segment = ""
    private var current: SegmentReader<DiskFileSystem>?
    /// The next segment. The current one is read once more before it: it may have got records before the next segment was created.
    private var following: String?
    /// The instant when the segment began. A segment begins with records of the present state, which have earlier instants. These are
    /// printed only for the first segment.
    private var segmentBegan: Instant?
    private var isFirstSegment = true

    init(_ session: Session, since: Instant?) throws(Failure) {
        self.session = session
        fs = try session.openSpool()
        id = session.arguments.value("id")
        task = session.arguments.value("task")
        self.since = since
    }

    /// Reads again at the next opportunity: new records may exist.
    mutating func expectMore() { mayHaveMore = !isDamaged }

    /// The number of bytes that are read at a time.
    private static let partBytes: Int64 = 1 << 20

    /// Reads some of the records that follow those read before.
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

    /// Fields that are of no use to a reader.
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
            let time = session.time(fields.at)
            let start = time.count + kind.count + 4
            // A line that is too long continues below its fields.
            let lines = Columns.wrapped(text, to: max(20, output.columns - start))
                .joined(separator: "\n" + String(repeating: " ", count: start))
            emit(fields.at, "\(output.coloured(time, .dim))  \(output.coloured(kind, .bold))  \(lines)")
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
            if Self.numbers.contains(key), let number = Int64(text) {
                writer.integer(number)
            } else {
                writer.string(key == "id" || key == "task" ? session.qualified(text) : text)
            }
        }
        writer.endObject()
        emit(fields.at, String(decoding: writer.bytes, as: UTF8.self))
    }

    private static let numbers: Set<String> = [
        "try", "exit_code", "signal", "pid", "wall_ms", "user_ms", "sys_ms", "max_rss", "count", "inode", "size", "mtime",
    ]
}
