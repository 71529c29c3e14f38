import Linux
import Store

/// The waiting jobs of `top`: the names of all, and the content of the first ones. What is read of a job is kept until an event tells of a
/// change: in new/ for a file, in the job's own directory for a directory, whose status changes when the daemon takes it up.
final class TopWaiting {
    private let fs: DiskFileSystem
    private let watch: TopWatch
    private var names = NameWindow(least: TopFeed.waitingMax, limit: 4096)
    private var rows: [String: Row] = [:]
    /// The watches of the directories among the rows.
    private var watches: [String: Int32] = [:]

    private struct Row {
        var job: Snapshot.Waiting
        /// True for a job with `after`.
        var isAfter: Bool
        /// The ids of the jobs in `after`; nil while they are unknown, until the job is accepted.
        var dependencies: [String]?
    }

    init(_ fs: DiskFileSystem, _ watch: TopWatch) {
        self.fs = fs
        self.watch = watch
    }

    func load(_ entries: [DirectoryEntry]) {
        names.replaceAll(entries.lazy.map { ($0.name, $0.kind == .directory) })
        for name in Array(watches.keys) { forget(name) }
        rows = [:]
    }

    func take(_ event: InotifyEvent) {
        forget(event.name)
        if event.isArrival {
            names.insert(event.name, isDirectory: event.mask.contains(.isDirectory))
        } else if event.isDeparture {
            names.remove(event.name)
        }
    }

    /// Reads a job again, whose directory has changed.
    func reread(_ name: String) { rows[name] = nil }

    private func forget(_ name: String) {
        rows[name] = nil
        if let watch = watches.removeValue(forKey: name) { self.watch.remove(watch, of: .waiting(name)) }
    }

    /// Reads all jobs again after a task has changed, whose keys waiting jobs may use.
    func forgetDefinitions() { rows = [:] }

    func refresh(_ snapshot: inout Snapshot, _ records: inout JobRecords<DiskFileSystem>) throws(Failure) {
        let shown = names.first.prefix(TopFeed.waitingMax)
        for name in shown where rows[name] == nil { rows[name] = try read(name, &records) }
        if rows.count > 4 * TopFeed.waitingMax {
            let kept = Set(shown)
            for name in Set(rows.keys).union(watches.keys) where !kept.contains(name) { forget(name) }
        }
        try readDependencies(shown, &records)
        snapshot.waitingCount = names.count
        snapshot.waiting = shown.compactMap { rows[$0]?.job }
    }

    private func read(_ name: String, _ records: inout JobRecords<DiskFileSystem>) throws(Failure) -> Row? {
        let stem = name.hasSuffix(".toml") || name.hasSuffix(".json") ? String(name.dropLast(5)) : name
        let isFile = !names.isDirectory(name)
        let place = JobPlace(id: isFile ? stem : name, state: .new, path: "\(Layout.new)/\(name)", isFile: isFile)
        // The watch is added before reading, so that later changes are reported.
        if !isFile, watches[name] == nil { watches[name] = watch.add(place.path, as: .waiting(name)) }
        let record: JobRecord?
        let definition: JobDefinition?
        do throws(JournalError) {
            record = try records.record(at: place)
            do throws(SystemError) { definition = try records.definition(at: place) } catch { throw .system(error) }
        } catch {
            throw Failure(error)
        }
        guard let record else { return nil }
        var job = Snapshot.Waiting(status: record.status, overlap: definition?.overlap ?? .wait, locks: definition?.locks ?? [])
        if isFile { job.fileProblem = record.status.error ?? (record.isComplete ? nil : "it cannot be read") }
        return Row(job: job, isAfter: definition?.after != nil, dependencies: nil)
    }

    /// Looks up the jobs in `after`: once in the journal for each waiting job, and each time in the directories whether they have ended.
    private func readDependencies(_ shown: ArraySlice<String>, _ records: inout JobRecords<DiskFileSystem>) throws(Failure) {
        let after = shown.filter { rows[$0]?.isAfter == true }
        let unknown = Set(after.filter { rows[$0]?.dependencies == nil })
        do throws(JournalError) {
            let found = unknown.isEmpty ? [:] : try records.dependencies(of: unknown)
            for name in after {
                guard var row = rows[name] else { continue }
                row.dependencies = row.dependencies ?? found[name]
                row.job.waitsFor = try records.open(row.dependencies ?? [])
                rows[name] = row
            }
        } catch {
            throw Failure(error)
        }
    }
}
