import Linux
import Store

/// The next due time of each schedule, for `top`. A task is read again when its file changes; its next time is looked for when
/// the last one has passed or a run has ended on which it counts.
final class TopDues {
    private let session: Session
    private let fs: DiskFileSystem
    private var catalog: TaskCatalog?
    private var zoneName: String?
    private var entries: [String: TaskCatalog.Entry] = [:]
    private var queues: [String: String] = [:]
    private var due: [String: [Snapshot.Due]] = [:]
    /// All, the soonest first.
    private var merged: [Snapshot.Due] = []
    private var changed: Set<String> = []
    private var stale: Set<String> = []

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

    /// A job of that name has ended.
    func noteEnd(ofJobNamed name: String) {
        guard let entry = entries[name] else { return }
        if entry.schedules.contains(where: { $0.definition.recurrence.isFromEnd || $0.definition.recurrence.patternExtension != nil }) {
            stale.insert(name)
        }
    }

    func refresh(_ snapshot: inout Snapshot) throws(Failure) {
        try readTasks()
        for one in merged.prefix(while: { $0.instant <= snapshot.now }) { stale.insert(one.task) }
        if !stale.isEmpty {
            let reread = stale.compactMap { entries[$0] }
            let times = try DueTimes(session, fs, for: reread, from: snapshot.now)
            for name in stale { due[name] = nil }
            for entry in reread {
                due[entry.name] = entry.schedules.flatMap { times.next($0, of: entry, count: 1) }.map { one in
                    Snapshot.Due(
                        instant: one.instant, task: one.task, queue: queues[one.task] ?? "default", schedule: one.schedule.id, note: one.note)
                }
            }
            stale = []
            merged = due.values.joined().sorted { ($0.instant, $0.task, $0.schedule) < ($1.instant, $1.task, $1.schedule) }
        }
        snapshot.due = merged.prefix(Self.shownMax).map { one in
            var one = one
            let isPaused = snapshot.surroundings.pauses.contains { $0.scope == .all || $0.scope == .task(one.task) || $0.scope == .queue(one.queue) }
            if isPaused { one.note = ["paused", one.note].compactMap { $0 }.joined(separator: "; ") }
            return one
        }
    }

    private func readTasks() throws(Failure) {
        // What wall times mean that name no zone; of a configuration that cannot be read, see below.
        let zone = try? session.configuration().zone.name
        if zone != zoneName { reload() }
        zoneName = zone
        guard let catalog else {
            // A configuration that cannot be read, and with it no zone: then no due times.
            guard let read = try? TaskCatalog(session) else { return }
            catalog = read
            entries = [:]
            for entry in try read.entries().page { keep(entry, read) }
            stale.formUnion(due.keys)
            stale.formUnion(entries.keys)
            changed = []
            return
        }
        for name in changed {
            // Gone, or not a name.
            if let entry = try? catalog.entry(name) { keep(entry, catalog) } else { entries[name] = nil }
            stale.insert(name)
        }
        changed = []
    }

    private func keep(_ entry: TaskCatalog.Entry, _ catalog: TaskCatalog) {
        entries[entry.name] = entry
        // Not usable: it has no queue.
        if let task = entry.task, let context = try? session.context(), let job = try? task.job(context) {
            queues[entry.name] = job.definition.queue
        }
    }
}
