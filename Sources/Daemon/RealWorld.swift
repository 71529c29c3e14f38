import Glibc
import Linux
import Scheduler
import Store
import WorkerProtocol

typealias SpoolService = Service<DiskFileSystem, RealWorld>

/// The world that the service reaches through ``World``: the system's clock, and the parts that do what the service orders. It is made
/// before the service and connected to these parts afterwards, because they need the service.
final class RealWorld: World {
    private var parts: Parts?
    /// Looks at what only the world can see, before each decision.
    var gathering: (_ isFirst: Bool) -> Void = { _ in }
    /// Waits while the disk takes no change. False: the daemon has been told to end.
    var diskWait: (SystemError) throws(SystemError) -> Bool = { error throws(SystemError) in throw error }

    private struct Parts {
        let configuration: ConfigurationFile
        let workers: WorkerPool
        let programs: PatternPrograms
        let gate: StartGate
        let reserve: DescriptorReserve
    }

    func connect(
        _ configuration: ConfigurationFile, _ workers: WorkerPool, _ programs: PatternPrograms, _ gate: StartGate,
        _ reserve: DescriptorReserve
    ) {
        parts = Parts(configuration: configuration, workers: workers, programs: programs, gate: gate, reserve: reserve)
    }

    private var connected: Parts {
        guard let parts else { preconditionFailure("the service is not used before its world is connected") }
        return parts
    }

    var now: Instant { Instant(milliseconds: Clock.now()) }
    var configuration: Configuration { connected.configuration.inForce }

    func gather(isFirst: Bool) { gathering(isFirst) }
    func obstacle() -> String? { connected.gate.obstacle() }

    func decided(_ turn: Turn, obstacle: String?) {
        connected.workers.turnTaken(turn)
        connected.gate.turnTaken(obstacle: obstacle)
    }

    func start(_ job: Job) { connected.workers.start(job) }
    func stop(_ job: Job, _ how: Turn.Stop) { connected.workers.stop(job, how) }
    func leaveGroup(of job: Job) -> String? { connected.workers.leaveGroup(of: job) }
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
