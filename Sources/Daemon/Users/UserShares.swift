import Linux
import Scheduler

/// Shares the slots among root's daemon and the daemons of users, and counts the jobs of users of whom no daemon reports.
final class UserShares: Part {
    private static let countMilliseconds: Int64 = 2000

    private var shares = FairShare(slots: 0)
    /// The time at which the jobs of users without a daemon are counted again. Nil when they were never counted.
    private var countAt: MonotonicInstant?
    /// The configured slots.
    private var slotCount = 0
    private let spool: String
    private let slots: SlotLimit
    private let service: SpoolService
    /// Sends a grant to a user's daemon. False when the user has none any more, so that others may have the slots.
    var send: (FairShare.Grant) -> Bool = { _ in false }

    init(spool: String, _ slots: SlotLimit, _ service: SpoolService) {
        self.spool = spool
        self.slots = slots
        self.service = service
    }

    func limit(of user: String) -> Int { shares.limit(user) }

    /// Some slots are not root's alone.
    var areDivided: Bool { shares.limit(FairShare.root) < slotCount || !shares.untold.isEmpty }

    var wakeAt: Wake { Wake(monotonic: shares.untold.isEmpty ? nil : countAt) }

    // MARK: Users

    func configure(_ configuration: Configuration) {
        slotCount = configuration.slots
        shares.slots = configuration.slots
        shares.userSlots = configuration.slotsOfOneUser
        countAtStart()
        guard shares.limit(FairShare.root) == 0 else { return }
        // All slots are root's, until somebody else wants some.
        shares.add(FairShare.root)
        reportOwn(isShort: true)
        settle()
    }

    /// The user has a daemon, which reports from now on.
    func add(_ user: String) { shares.add(user) }

    /// The user has no daemon any more. Unless `isCounted`, the number of its jobs that continue is unknown.
    func leave(_ user: String, isCounted: Bool) {
        shares.leave(user, running: isCounted ? UserProcesses.workers(ofSpool: spool)[user] ?? 0 : .max)
    }

    /// A user's daemon reports.
    func report(_ user: String, running: Int, isShort: Bool, number: Int) {
        shares.report(user, running: running, isShort: isShort, number: number)
    }

    // MARK: Sharing

    /// After a turn: divides the slots anew if somebody is short of some.
    func settleAfterTurn() {
        reportOwn(isShort: slots.isShort)
        settle()
    }

    private func reportOwn(isShort: Bool) {
        shares.report(
            FairShare.root, running: service.scheduler.runningCount, isShort: isShort, number: shares.number(FairShare.root))
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

    /// Before anything is granted: jobs that the users' daemons of an earlier daemon of root's have started go on, and count.
    private func countAtStart() {
        guard countAt == nil else { return }
        UserProcesses.endDaemons(ofSpool: spool)
        countAt = .now()
        for (name, count) in UserProcesses.workers(ofSpool: spool) { shares.leave(name, running: count) }
    }

    /// Counts the jobs of users of whom no daemon reports.
    func afterTurn() {
        guard let due = countAt, due <= .now(), !shares.untold.isEmpty else { return }
        countAt = .now().advanced(byMilliseconds: Self.countMilliseconds)
        let workers = UserProcesses.workers(ofSpool: spool)
        for name in shares.untold { shares.recount(name, running: workers[name] ?? 0) }
    }
}
