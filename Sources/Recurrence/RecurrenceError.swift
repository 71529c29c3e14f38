/// Why a text that says when was refused, for a person to act on.
public struct RecurrenceError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong: where in the expression, what was found, what is allowed.
    public var message: String
    /// Where in the text, in characters from its beginning; nil when no one place is to blame.
    public var offset: Int?
    /// What was likely meant, as a sentence part: `did you mean "Europe/Berlin"?`.
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
