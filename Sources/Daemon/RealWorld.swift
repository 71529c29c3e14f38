import Glibc
import Linux
import Scheduler
import Store
import WorkerProtocol

typealias SpoolService = Service<DiskFileSystem, RealWorld>

/// The real ``World`` of the service: the system's clock, and the parts that carry out the service's orders. It is made before the service
/// and connected to these parts later, because the parts need the service.
final class RealWorld: World {
    private var parts: Parts?
    /// Called in the first turn, before the daemon decides anything.
    var onStart: () -> Void = {}
    /// Waits while the disk takes no change. Returns false when the daemon has to end instead.
    var diskWait: (SystemError) throws(SystemError) -> Bool = { error throws(SystemError) in throw error }

    struct Parts {
        let configuration: ConfigurationFile
        let zones: ZoneWatch
        let paths: PathWatcher
        let programs: PatternPrograms
        let executors: Executors
        let workers: WorkerPool
        let gate: StartGate
        let status: StatusFile
        let mail: MailProgram
        let reserve: DescriptorReserve
    }

    func connect(_ parts: Parts) { self.parts = parts }

    private var connected: Parts {
        guard let parts else { preconditionFailure("the service is not used before its world is connected") }
        return parts
    }

    var now: Instant { Instant(milliseconds: Clock.now()) }
    var monotonicNow: MonotonicInstant { .now() }
    var configuration: Configuration { connected.configuration.inForce }

    func gather(isFirst: Bool) {
        if isFirst { onStart() }
        connected.zones.watchNew()
        connected.paths.look(isStart: isFirst)
        // The status is written before the answers to those who asked for a restart: they read it.
        if isFirst { connected.status.write(.running) }
        connected.workers.prepareTurn()
    }

    func obstacle() -> String? { connected.gate.obstacle() }

    func decided(_ turn: Turn, obstacle: String?) {
        connected.workers.turnTaken(turn)
        connected.gate.turnTaken(obstacle: obstacle)
    }

    func start(_ job: Job) { connected.workers.start(job) }
    func stop(_ job: Job, _ how: Turn.Stop) { connected.workers.stop(job, how) }

    func hasWorker(of job: Job) -> Bool { connected.workers.hasWorker(of: job) }
    func leaveGroup(of job: Job) -> String? { connected.workers.leaveGroup(of: job) }
    func canMail() -> Bool { connected.mail.isThere(at: now) }
    func call(_ call: ExecutorCall) { connected.executors.call(call) }
    func ask(_ question: Question) { connected.programs.ask(question) }
    func isOwn(record: String) -> Bool { connected.workers.isOwn(record: record) }
    func isAlive(record: String) throws(SystemError) -> Bool { try connected.workers.isAlive(record: record) }
    func endOrphans(of run: WorkerRecord.Running) { connected.workers.endOrphans(of: run) }
    func canOpenMore() -> Bool { connected.reserve.refill() }
    func waitForDisk(_ error: SystemError) throws(SystemError) -> Bool { try diskWait(error) }

    func adopt(_ job: Job, _ run: WorkerRecord.Running, record: String) throws(SystemError) -> Bool {
        try connected.workers.adopt(job, run, record: record)
    }
}
