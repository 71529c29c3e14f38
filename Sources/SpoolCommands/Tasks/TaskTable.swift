import Store

/// The table of `spoolctl list` on a terminal, which fits into 80 columns, and the lines below it about tasks that want attention.
struct TaskTable {
    private let session: Session
    private var table = TextTable(
        ["NAME", "WHEN", "NEXT", "LAST", "RESULT", "TOOK", "TITLE"], right: [5],
        fitting: [.init(column: 6, least: 0), .init(column: 0, least: 20), .init(column: 1, least: 0)])
    private var remarks: [String] = []

    init(_ session: Session) { self.session = session }

    mutating func add(_ entry: TaskCatalog.Entry, _ catalog: TaskCatalog, _ due: DueTimes, _ last: JobRecord?) {
        let name = catalog.session.qualified(entry.name)
        let pause = catalog.pauseNote(of: entry)
        let isWrong = entry.task == nil || entry.isEditRefused || catalog.isOverdue(entry)
        let next = due.next([entry], count: 1).first?.instant
        let waits = entry.schedules.contains { $0.definition.enabled && $0.definition.onPath != nil }
        let took = last.flatMap { $0.status.tookMilliseconds(now: session.now) }.map { TimeText.short($0) }
        table.add([
            .init(isWrong ? "\(name) !" : name, isWrong ? .red : nil),
            .init(ScheduleWords.text(entry.schedules.map(\.definition), callerZone: session.callerZone)),
            pause != nil ? .init("paused", .yellow) : .init(next == nil ? waits ? "on a file" : "-" : session.briefTime(next)),
            .init(last.map { session.briefTime($0.ranAt) } ?? "-"),
            .init(last?.outcome ?? "-", last?.place.state == .failed ? .red : nil),
            .init(took ?? "-"),
            .init(catalog.title(of: entry) ?? ""),
        ])
        let refused = entry.task == nil ? "" : "; the previous definition stays in force"
        for line in entry.remarks { remark("! \(name): \(line)\(refused)", .red) }
        if catalog.isOverdue(entry) { remark("! \(name): overdue, it has not succeeded in its time; see spoolctl why \(name)", .red) }
        if let pause, !pause.isEmpty { remark("\(name): paused: \(pause)", .yellow) }
    }

    private mutating func remark(_ line: String, _ colour: Output.Colour) {
        remarks.append(session.output.coloured(Output.oneLine(line), colour))
    }

    func write() {
        session.writeTimes(table)
        for line in remarks { session.output.line(line) }
    }
}
