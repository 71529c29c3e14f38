import Glibc
import Linux
import Scheduler
import Store
import WorkerProtocol

/// Writes the output of jobs to standard output, besides its files.
///
/// Invariants:
/// - Nothing waits for the reader. Workers send little more than was written, see `DaemonOutput`, and leave out what the reader does not
///   take within some seconds after a run's end. How much that was is counted and said.
/// - While too much waits, or when nobody reads any more, nothing is taken. What arrives is counted at once, and confirmed when there is
///   room: until then the worker sends no more, and keeps the rest for later.
/// - A line is written whole: no other line begins within it. Of a line that is too long, each part is a line. See ``OutputLines``.
/// - When the reader is gone, what would have been written is counted. An error that may pass, such as a full disk, ends nothing: the
///   output waits.
final class JobOutput: Part {
    /// A pipe that poll(2) calls writable has room for this much, pipe(7): PIPE_BUF.
    private static let carefulBytes = 4096
    /// The number of notices about left out output that wait for the reader at most.
    private static let noticesMax = 1000
    /// The time between two tries to write, while there is an error that may pass.
    private static let retryMilliseconds: Int64 = 1000
    /// The errors that do not pass: nobody reads any more, or the descriptor cannot be written.
    private static let lastErrors = [EPIPE, EBADF, ECONNRESET, ENOTCONN, ESHUTDOWN, EDESTADDRREQ, ENXIO, EINVAL]
    /// The time that an ending daemon waits: workers give up a little earlier.
    private static let endMilliseconds: Int64 = 3500

    private let form: OutputForm
    private let descriptor: Int32
    private let kind: Kind
    /// The output that waits for the reader.
    private var lines: OutputLines
    private var token: EventLoop.Token?
    private var leftOutBytes: Int64 = 0
    private var closedAt: Instant?
    private var endBy: MonotonicInstant?
    /// The time of the next try to write, after an error that may pass. Nil when the last write succeeded.
    private var retryAt: MonotonicInstant?
    private let loop: EventLoop
    private let service: SpoolService
    private let log: Log
    /// The sizes of the pieces that were counted and not confirmed, by the number of their worker.
    private var unconfirmed: [Int: [Int]] = [:]
    /// Called when a piece of a worker has its lines, or was left out and there is room again, with the worker's number and the piece's
    /// size.
    var onTaken: (Int, Int) -> Void = { _, _ in }

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
        lines = OutputLines(form, isTerminal: isatty(1) == 1)
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

    // MARK: Taking

    /// Takes output of a worker. Returns false when too much waits already, or nobody reads: the output is left out and counted. It is
    /// confirmed by `onTaken`, sooner or later.
    func take(_ output: Report.Output, of source: OutputSource, from worker: Int) -> Bool {
        let piece = OutputLines.Piece(
            source, stream: output.stream, isPartial: output.isPartial, text: output.bytes, takenAt: service.now, worker: worker)
        guard closedAt == nil, !lines.isFull else {
            count(leftOut: piece.outputBytes())
            confirmLater(worker, output.bytes.count)
            return false
        }
        lines.add(piece)
        if retryAt == nil { write() }
        return true
    }

    private func confirmLater(_ worker: Int, _ bytes: Int) {
        // A worker that sends more is not spoold's.
        guard unconfirmed[worker, default: []].count < Report.Output.unconfirmedMax else { return }
        unconfirmed[worker, default: []].append(bytes)
    }

    /// Has the workers go on whose output was not taken, if there is room for it.
    private func confirm() {
        guard closedAt == nil, lines.hasRoom, !unconfirmed.isEmpty else { return }
        let due = unconfirmed
        unconfirmed = [:]
        for (worker, sizes) in due { for bytes in sizes { onTaken(worker, bytes) } }
    }

    /// Called when a worker is gone.
    func forget(worker: Int) { unconfirmed[worker] = nil }

    /// Counts output that a worker has left out, and says so in its place, together with what was counted before.
    func leaveOut(_ uncounted: Int64, besides counted: Int64, of source: OutputSource) {
        count(leftOut: uncounted)
        let count = uncounted.addingSaturated(counted)
        // When nobody reads, that is said once.
        guard count > 0, closedAt == nil else { return }
        log.write(
            .warning, "output-left-out", at: service.now,
            ["id": source.id, "bytes": "\(count)", "effect": "these are in the job's directory alone"])
        guard lines.noticesCount < Self.noticesMax else { return }
        let text = Array("[spoold: \(count) bytes are left out here; they are in the job's directory]".utf8)
        lines.add(OutputLines.Piece(source, stream: "spoold", isPartial: false, text: text, takenAt: service.now, worker: nil))
        if retryAt == nil { write() }
    }

    private func count(leftOut count: Int64) {
        leftOutBytes = leftOutBytes.addingSaturated(count)
        if count > 0 { service.isPublishDue = true }
    }

    // MARK: Writing

    /// Writes what the reader takes without waiting.
    private func write() {
        while closedAt == nil, !lines.isEmpty {
            if lines.isBatchWritten {
                for (worker, bytes) in lines.makeBatch() { onTaken(worker, bytes) }
                confirm()
            }
            let (count, number) = lines.withUnwritten(writeSome)
            if count > 0 {
                lines.wrote(count)
                goOn()
            } else if number == EAGAIN {
                if listen() { goOn() } else { hold(SystemError(call: "epoll_ctl", path: "standard output", errno: number)) }
                return
            } else if number != EINTR {
                let error = SystemError(call: "write", path: "standard output", errno: number)
                if isLast(error) { close(error) } else { hold(error) }
                break
            }
        }
        listenNoMore()
    }

    /// Returns a count above 0, or an error number.
    private func writeSome(_ bytes: UnsafeRawBufferPointer) -> (count: Int, errno: Int32) {
        let isCareful = kind == .shared
        if isCareful {
            var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&room, 1, 0) > 0 else { return (0, EAGAIN) }
        }
        let count = isCareful ? min(bytes.count, Self.carefulBytes) : bytes.count
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        errno = 0
        let written =
            kind == .socket ? send(descriptor, bytes.baseAddress, count, flags) : Glibc.write(descriptor, bytes.baseAddress, count)
        return (max(0, written), errno)
    }

    /// Waits for room at the reader. Returns false when that cannot be waited for.
    private func listen() -> Bool {
        if token == nil {
            token = try? loop.add(descriptor, .writable) { [unowned self] in write() }  // no memory, or a device: tried again later
        }
        return token != nil
    }

    private func listenNoMore() {
        guard let token else { return }
        loop.remove(descriptor, token)
        self.token = nil
    }

    // MARK: Errors

    private func isLast(_ error: SystemError) -> Bool {
        // EIO: a terminal that is gone. On a disk, it may pass.
        Self.lastErrors.contains(error.errno) || error.errno == EIO && kind != .file
    }

    /// Has the output wait until the error has passed.
    private func hold(_ error: SystemError) {
        if retryAt == nil {
            let effect = "output waits; what waits for too long is in the jobs' directories alone"
            log.write(.warning, "output-waits", at: service.now, ["error": "\(error)", "effect": effect])
        }
        retryAt = .now().advanced(byMilliseconds: Self.retryMilliseconds)
    }

    private func goOn() {
        guard retryAt != nil else { return }
        retryAt = nil
        log.write(.notice, "output-goes-on", at: service.now)
    }

    func beforeTurn() { if let due = retryAt, due <= .now(), !isOver { write() } }

    private func close(_ error: SystemError) {
        closedAt = service.now
        retryAt = nil
        for (worker, bytes) in lines.unmade { confirmLater(worker, bytes) }
        count(leftOut: lines.giveUp())
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
        return closedAt == nil && (isMoreComing || !lines.isEmpty) && end > .now()
    }

    /// Counts what the reader does not get any more.
    func end() {
        isOver = true
        for (worker, bytes) in lines.unmade { confirmLater(worker, bytes) }
        let leftOut = lines.giveUp()
        count(leftOut: leftOut)
        if leftOut > 0 {
            log.write(
                .warning, "output-left-out", at: service.now,
                ["bytes": "\(leftOut)", "effect": "these are in the jobs' directories alone"])
        }
    }

    /// Called when the daemon does not end after all.
    func takeAgain() {
        (isOver, endBy) = (false, nil)
        confirm()
    }

    var wakeAt: Wake { Wake(monotonic: isOver ? nil : [endBy, retryAt].lazy.compactMap(\.self).min()) }
    var isIdle: Bool { lines.isEmpty }

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
