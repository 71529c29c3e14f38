// The tasks that can have one of the first due times, found without opening the files of all others.
//
// Invariants:
// - A task is left out only when its first due time is known, as many tasks as are asked for come before it, and nothing is to be said
//   about it: its file is in force, and each of its schedules has due times.
// - The text of a file is known without opening the file when the file has the stamp that the journal has of it, in the same boot of
//   the machine: see ContentStamp.
// - The first due time follows from the text of the schedules alone, or the file is read. Many tasks have the same schedules, so each such
//   text is read once.

import Glibc
import Scheduler

extension Spool {
    /// The tasks that can have one of the first `count` due times after an instant, and all those about which there may be something to
    /// say, in the order of their names. Nil when that cannot be told without reading all files.
    ///
    /// - Parameters:
    ///   - others: tasks that are not left out in any case.
    ///   - survey: the entries of tasks/.
    ///   - boot: the present boot of the machine.
    public func tasksDueFirst(
        _ count: Int, after instant: Instant, with others: Set<String>, boot: String, _ context: ReadingContext,
        survey: () throws(SystemError) -> [(entry: DirectoryEntry, status: FileStatus?)]
    ) throws(SystemError) -> Files? {
        var recorded = RecordedSchedules(after: instant, context)
        guard try Journal<FS>.scanNewest(fs, into: &recorded).isEmpty, recorded.boot == boot else { return nil }
        let found = try survey().filter { entry, status in
            !Name.isUnfinished(entry.name) && entry.kind != .directory && !(status.map(fs.isForeign) ?? false)
        }
        let lines = try crontabNames()
        var read = lines.mapValues { [$0] }
        for (entry, _) in found where !entry.name.hasSuffix(".toml") && lines[Layout.stem(of: entry.name)] == nil {
            read[Layout.stem(of: entry.name), default: []].append(entry.name)
        }
        var due: [(instant: Instant, stem: String)] = []
        // No task after this one is among the first.
        var last: (instant: Instant, stem: String)?
        func keepFirst() {
            due.sort { ($0.instant, $0.stem) < ($1.instant, $1.stem) }
            due.removeLast(max(0, due.count - count))
            if due.count == count { last = due.last }
        }
        for (entry, status) in found where entry.name.hasSuffix(".toml") {
            let stem = Layout.stem(of: entry.name)
            if lines[stem] != nil { continue }
            guard read[stem] == nil, !others.contains(stem), let status, fs.isUsable(status),
                case .known(let first) = recorded.first(of: stem, ContentStamp(status))
            else {
                read[stem, default: []].append(entry.name)
                continue
            }
            guard let first, last.map({ (first, stem) < ($0.instant, $0.stem) }) ?? true else { continue }
            due.append((first, stem))
            if due.count >= 2 * count + 1000 { keepFirst() }
        }
        keepFirst()
        for one in due { read[one.stem] = ["\(one.stem).toml"] }
        return read.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}

/// The first due times of the tasks that the journal's newest segment defines.
private struct RecordedSchedules: JournalReader {
    enum First {
        /// Nil when the task has no due time and says nothing about that.
        case known(Instant?)
        /// The task's file must be read.
        case unknown
    }

    private struct Known {
        var stamp: ContentStamp
        /// The index of the text of its schedules.
        var text: Int
    }

    private let after: Instant
    private let context: ReadingContext
    /// The boot in which the last daemon started.
    private(set) var boot: String?
    private var tasks: [String: Known] = [:]
    /// The tasks that have due times from earlier calendars.
    private var settled: Set<String> = []
    private var texts: [[UInt8]: Int] = [:]
    /// The first due time of each text.
    private var firsts: [First] = []

    init(after: Instant, _ context: ReadingContext) {
        self.after = after
        self.context = context
    }

    func first(of task: String, _ stamp: ContentStamp) -> First {
        guard let known = tasks[task], known.stamp == stamp, !settled.contains(task) else { return .unknown }
        return firsts[known.text]
    }

    func wants(_ line: JournalGlance) -> Bool {
        switch line.kind {
        case "defined", "undefined", "stamped", "settled", "daemon-started": true
        default: false
        }
    }

    mutating func takes(_ line: JournalGlance) -> Bool {
        switch line.kind {
        case "defined":
            guard let task = Self.task(line) else { return true }
            var (source, stamp, isTOML) = (UnsafeBufferPointer<UInt8>?.none, ContentStamp?.none, false)
            for field in line.fields {
                if field.isNamed("source") { source = field.value }
                if field.isNamed("stamp") { stamp = ContentStamp(written: field.value) }
                if field.isNamed("format") { isTOML = field.value.elementsEqual("toml".utf8) }
            }
            guard isTOML, let stamp, let text = source.flatMap(SchedulesText.find) else {
                tasks[task] = nil
                return true
            }
            if let known = texts[text] {
                tasks[task] = Known(stamp: stamp, text: known)
                return true
            }
            texts[text] = firsts.count
            tasks[task] = Known(stamp: stamp, text: firsts.count)
            firsts.append(.unknown)
            // The text is decoded and read once.
            return false
        case "undefined": Self.task(line).map { tasks[$0] = nil }
        case "stamped":
            guard let task = Self.task(line) else { return true }
            var stamp: ContentStamp?
            for field in line.fields where field.isNamed("stamp") { stamp = ContentStamp(written: field.value) }
            if let stamp { tasks[task]?.stamp = stamp } else { tasks[task] = nil }
        case "settled": if let task = line.firstValue(of: "task") { settled.insert(task) }
        default: return false
        }
        return true
    }

    mutating func take(_ fields: JournalFields) {
        switch fields.record(context) {
        case .daemonStarted(let boot, _): self.boot = boot
        case .defined(let file, let definition):
            let name = String(file.dropFirst(Layout.tasks.utf8.count + 1))
            let task = try? TaskDefinition(name: name, source: definition.source, context)  // unusable now: its file is read, and says so
            // `takes` has just made its place.
            if let task, !firsts.isEmpty { firsts[firsts.count - 1] = first(task) }
        default: break
        }
    }

    /// The first due time of a task whose schedules have due times that depend on nothing but their text.
    private func first(_ task: TaskDefinition) -> First {
        var first: Instant?
        for schedule in task.schedules where schedule.enabled && !schedule.recurrence.isReboot {
            let rule = schedule.recurrence
            guard !rule.isEvent, !rule.isInterval, !rule.isFromEnd, rule.patternExtension == nil, !schedule.dependsOnWhenWritten,
                rule.filter?.whenExcluded != .next, schedule.unknownCalendars.isEmpty, !schedule.dependsOnTask,
                let due = rule.next(after: after, origin: after)
            else { return .unknown }
            first = min(first ?? due, due)
        }
        return .known(first)
    }

    /// The name of the task whose file the record is about.
    private static func task(_ line: JournalGlance) -> String? {
        guard let file = line.firstValue(of: "file"), file.hasPrefix("\(Layout.tasks)/") else { return nil }
        return String(Substring(file.utf8.dropFirst(Layout.tasks.utf8.count + 1)))
    }
}

extension ScheduleDefinition {
    /// True when the expression may contain `H`, whose value follows from the task's name.
    fileprivate var dependsOnTask: Bool {
        func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) }
        let text = Array(expression.utf8)
        return text.indices.contains { at in
            text[at] | 0x20 == UInt8(ascii: "h") && !(at > 0 && isLetter(text[at - 1])) && !(at + 1 < text.count && isLetter(text[at + 1]))
        }
    }
}

extension ContentStamp {
    /// A stamp as the journal has it, base 16.
    fileprivate init?(written text: UnsafeBufferPointer<UInt8>) {
        guard let number = UInt64(String(decoding: text, as: UTF8.self), radix: 16) else { return nil }
        self.init(number: number)
    }
}

/// The part of a task's text that its schedules follow from.
private enum SchedulesText {
    private static let header = Array("[[schedule]]".utf8)
    private static let zone = Array("timezone".utf8)

    /// The rest of a TOML text from its first line `[[schedule]]` on, as a quoted value of the journal has it. Nil when the schedules
    /// may follow from more than that: the task names a time zone, the line may be a part of a text of several lines, or an earlier line
    /// may begin a schedule in another spelling.
    static func find(_ value: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        guard value.count > 2, value[0] == UInt8(ascii: "\"") else { return nil }
        var at = 1
        var isLineStart = true
        // Nothing but blanks since the start of the line.
        var isBlank = true
        // The number of quotation marks of a kind in a row. Three begin a text of several lines.
        var quotes = (mark: UInt8(0), count: 0)
        while at < value.count - 1 {
            if isLineStart, value[at...].starts(with: header) {
                let before = UnsafeBufferPointer(rebasing: value[..<at])
                return mentionsZone(before) ? nil : Array(value[at..<(value.count - 1)])
            }
            isBlank = isBlank || isLineStart
            isLineStart = false
            var byte = value[at]
            at += 1
            if isBlank, byte == UInt8(ascii: "["), value[at] == UInt8(ascii: "[") { return nil }
            if byte == UInt8(ascii: "\\") {
                byte = value[at]
                at += 1
                // An escape of TOML for any character.
                if byte == UInt8(ascii: "\\"), at < value.count, value[at] | 0x20 == UInt8(ascii: "u") { return nil }
                isLineStart = byte == UInt8(ascii: "n")
                if byte == UInt8(ascii: "t") { byte = UInt8(ascii: " ") }
                if byte != UInt8(ascii: "\""), byte != UInt8(ascii: " ") { byte = 0 }
            }
            if byte != UInt8(ascii: " ") { isBlank = false }
            guard byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") else {
                quotes.count = 0
                continue
            }
            quotes = (byte, quotes.mark == byte ? quotes.count + 1 : 1)
            if quotes.count == 3 { return nil }
        }
        return nil
    }

    private static func mentionsZone(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        text.indices.contains { text[$0] == zone[0] && text[$0...].starts(with: zone) }
    }
}
