import Store

/// A timeline as text for a terminal, as lines for a pipe, or as JSON.
struct TimelineReport {
    private let session: Session
    private let timeline: Timeline

    init(_ session: Session, _ timeline: Timeline) {
        self.session = session
        self.timeline = timeline
    }

    func write() {
        if session.isJSON { return writeJSON() }
        if session.isQuiet {
            for run in runs.map(\.run) { session.output.line(run.id) }
            return
        }
        session.output.isTerminal ? writePicture() : writeLines()
    }

    private var runs: [(name: String, run: Timeline.Run)] {
        timeline.lanes.flatMap { lane in lane.runs.map { (lane.name, $0) } }.sorted { ($0.run.from, $0.run.id) < ($1.run.from, $1.run.id) }
    }

    // MARK: A terminal

    private func writePicture() {
        let output = session.output
        let zone = session.callerZone
        let day = { (instant: Instant) in TimeText.dated(instant, zone, now: session.now) }
        let period = "\(day(timeline.period.from.wholeSecond)) to \(day(timeline.period.to.wholeSecond))"
        let note = session.timesNote ?? ""
        let room = output.columns - period.count - note.count
        output.line(output.coloured(period, .bold) + String(repeating: " ", count: max(2, room)) + output.coloured(note, .dim))
        if timeline.lanes.isEmpty {
            output.line("Nothing ran in this time, and nothing is due in it.")
        } else {
            for line in TimelineChart(timeline, zone: zone, columns: output.columns).lines {
                output.line(line.map { output.coloured($0.text, $0.colour) }.joined())
            }
        }
        for line in remarks() { output.paragraph(line) }
    }

    /// Sentences about facts that the picture does not show.
    private func remarks() -> [String] {
        var lines: [String] = []
        if let busiest = timeline.load.busiest(in: timeline.period) {
            let time = { (instant: Instant) in TimeText.dated(instant, session.callerZone, now: session.now) }
            let namesMax = 8
            let more = busiest.names.count > namesMax ? " and \(busiest.names.count - namesMax) more" : ""
            lines.append(
                "At most \(busiest.names.count) of \(timeline.slots) slots were in use, from \(time(busiest.from.wholeSecond)) for "
                    + "\(TimeText.length(busiest.to.milliseconds - busiest.from.milliseconds)): "
                    + busiest.names.prefix(namesMax).map(Self.name(ofID:)).joined(separator: ", ") + more)
        } else if timeline.lanes.contains(where: { !$0.runs.isEmpty }) {
            lines.append("No two runs overlapped.")
        }
        let paused = timeline.lanes.filter(\.isPaused).map(\.name)
        if !paused.isEmpty { lines.append("No due times are drawn for what is paused: \(paused.joined(separator: ", "))") }
        if let since = timeline.knownSince {
            let begin = TimeText.spoken(since.wholeSecond, session.callerZone, now: session.now)
            lines.append("The journal begins at \(begin); earlier runs are not shown.")
        }
        return lines
    }

    /// The name in a job's id, as root sees it: `alice/backup`.
    private static func name(ofID id: String) -> String {
        let (owner, own) = UserPart.split(id)
        let name = JobID(own)?.name ?? own
        return owner.map { UserPart.qualified(name, of: $0) } ?? name
    }

    // MARK: Other programs

    private func writeLines() {
        var lines: [(at: Instant, cells: [TextTable.Cell])] = []
        func add(_ from: Instant, _ to: Instant?, _ what: String, _ lane: Timeline.Lane, _ id: String?) {
            let cells = [session.time(from), session.time(to), what, lane.name, id ?? "-"]
            lines.append((from, cells.map { TextTable.Cell($0) }))
        }
        for lane in timeline.lanes {
            for run in lane.runs {
                let end = run.state == .running ? nil : run.to
                add(run.from, end, run.outcome, lane, run.id)
            }
            for gap in lane.gaps {
                add(gap.from, gap.through, gap.word, lane, gap.id)
            }
            for coming in lane.coming {
                let end = coming.usualMilliseconds == nil ? nil : coming.end
                add(coming.due, end, "due", lane, nil)
            }
        }
        var table = TextTable()
        for line in lines.sorted(by: { $0.at < $1.at }) { table.add(line.cells) }
        table.write(to: session.output)
    }

    private func writeJSON() {
        session.output.jsonObject { writer in
            writer.member("from", timeline.period.from)
            writer.member("to", timeline.period.to)
            writer.member("known_since", timeline.knownSince)
            writer.member("slots", timeline.slots)
            writer.key("most_at_once")
            if let busiest = timeline.load.busiest(in: timeline.period) {
                writer.object { writer in
                    writer.member("runs", busiest.names.count)
                    writer.member("from", busiest.from)
                    writer.member("to", busiest.to)
                    writer.member("ids", texts: busiest.names)
                }
            } else {
                writer.null()
            }
            writer.member("lanes", objects: timeline.lanes) { writer, lane in
                writer.member("name", lane.name)
                writer.member("task", lane.isTask)
                writer.member("paused", lane.isPaused)
                writer.member("runs", objects: lane.runs) { writer, run in
                    writer.member("id", run.id)
                    writer.member("try", run.attempt)
                    writer.member("state", run.state.rawValue)
                    writer.member("outcome", run.outcome)
                    writer.member("started_at", run.from)
                    writer.member("ended_at", run.state == .running ? nil : run.to)
                }
                writer.member("not_run", objects: lane.gaps) { writer, gap in
                    writer.member("from", gap.from)
                    writer.member("through", gap.through)
                    writer.member("count", gap.count)
                    writer.member("why", gap.why)
                    writer.member("id", gap.id)
                }
                writer.member("coming", objects: lane.coming) { writer, coming in
                    writer.member("due", coming.due)
                    writer.key("usual_s")
                    if let usual = coming.usualMilliseconds { writer.seconds(usual) } else { writer.null() }
                }
            }
        }
    }
}

extension Instant {
    /// Without its milliseconds.
    fileprivate var wholeSecond: Instant { Instant(milliseconds: milliseconds - (milliseconds % 1000 + 1000) % 1000) }
}
