import Glibc
import Linux
import Scheduler

/// Decides whether jobs may start. None starts while the load or the free space of the machine is past its limit in the configuration, or
/// while root's daemon has ordered so.
final class StartGate: Part {
    /// The time from a refused start to the next check of the machine.
    private static let lookMilliseconds: Int64 = 5000

    /// The reason that kept jobs from starting in the last turn. Nil when nothing did.
    private var held: String?
    /// The reason why root's daemon lets this daemon start nothing. Nil when it may start jobs.
    private var heldByRoot: String?
    /// The reason why nothing starts any more, because the daemon ends. Nil while it serves.
    private var heldForEnd: String?
    /// The next time at which the machine is checked while jobs are held.
    private var lookAt = MonotonicInstant(nanoseconds: 0)
    private let path: String
    private let configuration: ConfigurationFile
    private let service: SpoolService
    private let log: Log

    init(path: String, _ configuration: ConfigurationFile, _ service: SpoolService, _ log: Log) {
        self.path = path
        self.configuration = configuration
        self.service = service
        self.log = log
    }

    /// The reason why nothing is started, for `state/status.json`.
    var reason: String? { heldForEnd ?? heldByRoot ?? held }

    var wakeAt: Wake { Wake(monotonic: held == nil ? nil : lookAt) }

    /// Sets the reason why root's daemon lets nothing start. Nil allows starts again.
    func holdForRoot(_ why: String?) {
        heldByRoot = why
        lookAt = min(lookAt, .now())
    }

    /// Sets the reason why nothing starts before the daemon ends. The service then starts nothing.
    func holdForEnd(_ why: String) { heldForEnd = why }

    /// Called when the scheduler has taken its turn. `obstacle` is the reason why a job that was ready did not start.
    func turnTaken(obstacle: String?) {
        if let why = obstacle {
            if held == nil {
                log.write(.warning, "held", at: service.now, ["why": why])
                service.isPublishDue = true
            }
            held = held ?? why
            lookAt = .now().advanced(byMilliseconds: Self.lookMilliseconds)
        } else if held != nil {
            held = nil
            service.isPublishDue = true
            log.write(.notice, "released", at: service.now)
        }
    }

    /// The reason why nothing may start now. Nil when starts are allowed.
    func obstacle() -> String? {
        if let heldByRoot { return heldByRoot }
        if let limit = configuration.inForce.maxLoad {
            var load = 0.0
            if getloadavg(&load, 1) == 1, load >= limit { return "the load average is \(load), and max_load is \(limit)" }
        }
        if let limit = configuration.inForce.minFreeBytes, let bytes = DiskSpace.freeBytes(atPath: path), bytes < UInt64(limit) {
            return "\(bytes) bytes are free, and min_free_space is \(limit)"
        }
        return nil
    }
}
