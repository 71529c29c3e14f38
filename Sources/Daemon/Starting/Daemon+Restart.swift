import Glibc
import Linux
import Scheduler
import Store

// The daemon becomes its new program without a gap: same process, same lock, same arguments. The program is tried first, beside the
// running daemon; then the turn that is under way is finished and journaled, and exec(3) does the rest. Workers go on by themselves,
// as over any end of the daemon, and are adopted. What arrives meanwhile waits: files in the spool, signals in the kernel.

extension Daemon {
    /// Begins to look at the successor; the loop goes on.
    func checkProgram() {
        // A user's daemon ends, and root's starts it anew.
        if link != nil {
            isStopping = true
            return
        }
        guard check == nil, !isRestartDue else { return }
        do throws(SystemError) { check = try ProgramCheck(program) } catch { refuseRestart("\(error)") }
    }

    /// Its check has ended and is reaped.
    func checkEnded(_ status: Int32) {
        guard let check else { return }
        self.check = nil
        if let why = check.refusal(status) { return refuseRestart("\(program) --check \(why)") }
        log.write(.notice, "restarting", at: now, ["program": program, "version": String(check.said.dropFirst("spoold ".count))])
        isRestartDue = true
    }

    func endOverdueCheck() {
        guard let check, check.deadline <= Clock.monotonicMilliseconds() else { return }
        check.endOverdue()
    }

    var millisecondsUntilCheckOverdue: Int64? { check.map { max(0, $0.deadline - Clock.monotonicMilliseconds()) } }

    /// At the end of a turn: all that has happened so far is journaled and carried out.
    func restartIfAsked() throws(SystemError) {
        if !service.restartRequests.isEmpty { checkProgram() }
        guard isRestartDue else { return }
        isRestartDue = false
        notification.send("RELOADING=1\nMONOTONIC_USEC=\(Clock.monotonicNanoseconds() / 1000)\nSTATUS=Restarting\n")
        // Nobody would read their answers: the successor asks again. If there is none, their ends are answers.
        programs.killAll()
        try service.finish()
        log.flush()
        do throws(SystemError) {
            try lock.handOver()
            try Linux.Process.becomeProgram(program)
        } catch {
            try lock.keep()
            refuseRestart("\(error)")
        }
        notification.send("READY=1\nSTATUS=Serving \(options.spool)\n")
        // The journal says that the daemon has stopped.
        service.submit(.started(boot: try Linux.Process.bootID(), version: options.version))
    }

    private func refuseRestart(_ why: String) {
        log.write(.error, "not-restarted", at: now, ["error": why, "effect": "the program as it was started goes on"])
        service.refuseRestart("\(why); spoold \(options.version) goes on")
    }
}
