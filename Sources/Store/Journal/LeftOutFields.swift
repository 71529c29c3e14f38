// The three records of each job leave out what the rest of the line tells. `JournalFields` gives those fields all the same:
//
//     left out                    means
//     accepted: name, due         those in the id
//               start             the due time
//               format, size      toml; the number of bytes in source
//               created           ago milliseconds before the time of the line
//     ended:    started           the same
//               user_ms, sys_ms   0 when max_rss is there
//     started, ended: try         1

extension JournalFields {
    /// The least number of milliseconds that is not written as `ago`: an older instant is easier to read in full.
    static let agoEnd: Int64 = 1_000_000_000

    /// The value of a field that the line leaves out because the rest of the line tells it.
    func implied(_ key: String) -> String? {
        guard Self.impliedKeys(kind).contains(key) else { return nil }
        return switch key {
        case "name": id?.name
        case "format": Source.Format.toml.rawValue
        case "size": bytes("source").map { String($0.count) }
        case "try": "1"
        case "user_ms", "sys_ms": hasField("max_rss") ? "0" : nil
        default: impliedInstant(key)?.rfc3339
        }
    }

    func impliedInstant(_ key: String) -> Instant? {
        guard Self.impliedKeys(kind).contains(key) else { return nil }
        return switch key {
        case "due": id?.instant
        case "start": instant("due")
        case "created", "started": timeAgo
        default: nil
        }
    }

    var timeAgo: Instant? { integer("ago").flatMap { (0..<Self.agoEnd).contains($0) ? at.advanced(byMilliseconds: -$0) : nil } }

    /// The names of the fields that lines of this kind may leave out.
    static func impliedKeys(_ kind: String) -> [String] {
        switch kind {
        case "accepted": impliedOfAccepted
        case "started": impliedOfStarted
        case "ended": impliedOfEnded
        default: []
        }
    }

    private static let impliedOfAccepted = ["name", "due", "created", "start", "format", "size"]
    private static let impliedOfStarted = ["try"]
    private static let impliedOfEnded = ["try", "started", "user_ms", "sys_ms"]
}
