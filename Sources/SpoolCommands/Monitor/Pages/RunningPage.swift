import Store
import Web

/// The running jobs, with their progress and limit.
struct RunningPage {
    private let context: PageContext
    private let jobs: [Snapshot.Running]

    private static let shownMax = 300

    init(_ context: PageContext) {
        self.context = context
        let queue = context.address.path == ["running"] ? context.address.value("queue") : nil
        jobs = context.snapshot.running.filter { queue == nil || Snapshot.queue(of: $0.status) == queue }
            .sorted { ($0.startedAt, $0.status.id) < ($1.startedAt, $1.status.id) }
    }

    func page() -> MonitorPage {
        let queue = context.address.value("queue").map { " in queue \($0)" } ?? ""
        let main = context.section(
            "running", "Running\(queue)", more: count(shown: Self.shownMax), isWide: true, table(atMost: Self.shownMax))
        return MonitorPage(title: "Running", view: .running, main: main)
    }

    func count(shown: Int) -> Markup {
        let all = max(jobs.count, context.address.path == ["running"] ? 0 : context.snapshot.runningCount)
        return all > shown ? "the oldest \(shown) of \(context.link(MonitorView.running.address, "\(all)"))" : "\(all)"
    }

    func table(atMost count: Int) -> Markup {
        context.table(
            "Running jobs", [.init("Job"), .init("Since"), .init("Progress"), .init("Queue"), .init("Limit")],
            jobs.prefix(count).map(row), ifEmpty: "Nothing runs.")
    }

    private func row(_ one: Snapshot.Running) -> [Markup] {
        let status = one.status
        let ran = context.now.milliseconds - one.startedAt.milliseconds
        let attempt: Markup = status.tries > 1 ? "<br><span class=\"quiet\">try \(status.attempt) of \(status.tries)</span>" : ""
        var progress: Markup = status.progress.map { context.progress($0) } ?? (status.isElsewhere ? "" : "<span class=\"quiet\">–</span>")
        if let elsewhere = status.elsewhere {
            progress += status.progress == nil ? "" : "<br>"
            progress += "<span class=\"quiet\">\(elsewhere)</span>"
        }
        let limit: Markup =
            one.timeoutMilliseconds.map { limit in
                let end = one.startedAt.advanced(byMilliseconds: limit)
                return "\(context.distance(end)) <span class=\"quiet\">of \(TimeText.length(limit))</span>"
            } ?? "<span class=\"quiet\">none</span>"
        return [
            context.job(status) + attempt, "\(context.time(one.startedAt)) <span class=\"quiet\">\(TimeText.clock(max(0, ran)))</span>",
            progress, "\(Snapshot.queue(of: status))", limit,
        ]
    }
}
