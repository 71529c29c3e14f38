// One picture of the screen, computed from the snapshot, the user's choices and the size. The smallest size is 20 columns and 5
// rows.

import Store

public struct Frame: Sendable {
    public var lines: [StyledLine]
    /// The time at which the clock alone changes the frame. Nil means never.
    public var changesAt: Instant?

    public init(_ snapshot: Snapshot, _ state: ViewState, _ size: ScreenSize) {
        var composer = Composer(snapshot: snapshot, state: state, size: size)
        lines = state.mode == .help ? Composer.help(size) : composer.lists()
        changesAt = state.mode == .help ? nil : composer.changesAt
    }
}

/// Makes a frame, and computes when the clock changes it.
struct Composer {
    let snapshot: Snapshot
    let state: ViewState
    let size: ScreenSize
    var changesAt: Instant?

    /// A screen with fewer rows than this shows only one list.
    private static let rowsForAll = 14

    mutating func lists() -> [StyledLine] {
        let isSmall = size.rows < Self.rowsForAll
        var lines = head(limit: size.rows < 8 ? 1 : isSmall ? 2 : 5)
        let shown = isSmall ? [state.list] : List.allCases
        let gaps = size.rows >= 30 ? shown.count : 0
        let rows = size.rows - lines.count - 1 - shown.count - gaps
        for (list, height) in zip(shown, heights(shown, rows)) {
            if gaps > 0 { lines.append(StyledLine()) }
            lines += table(list, height: height)
        }
        while lines.count < size.rows - 1 { lines.append(StyledLine()) }
        return Array(lines.prefix(size.rows - 1)) + [foot]
    }

    /// The number of rows of each list. The shares stay the same while jobs start and end, and the chosen list has twice the
    /// share of the others. Rows that the due times and the slots do not need go to the other lists.
    private func heights(_ lists: [List], _ rows: Int) -> [Int] {
        guard lists.count > 1 else { return [max(0, rows)] }
        let limits = lists.map { list in
            switch list {
            case .running: max(1, snapshot.surroundings.slots)
            case .due: max(1, snapshot.due.count)
            case .waiting, .ended: Int.max
            }
        }
        let weights = lists.map { $0 == state.list ? 2 : 1 }
        var heights = Array(repeating: 0, count: lists.count)
        var rest = max(0, rows)
        while rest > 0 {
            // Give the row to the list that has the smallest part of its share.
            let next = lists.indices.filter { heights[$0] < limits[$0] }.min { heights[$0] * weights[$1] < heights[$1] * weights[$0] }
            guard let next else { break }
            heights[next] += 1
            rest -= 1
        }
        return heights
    }

    // MARK: Head

    mutating func clock(_ instant: Instant? = nil) {
        let next = instant ?? Instant(milliseconds: (snapshot.now.milliseconds / 1000 + 1) * 1000)
        changesAt = min(changesAt ?? next, next)
    }

    /// The state of the daemon and of the whole spool, in as many lines as needed and allowed.
    private mutating func head(limit: Int) -> [StyledLine] {
        var lines = [StyledLine()]
        for part in headParts() {
            let last = lines.count - 1
            if lines[last].width == 0 {
                lines[last].add(part)
            } else if lines[last].width + 3 + part.width <= size.columns {
                lines[last].add("   ")
                lines[last].add(part)
            } else if lines.count < limit {
                lines.append(part)
            }
        }
        return lines
    }

    private mutating func headParts() -> [StyledLine] {
        let isNarrow = size.columns < 60
        var parts: [StyledLine] = []
        let daemon = snapshot.daemon
        if daemon.pid != nil {
            var line = StyledLine(isNarrow ? "" : "spoold ")
            line.add("up", .green)
            if let since = daemon.since { line.add(" since \(when(since))") }
            parts.append(line)
        } else {
            var line = StyledLine(isNarrow ? "spoold down" : "spoold is not running", .red)
            if !isNarrow, let seen = daemon.since { line.add(", last seen \(when(seen))") }
            parts.append(line)
        }
        for (queue, used, slots) in snapshot.slots {
            let name = queue.map { PlainText.oneLine("queue \($0)") } ?? "slots"
            let free = max(0, slots - used)
            parts.append(StyledLine(isNarrow ? "\(name) \(used)/\(slots)" : "\(name) \(used)/\(slots), \(free) free",
                free == 0 ? .yellow : nil))
        }
        parts.append(StyledLine("waiting \(snapshot.waitingCount)"))
        parts.append(rates())
        for pause in snapshot.pauses {
            let note = pause.note.isEmpty ? "" : ", \(pause.note)"
            parts.append(StyledLine(PlainText.oneLine("paused: \(pause.scope.spoken(of: pause.owner))\(note)"), .yellow))
        }
        if daemon.pid != nil, let held = snapshot.surroundings.held {
            parts.append(StyledLine(PlainText.oneLine("nothing starts: \(held)"), .yellow))
        }
        if !daemon.overdue.isEmpty {
            parts.append(StyledLine(PlainText.oneLine("overdue: \(daemon.overdue.joined(separator: ", "))"), .red))
        }
        for why in snapshot.unreadable { parts.append(StyledLine(PlainText.oneLine(why), .red)) }
        if let why = snapshot.polled { parts.append(StyledLine(PlainText.oneLine(why), .yellow)) }
        if daemon.problems > 0 {
            let problems = daemon.problems == 1 ? "1 problem" : "\(daemon.problems) problems"
            parts.append(StyledLine("\(problems), see spoolctl status", .red))
        }
        return parts
    }

    private mutating func rates() -> StyledLine {
        let minute = snapshot.rates.count(seconds: EndRates.minuteSeconds, now: snapshot.now)
        let hour = snapshot.rates.count(seconds: EndRates.hourSeconds, now: snapshot.now)
        if let change = snapshot.rates.changes(after: snapshot.now) { clock(change) }
        let least = snapshot.ratesAreLeast ? "+" : ""
        var line = StyledLine("ended \(minute.ended)/min \(hour.ended)\(least)/h, ")
        line.add("failed \(minute.failed)/min \(hour.failed)\(least)/h", hour.failed > 0 ? .red : nil)
        return line
    }

    /// The title of a column of wall times, with their zone: `AT CET`.
    private var clockTitle: String { "AT \(TimeText.abbreviation(snapshot.now, snapshot.zone))" }

    /// The time of day, with the date unless it is today.
    func when(_ instant: Instant) -> String {
        let text = TimeText.wall(instant, snapshot.zone)
        return text.prefix(10) == TimeText.wall(snapshot.now, snapshot.zone).prefix(10) ? String(text.suffix(8)) : String(text.prefix(16))
    }

    // MARK: Lists

    /// A column of a list. The columns that narrow screens show come first.
    private struct Column {
        var title: String
        /// Nil means the rest of the width.
        var width: Int?
        var isRight = false
        /// Screens with fewer columns do not show this column.
        var columnsMin = 0
    }

    private func columns(_ list: List) -> [Column] {
        let job = Column(title: "", width: min(40, max(min(size.columns / 2, 16), size.columns * 3 / 10)))
        switch list {
        case .running:
            return [
                job, Column(title: "TIME", width: 7, isRight: true, columnsMin: 34),
                Column(title: "LIMIT", width: 7, isRight: true, columnsMin: 60),
                Column(title: "PROGRESS"),
            ]
        case .waiting:
            return [
                job, Column(title: "QUEUE", width: 10, columnsMin: 70), Column(title: "PRIO", width: 5, isRight: true, columnsMin: 70),
                Column(title: "WAITS FOR"),
            ]
        case .due:
            return [job, Column(title: "IN", width: 7, isRight: true), Column(title: clockTitle, width: 16, columnsMin: 50),
                Column(title: "NOTE", columnsMin: 60)]
        case .ended:
            return [
                job, Column(title: "TOOK", width: 7, isRight: true, columnsMin: 34), Column(title: clockTitle, width: 16, columnsMin: 60),
                Column(title: "RESULT"),
            ]
        }
    }

    private mutating func table(_ list: List, height: Int) -> [StyledLine] {
        let items = state.items(list, snapshot)
        let all = columns(list)
        let shown = all.indices.filter { all[$0].columnsMin <= size.columns }
        // Keep the selected row in the middle, as far as there are rows before and after it.
        let selected = state.selected(list, among: items)
        let first = max(0, min((selected ?? 0) - height / 2, items.count - height))
        var titles = all.map { StyledLine($0.title) }
        titles[0] = StyledLine(title(list, count: items.count))
        // A narrow screen has no room for column titles.
        var lines = [(size.columns < 34 ? StyledLine(" \(titles[0].text)") : row(titles, all, shown)).styled(.bold)]
        for index in first..<max(first, min(items.count, first + height)) {
            let line = row(cells(items[index]), all, shown)
            let isSelected = list == state.list && index == selected
            lines.append(isSelected ? StyledLine(">" + line.fitted(to: size.columns).text.dropFirst(), .reverse) : line)
        }
        if items.isEmpty, height > 0 { lines.append(StyledLine("  \(nothing(list))", .dim)) }
        while lines.count < height + 1 { lines.append(StyledLine()) }
        return lines
    }

    private func row(_ cells: [StyledLine], _ columns: [Column], _ shown: [Int]) -> StyledLine {
        var line = StyledLine(" ")
        for index in shown {
            if index != shown.first { line.add("  ") }
            let cell = cells[index]
            line.add(columns[index].width.map { cell.fitted(to: $0, isRight: columns[index].isRight) } ?? cell)
        }
        return line.cut(to: size.columns)
    }

    private func title(_ list: List, count: Int) -> String {
        let order = state.order(list)
        let sort = order == list.orders[0] ? "" : " by \(order.rawValue)"
        switch list {
        case .running: return "1 Running \(state.filter.isEmpty ? snapshot.runningCount : count)\(sort)"
        case .waiting:
            let all = snapshot.waitingCount > snapshot.waiting.count ? "\(count) of \(snapshot.waitingCount)" : "\(count)"
            return "2 Waiting \(all)\(sort)"
        case .due: return "3 Due next\(sort)"
        case .ended: return "4 Ended\(sort)"
        }
    }

    private func nothing(_ list: List) -> String {
        if !state.filter.isEmpty { return PlainText.oneLine("nothing matches \(state.filter)") }
        switch list {
        // Some jobs were counted but ended before they could be read.
        case .running: return snapshot.runningCount > 0 ? "too short to be seen" : "nothing runs"
        case .waiting: return "nothing waits"
        case .due: return "no task is due"
        case .ended: return "nothing has ended"
        }
    }

    // MARK: Foot and help

    private var foot: StyledLine {
        switch state.mode {
        case .question(let question): return StyledLine(question.text, .bold)
        case .filter: return StyledLine("filter: \(PlainText.oneLine(state.filter))_   Enter keeps it, Esc clears it", .bold)
        case .lists, .help: break
        }
        if let message = state.message { return StyledLine(PlainText.oneLine(message), .bold) }
        if !state.filter.isEmpty { return StyledLine(PlainText.oneLine("filter: \(state.filter)   Esc clears it"), .yellow) }
        let keys = [
            "?:help", "q:quit", "Tab:list", "Enter:log", "c:cancel", "K:kill", "r:retry", "p:pause", "s:sort", "/:filter",
        ]
        var line = StyledLine()
        for key in keys where line.width + key.utf8.count + 2 <= size.columns { line.add((line.width == 0 ? "" : "  ") + key, .dim) }
        return line
    }

    static func help(_ size: ScreenSize) -> [StyledLine] {
        let rows = [
            ("up down j k", "select a row; also PgUp PgDn Home End g G"), ("Tab 1 2 3 4", "go to another list"),
            ("Enter l", "follow the job's output"), ("c", "cancel a job that waits or runs; asks first"),
            ("K", "kill a job that runs; asks first"),
            ("r", "retry a job that has ended"), ("p", "pause or resume everything, a queue or a task; asks which"),
            ("s", "sort the list by something else"), ("/", "filter by name, id or tag; Esc clears"), ("?", "this help; any key ends it"),
            ("q ctrl-C", "quit"),
        ]
        var lines = [StyledLine("spoolctl top", .bold)]
        for (keys, what) in rows {
            var line = StyledLine(" ")
            line.add(Columns.fitted(keys, to: min(14, size.columns / 3)), .bold)
            line.add(" \(what)")
            lines.append(line)
        }
        return Array(lines.prefix(size.rows))
    }
}
