import Daemon
import Scheduler
import Store

/// Checks that `why` agrees with the scheduler: after a turn that left nothing to do, every waiting job has a reason to wait, by the rules
/// with which commands find it without a daemon.
struct HoldCheck {
    let scheduler: Scheduler
    let configuration: Configuration
    let now: Instant

    func perform() throws(Violation) {
        let jobs = scheduler.jobs.values
        var surroundings = WaitingSurroundings()
        surroundings.slots = configuration.slots
        surroundings.queueSlots = configuration.queueSlots
        surroundings.pauses = scheduler.pauses.map { ($0.key, $0.value) }
        let running = jobs.filter { $0.state == .running }
        surroundings.running = running.map { $0.status(host: "") }
        for job in jobs where job.state == .new {
            surroundings.waitsFor = job.waitsFor.map(\.text)
            surroundings.heldLocks = running.flatMap { other in
                job.definition.locks.filter(other.definition.locks.contains).map { ($0, other.id.text) }
            }
            let others = jobs.filter { $0.state == .new && $0.task == job.task && $0.attempt > 0 && $0.id != job.id }
            surroundings.betweenTries = job.attempt == 0 ? others.map(\.id.text) : []
            if surroundings.holds(on: job.status(host: ""), overlap: job.definition.overlap, now: now).isEmpty {
                throw Violation("\(job.id) waits, and nothing that why knows of holds it")
            }
        }
    }
}
