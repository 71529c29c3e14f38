import CLinux
import Glibc
import Linux

/// Lines over a socket, of which some have a descriptor with them: SCM_RIGHTS of unix(7). The receiver gets a descriptor of its own.
enum DescriptorMessage {
    // The macros of cmsg(3) for one descriptor, on a machine with words of 8 bytes.
    private static let headerBytes = 16
    private static let length = headerBytes + 4
    private static let room = headerBytes + 8
    private static let rights: Int32 = 1
    /// MSG_CMSG_CLOEXEC
    private static let closeOnExec: Int32 = 0x4000_0000

    /// Sends a line with a descriptor, without waiting. Returns false when the socket is full or closed.
    static func send(_ line: String, _ descriptor: Int32, to socket: Int32) -> Bool {
        var bytes = Array(line.utf8)
        var control = [UInt64](repeating: 0, count: room / 8)
        control.withUnsafeMutableBytes { control in
            control.storeBytes(of: length, as: Int.self)
            control.storeBytes(of: SOL_SOCKET, toByteOffset: 8, as: Int32.self)
            control.storeBytes(of: rights, toByteOffset: 12, as: Int32.self)
            control.storeBytes(of: descriptor, toByteOffset: headerBytes, as: Int32.self)
        }
        let sent = call(with: &bytes, &control) { sendmsg(socket, $0, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) }
        return sent == bytes.count
    }

    /// Receives bytes and the descriptor that was sent with them, without waiting. The caller closes the descriptor. Returns what
    /// recvmsg(2) returns.
    static func receive(into bytes: inout [UInt8], from socket: Int32) -> (count: Int, descriptor: Int32?) {
        var control = [UInt64](repeating: 0, count: room / 8)
        var controlBytes = 0
        let count = call(with: &bytes, &control) { message in
            let count = recvmsg(socket, message, Int32(MSG_DONTWAIT) | closeOnExec)
            controlBytes = message.pointee.msg_controllen
            return count
        }
        let received = control.withUnsafeBytes { control -> Int32? in
            guard count > 0, controlBytes >= length, control.load(fromByteOffset: 12, as: Int32.self) == rights else { return nil }
            return control.load(fromByteOffset: headerBytes, as: Int32.self)
        }
        return (count, received)
    }

    /// Calls sendmsg(2) or recvmsg(2) with one part and its control data.
    private static func call(
        with bytes: inout [UInt8], _ control: inout [UInt64], _ body: (UnsafeMutablePointer<msghdr>) -> Int
    ) -> Int {
        bytes.withUnsafeMutableBytes { text in
            control.withUnsafeMutableBytes { control in
                var part = iovec(iov_base: text.baseAddress, iov_len: text.count)
                return withUnsafeMutablePointer(to: &part) { part in
                    var message = msghdr()
                    message.msg_iov = part
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = room
                    return body(&message)
                }
            }
        }
    }
}
