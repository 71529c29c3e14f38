import CLinux
import Glibc

/// A socket that accepts connections, listen(2); non-blocking and close-on-exec.
public struct Listener: ~Copyable {
    public let descriptor: FileDescriptor
    /// True for a Unix socket, which only those reach whom the modes of its path let through.
    public let isUnix: Bool
    /// The number of the port; nil for a Unix socket.
    public let port: UInt16?

    private static let waitingMax: Int32 = 512
    private static let stream = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)

    /// Listens on an address of the internet, of version 4 or 6, without brackets. Port 0 is any that is free.
    ///
    /// Throws EINVAL for a text that is not an address: names are not looked up.
    public init(address: String, port: UInt16) throws(SystemError) {
        var four = sockaddr_in()
        var six = sockaddr_in6()
        let raw: Int32
        if inet_pton(AF_INET, address, &four.sin_addr) == 1 {
            four.sin_family = sa_family_t(AF_INET)
            four.sin_port = port.bigEndian
            raw = try Self.bound(AF_INET, &four, to: "\(address):\(port)")
        } else if inet_pton(AF_INET6, address, &six.sin6_addr) == 1 {
            six.sin6_family = sa_family_t(AF_INET6)
            six.sin6_port = port.bigEndian
            raw = try Self.bound(AF_INET6, &six, to: "[\(address)]:\(port)")
        } else {
            throw SystemError(call: "inet_pton", path: address, errno: EINVAL)
        }
        self = try Listener(owning: raw)
    }

    /// Listens on a Unix socket, which gets this mode. A socket there on which nobody listens any more is replaced.
    ///
    /// Throws EADDRINUSE when another process listens there, or when the path is no socket.
    public init(path: String, mode: mode_t) throws(SystemError) {
        var address = sockaddr_un()
        let bytes = FileName.bytes(of: path)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw SystemError(call: "bind", path: path, errno: ENAMETOOLONG)
        }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        // The mode holds from the beginning: nobody can connect before it is set.
        let before = umask(~mode & 0o777)
        defer { umask(before) }
        do throws(SystemError) {
            self = try Listener(owning: try Self.bound(AF_UNIX, &address, to: path))
            return
        } catch {
            guard error.errno == EADDRINUSE, Self.isLeft(&address, path), unlink(path) == 0 else { throw error }
        }
        self = try Listener(owning: try Self.bound(AF_UNIX, &address, to: path))
    }

    /// Takes over a socket that listens already, sd_listen_fds(3). Throws ENOTSOCK or EINVAL for any other descriptor.
    public init(owning raw: Int32) throws(SystemError) {
        let socket = FileDescriptor(owning: raw)
        _ = linux_fcntl_int(raw, F_SETFD, FD_CLOEXEC)
        _ = linux_fcntl_int(raw, F_SETFL, O_NONBLOCK)
        var address = sockaddr_in6()
        var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        try attempt("getsockname") {
            withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(raw, $0, &size) }
            }
        }
        try attempt("listen") { listen(raw, Self.waitingMax) }
        isUnix = address.sin6_family == sa_family_t(AF_UNIX)
        // Both versions have the port in the same place.
        port = isUnix ? nil : UInt16(bigEndian: address.sin6_port)
        descriptor = socket
    }

    /// The next connection, accept4(2), non-blocking and close-on-exec. Nil when none waits. A connection that ended while it waited is
    /// left out.
    public borrowing func accept() throws(SystemError) -> FileDescriptor? {
        let raw = descriptor.raw
        while true {
            do throws(SystemError) { return FileDescriptor(owning: try attempt("accept4") { linux_accept(raw) }) } catch {
                if error.errno == EAGAIN { return nil }
                // accept(2): errors of a connection that was about to be accepted, which are those of the network.
                let lost = [ECONNABORTED, ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH]
                if !lost.contains(error.errno) { throw error }
            }
        }
    }

    private static func bound<Address>(_ family: Int32, _ address: inout Address, to name: String) throws(SystemError) -> Int32 {
        let socket = FileDescriptor(owning: try attempt("socket") { Glibc.socket(family, stream, 0) })
        let raw = socket.raw
        if family != AF_UNIX {
            // A restart need not wait until the old connections are forgotten.
            var yes: Int32 = 1
            _ = setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        }
        try attempt("bind", name) { with(&address) { bind(raw, $0, $1) } }
        return socket.release()
    }

    /// True when the path is a Unix socket of a process that has ended.
    private static func isLeft(_ address: inout sockaddr_un, _ path: String) -> Bool {
        // Connecting to any other file is refused as well.
        guard (try? FileStatus.read(path))?.kind == .socket else { return false }  // not to be examined: left alone
        let raw = Glibc.socket(AF_UNIX, stream, 0)
        guard raw >= 0 else { return false }
        defer { close(raw) }
        return with(&address) { connect(raw, $0, $1) } != 0 && errno == ECONNREFUSED
    }

    private static func with<Address>(_ address: inout Address, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<Address>.size)) }
        }
    }
}
