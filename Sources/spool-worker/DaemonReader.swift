import Linux
import WorkerProtocol

/// The daemon, for its standard output.
final class DaemonReader: OutputReader {
    private let output: DaemonOutput
    private let jobID: String
    private let attempt: Int
    private let saysEnds: Bool
    private var missedBytes: Int64 = 0
    let pieceBytes = DaemonOutput.pieceBytes
    let takesSingleLines = false
    /// When the daemon confirms a piece, all senders look at once.
    let fullWaitMilliseconds = OutputSender.longestWaitMilliseconds

    init(_ output: DaemonOutput, _ request: RunRequest) {
        self.output = output
        jobID = request.jobID
        attempt = request.attempt
        saysEnds = request.reportsOutputEnds
    }

    var readBytes: Int { output.readBytes }

    func take(_ piece: OutputPiece, of stream: String, upTo end: Int64) -> JournalSocket.Answer {
        output.send(
            Report.Output(
                jobID: jobID, attempt: attempt, stream: stream, isPartial: piece.isPartial, bytes: piece.text, end: saysEnds ? end : nil))
    }

    func miss(_ count: Int64, of stream: String) { missedBytes = missedBytes.addingSaturated(count) }

    func finish() { output.ended(jobID, attempt: attempt, leftOutBytes: missedBytes) }
}
