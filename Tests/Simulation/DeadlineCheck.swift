import Daemon

/// The service repeats its own failed actions within a minute, however the wall clock is set meanwhile.
struct DeadlineCheck {
    /// The longest of the service's own waits.
    private static let waitMillisecondsMax: Int64 = 60_000

    private let world: SimulatedWorld

    init(_ world: SimulatedWorld) { self.world = world }

    func perform() throws(Violation) {
        guard let service = world.service else { return }
        let left = service.wakeAt.monotonic?.millisecondsLeft(at: world.monotonicNow)
        if left == nil, service.hasUnplaced || service.hasUnready {
            throw Violation("something is to be tried again, and nothing says when")
        }
        if let left, left > Self.waitMillisecondsMax { throw Violation("the service tries again only in \(left) ms") }
    }
}
