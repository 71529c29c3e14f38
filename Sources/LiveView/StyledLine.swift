/// The look of a piece of text: the parameter of SGR in ECMA-48.
public enum Style: String, Sendable {
    case bold = "1", dim = "2", reverse = "7", red = "31", green = "32", yellow = "33"
}

/// One line of the screen.
public struct StyledLine: Equatable, Sendable, ExpressibleByStringInterpolation {
    public struct Span: Equatable, Sendable {
        public var text: String
        public var style: Style?
    }

    public private(set) var spans: [Span] = []
    /// The width of the line in columns.
    public private(set) var width = 0

    public init() {}
    public init(stringLiteral text: String) { add(text) }
    public init(_ text: String, _ style: Style? = nil) { add(text, style) }

    /// The text without its styles.
    public var text: String { spans.map(\.text).joined() }

    public mutating func add(_ text: String, _ style: Style? = nil) {
        guard !text.isEmpty else { return }
        spans.append(Span(text: text, style: style))
        width += Columns.width(text)
    }

    public mutating func add(_ line: StyledLine) {
        spans += line.spans
        width += line.width
    }

    public func cut(to columns: Int) -> StyledLine {
        guard width > columns else { return self }
        var line = StyledLine()
        for span in spans {
            let rest = columns - line.width
            guard rest > 0 else { break }
            line.add(Columns.cut(span.text, to: rest), span.style)
        }
        return line
    }

    /// The line cut, or filled with blanks, to exactly this many columns.
    public func fitted(to columns: Int, isRight: Bool = false) -> StyledLine {
        let shown = cut(to: columns)
        var line = StyledLine()
        let blanks = String(repeating: " ", count: max(0, columns - shown.width))
        if isRight { line.add(blanks) }
        line.add(shown)
        if !isRight { line.add(blanks) }
        return line
    }

    /// The whole line in one style.
    public func styled(_ style: Style) -> StyledLine { StyledLine(text, style) }

    /// The line as bytes for a terminal.
    func rendered(hasColour: Bool) -> String {
        guard hasColour else { return text }
        return spans.map { span in span.style.map { "\u{1B}[\($0.rawValue)m\(span.text)\u{1B}[0m" } ?? span.text }.joined()
    }
}
