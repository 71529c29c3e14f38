import Store
import Web

/// The picture of a timeline for a browser, light or dark as the browser is.
struct TimelineSVG {
    private let timeline: Timeline
    private let zone: Zone
    private let width: Double
    private var body = Markup()

    private static let names = 200.0
    private static let laneHeight = 20.0
    private static let top = 30.0
    /// The least width of what is drawn, so that a short run is visible.
    private static let least = 2.0

    private static let style: StaticString = """
        text { font: 12px sans-serif; fill: #1f2328 } .dim { fill: #656d76 } .grid { stroke: #d0d7de } .now { stroke: #0969da }
        .done { fill: #1a7f37 } .failed, .full { fill: #cf222e } .missed { fill: none; stroke: #cf222e }
        .running { fill: #bf8700; stroke: #1f2328 } .skipped { fill: #8c959f } .load { fill: #8c959f }
        .due { fill: none; stroke: #0969da } .long { stroke-dasharray: 3 2 }
        @media (prefers-color-scheme: dark) {
        text { fill: #e6edf3 } .dim { fill: #8d96a0 } .grid { stroke: #30363d } .now { stroke: #4493f8 }
        .done { fill: #3fb950 } .failed, .full { fill: #f85149 } .missed { stroke: #f85149 }
        .running { fill: #d29922; stroke: #e6edf3 } .due { stroke: #4493f8 } }
        """

    init(_ timeline: Timeline, zone: Zone, width: Double = 960) {
        self.timeline = timeline
        self.zone = zone
        self.width = width
    }

    /// A file of its own.
    var text: String { drawn("\n<style>\n\(Markup.own(Self.style))\n</style>").text }

    /// A part of a page, whose style names the shapes' colours.
    var markup: Markup { drawn("") }

    private func drawn(_ style: Markup) -> Markup {
        var picture = self
        picture.draw(style)
        return picture.body
    }

    private mutating func draw(_ style: Markup) {
        let bottom = Self.top + Double(timeline.lanes.count) * Self.laneHeight
        let height = bottom + 40
        body = """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.number(width)) \(Self.number(height))" role="img">
            <title>Runs from \(time(timeline.period.from)) to \(time(timeline.period.to))</title>\(style)

            """
        for tick in TimelineAxis.ticks(timeline.period, zone, atMost: 12) {
            let at = x(tick.at)
            line("grid", at, Self.top - 6, bottom + 24)
            label(tick.label, at + 3, Self.top - 12, "dim")
        }
        for (index, lane) in timeline.lanes.enumerated() { draw(lane, Self.top + Double(index) * Self.laneHeight) }
        drawLoad(bottom + 6)
        if timeline.period.from <= timeline.now, timeline.now < timeline.period.to {
            line("now", x(timeline.now), Self.top - 6, bottom + 24)
        }
        body += "</svg>\n"
    }

    private mutating func draw(_ lane: Timeline.Lane, _ y: Double) {
        label(Columns.cut(PlainText.oneLine(lane.name), to: 30), 4, y + 14, "")
        // Due times that would cover each other are one shape.
        var joined: (from: Instant, to: Instant, count: Int)?
        for coming in lane.coming {
            if let known = joined, x(coming.due) < x(known.to) + Self.least {
                joined = (known.from, max(known.to, coming.end), known.count + 1)
            } else {
                draw(due: joined, y)
                joined = (coming.due, coming.end, 1)
            }
        }
        draw(due: joined, y)
        for gap in lane.gaps {
            bar(gap.kind.rawValue, gap.from, gap.through, y, "\(gap.word) \(time(gap.from))")
        }
        // Of runs that would cover each other, the first of each state is drawn.
        var ends: [Timeline.Run.State: Double] = [:]
        for run in lane.runs {
            let end = max(x(run.to), x(run.from) + Self.least)
            if let covered = ends[run.state], end <= covered + Self.least / 2 { continue }
            ends[run.state] = end
            bar(run.state.rawValue, run.from, run.to, y, "\(run.outcome), \(time(run.from)), \(run.id)")
        }
    }

    private mutating func draw(due span: (from: Instant, to: Instant, count: Int)?, _ y: Double) {
        guard let span else { return }
        let more = span.count > 1 ? ", and \(span.count - 1) more" : ""
        bar("due", span.from, span.to, y, "due \(time(span.from))\(more)")
    }

    /// A band that is the higher the more runs there are at the same time, and red where they use all slots.
    private mutating func drawLoad(_ y: Double) {
        label(TimelineLoad.name, 4, y + 14, "dim")
        let parts = 240
        let width = (width - Self.names) / Double(parts)
        for (index, count) in timeline.load.most(in: timeline.period, parts: parts).enumerated() where count > 0 {
            let height = 18 * min(1, Double(count) / Double(max(1, timeline.slots)))
            let at = Self.names + Double(index) * width
            rectangle(count >= timeline.slots ? "full" : "load", at, y + 18 - height, width, height, "\(count)")
        }
    }

    // MARK: Shapes

    private func x(_ instant: Instant) -> Double {
        let (from, to) = (timeline.period.from.milliseconds, timeline.period.to.milliseconds)
        let part = Double(instant.milliseconds - from) / Double(to - from)
        return Self.names + min(1, max(0, part)) * (width - Self.names)
    }

    /// The height of each shape. Nobody has to tell two colours apart: a failure is the tallest, a missed run the same and hollow, a
    /// skipped one a thin line; a run that goes on has an edge, a coming one a broken edge alone.
    private static func height(of shape: String) -> Double {
        switch shape {
        case "failed", "missed": 18
        case "skipped": 4
        default: 10
        }
    }

    /// A shape in the middle of a lane.
    private mutating func bar(_ shape: String, _ from: Instant, _ to: Instant, _ lane: Double, _ title: String) {
        let (height, width) = (Self.height(of: shape), max(Self.least, x(to) - x(from)))
        // A broken edge needs room.
        let isLong = shape == "due" && width >= height
        rectangle(isLong ? "due long" : shape, x(from), lane + (Self.laneHeight - height) / 2, width, height, title)
    }

    private func time(_ instant: Instant) -> String { TimeText.spoken(instant, zone, now: timeline.now) }

    private mutating func rectangle(_ shape: String, _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ title: String) {
        let (left, top, width, height) = (Self.number(x), Self.number(y), Self.number(width), Self.number(height))
        let place: Markup = "x=\"\(left)\" y=\"\(top)\" width=\"\(width)\" height=\"\(height)\""
        body += "<rect class=\"\(shape)\" \(place)><title>\(title)</title></rect>\n"
    }

    private mutating func line(_ shape: String, _ x: Double, _ from: Double, _ to: Double) {
        let x = Self.number(x)
        body += "<line class=\"\(shape)\" x1=\"\(x)\" x2=\"\(x)\" y1=\"\(Self.number(from))\" y2=\"\(Self.number(to))\"/>\n"
    }

    private mutating func label(_ text: String, _ x: Double, _ y: Double, _ shape: String) {
        let place: Markup = "x=\"\(Self.number(x))\" y=\"\(Self.number(y))\""
        body += "<text class=\"\(shape)\" \(place)>\(text)</text>\n"
    }

    /// A number with one digit after the point at most.
    private static func number(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return tenths % 10 == 0 ? String(tenths / 10) : "\(tenths / 10).\(abs(tenths % 10))"
    }
}
