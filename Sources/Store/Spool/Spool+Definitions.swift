// Reads tasks and schedules.

/// A file in `tasks/` or `schedules/` that has been read.
public struct DefinitionFile: Sendable {
    /// The file's name in its directory.
    public var file: String
    /// The task's name or the schedule's id.
    public var stem: String
    public var source: Source
    public var changedAt: Instant
    /// The instant from which relative times count: the file's last change, unless the journal contains the same text from an
    /// earlier time.
    public var writtenAt: Instant
    /// The file's stamp before the text was read. Nil for a text that is in no file.
    public var stamp: ContentStamp?
    /// A change of the file after this instant gives it another stamp.
    public private(set) var stampSettles: Instant?
    /// The path of the crontab whose line the task is. Nil for a file in `tasks/` or `schedules/`.
    public var crontab: String?
    /// The path of the file, if it is in a directory of `--tasks`.
    public var mounted: String?

    public init(file: String, stem: String, source: Source, changedAt: Instant) {
        (self.file, self.stem, self.source, self.changedAt) = (file, stem, source, changedAt)
        writtenAt = changedAt
    }

    init(file: String, stem: String, source: Source, _ status: FileStatus) {
        self.init(file: file, stem: stem, source: source, changedAt: Instant(milliseconds: status.changedNanoseconds / 1_000_000))
        stamp = ContentStamp(status)
        stampSettles = ContentStamp.settles(changedNanoseconds: status.changedNanoseconds)
    }

    func context(_ context: ReadingContext) -> ReadingContext {
        var context = context
        context.now = min(writtenAt, context.now)
        return context
    }
}

/// The reason why a definition cannot be used: lines of `file:line:column: …` for people.
public struct DefinitionProblem: Error, Sendable, Hashable {
    public var stem: String
    public var lines: [String]
    /// The system's error, if that is the reason.
    public var errno: Int32?
}

/// The files of one stem in `tasks/` or `schedules/`.
public struct FoundDefinition: Sendable {
    public let stem: String
    public let file: String
    /// The file's attributes when it was found. Nil when it could not be looked at.
    public let status: FileStatus?
    /// More files of this stem, which is a mistake.
    public fileprivate(set) var others: [String] = []

    public var files: [String] { [file] + others }
}

extension ContentStamp {
    init(_ status: FileStatus) {
        self.init(
            inode: status.inode, size: status.size, modifiedNanoseconds: status.modifiedNanoseconds,
            changedNanoseconds: status.changedNanoseconds)
    }
}

extension Spool {
    /// The files of `tasks/` or `schedules/` that are definitions. Those of one stem are one definition.
    public func findDefinitions(in directory: String) throws(SystemError) -> [FoundDefinition] {
        var found: [FoundDefinition] = []
        // Almost all names end with .toml, so that two of them have different stems.
        var others: [String: [FoundDefinition]] = [:]
        for (entry, status) in try fs.survey(directory) where !Name.isUnfinished(entry.name) && entry.kind != .directory {
            if let status, fs.isForeign(status) { continue }
            let definition = FoundDefinition(stem: Layout.stem(of: entry.name), file: entry.name, status: status)
            if entry.name.hasSuffix(".toml") { found.append(definition) } else { others[definition.stem, default: []].append(definition) }
        }
        guard !others.isEmpty else { return found }
        for index in found.indices {
            for other in others.removeValue(forKey: found[index].stem) ?? [] { found[index].others.append(other.file) }
        }
        for same in others.values {
            var first = same[0]
            first.others = same.dropFirst().map(\.file)
            found.append(first)
        }
        return found
    }

    /// The names of the files that are definitions, by stem.
    public func definitionFiles(in directory: String) throws(SystemError) -> [String: [String]] {
        // Where all files count, their attributes are not needed.
        var files: [String: [String]] = [:]
        if fs.hasForeign {
            for found in try findDefinitions(in: directory) { files[found.stem] = found.files }
            return files
        }
        for entry in try fs.list(directory) where !Name.isUnfinished(entry.name) && entry.kind != .directory {
            files[Layout.stem(of: entry.name), default: []].append(entry.name)
        }
        return files
    }

    /// The present files of one stem.
    public func definitionFiles(in directory: String, stem: String) throws(SystemError) -> [String] {
        var found: [String] = []
        for ending in [".toml", ".json"] {
            let path = "\(directory)/\(stem)\(ending)"
            if try fs.status(path) != nil, try fs.foreignOwner(path) == nil { found.append(stem + ending) }
        }
        return found
    }

    /// Reads the definition of one stem. Returns nil while it is still being written.
    ///
    /// - Parameter status: the file's attributes, if the caller has just looked at it.
    public func definition(
        in directory: String, stem: String, files: [String], _ status: FileStatus? = nil
    ) throws(DefinitionProblem) -> DefinitionFile? {
        func problem(_ file: String, _ why: String) -> DefinitionProblem {
            DefinitionProblem(stem: stem, lines: ["\(directory)/\(file): \(why)"])
        }
        let files = files.sorted()
        guard let file = files.first else { throw problem(stem, "is gone") }
        guard files.count == 1 else {
            throw problem(file, "has the same name as \(files[1]); only one file may have it, so neither is used")
        }
        guard file.hasSuffix(".toml") || file.hasSuffix(".json") else {
            throw problem(file, "is neither .toml nor .json")
        }
        guard Name.isValid(stem) else {
            throw problem(file, "is not a name: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with . or -")
        }
        let taken: TakenFile
        do throws(SystemError) { taken = try fs.take("\(directory)/\(file)", lookedAt: status, limit: Source.bytesMax) } catch {
            throw DefinitionProblem(stem: stem, lines: ["\(directory)/\(file): \(error)"], errno: error.errno)
        }
        switch taken {
        case .missing, .foreign: throw problem(file, "is gone")
        case .busy: return nil
        case .refused(_, let why): throw problem(file, why)
        case .other(let kind): throw problem(file, "is \(kind.article), not a regular file")
        case .tooLarge(let status): throw problem(file, "is \(status.size) bytes; at most \(Source.bytesMax) are read")
        case .file(let status, let bytes):
            let format: Source.Format = file.hasSuffix(".toml") ? .toml : .json
            return DefinitionFile(file: file, stem: stem, source: Source(format: format, bytes: bytes), status)
        }
    }

    /// The definition of a file that has not changed since its text was accepted. Nil when the file must be read.
    public func unchanged(_ found: FoundDefinition, since known: RecordedDefinition?) -> DefinitionFile? {
        guard found.others.isEmpty, let known, let stamp = known.stamp, let status = found.status, ContentStamp(status) == stamp,
            fs.isUsable(status), found.file.hasSuffix(".\(known.source.format.rawValue)")
        else { return nil }
        return DefinitionFile(file: found.file, stem: found.stem, source: known.source, status)
    }

    /// The task that a file defines.
    public func task(_ file: DefinitionFile, _ context: ReadingContext) throws(DefinitionProblem) -> TaskDefinition {
        do throws(Problems) {
            var task = try TaskDefinition(name: file.stem, source: file.source, file.context(context))
            (task.crontab, task.mounted) = (file.crontab, file.mounted)
            return task
        } catch {
            throw DefinitionProblem(
                stem: file.stem, lines: error.all.map { "\(Layout.tasks)/\(file.file):\($0)" })
        }
    }

    public func schedule(
        _ file: DefinitionFile, _ context: ReadingContext
    ) throws(DefinitionProblem) -> (task: String, schedule: ScheduleDefinition) {
        do throws(Problems) {
            return try ScheduleDefinition.file(id: file.stem, source: file.source, file.context(context))
        } catch {
            throw DefinitionProblem(
                stem: file.stem, lines: error.all.map { "\(Layout.schedules)/\(file.file):\($0)" })
        }
    }
}
