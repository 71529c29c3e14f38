import Crontabs
import Glibc
import Linux
import Model
import Scheduler
import Store
import WorkerProtocol

/// The lines that cron(8) writes into the system's log, for programs that read them there: a command of a crontab that begins, a mail that
/// could not be sent, and one that is not sent because of its address.
struct CronLog {
    /// journald takes no longer lines.
    private static let bytesMax = 48 << 10

    private let owner: String
    private let service: SpoolService
    private let log: Log

    init(owner: String, _ service: SpoolService, _ log: Log) {
        self.owner = owner
        self.service = service
        self.log = log
    }

    /// The message about the command of a try, which its process sends when it begins: the system's log shows that process. Nil for a job
    /// that is not of a crontab.
    func message(of job: Job) -> String? {
        guard let task = job.task, service.scheduler.tasks[task]?.crontab != nil else { return nil }
        return SystemLog.message(line("CMD", command(of: job.definition), of: job), facility: .cron, program: "CRON")
    }

    /// A try has ended.
    func ended(_ job: Job, _ end: RunEnd) {
        if job.needsNoSlot, let address = Crontab.Settings.unsafeMailTo(in: job.definition.environment), size(of: job.id, [.running]) > 0 {
            write("UNSAFE MAIL", address, of: job, process: end.pid)
        }
        if CronMailScript.isScript(of: job.definition), case .exited(let code) = end.kind, code != 0 {
            let bytes = mailed(by: job)
            let status = String(code, radix: 16)
            let padded = String(repeating: "0", count: max(0, 4 - status.count)) + status
            write(
                "MAIL", "mailed \(bytes) byte\(bytes == 1 ? "" : "s") of output but got status 0x\(padded) from MTA", of: job,
                process: end.pid)
        }
    }

    private func write(_ event: String, _ detail: String, of job: Job, process: pid_t) {
        write(line(event, detail, of: job), process: process)
    }

    /// A worker waits for the system's log, and the daemon does not. What is lost is in the daemon's own log.
    private func write(_ line: String, process: pid_t) {
        if SystemLog.write(line, facility: .cron, program: "CRON", process: process) { return }
        log.write(.warning, "not-in-syslog", at: service.now, ["what": line])
    }

    private func line(_ event: String, _ detail: String, of job: Job) -> String {
        let user = job.definition.user.map { "\($0)" } ?? owner
        return "(\(user)) \(event) (\(Self.printable(detail).prefix(Self.bytesMax)))"
    }

    private func command(of definition: JobDefinition) -> String {
        switch definition.action {
        case .line(let line): line
        case .arguments(let words): words.joined(separator: " ")
        case .script, .droppedScript: ""
        }
    }

    /// The size of the output about which a job was to mail.
    private func mailed(by job: Job) -> Int {
        job.parent.map { size(of: $0, [.done, .failed]) } ?? 0
    }

    /// The size of a job's output, whose directory is in one of these places.
    private func size(of job: JobID, _ states: [JobState]) -> Int {
        states.reduce(0) { sum, state in
            let output = "\(Layout.directory(of: job, state))/\(Layout.outputFile)"
            return sum + Int((try? service.spool.fs.status(output))?.size ?? 0)  // a removed record has no size to tell
        }
    }

    /// As mkprint() of cron's misc.c shows bytes that cannot be printed.
    private static func printable(_ text: String) -> String {
        var result = ""
        for byte in FileName.bytes(of: text) {
            switch byte {
            case 0..<0x20: result += "^" + String(UnicodeScalar(byte + 0x40))
            case 0x20..<0x7F: result += String(UnicodeScalar(byte))
            case 0x7F: result += "^?"
            default:
                let octal = String(byte, radix: 8)
                result += "\\" + String(repeating: "0", count: 3 - octal.count) + octal
            }
        }
        return result
    }
}
