/// A user's program that computes when a task is due next: `ext:KEY:ARGS`.
public struct PatternExtension: Sendable, Hashable {
    /// The program's name in `patterns/`.
    public let key: String
    /// The program's only argument.
    public let arguments: String

    /// Longer than any instant.
    public static let answerBytesMax = 4096

    /// Reads the output of the program: an instant in any form of `Instant.parse`, later than `after`. `in 2 hours` counts from
    /// `after` too. Returns nil, for never, when the output is empty.
    public static func answer(_ bytes: [UInt8], zone: Zone, after: Instant) throws(RecurrenceError) -> Instant? {
        guard bytes.count <= answerBytesMax else { throw RecurrenceError("printed more than \(answerBytesMax) bytes") }
        let words = bytes.split(whereSeparator: \.isBlank)
        guard let first = words.first, let last = words.last else { return nil }
        let text = String(decoding: bytes[first.startIndex..<last.endIndex], as: UTF8.self)
        // The output may be any text. The error shows enough of it to recognize it.
        guard text.utf8.count <= instantBytesMax else {
            throw RecurrenceError("printed \(quoted(String(text.prefix(instantBytesMax))))…, which is no instant")
        }
        let instant: Instant
        do { instant = try Instant.parse(text, zone: zone, now: after) } catch {
            throw RecurrenceError("printed what is no instant: \(error.message)", hint: error.hint)
        }
        guard instant > after else {
            throw RecurrenceError("printed \(quoted(text)), which is not later than \(after.rfc3339)")
        }
        return instant
    }

    private static let instantBytesMax = 64
}
