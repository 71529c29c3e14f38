/// Rows of cells: aligned columns under a header on a terminal, lines with tabs between the fields in a pipe.
struct TextTable {
    /// A column that gives way where a table is wider than the terminal: its texts are cut.
    struct Fit {
        var column: Int
        /// The width that it keeps; with 0 the column is left out where only a few characters would remain.
        var least: Int
    }

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
    private let right: Set<Int>
    private let fitting: [Fit]
    private var rows: [[Cell]] = []

    /// A table without a header lists keys and values, one pair a line.
    ///
    /// - Parameters:
    ///   - right: the columns of numbers, which are aligned to the right.
    ///   - fitting: the columns that give way, the first one first. A last column that does not give way continues below itself.
    init(_ header: [String] = [], right: Set<Int> = [], fitting: [Fit] = []) {
        self.header = header
        self.right = right
        self.fitting = fitting
    }

    var isEmpty: Bool { rows.isEmpty }

    mutating func add(_ cells: [Cell]) { rows.append(cells) }

    mutating func add(_ key: String, _ value: String?) {
        if let value { rows.append([Cell(key, .dim), Cell(value)]) }
    }

    /// - Parameter note: what holds for the whole table, such as the zone of its times. On a terminal it is at the right of the first
    ///   line, or above it where there is no room; in a pipe it is left out.
    func write(to output: Output, note: String? = nil) {
        var lines = lines(isForTerminal: output.isTerminal, columns: output.columns, coloured: output.coloured)
        if let note, output.isTerminal, !lines.isEmpty {
            let width = Columns.width(self.lines(isForTerminal: true, columns: output.columns)[0])
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

    /// The table as lines; `columns` is the width of the terminal, and `coloured` wraps a cell's text in its colour.
    func lines(
        isForTerminal: Bool, columns: Int? = nil, coloured: (String, Output.Colour?) -> String = { text, _ in text }
    ) -> [String] {
        var rows = rows.map { row in row.map { Cell(Output.oneLine($0.text), $0.colour) } }
        guard isForTerminal else { return rows.map { row in row.map(\.text).joined(separator: "\t") } }
        // An empty table still prints its header.
        if !header.isEmpty { rows.insert(header.map { Cell($0, .bold) }, at: 0) }
        let widths = widths(of: rows, columns: columns)
        return rows.flatMap { row in
            var line = ""
            for (column, cell) in row.enumerated().dropLast() {
                let text = Columns.cut(cell.text, to: widths[column])
                let blanks = String(repeating: " ", count: widths[column] - Columns.width(text))
                let shown = coloured(text, cell.colour)
                line += (right.contains(column) ? blanks + shown : shown + blanks) + "  "
            }
            guard let last = row.last else { return [line] }
            let start = widths[..<(row.count - 1)].reduce(0) { $0 + $1 + 2 }
            let column = row.count - 1
            let isFitted = fitting.contains { $0.column == column }
            let cells = lastCell(last.text, width: widths[column], isRight: right.contains(column), isFitted: isFitted, start, columns)
            return cells.map { cell in
                var whole = line + cell.before + coloured(cell.text, last.colour)
                line = ""
                while whole.last == " " { whole.removeLast() }
                return whole
            }
        }
    }

    /// The text of a row's last cell, which begins in column `start`. Where it does not fit into the terminal's width it continues below
    /// itself or, when it has less than half of the width, below the whole row.
    private func lastCell(
        _ text: String, width: Int, isRight: Bool, isFitted: Bool, _ start: Int, _ columns: Int?
    ) -> [(before: String, text: String)] {
        let readableMin = 20
        guard let columns, columns - start >= readableMin, Columns.width(text) > columns - start, !isFitted else {
            let shown = Columns.cut(text, to: width)
            return [(isRight ? String(repeating: " ", count: width - Columns.width(shown)) : "", shown)]
        }
        let indent = columns - start > columns / 2 ? start : 4
        return Columns.wrapped(text, to: columns - indent, first: columns - start).enumerated().map { number, line in
            (number == 0 ? "" : String(repeating: " ", count: indent), line)
        }
    }

    /// True when no text has to be cut or continued.
    func fits(into columns: Int) -> Bool {
        lines(isForTerminal: true).allSatisfy { Columns.width($0) <= columns }
    }

    /// The width of each column: of its longest text, or less in the columns that give way.
    private func widths(of rows: [[Cell]], columns: Int?) -> [Int] {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column >= widths.count { widths.append(0) }
                widths[column] = max(widths[column], Columns.width(cell.text))
            }
        }
        guard let columns else { return widths }
        let readableMin = 8
        for fit in fitting where fit.column < widths.count {
            let excess = widths.reduce(2 * (widths.count - 1), +) - columns
            guard excess > 0 else { break }
            let least = min(fit.least, widths[fit.column])
            let width = max(least, widths[fit.column] - excess)
            widths[fit.column] = least == 0 && width < readableMin ? 0 : width
        }
        return widths
    }
}
