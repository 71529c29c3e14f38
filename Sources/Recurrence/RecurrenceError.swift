/// The reason why the text of a schedule was refused, for a person to correct it.
public struct RecurrenceError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The fault: its place in the expression, what was found, and what is allowed.
    public var message: String
    /// The position in the text, in characters from its beginning. Nil when the fault has no single position.
    public var offset: Int?
    /// The probable correction, as part of a sentence: `did you mean "Europe/Berlin"?`.
    public var hint: String?

    public init(_ message: String, offset: Int? = nil, hint: String? = nil) {
        self.message = message
        self.offset = offset
        self.hint = hint
    }

    public var description: String {
        guard let hint else { return message }
        return "\(message); \(hint)"
    }
}
