import Glibc
import Linux
import WorkerProtocol

/// Sends pieces of a run's output to the daemon, which writes them to its standard output.
///
/// At most ``windowBytes`` are on their way at any time: the daemon confirms what it has written. So a daemon whose reader is stuck has
/// little to keep in memory, and the worker, whose socket has room for more, never waits.
final class DaemonOutput {
    static let windowBytes = 64 << 10
    /// A longer line is sent in pieces of this size.
    static let pieceBytes = 32 << 10

    private let send: (Report) -> Bool
    private var bytesOnTheirWay = 0
    private var isDaemonGone = false

    /// - Parameter send: sends a report. Returns false when the daemon is gone.
    init(send: @escaping (Report) -> Bool) { self.send = send }

    func send(_ output: Report.Output) -> JournalSocket.Answer {
        guard !isDaemonGone else { return .absent }
        guard bytesOnTheirWay == 0 || bytesOnTheirWay + output.bytes.count <= Self.windowBytes else { return .full }
        bytesOnTheirWay += output.bytes.count
        if !send(.output(output)) { daemonIsGone() }
        return isDaemonGone ? .absent : .taken
    }

    /// Reports that no more output of a try follows.
    func ended(_ jobID: String, attempt: Int, leftOutBytes: Int64) {
        if !isDaemonGone, !send(.outputEnded(jobID: jobID, attempt: attempt, leftOutBytes: leftOutBytes)) { daemonIsGone() }
    }

    /// The daemon has written this much.
    func taken(_ count: Int) { bytesOnTheirWay = max(0, bytesOnTheirWay - count) }

    func daemonIsGone() { isDaemonGone = true }
}
