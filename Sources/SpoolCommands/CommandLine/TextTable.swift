/// Rows of cells: aligned columns under a header on a terminal, lines with tabs between the fields in a pipe.
struct TextTable {
    struct Cell: ExpressibleByStringInterpolation {
        var text: String
        var colour: Output.Colour?

        init(_ text: String, _ colour: Output.Colour? = nil) {
            self.text = text
            self.colour = colour
        }

        init(stringLiteral text: String) { self.init(text) }
    }

    private let header: [String]
    private var rows: [[Cell]] = []

    /// A table without a header lists keys and values, one pair a line.
    init(_ header: [String] = []) { self.header = header }

    var isEmpty: Bool { rows.isEmpty }

    mutating func add(_ cells: [Cell]) { rows.append(cells) }

    mutating func add(_ key: String, _ value: String?) {
        if let value { rows.append([Cell(key, .dim), Cell(value)]) }
    }

    /// - Parameter note: what holds for the whole table, such as the zone of its times. On a terminal it is at the right of the first
    ///   line, or above it where there is no room; in a pipe it is left out.
    func write(to output: Output, note: String? = nil) {
        var lines = lines(isForTerminal: output.isTerminal, coloured: output.coloured)
        if let note, output.isTerminal, !lines.isEmpty {
            let width = self.lines(isForTerminal: true)[0].count
            let shown = output.coloured(Output.oneLine(note), .dim)
            let room = output.columns - width - note.count
            if room >= 2 {
                lines[0] += String(repeating: " ", count: room) + shown
            } else {
                lines.insert(String(repeating: " ", count: max(0, output.columns - note.count)) + shown, at: 0)
            }
        }
        for line in lines { output.line(line) }
    }

    /// The table as lines; `coloured` wraps a cell's text in its colour.
    func lines(isForTerminal: Bool, coloured: (String, Output.Colour?) -> String = { text, _ in text }) -> [String] {
        var rows = rows.map { row in row.map { Cell(Output.oneLine($0.text), $0.colour) } }
        guard isForTerminal else { return rows.map { row in row.map(\.text).joined(separator: "\t") } }
        // An empty table still prints its header.
        if !header.isEmpty { rows.insert(header.map { Cell($0, .bold) }, at: 0) }
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column >= widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.text.count)
            }
        }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                line += coloured(cell.text, cell.colour)
                if column + 1 < row.count { line += String(repeating: " ", count: widths[column] - cell.text.count + 2) }
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
