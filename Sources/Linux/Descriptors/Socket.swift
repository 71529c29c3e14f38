import CLinux
import Glibc

/// Two connected sockets, socketpair(2).
public struct SocketPair: ~Copyable {
    public let first: FileDescriptor
    public let second: FileDescriptor

    /// A pair of stream sockets, AF_UNIX and SOCK_STREAM, close-on-exec. `nonBlocking` concerns the first of them only: the
    /// second is given to another program.
    public init(nonBlocking: Bool = false) throws(SystemError) {
        var pair: (Int32, Int32) = (-1, -1)
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        try attempt("socketpair") {
            withUnsafeMutablePointer(to: &pair) {
                $0.withMemoryRebound(to: Int32.self, capacity: 2) { socketpair(AF_UNIX, type, 0, $0) }
            }
        }
        let (one, other) = pair
        // F_SETFL cannot fail on a socket just made.
        if nonBlocking { _ = linux_fcntl_int(one, F_SETFL, O_NONBLOCK) }
        first = FileDescriptor(owning: one)
        second = FileDescriptor(owning: other)
    }

    /// Gives both descriptors to the caller, who closes them.
    public consuming func release() -> (first: Int32, second: Int32) {
        (first.release(), second.release())
    }
}
