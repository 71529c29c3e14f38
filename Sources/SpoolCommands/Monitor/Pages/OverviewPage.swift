import Store
import Web

/// What runs, what waits, what failed since yesterday, what is due next, and what wants a person.
struct OverviewPage {
    private let context: PageContext
    private var snapshot: Snapshot { context.snapshot }

    private static let dayMilliseconds: Int64 = 86_400_000
    private static let runningMax = 8
    private static let waitingMax = 6
    private static let failedMax = 6
    private static let tasksMax = 12
    /// The most tasks whose due times are computed for the picture.
    private static let pictureTasksMax = 500

    init(_ context: PageContext) { self.context = context }

    func page() throws(Failure) -> MonitorPage {
        let attention = try Attention(context)
        let ended = try EndedToday(context, since: context.now.advanced(byMilliseconds: -Self.dayMilliseconds))
        var main: Markup = "<h2 class=\"hidden\">Overview</h2>\n"
        main += figures(ended, attention)
        main += try picture()
        main += """
            <div class="stack left">
            \(running)\(waiting)</div>
            <div class="stack right">
            \(failed(ended))\(context.section("attention", "Wants a person", more: "\(attention.items.count)", attention.list(8)))</div>

            """
        main += try tasks()
        return MonitorPage(title: "Overview", view: .overview, main: main)
    }

    // MARK: Figures

    private func figures(_ ended: EndedToday, _ attention: Attention) -> Markup {
        let (_, used, slots) = snapshot.slots[0]
        let oldest = snapshot.waiting.map(\.status.waitsSince).filter { $0 <= context.now }.min()
        let waits: Markup =
            oldest.map { "waiting, the oldest for \(TimeText.clock(context.now.milliseconds - $0.milliseconds))" } ?? "waiting"
        let due = snapshot.due.first { $0.instant > context.now }
        let next: Markup = due.map { "\(context.time($0.instant))" } ?? "–"
        let nextWhat: Markup = due.map { "next due: \($0.task), \(TimeText.distance($0.instant, from: context.now))" } ?? "nothing is due"
        let all = ended.done + ended.failed
        let share = all == 0 || ended.hasMoreFailures ? "" : ", \(ended.done * 1000 / all / 10).\(ended.done * 1000 / all % 10) %"
        return """
            <div class="figures" role="group" aria-label="Now">
            <a href="/running"><b>\(used) <span>of \(slots)</span></b><span>slots in use</span></a>
            <a href="/waiting"><b>\(snapshot.waitingCount)</b><span>\(waits)</span></a>
            <a href="\(Self.allFailed.text)"\(kind("bad", ended.failed > 0))><b>\(ended.failedText)</b><span>failed in 24 h</span></a>
            <a href="#attention"\(kind("warn", !attention.items.isEmpty))><b>\(attention.items.count)</b><span>want a person</span></a>
            <a href="\(due.map { PageContext.address(ofTask: $0.task).text } ?? "/tasks")"><b>\(next)</b><span>\(nextWhat)</span></a>
            <a href="/jobs?state=done&amp;since=24h"><b>\(ended.done)</b><span>done of the last 24 h's jobs\(share)</span></a>
            </div>

            """
    }

    private func kind(_ name: StaticString, _ holds: Bool) -> Markup { holds ? " class=\"\(Markup.own(name))\"" : "" }

    // MARK: Lists

    private func picture() throws(Failure) -> Markup {
        guard try context.session.daemonTable()?.whole("tasks") ?? 0 <= Self.pictureTasksMax else { return "" }
        return try TimelinePage(context).section(isShort: true)
    }

    private var running: Markup {
        let page = RunningPage(context)
        return context.section("running", "Running", more: page.count(shown: Self.runningMax), page.table(atMost: Self.runningMax))
    }

    private var waiting: Markup {
        let page = WaitingPage(context)
        return context.section("waiting", "Waiting", more: page.count(shown: Self.waitingMax), page.table(atMost: Self.waitingMax))
    }

    private func failed(_ ended: EndedToday) -> Markup {
        var list = Markup()
        for (status, count) in ended.byName.prefix(Self.failedMax) {
            let times: Markup = count > 1 ? " <span class=\"quiet\">\(count) times</span>" : ""
            let took = status.ranMilliseconds.map { ", after \(TimeText.short($0))" } ?? ""
            let link = context.link(PageContext.address(ofJob: status.id), "\(status.name)")
            let tail = status.errorTailLines.suffix(3).joined(separator: "\n")
            let text: Markup =
                tail.isEmpty
                ? status.failureText.map { "<p class=\"quiet\">\($0)</p>" } ?? "" : "<pre tabindex=\"0\">\(Markup.lines(tail))</pre>"
            list += """
                <div class="item"><p>\(PageContext.mark(status, .failed)) <b>\(link)</b> \(context.shortID(status.id)) \
                <span class="quiet">\(context.time(status.endedAt ?? status.changedAt))\(took)</span>\(times)</p>\(text)</div>

                """
        }
        if list.isEmpty { list = "<p class=\"empty\">Nothing.</p>" }
        let more: Markup = ended.failed == 0 ? "0" : context.link(Self.allFailed, "\(ended.failedText)")
        return context.section("failed", "Failed since yesterday", more: more, "<div class=\"card\">\(list)</div>\n")
    }

    /// The jobs that are counted as failed: not those that somebody canceled or that another run has replaced.
    private static let allFailed: WebAddress = {
        let reasons = FailureReason.allCases.filter { $0 != .canceled && $0 != .replaced }.map(\.rawValue).joined(separator: ",")
        return WebAddress(path: ["jobs"], query: [("state", "failed"), ("reason", reasons), ("since", "24h")])
    }()

    private func tasks() throws(Failure) -> Markup {
        var names: [String] = []
        for due in snapshot.due where !names.contains(due.task) && names.count < Self.tasksMax { names.append(due.task) }
        let table = try TaskRows(context, names: names).table(caption: "Tasks that are due next", ifEmpty: "No task is due.")
        return context.section("tasks", "Due next", more: context.link(MonitorView.tasks.address, "all tasks"), isWide: true, table)
    }
}

/// The jobs of the time since an instant that have ended, by their due times or submissions, as the lists of jobs have them; and the
/// failures since then of jobs that began earlier.
struct EndedToday {
    private(set) var done = 0
    /// The number of failures that were counted.
    private(set) var failed = 0
    /// There are more failed jobs than are read, so that nobody knows which of them somebody canceled.
    private(set) var hasMoreFailures = false
    /// The number of failures: `12`, `200 or more`.
    var failedText: String { hasMoreFailures ? "\(failed) or more" : "\(failed)" }
    /// The failed jobs, the latest end first. Jobs that somebody canceled are not failures.
    private(set) var failures: [JobStatus] = []

    /// The most failures of a part that are counted, and the most records that are read to find them among jobs that somebody canceled.
    private static let failuresMax = 200
    private static let looksMax = 2_000

    /// The newest failure of each name, with the number of failures.
    var byName: [(newest: JobStatus, count: Int)] {
        var groups: [(newest: JobStatus, count: Int)] = []
        for status in failures {
            if let index = groups.firstIndex(where: { $0.newest.name == status.name }) {
                groups[index].count += 1
            } else {
                groups.append((status, 1))
            }
        }
        return groups
    }

    init(_ context: PageContext, since: Instant) throws(Failure) {
        let isLater = { (id: String) in JobID(UserPart.split(id).name)?.instant.map { $0 >= since } ?? false }
        try context.each { part throws(Failure) in
            var records = try part.records()
            done += try part.reading { () throws(JournalError) in try records.count(in: [.done], isLater) }
            var (counted, read) = (0, 0)
            for place in try part.reading({ () throws(JournalError) in try records.places(in: [.failed]) }) where isLater(place.id) {
                guard counted < Self.failuresMax, read < Self.looksMax else {
                    hasMoreFailures = true
                    break
                }
                read += 1
                guard let record = try part.record(at: place, &records), record.status.reason != .canceled,
                    record.status.reason != .replaced
                else { continue }
                counted += 1
                failed += 1
                failures.append(part.qualified(record).status)
            }
        }
        // Jobs that began earlier, as far as the live view has seen them end.
        for status in context.snapshot.ended where status.state == .failed && !isLater(status.id) {
            guard status.reason != .canceled, status.reason != .replaced, let end = status.endedAt, end >= since else { continue }
            failed += 1
            failures.append(status)
        }
        failures.sort { ($0.endedAt ?? $0.changedAt) > ($1.endedAt ?? $1.changedAt) }
    }
}
