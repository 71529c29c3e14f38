import Daemon
import Glibc
import Store

/// The people who drop, edit, move and remove files. They remember their drops for the checks.
final class People {
    /// A file that somebody dropped. Its text has a mark with its number, by which it is found again.
    struct Drop {
        var number: Int
        /// The name under which it was put into new/, or of the file that it replaced there.
        var name = ""
        /// True when it was synced before its rename, as `submit` does.
        var isSynced: Bool
        /// True when somebody removed or edited it, so that it may be gone.
        var mayBeGone = false
        /// True when somebody had it run again, so that it may exist twice.
        var mayBeTwice = false
        var isBad = false
        /// True when it became a job within the time allowed for that.
        var isInTime = false
        /// True when a run without a recorded end is tried again.
        var retriesLost = false
        /// The record into which its text was copied, and with which it is removed.
        var record: String?
        var tries = 1

        var mark: String { "mark-\(number);" }
    }

    private struct Slow {
        var path: String
        var node: SimulatedDisk.Node
        var drop: Int
        /// The time of the earlier file of that name. Nil if there was none.
        var before: Int64?
    }

    /// A script that is not executable yet.
    private struct Script {
        var path: String
        var node: SimulatedDisk.Node
        var drop: Int
        var droppedAt: Instant
        var clockChanges: Int
    }

    private unowned let world: SimulatedWorld
    private(set) var drops: [Drop] = []
    /// The files that somebody is still writing.
    private var slow: [Slow] = []
    private var scripts: [Script] = []
    private var requests = 0
    private var written = 0
    /// The jobs whose records somebody moved back into new/.
    private(set) var movedAway: Set<String> = []
    /// The jobs whose directories somebody moved out of the spool's directories while they ran.
    private(set) var carriedOff: Set<String> = []
    /// The jobs whose directories somebody moved anywhere while they ran.
    private(set) var movedRunning: Set<String> = []
    private var moves = 0
    /// The drops whose jobs' directories somebody moved within the spool while they ran.
    private var moved: Set<Int> = []
    /// The latest `start` of a dropped job.
    private(set) var latest = SimulatedWorld.start

    init(_ world: SimulatedWorld) { self.world = world }

    private var disk: SimulatedDisk { world.disk }

    func act(_ kind: Step.Kind, _ pick: UInt64) {
        // When a name or a directory does not exist, nothing happens, as with people.
        try? perform(kind, pick)
    }

    private func perform(_ kind: Step.Kind, _ pick: UInt64) throws(SystemError) {
        switch kind {
        case .drop: try drop(pick, isSynced: false)
        case .submit: try drop(pick, isSynced: true)
        case .dropFar: try drop(pick, isSynced: pick >> 60 % 2 == 0, executor: "far")
        case .dropSlowly:
            let (name, text) = compose(pick, isSynced: false)
            let path = "\(Layout.new)/\(name)"
            replaced(path)
            let before = (try? disk.node(path))?.modified  // nil: a new file
            // The file is overwritten in place. A power cut may restore its earlier content, beside the job that it has become.
            if let node = try? disk.node(path) { for index in marks(in: node.bytes) { drops[index].mayBeTwice = true } }
            // The first line alone is not a job.
            try disk.write(path, Array(text.prefix { $0 != "\n" }.utf8))
            let node = try disk.node(path)
            node.writers += 1
            // A power cut may have left the file a second name, in a job's directory.
            drops[drops.count - 1].mayBeTwice = disk.names(of: node) > 1
            slow.append(Slow(path: path, node: node, drop: drops.count - 1, before: before))
        case .finishSlow:
            guard !slow.isEmpty else { return }
            finish(slow.remove(at: Int(pick % UInt64(slow.count))))
        case .dropBad:
            let name = "bad\(drops.count + 1).toml"
            drops.append(Drop(number: drops.count, name: name, isSynced: false, isBad: true))
            try rename(into: "\(Layout.new)/\(name)", "# \(drops.last?.mark ?? "")\ncomand = 1")
        case .dropScript:
            let name = "script\(drops.count + 1)"
            let path = "\(Layout.new)/\(name)"
            drops.append(Drop(number: drops.count, name: name, isSynced: false))
            try disk.write(path, Array("#!/bin/sh\n# \(drops[drops.count - 1].mark)\n".utf8))
            scripts.append(
                Script(
                    path: path, node: try disk.node(path), drop: drops.count - 1, droppedAt: world.now, clockChanges: world.clockChanges))
        case .makeExecutable:
            guard let script = scripts.popLast(), let node = try? disk.node(script.path), node === script.node else { return }
            let age = world.now.milliseconds - script.droppedAt.milliseconds
            drops[script.drop].isInTime = world.clockChanges == script.clockChanges && age < 1000
            try disk.setMode(script.path, 0o700)
        case .edit:
            guard let (path, index) = waiting(pick), !slow.contains(where: { $0.path == path }) else { return }
            drops[index].mayBeGone = true
            let text = compose(pick, isSynced: false).text
            drops[drops.count - 1].name = String(path.drop { $0 != "/" }.dropFirst())
            let name = Layout.stem(of: drops[drops.count - 1].name)
            guard pick >> 40 % 3 == 0, JobID(name) != nil else { return try rename(into: path, text) }
            // The edit is a request. If the daemon refuses it, the new text is nowhere.
            drops[drops.count - 1].mayBeGone = true
            requests += 1
            try disk.write("\(Layout.temporary)/change\(requests).toml", Array(text.utf8))
            let what = "\"id\": \"\(name)\", \"file\": \"change\(requests).toml\", \"inode\": \"\(try disk.node(path).inode)\""
            try rename(into: "\(Layout.control)/r\(requests).request", "{\"do\": \"update\", \(what)}")
        case .editRecord:
            let names = try disk.node(Layout.failed).entries.keys.filter { JobID($0) != nil }.sorted()
            guard !names.isEmpty else { return }
            let path = "\(Layout.failed)/\(names[Int(pick >> 8 % UInt64(names.count))])/job.toml"
            guard let index = marks(in: try disk.node(path)).first else { return }
            let text = compose(pick, isSynced: false).text
            // The earlier file may come back after a power cut, and after it was run again.
            drops[index].mayBeGone = true
            drops[index].mayBeTwice = true
            drops[drops.count - 1].mayBeTwice = true
            // The daemon may mistake the edited file for the file of the ended run if the clock was set back, or if somebody put
            // a running job's directory there.
            drops[drops.count - 1].mayBeGone = world.now < world.latest || moved.contains(index)
            // The next edit finds this mark in the same directory.
            if moved.contains(index) { moved.insert(drops.count - 1) }
            drops[drops.count - 1].record = names[Int(pick >> 8 % UInt64(names.count))]
            try rename(into: path, text)
        case .remove:
            guard let (path, index) = waiting(pick) else { return }
            drops[index].mayBeGone = true
            giveUp(path)
            try disk.unlink(path)
        case .retry:
            let state = pick % 2 == 0 ? Layout.done : Layout.failed
            let names = try disk.node(state).entries.keys.filter { JobID($0) != nil }.sorted()
            guard !names.isEmpty else { return }
            let name = names[Int(pick >> 8 % UInt64(names.count))]
            for index in marks(in: try disk.node("\(state)/\(name)")) { drops[index].mayBeTwice = true }
            try disk.move("\(state)/\(name)", to: "\(Layout.new)/\(name)")
            movedAway.insert(name)
        case .moveRunning:
            // A job elsewhere goes on when the machine stops. Its directory in new/ is then a new drop, and no move is noticed.
            let movable = world.isUp ? world.running : world.runningHere
            let ids = movable.map(\.id.text).filter { disk.exists("\(Layout.running)/\($0)") }.sorted()
            guard !ids.isEmpty else { return }
            moves += 1
            let id = ids[Int(pick % UInt64(ids.count))]
            let targets = [
                "\(Layout.new)/\(id)", "\(Layout.new)/stray\(moves)", "\(Layout.done)/\(id)", "\(Layout.failed)/\(id)", Self.away(id),
            ]
            let target = targets[Int(pick >> 8 % UInt64(targets.count))]
            guard !disk.exists(target) else { return }
            let marks = marks(in: try disk.node("\(Layout.running)/\(id)"))
            movedRunning.insert(id)
            moved.formUnion(marks)
            if target == Self.away(id) {
                for index in marks { drops[index].mayBeGone = true }
                carriedOff.insert(id)
            }
            try disk.move("\(Layout.running)/\(id)", to: target)
        case .moveBack:
            let ids = world.running.map(\.id.text).filter { disk.exists(Self.away($0)) && !disk.exists("\(Layout.running)/\($0)") }.sorted()
            guard !ids.isEmpty else { return }
            let id = ids[Int(pick % UInt64(ids.count))]
            // The daemon's replacement of this directory may have been moved, too. This directory would then count as a copy,
            // which is a drop of its own.
            var others: Set<Int> = []
            for state in [Layout.new, Layout.done, Layout.failed] {
                for node in try disk.node(state).entries.values { others.formUnion(marks(in: node)) }
            }
            guard others.isDisjoint(with: marks(in: try disk.node(Self.away(id)))) else { return }
            try disk.move(Self.away(id), to: "\(Layout.running)/\(id)")
            // A power cut may have torn it while it was away.
            disk.noteTorn()
        case .cancel:
            let ids = try disk.node(Layout.new).entries.keys.map { Layout.stem(of: $0) }
                + disk.node(Layout.running).entries.keys
            guard !ids.isEmpty else { return }
            let first = Int(pick % UInt64(ids.count))
            requests += 1
            // Cancels this job alone, or all jobs from here on.
            let some = ids.sorted()[first...].prefix(pick >> 8 % 2 == 0 ? 1 : ids.count).map { "\"\($0)\"" }
            let what = some.count == 1 ? "\"id\": \(some[0])" : "\"ids\": [\(some.joined(separator: ", "))]"
            try rename(into: "\(Layout.control)/r\(requests).request", "{\"do\": \"cancel\", \(what)}")
        case .pause: try rename(into: "\(Layout.control)/\(pick % 2 == 0 ? "pause" : "pause-task\(pick % 3)")", "note")
        case .resume: lift(pick % 2 == 0 ? "pause" : "pause-task\(pick % 3)")
        case .defineTask:
            let name = "task\(pick % 3)"
            guard !disk.exists("\(Layout.tasks)/\(name).toml") else { return }
            try rename(into: "\(Layout.tasks)/\(name).toml", Self.task(pick) + Self.editMark(pick))
            if pick % 2 == 0 { try sync("\(Layout.tasks)/\(name).toml") }
        case .editTask:
            let path = "\(Layout.tasks)/task\(pick % 3).toml"
            guard let old = disk.bytes(path) else { return }
            var text = String(decoding: old, as: UTF8.self)
            // Half of the edits change the calendars.
            if pick >> 8 % 2 == 0, !text.hasSuffix("command = \n") {
                let lines = text.split(separator: "\n").filter { line in
                    !["except", "only", "when_excluded"].contains { line.hasPrefix($0) }
                }
                text = lines.joined(separator: "\n") + "\n" + Self.calendars(pick >> 9)
            }
            try edit(path, text, pick)
        case .spoilTask:
            let path = "\(Layout.tasks)/task\(pick % 3).toml"
            guard disk.exists(path) else { return }
            try rename(into: path, "command = \n")
        case .removeTask:
            try disk.unlink("\(Layout.tasks)/task\(pick % 3).toml")
        default: break
        }
    }

    /// The end of a task's text. All have the same length.
    private static func editMark(_ pick: UInt64) -> String { "# edited \(100 + pick % 900)\n" }

    /// Edits a task's file. Some edits keep the file's size, inode or time of modification.
    private func edit(_ path: String, _ text: String, _ pick: UInt64) throws(SystemError) {
        let mark = Self.editMark(pick)
        let isEdited = text.dropLast(4).hasSuffix(mark.dropLast(4))
        let edited = (isEdited ? String(text.dropLast(mark.utf8.count)) : text) + mark
        let modified = try disk.node(path).modified
        if pick >> 20 % 4 == 0 {
            try disk.write(path, Array(edited.utf8))
        } else {
            try rename(into: path, edited)
        }
        guard pick >> 22 % 2 == 0 else { return }
        let node = try disk.node(path)
        (node.modified, node.changed) = (modified, disk.tick())
    }

    /// The path to which somebody carries the directory of a job.
    private static func away(_ id: String) -> String { "\(Layout.temporary)/away-\(id)" }

    // MARK: Dropping

    private func drop(_ pick: UInt64, isSynced: Bool, executor: String? = nil) throws(SystemError) {
        var (name, text) = compose(pick, isSynced: isSynced)
        // The command stays last.
        if let executor { text = "executor = \"\(executor)\"\n\(text)" }
        try rename(into: "\(Layout.new)/\(name)", text)
        if isSynced { try sync("\(Layout.new)/\(name)") }
    }

    private func compose(_ pick: UInt64, isSynced: Bool) -> (name: String, text: String) {
        var drop = Drop(number: drops.count, isSynced: isSynced)
        // The key `command` is last, so that a truncated file runs nothing.
        var text = "description = \"\(drop.mark)\"\n"
        let isOfTask = pick >> 12 % 6 == 0
        if pick >> 8 % 3 == 0 {
            drop.tries = 2
            text += "tries = 2\nbackoff = 5\n"
        } else if isOfTask {
            // The task's own keys must not apply, as below.
            text += "tries = 1\n"
        }
        if pick >> 16 % 3 == 0 {
            drop.retriesLost = true
            text += "on_crash = \"retry\"\n"
        } else if isOfTask {
            text += "on_crash = \"fail\"\n"
        }
        if pick >> 24 % 4 == 0, !world.isClockWrong {
            let start = world.now.advanced(byMilliseconds: Int64(pick >> 32 % 120_000))
            latest = max(latest, start)
            text += "start = \"\(start.rfc3339)\"\n"
        }
        if pick >> 40 % 5 == 0 { text += "locks = [\"\(pick >> 42 % 2 == 0 ? "one" : "two")\"]\n" }
        if pick >> 44 % 5 == 0 { text += "priority = \(pick % 10)\n" }
        if pick >> 20 % 8 == 0 {
            let key = "key\(pick >> 22 % 2)"
            text += pick >> 26 % 2 == 0 ? "unique = \"\(key)\"\n" : "unique = {key = \"\(key)\", while = \"active\"}\n"
        }
        if pick >> 28 % 4 == 0, let other = known(pick >> 30) {
            let whens = ["success", "failure", "end"]
            text += "after = { all = [\"\(other)\"], when = \"\(whens[Int(pick >> 33 % 3)])\" }\n"
        }
        if pick >> 36 % 10 == 0 { text += "keep = \"\(pick >> 38 % 90)s\"\n" }
        if pick >> 52 % 4 == 0 { text += "user = \"another\"\n" }
        text += isOfTask ? "task = \"task\(pick % 3)\"\n" : "command = \":\"\n"
        disk.trace?("    \(drop.mark) is \(isSynced ? "synced" : "not synced")")
        // There are few names, so that they are often taken already.
        drop.name = pick >> 48 % 4 == 0 ? "name\(pick % 3).toml" : "name\(drops.count + 1).toml"
        drops.append(drop)
        return (drop.name, text)
    }

    private func rename(into path: String, _ text: String) throws(SystemError) {
        replaced(path)
        written += 1
        let temporary = "\(Layout.temporary)/\(written)"
        try disk.write(temporary, Array(text.utf8))
        try disk.move(temporary, to: path)
    }

    /// Edits a waiting file: its name gets another content.
    private func replaced(_ path: String) {
        // If the file does not exist, nothing is replaced.
        for index in (try? disk.node(path)).map(marks) ?? [] { drops[index].mayBeGone = true }
        giveUp(path)
    }

    private func sync(_ path: String) throws(SystemError) {
        try disk.makeDurable(path)
        try disk.makeDurable(String(path.prefix { $0 != "/" }))
        try disk.makeDurable(".")
    }

    private func finish(_ one: Slow) {
        one.node.writers -= 1
        // The file was taken away, or another file has its name.
        guard let node = try? disk.node(one.path), node === one.node else { return }
        node.bytes = Array("description = \"\(drops[one.drop].mark)\"\ncommand = \":\"\n".utf8)
        node.modified = disk.tick()
        // If the clock was set back, the finished file may have the time of its predecessor, and look like the rest that a power
        // cut left.
        if let before = one.before, node.modified <= before { drops[one.drop].mayBeGone = true }
        disk.onChange?(Layout.new, one.path.split(separator: "/").last.map(String.init) ?? "", .closed)
    }

    /// Closes a file that somebody wrote, as it is.
    private func giveUp(_ path: String) {
        for one in slow where one.path == path { one.node.writers -= 1 }
        slow.removeAll { $0.path == path }
    }

    func finishAll() {
        for one in slow { finish(one) }
        slow = []
    }

    func lift(_ scope: String) { try? disk.unlink("\(Layout.control)/\(scope)") }  // may not be paused

    /// After a power cut: all files are closed, and drops that were not synced may be gone.
    func powerWasCut() {
        memoryWasNeeded()
        slow = []
        // After that the directory may have both names.
        for index in moved { drops[index].mayBeTwice = true }
        // Tasks are not counted here; the checks take their history from the journal.
    }

    /// After a failed write: the content of files that were not synced may be gone.
    func memoryWasNeeded() {
        for one in slow { drops[one.drop].mayBeGone = true }
        for index in drops.indices where !drops[index].isSynced { drops[index].mayBeGone = true }
    }

    // MARK: Marks and names

    /// The numbers of the marks in a file, or in the job's file of a directory.
    func marks(in node: SimulatedDisk.Node) -> [Int] { marks(in: node.jobText) }

    func marks(in text: [UInt8]) -> [Int] {
        // The payload of a follow-up repeats the description of the job that it follows.
        if String(decoding: text, as: UTF8.self).contains("SPOOL_PARENT_ID") { return [] }
        var found: [Int] = []
        var rest = text[...]
        let word = Array("mark-".utf8)
        while let start = rest.firstIndex(of: word[0]) {
            rest = rest[start...]
            guard rest.starts(with: word) else {
                rest = rest.dropFirst()
                continue
            }
            rest = rest.dropFirst(word.count)
            let digits = rest.prefix { $0 >= 0x30 && $0 <= 0x39 }
            // The number of a truncated mark may be that of another drop.
            if rest.dropFirst(digits.count).first == UInt8(ascii: ";"), let number = Int(String(decoding: digits, as: UTF8.self)) {
                found.append(number)
            }
        }
        return found
    }

    /// The id of an existing job, or the name of a task.
    private func known(_ pick: UInt64) -> String? {
        if pick % 4 == 0 { return "task\(pick >> 2 % 3)" }
        var ids: [String] = []
        for state in JobState.allCases {
            guard let directory = try? disk.node(state.rawValue) else { continue }  // no spool yet
            ids += directory.entries.keys.filter { JobID($0) != nil }.sorted()
        }
        return ids.isEmpty ? nil : ids[Int(pick >> 2 % UInt64(ids.count))]
    }

    /// A waiting file that somebody dropped.
    private func waiting(_ pick: UInt64) -> (path: String, drop: Int)? {
        guard let new = try? disk.node(Layout.new) else { return nil }  // no spool yet
        let names = new.entries.filter { $0.value.kind == .file }.keys.sorted()
        guard !names.isEmpty else { return nil }
        let path = "\(Layout.new)/\(names[Int(pick % UInt64(names.count))])"
        guard let node = try? disk.node(path), let index = marks(in: node).first else { return nil }  // was listed just before
        return (path, index)
    }

    private static func notices(_ pick: UInt64) -> String {
        let keys = [
            #"on_start = [":"]"#, "slow = \"20s\"\non_slow = [\":\"]",
            "on_failure = [\":\"]\nnotify_after = 2\nnotify_every = \"5m\"", #"on_recovery = [":"]"#, #"min_run = "2s""#,
        ]
        return keys.enumerated().filter { pick >> UInt64(2 * $0.offset) % 4 == 0 }.map(\.element).joined(separator: "\n")
    }

    private static func task(_ pick: UInt64) -> String {
        let overlaps = ["wait", "queue", "skip", "allow", "replace"]
        let catchUps = ["last", "all", "none"]
        return """
            command = ":"
            tries = \(1 + pick >> 16 % 2)
            backoff = 5
            on_crash = "\(pick >> 18 % 3 == 0 ? "retry" : "fail")"
            \(pick >> 20 % 4 == 0 ? "locks = [\"one\"]" : "")
            \(pick >> 24 % 4 == 0 ? "keep = { count = 3 }" : "")
            \(notices(pick >> 28))
            overlap = "\(overlaps[Int(pick >> 4 % 5)])"
            [[schedule]]
            id = "each-minute"
            cron = "\(["* * * * *", "*/5 * * * *", "*/20 * * * *"][Int(pick >> 12 % 3)])"
            catch_up = "\(catchUps[Int(pick >> 8 % 3)])"
            catch_up_limit = 5
            \(calendars(pick >> 44))

            """
    }

    /// The keys of a schedule for calendars: half of the schedules have some.
    private static func calendars(_ pick: UInt64) -> String {
        let keys = ["except = [\"c\"]", "only = [\"c\"]", "except = [\"c\", \"d\"]", "except = [\"c\"]\nonly = [\"d\"]"]
        guard pick % 2 == 0 else { return "" }
        return keys[Int(pick >> 1 % 4)] + (pick >> 3 % 3 == 0 ? "\n" : "\nwhen_excluded = \"next\"\n")
    }
}
