import Glibc
import Linux

/// The names that decide what paths lead to, as they are watched.
///
/// For each path these are the file, each symbolic link on the way, and, while a directory is missing, its name in the nearest one that is
/// there. So a file that comes with its directory is noticed, and one behind a link that is swapped.
struct WatchedNames {
    private var names: [Int32: Set<String>] = [:]

    /// A name, and the directory without links in which it stands or is missing.
    struct Name: Hashable {
        var directory: String
        var name: String
    }

    /// The names that decide what a path leads to, as things are now.
    static func names(decidingOn path: String) -> Set<Name> {
        var found: Set<Name> = []
        var directory = ""
        var rest = path.split(separator: "/")[...]
        // As many links as Linux follows.
        var links = 0
        while let part = rest.popFirst() {
            if part == "." { continue }
            if part == ".." {
                directory = String(directory[..<(directory.lastIndex(of: "/") ?? directory.startIndex)])
                continue
            }
            let one = Name(directory: directory.isEmpty ? "/" : directory, name: String(part))
            let full = "\(directory)/\(part)"
            // Missing, or in a directory that cannot be looked into: the watch tells.
            guard let status = try? FileStatus.read(full) else { return found.union([one]) }
            switch status.kind {
            case .directory where !rest.isEmpty: directory = full
            case .symbolicLink:
                found.insert(one)
                links += 1
                // Gone or replaced meanwhile: the watch tells.
                guard links <= 40, let target = try? Directory.open("/").readSymbolicLink(full) else { return found }
                if target.hasPrefix("/") { directory = "" }
                rest = target.split(separator: "/") + rest
            default: return found.union([one])
            }
        }
        return found
    }

    func concerns(_ event: InotifyEvent) -> Bool {
        guard let names = names[event.watch] else { return false }
        // Without a name it is about the directory itself.
        return event.name.isEmpty || names.contains(event.name)
    }

    func isWatching(_ watch: Int32) -> Bool { names[watch] != nil }

    /// Takes up what is watched now, and returns what no longer needs to be.
    mutating func watches(_ new: [Int32: Set<String>]) -> [Int32] {
        defer { names = new }
        return names.keys.filter { new[$0] == nil }
    }
}

extension Daemon {
    /// Watches the names, in place of those that `old` has watched.
    func watch(_ wanted: Set<WatchedNames.Name>, insteadOf old: WatchedNames) -> WatchedNames {
        var names: [Int32: Set<String>] = [:]
        for one in wanted {
            do throws(SystemError) {
                // A directory that is watched for something else keeps what it is watched for.
                let watch = try self.watch(
                    one.directory,
                    [
                        .closedAfterWriting, .movedTo, .movedFrom, .created, .deleted, .attributesChanged, .selfMoved, .selfDeleted,
                        .onlyDirectory, .addToMask,
                    ])
                names[watch, default: []].insert(one.name)
            } catch {
                // Gone since: the names are found out again.
                if error.isMissing { continue }
                if error.isOutOfWatches {
                    notWatched(error)
                } else {
                    log.write(.warning, "not-watched", at: now, ["file": "\(one.directory)/\(one.name)", "error": "\(error)"])
                }
            }
        }
        var new = old
        let left = new.watches(names)
        watchNoMore(left, besides: old)
        return new
    }

    /// Removes watches that nothing else has use for.
    private func watchNoMore(_ left: [Int32], besides old: WatchedNames) {
        for watch in left where !watches.ofSpool.contains(watch) && zoneWatches.names[watch] == nil {
            let others = [configurationFile?.watched, accounts.watched].compactMap(\.self).count { $0.isWatching(watch) }
            // One of them is the one that has watched it so far.
            if others > 1 { continue }
            try? watcher?.inotify.remove(watch)  // its directory is gone, and the watch with it: then nothing is left to remove
        }
    }
}
