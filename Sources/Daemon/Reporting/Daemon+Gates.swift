import Glibc
import Linux
import Scheduler

// Whether the machine may be loaded further.

extension Daemon {
    /// How long after a look at the machine that did not allow a start the next one is due.
    private static let gateMilliseconds: Int64 = 5000

    package func obstacle() -> String? {
        if let heldByRoot { return heldByRoot }
        if let limit = configuration.maxLoad {
            var load = 0.0
            if getloadavg(&load, 1) == 1, load >= limit { return "the load average is \(load), and max_load is \(limit)" }
        }
        if let limit = configuration.minFreeBytes {
            var space = statvfs()
            if statvfs(options.spool, &space) == 0 {
                let (bytes, isHuge) = UInt64(space.f_bavail).multipliedReportingOverflow(by: UInt64(space.f_frsize))
                if !isHuge, bytes < UInt64(limit) { return "\(bytes) bytes are free, and min_free_space is \(limit)" }
            }
        }
        return nil
    }

    /// Says when the machine is not to be loaded further, and when it may be again.
    package func decided(_ turn: Turn, obstacle why: String?) {
        startsWereTried(by: turn)
        if let why {
            if held == nil {
                log.write(.warning, "held", at: now, ["why": why])
                service.isPublishDue = true
            }
            held = held ?? why
            gateLookAt = now.advanced(byMilliseconds: Self.gateMilliseconds)
        } else if held != nil {
            held = nil
            service.isPublishDue = true
            log.write(.notice, "released", at: now)
        }
    }
}
