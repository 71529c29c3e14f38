import Scheduler

/// The number of slots that the scheduler may fill: the least of three limits. The first is in the configuration. The second is this
/// daemon's share, when several daemons share the slots of a machine. The third holds while the machine refuses to start more processes.
/// Every change is an event for the scheduler.
final class SlotLimit {
    private var configured = SchedulerLimits(Configuration())
    /// This daemon's share of the slots. Nil when the slots are not shared.
    private(set) var granted: Int?
    /// The number of jobs that the machine lets run. Nil when it starts all processes that are requested.
    private var startable: Int?
    private let service: SpoolService

    /// With `isShared` the daemon has no slots until ``grant(_:)`` gives it some.
    init(isShared: Bool, _ service: SpoolService) {
        granted = isShared ? 0 : nil
        self.service = service
    }

    /// True when the daemon would use more slots if it had them.
    var isShort: Bool { service.scheduler.isShortOfSlots && startable == nil }

    func configure(_ configuration: Configuration) {
        configured = SchedulerLimits(configuration)
        apply()
    }

    func grant(_ slots: Int) {
        granted = slots
        apply()
    }

    /// Sets the number of jobs that the machine lets run, or removes that limit.
    func limitStarts(to count: Int?) {
        startable = count
        apply()
    }

    private func apply() {
        let slots = min(configured.slots, granted ?? .max, startable ?? .max)
        service.isPublishDue = true
        var limits = configured
        limits.slots = slots
        limits.startable = startable ?? .max
        service.submit(.limits(limits))
    }
}
