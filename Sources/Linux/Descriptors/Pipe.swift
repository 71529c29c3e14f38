import CLinux
import Glibc

/// A pipe, pipe2(2). Bytes that are written to one end are read from the other.
public struct Pipe: ~Copyable {
    /// Non-blocking.
    public let reading: FileDescriptor
    /// Blocking, because this end is given to another program.
    public let writing: FileDescriptor

    public init() throws(SystemError) {
        var ends: (Int32, Int32) = (-1, -1)
        try attempt("pipe2") {
            withUnsafeMutablePointer(to: &ends) {
                $0.withMemoryRebound(to: Int32.self, capacity: 2) { linux_pipe2($0, O_CLOEXEC) }
            }
        }
        let (one, other) = ends
        // F_SETFL cannot fail on a pipe just made.
        _ = linux_fcntl_int(one, F_SETFL, O_NONBLOCK)
        reading = FileDescriptor(owning: one)
        writing = FileDescriptor(owning: other)
    }

    /// Gives both descriptors to the caller, who closes them.
    public consuming func release() -> (reading: Int32, writing: Int32) {
        (reading.release(), writing.release())
    }
}
