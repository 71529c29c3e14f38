import Glibc
import Linux
import Scheduler
import Store

/// The file of the configuration: what was read of it, and what is watched for a change of it.
///
/// Every name is watched that decides what the path leads to: the file, each symbolic link on the way, and, while a directory is missing,
/// its name in the nearest one that is there. So a file that comes with its directory is read, and one behind a link that is swapped.
struct ConfigurationFile {
    let path: String
    /// When it is looked at again, which somebody was writing.
    var lookAt: Instant?
    /// When it was last read and accepted; nil: there was none, and the defaults are in force.
    private(set) var readAt: Instant?
    /// Why the last reading was refused. Empty: it was accepted.
    private(set) var problems: [String] = []
    private var bytes: [UInt8]?
    private var names: [Int32: Set<String>] = [:]

    init(path: String) { self.path = path }

    // MARK: What is read

    mutating func wasAccepted(_ bytes: [UInt8]?, at now: Instant) {
        self.bytes = bytes
        readAt = bytes == nil ? nil : now
        problems = []
    }

    mutating func wasRefused(_ problems: [String]) { self.problems = problems }

    /// The text in force is this one.
    func isInForce(_ bytes: [UInt8]?) -> Bool { problems.isEmpty && self.bytes == bytes }

    // MARK: What is watched

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
    private static let inForce = "the last configuration that was accepted, or the defaults"

    /// Reads the configuration. `isChanged` false: something else may have changed than its text.
    func loadConfiguration(isFirst: Bool, isChanged: Bool = true) {
        guard let path = configurationFile?.path else { return }
        var names: Set<ConfigurationFile.Name>
        var rounds = 0
        repeat {
            rounds += 1
            // Watched before it is read, so that no change falls between.
            names = ConfigurationFile.names(decidingOn: path)
            watch(names)
            readConfiguration(path, isFirst: isFirst, isChanged: isChanged)
            // Somebody who changes it all the time is waited for by the watches.
        } while rounds < 8 && ConfigurationFile.names(decidingOn: path) != names
    }

    private func readConfiguration(_ path: String, isFirst: Bool, isChanged: Bool) {
        configurationFile?.lookAt = nil
        var bytes: [UInt8]?
        do throws(SystemError) {
            let file = try FileDescriptor.open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK)
            // Half a file can be a valid one that means something else. At the start there is none to keep meanwhile.
            if !file.excludeWriters() {
                configurationFile?.lookAt = now.advanced(byMilliseconds: Service<DiskFileSystem, Daemon>.unreadyMilliseconds)
                if !isFirst { return }
            }
            bytes = try file.readAll(limit: Source.bytesMax)
        } catch {
            guard error.errno == ENOENT || error.errno == ENOTDIR else { return refuseConfiguration(["\(error)"], path) }
        }
        if !isChanged, configurationFile?.isInForce(bytes) ?? false { return }
        do throws(Problems) {
            let new = try bytes.map { bytes throws(Problems) in try Configuration(bytes, zones: zones, now: now) } ?? Configuration()
            let wasThere = configurationFile?.readAt != nil
            configurationFile?.wasAccepted(bytes, at: now)
            service.problems[path] = nil
            apply(new)
            guard !isFirst, bytes != nil || wasThere else { return }
            try? openForEverybody()  // the modes stay as they were, and the next start says why
            lookAtUsers()
            log.write(.notice, "configured", at: now, ["file": path])
        } catch {
            refuseConfiguration(error.all.map { "\(path):\($0)" }, path)
        }
    }

    private func refuseConfiguration(_ problems: [String], _ path: String) {
        configurationFile?.wasRefused(problems)
        service.report(problem: problems, of: path, inForce: Self.inForce)
        service.isPublishDue = true
        publishedAt = Instant(milliseconds: 0)
    }

    private func apply(_ new: Configuration) {
        configuration = new
        surroundings.defaultTimeoutMilliseconds = new.defaultTimeoutMilliseconds
        surroundings.outputLimitBytes = new.outputLimitBytes
        scheduler.zone = new.zone
        scheduler.mailCommand = new.mailCommand
        if link == nil { slotsChanged() }
        limitSlots()
        service.isPublishDue = true
        publishedAt = Instant(milliseconds: 0)
    }

    /// Watches the names, and no longer those that decided before.
    private func watch(_ wanted: Set<ConfigurationFile.Name>) {
        var names: [Int32: Set<String>] = [:]
        for one in wanted {
            do throws(SystemError) {
                // A directory that is watched for something else keeps what it is watched for.
                let watch = try self.watch(
                    one.directory,
                    [
                        .closedAfterWriting, .movedTo, .movedFrom, .created, .deleted, .attributesChanged, .selfMoved, .selfDeleted, .onlyDirectory,
                        .addToMask,
                    ])
                names[watch, default: []].insert(one.name)
            } catch {
                switch error.errno {
                // Gone since: the names are found out again.
                case ENOENT, ENOTDIR: break
                case ENOSPC, EMFILE, ENFILE, ENOMEM: notWatched(error)
                // SIGHUP has it read.
                default: log.write(.warning, "not-watched", at: now, ["file": "\(one.directory)/\(one.name)", "error": "\(error)"])
                }
            }
        }
        for old in configurationFile?.watches(names) ?? [] where !watches.ofSpool.contains(old) && zoneWatches.names[old] == nil {
            // Its directory is gone, and the watch with it: then nothing is left to remove.
            try? watcher?.inotify.remove(old)
        }
    }

    /// What is in force, for `state/status.json`.
    var publishedConfiguration: PublishedConfiguration {
        PublishedConfiguration(
            configuration, file: configurationFile?.path, readAt: configurationFile?.readAt, problems: configurationFile?.problems ?? [])
    }
}
