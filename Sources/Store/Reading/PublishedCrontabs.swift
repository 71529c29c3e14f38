// The lines of crontabs that are in force, as the daemon publishes them for programs that read the spool. The definitions in directories of
// `--tasks` are published in the same way: each directory is a crontab, and each file a line with a file of its own.
//
// The crontabs themselves are read where they are, and the journal decides what is in force. These files follow from both. They say
// which line of which crontab a task is, and contain the text of the task, so that nobody else needs to read or to be allowed to read the
// crontab.
//
// A file has one JSON object in each line: first the crontab, then its lines in order. The member `name` comes first, so that one task
// can be found without decoding the others.

import Scheduler

/// A crontab and its lines.
public struct PublishedCrontab: Sendable {
    public struct Line: Sendable {
        /// The task that is in force because of the line. Nil for an unusable line that was never a task.
        public var name: String?
        /// The line's number, from 1.
        public var number: Int
        /// The task's text.
        public var source: Source?
        /// The path of the task's own file, in a directory of `--tasks`. Nil for a line of a crontab.
        public var file: String?
        /// The time of the last change of that file.
        public var changedAt: Instant?
        /// The text of an unusable line, and the reason with its position. Nil for a line that can be used.
        public var fault: (text: String, why: String)?

        public init(name: String?, number: Int, source: Source?, fault: (text: String, why: String)? = nil) {
            (self.name, self.number, self.source, self.fault) = (name, number, source, fault)
        }
    }

    /// The path of the crontab.
    public var path: String
    /// True for a directory of `--tasks`.
    public var isDirectory = false
    /// The time of the file's last change.
    public var changedAt: Instant?
    /// The reason why the whole file is refused. Its lines as they were accepted last stay in force.
    public var refusal: String?
    public var lines: [Line]

    public init(path: String, isDirectory: Bool = false, changedAt: Instant?, refusal: String?, lines: [Line]) {
        (self.path, self.isDirectory, self.changedAt, self.refusal, self.lines) = (path, isDirectory, changedAt, refusal, lines)
    }

    // MARK: Text

    var text: [UInt8] {
        var writer = JSONWriter(reserving: 256 * (lines.count + 1))
        writer.beginObject()
        writer.member("crontab", path)
        if isDirectory { writer.member("directory", true) }
        writer.member("changed", changedAt)
        writer.member("refusal", refusal)
        writer.endObject()
        var bytes = writer.bytes + [UInt8(ascii: "\n")]
        for line in lines {
            var writer = JSONWriter(reserving: 512)
            writer.beginObject()
            writer.member("name", line.name)
            writer.member("line", line.number)
            if let file = line.file {
                writer.member("file", file)
                writer.member("changed", line.changedAt)
            }
            if let fault = line.fault {
                writer.member("fault", fault.text)
                writer.member("why", fault.why)
            }
            writer.member("format", line.source?.format.rawValue)
            writer.member("source", line.source.map { String(decoding: $0.bytes, as: UTF8.self) })
            writer.endObject()
            bytes += writer.bytes
            bytes.append(UInt8(ascii: "\n"))
        }
        return bytes
    }

    /// Reads such a text. Returns nil when it is something else, for example the text of a later version.
    ///
    /// - Parameter name: decode only the line of this task.
    init?(_ bytes: [UInt8], only name: String? = nil) {
        var texts = bytes.split(separator: UInt8(ascii: "\n"))[...]
        guard let first = texts.popFirst(), let head = Self.table(first), let path = head.text("crontab") else { return nil }
        self.path = path
        if case .boolean(true)? = head["directory"]?.kind { isDirectory = true }
        changedAt = head.instant("changed")
        refusal = head.text("refusal")
        let prefix = name.map { Array("{\"name\":\"\($0)\"".utf8) }
        lines = texts.compactMap { text in
            if let prefix, !text.starts(with: prefix) { return nil }
            guard let table = Self.table(text) else { return nil }
            let source = table.text("source").map { text in
                Source(format: table.text("format").flatMap { Source.Format(rawValue: $0) } ?? .toml, bytes: Array(text.utf8))
            }
            var line = Line(
                name: table.text("name"), number: table.whole("line").map { Int($0) } ?? 0, source: source,
                fault: table.text("fault").map { ($0, table.text("why") ?? "") })
            line.file = table.text("file")
            line.changedAt = table.instant("changed")
            return line
        }
    }

    private static func table(_ text: ArraySlice<UInt8>) -> Table? {
        guard case .table(let table)? = (try? JSON.parse(Array(text)))?.kind else { return nil }  // not a text of this form
        return table
    }

    /// The names of the tasks, without decoding their lines.
    static func names(in bytes: [UInt8]) -> [String] {
        let prefix = Array("{\"name\":\"".utf8)
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard line.starts(with: prefix) else { return nil }
            return String(decoding: line.dropFirst(prefix.count).prefix { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
        }
    }
}

/// A task that is a line of a crontab, or a file in a directory of `--tasks`.
public struct CrontabLineTask: Sendable {
    public var name: String
    /// The path of the crontab, or of the task's file.
    public var path: String
    /// The number of the line. Nil for a file.
    public var line: Int?
    public var source: Source
    public var changedAt: Instant?
    /// The reasons why the present text of the line or of the whole crontab is refused. Empty when it is in force.
    public var problems: [String]

    init?(_ crontab: PublishedCrontab, _ line: PublishedCrontab.Line) {
        guard let name = line.name, let source = line.source else { return nil }
        (self.name, path, self.line, self.source) = (name, line.file ?? crontab.path, line.file == nil ? line.number : nil, source)
        changedAt = line.changedAt ?? crontab.changedAt
        problems = [line.fault?.why, crontab.refusal].compactMap(\.self)
    }
}

extension DefinitionFile {
    init(_ line: CrontabLineTask) {
        self.init(file: "\(line.name).toml", stem: line.name, source: line.source, changedAt: line.changedAt ?? Instant(milliseconds: 0))
        if line.line == nil { mounted = line.path } else { crontab = line.path }
    }
}

extension Spool {
    // MARK: Tasks

    /// The files of all tasks, by name: those in `tasks/`, and for a line of a crontab the path of the crontab.
    public func taskFiles() throws(SystemError) -> [String: [String]] {
        var files = try definitionFiles(in: Layout.tasks)
        for (name, path) in try crontabNames() { files[name] = [path] }
        return files
    }

    /// The tasks that are lines of crontabs, with the path of the crontab.
    func crontabNames() throws(SystemError) -> [String: String] {
        var names: [String: String] = [:]
        for crontab in try publishedTexts() {
            guard let path = PublishedCrontab(crontab, only: "")?.path else { continue }
            for name in PublishedCrontab.names(in: crontab) { names[name] = path }
        }
        return names
    }

    /// The files of one task. Empty when there is no such task.
    public func taskFiles(named name: String) throws(SystemError) -> [String] {
        if let line = try crontabTask(name) { return [line.path] }
        return try definitionFiles(in: Layout.tasks, stem: name)
    }

    /// The lines of crontabs among these tasks, by name.
    func crontabTasks(among files: Files) throws(SystemError) -> [String: CrontabLineTask] {
        let names = files.filter { $0.files.first?.utf8.first == UInt8(ascii: "/") }.map(\.stem)
        guard names.count > 1 else {
            guard let name = names.first, let line = try crontabTask(name) else { return [:] }
            return [name: line]
        }
        let wanted = Set(names)
        var lines: [String: CrontabLineTask] = [:]
        for crontab in try publishedCrontabs() {
            for line in crontab.lines where line.name.map(wanted.contains) ?? false {
                if let task = CrontabLineTask(crontab, line) { lines[task.name] = task }
            }
        }
        return lines
    }

    // MARK: Crontabs

    /// The file in which a crontab is published.
    static func publishedPath(ofCrontab path: String) -> String {
        let name = String(decoding: path.utf8.map { $0 == UInt8(ascii: "/") ? UInt8(ascii: "-") : $0 }, as: UTF8.self)
        // The names of two long paths differ in the number.
        let isLong = name.utf8.count > 150
        return "\(Layout.crontabs)/\(isLong ? "\(name.prefix(60))-\(stableHash(path))" : String(name.drop { $0 == "-" })).jsonl"
    }

    public func publish(_ crontab: PublishedCrontab) throws(SystemError) {
        if try fs.status(Layout.crontabs) == nil { try fs.makeDirectory(Layout.crontabs) }
        try fs.replace(Self.publishedPath(ofCrontab: crontab.path), crontab.text)
    }

    public func unpublish(crontab path: String) throws(SystemError) {
        try fs.removeTreeIfThere(Self.publishedPath(ofCrontab: path))
    }

    /// The published form of a crontab. Nil when there is none.
    public func publishedCrontab(_ path: String) throws(SystemError) -> PublishedCrontab? {
        guard let bytes = try publishedText(Self.publishedPath(ofCrontab: path)) else { return nil }
        return PublishedCrontab(bytes).flatMap { $0.path == path ? $0 : nil }
    }

    /// All published crontabs, by path.
    public func publishedCrontabs() throws(SystemError) -> [PublishedCrontab] {
        try publishedTexts().compactMap { PublishedCrontab($0) }.sorted { $0.path < $1.path }
    }

    /// The paths of the directories of `--tasks` among them.
    public func publishedDirectories() throws(SystemError) -> [String] {
        try publishedTexts().compactMap { PublishedCrontab($0, only: "") }.filter(\.isDirectory).map(\.path)
    }

    /// The task of this name, if it is a line of a crontab.
    public func crontabTask(_ name: String) throws(SystemError) -> CrontabLineTask? {
        for text in try publishedTexts() {
            guard let crontab = PublishedCrontab(text, only: name), let line = crontab.lines.first else { continue }
            return CrontabLineTask(crontab, line)
        }
        return nil
    }

    private func publishedTexts() throws(SystemError) -> [[UInt8]] {
        var texts: [[UInt8]] = []
        for entry in try fs.list(Layout.crontabs).sorted(by: { $0.name < $1.name }) where entry.name.hasSuffix(".jsonl") {
            if let text = try publishedText("\(Layout.crontabs)/\(entry.name)") { texts.append(text) }
        }
        return texts
    }

    private func publishedText(_ path: String) throws(SystemError) -> [UInt8]? {
        guard case .file(_, let bytes) = try fs.take(path, limit: Layout.crontabsBytesMax, ignoringWriters: true) else { return nil }
        return bytes
    }
}
