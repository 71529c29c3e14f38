import Glibc
import Linux
import Scheduler
import Store

extension Daemon {
    func takeFileEvents() throws(SystemError) {
        guard let watcher else { return }
        var events: [InotifyEvent] = []
        if try watcher.inotify.readEvents(into: &events) {
            try service.rescan()
            lookAtUsers()
            wakeAll()
            reloadZones()
            loadConfiguration(isFirst: false, isChanged: false)
            isSpoolSuspect = true
            return
        }
        // What stands at the spool's paths may be others now than those that are watched.
        if events.contains(where: isOfPlace) {
            // A spool that was moved as a whole is watched where it went.
            if isAtPath { try watchAnew() }
            wakeAll()
            isSpoolSuspect = true
            isLookDue = true
        }
        var zonesChanged = false
        var configurationLook: (isDue: Bool, isChanged: Bool) = (false, false)
        var isOfAccounts = false
        for event in events {
            if zoneWatches.contains(event) { zonesChanged = true }
            if accounts.watched.concerns(event) { isOfAccounts = true }
            if configurationFile?.watched.concerns(event) ?? false {
                configurationLook.isDue = true
                if !event.mask.isDisjoint(with: [.closedAfterWriting, .movedTo]) { configurationLook.isChanged = true }
            }
            if let name = restingUsers[event.watch], let one = users[name] { wake(one) }
            if isForEverybody, let shared = watches.shared(event.watch), !event.name.isEmpty {
                // What takes the place of a served user's directory is no directory, perhaps.
                if event.mask.contains(.isDirectory) || users[event.name] != nil { lookAtUser(event.name) } else if event.watch != watches.new { lookAtStranger(event.name, in: shared) }
            }
            // Of the directory itself.
            if event.mask.contains(.attributesChanged), event.name.isEmpty { continue }
            switch event.watch {
            case watches.new:
                let isComing: InotifyMask = [.created, .movedTo, .closedAfterWriting, .attributesChanged]
                // A file whose mode or owner changed need not be written yet.
                service.noticed(
                    event.name, isGone: event.mask.isDisjoint(with: isComing),
                    isCreated: !event.mask.isDisjoint(with: [.created, .attributesChanged]), isMovedIn: event.mask.contains(.movedTo))
            case watches.tasks:
                if !Name.isUnfinished(event.name) { service.noticed(task: Spool<DiskFileSystem>.stem(of: event.name)) }
            case watches.schedules:
                if !Name.isUnfinished(event.name) { service.noticed(schedule: Spool<DiskFileSystem>.stem(of: event.name)) }
            case watches.patterns: service.submit(.programChanged(event.name))
            case watches.control: service.noticed(control: event.name)
            case watches.journal: if event.name == spool.journal.segment { isSpoolSuspect = true }
            default: break
            }
        }
        if zonesChanged { reloadZones() }
        if configurationLook.isDue { loadConfiguration(isFirst: false, isChanged: configurationLook.isChanged) }
        if isOfAccounts { accountsChanged() }
    }

    /// Whether an event tells that a directory of the spool is gone, or another one.
    private func isOfPlace(_ event: InotifyEvent) -> Bool {
        if event.watch == watches.spool { return event.name.isEmpty || Layout.directories.contains(event.name) }
        return watches.ofSpool.contains(event.watch) && !event.mask.isDisjoint(with: [.selfMoved, .selfDeleted, .unmounted, .ignored])
    }
}
