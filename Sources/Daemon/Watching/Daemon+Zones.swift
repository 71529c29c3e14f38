import Glibc
import Linux
import Scheduler

// The time-zone database changes under a daemon that runs for years. Each name that decides what a zone in use says is watched in
// the directory it stands in, so that replacing a file, a link or a whole directory by rename is seen as well as writing to it.

/// The names that are watched for zones.
struct ZoneWatches {
    /// Of each watch of a directory.
    var names: [Int32: Set<String>] = [:]
    /// How many zones were in use when that was found out.
    var count = 0

    func contains(_ event: InotifyEvent) -> Bool { names[event.watch]?.contains(event.name) ?? false }
}

extension Daemon {
    /// To be called when a definition may have asked for a zone that was not in use before.
    func watchNewZones() {
        if zones.count != zoneWatches.count { reloadZones() }
    }

    /// Reads the zones in use anew and plans again what has changed.
    func reloadZones() {
        var files: Set<String>
        repeat {
            // Watched before they are read, so that no change falls between.
            files = zones.files
            zoneWatches.count = zones.count
            watch(files)
            let (changes, failures) = zones.reload()
            report(failures)
            guard !changes.isEmpty else { continue }
            log.write(
                .notice, "zones-changed", at: now, ["zones": Set(changes.map(\.new.name)).sorted().joined(separator: ",")])
            if let change = changes.first(where: { $0.old === configuration.zone }) { configuration.zone = change.new }
            scheduler.zone = configuration.zone
            service.submit(.zonesChanged(changes))
            service.isPublishDue = true
        } while zones.files != files
    }

    private func watch(_ files: Set<String>) {
        var names: [Int32: Set<String>] = [:]
        for file in files {
            guard let slash = file.lastIndex(of: "/") else { continue }
            let directory = slash == file.startIndex ? "/" : String(file[..<slash])
            do throws(SystemError) {
                // A directory that is watched for something else keeps what it is watched for.
                let watch = try self.watch(
                    directory, [.closedAfterWriting, .movedTo, .movedFrom, .created, .deleted, .onlyDirectory, .addToMask])
                names[watch, default: []].insert(String(file[file.index(after: slash)...]))
            } catch {
                // Not there: its own name is watched, for it to come.
                if error.isOutOfReach { continue }
                if error.isOutOfWatches {
                    notWatched(error)
                } else {
                    log.write(.warning, "not-watched", at: now, ["file": file, "error": "\(error)"])
                }
            }
        }
        for watch in zoneWatches.names.keys where names[watch] == nil {
            if configurationFile?.watched.isWatching(watch) ?? false || accounts.watched.isWatching(watch) { continue }
            // Its directory is gone, and the watch with it: then nothing is left to remove.
            try? watcher?.inotify.remove(watch)
        }
        zoneWatches.names = names
    }

    /// Says once what cannot be read any more.
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
