import Glibc
import Linux
import Scheduler
import Store

// A user's daemon that has nothing to do ends: processes of a user keep userdel(8) and usermod(8) from their work. Root's daemon starts it
// again when something comes into the user's directories, and in time for what is due. What holds:
// - Root's daemon watches the directories before the other one ends. So whatever comes is seen by the one or the other.
// - To users and spoolctl the user is served all the while: `state/status.json` says so, with root's daemon as the one that does it.

/// Of a user's daemon: since when it has had nothing to do, and what it has asked root's.
struct IdleTime {
    /// How long there is nothing to do before it ends, and how long there must be nothing from then on.
    static let milliseconds: Int64 = 20_000
    static let restMillisecondsMin: Int64 = 60_000
    /// How long before something is due it is wanted back.
    static let earlyMilliseconds: Int64 = 2000

    /// In milliseconds of the monotonic clock.
    private var since: Int64?
    private(set) var isAsked = false
    /// Root's daemon watches from now on.
    var isGranted = false

    mutating func isBusy() { self = IdleTime() }

    /// True when it is time to ask, once.
    mutating func isOver(at now: Int64) -> Bool {
        let since = since ?? now
        self.since = since
        guard !isAsked, now - since >= Self.milliseconds else { return false }
        isAsked = true
        return true
    }

    func millisecondsUntilOver(at now: Int64) -> Int64? {
        isAsked ? nil : since.map { max(0, $0 + Self.milliseconds - now) }
    }
}

/// To root's daemon: a user whose daemon has ended, or is about to, because it has nothing to do.
struct Rest {
    /// When something is due.
    let until: Instant
    /// What is watched meanwhile.
    let watches: [Int32]
    /// Something has come.
    var isOver = false
}

// MARK: - A user's daemon

extension Daemon {
    private var hasNothingToDo: Bool {
        guard scheduler.jobs.isEmpty, workers.count == idleWorkers.count, adopted.isEmpty, programs.isIdle, paths.isIdle,
            check == nil, !service.hasWork, !service.hasUnplaced, !service.hasUnready, service.troubles.isEmpty, unwatchedLookAt == nil,
            spoolLookAt == nil, configurationFile?.lookAt == nil
        else { return false }
        return wantedBackAt.milliseconds - now.milliseconds >= IdleTime.restMillisecondsMin
    }

    private var wantedBackAt: Instant {
        service.nextWake.map { $0.advanced(byMilliseconds: -IdleTime.earlyMilliseconds) } ?? Instant(milliseconds: .max)
    }

    /// At the end of a turn.
    func restIfIdle() throws(SystemError) {
        guard link != nil else { return }
        // What came before root's daemon watched.
        if idleTime.isGranted { try takeFileEvents() }
        guard hasNothingToDo else {
            if idleTime.isAsked { link?.sayAnew() }
            return idleTime.isBusy()
        }
        if idleTime.isGranted {
            isResting = true
            isStopping = true
            return
        }
        if idleTime.isOver(at: Clock.monotonicMilliseconds()) { link?.askForRest(until: wantedBackAt) }
    }
}

// MARK: - Root's daemon

extension Daemon {
    private static let restMillisecondsMax: Int64 = 2 * 86_400_000

    /// A user's daemon asks whether it may end until then.
    func grantRest(_ one: UserDaemon, until: Instant) {
        endRest(one)
        do throws(SystemError) {
            var watches: [Int32] = []
            for directory in UserPart.claimable + [Layout.patterns] {
                let path = "\(directory)/\(one.user.name)"
                if try spool.fs.directory().isMountPoint(path) { return }
                watches.append(
                    try watch(
                        "\(options.spool)/\(path)",
                        [
                            .closedAfterWriting, .movedTo, .movedFrom, .created, .deleted, .attributesChanged, .selfMoved, .selfDeleted,
                            .onlyDirectory, .dontFollow,
                        ]))
            }
            // Each day at least it looks at its records.
            one.rest = Rest(until: min(until, now.advanced(byMilliseconds: Self.restMillisecondsMax)), watches: watches)
            for watch in watches { restingUsers[watch] = one.user.name }
            one.send("rest")
        } catch {
            // What cannot be watched now needs somebody who looks: it goes on.
        }
    }

    /// Something of a user's has come, or may have. The user's daemon is started again when the one that rests has ended.
    func wake(_ one: UserDaemon) {
        guard one.rest != nil else { return }
        one.rest?.isOver = true
        if !one.isRunning { one.startNow() }
    }

    func wakeAll() { for one in users.values { wake(one) } }

    func wakeDue() {
        for one in users.values { if let rest = one.rest, rest.until <= now { wake(one) } }
    }

    var nextRestEnd: Instant? { users.values.lazy.compactMap { $0.rest.flatMap { $0.isOver ? nil : $0.until } }.min() }

    /// The user is served by a process, or not at all.
    func endRest(_ one: UserDaemon) {
        for watch in one.rest?.watches ?? [] where restingUsers.removeValue(forKey: watch) != nil {
            try? watcher?.inotify.remove(watch)  // its directory is gone, and the watch with it: then nothing is left to remove
        }
        one.rest = nil
    }
}
