import Scheduler
import Store

/// A part of the service with state of its own. Other parts reach that state through the part's methods only.
protocol ServicePart: AnyObject {
    associatedtype FS: FileSystem
    associatedtype W: World
    var service: Service<FS, W> { get }
}

extension ServicePart {
    var spool: Spool<FS> { service.spool }
    /// For reading only. Changes of the scheduler's state are events.
    var scheduler: Scheduler { service.scheduler }
    var log: Log { service.log }
    var world: W { service.world }
    var now: Instant { service.world.now }
    var monotonicNow: MonotonicInstant { service.world.monotonicNow }

    func handle(_ event: Event) { service.handle(event) }

    func logUnreadable(_ file: String, _ error: SystemError) {
        log.write(.error, "unreadable", at: now, ["file": file, "error": "\(error)"])
    }

    func persistently<Value>(_ body: () throws(SystemError) -> Value) throws(SystemError) -> Value {
        try service.health.persistently(body)
    }
}
