import CLinux
import Glibc
import Linux

/// Reports the service's state to systemd, sd_notify(3). Silent when `$NOTIFY_SOCKET` is not set.
final class Notification: Part {
    private let address: String?
    /// Half the time that the watchdog allows. Nil when there is no watchdog.
    let watchdogMilliseconds: Int64?
    /// The time of the last sign of life to the watchdog.
    private var aliveAt = MonotonicInstant(nanoseconds: 0)

    init() {
        address = getenv("NOTIFY_SOCKET").map { String(cString: $0) }
        let limit = getenv("WATCHDOG_USEC").flatMap { Int64(String(cString: $0)) }
        let isOurs = getenv("WATCHDOG_PID").map { Int32(String(cString: $0)) == getpid() } ?? true
        watchdogMilliseconds = isOurs ? limit.map { max(1, $0 / 2000) } : nil
    }

    var wakeAt: Wake { Wake(monotonic: watchdogMilliseconds.map { aliveAt.advanced(byMilliseconds: $0) }) }

    /// Sends a sign of life to the watchdog, if there is one.
    func isAlive() {
        guard watchdogMilliseconds != nil else { return }
        aliveAt = .now()
        send("WATCHDOG=1\n")
    }

    /// Sends a message. A failure is ignored: systemd is then not there to read it.
    func send(_ state: String) {
        guard let address, let first = address.utf8.first, first == UInt8(ascii: "/") || first == UInt8(ascii: "@")
        else { return }
        let socket = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return }
        defer { close(socket) }
        var target = sockaddr_un()
        target.sun_family = sa_family_t(AF_UNIX)
        var path = Array(address.utf8)
        // An address that begins with @ is in the abstract name space: its first byte is NUL.
        if path[0] == UInt8(ascii: "@") { path[0] = 0 }
        let room = MemoryLayout.size(ofValue: target.sun_path)
        guard path.count < room else { return }
        withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: path) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.count)
        withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                var message = state
                _ = message.withUTF8 { sendto(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL), target, length) }
            }
        }
    }
}
