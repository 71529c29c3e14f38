import Linux
import Store

/// The next due time of each schedule, for `top`. A task is read again when its file changes. Its next due time is computed again
/// when the last one has passed, or when a run has ended from which it counts.
final class TopDues {
    private let session: Session
    private let fs: DiskFileSystem
    private var catalog: TaskCatalog?
    private var zoneName: String?
    private var entries: [String: TaskCatalog.Entry] = [:]
    private var queues: [String: String] = [:]
    private var due: [String: [Snapshot.Due]] = [:]
    /// All due times, the soonest first.
    private var merged: [Snapshot.Due] = []
    private var changed: Set<String> = []
    private var stale: Set<String> = []
    /// What the journal said about all tasks when it was read last. It is read again for tasks that it may say something else about.
    private var times: DueTimes?

    private static let shownMax = 200

    init(_ session: Session, _ fs: DiskFileSystem) {
        self.session = session
        self.fs = fs
    }

    func reload() { catalog = nil }

    func change(file: String) {
        guard !Name.isUnfinished(file), file.hasSuffix(".toml") || file.hasSuffix(".json") else { return }
        changed.insert(String(file.dropLast(5)))
    }

    /// Notes that a job of this name has ended.
    func noteEnd(ofJobNamed name: String) {
        guard let entry = entries[name] else { return }
        if entry.schedules.contains(where: { $0.definition.recurrence.isFromEnd || $0.definition.recurrence.patternExtension != nil }) {
            stale.insert(name)
        }
    }

    func refresh(_ snapshot: inout Snapshot) throws(Failure) {
        try readTasks()
        let passed = Set(merged.prefix { $0.instant <= snapshot.now }.map(\.task))
        if !stale.isEmpty || passed.contains(where: { name in entries[name].map { times?.mayChange($0) ?? true } ?? false }) { times = nil }
        stale.formUnion(passed)
        if !stale.isEmpty {
            let reread = stale.compactMap { entries[$0] }
            let times: DueTimes
            if let known = self.times { times = known.after(snapshot.now) } else {
                times = try DueTimes(session, fs, for: Array(entries.values), from: snapshot.now)
                self.times = times
            }
            for name in stale { due[name] = nil }
            for entry in reread {
                due[entry.name] = entry.schedules.flatMap { times.next($0, of: entry, count: 1) }.map { one in
                    Snapshot.Due(
                        instant: one.instant, task: one.task, queue: queues[one.task] ?? "default", schedule: one.schedule.id,
                        note: one.note)
                }
            }
            stale = []
            merged = due.values.joined().sorted { ($0.instant, $0.task, $0.schedule) < ($1.instant, $1.task, $1.schedule) }
        }
        snapshot.due = merged.prefix(Self.shownMax).map { one in
            var one = one
            let scopes: [PauseScope] = [.all, .task(one.task), .queue(one.queue)]
            let isPaused = snapshot.surroundings.pauses.contains { scopes.contains($0.scope) }
            if isPaused { one.note = ["paused", one.note].compactMap { $0 }.joined(separator: "; ") }
            return one
        }
    }

    private func readTasks() throws(Failure) {
        // The zone of wall times without one. An unreadable configuration is handled below.
        let zone = try? session.configuration().zone.name
        if zone != zoneName { reload() }
        zoneName = zone
        guard let catalog else {
            // Without a readable configuration the zone is unknown, and no due times are shown.
            guard let read = try? TaskCatalog(session) else { return }
            catalog = read
            entries = [:]
            for entry in try read.entries() { keep(entry, read) }
            stale.formUnion(due.keys)
            stale.formUnion(entries.keys)
            changed = []
            return
        }
        for name in changed {
            // The task was removed, or the file's name is not a task's name.
            if let entry = try? catalog.entry(name) { keep(entry, catalog) } else { entries[name] = nil }
            stale.insert(name)
        }
        changed = []
    }

    private func keep(_ entry: TaskCatalog.Entry, _ catalog: TaskCatalog) {
        entries[entry.name] = entry
        // An unusable task has no queue.
        if let task = entry.task, let context = try? session.context(), let job = try? task.job(context) {
            queues[entry.name] = job.definition.queue
        }
    }
}
