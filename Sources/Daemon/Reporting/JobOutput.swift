import Glibc
import Linux
import Scheduler
import Store
import WorkerProtocol

/// The form of jobs' output on spoold's standard output.
public enum OutputForm: String, Sendable {
    /// A line of output after the task's name and the job's id.
    case stdout
    /// A JSON object for each line.
    case json
}

/// A try whose output comes.
struct OutputSource {
    fileprivate let id: String
    fileprivate let attempt: Int
    /// The task's name. The job's own when it is of no task.
    fileprivate let task: String

    init(_ job: Job) {
        id = job.id.text
        attempt = job.attempt
        task = job.task ?? job.name
    }

    func isOf(_ id: String, _ attempt: Int) -> Bool { self.id == id && self.attempt == attempt }
}

/// Writes the output of jobs to standard output, besides its files.
///
/// Invariants:
/// - Nothing waits for the reader. Workers send little more than was written, see `DaemonOutput`, and leave out what the reader does not
///   take within some seconds after a run's end. How much that was is counted and said.
/// - A line is written whole: no other line begins within it. Of a line that is too long, each part is a line.
/// - When the reader is gone, what would be written is counted.
final class JobOutput: Part {
    /// A pipe that poll(2) calls writable has room for this much, pipe(7): PIPE_BUF.
    private static let carefulBytes = 4096
    private static let writeBytes = 64 << 10
    /// Notices about left out output are not kept while this much waits for the reader.
    private static let noticesMaxBytes = 1 << 20
    /// The time that an ending daemon waits: workers give up a little earlier.
    private static let endMilliseconds: Int64 = 3500

    private let form: OutputForm
    private let descriptor: Int32
    private let kind: Kind
    private let isTerminal = isatty(1) == 1
    /// Bytes for the reader, who has taken those before `start`.
    private var bytes: [UInt8] = []
    private var start = 0
    /// The number of bytes that were ever added and written.
    private var addedCount: Int64 = 0
    private var writtenCount: Int64 = 0
    /// Bytes to confirm to their workers, once everything before `end` is written.
    private var unconfirmed: [(worker: Int, count: Int, end: Int64)] = []
    private var token: EventLoop.Token?
    private var leftOutBytes: Int64 = 0
    private var closedAt: Instant?
    private var endBy: MonotonicInstant?
    private let loop: EventLoop
    private let service: SpoolService
    private let log: Log
    /// Called when bytes of a worker were written, with the worker's number.
    var onWritten: (Int, Int) -> Void = { _, _ in }

    private enum Kind {
        /// A pipe or terminal, opened anew: an open file of its own can be non-blocking without effect on others.
        case own
        case socket
        /// A pipe or terminal that cannot be opened anew. It is asked before each write.
        case shared
        case file
    }

    init(_ form: OutputForm, _ loop: EventLoop, _ service: SpoolService, _ log: Log) {
        self.form = form
        self.loop = loop
        self.service = service
        self.log = log
        let status = try? FileStatus.read("/proc/self/fd/1", followingLinks: true)  // no /proc: treated with care
        switch status?.kind {
        case .file: (descriptor, kind) = (1, .file)
        case .socket: (descriptor, kind) = (1, .socket)
        default:
            let flags = O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
            let own = (try? FileDescriptor.open("/proc/self/fd/1", flags))?.release()  // another user's: treated with care
            (descriptor, kind) = own.map { ($0, .own) } ?? (1, .shared)
        }
    }

    // MARK: Lines

    /// Takes output of a worker. It is confirmed by `onWritten`.
    func take(_ output: Report.Output, of source: OutputSource, from worker: Int) {
        if closedAt == nil {
            for line in output.bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
                add(line, of: source, stream: output.stream, isPartial: output.isPartial)
            }
            addedCount = writtenCount + Int64(bytes.count - start)
        } else {
            leftOutBytes += Int64(output.bytes.count)
            service.isPublishDue = true
        }
        unconfirmed.append((worker, output.bytes.count, addedCount))
        write()
    }

    /// Counts output that a worker has left out, and says so in its place.
    func leaveOut(_ count: Int64, of source: OutputSource) {
        guard count > 0 else { return }
        leftOutBytes += count
        service.isPublishDue = true
        log.write(
            .warning, "output-left-out", at: service.now,
            ["id": source.id, "bytes": "\(count)", "effect": "these are in the job's directory alone"])
        guard closedAt == nil, bytes.count - start < Self.noticesMaxBytes else { return }
        let text = "[spoold: \(count) bytes are left out here; they are in the job's directory]"
        add(Array(text.utf8)[...], of: source, stream: "spoold", isPartial: false)
        addedCount = writtenCount + Int64(bytes.count - start)
        write()
    }

    private func add(_ line: ArraySlice<UInt8>, of source: OutputSource, stream: String, isPartial: Bool) {
        switch form {
        case .stdout:
            bytes += source.task.utf8
            bytes.append(UInt8(ascii: " "))
            bytes += source.id.utf8
            if stream != Layout.outputFile {
                bytes.append(UInt8(ascii: " "))
                bytes += stream.utf8
            }
            bytes += ": ".utf8
            if isTerminal { addVisible(line) } else { bytes += line }
        case .json:
            var writer = JSONWriter(reserving: line.count + 200)
            writer.beginObject()
            writer.member("time", service.now)
            writer.member("task", source.task)
            writer.member("id", source.id)
            writer.member("try", source.attempt)
            writer.member("stream", stream)
            writer.member("text", String(decoding: line, as: UTF8.self))
            if isPartial { writer.member("partial", true) }
            writer.endObject()
            bytes += writer.bytes
        }
        bytes.append(UInt8(ascii: "\n"))
    }

    /// Adds text of which the terminal obeys nothing.
    private func addVisible(_ line: ArraySlice<UInt8>) {
        for scalar in String(decoding: line, as: UTF8.self).unicodeScalars {
            if scalar != "\t", TerminalText.isUnsafe(scalar.value) {
                bytes += TerminalText.escape(scalar).utf8
            } else {
                bytes += Array(String(Character(scalar)).utf8)
            }
        }
    }

    // MARK: Writing

    /// Writes what the reader takes without waiting.
    private func write() {
        while start < bytes.count, closedAt == nil {
            let count = writeSome()
            if count > 0 {
                start += count
                writtenCount += Int64(count)
            } else if errno == EAGAIN {
                break
            } else if errno != EINTR {
                close(SystemError(call: "write", path: "standard output", errno: errno))
            }
        }
        if start == bytes.count || start > Self.noticesMaxBytes {
            bytes.removeFirst(start)
            start = 0
        }
        confirm()
        listen(!bytes.isEmpty)
    }

    private func writeSome() -> Int {
        let isCareful = kind == .shared
        if isCareful {
            var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&room, 1, 0) > 0 else {
                errno = EAGAIN
                return -1
            }
        }
        let count = min(bytes.count - start, isCareful ? Self.carefulBytes : Self.writeBytes)
        return bytes.withUnsafeBytes { buffer in
            let from = buffer.baseAddress! + start
            let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
            return kind == .socket ? send(descriptor, from, count, flags) : Glibc.write(descriptor, from, count)
        }
    }

    private func confirm() {
        let ready = unconfirmed.prefix { $0.end <= writtenCount || closedAt != nil }
        unconfirmed.removeFirst(ready.count)
        for one in ready { onWritten(one.worker, one.count) }
    }

    /// Waits, or waits no more, for room at the reader.
    private func listen(_ isWanted: Bool) {
        if let token, !isWanted {
            loop.remove(descriptor, token)
            self.token = nil
        } else if token == nil, isWanted {
            do throws(SystemError) {
                token = try loop.add(descriptor, .writable) { [unowned self] in write() }
            } catch {
                // A regular file cannot be waited for. It never refuses a write for now.
                close(error)
                confirm()
            }
        }
    }

    private func close(_ error: SystemError) {
        let lost = Int64(bytes.count - start)
        leftOutBytes += lost
        closedAt = service.now
        bytes = []
        start = 0
        service.isPublishDue = true
        log.write(
            .warning, "output-closed", at: service.now,
            ["error": "\(error)", "effect": "the output of jobs is in their directories alone from now on"])
    }

    // MARK: Ending

    /// True when an ending daemon waits no more.
    private(set) var isOver = false

    /// True while an ending daemon has to wait: for more output, or for the reader. Some seconds at most.
    func waitsToEnd(isMoreComing: Bool) -> Bool {
        let end = endBy ?? .now().advanced(byMilliseconds: Self.endMilliseconds)
        endBy = end
        if isMoreComing || !bytes.isEmpty, end > .now() { return true }
        isOver = true
        if !bytes.isEmpty {
            log.write(
                .warning, "output-left-out", at: service.now,
                ["bytes": "\(bytes.count - start)", "effect": "these are in the jobs' directories alone"])
        }
        return false
    }

    var wakeAt: Wake { Wake(monotonic: isOver ? nil : endBy) }
    var isIdle: Bool { bytes.isEmpty }

    /// Writes the member `output` of `state/status.json`.
    func write(to writer: inout JSONWriter) {
        writer.key("output")
        writer.beginObject()
        writer.member("form", form.rawValue)
        writer.member("left_out_bytes", Int(leftOutBytes))
        writer.member("closed_at", closedAt)
        writer.endObject()
    }
}
