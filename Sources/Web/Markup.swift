import Documents

/// HTML. What stands in a literal is HTML, and every text that is put into one is escaped: it shows as the characters that it has, in
/// text and in attributes in quotation marks, and can neither become an element nor end an attribute.
public struct Markup: ExpressibleByStringInterpolation, Sendable, Equatable {
    public private(set) var text: String

    public init(stringLiteral value: StaticString) { text = "\(value)" }

    public init() { text = "" }

    public init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

    public struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        public init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity + 32 * interpolationCount) }

        public mutating func appendLiteral(_ literal: StaticString) { text += "\(literal)" }

        public mutating func appendInterpolation(_ text: some StringProtocol) { self.text += Markup.escaped(String(text)) }

        public mutating func appendInterpolation(_ number: some BinaryInteger) { text += "\(number)" }

        public mutating func appendInterpolation(_ markup: Markup) { text += markup.text }

        public mutating func appendInterpolation(_ markup: Markup?) { text += markup?.text ?? "" }

        public mutating func appendInterpolation(_ all: [Markup]) { for one in all { text += one.text } }
    }

    public var isEmpty: Bool { text.isEmpty }

    public static func + (a: Markup, b: Markup) -> Markup {
        var both = a
        both.text += b.text
        return both
    }

    public static func += (markup: inout Markup, more: Markup) { markup.text += more.text }

    /// A text with line ends, as for `pre`.
    public static func lines(_ text: String) -> Markup {
        var markup = Markup()
        markup.text = escaped(text, but: ["\n", "\t"])
        return markup
    }

    /// The text of a file of the program itself, such as its style sheet, which holds no text of others.
    public static func own(_ text: StaticString) -> Markup { Markup(stringLiteral: text) }

    /// Characters that HTML or a reader's eye could take for something else are replaced: those of HTML by references, invisible ones and
    /// those that change the direction of text by their escapes.
    private static func escaped(_ text: String, but allowed: Set<Unicode.Scalar> = []) -> String {
        let text = TerminalText.safe(text, but: allowed)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "&"): bytes += "&amp;".utf8
            case UInt8(ascii: "<"): bytes += "&lt;".utf8
            case UInt8(ascii: ">"): bytes += "&gt;".utf8
            case UInt8(ascii: "\""): bytes += "&quot;".utf8
            case UInt8(ascii: "'"): bytes += "&#39;".utf8
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
