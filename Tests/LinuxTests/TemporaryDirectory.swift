import Glibc
import Linux
import TestSupport

/// A directory for one test, which is removed with everything in it after the test.
final class TemporaryDirectory {
    let path: String
    let directory: Directory

    init() throws {
        path = try makeTemporaryDirectory(in: "/tmp", "spoold-linux")
        directory = try Directory.open(path)
    }

    deinit {
        try? Directory.open("/tmp").removeTree(String(path.dropFirst(5)))  // a failed test may have removed it already
    }

    func text(_ name: String) throws -> String { String(decoding: try directory.readFile(name, limit: .max), as: UTF8.self) }

    /// The file has no writer any more, so that it can be executed.
    func write(_ name: String, _ text: String, mode: mode_t = 0o600) throws {
        try Descriptors.alone { try directory.writeFile(name, Array(text.utf8), mode: mode) }
    }

    func names() throws -> [String] { try directory.list().map(\.name).sorted() }
}

/// The limit of each wait. An expected event never takes this long, even where a process stands still for a minute.
let patienceMilliseconds: Int32 = 600_000

struct TimedOut: Error {}

/// Waits until a descriptor is readable, or its other end is closed.
func awaitReadable(_ raw: Int32) throws {
    let end = MonotonicInstant.now().advanced(byMilliseconds: Int64(patienceMilliseconds))
    guard awaitReadable([raw], until: end) else { throw TimedOut() }
}

/// A named pipe. A job writes to it to report its progress, or reads from it to wait.
final class Pipe {
    let path: String
    private let descriptor: FileDescriptor

    init(_ directory: TemporaryDirectory, _ name: String) throws {
        path = "\(directory.path)/\(name)"
        guard mkfifo(path, 0o600) == 0 else { throw SystemError(call: "mkfifo", path: path, errno: errno) }
        // The pipe is open for reading and writing, so that opening it does not wait.
        descriptor = try FileDescriptor.open(path, O_RDWR | O_NONBLOCK)
    }

    /// The next line that somebody writes.
    func line() throws -> String {
        var line: [UInt8] = []
        while true {
            try awaitReadable(descriptor.raw)
            let byte = try withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { buffer in
                try descriptor.read(into: UnsafeMutableRawBufferPointer(buffer)) == 1 ? buffer[0] : nil
            }
            guard let byte, byte != UInt8(ascii: "\n") else { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
    }

    func write(_ line: String) throws { try descriptor.write(Array("\(line)\n".utf8)) }
}
