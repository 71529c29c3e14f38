import Store
import Web

/// The picture of past and coming runs.
struct TimelinePage {
    private let context: PageContext

    private enum Zoom: String, CaseIterable {
        case minutes = "10min", hour, hours = "8h", day, week

        var milliseconds: Int64 {
            switch self {
            case .minutes: 600_000
            case .hour: 3_600_000
            case .hours: 8 * 3_600_000
            case .day: 24 * 3_600_000
            case .week: 7 * 24 * 3_600_000
            }
        }

        var words: String {
            switch self {
            case .minutes: "10 minutes"
            case .hours: "8 hours"
            default: rawValue
            }
        }

        /// The past part of a picture; the rest is the future.
        var pastMilliseconds: Int64 { milliseconds * 3 / 4 }
    }

    /// The most lanes of a picture, and of the one on the overview.
    private static let lanesMax = 60
    private static let shortLanesMax = 8

    private static let width = 1280.0

    init(_ context: PageContext) { self.context = context }

    func page() throws(Failure) -> MonitorPage { MonitorPage(title: "Timeline", view: .timeline, main: try section()) }

    private func period(_ zoom: Zoom) -> Timeline.Period {
        let from = context.now.advanced(byMilliseconds: -zoom.pastMilliseconds)
        return Timeline.Period(from: from, to: from.advanced(byMilliseconds: zoom.milliseconds))
    }

    /// Calls `body` for each part of the spool of which lanes are wanted, with their names; nil for all.
    private func each(_ body: (Session, Set<String>?) throws(Failure) -> Void) throws(Failure) {
        let isOwnPage = context.address.path == ["timeline"]
        let names = isOwnPage ? context.address.query.filter { $0.name == "task" && !$0.value.isEmpty }.map(\.value) : []
        try context.each { part throws(Failure) in
            let own = names.filter { part.qualified(UserPart.split($0).name) == $0 }.map { UserPart.split($0).name }
            if !names.isEmpty, own.isEmpty { return }
            try body(part, names.isEmpty ? nil : Set(own))
        }
    }

    /// The timeline of a zoom. Of a spool that is new, that of a closer one, when none is wanted.
    private func read(_ wanted: Zoom?) throws(Failure) -> (zoom: Zoom, timeline: Timeline) {
        var zoom = wanted ?? .hours
        var timeline = Timeline(period(zoom), now: context.now, slots: try context.session.configuration().slots)
        try each { part, names throws(Failure) in try timeline.takePast(part, names: names, withFollowUps: false) }
        if wanted == nil, let since = timeline.knownSince {
            let known = context.now.milliseconds - since.milliseconds
            zoom = Zoom.allCases.first { known <= $0.pastMilliseconds } ?? zoom
            timeline.narrow(to: period(zoom))
        }
        try each { part, names throws(Failure) in try timeline.takeComing(part, names: names) }
        return (zoom, timeline)
    }

    /// - Parameter isShort: for the overview: fewer lanes, with a link to the whole.
    func section(isShort: Bool = false) throws(Failure) -> Markup {
        let found = try read(context.address.value("zoom").flatMap(Zoom.init))
        var timeline = found.timeline
        let period = timeline.period
        timeline.sort()
        let lanes = timeline.lanes.count
        timeline.keepBusiest(isShort ? Self.shortLanesMax : Self.lanesMax)
        let shown = timeline.lanes.count
        let choices = Zoom.allCases.map { one -> Markup in
            let address = (isShort ? MonitorView.timeline.address : context.address).with("zoom", one.rawValue)
            return "<a href=\"\(address.text)\"\(one == found.zoom ? " aria-current=\"true\"" as Markup : "")>\(one.words)</a>"
        }
        let span =
            "\(TimeText.brief(period.from, context.zone, now: context.now)) to \(TimeText.brief(period.to, context.zone, now: context.now))"
        let more: Markup = lanes > shown ? "; \(shown) of \(context.link(MonitorView.timeline.address, "\(lanes)")) tasks" : ""
        let known: Markup = timeline.knownSince.map { "; the journal begins at \(context.time($0))" } ?? ""
        let picture: Markup =
            shown == 0
            ? "<div class=\"card\"><p class=\"empty\">Nothing ran in this time, and nothing is due in it.</p></div>\n"
            : """
            <div class="card"><div class="scroll" role="region" aria-label="Picture of runs" tabindex="0">
            \(TimelineSVG(timeline, zone: context.zone, width: Self.width).markup)</div>
            <div class="legend"><span><i class="ok"></i>done</span><span><i class="run"></i>running</span>\
            <span><i class="bad"></i>failed</span><span><i class="missed"></i>missed</span>\
            <span><i class="skip"></i>skipped</span><span><i class="due"></i>due</span></div></div>

            """
        return context.section(
            "timeline", "Timeline", more: "\(span), now \(TimeText.brief(context.now, context.zone, now: context.now))\(more)\(known)",
            choices: "\(choices)", isWide: true, picture)
    }
}
