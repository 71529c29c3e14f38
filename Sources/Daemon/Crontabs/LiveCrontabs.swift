import Crontabs
import Scheduler
import Store

/// Makes a task of each line of the crontabs, and publishes which line a task is.
///
/// Invariants:
/// - A task of a line is defined like the task of a file, with the path of its crontab in its record. The journal decides what is in force.
/// - The history and the due times of a task belong to what its line says: see ``CrontabLines``. An edit starts nothing: a new line counts
///   from now.
/// - A line that cannot be used is reported with its position, and the other lines count. The task that it was before stays in force. So do
///   all tasks of a crontab that is refused as a whole. A crontab that is removed has no tasks any more, but for a moment: many editors
///   move a file away before they write the new one.
/// - A crontab that somebody keeps open for writing stays as it is, and after some time this is reported.
/// - While the user database does not say whether a user of a line exists, the crontab stays as it is. It is read again later.
/// - A task that has a file in tasks/ keeps its name. A file in tasks/ that is made with the name of a line is refused.
final class LiveCrontabs<FS: FileSystem, W: World>: ServicePart {
    unowned let service: Service<FS, W>

    /// Set before `begin`: the world reports its crontab only after the start.
    var isAwaited = false
    /// Returns true for the name of a user of this machine. Throws when the user database does not answer.
    var isUser: (String) throws(SystemError) -> Bool = { _ in true }

    /// Crontabs that were found and not read yet, by path.
    private var noticed: [String: CrontabFile] = [:]
    /// Directories that could not be listed before the start, so nobody knows which crontabs are in them.
    private var unlisted: Set<String> = []
    private var crontabs: [String: State] = [:]
    /// The crontabs whose published form is not up to date.
    private var unpublished: Set<String> = []
    /// Crontabs whose users could not be looked up, by path. They are taken up again at `askAt`.
    private var unanswered: [String: CrontabFile] = [:]
    private var askAt: MonotonicInstant?
    /// Crontabs that are open for writing, with the time at which this is reported. Nil when it was.
    private var written: [String: MonotonicInstant?] = [:]
    /// Crontabs that are gone, with the time at which they count as removed.
    private var leaving: [String: MonotonicInstant] = [:]

    private struct State {
        var lines: CrontabLines
        /// It is the crontab of `--crontab`, which counts whatever the configuration says.
        var isGiven = false
        var faults: [LiveCrontab.Fault] = []
        var changedAt: Instant?
        var refusal: String?
        /// The tasks of the present text, unless its lines were read for another `crontab_catch_up`.
        var known = KnownLines()
        var catchUp = Configuration.CrontabCatchUp.none
        /// The users whom the lines name, each with the answer to whether they exist.
        var users: [String: Bool] = [:]
    }

    private static var askMilliseconds: Int64 { 10_000 }
    /// A crontab that was open for writing for this long is reported.
    private static var writingMilliseconds: Int64 { 10_000 }
    /// A crontab that is gone for this long was removed.
    private static var leavingMilliseconds: Int64 { 1000 }
    private static var reportedMax: Int { 100 }
    /// The number of new lines that are checked before the texts that are in force are found.
    private static var checkedMax: Int { 100 }
    private static var inForce: String { "the other lines, and what the line was before" }

    init(_ service: Service<FS, W>) { self.service = service }

    var hasNoticed: Bool { !noticed.isEmpty }

    func noticed(_ file: CrontabFile) { noticed[file.path] = file }

    /// The crontabs that the journal has of this directory stay as they are at the start, because the directory cannot be listed.
    func keep(in directory: String) { unlisted.insert(directory) }

    /// The spool has no crontab but this one.
    func noticed(only file: CrontabFile) {
        for path in crontabs.keys where path != file.path { noticed(CrontabFile(path: path, .gone)) }
        noticed(file)
    }

    /// The configuration names no crontabs.
    func noneCounts() { for (path, state) in crontabs where !state.isGiven { noticed(CrontabFile(path: path, .gone)) } }

    /// The crontab whose line the task of this name is.
    func crontab(of task: String) -> String? { scheduler.tasks[task]?.crontab }

    // MARK: Reading

    /// Takes up the crontabs of the journal. Each that the world has not reported is gone, unless it is awaited.
    func begin() throws(SystemError) {
        var names: [String: [String]] = [:]
        for state in scheduler.tasks.values { if let path = state.crontab { names[path, default: []].append(state.name) } }
        for (path, names) in names { crontabs[path] = try recorded(path, names.sorted()) }
        for path in names.keys where noticed[path] == nil {
            let isUnlisted = unlisted.contains { path.hasPrefix("\($0)/") }
            noticed[path] = CrontabFile(path: path, isAwaited || isUnlisted ? .unknown : .gone)
        }
        unlisted = []
        takeNoticed()
        // Nobody is editing a file that was gone before the start.
        for path in leaving.keys.sorted() { forget(path) }
    }

    /// The lines of a crontab as an earlier daemon left them.
    private func recorded(_ path: String, _ names: [String]) throws(SystemError) -> State {
        let published = try spool.publishedCrontab(path)
        var state = State(lines: CrontabLines())
        var left = Set(names)
        var lines: [CrontabLines.Line] = []
        for line in published?.lines ?? [] {
            let name = line.name.flatMap { left.remove($0) }
            if name != nil || line.fault != nil {
                lines.append(CrontabLines.Line(number: line.number, task: name.flatMap(task), fault: line.fault?.text))
            }
        }
        // The daemon ended before it could publish them.
        for name in names where left.contains(name) { lines.append(CrontabLines.Line(number: 0, task: task(name))) }
        state.lines = CrontabLines(lines)
        state.changedAt = published?.changedAt
        return state
    }

    private func task(_ name: String) -> CrontabLines.Task? {
        guard let table = try? scheduler.tasks[name]?.recorded?.source.table() else { return nil }  // was read before without an error
        return CrontabLines.Task(name: name, identity: LiveCrontab.Identity(of: table))
    }

    func takeNoticed() {
        takeUnanswered()
        reportWritten()
        takeLeft()
        guard !noticed.isEmpty else { return }
        let files = noticed.values.sorted { $0.path < $1.path }
        noticed = [:]
        for file in files { take(file) }
    }

    /// The time at which crontabs are taken up again without an event.
    var wakeAt: MonotonicInstant? { (written.values.compactMap(\.self) + leaving.values + [askAt].compactMap(\.self)).min() }

    /// True while a crontab that is gone has its tasks.
    var isAnyLeaving: Bool { !leaving.isEmpty }

    private func takeLeft() {
        for (path, due) in leaving.sorted(by: { $0.key < $1.key }) where due <= monotonicNow && noticed[path] == nil { forget(path) }
    }

    private func forget(_ path: String) {
        leaving[path] = nil
        guard let gone = crontabs.removeValue(forKey: path) else { return }
        for name in gone.lines.names.sorted() { remove(name) }
        unpublished.insert(path)
    }

    private func reportWritten() {
        for (path, due) in written {
            guard let due, due <= monotonicNow, noticed[path] == nil else { continue }
            refuse("\(path): somebody keeps it open for writing; it is read when it is closed", path)
            written[path] = .some(nil)
        }
    }

    private func takeUnanswered() {
        guard let due = askAt, due <= monotonicNow else { return }
        noticed.merge(unanswered) { new, _ in new }
        (unanswered, askAt) = ([:], nil)
    }

    /// The crontabs that name a user who has been added or removed since they were read, and those that wait for an answer.
    func crontabsOfOtherUsers() -> [String] {
        let users = UserAnswers(isUser)
        return crontabs.filter { path, state in
            unanswered[path] != nil || state.users.contains { users.isUser($0.key) != $0.value }
        }.map(\.key).sorted()
    }

    private func take(_ file: CrontabFile) {
        unanswered[file.path] = nil
        if case .busy = file.content {
            if written[file.path] == nil { written[file.path] = monotonicNow.advanced(byMilliseconds: Self.writingMilliseconds) }
            return keep(file.path)
        }
        written[file.path] = nil
        if case .gone = file.content {
            service.health.solved(file.path)
            if crontabs[file.path] != nil, leaving[file.path] == nil {
                leaving[file.path] = monotonicNow.advanced(byMilliseconds: Self.leavingMilliseconds)
            }
            return
        }
        leaving[file.path] = nil
        switch file.content {
        case .text(let bytes, let changedAt): read(bytes, changedAt: changedAt, of: file)
        case .refused(let why): refuse("\(file.path): \(why)", file.path)
        case .unknown, .busy, .gone: keep(file.path)
        }
    }

    private func read(_ bytes: [UInt8], changedAt: Instant?, of file: CrontabFile) {
        let path = file.path
        let before = crontabs[path]?.lines ?? CrontabLines()
        let users = UserAnswers(isUser)
        let catchUp = world.configuration.crontabCatchUp
        let earlier = crontabs[path].flatMap { $0.catchUp == catchUp ? $0.known : nil } ?? KnownLines()
        var reading = reading(before, users)
        reading.isOfContainer = file.isGiven
        let crontab = LiveCrontab(bytes, path: path, user: file.user, reading, earlier: earlier)
        if let error = users.error {
            unanswered[path] = file
            askAt = askAt ?? monotonicNow.advanced(byMilliseconds: Self.askMilliseconds)
            return refuse("\(path): its users cannot be looked up now, and it is read again later: \(error)", path)
        }
        if let refusal = crontab.refusal { return refuse("\(path):\(refusal.line):\(refusal.column): \(refusal.message)", path) }
        let after = before.reread(as: crontab) { [scheduler, health = service.health] name in
            if let known = scheduler.tasks[name]?.recorded { return known.crontab != path }
            return health.problems["\(Layout.tasks)/\(name)"] != nil
        }
        define(crontab, before, after, path)
        if after.all != before.all || crontabs[path]?.changedAt != changedAt || crontabs[path]?.refusal != nil { unpublished.insert(path) }
        crontabs[path] = State(
            lines: after, isGiven: file.isGiven, faults: crontab.faults, changedAt: changedAt, known: crontab.known, catchUp: catchUp,
            users: users.known)
        report(path)
    }

    private func reading(_ before: CrontabLines, _ users: UserAnswers) -> LiveCrontab.Reading {
        let context = service.context
        // A text that is in force was checked before. One that is only recorded may have become unusable, by a zone that is gone.
        lazy var known = Set(before.names.compactMap { scheduler.tasks[$0].flatMap { $0.isDefined ? $0.recorded?.source.bytes : nil } })
        var checked = 0
        return LiveCrontab.Reading(
            owner: context.owner.map { $0.userName ?? String($0.user) } ?? "root", isRoot: context.owner == nil,
            catchUp: world.configuration.crontabCatchUp.rawValue, isUser: users.isUser
        ) { source in
            // Most edits have few new lines, whose check costs less than finding all the texts that are in force.
            checked += 1
            if checked > Self.checkedMax, known.contains(source.bytes) { return nil }
            let fault = LiveCrontab.Reading.fault(of: source, context)
            return fault == nil || known.contains(source.bytes) ? nil : fault
        }
    }

    /// Gives the scheduler the tasks that are new, changed or gone.
    private func define(_ crontab: LiveCrontab, _ before: CrontabLines, _ after: CrontabLines, _ path: String) {
        lazy var old = Dictionary(before.all.compactMap { $0.task.map { ($0.name, $0.identity) } }) { first, _ in first }
        for name in before.names(missingIn: after).sorted() { remove(name) }
        for (line, text) in zip(after.all, crontab.lines) {
            guard let task = line.task else { continue }
            guard case .task(let new) = text else {
                if scheduler.tasks[task.name]?.isDefined == false { handle(.taskUnusable(task.name)) }
                continue
            }
            let state = scheduler.tasks[task.name]
            let known = state?.recorded
            if known?.source == new.source, state?.isDefined == true { continue }
            // Another line has got the name of one that is gone. Its due times count from now, as those of a line with another time do.
            if let identity = old[task.name], !identity.isSameWork(as: task.identity) { handle(.taskRemoved(task.name)) }
            var context = service.context
            if let known, known.source == new.source { context.now = known.writtenAt }
            do throws(Problems) {
                var definition = try TaskDefinition(name: task.name, source: new.source, context)
                definition.crontab = path
                handle(.task(definition, since: now))
            } catch {
                // The text was in force, and what it needs is gone since. The definition that is in force stays.
                log.write(.error, "refused", at: now, ["file": path, "error": "\(error)"])
            }
        }
    }

    private func remove(_ name: String) {
        handle(.taskRemoved(name))
        // A file in tasks/ that was refused because of the name may count now.
        if service.health.problems["\(Layout.tasks)/\(name)"] != nil { service.definitions.noticed(task: name) }
    }

    // MARK: Refusals

    private func refuse(_ problem: String, _ path: String) {
        keep(path)
        var state = crontabs[path] ?? State(lines: CrontabLines())
        if state.refusal != problem { unpublished.insert(path) }
        state.refusal = problem
        crontabs[path] = state
        let inForce = state.lines.names.isEmpty ? "none" : "its lines as they were accepted last"
        service.health.report(problem: [problem], of: path, inForce: inForce)
    }

    /// Keeps the tasks of a crontab in force, after a restart that cannot read it.
    private func keep(_ path: String) {
        for name in (crontabs[path]?.lines.names ?? []).sorted() where scheduler.tasks[name]?.isDefined == false {
            handle(.taskUnusable(name))
        }
    }

    private func report(_ path: String) {
        guard let state = crontabs[path], !state.faults.isEmpty else { return service.health.solved(path) }
        var problems = state.faults.prefix(Self.reportedMax).map { "\(path):\($0.line):\($0.column): \($0.message)" }
        let more = state.faults.count - problems.count
        if more > 0 { problems.append("\(path): \(more) more lines cannot be used") }
        service.health.report(problem: problems, of: path, inForce: Self.inForce)
    }

    // MARK: Publishing

    /// Publishes which lines are in force. Called when the journal contains them.
    func publish() {
        for path in unpublished.sorted() {
            do throws(SystemError) {
                if let state = crontabs[path] { try spool.publish(published(path, state)) } else { try spool.unpublish(crontab: path) }
                unpublished.remove(path)
            } catch {
                // The next turn tries again. The published form only describes what the journal contains.
                logUnreadable(path, error)
            }
        }
    }

    private func published(_ path: String, _ state: State) -> PublishedCrontab {
        let faults = Dictionary(state.faults.map { ($0.line, $0) }) { first, _ in first }
        let lines = state.lines.all.map { line in
            let fault = line.fault.flatMap { text in
                faults[line.number].map { (text: text, why: "\(path):\($0.line):\($0.column): \($0.message)") }
            }
            return PublishedCrontab.Line(
                name: line.task?.name, number: line.number,
                source: line.task.flatMap { scheduler.tasks[$0.name]?.recorded?.source },
                fault: fault ?? line.fault.map { (text: $0, why: "\(path):\(line.number): cannot be used") })
        }
        return PublishedCrontab(path: path, changedAt: state.changedAt, refusal: state.refusal, lines: lines)
    }
}

/// Asks the user database for each name once.
private final class UserAnswers {
    private let ask: (String) throws(SystemError) -> Bool
    private(set) var known: [String: Bool] = [:]
    /// The error of the first question that had no answer. Nothing is asked after it: each question may take as long.
    private(set) var error: SystemError?

    init(_ ask: @escaping (String) throws(SystemError) -> Bool) { self.ask = ask }

    /// True also for a user about whom there is no answer.
    func isUser(_ name: String) -> Bool {
        if let answer = known[name] { return answer }
        guard error == nil else { return true }
        do throws(SystemError) {
            let answer = try ask(name)
            known[name] = answer
            return answer
        } catch {
            self.error = error
            return true
        }
    }
}

/// For the parts of the daemon that find crontabs.
extension Service {
    package func noticed(crontab file: CrontabFile) { liveCrontabs.noticed(file) }

    package func noticed(onlyCrontab file: CrontabFile) { liveCrontabs.noticed(only: file) }

    package func setUsers(_ isUser: @escaping (String) throws(SystemError) -> Bool) { liveCrontabs.isUser = isUser }

    /// True while a crontab that is gone has its tasks.
    package var isCrontabLeaving: Bool { liveCrontabs.isAnyLeaving }

    func crontabsOfOtherUsers() -> [String] { liveCrontabs.crontabsOfOtherUsers() }

    /// Called before the start when the crontab of this spool is only reported after it.
    package func awaitCrontab() { liveCrontabs.isAwaited = true }

    /// The configuration names no crontabs, so those of the journal are gone.
    func noCrontabCounts() { liveCrontabs.noneCounts() }

    func keepCrontabs(in directory: String) { liveCrontabs.keep(in: directory) }
}
