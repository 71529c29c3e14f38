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
        // Open until the program ends.
        descriptor = try attempt { () throws(SystemError) -> Int32 in
            let file = try FileDescriptor.open(path, O_RDONLY | O_NOCTTY)
            return file.release()
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

    /// The lines that are complete with the next piece of input, which may be none; nil at the end. Does not wait for more, so that a
    /// slow writer's lines are not held back.
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

    /// What comes next, some of it; nil at the end.
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
