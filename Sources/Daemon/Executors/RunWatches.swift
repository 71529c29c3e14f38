import Linux
import Scheduler
import Store

/// The inotify watches of the directories of runs that executors have. A start mark or an end mark in one is looked at once.
///
/// Invariants:
/// - Each such run is watched from its first call on, as long as the kernel has watches. Without one, the executor's answers have its marks
///   read.
/// - A watch ends when its run has ended.
final class RunWatches: FileWatcher {
    private var watches: [Int32: JobID] = [:]
    private var watched: [JobID: (watch: Int32, number: Int)] = [:]
    private let spool: String
    private let files: FileWatches
    private let service: SpoolService

    init(spool: String, _ files: FileWatches, _ service: SpoolService) {
        self.spool = spool
        self.files = files
        self.service = service
    }

    /// Watches the directory of a run, and looks at the marks that are there already.
    func watch(_ job: Job) {
        guard watched[job.id]?.number != job.runNumber else { return }
        remove(job.id)
        do throws(SystemError) {
            let path = "\(spool)/\(Layout.directory(of: job.id, .running))"
            let watch = try files.watch(path, [.created, .movedTo, .onlyDirectory, .dontFollow], for: self)
            watches[watch] = job.id
            watched[job.id] = (watch, job.runNumber)
            service.lookAtMarks(of: job.id)
        } catch {
            // Its marks are read with the answers of its executor.
            _ = files.isForLater(error)
        }
    }

    func take(_ events: [InotifyEvent]) {
        for event in events {
            guard let id = watches[event.watch] else { continue }
            if event.mask.contains(.ignored) {
                watches[event.watch] = nil
                if watched[id]?.watch == event.watch { watched[id] = nil }
            } else if isMark(event.name) {
                service.lookAtMarks(of: id)
            }
        }
    }

    private func isMark(_ name: String) -> Bool {
        [Layout.startMark, Layout.endMark].contains { name.hasPrefix("\($0).") } && !name.hasSuffix(".tmp")
    }

    func lookAnew() { for id in watched.keys.sorted() { service.lookAtMarks(of: id) } }

    func mountsChanged() {}

    /// Ends the watches of runs that have ended.
    func removeEnded() {
        guard watched.count > service.scheduler.remoteCount else { return }
        for id in Array(watched.keys) where service.scheduler.jobs[id]?.state != .running { remove(id) }
    }

    private func remove(_ id: JobID) {
        guard let (watch, _) = watched.removeValue(forKey: id) else { return }
        watches[watch] = nil
        files.unwatch(watch, for: self)
    }
}
