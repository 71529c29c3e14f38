import CLinux
import Glibc

/// A message for journald: fields with names of `A-Z0-9_`, in the form of its native protocol
/// (https://systemd.io/JOURNAL_NATIVE_PROTOCOL).
public struct JournalMessage {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    /// Adds a field. A value with a line break is written with its length.
    public mutating func add(_ name: String, _ value: some Collection<UInt8>) {
        bytes += name.utf8
        if value.contains(UInt8(ascii: "\n")) {
            bytes.append(UInt8(ascii: "\n"))
            withUnsafeBytes(of: UInt64(value.count).littleEndian) { bytes += $0 }
        } else {
            bytes.append(UInt8(ascii: "="))
        }
        bytes += value
        bytes.append(UInt8(ascii: "\n"))
    }

    public mutating func add(_ name: String, _ value: String) { add(name, value.utf8) }
}

/// The socket on which journald takes messages. Sending never waits.
public final class JournalSocket {
    public static let path = "/run/systemd/journal/socket"

    public enum Answer: Sendable { case taken, full, absent }

    private var descriptor: Int32 = -1
    private var target = sockaddr_un()
    private let isPathUsable: Bool

    public init(path: String = JournalSocket.path) {
        target.sun_family = sa_family_t(AF_UNIX)
        isPathUsable = path.utf8.count < MemoryLayout.size(ofValue: target.sun_path)
        if isPathUsable { withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: path.utf8) } }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Sends a message; a long one as a file in memory. `absent` means that nobody reads at the path.
    public func send(_ message: JournalMessage) -> Answer {
        guard isPathUsable else { return .absent }
        if descriptor < 0 {
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
            guard descriptor >= 0 else { return .full }
        }
        if sendBytes(message.bytes) { return .taken }
        var number = errno
        if number == EMSGSIZE {
            let file = message.bytes.withUnsafeBytes { linux_sealed_file($0.baseAddress, $0.count) }
            guard file >= 0 else { return .full }
            defer { close(file) }
            if send(file: file) { return .taken }
            number = errno
        }
        return [EAGAIN, EWOULDBLOCK, ENOBUFS, EINTR, ENOMEM].contains(number) ? .full : .absent
    }

    private func sendBytes(_ bytes: [UInt8]) -> Bool {
        withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), target, socklen_t(MemoryLayout<sockaddr_un>.size)) >= 0
            }
        }
    }

    /// Sends a message without bytes, with a descriptor: SCM_RIGHTS of unix(7).
    private func send(file: Int32) -> Bool {
        // The macros of cmsg(3) for one descriptor, on a machine with words of 8 bytes.
        let (headerBytes, room) = (16, 24)
        var control = [UInt64](repeating: 0, count: room / 8)
        return control.withUnsafeMutableBytes { control in
            control.storeBytes(of: headerBytes + 4, as: Int.self)
            control.storeBytes(of: SOL_SOCKET, toByteOffset: 8, as: Int32.self)
            control.storeBytes(of: 1, toByteOffset: 12, as: Int32.self)
            control.storeBytes(of: file, toByteOffset: headerBytes, as: Int32.self)
            return withUnsafeMutablePointer(to: &target) { target in
                var message = msghdr()
                message.msg_name = UnsafeMutableRawPointer(target)
                message.msg_namelen = socklen_t(MemoryLayout<sockaddr_un>.size)
                message.msg_control = control.baseAddress
                message.msg_controllen = room
                return sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL)) >= 0
            }
        }
    }
}
