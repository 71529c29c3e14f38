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
    /// Called when the daemon has just started, before it decides anything.
    var onStart: () -> Void = {}
    /// Waits while the disk takes no change. False: the daemon has been told to end.
    var diskWait: (SystemError) throws(SystemError) -> Bool = { error throws(SystemError) in throw error }

    struct Parts {
        let configuration: ConfigurationFile
        let zones: ZoneWatch
        let paths: PathWatcher
        let programs: PatternPrograms
        let workers: WorkerPool
        let gate: StartGate
        let status: StatusFile
        let reserve: DescriptorReserve
    }

    func connect(_ parts: Parts) { self.parts = parts }

    private var connected: Parts {
        guard let parts else { preconditionFailure("the service is not used before its world is connected") }
        return parts
    }

    var now: Instant { Instant(milliseconds: Clock.now()) }
    var configuration: Configuration { connected.configuration.inForce }

    func gather(isFirst: Bool) {
        if isFirst { onStart() }
        connected.zones.watchNew()
        connected.paths.look(isStart: isFirst)
        // Before anybody is answered who asked for the restart.
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
