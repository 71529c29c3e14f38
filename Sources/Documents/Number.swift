/// A number that is not an integer of 64 bits: its text as written, and its nearest value for computations.
///
/// The text is kept because the scheduler must not round the numbers of a payload: the job receives `0.1000000000000000055`,
/// `123456789012345678901234567890` and `1.10` as they were sent.
public struct Number: Sendable, Hashable, CustomStringConvertible {
    /// A form that both JSON and TOML read: without underscores and without a leading plus sign. Only TOML has `inf`, `-inf` and
    /// `nan`.
    public let text: String

    public init(_ double: Double) {
        text = double.isNaN ? "nan" : double.description
    }

    /// `text` must be a JSON number.
    init(text: String) {
        self.text = text
    }

    /// The nearest value. It is infinite when the number is outside the range of 64-bit floats.
    public var double: Double { Double(text) ?? .nan }

    /// True when JSON can express the number.
    public var isFinite: Bool { text.utf8.last.map(\.isDigit) ?? false }

    /// True for a number without fraction and exponent.
    public var isWhole: Bool { text.utf8.allSatisfy { $0.isDigit || $0 == Byte.minus } }

    public var description: String { text }
}
