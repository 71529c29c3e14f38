/// Rows of cells: columns aligned under a header on a terminal, tab-separated lines without one in a pipe.
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

    /// Without a header the table says keys and values, one a line.
    init(_ header: [String] = []) { self.header = header }

    var isEmpty: Bool { rows.isEmpty }

    mutating func add(_ cells: [Cell]) { rows.append(cells) }

    mutating func add(_ key: String, _ value: String?) {
        if let value { rows.append([Cell(key, .dim), Cell(value)]) }
    }

    func write(to output: Output) {
        let rows = rows.map { row in row.map { Cell(Output.oneLine($0.text), $0.colour) } }
        guard output.isTerminal else {
            for row in rows { output.line(row.map(\.text).joined(separator: "\t")) }
            return
        }
        var widths = header.map(\.count)
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column >= widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.text.count)
            }
        }
        // An empty table is its header: it says what there is none of.
        if !header.isEmpty { writeRow(header.map { Cell($0, .bold) }, widths, to: output) }
        for row in rows { writeRow(row, widths, to: output) }
    }

    private func writeRow(_ row: [Cell], _ widths: [Int], to output: Output) {
        var line = ""
        for (column, cell) in row.enumerated() {
            line += output.coloured(cell.text, cell.colour)
            if column + 1 < row.count { line += String(repeating: " ", count: widths[column] - cell.text.count + 2) }
        }
        while line.last == " " { line.removeLast() }
        output.line(line)
    }
}
