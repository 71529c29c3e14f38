import Store
import Web

/// The list of troubles, refused files, overdue tasks, late runs and pauses: from the state that the daemons have published, and from the
/// live snapshot.
struct Attention {
    struct Item {
        var mark: Markup
        var what: Markup
        var text: String
    }

    private(set) var items: [Item] = []

    init(_ context: PageContext) throws(Failure) {
        let daemon = context.snapshot.daemon
        if daemon.pid == nil {
            let seen: Markup = daemon.since.map { "last seen \(context.time($0))" } ?? "it has never run here"
            items.append(
                Item(
                    mark: PageContext.tag("bad", "✕", "not running"), what: "<b>spoold</b> \(seen)",
                    text: "Nothing is started until it runs."))
        }
        if let held = context.snapshot.surroundings.held {
            items.append(Item(mark: PageContext.tag("warn", "▲", "held"), what: "<b>all jobs</b>", text: "Nothing starts: \(held)."))
        }
        try context.each { part throws(Failure) in
            guard let table = try part.daemonTable() else { return }
            // The troubles of a daemon end with it.
            if try part.daemon() != nil { take(troubles: table, part) }
            take(definitions: table, part, context)
        }
        takeLate(context)
        for pause in context.snapshot.pauses {
            let what: Markup = "<b>\(pause.scope.spoken(of: pause.owner))</b>"
            items.append(Item(mark: PageContext.tag("skip", "‖", "paused"), what: what, text: pause.note))
        }
    }

    private mutating func takeLate(_ context: PageContext) {
        for (task, oldest, count) in context.snapshot.late {
            let clauses = HoldClauses(status: oldest.status, wording: context.session.wording, shown: PageContext.brief)
            let more: Markup = count > 1 ? " <span class=\"quiet\">and \(count - 1) more</span>" : ""
            items.append(
                Item(
                    mark: PageContext.tag("warn", "◷", "late"),
                    what: "<b>\(context.task(task))</b> <span>due \(context.timeAndDistance(oldest.status.due))\(more)</span>",
                    text: clauses.sentence(context.snapshot.holds(on: oldest))))
        }
    }

    private mutating func take(troubles table: Table, _ part: Session) {
        for one in table.tables("troubles") {
            let text = [one.text("error"), one.text("effect")].compactMap(\.self).joined(separator: "; ")
            let of = part.qualified(one.text("of") ?? "spoold")
            items.append(Item(mark: PageContext.tag("bad", "✕", "trouble"), what: "<b>\(of)</b>", text: text))
        }
    }

    private mutating func take(definitions table: Table, _ part: Session, _ context: PageContext) {
        for one in table.tables("overdue") {
            guard let task = one.text("task") else { continue }
            let since = one.instant("since").map { "No success since \(TimeText.spoken($0, context.zone, now: context.now))." }
            items.append(
                Item(
                    mark: PageContext.tag("warn", "◷", "overdue"), what: "<b>\(context.task(part.qualified(task)))</b>",
                    text: since ?? "It has not succeeded within its time."))
        }
        for one in table.tables("problems") {
            let file = one.text("file") ?? "?"
            items.append(
                Item(mark: PageContext.tag("warn", "▲", "refused"), what: "<b>\(part.qualified(file))</b>", text: one.text("message") ?? "")
            )
        }
    }

    /// The items, at most `count` of them.
    func list(_ count: Int = .max) -> Markup {
        guard !items.isEmpty else { return "<div class=\"card\"><p class=\"empty\">Nothing.</p></div>" }
        let shown = items.prefix(count).map { item -> Markup in
            let text: Markup = item.text.isEmpty ? "" : "<p class=\"quiet\">\(item.text)</p>"
            return "<div class=\"item\"><p>\(item.mark) \(item.what)</p>\(text)</div>\n"
        }
        let more: Markup = items.count > count ? "<p class=\"empty\"><a href=\"/health\">\(items.count - count) more</a></p>" : ""
        return "<div class=\"card\">\(shown)\(more)</div>\n"
    }
}

extension Table {
    /// The tables in an array; none when the key is missing.
    func tables(_ key: String) -> [Table] {
        guard case .array(let all)? = self[key]?.kind else { return [] }
        return all.compactMap { if case .table(let one) = $0.kind { one } else { nil } }
    }
}
