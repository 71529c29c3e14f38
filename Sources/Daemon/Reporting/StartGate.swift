import Glibc
import Linux
import Scheduler

/// Lets jobs start, unless the machine is loaded as far as the configuration allows, or root's daemon holds this one.
final class StartGate: Part {
    /// The time from a refused start to the next check of the machine.
    private static let lookMilliseconds: Int64 = 5000

    /// The reason why nothing was started in the last turn that had a job to start.
    private var held: String?
    /// The reason why root's daemon lets this daemon start nothing.
    private var heldByRoot: String?
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
    var reason: String? { heldByRoot ?? held }

    var wakeAt: Wake { Wake(monotonic: held == nil ? nil : lookAt) }

    /// Sets the reason why root's daemon lets nothing start. Nil allows starts again.
    func holdForRoot(_ why: String?) {
        heldByRoot = why
        lookAt = min(lookAt, .now())
    }

    /// The scheduler has taken its turn. `obstacle`: why it could start nothing.
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
        if let limit = configuration.inForce.minFreeBytes {
            var space = statvfs()
            if statvfs(path, &space) == 0 {
                let (bytes, isHuge) = UInt64(space.f_bavail).multipliedReportingOverflow(by: UInt64(space.f_frsize))
                if !isHuge, bytes < UInt64(limit) { return "\(bytes) bytes are free, and min_free_space is \(limit)" }
            }
        }
        return nil
    }
}
