/// A program of the user's own that says when a task is due next: `ext:KEY:ARGS`.
public struct PatternExtension: Sendable, Hashable {
    /// The program's name in `patterns/`.
    public let key: String
    /// Its one argument.
    public let arguments: String

    /// More than any instant needs.
    public static let answerBytesMax = 4096

    /// Reads what the program printed: an instant in any form of `Instant.parse`, later than `after`, which is also what `in 2
    /// hours` counts from. Nil, when it printed nothing: never.
    public static func answer(_ bytes: [UInt8], zone: Zone, after: Instant) throws(RecurrenceError) -> Instant? {
        guard bytes.count <= answerBytesMax else { throw RecurrenceError("printed more than \(answerBytesMax) bytes") }
        let words = bytes.split(whereSeparator: \.isBlank)
        guard let first = words.first, let last = words.last else { return nil }
        let text = String(decoding: bytes[first.startIndex..<last.endIndex], as: UTF8.self)
        // What is no instant may be anything; enough of it is said to be known again.
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
