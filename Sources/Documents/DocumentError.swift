/// Why a document cannot be used, and where.
///
/// `message` says what was expected and what was found, `hint` what was probably meant. Neither names the file: the caller
/// knows it and puts it in front.
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

extension DocumentError: CustomStringConvertible {
    /// `line:column: message`, then `; hint` when there is one.
    public var description: String {
        guard let hint else { return "\(position): \(message)" }
        return "\(position): \(message); \(hint)"
    }
}
