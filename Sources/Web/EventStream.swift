/// The texts of Server-Sent Events (HTML, 9.2).
public enum EventStream {
    public static let type = "text/event-stream"

    /// One event. Data of several lines arrives as it was.
    public static func event(_ name: String, id: String, data: String) -> [UInt8] {
        var bytes = Array("event: \(name)\nid: \(id)\n".utf8)
        for line in data.utf8.split(omittingEmptySubsequences: false, whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
            bytes += "data: ".utf8
            bytes += line
            bytes.append(0x0A)
        }
        bytes.append(0x0A)
        return bytes
    }

    /// The time after which a client connects again when its connection has ended.
    public static func retry(milliseconds: Int) -> [UInt8] { Array("retry: \(milliseconds)\n\n".utf8) }

    /// A line without a meaning: it finds connections that have ended, and keeps others open.
    public static let heartbeat = Array(": \n\n".utf8)
}
