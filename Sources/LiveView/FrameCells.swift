import Store

extension Composer {
    /// The text of each column of a row.
    mutating func cells(_ item: Item) -> [StyledLine] {
        switch item {
        case .running(let one):
            clock()
            let time = max(0, snapshot.now.milliseconds - one.startedAt.milliseconds)
            let isLate = one.timeoutMilliseconds.map { time >= $0 / 10 * 9 } ?? false
            return [
                job(one.status), StyledLine(TimeText.clock(time), isLate ? .yellow : nil),
                StyledLine(one.timeoutMilliseconds.map { TimeText.clock($0) } ?? "-"), progress(one.status),
            ]
        case .waiting(let one):
            let holds = snapshot.holds(on: one)
            if holds.contains(where: { $0.kind == .start || $0.kind == .retry }) { clock() }
            let texts = holds.map { $0.brief(one.status, now: snapshot.now) }
            return [
                job(one.status), StyledLine(PlainText.oneLine(one.status.queue)), StyledLine(String(one.status.priority)),
                StyledLine(texts.isEmpty ? "about to start" : texts.joined(separator: "; "), one.fileProblem == nil ? nil : .red),
            ]
        case .due(let due):
            clock()
            return [
                StyledLine(PlainText.oneLine(due.task)),
                StyledLine(TimeText.clock(max(0, due.instant.milliseconds - snapshot.now.milliseconds))),
                StyledLine(when(due.instant)), StyledLine(PlainText.oneLine(due.note ?? ""), .yellow),
            ]
        case .ended(let status):
            var result = StyledLine(status.brief, status.state == .failed ? .red : .green)
            let detail = status.state == .failed ? status.error : status.title
            if let detail { result.add(" " + PlainText.oneLine(detail), .dim) }
            return [
                job(status), StyledLine(status.usage.map { TimeText.length($0.wallMilliseconds) } ?? "-"),
                StyledLine(when(status.endedAt ?? status.changedAt)),
                result,
            ]
        }
    }

    private func job(_ status: JobStatus) -> StyledLine { StyledLine(PlainText.oneLine(Item.shortID(status.id))) }

    private static let barWidth = 10

    /// From this width on, there is room for the job's title beside its progress.
    private static let titleColumnsMin = 120

    /// The progress of a run. Without any, its state at an executor, or the job's title.
    private func progress(_ status: JobStatus) -> StyledLine {
        guard let progress = status.progress else {
            return StyledLine(PlainText.oneLine(status.elsewhere ?? status.title ?? ""), .dim)
        }
        var line = StyledLine()
        if size.columns >= 60 {
            let full = min(Self.barWidth, max(0, Int((progress.fraction * Double(Self.barWidth)).rounded(.down))))
            line.add("[")
            line.add(String(repeating: "#", count: full), .green)
            line.add(String(repeating: "-", count: Self.barWidth - full), .dim)
            line.add("] ")
        }
        line.add(Columns.fitted("\(progress.percent)%", to: 4, isRight: true))
        if let message = progress.message, !message.isEmpty { line.add(" " + PlainText.oneLine(message)) }
        if let title = status.title, size.columns >= Self.titleColumnsMin { line.add("  " + PlainText.oneLine(title), .dim) }
        return line
    }
}

extension JobStatus {
    /// `exit 3`, `timeout`, `done`.
    public var brief: String { state == .failed ? reason?.brief(exitCode, signal) ?? "failed" : state.rawValue }
}

extension Ending {
    /// The end of a try, in the same words.
    public var brief: String { reason?.brief(exitCode, signal) ?? state.rawValue }
}

extension FailureReason {
    fileprivate func brief(_ exitCode: Int?, _ signal: Int32?) -> String {
        switch self {
        case .exit: "exit \(exitCode.map(String.init) ?? "?")"
        case .signal: signal.map { Signal.name($0) } ?? "signal"
        default: rawValue
        }
    }
}
