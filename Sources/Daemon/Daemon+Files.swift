import Glibc
import Linux
import Scheduler
import Store

/// Which inotify watch stands for which directory.
struct Watches {
    var new: Int32 = -1
    var tasks: Int32 = -1
    var schedules: Int32 = -1
    var control: Int32 = -1
    var patterns: Int32 = -1
    var configuration: Int32 = -1

    /// The directory that a watch is on, if it is one where users may have theirs.
    func shared(_ watch: Int32) -> String? {
        switch watch {
        case new: Layout.new
        case tasks: Layout.tasks
        case schedules: Layout.schedules
        case control: Layout.control
        default: nil
        }
    }
}

extension Daemon {
    func watchSpool() throws(SystemError) {
        var comings: InotifyMask = [.closedAfterWriting, .movedTo, .movedFrom, .created, .deleted, .onlyDirectory]
        // A user's directory may also become one that can be used by chmod(1) or chown(1).
        if isForEverybody { comings.insert(.attributesChanged) }
        watches.new = try inotify.add("\(options.spool)/\(Layout.new)", comings)
        watches.tasks = try inotify.add("\(options.spool)/\(Layout.tasks)", comings)
        watches.schedules = try inotify.add("\(options.spool)/\(Layout.schedules)", comings)
        watches.control = try inotify.add("\(options.spool)/\(Layout.control)", comings)
        // A program may also become one by chmod(1).
        watches.patterns = try inotify.add("\(options.spool)/\(Layout.patterns)", comings.union(.attributesChanged))
        if let path = options.configuration, let slash = path.lastIndex(of: "/") {
            do throws(SystemError) {
                watches.configuration = try inotify.add(
                    String(path[..<slash]), [.closedAfterWriting, .movedTo, .movedFrom, .deleted, .onlyDirectory])
            } catch {
                // No such directory: there is nothing to re-read until SIGHUP says otherwise.
                guard error.errno == ENOENT || error.errno == EACCES else { throw error }
            }
        }
    }

    func takeFileEvents() throws(SystemError) {
        var events: [InotifyEvent] = []
        if try inotify.readEvents(into: &events) {
            try service.rescan()
            lookAtUsers()
            reloadZones()
            return
        }
        var stems = Set<String>()
        var scheduleStems = Set<String>()
        var programs = Set<String>()
        var zonesChanged = false
        for event in events {
            if zoneWatches.contains(event) { zonesChanged = true }
            if isForEverybody, let shared = watches.shared(event.watch), !event.name.isEmpty {
                if event.mask.contains(.isDirectory) { try lookAtUser(event.name) } else { try sayForeign("\(shared)/\(event.name)", in: shared) }
            }
            if event.mask.contains(.attributesChanged), event.watch != watches.patterns { continue }
            switch event.watch {
            case watches.new:
                let isComing: InotifyMask = [.created, .movedTo, .closedAfterWriting]
                service.noticed(
                    event.name, isGone: event.mask.isDisjoint(with: isComing), isCreated: event.mask.contains(.created),
                    isMovedIn: event.mask.contains(.movedTo))
            case watches.tasks:
                if !Name.isUnfinished(event.name) { stems.insert(Spool<DiskFileSystem>.stem(of: event.name)) }
            case watches.schedules:
                if !Name.isUnfinished(event.name) { scheduleStems.insert(Spool<DiskFileSystem>.stem(of: event.name)) }
            case watches.patterns: programs.insert(event.name)
            case watches.control: service.takeControl(event.name)
            case watches.configuration:
                if let path = options.configuration, path.hasSuffix("/\(event.name)") { loadConfiguration(isFirst: false) }
            default: break
            }
        }
        if zonesChanged { reloadZones() }
        for name in programs { scheduler.handle(.programChanged(name), at: now) }
        for stem in stems.sorted() { service.loadTask(stem) }
        for stem in scheduleStems.sorted() { service.loadSchedule(stem) }
        service.warnOfMissingTasks(changed: stems)
    }

    // MARK: Configuration

    private static let configurationInForce = "the last configuration that was accepted, or the defaults"

    func loadConfiguration(isFirst: Bool) {
        guard let path = options.configuration else { return }
        configurationLookAt = nil
        let bytes: [UInt8]
        do throws(SystemError) {
            let file = try FileDescriptor.open(path, O_RDONLY)
            // Half a file can be a valid one that means something else. At the start there is none to keep meanwhile.
            if !file.excludeWriters() {
                configurationLookAt = now.advanced(byMilliseconds: Service<DiskFileSystem, Daemon>.unreadyMilliseconds)
                if !isFirst { return }
            }
            bytes = try file.readAll(limit: Source.bytesMax)
        } catch {
            if error.errno == ENOENT {
                service.problems[path] = nil
                apply(Configuration())
            } else {
                service.report(problem: ["\(error)"], of: path, inForce: Self.configurationInForce)
            }
            return
        }
        do throws(Problems) {
            apply(try Configuration(bytes, zones: zones, now: now))
            service.problems[path] = nil
            if !isFirst {
                try? openForEverybody()  // the modes stay as they were, and the next start says why
                lookAtUsers()
                log.write(.notice, "configured", at: now, ["file": path])
            }
        } catch {
            service.report(problem: error.all.map { "\(path):\($0)" }, of: path, inForce: Self.configurationInForce)
        }
    }

    private func apply(_ new: Configuration) {
        configuration = new
        surroundings.defaultTimeoutMilliseconds = new.defaultTimeoutMilliseconds
        surroundings.outputLimitBytes = new.outputLimitBytes
        scheduler.zone = new.zone
        scheduler.mailCommand = new.mailCommand
        if let link { grant(link.slots) } else { slotsChanged() }
        service.isPublishDue = true
    }
}
