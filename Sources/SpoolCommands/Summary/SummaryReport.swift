import Store

/// A summary as text of three to ten lines, or as JSON.
struct SummaryReport {
    private let session: Session
    private let summary: Summary
    private let items: [Summary.Item]

    /// The lines about single things. With the two above them and one below, there are ten at most.
    private static let itemsMax = 7
    private static let nextMax = 3

    init(_ session: Session, _ summary: Summary) {
        self.session = session
        self.summary = summary
        items = summary.items.enumerated()
            .sorted { ($0.element.wantsPerson ? 0 : 1, $0.offset) < ($1.element.wantsPerson ? 0 : 1, $1.offset) }.map(\.element)
    }

    func write() {
        if session.isJSON { return writeJSON() }
        if session.isQuiet {
            var named: Set<String> = []
            for item in items where item.wantsPerson && named.insert(item.name).inserted { session.output.line(item.name) }
            return
        }
        session.output.line("Since \(time(summary.since)): \(counts)")
        session.output.line(next)
        guard !items.isEmpty else { return session.output.line("Nothing wants a person.") }
        var table = TextTable(fitting: [.init(column: 2, least: 16), .init(column: 0, least: 12)])
        for item in items.prefix(Self.itemsMax) {
            let times = item.count > 1 ? item.kind == .missed ? "\(item.count) " : "\(item.count) times, last " : ""
            let at = item.at.map { item.what.hasSuffix(" since") || item.kind == .missed ? " \(time($0))" : " at \(time($0))" } ?? ""
            let recovered = item.kind == .recovered ? ", succeeded since" : ""
            table.add([
                .init(item.name, item.wantsPerson ? .red : nil), .init("\(times)\(item.what)\(at)\(recovered)"), .init(item.text ?? ""),
            ])
        }
        // People read it in a mail as well, so a pipe gets the same columns, with whole lines.
        let columns = session.output.isTerminal ? session.output.columns - 2 : nil
        for line in table.lines(isForTerminal: true, columns: columns, coloured: session.output.coloured) {
            session.output.line("  \(line)")
        }
        if items.count > Self.itemsMax { session.output.line("  and \(items.count - Self.itemsMax) more; spoolctl summary --json has all") }
    }

    private func time(_ instant: Instant) -> String { TimeText.brief(instant, session.callerZone, now: session.now) }

    /// `1,204 done, 3 failed, 1 missed; 2 running, 1 waiting.`
    private var counts: String {
        var ended = ["\(Self.grouped(summary.done)) done", "\(Self.grouped(summary.failed)) failed"]
        if summary.canceled > 0 { ended.append("\(Self.grouped(summary.canceled)) canceled") }
        if summary.missed > 0 { ended.append("\(Self.grouped(summary.missed)) missed") }
        var open: [String] = []
        if summary.running > 0 { open.append("\(Self.grouped(summary.running)) running") }
        if summary.waiting > 0 { open.append("\(Self.grouped(summary.waiting)) waiting") }
        return ended.joined(separator: ", ") + (open.isEmpty ? "" : "; " + open.joined(separator: ", ")) + "."
    }

    /// `1,204`.
    static func grouped(_ number: Int) -> String {
        var digits = Array(String(number))
        var index = digits.count - 3
        while index > 0 {
            digits.insert(",", at: index)
            index -= 3
        }
        return String(digits)
    }

    private var next: String {
        guard !summary.next.isEmpty else { return "Nothing is due." }
        let shown = summary.next.prefix(Self.nextMax).map { "\(Output.oneLine($0.task)) \(time($0.instant))" }
        return "Next: \(shown.joined(separator: ", "))."
    }

    private func writeJSON() {
        session.output.jsonObject { writer in
            writer.member("since", summary.since)
            writer.member("at", session.now)
            writer.member("wants_person", items.contains(where: \.wantsPerson))
            writer.member("done", summary.done)
            writer.member("failed", summary.failed)
            writer.member("canceled", summary.canceled)
            writer.member("missed", summary.missed)
            writer.member("running", summary.running)
            writer.member("waiting", summary.waiting)
            writer.member("items", objects: items) { writer, item in
                writer.member("kind", item.kind.rawValue)
                writer.member("name", item.name)
                writer.member("what", item.what)
                writer.member("at", item.at)
                writer.member("text", item.text)
                writer.member("id", item.job)
                writer.member("count", item.count)
                writer.member("wants_person", item.wantsPerson)
            }
            writer.member("next", objects: summary.next) { writer, due in
                writer.member("task", due.task)
                writer.member("due", due.instant)
            }
        }
    }
}
