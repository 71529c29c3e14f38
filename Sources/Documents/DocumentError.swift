import Lines

/// The reason why a document cannot be used, and its position.
///
/// `message` says what was expected and what was found, `hint` what was probably meant. Neither names the file: the caller knows
/// the file and puts its name in front.
public struct DocumentError: Error, Sendable, Hashable {
    public var position: Position
    public var message: String
    public var hint: String?

    public init(position: Position, message: String, hint: String? = nil) {
        self.position = position
        self.message = message
        self.hint = hint
    }
}

extension DocumentError {
    init(_ problem: NotLines) {
        self.init(position: Position(line: problem.line, column: problem.column), message: problem.message, hint: problem.hint)
    }
}

extension DocumentError: CustomStringConvertible {
    /// `line:column: message`, followed by `; hint` if there is a hint.
    public var description: String {
        guard let hint else { return "\(position): \(message)" }
        return "\(position): \(message); \(hint)"
    }
}

extension String {
    /// A key or word from a document in a form for messages: on one line, and cut when it is long.
    var shown: String {
        var text = ""
        for scalar in unicodeScalars {
            if text.utf8.count >= 80 { return text + "…" }
            let isVisible = scalar.value >= 0x20 && !(0x7F..<0xA0).contains(scalar.value)
            text += isVisible ? String(scalar) : scalar.escaped(asASCII: true)
        }
        return text
    }
}
