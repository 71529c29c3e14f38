/// The lines of a crontab that are in force, with the names of their tasks.
///
/// What must hold when the crontab is read again:
/// - A line that says the same as before keeps its name, wherever it is in the file now. Of several equal lines each keeps one name.
/// - A line whose time alone has changed keeps its name.
/// - A line that has become unusable keeps the task that it was before: a bad edit never stops a schedule. The line is known by its place:
///   between the same two lines as before.
/// - Other lines that are gone have no task any more.
public struct CrontabLines: Sendable {
    public struct Line: Sendable, Equatable {
        /// The number of the line. 0 when it is not known.
        public var number: Int
        /// The task of the line: what it says, or said before it became unusable. Nil for an unusable line that was never a task.
        public var task: Task?
        /// The text of a line that cannot be used. Nil for a line that can.
        public var fault: String?

        public init(number: Int, task: Task?, fault: String? = nil) {
            self.number = number
            self.task = task
            self.fault = fault
        }
    }

    public struct Task: Sendable, Equatable {
        public var name: String
        public var identity: LiveCrontab.Identity

        public init(name: String, identity: LiveCrontab.Identity) {
            self.name = name
            self.identity = identity
        }
    }

    /// The lines, in the order of the file.
    public private(set) var all: [Line]

    public init(_ all: [Line] = []) { self.all = all }

    public var names: Set<String> { Set(all.compactMap { $0.task?.name }) }

    /// The names of the tasks that other lines of the crontab do not have. Costs little when most lines are the same in the same order.
    public func names(missingIn other: CrontabLines) -> Set<String> {
        let (mine, others) = (all[...], other.all[...])
        let start = zip(mine, others).prefix { $0.task?.name == $1.task?.name }.count
        let end = zip(mine.dropFirst(start).reversed(), others.dropFirst(start).reversed()).prefix { $0.task?.name == $1.task?.name }.count
        func names(_ lines: ArraySlice<Line>) -> Set<String> { Set(lines.dropFirst(start).dropLast(end).compactMap { $0.task?.name }) }
        return names(mine).subtracting(names(others))
    }

    /// The lines of the crontab as it is now.
    ///
    /// - Parameter isTaken: returns true for a name that something else than this crontab has.
    public func reread(as crontab: LiveCrontab, isTaken: (String) -> Bool) -> CrontabLines {
        var comparison = Comparison(all, crontab.lines)
        comparison.matchEqualEnds()
        comparison.matchEqualLines()
        // First, so that a line that is only spoiled does not keep the task of one that has another time.
        comparison.matchLinesOfOtherTime()
        comparison.keepTasksOfFaults()
        return CrontabLines(comparison.named(isTaken: isTaken))
    }
}

/// Places in a row, of which some are free. Finding the next free one costs little, however many lie between.
private struct FreePlaces {
    /// For each place a later one before which none is free, or the place itself if it is free. The last one is the end.
    private var next: [Int]

    init(_ isFree: [Bool]) { next = isFree.indices.map { isFree[$0] ? $0 : $0 + 1 } + [isFree.count] }

    mutating func take(_ place: Int) { next[place] = place + 1 }

    /// The first free place from this one on, or the end.
    mutating func first(from place: Int) -> Int {
        var place = place
        while next[place] != place {
            next[place] = next[next[place]]
            place = next[place]
        }
        return place
    }
}

/// Finds for each line of a crontab the line that it was before.
private struct Comparison {
    private let old: [CrontabLines.Line]
    private let new: [LiveCrontab.Line]
    /// The index in `old`, by the index in `new`.
    private var match: [Int?]
    private var isMatched: [Bool]

    init(_ old: [CrontabLines.Line], _ new: [LiveCrontab.Line]) {
        self.old = old
        self.new = new
        match = Array(repeating: nil, count: new.count)
        isMatched = Array(repeating: false, count: old.count)
    }

    private mutating func join(_ index: Int, to before: Int) {
        match[index] = before
        isMatched[before] = true
    }

    /// The unmatched old lines in order, by a key.
    private func unmatched<Key: Hashable>(by key: (CrontabLines.Line) -> Key?) -> [Key: ArraySlice<Int>] {
        var found: [Key: [Int]] = [:]
        for (index, line) in old.enumerated() where !isMatched[index] {
            if let key = key(line) { found[key, default: []].append(index) }
        }
        return found.mapValues { $0[...] }
    }

    /// Matches the lines at the beginning and at the end of the text that are the same, which in most edits are almost all. The result of
    /// ``matchEqualLines()`` would be the same.
    mutating func matchEqualEnds() {
        func identity(_ line: LiveCrontab.Line) -> LiveCrontab.Identity? { if case .task(let task) = line { task.identity } else { nil } }
        func isSame(_ index: Int, _ before: Int) -> Bool {
            guard let new = identity(new[index]), old[before].fault == nil else { return false }
            return old[before].task?.identity == new
        }
        var start = 0
        while start < new.count, start < old.count, isSame(start, start) { start += 1 }
        var end = 0
        while start + end < new.count, start + end < old.count, isSame(new.count - 1 - end, old.count - 1 - end) { end += 1 }
        for index in 0..<start { join(index, to: index) }
        // Of several equal lines the first ones keep their tasks.
        let between = old[start..<(old.count - end)].map(\.task?.identity) + new[start..<(new.count - end)].map(identity)
        let others = Set(between.compactMap(\.self))
        guard others.isEmpty || !new.suffix(end).contains(where: { identity($0).map(others.contains) ?? false }) else { return }
        for index in 1..<(end + 1) { join(new.count - index, to: old.count - index) }
    }

    mutating func matchEqualLines() {
        var tasks = unmatched { $0.fault == nil ? $0.task?.identity : nil }
        // A line that is right again as it was before.
        var kept = unmatched { $0.fault == nil ? nil : $0.task?.identity }
        var faults = unmatched { $0.fault }
        for index in new.indices where match[index] == nil {
            switch new[index] {
            case .task(let task):
                if let before = tasks[task.identity]?.popFirst() { join(index, to: before) }
            case .fault(let fault):
                if let before = faults[fault.text]?.popFirst() { join(index, to: before) }
            }
        }
        for index in new.indices where match[index] == nil {
            guard case .task(let task) = new[index] else { continue }
            while let before = kept[task.identity]?.popFirst() {
                if isMatched[before] { continue }
                join(index, to: before)
                break
            }
        }
    }

    /// An unusable line that is new has replaced the first line with a task that is gone from the same place.
    mutating func keepTasksOfFaults() {
        guard match.indices.contains(where: { match[$0] == nil }) else { return }
        var free = FreePlaces(old.indices.map { !isMatched[$0] && old[$0].task != nil })
        var next = [Int](repeating: old.count, count: new.count)
        var following = old.count
        for index in new.indices.reversed() {
            next[index] = following
            if let before = match[index] { following = before }
        }
        var preceding = -1
        for index in new.indices {
            if let before = match[index] {
                preceding = before
                continue
            }
            guard case .fault = new[index] else { continue }
            let place = free.first(from: preceding + 1)
            guard place < next[index] else { continue }
            join(index, to: place)
            free.take(place)
            preceding = place
        }
    }

    /// A line of the same user and command whose time has changed.
    mutating func matchLinesOfOtherTime() {
        func work(_ identity: LiveCrontab.Identity) -> [String] { [identity.user, identity.command] }
        var others = unmatched { $0.task.map { work($0.identity) } }
        for index in new.indices where match[index] == nil {
            guard case .task(let task) = new[index], let before = others[work(task.identity)]?.popFirst() else { continue }
            join(index, to: before)
        }
    }

    func named(isTaken: (String) -> Bool) -> [CrontabLines.Line] {
        lazy var used = Set(match.compactMap { $0.flatMap { old[$0].task?.name } })
        var numbers: [String: Int] = [:]
        return new.indices.map { index in
            let before = match[index].flatMap { old[$0].task }
            switch new[index] {
            case .fault(let fault): return CrontabLines.Line(number: fault.line, task: before, fault: fault.text)
            case .task(let task):
                var name = before?.name ?? task.baseName
                if before == nil {
                    var number = numbers[task.baseName] ?? 1
                    if number > 1 { name = "\(task.baseName)-\(number)" }
                    while used.contains(name) || isTaken(name) {
                        number += 1
                        name = "\(task.baseName)-\(number)"
                    }
                    numbers[task.baseName] = number
                    used.insert(name)
                }
                return CrontabLines.Line(number: task.line, task: CrontabLines.Task(name: name, identity: task.identity))
            }
        }
    }
}
