import CLinux
import Glibc
import Lines
import Linux

/// Standard input, or a file in its place, read as a whole or line by line.
final class StandardInput {
    private let descriptor: Int32
    private let name: String
    private var reader = LineReader()
    private var isAtEnd = false

    init() {
        descriptor = STDIN_FILENO
        name = "stdin"
    }

    init(path: String) throws(Failure) {
        name = path
        // The file stays open until the program ends.
        descriptor = try attempt { () throws(SystemError) -> Int32 in
            let file = try FileDescriptor.open(path, O_RDONLY | O_NOCTTY)
            return file.release()
        }
    }

    enum Kind {
        /// No input: closed, a terminal, or /dev/null.
        case none
        /// A file, with the number of bytes after the present position.
        case file(bytes: Int)
        case stream
    }

    /// The kind of standard input that the caller has given.
    static var kind: Kind {
        var status = stat()
        guard StandardDescriptors.hasInput, isatty(STDIN_FILENO) == 0, fstat(STDIN_FILENO, &status) == 0 else { return .none }
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            // Reading from a file that is open only for writing fails later, with the reason.
            return .file(bytes: max(0, Int(status.st_size) - max(0, lseek(STDIN_FILENO, 0, SEEK_CUR))))
        case S_IFCHR where status.st_rdev == linux_makedev(1, 3): return .none
        default: return .stream
        }
    }

    static func readAll(limit: Int) throws(Failure) -> [UInt8] {
        let input = StandardInput()
        var bytes: [UInt8] = []
        while let chunk = try input.nextChunk() {
            bytes += chunk
            if bytes.count > limit { throw .invalid("stdin: more than \(limit) bytes") }
        }
        return bytes
    }

    /// The lines that the next piece of input completes, possibly none; nil at the end. It never waits for a whole buffer, so a slow
    /// writer's lines are returned at once.
    func nextLines() throws(Failure) -> Lines? {
        guard !isAtEnd else { return nil }
        let chunk = try nextChunk()
        isAtEnd = chunk == nil
        do throws(NotLines) {
            if let chunk { return try reader.lines(in: chunk) }
            return try reader.end()
        } catch {
            throw .invalid("\(name):\(error.line):\(error.column): \(error.message); \(error.hint)")
        }
    }

    /// The next piece of input; nil at the end.
    func nextChunk() throws(Failure) -> [UInt8]? {
        let descriptor = descriptor
        while true {
            var failure: Int32 = 0
            let chunk = [UInt8](unsafeUninitializedCapacity: 256 << 10) { buffer, count in
                let result = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                count = max(result, 0)
                failure = result < 0 ? errno : 0
            }
            if failure == EINTR { continue }
            if failure != 0 { throw Failure(SystemError(call: "read", path: name, errno: failure)) }
            return chunk.isEmpty ? nil : chunk
        }
    }
}
