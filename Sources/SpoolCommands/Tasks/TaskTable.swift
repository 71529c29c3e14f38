import Store

/// The table of `spoolctl list` on a terminal, which fits into 80 columns, and the lines below it about tasks that want attention.
struct TaskTable {
    private let session: Session
    private var table = TextTable(
        ["NAME", "WHEN", "NEXT", "LAST", "RESULT", "TOOK", "TITLE"], right: [5],
        fitting: [.init(column: 6, least: 0), .init(column: 0, least: 20), .init(column: 1, least: 0)])
    private var remarks: [(text: String, colour: Output.Colour)] = []

    init(_ session: Session) { self.session = session }

    /// - Parameter skip: the last due time of the task that became no run.
    mutating func add(_ entry: TaskCatalog.Entry, _ catalog: TaskCatalog, _ due: DueTimes, _ last: JobRecord?, _ skip: SkippedDues.Skip?) {
        let name = catalog.session.qualified(entry.name)
        let pause = catalog.pauseNote(of: entry)
        let isWrong = entry.task == nil || entry.isEditRefused || catalog.isOverdue(entry)
        let next = due.next([entry], count: 1).first?.instant
        let waits = entry.schedules.contains { $0.definition.enabled && $0.definition.onPath != nil }
        // A run that goes on says more than a due time that was left out because of it.
        let skip = last?.place.state == .running || last.map({ ran in skip.map { $0.due < ran.status.due } ?? false }) ?? false ? nil : skip
        let took = skip != nil ? nil : last.flatMap { $0.status.tookMilliseconds(now: session.now) }.map { TimeText.short($0) }
        table.add([
            .init(isWrong ? "\(name) !" : name, isWrong ? .red : nil),
            .init(ScheduleWords.text(entry.schedules.map(\.definition), callerZone: session.callerZone, now: session.now)),
            pause != nil ? .init("paused", .yellow) : .init(next == nil ? waits ? "on a file" : "-" : session.briefTime(next)),
            .init(skip.map { session.briefTime($0.due) } ?? last.map { session.briefTime($0.ranAt) } ?? "-"),
            skip.map { .init($0.word, .yellow) } ?? .init(last?.outcome ?? "-", last?.place.state == .failed ? .red : nil),
            .init(took ?? "-"),
            .init(catalog.title(of: entry) ?? ""),
        ])
        let refused = entry.task == nil ? "" : "; the previous definition stays in force"
        for line in entry.remarks { remark("! \(name): \(line)\(refused)", .red) }
        if catalog.isOverdue(entry) { remark("! \(name): overdue, it has not succeeded in its time; see spoolctl why \(name)", .red) }
        if let pause, !pause.isEmpty { remark("\(name): paused: \(pause)", .yellow) }
    }

    private mutating func remark(_ line: String, _ colour: Output.Colour) {
        remarks.append((line, colour))
    }

    func write() {
        session.writeTimes(table)
        for remark in remarks { session.output.paragraph(remark.text, remark.colour) }
    }
}
