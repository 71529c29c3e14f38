import Executors
import Glibc
import Linux

/// A file that a job needs on the other host.
struct SentFile {
    /// Its name there.
    let name: String
    /// The words for it in messages.
    let what: String
    let size: Int64
    /// Tells a file from a later one of the same name, so that parts of both are not mixed.
    let tag: String
    private let content: Content

    private enum Content {
        case bytes([UInt8])
        case path(String)
        /// A text that depends on the other side.
        case text((FarSurroundings) -> [UInt8])
    }

    private init(_ name: String, _ what: String, _ bytes: [UInt8]) {
        self.name = name
        self.what = what
        size = Int64(bytes.count)
        tag = "w"
        content = .bytes(bytes)
    }

    /// A text whose size is known when the directory is.
    init(_ name: String, text: @escaping (FarSurroundings) -> [UInt8]) {
        self.name = name
        what = name
        size = 0
        tag = "w"
        content = .text(text)
    }

    init(_ name: String, path: String, what: String) throws(SystemError) {
        self.name = name
        self.what = what
        let status = try FileStatus.read(path, followingLinks: true)
        guard status.kind == .file else { throw SystemError(call: "read", path: path, errno: EINVAL) }
        size = status.size
        tag = "\(status.size)-\(String(UInt64(bitPattern: status.modifiedNanoseconds), radix: 36))"
        content = .path(path)
    }

    /// The file as it is sent there.
    func resolved(_ surroundings: FarSurroundings) -> SentFile {
        guard case .text(let text) = content else { return self }
        return SentFile(name, what, text(surroundings))
    }

    func read(from offset: Int64, count: Int) throws(SystemError) -> [UInt8] {
        switch content {
        case .bytes(let bytes): return Array(bytes[min(Int(offset), bytes.count)..<min(Int(offset) + count, bytes.count)])
        case .path(let path):
            let file = try FileDescriptor.open(path, O_RDONLY | O_NOCTTY)
            return try file.read(count: count, at: offset)
        case .text: preconditionFailure("it is resolved before it is read")
        }
    }

    // MARK: The files of a job

    /// The files that a job needs there: its own of its directory, its input, and the wrapper. Throws for an input that cannot be sent.
    static func all(of item: Submission) throws(SystemError) -> [SentFile] {
        var files: [SentFile] = []
        let directory = try Directory.open(item.run.directory)
        for entry in try directory.list() where entry.kind == .file && FarSurroundings.isSent(entry.name) {
            files.append(try SentFile(entry.name, path: "\(item.run.directory)/\(entry.name)", what: entry.name))
        }
        var item = item
        if let input = item.input, input != "/dev/null" {
            let path = input.hasPrefix("/") ? input : "\(item.workingDirectory)/\(input)"
            if !files.contains(where: { "\(item.run.directory)/\($0.name)" == path }) {
                files.append(try SentFile(FarSurroundings.inputName, path: path, what: "its input \(path)"))
                item.input = "\(item.run.directory)/\(FarSurroundings.inputName)"
            }
        }
        let (home, user) = (ProcessEnvironment.value("HOME"), ProcessEnvironment.value("USER"))
        files.append(SentFile("wrapper.\(item.run.attempt)") { there in there.wrapper(of: item, home: home, user: user) })
        return files
    }
}
