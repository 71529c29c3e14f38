import Store
import Web

/// The waiting jobs, each with the reason.
struct WaitingPage {
    private let context: PageContext
    private let jobs: [Snapshot.Waiting]

    private static let shownMax = 200

    init(_ context: PageContext) {
        self.context = context
        let queue = context.address.path == ["waiting"] ? context.address.value("queue") : nil
        jobs = context.snapshot.waiting.filter { queue == nil || Snapshot.queue(of: $0.status) == queue }
            .sorted { $0.status.id < $1.status.id }
    }

    func page() -> MonitorPage {
        let queue = context.address.value("queue").map { " in queue \($0)" } ?? ""
        let main = context.section(
            "waiting", "Waiting\(queue)", more: count(shown: Self.shownMax), isWide: true, table(atMost: Self.shownMax) + others)
        return MonitorPage(title: "Waiting", view: .waiting, main: main)
    }

    /// A link to the list that has all waiting jobs, page by page. Nothing when all are shown.
    private var others: Markup {
        guard context.snapshot.waiting.count < context.snapshot.waitingCount || jobs.count > Self.shownMax else { return "" }
        let address = WebAddress(path: ["jobs"], query: [("state", "new")]).with("queue", context.address.value("queue"))
        return "<p class=\"pages\">\(context.link(address, "All waiting jobs"))</p>\n"
    }

    func count(shown: Int) -> Markup {
        let all = context.snapshot.waitingCount
        let isCut = context.snapshot.waiting.count < all
        if context.address.value("queue") != nil, context.address.path == ["waiting"] {
            return isCut ? "\(jobs.count) among the first \(context.snapshot.waiting.count) of \(all)" : "\(jobs.count)"
        }
        return all > min(shown, jobs.count) && jobs.count >= shown
            ? "\(shown) of \(context.link(MonitorView.waiting.address, "\(all)"))"
            : "\(all)"
    }

    func table(atMost count: Int) -> Markup {
        context.table(
            "Waiting jobs", [.init("Job"), .init("Why it waits"), .init("Queue"), .init("Since")], jobs.prefix(count).map(row),
            ifEmpty: "Nothing waits.")
    }

    private func row(_ one: Snapshot.Waiting) -> [Markup] {
        let status = one.status
        let clauses = HoldClauses(status: status, wording: context.session.wording, shown: PageContext.brief)
        let since = status.waitsSince
        return [
            context.job(status), "\(clauses.sentence(context.snapshot.holds(on: one)))", "\(Snapshot.queue(of: status))",
            since > context.now ? "<span class=\"quiet\">starts</span> \(context.distance(since))" : context.distance(since),
        ]
    }
}
