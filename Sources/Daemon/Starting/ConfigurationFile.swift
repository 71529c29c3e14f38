import Glibc
import Linux
import Scheduler
import Store

/// The file of the configuration: what was read of it, and what is watched for a change of it.
struct ConfigurationFile {
    let path: String
    /// When it is looked at again, which somebody was writing.
    var lookAt: Instant?
    /// When it was last read and accepted; nil: there was none, and the defaults are in force.
    private(set) var readAt: Instant?
    /// Why the last reading was refused. Empty: it was accepted.
    private(set) var problems: [String] = []
    private var bytes: [UInt8]?
    var watched = WatchedNames()

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
}

extension Daemon {
    private static let inForce = "the last configuration that was accepted, or the defaults"

    /// Reads the configuration. `isChanged` false: something else may have changed than its text.
    func loadConfiguration(isFirst: Bool, isChanged: Bool = true) {
        guard let path = configurationFile?.path else { return }
        var names: Set<WatchedNames.Name>
        var rounds = 0
        repeat {
            rounds += 1
            // Watched before it is read, so that no change falls between.
            names = WatchedNames.names(decidingOn: path)
            let watched = watch(names, insteadOf: configurationFile?.watched ?? WatchedNames())
            configurationFile?.watched = watched
            readConfiguration(path, isFirst: isFirst, isChanged: isChanged)
            // Somebody who changes it all the time is waited for by the watches.
        } while rounds < 8 && WatchedNames.names(decidingOn: path) != names
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
            wakeAll()
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

    /// The configuration in force, as `state/status.json` publishes it.
    var publishedConfiguration: PublishedConfiguration {
        PublishedConfiguration(
            configuration, file: configurationFile?.path, readAt: configurationFile?.readAt, problems: configurationFile?.problems ?? [])
    }
}
