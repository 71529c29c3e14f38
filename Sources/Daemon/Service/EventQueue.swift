import Scheduler

/// Events that the scheduler has not been given yet, in order.
struct EventQueue {
    private var events: [Event] = []
    /// The running jobs whose end is among the events.
    private(set) var ending: Set<JobID> = []

    var isEmpty: Bool { events.isEmpty }

    mutating func add(_ event: Event) {
        if case .ended(let id, _, _) = event { ending.insert(id) }
        events.append(event)
    }

    mutating func takeAll() -> [Event] {
        defer { self = EventQueue() }
        return events
    }
}
