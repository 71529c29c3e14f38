import Store
import Web

/// The daemon, its troubles, and everything that wants a person.
struct HealthPage {
    private let context: PageContext

    init(_ context: PageContext) { self.context = context }

    func page() throws(Failure) -> MonitorPage {
        let attention = try Attention(context)
        var main = context.section("attention", "Wants a person", more: "\(attention.items.count)", isWide: true, attention.list())
        main += context.section("daemon", "spoold", isWide: true, try daemon())
        let users = try context.session.daemonTable()?.tables("users") ?? []
        if !users.isEmpty { main += context.section("users", "Users", more: "\(users.count)", isWide: true, self.users(users)) }
        return MonitorPage(title: "Health", view: .health, main: main)
    }

    private func daemon() throws(Failure) -> Markup {
        let session = context.session
        let table = try session.daemonTable()
        var rows: [(name: String, value: Markup)] = [("spool", "<span class=\"mono\">\(session.spoolPath)</span>")]
        if let holder = try session.daemon() {
            rows.append(("state", PageContext.tag("ok", "✓", "runs, pid \(holder.pid) on \(holder.host)")))
            if let version = table?.text("version") { rows.append(("version", "\(version)")) }
            rows.append(("since", context.timeAndDistance(table?.instant("started_at"))))
        } else {
            rows.append(("state", PageContext.tag("bad", "✕", "is not running")))
            rows.append(("last seen", context.timeAndDistance(table?.instant("at"))))
        }
        for standby in try attempt({ () throws(SystemError) in try Standby.all(ofSpool: session.spoolPath) }) {
            rows.append(
                ("standby", "pid \(standby.pid) on \(standby.host), version \(standby.version), since \(context.time(standby.since))"))
        }
        if let published = table.flatMap({ PublishedConfiguration($0) }) {
            rows.append(("configuration", published.readAt == nil ? "the defaults" : "<span class=\"mono\">\(published.file ?? "")</span>"))
            rows.append(("timezone", "\(published.zoneName)"))
        }
        for key in ["slots", "running", "waiting", "done", "failed", "tasks"] {
            if let count = table?.whole(key) { rows.append((key, "\(count)")) }
        }
        return FactTable.markup("The daemon", rows)
    }

    private func users(_ users: [Table]) -> Markup {
        let rows = users.map { user -> [Markup] in
            var isServed = user.whole("pid") != nil
            if case .boolean(true)? = user["resting"]?.kind { isServed = true }
            return [
                "\(user.text("name") ?? "?")", isServed ? PageContext.tag("ok", "✓", "served") : PageContext.tag("bad", "✕", "not served"),
                "\(user.whole("running") ?? 0)", "\(user.whole("waiting") ?? 0)", "\(user.whole("slots") ?? 0)",
            ]
        }
        return context.table(
            "Users",
            [
                .init("User"), .init("State"), .init("Running", isNumber: true), .init("Waiting", isNumber: true),
                .init("Slots", isNumber: true),
            ],
            rows, ifEmpty: "There are no users.")
    }
}

/// A table of names and values.
enum FactTable {
    static func markup(_ caption: String, _ rows: [(name: String, value: Markup)]) -> Markup {
        let lines = rows.map { "<tr><th scope=\"row\">\($0.name)</th><td>\($0.value)</td></tr>\n" as Markup }
        return "<div class=\"card\"><table><caption>\(caption)</caption><tbody>\n\(lines)</tbody></table></div>\n"
    }
}
