import Glibc
import Linux

/// The names that decide to which files some paths lead, and the watches on these names.
///
/// For each path these are the name of the file and of each symbolic link on the way. While a directory is missing, its name in the nearest
/// existing directory is watched instead. So a change is noticed even if a file is created together with its directory, or a link is
/// replaced.
package struct WatchedNames: Equatable {
    /// The names, by the watch on their directory.
    private var names: [Int32: Set<String>] = [:]

    /// A name, and the directory in which it exists or is missing. The directory's path has no links in it.
    package struct Name: Hashable, Comparable {
        var directory: String
        var name: String

        package static func < (one: Name, other: Name) -> Bool { (one.directory, one.name) < (other.directory, other.name) }
    }

    /// The way of a path, as far as it exists.
    struct Way {
        /// The names that decide to which file the path leads now, unless one of `directories` is replaced.
        var names: Set<Name> = []
        /// The directories through which it leads, by their names in the directories above them. None of them is a link.
        var directories: Set<Name> = []
        /// The reason why the way ends before the file. Nil when it does not.
        var error: SystemError?

        fileprivate func ending(at name: Name, _ error: SystemError?) -> Way {
            var way = self
            way.names.insert(name)
            way.error = error
            return way
        }
    }

    /// The names that decide to which file a path leads now.
    static func names(decidingOn path: String) -> Set<Name> { way(of: path).names }

    static func way(of path: String) -> Way {
        var way = Way()
        var directory = ""
        var rest = path.split(separator: "/")[...]
        // Linux follows 40 links at most.
        var links = 0
        while let part = rest.popFirst() {
            if part == "." { continue }
            if part == ".." {
                directory = String(directory[..<(directory.lastIndex(of: "/") ?? directory.startIndex)])
                continue
            }
            let one = Name(directory: directory.isEmpty ? "/" : directory, name: String(part))
            let full = "\(directory)/\(part)"
            let status: FileStatus
            do throws(SystemError) { status = try FileStatus.read(full) } catch {
                // Its creation is an event.
                return way.ending(at: one, error)
            }
            switch status.kind {
            case .directory where !rest.isEmpty:
                way.directories.insert(one)
                directory = full
            case .symbolicLink:
                way.names.insert(one)
                links += 1
                if links > 40 { return way.ending(at: one, SystemError(call: "open", path: path, errno: ELOOP)) }
                let target: String
                do throws(SystemError) { target = try Directory.open("/").readSymbolicLink(full) } catch {
                    // An event follows.
                    return way.ending(at: one, error)
                }
                if target.hasPrefix("/") { directory = "" }
                rest = target.split(separator: "/") + rest
            default:
                return way.ending(at: one, rest.isEmpty ? nil : SystemError(call: "open", path: path, errno: ENOTDIR))
            }
        }
        return way
    }

    /// True when the event concerns one of the names.
    func concerns(_ event: InotifyEvent) -> Bool {
        guard let names = names[event.watch] else { return false }
        // An event without a name is about the directory itself.
        return event.name.isEmpty || names.contains(event.name)
    }

    /// Watches these names instead of the present ones. Calls `failed` for each name that cannot be watched.
    mutating func replace(
        by wanted: Set<Name>, in files: FileWatches, for part: any FileWatcher, _ failed: (Name, SystemError) -> Void
    ) {
        var new: [Int32: Set<String>] = [:]
        for one in wanted {
            do throws(SystemError) {
                let watch = try files.watch(one.directory, .directoryChanges, for: part)
                new[watch, default: []].insert(one.name)
            } catch {
                // Removed since: the caller finds the names again.
                if error.isMissing || files.isForLater(error) { continue }
                failed(one, error)
            }
        }
        for watch in names.keys where new[watch] == nil { files.unwatch(watch, for: part) }
        names = new
    }
}
