import Linux
import Store
import Web

/// One view of the monitor: what changes while somebody looks at it.
struct MonitorPage {
    var status = HTTPStatus.ok
    var title: String
    /// The view of the navigation that it belongs to.
    var view: MonitorView?
    var main: Markup
    /// The header with the navigation, and `main`.
    var live = Markup()
    /// Follows from `live`: equal pages have equal ids.
    var id = ""
}

/// The views of the navigation.
enum MonitorView: String, CaseIterable {
    case overview, running, waiting, jobs, tasks, timeline, queues, health

    var address: WebAddress { WebAddress(path: self == .overview ? [] : [rawValue]) }
    var name: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }
}

/// The sources of a page: a call of its own, so that it reads the spool as it is now; the live snapshot; and its address.
struct PageContext {
    let session: Session
    let snapshot: Snapshot
    let address: WebAddress

    var now: Instant { session.now }
    var zone: Zone { session.callerZone }

    /// The whole spool for its owner; for root in a shared spool, first root's own part and then each user's.
    func parts() throws(Failure) -> [Session] { [session] + (try EverybodysSpool.users(session)) }

    /// The session on the part of an owner in root's notation.
    func part(of owner: String?) throws(Failure) -> Session {
        guard let owner else { return session }
        guard let part = try EverybodysSpool.users(session).first(where: { $0.owner?.name == owner }) else {
            throw .notFound("\(owner) has nothing in this spool")
        }
        return part
    }

    /// Runs `body` on each part, as its owner. A part that cannot be read becomes a remark on the page.
    func each(_ body: (Session) throws(Failure) -> Void) throws(Failure) {
        for part in try parts() { _ = try session.tolerating(part) { () throws(Failure) in try body(part) } }
    }

    // MARK: Times

    /// An instant as the reader's clock shows it, with the whole date and the zone to be found.
    func time(_ instant: Instant?) -> Markup {
        guard let instant else { return "<span class=\"quiet\">–</span>" }
        return time(instant, shown: TimeText.brief(instant, zone, now: now))
    }

    /// The same with its distance: `13:30, 5m12s ago`.
    func timeAndDistance(_ instant: Instant?) -> Markup {
        guard let instant else { return time(nil) }
        return "\(time(instant)) <span class=\"quiet\">\(TimeText.distance(instant, from: now))</span>"
    }

    /// The date and the time to the second, with the distance: `Sun 29 Nov 17:28:23, 5m12s ago`.
    func momentAndDistance(_ instant: Instant) -> Markup {
        let shown = TimeText.dated(instant, zone, now: now)
        return "\(time(instant, shown: shown)) <span class=\"quiet\">\(TimeText.distance(instant, from: now))</span>"
    }

    func distance(_ instant: Instant) -> Markup { time(instant, shown: TimeText.distance(instant, from: now)) }

    private func time(_ instant: Instant, shown: String) -> Markup {
        "<time datetime=\"\(TimeText.local(instant, zone))\" title=\"\(TimeText.spoken(instant, zone, now: now))\">\(shown)</time>"
    }

    // MARK: Links

    static func address(ofJob id: String) -> WebAddress {
        let (owner, own) = UserPart.split(id)
        return WebAddress(path: ["jobs"] + (owner.map { [$0] } ?? []) + [own])
    }

    static func address(ofTask name: String) -> WebAddress {
        let (owner, own) = UserPart.split(name)
        return WebAddress(path: ["tasks"] + (owner.map { [$0] } ?? []) + [own])
    }

    func link(_ address: WebAddress, _ text: Markup) -> Markup { "<a href=\"\(address.text)\">\(text)</a>" }

    /// A job by its name and the end of its id, with its title below.
    func job(_ status: JobStatus) -> Markup {
        let title: Markup = status.title.map { "<br><span class=\"quiet\">\($0)</span>" } ?? ""
        return "\(link(Self.address(ofJob: status.id), "\(status.name)")) \(shortID(status.id))\(title)"
    }

    /// A job in a sentence: its name and the end of its id.
    static func brief(_ id: String) -> String {
        let own = UserPart.split(id).name
        return JobID(own).map { "\($0.name) \(JobTable.shortID(own))" } ?? id
    }

    func shortID(_ id: String) -> Markup { "<span class=\"mono quiet\">\(JobTable.shortID(UserPart.split(id).name))</span>" }

    func task(_ name: String) -> Markup { link(Self.address(ofTask: name), "\(name)") }

    // MARK: Marks

    /// The state of a job as an icon and words.
    func mark(_ record: JobRecord) -> Markup { Self.mark(record.status, record.place.state) }

    static func mark(_ status: JobStatus, _ state: JobState) -> Markup {
        switch state {
        case .done: return tag("ok", "✓", status.brief)
        case .running: return tag("run", "●", status.stateWord)
        case .new: return tag("skip", "○", "waiting")
        case .failed:
            switch status.reason {
            case .timeout, .deadline: return tag("warn", "◷", status.brief)
            case .canceled, .replaced: return tag("skip", "–", status.brief)
            case .lost: return tag("bad", "?", status.brief)
            default: return tag("bad", "✕", status.brief)
            }
        }
    }

    static func tag(_ kind: StaticString, _ icon: StaticString, _ words: String) -> Markup {
        "<span class=\"tag \(Markup.own(kind))\"><span aria-hidden=\"true\">\(Markup.own(icon))</span> \(words)</span>"
    }

    /// The newest runs of a task as small bars, the newest at the right, with their numbers in words, and each with its own. A failure is
    /// the tallest, a run that goes on is hollow, a canceled one is low.
    func marks(_ runs: [JobRecord]) -> Markup {
        guard !runs.isEmpty else { return "<span class=\"quiet\">none yet</span>" }
        var counts: [(word: String, count: Int)] = []
        var bars = Markup()
        for run in runs.reversed() {
            let word = run.place.state.isTerminal ? (run.place.state == .done ? "done" : run.status.brief) : "running"
            if let index = counts.firstIndex(where: { $0.word == word }) { counts[index].count += 1 } else { counts.append((word, 1)) }
            let kind: Markup =
                switch run.place.state {
                case .done: ""
                case .running, .new: " class=\"r\""
                case .failed: run.status.reason == .canceled || run.status.reason == .replaced ? " class=\"s\"" : " class=\"f\""
                }
            let at = TimeText.spoken(run.status.startedAt ?? run.status.changedAt, zone, now: now)
            bars += "<i\(kind) title=\"\(word), \(at)\"></i>"
        }
        let words = counts.map { "\($0.count) \($0.word)" }.joined(separator: ", ")
        return "<span class=\"marks\" role=\"img\" aria-label=\"\(words)\">\(bars)</span>"
    }

    func progress(_ progress: Progress) -> Markup {
        let message: Markup = progress.message.map { "<br><span class=\"quiet\">\($0)</span>" } ?? ""
        return """
            <progress max="100" value="\(progress.percent)" aria-label="Progress"></progress> \(progress.percent)&nbsp;%\(message)
            """
    }

    // MARK: Tables

    struct Column {
        var title: StaticString
        var isNumber = false

        init(_ title: StaticString, isNumber: Bool = false) {
            self.title = title
            self.isNumber = isNumber
        }
    }

    /// A table whose rows become blocks where the window is narrow. The roles keep it a table there.
    func table(_ caption: String, _ columns: [Column], _ rows: [[Markup]], ifEmpty: StaticString) -> Markup {
        guard !rows.isEmpty else { return "<div class=\"card\"><p class=\"empty\">\(Markup.own(ifEmpty))</p></div>" }
        let head = columns.map { column -> Markup in
            "<th scope=\"col\" role=\"columnheader\"\(Self.kind(column))>\(Markup.own(column.title))</th>"
        }
        let body = rows.map { row -> Markup in
            let cells = zip(columns, row).map { column, cell -> Markup in
                "<td role=\"cell\" data-label=\"\(Markup.own(column.title))\"\(Self.kind(column))><div>\(cell)</div></td>"
            }
            return "<tr role=\"row\">\(cells)</tr>\n"
        }
        return """
            <div class="card"><table role="table"><caption>\(caption)</caption>
            <thead role="rowgroup"><tr role="row">\(head)</tr></thead>
            <tbody role="rowgroup">
            \(body)</tbody></table></div>

            """
    }

    private static func kind(_ column: Column) -> Markup { column.isNumber ? " class=\"n\"" : "" }

    /// A section with its heading. `more` follows the heading: a number, or a link. `choices` are links to other forms of it.
    func section(
        _ id: StaticString, _ title: String, more: Markup = "", choices: Markup = "", isWide: Bool = false, _ body: Markup
    ) -> Markup {
        let kind: Markup = isWide ? " class=\"wide\"" : ""
        let links: Markup = choices.isEmpty ? "" : "<p class=\"choices\">\(choices)</p>"
        return """
            <section aria-labelledby="\(Markup.own(id))"\(kind)>
            <div class="head"><h2 id="\(Markup.own(id))">\(title) <small>\(more)</small></h2>\(links)</div>
            \(body)</section>

            """
    }
}
