import Linux
import Scheduler

/// Watches the files of the time zones in use, because the zone database changes under a daemon that runs for years, and plans anew after a
/// change.
///
/// Each name that decides what a zone says is watched in its directory. So a change is noticed when a file, a link or a whole directory is
/// replaced by rename, as well as when a file is written to.
final class ZoneWatch: FileWatcher {
    /// The names that are watched, by the watch on their directory.
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

    /// To be called when a definition may have asked for a zone that was not in use before.
    func watchNew() { if zones.count != count { reload() } }

    func take(_ events: [InotifyEvent]) { if events.contains(where: { names[$0.watch]?.contains($0.name) ?? false }) { reload() } }

    func lookAnew() { reload() }

    /// Reads the zones in use anew, and plans again what has changed.
    private func reload() {
        var names: Set<String>
        repeat {
            // Watched before they are read, so that no change is missed between the two.
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
                // A missing directory's own name is among the names.
                if error.isOutOfReach || files.isForLater(error) { continue }
                log.write(.warning, "not-watched", at: service.now, ["file": path, "error": "\(error)"])
            }
        }
        for watch in names.keys where new[watch] == nil { files.unwatch(watch, for: self) }
        names = new
    }

    /// Reports once which zones cannot be read any more.
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
