/// The keys that decide when people hear of a job, apart from its end: `slow`, `min_run`, `notify_after`, `notify_every`.
///
/// A class, because few jobs have these keys, and a spool may contain many jobs.
public final class NoticeRules: Sendable {
    /// The job is slow when one of its tries still runs after this time.
    public let slowMilliseconds: Int64?
    /// A try that succeeds sooner has failed with `short`.
    public let minRunMilliseconds: Int64?
    /// The number of failures in a row from which on people are told.
    public let after: Int
    /// The least time between two notices of failures in a row.
    public let everyMilliseconds: Int64?

    /// Nil when the table has none of the keys.
    init?(_ reader: inout TableReader) {
        slowMilliseconds = reader.positiveMilliseconds("slow")
        minRunMilliseconds = reader.positiveMilliseconds("min_run")
        let after = reader.integer("notify_after", in: 1...1_000_000)
        everyMilliseconds = reader.positiveMilliseconds("notify_every")
        self.after = after ?? 1
        if slowMilliseconds == nil, minRunMilliseconds == nil, after == nil, everyMilliseconds == nil { return nil }
    }
}

extension TableReader {
    fileprivate mutating func positiveMilliseconds(_ key: String) -> Int64? {
        guard let milliseconds = milliseconds(key) else { return nil }
        if milliseconds <= 0, let value = table[key] { fail(value.position, "\(key) must be longer than zero") }
        return milliseconds
    }
}
