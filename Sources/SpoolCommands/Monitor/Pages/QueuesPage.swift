import Store
import Web

/// The queues with their slots, what runs and waits in each, and pauses.
struct QueuesPage {
    private let context: PageContext

    init(_ context: PageContext) { self.context = context }

    private struct Queue {
        var running = 0
        var waiting = 0
        var oldest: Instant?
        var slots: Int?
    }

    func page() throws(Failure) -> MonitorPage {
        let snapshot = context.snapshot
        var queues = ["default": Queue()]
        for (name, slots) in snapshot.surroundings.queueSlots { queues[name, default: Queue()].slots = slots }
        for one in snapshot.running { queues[one.status.queue, default: Queue()].running += 1 }
        for one in snapshot.waiting {
            var queue = queues[one.status.queue] ?? Queue()
            queue.waiting += 1
            let since = max(one.status.createdAt, one.status.notBefore ?? one.status.due)
            if since <= context.now { queue.oldest = queue.oldest.map { min($0, since) } ?? since }
            queues[one.status.queue] = queue
        }
        let rows = queues.sorted { $0.key < $1.key }.map { name, queue in row(name, queue) }
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

    private func row(_ name: String, _ queue: Queue) -> [Markup] {
        let scopes: [PauseScope] = [.all, .queue(name)]
        let pause = context.snapshot.pauses.first { scopes.contains($0.scope) }
        let state: Markup =
            pause.map { "\(PageContext.tag("warn", "‖", "paused")) <span class=\"quiet\">\($0.note)</span>" }
            ?? (queue.slots.map { queue.running >= $0 } ?? false ? PageContext.tag("run", "●", "full") : PageContext.tag("ok", "✓", "open"))
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
