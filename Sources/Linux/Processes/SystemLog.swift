import CLinux
import Glibc

/// The system's log, syslog(3): messages in the form of RFC 3164, as datagrams to `/dev/log`. A message is lost when nobody
/// reads them, and when the reader takes none for some time. The caller learns only of the latter.
public enum SystemLog {
    public enum Facility: Int32, Sendable {
        // From sys/syslog.h.
        case daemon = 3
        case cron = 9
    }

    /// The time for which a program that may wait waits for a reader that is behind.
    public static let patienceMilliseconds = 2000

    /// Sends a line at the level `info`. `program` and `process` are its tag: `crontab[123]: `. Waits for a reader that is
    /// behind for `milliseconds`, by default not at all. Returns false when the line was lost because the reader is behind.
    @discardableResult
    public static func write(
        _ line: String, facility: Facility, program: String, process: pid_t = getpid(), waitingMilliseconds milliseconds: Int = 0
    ) -> Bool {
        send(message(line, facility: facility, program: program), process: process, waitingMilliseconds: milliseconds)
    }

    /// A message with the present time, for a process that is to send it. The brackets of its tag are empty.
    public static func message(_ line: String, facility: Facility, program: String) -> String {
        let info: Int32 = 6
        return "<\(facility.rawValue << 3 | info)>\(timestamp()) \(program)[]: \(line)"
    }

    /// Sends such a message, with the number of a process in the brackets. The journal of systemd shows the number of the process that
    /// calls this. The rest as for `write`.
    @discardableResult
    public static func send(_ message: String, process: pid_t = getpid(), waitingMilliseconds milliseconds: Int = 0) -> Bool {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        var patience = timeval(tv_sec: milliseconds / 1000, tv_usec: __suseconds_t(milliseconds % 1000 * 1000))
        let flags = Int32(MSG_NOSIGNAL) | (milliseconds > 0 ? 0 : Int32(MSG_DONTWAIT))
        // Without the limit it could wait for ever.
        guard setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size)) == 0 else { return true }
        var target = sockaddr_un()
        target.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: "/dev/log".utf8) }
        var message = FileName.bytes(of: message)
        if let bracket = message.firstIndex(of: UInt8(ascii: "]")) { message.insert(contentsOf: String(process).utf8, at: bracket) }
        let count = withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                sendto(descriptor, message, message.count, flags, target, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return count >= 0 || errno != EAGAIN
    }

    /// `Nov 29 08:05:00` in local time.
    private static func timestamp() -> String {
        var now = time(nil)
        var local = tm()
        localtime_r(&now, &local)
        let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { buffer in
            // The C locale has English names. No program here sets another.
            let count = strftime(buffer.baseAddress, buffer.count, "%b %e %H:%M:%S", &local)
            return String(decoding: UnsafeRawBufferPointer(buffer)[..<count], as: UTF8.self)
        }
        return text
    }
}
