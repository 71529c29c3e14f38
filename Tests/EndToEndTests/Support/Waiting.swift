import CLinux
import Glibc
import Linux

/// The socket of a service manager, sd_notify(3).
struct NotificationSocket: ~Copyable {
    private let descriptor: FileDescriptor

    var raw: Int32 { descriptor.raw }

    init(path: String) throws {
        let raw = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard raw >= 0 else { throw SystemError(call: "socket", path: path, errno: errno) }
        do { try bindSocket(raw, path) } catch {
            close(raw)
            throw error
        }
        descriptor = FileDescriptor(owning: raw)
    }

    /// The next message, nil when none waits.
    func receive() -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor.raw, &buffer, buffer.count, 0)
        return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }
}

/// Gives a socket a name in the file system.
func bindSocket(_ raw: Int32, _ path: String) throws {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else {
        throw SystemError(call: "bind", path: path, errno: ENAMETOOLONG)
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
    guard result == 0 else { throw SystemError(call: "bind", path: path, errno: errno) }
}
