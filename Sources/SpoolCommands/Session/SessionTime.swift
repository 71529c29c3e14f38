import Store

extension Session {
    /// The reader's zone; UTC when it cannot be read.
    var viewerZone: Zone { (try? zones.zone("local")) ?? .utc }

    /// An instant in a table: by the reader's clock on a terminal, RFC 3339 in UTC in a pipe.
    func time(_ instant: Instant?) -> String {
        guard let instant else { return "-" }
        return output.isTerminal ? TimeText.wall(instant, viewerZone) : instant.rfc3339
    }
}
