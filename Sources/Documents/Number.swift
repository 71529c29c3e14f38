/// A number that is no whole one of 64 bits: the text that was written, and what it is worth to whoever computes with it.
///
/// The text is kept because a payload is not the scheduler's to round: `0.1000000000000000055`, `123456789012345678901234567890` and `1.10`
/// reach the job as they were sent.
public struct Number: Sendable, Hashable, CustomStringConvertible {
    /// As JSON and TOML both read it: without underscores and without a plus sign in front. TOML alone has `inf`, `-inf` and `nan`.
    public let text: String

    public init(_ double: Double) {
        text = double.isNaN ? "nan" : double.description
    }

    /// `text` is a number of JSON.
    init(text: String) {
        self.text = text
    }

    /// The nearest value; infinite where that is beyond what 64 bits hold.
    public var double: Double { Double(text) ?? .nan }

    /// Whether JSON can say it.
    public var isFinite: Bool { text.utf8.last.map(\.isDigit) ?? false }

    /// Without fraction and exponent.
    public var isWhole: Bool { text.utf8.allSatisfy { $0.isDigit || $0 == Byte.minus } }

    public var description: String { text }
}
