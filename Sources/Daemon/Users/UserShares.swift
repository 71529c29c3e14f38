import Linux
import Scheduler

/// Shares the slots among root's daemon and the daemons of users. For users whose daemon does not run, it counts the jobs itself.
final class UserShares: Part {
    private static let countMilliseconds: Int64 = 2000

    private var shares = FairShare(slots: 0)
    /// The time of the next count of the jobs of users without a daemon. Nil before the first count.
    private var countAt: MonotonicInstant?
    /// The number of slots in the configuration.
    private var slotCount = 0
    private let spool: String
    private let slots: SlotLimit
    private let service: SpoolService
    /// Sends a grant to a user's daemon. Returns false when that daemon does not run any more: others may then have the slots.
    var send: (FairShare.Grant) -> Bool = { _ in false }

    init(spool: String, _ slots: SlotLimit, _ service: SpoolService) {
        self.spool = spool
        self.slots = slots
        self.service = service
    }

    func limit(of user: String) -> Int { shares.limit(user) }

    /// True when root's daemon does not have all slots.
    var areDivided: Bool { shares.limit(FairShare.root) < slotCount || !shares.untold.isEmpty }

    var wakeAt: Wake { Wake(monotonic: shares.untold.isEmpty ? nil : countAt) }

    // MARK: Users

    func configure(_ configuration: Configuration) {
        slotCount = configuration.slots
        shares.slots = configuration.slots
        shares.userSlots = configuration.slotsOfOneUser
        countAtStart()
        guard shares.limit(FairShare.root) == 0 else { return }
        // Root's daemon has all slots until a user wants some.
        shares.add(FairShare.root)
        reportOwn(isShort: true)
        settle()
    }

    /// Called when the user's daemon has started. It reports its jobs from now on.
    func add(_ user: String) { shares.add(user) }

    /// Called when the user has no daemon any more. With `isCounted` counts the jobs that run on. Otherwise their number is not known yet.
    func leave(_ user: String, isCounted: Bool) {
        shares.leave(user, running: isCounted ? UserProcesses.workers(ofSpool: spool)[user] ?? 0 : .max)
    }

    /// Called when a user's daemon has sent a report.
    func report(_ user: String, running: Int, isShort: Bool, number: Int) {
        shares.report(user, running: running, isShort: isShort, number: number)
    }

    // MARK: Sharing

    /// Called after a turn. Divides the slots again if a daemon is short of slots.
    func settleAfterTurn() {
        reportOwn(isShort: slots.isShort)
        settle()
    }

    private func reportOwn(isShort: Bool) {
        shares.report(
            FairShare.root, running: service.scheduler.slotsUsed, isShort: isShort, number: shares.number(FairShare.root))
    }

    func settle() {
        var grants = shares.settle()
        while !grants.isEmpty {
            var isChanged = false
            for one in grants {
                if one.user == FairShare.root {
                    slots.grant(shares.limit(FairShare.root))
                    reportOwn(isShort: slots.isShort)
                    isChanged = true
                } else if !send(one) {
                    isChanged = true
                }
            }
            grants = isChanged ? shares.settle() : []
        }
    }

    // MARK: Counting

    /// Called before anything is granted. Counts the jobs that run on since the time of an earlier daemon of root.
    private func countAtStart() {
        guard countAt == nil else { return }
        UserProcesses.endDaemons(ofSpool: spool)
        countAt = .now()
        for (name, count) in UserProcesses.workers(ofSpool: spool) { shares.leave(name, running: count) }
    }

    /// Counts the jobs of users whose daemon does not run, when the next count is due.
    func afterTurn() {
        guard let due = countAt, due <= .now(), !shares.untold.isEmpty else { return }
        countAt = .now().advanced(byMilliseconds: Self.countMilliseconds)
        let workers = UserProcesses.workers(ofSpool: spool)
        for name in shares.untold { shares.recount(name, running: workers[name] ?? 0) }
    }
}
