/// Columns and rows of a terminal; one of each at least.
public struct ScreenSize: Equatable, Sendable {
    public var columns: Int
    public var rows: Int

    public init(columns: Int, rows: Int) {
        self.columns = max(1, columns)
        self.rows = max(1, rows)
    }
}

/// Remembers what a terminal shows, and writes the bytes that change it: only the rows that differ, in one write, so that nothing
/// flickers. The sequences are those of ECMA-48 and xterm's alternate screen.
public struct Screen {
    private var shown: [String] = []
    private var size: ScreenSize?
    private let hasColour: Bool

    public init(hasColour: Bool) { self.hasColour = hasColour }

    /// Enters the alternate screen, hides the cursor and turns wrapping off. If the terminal counts a width differently, only one
    /// line is wrong.
    public static let enter = "\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l\u{1B}[2J"
    public static let leave = "\u{1B}[0m\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"

    /// Forgets the content of the terminal, so that the next frame is drawn completely.
    public mutating func forget() { size = nil }

    /// The bytes to write to show these lines. Empty when the terminal shows them already.
    public mutating func update(to lines: [StyledLine], _ size: ScreenSize) -> String {
        var result = ""
        if size != self.size {
            result = "\u{1B}[2J"
            shown = Array(repeating: "", count: size.rows)
            self.size = size
        }
        for row in 0..<size.rows {
            let line = row < lines.count ? lines[row].cut(to: size.columns) : StyledLine()
            let text = line.rendered(hasColour: hasColour)
            guard text != shown[row] else { continue }
            shown[row] = text
            // Don't erase after a full row: that would delete its last column.
            result += "\u{1B}[\(row + 1);1H\(text)\(line.width < size.columns ? "\u{1B}[K" : "")"
        }
        return result
    }
}
