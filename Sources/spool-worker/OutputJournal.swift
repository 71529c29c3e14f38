import Glibc
import Linux
import WorkerProtocol

/// Sends the lines of a run's output to journald while the command runs, with the fields of the job. The files stay as they are.
///
/// Invariants:
/// - The command writes to its files alone, so it never waits for the journal. The files are read behind it: soon while they grow, and
///   after a second at the latest.
/// - A line that the journal does not take is sent again at the next look. When the command has ended, the journal has some seconds to take
///   what is written by then; then one line says how much it has not got. Where nobody reads the journal's socket, nothing waits.
/// - A part that was given back to the disk, because the file has become too large, is left out.
final class OutputJournal {
    private static let chunkBytes = 1 << 20
    /// The chunks of a file that are read at once. Then the worker looks after its run.
    private static let chunksMax = 8
    private static let shortestWaitMilliseconds: Int64 = 100
    private static let longestWaitMilliseconds: Int64 = 1000
    /// A full journal has read its socket's queue, of some hundred messages, after about this time.
    private static let fullWaitMilliseconds: Int64 = 20
    private static let endMilliseconds: Int64 = 3000
    /// sd-daemon(3): the level of a line that begins without one.
    private static let information: UInt8 = 6

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
    }

    private let socket: JournalSocket
    private let fields: [String]
    private let streams: [Stream]
    private var waitMilliseconds = OutputJournal.shortestWaitMilliseconds
    private(set) var nextLookAt: MonotonicInstant

    /// Returns nil when the output does not go to the journal.
    init?(_ request: RunRequest) {
        guard let journal = request.journal else { return nil }
        socket = JournalSocket(path: journal.socket)
        fields = journal.fields
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
        var longest = min(waitMilliseconds * 2, Self.longestWaitMilliseconds)
        for stream in streams {
            switch send(stream) {
            case .nothing, .nobody: break
            case .some: longest = min(longest, Self.shortestWaitMilliseconds)
            case .refused: longest = Self.fullWaitMilliseconds
            }
        }
        waitMilliseconds = longest
        nextLookAt = .now().advanced(byMilliseconds: waitMilliseconds)
    }

    /// Sends the rest, once the command has ended.
    func finish() {
        let end = MonotonicInstant.now().advanced(byMilliseconds: Self.endMilliseconds)
        for stream in streams { finish(stream, until: end) }
    }

    private func finish(_ stream: Stream, until end: MonotonicInstant) {
        guard let size = try? stream.file.status().size else { return }  // it cannot be read any more
        stream.end = size
        while true {
            switch send(stream) {
            case .nothing, .nobody: return
            case .some: break
            case .refused: usleep(10_000)
            }
            if MonotonicInstant.now() >= end { return sayWhatIsMissing(of: stream) }
        }
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
                let line: ArraySlice<UInt8>
                let count: Int
                if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    line = rest[..<end]
                    count = line.count + 1
                } else if rest.count == Self.chunkBytes || stream.offset + Int64(rest.count) == stream.end {
                    line = rest
                    count = rest.count
                } else {
                    break
                }
                switch send(line, of: stream.name) {
                case .taken: progress = .some
                case .full: return .refused
                case .absent: return .nobody
                }
                stream.offset += Int64(count)
                rest = rest.dropFirst(count)
            }
            // The rest is the beginning of a line, which is not whole yet.
            if rest.count == chunk.count { return progress }
        }
        return progress
    }

    private func send(_ line: ArraySlice<UInt8>, of stream: String) -> JournalSocket.Answer {
        // A part of the file that was given back reads as NUL.
        var text = line.drop { $0 == 0 }
        guard !text.isEmpty else { return .taken }
        var level = Self.information
        if text.count >= 3, text[text.startIndex] == UInt8(ascii: "<"), text[text.startIndex + 2] == UInt8(ascii: ">"),
            (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(text[text.startIndex + 1])
        {
            level = text[text.startIndex + 1] - UInt8(ascii: "0")
            text = text.dropFirst(3)
        }
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

    private func sayWhatIsMissing(of stream: Stream) {
        guard let size = try? stream.file.status().size else { return }  // as above
        let text = "[spoold: the journal did not take \(size - stream.offset) bytes of \(stream.name)]"
        _ = socket.send(message(text.utf8, level: 4, of: stream.name))
    }
}
