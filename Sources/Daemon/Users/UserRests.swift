import Linux
import Scheduler
import Store

/// The rest of a user's daemon that has ended, or is about to end, because it has nothing to do.
struct Rest {
    /// The time at which the daemon is started again.
    let until: Instant
    /// The watches on the user's directories.
    let watches: [Int32]
    /// True when something may have arrived and the daemon is to be started again.
    var isOver = false
}

/// The users whose daemons rest. A user's daemon ends when it has nothing to do, because userdel(8) and usermod(8) refuse to work while a
/// user has processes. Root's daemon starts it again when something is put into the user's directories, and before something is due.
///
/// Invariants:
/// - Root's daemon watches the directories before the user's daemon ends. So one of the two notices every change.
/// - Daemons that are wanted at the same time are started one after another before it: each takes some time of the machine's to start.
/// - The user counts as served all the time: the user's `state/status.json` has the state `resting` and the number of root's daemon.
final class UserRests: Part, FileWatcher {
    private static let restMillisecondsMax: Int64 = 2 * 86_400_000
    /// The time between the starts of two daemons that are wanted at the same time. A daemon's start takes half of it on a slow machine.
    static let spacingMilliseconds: Int64 = 25

    /// The daemons that rest, by the watches on their user's directories.
    private var resting: [Int32: UserDaemon] = [:] { didSet { starts = nil } }
    /// The resting daemons with the times at which they are started, the first one last. Nil when it must be found anew.
    private var starts: [(at: Instant, one: UserDaemon)]?
    private let path: String
    private let files: FileWatches
    private let service: SpoolService

    init(path: String, _ files: FileWatches, _ service: SpoolService) {
        self.path = path
        self.files = files
        self.service = service
    }

    /// Answers a user's daemon that asks whether it may end until `until`. When it may not, there is no answer.
    func grant(_ one: UserDaemon, until: Instant) {
        end(one)
        var watches: [Int32] = []
        do throws(SystemError) {
            for directory in UserPart.claimable + [Layout.patterns] {
                let own = "\(directory)/\(one.user.name)"
                if try service.spool.fs.directory().isMountPoint(own) { return unwatch(watches) }
                watches.append(try files.watch("\(path)/\(own)", .directoryChanges.union(.dontFollow), for: self))
            }
            // The daemon must run from time to time to remove old records.
            one.rest = Rest(until: min(until, service.now.advanced(byMilliseconds: Self.restMillisecondsMax)), watches: watches)
            for watch in watches { resting[watch] = one }
            one.send("rest")
        } catch {
            // A directory cannot be watched now. So the daemon that reads the directory has to run on.
            unwatch(watches)
        }
    }

    /// Ends a rest: the user's daemon runs again, or the user is not served any more.
    func end(_ one: UserDaemon) {
        for watch in one.rest?.watches ?? [] where resting.removeValue(forKey: watch) != nil { files.unwatch(watch, for: self) }
        one.rest = nil
    }

    private func unwatch(_ watches: [Int32]) { for watch in watches { files.unwatch(watch, for: self) } }

    // MARK: Waking

    func take(_ events: [InotifyEvent]) { for event in events { resting[event.watch]?.wake() } }

    func lookAnew() { wakeAll() }

    func mountsChanged() {}

    func wakeAll() { for one in Array(resting.values) { one.wake() } }

    func beforeTurn() {
        guard !resting.isEmpty else { return }
        let now = service.now
        findStarts()
        while let last = starts?.last, last.at <= now {
            starts?.removeLast()
            last.one.wake()
        }
    }

    var wakeAt: Wake {
        findStarts()
        return Wake(wall: starts?.last { $0.one.rest?.isOver == false }?.at)
    }

    /// The latest times, from the latest to the first, at which daemons can be started one after another that are wanted at these times.
    static func starts(for wanted: [Instant]) -> [Instant] {
        var starts: [Instant] = []
        for at in wanted {
            starts.append(starts.last.map { min(at, $0.advanced(byMilliseconds: -spacingMilliseconds)) } ?? at)
        }
        return starts
    }

    /// Finds the times of the starts, from the latest to the first.
    private func findStarts() {
        guard starts == nil else { return }
        var found: [(at: Instant, one: UserDaemon)] = []
        var known: Set<ObjectIdentifier> = []
        for one in resting.values where known.insert(ObjectIdentifier(one)).inserted {
            if let rest = one.rest, !rest.isOver { found.append((rest.until, one)) }
        }
        found.sort { ($1.at, $1.one.number) < ($0.at, $0.one.number) }
        for (index, at) in Self.starts(for: found.map(\.at)).enumerated() { found[index].at = at }
        starts = found
    }
}
