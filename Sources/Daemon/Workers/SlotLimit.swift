import Scheduler

/// How many slots the scheduler may fill: the least of what the configuration has, what this daemon was granted where several share a
/// machine's slots, and what the machine lets start. Every change is an event for the scheduler.
final class SlotLimit {
    private var configured = SchedulerLimits(slots: Configuration().slots, queueSlots: [:])
    /// What this daemon may use of the slots that are shared; nil where none are.
    private(set) var granted: Int?
    /// How many jobs the machine lets run, while it refuses to start more.
    private var startable: Int?
    private let service: SpoolService

    /// `isShared`: nothing is granted at first.
    init(isShared: Bool, _ service: SpoolService) {
        granted = isShared ? 0 : nil
        self.service = service
    }

    /// More slots would be used if they were granted. While the machine refuses to start jobs, they would not.
    var isShort: Bool { service.scheduler.isShortOfSlots && startable == nil }

    func configure(_ configuration: Configuration) {
        configured = SchedulerLimits(slots: configuration.slots, queueSlots: configuration.queueSlots)
        apply()
    }

    func grant(_ slots: Int) {
        granted = slots
        apply()
    }

    /// Nil when the machine starts all processes that are requested.
    func limitStarts(to count: Int?) {
        startable = count
        apply()
    }

    private func apply() {
        let slots = min(configured.slots, granted ?? .max, startable ?? .max)
        service.isPublishDue = true
        service.submit(.limits(SchedulerLimits(slots: slots, queueSlots: configured.queueSlots)))
    }
}
