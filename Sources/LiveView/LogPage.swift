import Store

/// The output of one job, full screen: its last lines, kept while more come.
public struct LogPage: Sendable {
    public let id: String
    /// What stands over it: the job's state, which output it is.
    public var title = ""
    /// Shown instead when there is nothing.
    public var remark = ""
    private var lines: [String] = [""]
    /// The beginning of a character whose other bytes have not come.
    private var rest: [UInt8] = []
    /// How many lines are below the screen; 0: it follows.
    private var above = 0

    /// Of a longer output the last lines are kept.
    static let linesMax = 5000
    /// A longer line goes on in the next.
    static let lineBytesMax = 4096

    public init(id: String) { self.id = id }

    /// Takes output as it came; a part of a line waits for its rest.
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

    /// How many bytes at the end are the beginning of a character, UTF-8.
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
        // Who has scrolled up keeps what he sees.
        if above > 0 { above += 1 }
    }

    /// Another output takes its place.
    public mutating func clear() {
        lines = [""]
        rest = []
        above = 0
    }

    /// Whether there is something to see.
    public var isEmpty: Bool { lines == [""] }

    /// Moves; returns false for a key that ends the page.
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
        // The end of the last line is no line.
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

    /// A line of output without colours, tabs as blanks, everything else that is no character escaped.
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
