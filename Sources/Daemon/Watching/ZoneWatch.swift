import Linux
import Scheduler

/// Watches the files of the time zones in use, and has the scheduler plan again after a change: the zone database is updated while a daemon
/// runs for years.
///
/// Every name on the way to a zone's file is watched in its directory. So a change is noticed when a file, a link or a whole directory is
/// replaced by rename, and when a file is written to.
final class ZoneWatch: FileWatcher {
    /// The watched names, by the watch on their directory.
    private var names: [Int32: Set<String>] = [:]
    /// The number of zones in use at the last reload.
    private var count = 0
    private let zones: ZoneDatabase
    private let files: FileWatches
    private let configuration: ConfigurationFile
    private let service: SpoolService
    private let log: Log

    init(_ zones: ZoneDatabase, _ files: FileWatches, _ configuration: ConfigurationFile, _ service: SpoolService, _ log: Log) {
        self.zones = zones
        self.files = files
        self.configuration = configuration
        self.service = service
        self.log = log
    }

    /// Must be called when a definition may have asked for a zone that was not in use before.
    func watchNew() { if zones.count != count { reload() } }

    func take(_ events: [InotifyEvent]) { if events.contains(where: { names[$0.watch]?.contains($0.name) ?? false }) { reload() } }

    func lookAnew() { reload() }
    func mountsChanged() { reload() }

    /// Reads the zones in use again, and has the scheduler plan again if one has changed.
    private func reload() {
        var names: Set<String>
        repeat {
            // The names are watched before the files are read, so that no change is missed between the two.
            names = zones.files
            count = zones.count
            watch(names)
            let (changes, failures) = zones.reload()
            report(failures)
            guard !changes.isEmpty else { continue }
            let changed = Set(changes.map(\.new.name)).sorted().joined(separator: ",")
            log.write(.notice, "zones-changed", at: service.now, ["zones": changed])
            if let change = changes.first(where: { $0.old === configuration.inForce.zone }) { configuration.replaceZone(by: change.new) }
            service.scheduler.settings.zone = configuration.inForce.zone
            service.submit(.zonesChanged(changes))
            service.isPublishDue = true
        } while zones.files != names
    }

    private func watch(_ paths: Set<String>) {
        var new: [Int32: Set<String>] = [:]
        for path in paths {
            guard let slash = path.lastIndex(of: "/") else { continue }
            let directory = slash == path.startIndex ? "/" : String(path[..<slash])
            do throws(SystemError) {
                let watch = try files.watch(
                    directory, [.closedAfterWriting, .movedTo, .movedFrom, .created, .deleted, .onlyDirectory], for: self)
                new[watch, default: []].insert(String(path[path.index(after: slash)...]))
            } catch {
                // When the directory is missing, its name in its parent is one of the names.
                if error.isOutOfReach || files.isForLater(error) { continue }
                log.write(.warning, "not-watched", at: service.now, ["file": path, "error": "\(error)"])
            }
        }
        for watch in names.keys where new[watch] == nil { files.unwatch(watch, for: self) }
        names = new
    }

    /// Reports zones that cannot be read any more, each once.
    private func report(_ failures: [(name: String, error: RecurrenceError)]) {
        let paths = failures.map { "time zone \($0.name)" }
        for path in service.problems.keys where path.hasPrefix("time zone ") && !paths.contains(path) {
            service.problems[path] = nil
            service.isPublishDue = true
        }
        for (path, failure) in zip(paths, failures) {
            service.report(problem: ["\(failure.error)"], of: path, inForce: "the time zone as it was read before")
        }
    }
}
