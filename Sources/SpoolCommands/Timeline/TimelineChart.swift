import Store

/// The picture of a timeline as lines of text: a column is an equal part of the period.
struct TimelineChart {
    typealias Line = [TextTable.Cell]

    /// The sign of a column. Of several, the last in this order is shown.
    enum Mark: Int, CaseIterable {
        case nothing, expected, due, skipped, done, running, missed, failed

        init(_ kind: Timeline.Gap.Kind) {
            self =
                switch kind {
                case .missed: .missed
                case .skipped: .skipped
                case .failed: .failed
                }
        }

        var glyph: String {
            switch self {
            case .nothing: " "
            case .expected: "░"
            case .due: "·"
            case .skipped: "s"
            case .done: "█"
            case .running: "▒"
            case .missed: "!"
            case .failed: "x"
            }
        }

        var word: String { self == .nothing ? "" : "\(self)" }

        var colour: Output.Colour? {
            switch self {
            case .nothing, .due: nil
            case .expected, .skipped: .dim
            case .done: .green
            case .running: .yellow
            case .missed, .failed: .red
            }
        }
    }

    private let timeline: Timeline
    private let zone: Zone
    private let nameWidth: Int
    /// The number of columns of the picture itself.
    private let width: Int
    private var used: Set<Mark> = []
    private(set) var lines: [Line] = []

    init(_ timeline: Timeline, zone: Zone, columns: Int) {
        self.timeline = timeline
        self.zone = zone
        let longest = (timeline.lanes.map { Columns.width($0.name) } + [TimelineLoad.name.utf8.count]).max() ?? 0
        nameWidth = min(longest, max(12, columns / 4))
        width = max(10, columns - nameWidth - 2)
        lines.append(axis())
        for lane in timeline.lanes { lines.append(named(lane.name, row(lane))) }
        lines.append(named(TimelineLoad.name, load()))
        lines.append([.init(legend(), .dim)])
    }

    private func named(_ name: String, _ cells: Line) -> Line {
        var line = [TextTable.Cell(Columns.fitted(PlainText.oneLine(name), to: nameWidth) + "  ")] + cells
        while line.last?.text.allSatisfy({ $0 == " " }) == true { line.removeLast() }
        return line
    }

    /// The column of an instant; nil outside of the picture.
    private func column(_ instant: Instant) -> Int? {
        let (from, to) = (timeline.period.from.milliseconds, timeline.period.to.milliseconds)
        guard instant.milliseconds >= from, instant.milliseconds < to else { return nil }
        return min(width - 1, Int(Double(instant.milliseconds - from) / Double(to - from) * Double(width)))
    }

    // MARK: Rows

    private func axis() -> Line {
        var text = Array(repeating: Character(" "), count: width)
        var free = 0
        func put(_ label: String, at column: Int) {
            guard column >= free, column + label.count <= width else { return }
            text.replaceSubrange(column..<(column + label.count), with: label)
            free = column + label.count + 1
        }
        let now = column(timeline.now)
        for tick in TimelineAxis.ticks(timeline.period, zone, atMost: width / 9) {
            guard let at = column(tick.at) else { continue }
            // The word `now` is put before a time that it would touch.
            if let now, now >= free, at > now - tick.label.count - 1 { put("now", at: now) }
            if now.map({ at >= $0 + 4 || at + tick.label.count < $0 }) ?? true { put(tick.label, at: at) }
        }
        if let now { put("now", at: now) }
        return named("", [.init(String(text), .bold)])
    }

    private mutating func row(_ lane: Timeline.Lane) -> Line {
        var marks = Array(repeating: Mark.nothing, count: width)
        func mark(_ from: Instant, _ to: Instant, _ mark: Mark) {
            let (begin, end) = (max(from, timeline.period.from), min(to, timeline.period.to.advanced(byMilliseconds: -1)))
            guard let first = column(begin) else { return }
            // The end itself belongs to what comes after it.
            let last = max(first, column(end.advanced(byMilliseconds: end > begin ? -1 : 0)) ?? first)
            for column in first...last where marks[column].rawValue < mark.rawValue { marks[column] = mark }
        }
        for coming in lane.coming {
            mark(coming.due, coming.end, .expected)
            mark(coming.due, coming.due, .due)
        }
        for gap in lane.gaps { mark(gap.from, gap.through, Mark(gap.kind)) }
        for run in lane.runs { mark(run.from, run.to, run.state == .done ? .done : run.state == .failed ? .failed : .running) }
        used.formUnion(marks)
        let now = column(timeline.now)
        return Self.cells(marks.enumerated().map { $1 == .nothing && $0 == now ? ("│", Output.Colour.dim) : ($1.glyph, $1.colour) })
    }

    /// The number of runs at the same time: a digit, or `+` for ten and more.
    private func load() -> Line {
        let most = timeline.load.most(in: timeline.period, parts: width)
        return Self.cells(
            most.map { count in
                (count == 0 ? " " : count > 9 ? "+" : String(count), count >= timeline.slots ? Output.Colour.red : nil)
            })
    }

    private func legend() -> String {
        Mark.allCases.filter { $0 != .nothing && used.contains($0) }.map { "\($0.glyph) \($0.word)" }.joined(separator: "   ")
    }

    /// Neighbours of one colour as one cell.
    private static func cells(_ glyphs: [(String, Output.Colour?)]) -> Line {
        var line: Line = []
        for (glyph, colour) in glyphs {
            if let last = line.indices.last, line[last].colour == colour {
                line[last].text += glyph
            } else {
                line.append(.init(glyph, colour))
            }
        }
        return line
    }
}
