import Documents
import Store

extension String {
    /// The text without white space at its beginning and end.
    var trimmed: String {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}

/// `did you mean "WORD"?`, with the nearest of `words`; nil when none is near.
func suggestion(for word: String, among words: some Sequence<String>) -> String? {
    nearest(to: word, among: words).map { "did you mean \"\($0)\"?" }
}

extension String {
    /// The message, followed by a suggestion when there is one.
    func suggesting(_ word: String, among words: some Sequence<String>) -> String {
        suggestion(for: word, among: words).map { "\(self); \($0)" } ?? self
    }
}

extension DocumentError {
    /// The message and its hint, without the position.
    var text: String { hint.map { "\(message); \($0)" } ?? message }
}

extension Name {
    /// The form of names, for messages.
    static let form = "1 to 64 of A-Z a-z 0-9 . _ -, not starting with . or -"

    /// Refuses a name of the wrong form. `option`: the option that gave the name, for the message.
    static func check(_ name: String, option: String? = nil, hint: String? = nil) throws(Failure) {
        guard !isValid(name) else { return }
        throw .invalid("\(option.map { "\($0): " } ?? "")\"\(name)\" is not a name: \(form)\(hint.map { "; \($0)" } ?? "")")
    }
}
