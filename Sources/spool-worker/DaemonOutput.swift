import Glibc
import Linux
import WorkerProtocol

/// Sends pieces of a run's output to the daemon, which writes them to its standard output.
///
/// At most ``windowBytes`` in ``piecesMax`` pieces are on their way at any time: the daemon confirms each piece that it has taken up. So a
/// daemon whose reader is stuck has little to keep in memory, and the worker never waits: its socket has room for more, although the kernel
/// counts about a kilobyte for each piece besides the bytes of the piece.
final class DaemonOutput {
    static let windowBytes = 64 << 10
    static let piecesMax = Report.Output.unconfirmedMax
    /// A longer line is sent in pieces of this size.
    static let pieceBytes = 32 << 10

    private let send: (Report) -> Bool
    private var bytesOnTheirWay = 0
    private var piecesOnTheirWay = 0
    private var isDaemonGone = false

    /// - Parameter send: sends a report. Returns false when the daemon is gone.
    init(send: @escaping (Report) -> Bool) { self.send = send }

    /// The number of bytes that are worth reading: about what can be sent now. 0 when the daemon has to confirm something first. Not 0 when
    /// it is gone, which ``send(_:)`` then says.
    var readBytes: Int {
        if isDaemonGone { return Self.pieceBytes }
        guard piecesOnTheirWay < Self.piecesMax, bytesOnTheirWay < Self.windowBytes else { return 0 }
        return max(Self.pieceBytes, Self.windowBytes - bytesOnTheirWay)
    }

    func send(_ output: Report.Output) -> JournalSocket.Answer {
        guard !isDaemonGone else { return .absent }
        guard piecesOnTheirWay < Self.piecesMax, bytesOnTheirWay + output.bytes.count <= Self.windowBytes else { return .full }
        bytesOnTheirWay += output.bytes.count
        piecesOnTheirWay += 1
        if !send(.output(output)) { daemonIsGone() }
        return isDaemonGone ? .absent : .taken
    }

    /// Reports that no more output of a try follows.
    func ended(_ jobID: String, attempt: Int, leftOutBytes: Int64) {
        if !isDaemonGone, !send(.outputEnded(jobID: jobID, attempt: attempt, leftOutBytes: leftOutBytes)) { daemonIsGone() }
    }

    /// The daemon has taken up a piece of this size.
    func taken(_ count: Int) {
        bytesOnTheirWay = max(0, bytesOnTheirWay - count)
        piecesOnTheirWay = max(0, piecesOnTheirWay - 1)
    }

    func daemonIsGone() { isDaemonGone = true }
}
