import Linux
import Scheduler
import Store

/// A user whose daemon has ended, or is about to, because it has nothing to do.
struct Rest {
    /// When something is due.
    let until: Instant
    /// The watches on the user's directories.
    let watches: [Int32]
    /// Something has come.
    var isOver = false
}

/// The users whose daemons rest. A user's daemon that has nothing to do ends, because processes of a user keep userdel(8) and usermod(8)
/// from their work. Root's daemon starts it again when something is put into the user's directories, and in time for what is due.
///
/// Invariants:
/// - Root's daemon watches the directories before the other one ends. So every change is seen by the one or the other.
/// - To users and spoolctl the user is served all the while: `state/status.json` says so, and names root's daemon as the one that serves.
final class UserRests: Part, FileWatcher {
    private static let restMillisecondsMax: Int64 = 2 * 86_400_000

    /// By the watches on their directories.
    private var resting: [Int32: UserDaemon] = [:]
    private let path: String
    private let files: FileWatches
    private let service: SpoolService

    init(path: String, _ files: FileWatches, _ service: SpoolService) {
        self.path = path
        self.files = files
        self.service = service
    }

    /// A user's daemon asks whether it may end until then. No answer means no.
    func grant(_ one: UserDaemon, until: Instant) {
        end(one)
        var watches: [Int32] = []
        do throws(SystemError) {
            for directory in UserPart.claimable + [Layout.patterns] {
                let own = "\(directory)/\(one.user.name)"
                if try service.spool.fs.directory().isMountPoint(own) { return unwatch(watches) }
                watches.append(
                    try files.watch(
                        "\(path)/\(own)",
                        [
                            .closedAfterWriting, .movedTo, .movedFrom, .created, .deleted, .attributesChanged, .selfMoved, .selfDeleted,
                            .onlyDirectory, .dontFollow,
                        ], for: self))
            }
            // A user's daemon removes old records, at least once a day.
            one.rest = Rest(until: min(until, service.now.advanced(byMilliseconds: Self.restMillisecondsMax)), watches: watches)
            for watch in watches { resting[watch] = one }
            one.send("rest")
        } catch {
            // A path that cannot be watched now needs a daemon that reads it, so that daemon continues.
            unwatch(watches)
        }
    }

    /// The user is served by a process again, or not at all.
    func end(_ one: UserDaemon) {
        for watch in one.rest?.watches ?? [] where resting.removeValue(forKey: watch) != nil { files.unwatch(watch, for: self) }
        one.rest = nil
    }

    private func unwatch(_ watches: [Int32]) { for watch in watches { files.unwatch(watch, for: self) } }

    // MARK: Waking

    func take(_ events: [InotifyEvent]) { for event in events { resting[event.watch]?.wake() } }

    func lookAnew() { wakeAll() }

    func wakeAll() { for one in Array(resting.values) { one.wake() } }

    func beforeTurn() {
        guard !resting.isEmpty else { return }
        let now = service.now
        for one in Array(resting.values) where one.rest.map({ $0.until <= now }) ?? false { one.wake() }
    }

    var wakeAt: Wake { Wake(wall: resting.values.lazy.compactMap { $0.rest.flatMap { $0.isOver ? nil : $0.until } }.min()) }
}
