import CLinux
import Glibc
import Linux
import Store

/// The programs at, atq, atrm and batch: jobs for a time, as at(1) takes them, that wait in the spool. Their output, error output and exit
/// codes are those of Debian's at, because scripts read them.
///
/// The program has no right of its own: a job's file goes into the caller's own part of the spool, as spoolctl submit puts it there, and
/// root's daemon serves it. So at.allow and at.deny are a request; `allow` and `deny` of the configuration decide who can submit jobs.
///
/// Invariant: a job of at is a job whose name is `at-N`. N is its number, which no later job gets soon (AtNumbers).
package enum AtProgram {
    /// True when the program was started by one of the four names.
    package static var isCalled: Bool { CommandLine.argc > 0 && ["at", "atq", "atrm", "batch"].contains(AtInvocation.programName) }

    package static func run() -> Never {
        StandardDescriptors.open(of: "at")
        SystemCheck.perform(for: "at")
        // As for spoolctl: these signals become errors of calls.
        for number in [SIGIO, SIGPIPE, SIGXFSZ] { _ = linux_ignore_signal(number) }
        let (output, errors) = (Output(STDOUT_FILENO), Output(STDERR_FILENO))
        var code: Int32
        do throws(Failure) { code = try call(AtInvocation.read(errors), output, errors) } catch {
            output.flush()
            for line in error.lines { errors.line("\(AtInvocation.programName): \(Output.oneLine(line))") }
            code = 1
        }
        output.finish()
        errors.flush()
        exit(code == 0 && output.hasFailed ? 1 : code)
    }

    private static func call(_ invocation: AtInvocation, _ output: Output, _ errors: Output) throws(Failure) -> Int32 {
        let arguments = try Arguments([], options: [], ownOperands: 0, command: nil)
        // The users of a machine have one at, whose jobs the machine's daemon runs. A user's own spool may have no daemon.
        let machines = UserPart.servesEverybody(Session.rootsSpool) ? Session.rootsSpool : nil
        let session = Session(SpoolCommand.submit, arguments, output: output, errors: errors, preferred: machines)
        if let text = invocation.time, AtTime.posix(text, session) == nil {
            errors.line("invalid date format: \(text)")
            return 1
        }
        guard AtAccess.isAllowed(errors) else {
            errors.line("You do not have permission to use \(AtInvocation.programName).")
            return 1
        }
        switch invocation.operation {
        case .submit: return try AtSubmission(session, invocation).run()
        case .list: return try AtQueue(session).list(invocation)
        case .show: return try AtQueue(session).show(invocation.operands)
        case .remove: return try AtQueue(session).remove(invocation.operands)
        }
    }
}
