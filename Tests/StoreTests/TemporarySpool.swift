import Glibc
import Store
import TestSupport
import Testing

/// An empty spool in a temporary directory, which is removed with this object. Tests create and read its files directly, without
/// the code under test.
final class TemporarySpool {
    let path: String

    init() throws {
        // The directory is in memory if possible, because the tests sync often.
        path = try makeTemporaryDirectory(in: access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", "spool-test")
        try Spool.prepare(try DiskFileSystem(path: path))
    }

    deinit {
        guard let slash = path.lastIndex(of: "/"), let parent = try? Directory.open(String(path[..<slash])) else { return }
        // A directory that cannot be removed stays as litter.
        try? parent.removeTree(String(path[path.index(after: slash)...]))
    }

    func disk() throws -> DiskFileSystem { try DiskFileSystem(path: path) }

    func spool() throws -> Spool<DiskFileSystem> { Spool(try disk(), host: "h") }

    // MARK: Actions of people

    func write(_ name: String, _ text: String, mode: mode_t = 0o600) throws { try write(name, Array(text.utf8), mode: mode) }

    func write(_ name: String, _ bytes: [UInt8], mode: mode_t = 0o600) throws {
        try Directory.open(path).writeFile(name, bytes, mode: mode)
        // The journal under test may have this segment open.
        if !name.hasPrefix("journal/") { try awaitNoWriter(name) }
    }

    /// Opens a file for writing and keeps it open until `letGo`.
    func hold(_ name: String) throws -> Int32 {
        let descriptor = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemError(call: "open", path: name, errno: errno) }
        return descriptor
    }

    func letGo(_ descriptor: Int32, _ name: String) throws {
        close(descriptor)
        try awaitNoWriter(name)
    }

    /// A process that another test is starting has a copy of each descriptor until it executes. Intake would then see the file as
    /// open for writing, and leave it alone.
    private func awaitNoWriter(_ name: String) throws {
        let root = try Directory.open(path)
        while try !root.openFile(name, O_RDONLY | O_NOFOLLOW).excludeWriters() { sched_yield() }
    }

    func read(_ name: String) throws -> [UInt8] { try Directory.open(path).readFile(name, limit: .max) }

    func text(_ name: String) -> String? { (try? read(name)).map { String(decoding: $0, as: UTF8.self) } }

    func move(_ name: String, to other: String) throws { try Directory.open(path).rename(name, to: other) }

    func remove(_ name: String) throws { try Directory.open(path).removeTree(name) }

    func exists(_ name: String) -> Bool { (try? Directory.open(path).status(name)) != nil }

    func names(_ directory: String) throws -> [String] {
        try Directory.open(path).openDirectory(directory).list().map(\.name).sorted()
    }

    /// Every path with its content: directories as `path/`, files as `path=content`.
    func tree(_ directories: [String] = ["new", "running", "done", "failed"]) throws -> [String] {
        var lines: [String] = []
        let root = try Directory.open(path)
        func walk(_ directory: String) throws {
            for entry in try root.openDirectory(directory).list() {
                let path = "\(directory)/\(entry.name)"
                switch entry.kind {
                case .directory:
                    lines.append("\(path)/")
                    try walk(path)
                case .file: lines.append("\(path)=\(String(decoding: try root.readFile(path, limit: .max), as: UTF8.self))")
                default: lines.append("\(path) \(entry.kind)")
                }
            }
        }
        for directory in directories { try walk(directory) }
        return lines.sorted()
    }

    /// The paths alone. A status file also shows its state and its try.
    func shape() throws -> [String] {
        try tree().compactMap { line in
            guard let equals = line.firstIndex(of: "=") else { return line }
            let path = String(line[..<equals])
            guard path.hasSuffix("/status.json") else { return path }
            guard let table = JSON.readableTable(Array(line[line.index(after: equals)...].utf8)),
                case .string(let state)? = table["state"]?.kind, case .integer(let attempt)? = table["try"]?.kind
            else { return "\(path) damaged" }
            return "\(path) \(state) \(attempt)"
        }
    }
}

// MARK: - Jobs

func source(_ text: String, _ format: Source.Format = .toml) -> Source { Source(format: format, bytes: Array(text.utf8)) }

func accepted(
    _ name: String, _ text: String = "command = \":\"", _ format: Source.Format = .toml, file: FileStamp? = nil,
    unique: UInt64 = 1
) throws -> AcceptedJob {
    let source = source(text, format)
    let definition = try JobDefinition.read(try source.table(), isScript: format == .script, context)
    return AcceptedJob(
        id: JobID(instant: now, name: name, unique: unique), name: name, due: now, createdAt: now,
        notBefore: definition.start ?? now, source: source, definition: definition, file: file)
}
