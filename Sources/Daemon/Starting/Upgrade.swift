import Glibc
import Linux
import Scheduler
import Store

/// Replaces the daemon by its new program without a gap: same process, same lock, same arguments.
///
/// First the new program is tried, beside the running daemon. Then the output of jobs that have ended is written, for some seconds at most.
/// The present turn is finished and journaled, and exec(3) starts the new program. Workers run on, as after any end of the daemon, and are
/// adopted. Meanwhile, files wait in the spool and signals in the kernel.
final class Upgrade: Part {
    /// The check of the new program. Nil while there is none.
    private var check: ProgramCheck?
    /// True when the new program has passed its check.
    private var isDue = false
    /// The path of this program, at which the new one is found.
    private let program: String
    private let options: DaemonOptions
    private let location: SpoolLocation
    private let programs: PatternPrograms
    private let executors: Executors
    private let workers: WorkerPool
    private let notification: Notification
    private let service: SpoolService
    private let log: Log
    /// Called instead of a restart in a user's daemon: it ends, and root's daemon starts its successor.
    var onEnd: () -> Void = {}

    init(
        program: String, _ options: DaemonOptions, _ location: SpoolLocation, _ programs: PatternPrograms, _ executors: Executors,
        _ workers: WorkerPool, _ notification: Notification, _ service: SpoolService, _ log: Log
    ) {
        self.program = program
        self.options = options
        self.location = location
        self.programs = programs
        self.executors = executors
        self.workers = workers
        self.notification = notification
        self.service = service
        self.log = log
    }

    var wakeAt: Wake { Wake(monotonic: check?.deadline) }
    var isIdle: Bool { check == nil }

    func beforeTurn() {
        guard let check, check.deadline <= .now() else { return }
        check.endOverdue()
    }

    // MARK: Trying the new program

    /// Begins the check of the new program. The loop continues meanwhile.
    func begin() {
        if options.user != nil {
            return onEnd()
        }
        guard check == nil, !isDue else { return }
        if service.isEnding { return refuse("spoold was told to end") }
        do throws(SystemError) { check = try ProgramCheck(program) } catch { refuse("\(error)") }
    }

    /// Kills the processes that the check has left running. Must be called before the check is reaped.
    func childEnded(_ pid: pid_t) { if pid == check?.pid { check?.kill() } }

    /// Takes the result of the check, if the child that has been reaped is the check.
    func childReaped(_ pid: pid_t, _ status: Int32) {
        guard let check, pid == check.pid else { return }
        self.check = nil
        if let why = check.refusal(status) { return refuse("\(program) --check \(why)") }
        let version = String(check.firstLine.dropFirst("spoold ".count))
        log.write(.notice, "restarting", at: service.now, ["program": program, "version": version])
        isDue = true
    }

    /// Kills the check, because the daemon ends.
    func end() { check?.kill() }

    private func refuse(_ why: String) {
        log.write(.error, "not-restarted", at: service.now, ["error": why, "effect": "the present program continues"])
        service.requests.refuseRestart("\(why); spoold \(options.version) continues")
    }

    // MARK: Becoming the new program

    /// Becomes the new program when that has passed. At the end of a turn, everything so far is journaled and carried out.
    func afterTurn() throws(SystemError) {
        if !service.restartRequests.isEmpty { begin() }
        guard isDue else { return }
        guard service.isEnding || workers.isOutputWritten() else { return }
        isDue = false
        if service.isEnding {
            workers.takeOutputAgain()
            return refuse("spoold was told to end")
        }
        let microseconds = MonotonicInstant.now().nanoseconds / 1000
        notification.send("RELOADING=1\nMONOTONIC_USEC=\(microseconds)\nSTATUS=Restarting\n")
        // Nobody would read the answers of these programs: the new program asks again. If it cannot be executed, their ends are answers.
        programs.killAll()
        executors.killAll()
        try service.finish()
        log.flush()
        do throws(SystemError) {
            try location.handOverLock()
            try Linux.Process.becomeProgram(program)
        } catch {
            try location.keepLock()
            workers.takeOutputAgain()
            refuse("\(error)")
        }
        notification.send("READY=1\nSTATUS=Serving \(options.spool)\n")
        // This daemon continues after all, but the journal has the record that it has stopped.
        service.submit(.started(boot: try Linux.Process.bootID(), version: options.version))
    }
}
