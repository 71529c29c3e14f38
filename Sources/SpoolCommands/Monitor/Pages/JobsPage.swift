import Store
import Web

/// The jobs, the newest first, with the filters of `spoolctl jobs` in the address.
struct JobsPage {
    private let context: PageContext

    static let pageSize = 50
    private static let filters = ["state", "reason", "task", "queue", "tag", "text", "since", "until"]

    init(_ context: PageContext) { self.context = context }

    func page() throws(Failure) -> MonitorPage {
        let found = try JobSearch(
            context, JobsPage.filters.flatMap { name in values(name).map { (name, $0) } }, before: context.address.value("before"))
        let main =
            form + context.section("jobs", "Jobs", more: found.count, isWide: true, found.table(ifEmpty: "No job matches.") + found.links)
        return MonitorPage(title: "Jobs", view: .jobs, main: main)
    }

    private func values(_ name: String) -> [String] { context.address.query.filter { $0.name == name && !$0.value.isEmpty }.map(\.value) }

    private var form: Markup {
        let states = [("", "all"), ("running", "running"), ("new", "waiting"), ("done", "done"), ("failed", "failed")].map {
            value, words -> Markup in
            "<option value=\"\(value)\"\(value == context.address.value("state") ?? "" ? " selected" as Markup : "")>\(words)</option>"
        }
        func field(_ name: StaticString, _ label: StaticString, _ hint: StaticString) -> Markup {
            """
            <label>\(Markup.own(label)) <input name="\(Markup.own(name))" placeholder="\(Markup.own(hint))" \
            value="\(context.address.value("\(name)") ?? "")"></label>

            """
        }
        return """
            <form class="filters" action="/jobs" aria-label="Filters">
            <label>State <select name="state">\(states)</select></label>
            \(field("task", "Task", "backup"))\(field("queue", "Queue", "default"))\(field("text", "Text", "in name or error"))\
            \(field("since", "Since", "24h, monday"))<button type="submit">Show</button></form>

            """
    }
}

/// Jobs that match filters, of all parts, the newest first.
struct JobSearch {
    private let context: PageContext
    private var records: [JobRecord] = []
    /// The id before which the search goes on; nil when there is nothing more.
    private var next: String?

    init(_ context: PageContext, _ filters: [(name: String, value: String)], before: String?, limit: Int = JobsPage.pageSize)
        throws(Failure)
    {
        self.context = context
        var stops: [String] = []
        // A mistake in a filter is one of the whole page.
        _ = try JobFilter(Session(context.session, Self.options(filters)))
        try context.each { part throws(Failure) in
            guard let filters = Self.filters(filters, of: part) else { return }
            // The call has the filters as its options.
            let call = Session(part, try Self.options(filters))
            let filter = try JobFilter(call)
            var count = 0
            let stop = try filter.scan(call, before: before, looksMax: Self.looksMax) { record in
                records.append(part.qualified(record))
                count += 1
                return count <= limit
            }
            if let stop { stops.append(stop) }
        }
        records.sort { UserPart.split($0.place.id).name > UserPart.split($1.place.id).name }
        if records.count > limit {
            records.removeLast(records.count - limit)
            next = records.last.map { UserPart.split($0.place.id).name }
        }
        // A part in which the search has ended early has not been looked at below that id.
        if let stop = stops.max(), next.map({ stop > $0 }) ?? true {
            records.removeAll { UserPart.split($0.place.id).name < stop }
            next = stop
        }
    }

    /// The filters whose values name something of one part, in root's notation: `backup` is root's, `alice/backup` is alice's.
    private static let named: Set<String> = ["task", "queue"]

    private static func options(_ filters: [(name: String, value: String)]) throws(Failure) -> Arguments {
        try Arguments(filters.map { "--\($0.name)=\($0.value)" }, options: JobFilter.options, ownOperands: nil, command: "jobs")
    }

    /// The filters with the names as a part has them. Nil when they name only what other parts have.
    private static func filters(_ filters: [(name: String, value: String)], of part: Session) -> [(name: String, value: String)]? {
        var own: [(name: String, value: String)] = []
        for (name, value) in filters {
            let word = UserPart.split(value).name
            if !named.contains(name) { own.append((name, value)) } else if part.qualified(word) == value { own.append((name, word)) }
        }
        let kinds = Set(filters.map(\.name))
        return Set(own.map(\.name)) == kinds ? own : nil
    }

    /// The number of jobs of each part that are looked at for one page. A link goes on from there.
    private static let looksMax = 20_000

    var count: Markup { next == nil && context.address.value("before") == nil ? "\(records.count)" : "\(records.count) on this page" }

    func table(ifEmpty: StaticString) -> Markup {
        context.table(
            "Jobs, the newest first", [.init("Job"), .init("State"), .init("Started"), .init("Took", isNumber: true), .init("Note")],
            records.map(row), ifEmpty: ifEmpty)
    }

    var links: Markup {
        let older: Markup = next.map { context.link(context.address.with("before", $0), "Older") } ?? ""
        let newest: Markup = context.address.value("before") == nil ? "" : context.link(context.address.with("before", nil), "Newest")
        return older.isEmpty && newest.isEmpty ? "" : "<p class=\"pages\">\(newest) \(older)</p>\n"
    }

    private func row(_ record: JobRecord) -> [Markup] {
        let status = record.status
        var note = record.place.state == .failed ? record.lastErrorLine ?? status.failureText ?? "" : ""
        if record.place.state == .running {
            note = status.progress.map { "\($0.percent) % \($0.message ?? "")" } ?? status.elsewhere ?? ""
        }
        return [
            context.job(status), context.mark(record), context.time(status.startedAt),
            status.tookMilliseconds(now: context.now).map { "\(TimeText.short($0))" } ?? "<span class=\"quiet\">–</span>", "\(note)",
        ]
    }
}
