import Documents
import Glibc
import Linux

/// The reading end of a pipe from a program that the daemon has started, and the bytes that were read from it.
struct ProgramStream {
    /// -1 after the end of the stream.
    private(set) var descriptor: Int32
    private(set) var bytes: [UInt8] = []
    private let bytesMax: Int

    /// - Parameters:
    ///   - pipe: the pipe. Its writing end, which the program has, is closed here.
    ///   - bytesMax: the number of bytes after which nothing more is read.
    init(_ pipe: consuming Pipe, bytesMax: Int) {
        let (reading, writing) = pipe.release()
        close(writing)
        descriptor = reading
        self.bytesMax = bytesMax
    }

    /// True when the program has written as much as is read, or more.
    var isFull: Bool { bytes.count >= bytesMax }

    /// Reads the bytes that are there, without waiting.
    mutating func read() {
        while descriptor >= 0, !isFull {
            var buffer = [UInt8](repeating: 0, count: min(65_536, bytesMax - bytes.count))
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count > 0 {
                bytes += buffer[..<count]
            } else if count == 0 || errno != EINTR && errno != EAGAIN {
                end()
            } else if errno == EAGAIN {
                return
            }
        }
    }

    /// `: ` and the first line, for a message. Empty when there is none.
    var complaint: String {
        let line = bytes.split(separator: UInt8(ascii: "\n")).first ?? []
        return line.isEmpty ? "" : ": \(TerminalText.safe(String(decoding: line.prefix(300), as: UTF8.self)))"
    }

    /// Closes the descriptor.
    mutating func end() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }
}
