import Glibc
import Linux
import WorkerProtocol

/// Sends a run's output, besides its files, to journald or to the daemon while the command runs.
///
/// Invariants:
/// - The command writes to its files alone, so it never waits for a reader. The files are read behind it: soon while they grow, and after a
///   second at the latest.
/// - What the reader does not take is sent again at the next look. When the command has ended, the run is reported at once, and the reader
///   has some seconds to take the rest of what was written by then; after that, the reader is told how much it has not got. Where nobody
///   reads, nothing is sent.
/// - Only whole lines are sent, each for itself to journald. A longer line than the reader takes is sent in pieces, and at the end also one
///   that is not whole.
/// - A part that was given back to the disk, because the file has become too large, is left out.
final class OutputSender {
    private static let chunkBytes = 1 << 20
    /// The chunks of a file that are read at once. Then the worker looks after its run.
    private static let chunksMax = 8
    private static let shortestWaitMilliseconds: Int64 = 100
    private static let longestWaitMilliseconds: Int64 = 1000
    /// A full journal has read its socket's queue, of some hundred messages, after about this time.
    private static let fullWaitMilliseconds: Int64 = 20
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
        var isRestLeft = false
        for stream in streams {
            switch send(stream) {
            case .nothing, .nobody: continue
            case .some: longest = min(longest, Self.shortestWaitMilliseconds)
            case .refused: longest = Self.fullWaitMilliseconds
            }
            isRestLeft = isRestLeft || stream.restBytes > 0
        }
        waitMilliseconds = longest
        let now = MonotonicInstant.now()
        nextLookAt = now.advanced(byMilliseconds: endBy == nil ? waitMilliseconds : Self.fullWaitMilliseconds)
        if let endBy, !isRestLeft || now >= endBy { giveUp() }
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
        for _ in 0..<Self.chunksMax {
            let count = Int(min(Int64(Self.chunkBytes), stream.end - stream.offset))
            guard count > 0, let status = try? stream.file.status() else { return progress }  // it cannot be read any more
            guard let chunk = try? stream.file.read(count: count, at: stream.offset) else { return progress }  // as above
            // The job itself has truncated it.
            if status.size < stream.offset { stream.offset = status.size }
            guard !chunk.isEmpty else { return progress }
            var rest = chunk[...]
            while !rest.isEmpty {
                let isLast = stream.offset + Int64(rest.count) >= stream.end
                guard let piece = OutputPiece(of: rest, isAtEnd: isLast, isFull: rest.count == Self.chunkBytes, for: reader) else { break }
                switch piece.text.isEmpty && piece.isGap ? .taken : reader.take(piece, of: stream.name, upTo: stream.offset + Int64(piece.count)) {
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

/// Takes the output of a run besides its files.
protocol OutputReader {
    /// The maximum size of a piece.
    var pieceBytes: Int { get }
    /// True when each piece is one line.
    var takesSingleLines: Bool { get }
    /// - Parameter end: the end of the piece in its file.
    func take(_ piece: OutputPiece, of stream: String, upTo end: Int64) -> JournalSocket.Answer
    /// Called when the reader did not take this much in time.
    func miss(_ count: Int64, of stream: String)
    /// Called when no more follows.
    func finish()
}

/// Some lines of an output file, or a part of a line that is too long.
struct OutputPiece {
    /// The number of bytes in the file.
    let count: Int
    /// The lines without the last line's end. Runs of NUL are left out: a part of the file that was given back reads as NUL.
    let text: [UInt8]
    /// True when the line continues in the next piece.
    let isPartial: Bool
    /// True when the file has NUL bytes there.
    let isGap: Bool

    /// Returns nil when the line at the beginning is not whole yet.
    init?(of rest: ArraySlice<UInt8>, isAtEnd: Bool, isFull: Bool, for reader: any OutputReader) {
        let newline = UInt8(ascii: "\n")
        let window = rest.prefix(reader.pieceBytes)
        let lineEnd = reader.takesSingleLines ? window.firstIndex(of: newline) : window.lastIndex(of: newline)
        let lines: ArraySlice<UInt8>
        if let lineEnd {
            lines = rest[..<lineEnd]
            count = lines.count + 1
            isPartial = false
        } else if window.count < rest.count || isFull || isAtEnd {
            lines = window
            count = window.count
            isPartial = window.count < rest.count || !isAtEnd
        } else {
            return nil
        }
        isGap = lines.contains(0)
        text = isGap ? Self.withoutNULs(lines) : Array(lines)
    }

    /// Replaces each run of NUL by a blank, or by nothing at the beginning and the end of a line.
    private static func withoutNULs(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        var isInRun = false
        for byte in bytes {
            if byte == 0 {
                isInRun = true
                continue
            }
            let isEnd = byte == UInt8(ascii: "\n")
            if isInRun, !isEnd, let last = text.last, last != UInt8(ascii: "\n") { text.append(UInt8(ascii: " ")) }
            isInRun = false
            text.append(byte)
        }
        return text
    }
}

/// journald, which gets each line as a message with the fields of the job.
struct JournalReader: OutputReader {
    /// sd-daemon(3): the level of a line that begins without one.
    private static let information: UInt8 = 6

    private let socket: JournalSocket
    private let fields: [String]
    let pieceBytes = 1 << 20
    let takesSingleLines = true

    init(_ journal: JournalTarget) {
        socket = JournalSocket(path: journal.socket)
        fields = journal.fields
    }

    func take(_ piece: OutputPiece, of stream: String, upTo end: Int64) -> JournalSocket.Answer {
        var text = piece.text[...]
        var level = Self.information
        if text.count >= 3, text[text.startIndex] == UInt8(ascii: "<"), text[text.startIndex + 2] == UInt8(ascii: ">"),
            (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(text[text.startIndex + 1])
        {
            level = text[text.startIndex + 1] - UInt8(ascii: "0")
            text = text.dropFirst(3)
        }
        guard !text.isEmpty else { return .taken }
        return socket.send(message(text, level: level, of: stream))
    }

    private func message(_ text: some Collection<UInt8>, level: UInt8, of stream: String) -> JournalMessage {
        var message = JournalMessage()
        message.add("MESSAGE", text)
        message.add("PRIORITY", "\(level)")
        message.add("SPOOL_STREAM", stream)
        for field in fields {
            guard let equals = field.firstIndex(of: "=") else { continue }
            message.add(String(field[..<equals]), String(field[field.index(after: equals)...]))
        }
        return message
    }

    func miss(_ count: Int64, of stream: String) {
        _ = socket.send(message("[spoold: the journal did not take \(count) bytes of \(stream)]".utf8, level: 4, of: stream))
    }

    func finish() {}
}

/// The daemon, for its standard output.
final class DaemonReader: OutputReader {
    private let output: DaemonOutput
    private let jobID: String
    private let attempt: Int
    private var missedBytes: Int64 = 0
    let pieceBytes = DaemonOutput.pieceBytes
    let takesSingleLines = false

    init(_ output: DaemonOutput, _ request: RunRequest) {
        self.output = output
        jobID = request.jobID
        attempt = request.attempt
    }

    func take(_ piece: OutputPiece, of stream: String, upTo end: Int64) -> JournalSocket.Answer {
        output.send(
            Report.Output(jobID: jobID, attempt: attempt, stream: stream, isPartial: piece.isPartial, bytes: piece.text, end: end))
    }

    func miss(_ count: Int64, of stream: String) { missedBytes += count }

    func finish() { output.ended(jobID, attempt: attempt, leftOutBytes: missedBytes) }
}
