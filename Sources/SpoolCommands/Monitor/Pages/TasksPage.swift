import Store
import TextSearch
import Web

/// The tasks: by their next due times where they are few enough to compute all, else page by page by their names.
struct TasksPage {
    private let context: PageContext

    private static let pageSize = 50
    private static let sortedMax = 300

    init(_ context: PageContext) { self.context = context }

    func page() throws(Failure) -> MonitorPage {
        var names: [String] = []
        try context.each { part throws(Failure) in names += try TaskCatalog(part, withSchedules: false).names().map(part.qualified) }
        if let text = context.address.value("q")?.lowercased() { names.removeAll { !$0.lowercased().contains(text) } }
        let all = names.count
        var links = Markup()
        var order: Markup = "by next due time"
        let isSorted = all <= Self.sortedMax
        if !isSorted {
            let pages = (all + Self.pageSize - 1) / Self.pageSize
            let number = min(max(1, context.address.value("page").flatMap { Int($0) } ?? 1), pages)
            names = Array(names.dropFirst((number - 1) * Self.pageSize).prefix(Self.pageSize))
            order = "by name, page \(number) of \(pages)"
            if number > 1 { links += "\(context.link(context.address.with("page", "\(number - 1)"), "Previous")) " }
            if number < pages { links += context.link(context.address.with("page", "\(number + 1)"), "Next") }
            links = "<p class=\"pages\">\(links)</p>\n"
        }
        let rows = try TaskRows(context, names: names, isByDue: isSorted)
        let form: Markup = """
            <form class="filters" action="/tasks" aria-label="Filters">
            <label>Name <input name="q" placeholder="a part of it" value="\(context.address.value("q") ?? "")"></label>
            <button type="submit">Show</button></form>

            """
        let table = rows.table(caption: "Tasks", ifEmpty: "There is no task here.")
        return MonitorPage(
            title: "Tasks", view: .tasks,
            main: form + context.section("tasks", "Tasks", more: "\(all), \(order)", isWide: true, table + links))
    }
}

/// Tasks as rows of a table.
struct TaskRows {
    private let context: PageContext
    private var rows: [(due: Instant?, cells: [Markup])] = []

    static let runs = 20

    /// - Parameters:
    ///   - names: in root's notation. A task that does not exist any more is left out.
    ///   - isByDue: the rows are in the order of their next due times, not in that of `names`.
    init(_ context: PageContext, names: [String], isByDue: Bool = false) throws(Failure) {
        self.context = context
        var found: [String: (due: Instant?, cells: [Markup])] = [:]
        guard !names.isEmpty else { return }
        try context.each { part throws(Failure) in
            let own = names.filter { part.qualified(UserPart.split($0).name) == $0 }.map { UserPart.split($0).name }
            if own.isEmpty { return }
            let catalog = try TaskCatalog(part)
            let known = Set(try catalog.names())
            let entries = try catalog.entries(named: own.filter(known.contains))
            let due = try DueTimes(part, catalog.fs, for: entries)
            let recent = try RecentRuns(part, of: entries.map(\.name), count: Self.runs)
            for entry in entries {
                let next = due.next([entry], count: 1).first?.instant
                found[part.qualified(entry.name)] = (next, row(part, catalog, entry, next, recent))
            }
        }
        rows = names.compactMap { found[$0] }
        if isByDue {
            rows = rows.enumerated().sorted {
                ($0.element.due?.milliseconds ?? .max, $0.offset) < ($1.element.due?.milliseconds ?? .max, $1.offset)
            }
            .map(\.element)
        }
    }

    func table(caption: String, ifEmpty: StaticString) -> Markup {
        context.table(
            caption,
            [
                .init("Task"), .init("When"), .init("Next"), .init("Last"), .init("Last 20"), .init("Mean", isNumber: true),
                .init("Longest", isNumber: true),
            ],
            rows.map(\.cells), ifEmpty: ifEmpty)
    }

    private func row(
        _ part: Session, _ catalog: TaskCatalog, _ entry: TaskCatalog.Entry, _ next: Instant?, _ recent: RecentRuns
    ) -> [Markup] {
        let runs = recent.runs(of: entry.name)
        let lengths = recent.lengths(of: entry.name)
        let title: Markup = catalog.title(of: entry).map { "<br><span class=\"quiet\">\($0)</span>" } ?? ""
        let last: Markup =
            runs.first.map { "\(context.mark($0)) <span class=\"quiet\">\(context.time($0.ranAt))</span>" }
            ?? "<span class=\"quiet\">–</span>"
        let none: Markup = "<span class=\"quiet\">–</span>"
        return [
            "\(context.task(part.qualified(entry.name)))\(Self.tags(catalog, entry))\(title)", Self.when(context, entry),
            Self.next(context, entry, next), last, context.marks(runs), lengths.map { "\(TimeText.short($0.mean))" } ?? none,
            lengths.map { "\(TimeText.short($0.longest))" } ?? none,
        ]
    }

    /// The states of a task that are not the usual one.
    static func tags(_ catalog: TaskCatalog, _ entry: TaskCatalog.Entry) -> Markup {
        var tags = Markup()
        if entry.task == nil { tags += " \(PageContext.tag("bad", "✕", "cannot be used"))" }
        if entry.isEditRefused { tags += " \(PageContext.tag("warn", "▲", "edit refused"))" }
        if catalog.isOverdue(entry) { tags += " \(PageContext.tag("warn", "◷", "overdue"))" }
        if catalog.pauseNote(of: entry) != nil { tags += " \(PageContext.tag("warn", "‖", "paused"))" }
        return tags
    }

    /// The schedule in words, and as it is written.
    private static func when(_ context: PageContext, _ entry: TaskCatalog.Entry) -> Markup {
        guard !entry.schedules.isEmpty else { return "<span class=\"quiet\">by hand</span>" }
        let words = ScheduleWords.text(entry.schedules.map(\.definition), callerZone: context.zone, now: context.now)
        let written = entry.schedules[0].definition.expression
        return written.contains("\"\(words)\"") || written == words
            ? "\(words)" : "\(words)<br><span class=\"mono quiet\">\(written)</span>"
    }

    private static func next(_ context: PageContext, _ entry: TaskCatalog.Entry, _ next: Instant?) -> Markup {
        if let next { return context.timeAndDistance(next) }
        let waits = entry.schedules.contains { $0.definition.enabled && $0.definition.onPath != nil }
        return waits ? "<span class=\"quiet\">when a file arrives</span>" : "<span class=\"quiet\">–</span>"
    }
}
