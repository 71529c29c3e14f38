import ExecutorProtocol
import Glibc
import TextSearch

/// The reason why sbatch gave no id, read from its messages.
public struct SbatchFailure: Sendable, Equatable {
    public var error: ErrorClass
    public var message: String

    /// Texts of failures after which the submission may have been made. The request was sent, and its answer did not come.
    private static let unknown = [
        "timed out", "Zero Bytes were transmitted", "send failure", "receive failure", "shutdown failure", "not connected",
        "Connection reset", "Broken pipe", "Unexpected message received", "Unspecified error", "Message receive failure",
        "Message send failure", "Insane message length", "Header lengths are longer", "missing socket", "Communication connection failure",
    ]

    /// Texts of failures that pass, before anything was sent or in a controller's answer that it takes no job now. Failures before sending
    /// are `fatal` too, as that of reading slurm.conf.
    private static let later = [
        "connect failure", "Munge encode failed", "in standby mode", "Resource temporarily unavailable", "Unable to resolve", "MaxSubmit",
        "Job submission is disabled", "Slurmctld is starting", "try again",
        "Requested partition configuration not available now", "Unable to contact slurm controller", "Protocol authentication error",
        "Requested nodes are busy", "Disk quota exceeded", "I/O error writing script/environment to file",
        "Nodes required for job are DOWN",
    ]

    /// Texts after which sbatch sleeps for a second, then for two and so on, up to 15 times, and tries again what slurmctld has just
    /// refused.
    public static let retreats = ["Slurm job queue full", "temporarily unable to accept job", "Job creation temporarily disabled"]

    /// True when the failure is one of the system's, errno(3): it came while the controller was talked to, and is no word of Slurm's.
    private static func isOfSystem(_ text: String) -> Bool {
        guard let reason = text.split(separator: "\n").last?.split(separator: ":").last?.drop(while: { $0 == " " }) else { return false }
        return (1...133).contains { String(cString: strerror($0)) == reason }
    }

    /// - Parameter status: sbatch's exit code, or 128 and the signal that ended it. Nil when its limit of time did.
    /// - Parameter hasRetreated: it was ended while it slept after the first of ``retreats``, so it has submitted nothing.
    public init(status: Int32?, errors: [UInt8], hasRetreated: Bool = false) {
        let text = String(decoding: errors.prefix(4096), as: UTF8.self)
        let said = text.split(separator: "\n").filter { !$0.isEmpty }.joined(separator: "; ")
        if hasRetreated {
            error = .later
            message = said
            return
        }
        guard let status, !(129...192).contains(status) else {
            error = .unknown
            message = (status == nil ? "sbatch did not end in time" : "sbatch was killed") + (said.isEmpty ? "" : ": \(said)")
            return
        }
        message = said.isEmpty ? "sbatch ended without an id and without a reason" : said
        if Self.unknown.contains(where: { text.contains($0) }) || said.isEmpty {
            error = .unknown
        } else if Self.later.contains(where: { text.contains($0) }) || !text.contains("submission failed") && text.contains("fatal:") {
            error = .later
        } else if Self.isOfSystem(text) {
            error = .unknown
        } else {
            error = .refused
        }
    }

    /// The id in the output of `sbatch --parsable`: `12` or `12;cluster`. Nil when there is none.
    public static func id(in output: [UInt8]) -> String? {
        let line = output.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: ";") }
        guard !line.isEmpty, line.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), line.count < output.count else { return nil }
        return String(decoding: line, as: UTF8.self)
    }
}
