import Daemon
import Scheduler
import Store

/// Checks that `why` agrees with the scheduler, by the rules with which commands find the reasons without a daemon.
///
/// - After a turn that left nothing to do, every waiting job has a reason to wait.
/// - A job that begins has none.
struct HoldCheck {
    let scheduler: Scheduler
    let configuration: Configuration
    let now: Instant

    func whatWaitsIsHeld() throws(Violation) {
        for job in scheduler.jobs.values where job.state == .new && holds(on: job).isEmpty {
            throw Violation("\(job.id) waits, and nothing that why knows of holds it")
        }
    }

    func isFree(_ job: Job) throws(Violation) {
        // A pause may come between the decision to start and the start, when the disk refuses the job's move for a while.
        guard let hold = holds(on: job).first(where: { $0.kind != .pause }) else { return }
        throw Violation("\(job.id) begins, and why says that it waits: \(hold)")
    }

    private func holds(on job: Job) -> [Hold] {
        let jobs = scheduler.jobs.values
        var surroundings = WaitingSurroundings()
        surroundings.take(configuration)
        surroundings.pauses = scheduler.pauses.map { ($0.key, $0.value) }
        let running = jobs.filter { $0.state == .running && $0.id != job.id }
        surroundings.running = running.map { $0.status(host: "") }
        surroundings.waitsFor = job.waitsFor.map(\.text)
        surroundings.heldLocks = running.flatMap { other in
            job.definition.locks.filter(other.definition.locks.contains).map { ($0, other.id.text) }
        }
        let others = jobs.filter { $0.state == .new && $0.task == job.task && $0.attempt > 0 && $0.id != job.id }
        surroundings.betweenTries = job.attempt == 0 ? others.map(\.id.text) : []
        return surroundings.holds(on: job.status(host: ""), overlap: job.definition.overlap, now: now)
    }
}
