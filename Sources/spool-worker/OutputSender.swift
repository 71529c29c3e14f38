import Glibc
import Linux
import WorkerProtocol

/// Sends a run's output, besides its files, to journald or to the daemon while the command runs.
///
/// Invariants:
/// - The command writes to its files alone, so it never waits for a reader. The files are read behind it: soon while they grow, and after a
///   second at the latest.
/// - What the reader does not take is sent again at the next look: after a time that the reader says, or when the daemon has confirmed
///   what it took. No more is read from the files than may be sent then.
/// - When the command has ended, the run is reported at once, and the reader has some seconds to take the rest of what was written by then.
///   After that, the reader is told how much it has not got. Where nobody reads, nothing is sent.
/// - Only whole lines are sent, each for itself to journald. A longer line than the reader takes is sent in pieces, and at the end also one
///   that is not whole.
/// - A part that was given back to the disk, because the file has become too large, is left out.
final class OutputSender {
    /// The bytes of a file that are read in one look. Then the worker looks after its run.
    private static let lookBytes = 8 << 20
    private static let shortestWaitMilliseconds: Int64 = 100
    static let longestWaitMilliseconds: Int64 = 1000
    /// The time between two looks after the command's end, while the reader takes all that it is offered.
    private static let endWaitMilliseconds: Int64 = 20
    private static let endMilliseconds: Int64 = 3000

    /// One file, and how far it was sent.
    private final class Stream {
        let name: String
        let file: FileDescriptor
        var offset: Int64 = 0
        /// Bytes from here on are not sent: they were written after the command had ended.
        var end = Int64.max

        init(_ name: String, _ file: consuming FileDescriptor) {
            self.name = name
            self.file = file
        }

        /// The bytes that were not sent. 0 when the file cannot be read any more.
        var restBytes: Int64 {
            guard let size = try? file.status().size else { return 0 }  // as above
            return max(0, min(size, end) - offset)
        }
    }

    private let reader: any OutputReader
    private let streams: [Stream]
    private var waitMilliseconds = OutputSender.shortestWaitMilliseconds
    private(set) var nextLookAt: MonotonicInstant
    /// The time at which the rest is given up. Nil while the command runs.
    private var endBy: MonotonicInstant?
    /// True when nothing is left to do.
    private(set) var isFinished = false

    init(_ request: RunRequest, to reader: any OutputReader) {
        self.reader = reader
        let names = request.stderrName == request.stdoutName ? [request.stdoutName] : [request.stdoutName, request.stderrName]
        streams = names.compactMap { Self.open($0, request) }
        nextLookAt = .now().advanced(byMilliseconds: waitMilliseconds)
    }

    private static func open(_ name: String, _ request: RunRequest) -> Stream? {
        let path = "\(request.jobDirectory)/\(name)"
        let opened = try? FileDescriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK)  // removed: nothing of it is sent
        guard let file = opened, let status = try? file.status(), status.kind == .file else { return nil }  // as above, or replaced
        return Stream(name, file)
    }

    /// Sends what was written since the last look.
    func look() {
        guard !isFinished else { return }
        var longest = min(waitMilliseconds * 2, Self.longestWaitMilliseconds)
        var (isRestLeft, isRefused) = (false, false)
        for stream in streams {
            switch send(stream) {
            case .nothing, .nobody: continue
            case .some: longest = min(longest, Self.shortestWaitMilliseconds)
            case .refused: (longest, isRefused) = (reader.fullWaitMilliseconds, true)
            }
            isRestLeft = isRestLeft || stream.restBytes > 0
        }
        waitMilliseconds = longest
        let now = MonotonicInstant.now()
        nextLookAt = now.advanced(byMilliseconds: waitMilliseconds)
        guard let endBy else { return }
        nextLookAt = min(endBy, now.advanced(byMilliseconds: isRefused ? reader.fullWaitMilliseconds : Self.endWaitMilliseconds))
        if !isRestLeft || now >= endBy { giveUp() }
    }

    /// Called when the command has ended. Sends what the reader takes now; the rest follows in later looks.
    func commandEnded() {
        for stream in streams {
            stream.end = (try? stream.file.status().size) ?? stream.offset  // it cannot be read any more
        }
        endBy = .now().advanced(byMilliseconds: Self.endMilliseconds)
        look()
    }

    /// Sends no more, and says how much is missing.
    func giveUp() {
        guard !isFinished else { return }
        isFinished = true
        for stream in streams { if stream.restBytes > 0 { reader.miss(stream.restBytes, of: stream.name) } }
        reader.finish()
    }

    private enum Progress { case nothing, some, refused, nobody }

    /// Sends the whole lines that are there, and at the end also one that is not whole.
    private func send(_ stream: Stream) -> Progress {
        var progress = Progress.nothing
        var readBytes = 0
        while readBytes < Self.lookBytes {
            let chunkBytes = reader.readBytes
            if chunkBytes == 0 { return stream.restBytes > 0 ? .refused : progress }
            let count = Int(min(Int64(chunkBytes), stream.end - stream.offset))
            guard count > 0, let status = try? stream.file.status() else { return progress }  // it cannot be read any more
            guard let chunk = try? stream.file.read(count: count, at: stream.offset) else { return progress }  // as above
            // The job itself has truncated it.
            if status.size < stream.offset { stream.offset = status.size }
            guard !chunk.isEmpty else { return progress }
            readBytes += chunk.count
            var rest = chunk[...]
            while !rest.isEmpty {
                let isLast = stream.offset + Int64(rest.count) >= stream.end
                guard let piece = OutputPiece(of: rest, isAtEnd: isLast, isFull: rest.count == chunkBytes, for: reader) else { break }
                let end = stream.offset + Int64(piece.count)
                switch piece.text.isEmpty && piece.isGap ? .taken : reader.take(piece, of: stream.name, upTo: end) {
                case .taken: progress = .some
                case .full: return .refused
                case .absent: return .nobody
                }
                stream.offset += Int64(piece.count)
                rest = rest.dropFirst(piece.count)
            }
            // The rest is the beginning of a line, which is not whole yet.
            if rest.count == chunk.count { return progress }
        }
        return progress
    }
}
