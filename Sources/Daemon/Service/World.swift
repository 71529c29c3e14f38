import Scheduler
import Store
import WorkerProtocol

/// The service's access to everything besides its disk: the clock, the workers, the programs of patterns. The daemon implements
/// it for real use; the simulator's implementation can stop at any moment.
package protocol World: AnyObject {
    /// The time of the wall clock, which people and NTP set.
    var now: Instant { get }

    /// The time of the clock that is never set, for the service's own waits.
    var monotonicNow: MonotonicInstant { get }

    /// The configuration in force.
    var configuration: Configuration { get }

    /// Checks conditions that only the world can observe, and submits the results. Called in each turn, before the scheduler
    /// decides.
    ///
    /// - Parameter isFirst: the daemon has just started, so the results are events that were missed.
    func gather(isFirst: Bool) throws(SystemError)

    /// The reason why no job may be started now. Nil when there is none. Called only when there is a job to start.
    func obstacle() -> String?

    /// Called when the scheduler has decided and nothing has been carried out yet.
    ///
    /// - Parameter obstacle: the reason why it could not start jobs.
    func decided(_ turn: Turn, obstacle: String?)

    /// Gives a job, which is journaled and in its place, to a worker. If this fails, the world submits the end of the try.
    func start(_ job: Job)

    /// Asks the worker of a running job, of this daemon or an earlier one, to end it.
    func stop(_ job: Job, _ how: Turn.Stop)

    /// True when a worker of this daemon runs the job. A signal 0 has such a worker read the extension of its limit at once; a worker of an
    /// earlier daemon reads it when its limit has come.
    func hasWorker(of job: Job) -> Bool

    /// Removes the cgroup of a try that has ended or never began. Returns a sentence for people if the kernel acted on it because
    /// of its limits.
    func leaveGroup(of job: Job) -> String?

    /// True when there is a program that sends mails. Called when output is to be mailed as cron does.
    func canMail() -> Bool

    /// Calls an executor. When the call has ended, in whatever way, the world submits the reply.
    func call(_ call: ExecutorCall)

    /// Asks the program of a pattern for the next due time.
    func ask(_ question: Question)

    /// The record files, in `state/workers/`, of this daemon's own workers, for which no search is needed.
    func isOwn(record: String) -> Bool

    /// True when the worker of an earlier daemon with this record file still lives.
    func isAlive(record: String) throws(SystemError) -> Bool

    /// Watches a worker of an earlier daemon until it ends and `Service.workerIsGone` is called. Returns false when it has just
    /// ended.
    func adopt(_ job: Job, _ run: WorkerRecord.Running, record: String) throws(SystemError) -> Bool

    /// Ends the remaining processes of a lost run that began since the machine was started.
    func endOrphans(of run: WorkerRecord.Running)

    /// True when descriptors are available for new files. False when they have run out; then this is checked from time to time.
    func canOpenMore() -> Bool

    /// Waits while the disk cannot accept a change, until the next attempt. Returns false when the daemon was asked to stop.
    func waitForDisk(_ error: SystemError) throws(SystemError) -> Bool
}
