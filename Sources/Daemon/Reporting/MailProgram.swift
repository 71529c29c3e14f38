import Glibc
import Linux
import Scheduler

/// Looks whether there is a program that sends mails, for those that are left out without one.
final class MailProgram {
    /// The log has said that there is none, and none was seen since.
    private var isTold = false
    private let configuration: ConfigurationFile
    private let log: Log

    init(_ configuration: ConfigurationFile, _ log: Log) {
        self.configuration = configuration
        self.log = log
    }

    func isThere(at now: Instant) -> Bool {
        let program = configuration.inForce.mailCommand[0]
        let isThere = access(program, X_OK) == 0
        if !isThere, !isTold {
            let error = SystemError.message(errno)
            log.write(
                .warning, "no-mail-program", at: now,
                ["program": program, "error": error, "effect": "no output is mailed as cron does"])
            SystemLog.write("(CRON) info (No MTA installed, discarding output)", facility: .cron, program: "CRON")  // lost: said above
        }
        isTold = !isThere
        return isThere
    }
}
