import CLinux
import Glibc
import Linux

/// The socket of a service manager, sd_notify(3).
struct NotificationSocket: ~Copyable {
    private let descriptor: FileDescriptor
    private let path: String

    var raw: Int32 { descriptor.raw }

    init(path: String) throws {
        self.path = path
        let raw = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard raw >= 0 else { throw SystemError(call: "socket", path: path, errno: errno) }
        do { try bindSocket(raw, path) } catch {
            close(raw)
            throw error
        }
        descriptor = FileDescriptor(owning: raw)
    }

    /// Has ``receiveFromSender()`` return the senders, SO_PASSCRED of unix(7).
    func askForSenders() throws {
        var one: Int32 = 1
        guard setsockopt(descriptor.raw, SOL_SOCKET, SO_PASSCRED, &one, 4) == 0 else { throw SystemError(call: "setsockopt", errno: errno) }
    }

    /// The next message with the number of the process that sent it, nil when none waits.
    func receiveFromSender() -> (message: String, process: pid_t)? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        var control = [UInt64](repeating: 0, count: 8)
        let count = buffer.withUnsafeMutableBytes { buffer in
            control.withUnsafeMutableBytes { control in
                var part = iovec(iov_base: buffer.baseAddress, iov_len: buffer.count)
                return withUnsafeMutablePointer(to: &part) { part in
                    var message = msghdr()
                    message.msg_iov = part
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = control.count
                    return recvmsg(descriptor.raw, &message, 0)
                }
            }
        }
        guard count >= 0 else { return nil }
        // A struct ucred follows the header of the control data, cmsg(3).
        let process = control.withUnsafeBytes { $0.load(fromByteOffset: 16, as: pid_t.self) }
        return (String(decoding: buffer[..<count], as: UTF8.self), process)
    }

    /// The next message, nil when none waits.
    func receive() -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor.raw, &buffer, buffer.count, 0)
        return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }

    /// Sends messages until the socket takes none, so that a writer must wait until one is received.
    func fill() throws {
        var count = 0
        repeat {
            count = 0
            // One writer may be at a limit of its own before the socket is full.
            let writer = FileDescriptor(owning: socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
            try callWithAddress("connect", path) { connect(writer.raw, $0, $1) }
            while send(writer.raw, "x", 1, Int32(MSG_DONTWAIT)) == 1 { count += 1 }
            guard errno == EAGAIN else { throw SystemError(call: "send", path: path, errno: errno) }
        } while count > 0
    }
}

/// Gives a socket a name in the file system.
func bindSocket(_ raw: Int32, _ path: String) throws { try callWithAddress("bind", path) { bind(raw, $0, $1) } }

/// Calls what takes the address of a socket of this path and returns 0.
private func callWithAddress(_ call: String, _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) throws {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else {
        throw SystemError(call: call, path: path, errno: ENAMETOOLONG)
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
    guard result == 0 else { throw SystemError(call: call, path: path, errno: errno) }
}
