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
            log.write(
                .warning, "no-mail-program", at: now,
                ["program": program, "error": SystemError.message(errno), "effect": "no output is mailed as cron does"])
        }
        isTold = !isThere
        return isThere
    }
}
