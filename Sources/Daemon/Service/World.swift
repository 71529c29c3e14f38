import Scheduler
import Store
import WorkerProtocol

/// What the service has of the world besides its disk: the clock, the workers, the programs of patterns. The daemon is the
/// real one; the simulator's can stop at any moment.
package protocol World: AnyObject {
    /// What the wall clock shows.
    var now: Instant { get }

    /// The configuration in force.
    var configuration: Configuration { get }

    /// Looks at what only the world can see, and submits what it finds. Called in each turn, before the scheduler decides.
    ///
    /// - Parameter isFirst: the daemon has just started: what is found has been missed.
    func gather(isFirst: Bool) throws(SystemError)

    /// Why no job may be started now; nil when nothing stands against it. Asked only when there is a job to start.
    func obstacle() -> String?

    /// The scheduler has decided, and nothing of it is carried out yet.
    ///
    /// - Parameter obstacle: what kept it from starting jobs.
    func decided(_ turn: Turn, obstacle: String?)

    /// Gives a job, which is journaled and in its place, to a worker. If that fails, the world submits the end of the try.
    func start(_ job: Job)

    /// Asks the worker of a running job, of this daemon or an earlier one, to end it.
    func stop(_ job: Job, _ how: Turn.Stop)

    /// Takes away the cgroup of a try that has ended or never began. Returns what the kernel did to it for its limits, for a person.
    func leaveGroup(of job: Job) -> String?

    /// Asks the program of a pattern for the next due time.
    func ask(_ question: Question)

    /// The worker record files, in `state/workers/`, of this daemon's own workers: those that it need not look for.
    func isOwn(record: String) -> Bool

    /// Whether the worker of an earlier daemon that has this record file still lives.
    func isAlive(record: String) throws(SystemError) -> Bool

    /// Watches a worker of an earlier daemon until it ends and `Service.workerIsGone` is called. False when it has just ended.
    func adopt(_ job: Job, _ run: WorkerRecord.Running, record: String) throws(SystemError) -> Bool

    /// Ends what a lost run left running, which began since the machine was started.
    func endOrphans(of run: WorkerRecord.Running)

    /// Whether descriptors can be had for what comes. False when they have run out; then a look, now and then, tells.
    func canOpenMore() -> Bool

    /// The disk cannot take a change now: comes back when it is time to try again. False when the daemon has been told to stop.
    func waitForDisk(_ error: SystemError) throws(SystemError) -> Bool
}
