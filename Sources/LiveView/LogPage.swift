import Store

/// The output of one job on the full screen: the last lines, extended while the job writes more.
public struct LogPage: Sendable {
    public let id: String
    /// The title line: the job's state and the name of the output.
    public var title = ""
    /// Shown instead of the output when there is none.
    public var remark = ""
    private var lines: [String] = [""]
    /// The first bytes of a character whose other bytes have not been read.
    private var rest: [UInt8] = []
    /// The number of lines below the screen. 0 means that the page follows the output.
    private var above = 0

    /// The page keeps this many of the last lines of a longer output.
    static let linesMax = 5000
    /// A longer line is continued on the next line.
    static let lineBytesMax = 4096

    public init(id: String) { self.id = id }

    /// Adds output. An incomplete line is kept until its rest is added.
    public mutating func take(_ bytes: [UInt8]) {
        let bytes = rest + bytes
        let whole = bytes.count - Self.unfinished(bytes)
        rest = Array(bytes[whole...])
        let parts = bytes[..<whole].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if index > 0 { append("") }
            for scalar in String(decoding: part, as: UTF8.self).unicodeScalars {
                if lines[lines.count - 1].utf8.count >= Self.lineBytesMax { append("") }
                lines[lines.count - 1].unicodeScalars.append(scalar)
            }
        }
        if lines.count > 2 * Self.linesMax { lines.removeFirst(lines.count - Self.linesMax) }
        above = min(above, lines.count)
    }

    /// The number of bytes at the end that begin an incomplete UTF-8 character.
    private static func unfinished(_ bytes: [UInt8]) -> Int {
        for count in 1...3 where count <= bytes.count {
            let byte = bytes[bytes.count - count]
            if byte < 0x80 { return 0 }
            if byte >= 0xC0 { return (byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2) > count ? count : 0 }
        }
        return 0
    }

    private mutating func append(_ line: String) {
        lines.append(line)
        // A user who has scrolled up keeps the lines on the screen.
        if above > 0 { above += 1 }
    }

    /// Clears the page for another output.
    public mutating func clear() {
        lines = [""]
        rest = []
        above = 0
    }

    /// True when there is output to show.
    public var isEmpty: Bool { lines == [""] }

    /// Scrolls by a key. Returns false for a key that closes the page.
    public mutating func take(_ key: Key, page: Int) -> Bool {
        switch key {
        case .up, .character("k"): above += 1
        case .down, .character("j"): above -= 1
        case .pageUp: above += page
        case .pageDown, .character(" "): above -= page
        case .home, .character("g"): above = lines.count
        case .end, .character("G"): above = 0
        case .character("q"), .escape, .enter, .character("l"): return false
        default: break
        }
        above = max(0, min(above, lines.count - page))
        return true
    }

    public func lines(_ size: ScreenSize, message: String? = nil) -> [StyledLine] {
        let height = max(0, size.rows - 2)
        // The newline at the end of the last line does not begin another line.
        let shown = lines.last == "" ? lines.dropLast() : lines[...]
        let end = max(0, shown.count - above)
        var result = [StyledLine(Columns.fitted(PlainText.oneLine("\(id)  \(title)"), to: size.columns), .reverse)]
        if shown.isEmpty { result.append(StyledLine(PlainText.oneLine(remark), .dim)) }
        for line in shown[max(0, end - height)..<end] { result.append(StyledLine(Self.plain(line))) }
        while result.count < size.rows - 1 { result.append(StyledLine()) }
        let keys = above > 0 ? "q:back  End:follow  up/down:scroll  e:stderr" : "q:back  up:scroll  e:stdout/stderr"
        return Array(result.prefix(max(1, size.rows - 1)))
            + [message.map { StyledLine(PlainText.oneLine($0), .bold) } ?? StyledLine(keys, .dim)]
    }

    /// A line of output without colours. Tabs become blanks, and all other control characters are escaped.
    static func plain(_ line: String) -> String {
        guard line.utf8.contains(where: { $0 < 0x20 || $0 >= 0x7F }) else { return line }
        let scalars = Array(line.unicodeScalars)
        var result = ""
        var index = 0
        while index < scalars.count {
            let scalar = scalars[index]
            if let end = PlainText.endOfColour(scalars, at: index) {
                index = end
                continue
            }
            if scalar == "\t" {
                result += String(repeating: " ", count: 8 - Columns.width(result) % 8)
            } else if scalar != "\r" || index + 1 < scalars.count {
                if TerminalText.isUnsafe(scalar.value) { result += PlainText.escape(scalar) } else { result.unicodeScalars.append(scalar) }
            }
            index += 1
        }
        return result
    }
}
