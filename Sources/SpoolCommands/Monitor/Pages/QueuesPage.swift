import Store
import Web

/// The queues of each part with their slots, what runs and waits in each, and pauses.
struct QueuesPage {
    private let context: PageContext

    init(_ context: PageContext) { self.context = context }

    func page() throws(Failure) -> MonitorPage {
        let snapshot = context.snapshot
        let rows = snapshot.queues.map(row)
        let isCut = snapshot.waitingCount > snapshot.waiting.count
        let all = context.link(MonitorView.waiting.address, "\(snapshot.waitingCount) waiting jobs")
        let remark: Markup = isCut ? "counted among the first \(snapshot.waiting.count) of \(all)" : "\(rows.count)"
        let table = context.table(
            "Queues",
            [
                .init("Queue"), .init("Slots"), .init("Running", isNumber: true), .init("Waiting", isNumber: true), .init("Oldest"),
                .init("State"),
            ],
            rows, ifEmpty: "There is no queue.")
        let (_, used, slots) = snapshot.slots[0]
        let whole: Markup = "<p class=\"lead\">\(used) of the spool's \(slots) slots are in use.</p>"
        return MonitorPage(
            title: "Queues", view: .queues, main: context.section("queues", "Queues", more: remark, isWide: true, table) + whole)
    }

    private func row(_ queue: Snapshot.Queue) -> [Markup] {
        let name = queue.title
        let isFull = queue.slots.map { queue.running >= $0 } ?? false
        let state: Markup =
            queue.pause.map { "\(PageContext.tag("warn", "‖", "paused")) <span class=\"quiet\">\($0.note)</span>" }
            ?? (isFull ? PageContext.tag("run", "●", "full") : PageContext.tag("ok", "✓", "open"))
        let bar: Markup =
            queue.slots.map { slots in
                """
                <progress max="\(max(1, slots))" value="\(min(slots, queue.running))" aria-label="Slots of \(name) in use"></progress> \
                \(queue.running)&nbsp;of&nbsp;\(slots)
                """
            } ?? "<span class=\"quiet\">the spool's</span>"
        func link(_ view: MonitorView, _ count: Int) -> Markup {
            count == 0 ? "0" : context.link(view.address.with("queue", name), "\(count)")
        }
        return [
            "\(name)", bar, link(.running, queue.running), link(.waiting, queue.waiting),
            queue.oldest.map { context.distance($0) } ?? "<span class=\"quiet\">–</span>", state,
        ]
    }
}
