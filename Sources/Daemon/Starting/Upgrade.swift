import Glibc
import Linux
import Scheduler
import Store

/// The daemon becomes its new program without a gap: same process, same lock, same arguments.
///
/// The new program is tried first, beside the running daemon. Then the turn that is under way is finished and journaled, and exec(3) does
/// the rest. Workers go on by themselves, as over any end of the daemon, and are adopted. Whatever arrives meanwhile waits: files in the
/// spool, signals in the kernel.
final class Upgrade: Part {
    /// The successor that is being tried.
    private var check: ProgramCheck?
    /// The successor has passed.
    private var isDue = false
    /// The path that this program was started by, at which its successor is found.
    private let program: String
    private let options: DaemonOptions
    private let location: SpoolLocation
    private let programs: PatternPrograms
    private let notification: Notification
    private let service: SpoolService
    private let log: Log
    /// Called instead of a restart in a user's daemon: it ends, and root's daemon starts its successor.
    var onEnd: () -> Void = {}

    init(
        program: String, _ options: DaemonOptions, _ location: SpoolLocation, _ programs: PatternPrograms, _ notification: Notification,
        _ service: SpoolService, _ log: Log
    ) {
        self.program = program
        self.options = options
        self.location = location
        self.programs = programs
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

    // MARK: Trying the successor

    /// Begins the check of the successor. The loop continues meanwhile.
    func begin() {
        if options.user != nil {
            return onEnd()
        }
        guard check == nil, !isDue else { return }
        do throws(SystemError) { check = try ProgramCheck(program) } catch { refuse("\(error)") }
    }

    /// Kills what the check has left running. To be called before the check is reaped.
    func childEnded(_ pid: pid_t) { if pid == check?.pid { check?.kill() } }

    /// The check has been reaped, if it is the child.
    func childReaped(_ pid: pid_t, _ status: Int32) {
        guard let check, pid == check.pid else { return }
        self.check = nil
        if let why = check.refusal(status) { return refuse("\(program) --check \(why)") }
        let version = String(check.said.dropFirst("spoold ".count))
        log.write(.notice, "restarting", at: service.now, ["program": program, "version": version])
        isDue = true
    }

    /// The daemon ends: nobody waits for the check.
    func end() { check?.kill() }

    private func refuse(_ why: String) {
        log.write(.error, "not-restarted", at: service.now, ["error": why, "effect": "the program as it was started goes on"])
        service.requests.refuseRestart("\(why); spoold \(options.version) goes on")
    }

    // MARK: Becoming the successor

    /// At the end of a turn everything that has happened so far is journaled and carried out.
    func afterTurn() throws(SystemError) {
        if !service.restartRequests.isEmpty { begin() }
        guard isDue else { return }
        isDue = false
        let microseconds = MonotonicInstant.now().nanoseconds / 1000
        notification.send("RELOADING=1\nMONOTONIC_USEC=\(microseconds)\nSTATUS=Restarting\n")
        // Nobody would read their answers: the successor asks again. If there is none, their ends are answers.
        programs.killAll()
        try service.finish()
        log.flush()
        do throws(SystemError) {
            try location.handOverLock()
            try Linux.Process.becomeProgram(program)
        } catch {
            try location.keepLock()
            refuse("\(error)")
        }
        notification.send("READY=1\nSTATUS=Serving \(options.spool)\n")
        // The journal says that the daemon has stopped.
        service.submit(.started(boot: try Linux.Process.bootID(), version: options.version))
    }
}
