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

    private func read(_ zoom: Zoom, withComing: Bool = true) throws(Failure) -> Timeline {
        let isOwnPage = context.address.path == ["timeline"]
        let names = isOwnPage ? context.address.query.filter { $0.name == "task" && !$0.value.isEmpty }.map(\.value) : []
        let from = context.now.advanced(byMilliseconds: -zoom.pastMilliseconds)
        let period = Timeline.Period(from: from, to: from.advanced(byMilliseconds: zoom.milliseconds))
        var timeline = Timeline(period, now: context.now, slots: try context.session.configuration().slots)
        try context.each { part throws(Failure) in
            let own = names.filter { part.qualified(UserPart.split($0).name) == $0 }.map { UserPart.split($0).name }
            if !names.isEmpty, own.isEmpty { return }
            try timeline.take(part, names: names.isEmpty ? nil : Set(own), withFollowUps: false, withComing: withComing)
        }
        return timeline
    }

    /// - Parameter isShort: for the overview: fewer lanes, with a link to the whole.
    func section(isShort: Bool = false) throws(Failure) -> Markup {
        let wanted = context.address.value("zoom").flatMap(Zoom.init)
        var zoom = wanted ?? .hours
        // A spool that is new is looked at more closely.
        if wanted == nil, let since = try read(zoom, withComing: false).knownSince {
            let known = context.now.milliseconds - since.milliseconds
            zoom = Zoom.allCases.first { known <= $0.pastMilliseconds } ?? zoom
        }
        var timeline = try read(zoom)
        let period = timeline.period
        timeline.sort()
        let lanes = timeline.lanes.count
        timeline.keepBusiest(isShort ? Self.shortLanesMax : Self.lanesMax)
        let shown = timeline.lanes.count
        let choices = Zoom.allCases.map { one -> Markup in
            let address = (isShort ? MonitorView.timeline.address : context.address).with("zoom", one.rawValue)
            return "<a href=\"\(address.text)\"\(one == zoom ? " aria-current=\"true\"" as Markup : "")>\(one.words)</a>"
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
            <span><i class="bad"></i>failed or missed</span>\
            <span><i class="skip"></i>skipped</span><span><i class="due"></i>due</span></div></div>

            """
        return context.section(
            "timeline", "Timeline", more: "\(span), now \(TimeText.brief(context.now, context.zone, now: context.now))\(more)\(known)",
            choices: "\(choices)", isWide: true, picture)
    }
}
