import CLinux
import Glibc
import Linux
import Store

/// Copies standard input into the FIFO of a job, on a thread of its own, so that a slow job does not delay the output, and a slow
/// reader of the output does not delay the input.
///
/// The input is also kept in a file, up to that file's limit, so that a retry of a job that ends early gets all of it.
/// Only the thread changes the variables below `// MARK: The thread`.
final class InputFeed: @unchecked Sendable {
    private let directory: Directory
    /// An open reading end: the FIFO keeps its content before the job begins, and a write does not fail when the job has stopped reading.
    private let reader: FileDescriptor
    private let waiter: Int32
    /// ``finish()`` closes this end, and the thread then ends.
    private var stopWriter: Int32
    private let stopReader: Int32
    /// The thread writes here when it begins to store the complete input, and closes this end when it has stored it.
    private let news: Int32
    private var newsWriter: Int32
    private var hasStarted = false

    /// The time for reading what was written to a pipe before the job ended.
    private static let drainMilliseconds: Int64 = 100
    /// The further time for a read that another process's read of the same input delays.
    private static let endMilliseconds: Int32 = 1000

    init(_ path: String, waiter: Int32) throws(SystemError) {
        directory = try Directory.open(path)
        if mkfifoat(directory.raw, Layout.inputFile, 0o600) != 0 { throw SystemError(call: "mkfifo", path: Layout.inputFile, errno: errno) }
        reader = try directory.openFile(Layout.inputFile, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        let writing = try directory.openFile(Layout.inputFile, O_WRONLY | O_NOFOLLOW | O_NONBLOCK)
        (stopReader, stopWriter) = try Pipe().release()
        (news, newsWriter) = try Pipe().release()
        kept = KeptInput(in: directory)
        writer = writing.release()
        self.waiter = waiter
    }

    /// Called once, after blocking the signals that the thread would receive.
    func start() throws(SystemError) {
        var thread = pthread_t()
        let failure = pthread_create(&thread, nil, { feed in
            Unmanaged<InputFeed>.fromOpaque(feed!).takeRetainedValue().copy()
            return nil
        }, Unmanaged.passRetained(self).toOpaque())
        if failure != 0 { throw SystemError(call: "pthread_create", errno: failure) }
        pthread_detach(thread)
        hasStarted = true
    }

    /// Stores the input if all of it has been read. The job gets no more input afterwards.
    func finish() {
        guard hasStarted, stopWriter >= 0 else { return }
        close(stopWriter)
        stopWriter = -1
        var polled = pollfd(fd: news, events: Int16(POLLIN), revents: 0)
        guard poll(&polled, 1, Int32(Self.drainMilliseconds) + Self.endMilliseconds) > 0 else { return }
        var byte: UInt8 = 0
        // There is no time limit for storing: it takes as long as the disk needs.
        while Glibc.read(news, &byte, 1) != 0 { _ = poll(&polled, 1, -1) }
    }

    /// True when all of the input is stored in the job's directory.
    var isStored: Bool {
        // When the status cannot be read, the input is not stored.
        (try? directory.status(Layout.inputFile))?.kind == .file
    }

    // MARK: The thread

    private var writer: Int32
    /// The input so far, until it is too large to be kept.
    private var kept: KeptInput?
    private var isKept = true
    /// The number of bytes of ``kept`` that were given to the job.
    private var given: Int64 = 0
    /// Input that was read and is not in ``kept``.
    private var chunk: [UInt8] = []
    private var isAtEnd = false

    private static let chunkBytes = 64 << 10

    private var hasPending: Bool { (kept.map { $0.count > given } ?? false) || !chunk.isEmpty }

    private func copy() {
        defer { close(newsWriter) }
        while !isAtEnd || hasPending {
            // While the input is kept, it is read ahead of the job.
            let takes = !isAtEnd && chunk.isEmpty && (isKept || !hasPending)
            var polled = [
                pollfd(fd: takes ? STDIN_FILENO : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: hasPending ? writer : -1, events: Int16(POLLOUT), revents: 0),
                pollfd(fd: stopReader, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&polled, nfds_t(polled.count), -1) > 0 else { continue }
            if polled[2].revents != 0 { return drain() }
            if polled[1].revents != 0 { give() }
            if polled[0].revents != 0 { take() }
        }
        // The worker closes its writing end when it sees this mode, and the job sees the end of its input when ours is closed too.
        if fchmod(waiter, Waiter.modeAtEndOfInput) != 0 { fail("chmod", errno) }
        close(writer)
    }

    /// After the job's end: keeps the input that was written before, if the input then ends.
    private func drain() {
        let end = MonotonicInstant.now().advanced(byMilliseconds: Self.drainMilliseconds)
        while isKept, !isAtEnd {
            var polled = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            let count = poll(&polled, 1, end.pollTimeout())
            if count == 0 { return }
            if count > 0 { take() }
        }
    }

    private func take() {
        var bytes = [UInt8](repeating: 0, count: Self.chunkBytes)
        let count = Glibc.read(STDIN_FILENO, &bytes, bytes.count)
        // EAGAIN: another process that shares the input made it non-blocking, and has read first.
        if count < 0, errno != EINTR, errno != EAGAIN { fail("read", errno) }
        if count < 0 { return }
        if count == 0 {
            isAtEnd = true
            return store()
        }
        bytes.removeLast(bytes.count - count)
        if isKept, kept?.append(bytes) == true { return }
        isKept = false
        chunk = bytes
    }

    private func store() {
        guard isKept, kept != nil else { return }
        var byte: UInt8 = 0
        _ = Glibc.write(newsWriter, &byte, 1)
        // Input that cannot be stored is not kept; `retry` reports that.
        do throws(SystemError) { try kept?.publish(in: directory) } catch { isKept = false }
    }

    private func give() {
        let bytes: [UInt8]
        let isOfKept: Bool
        do throws(SystemError) {
            let stored = try kept?.bytes(at: given, count: Self.chunkBytes) ?? []
            isOfKept = !stored.isEmpty
            bytes = isOfKept ? stored : chunk
        } catch { fail("read back", error.errno) }
        let count = bytes.withUnsafeBytes { Glibc.write(writer, $0.baseAddress!, bytes.count) }
        if count < 0 {
            if errno != EAGAIN, errno != EINTR { fail("write", errno) }
        } else if isOfKept {
            given += Int64(count)
        } else {
            chunk.removeFirst(count)
        }
    }

    /// Exits, which tells the worker that the input is incomplete: the job must not take it for all of its input.
    private func fail(_ call: String, _ number: Int32) -> Never {
        let message = Array("spoolctl: stdin: \(call): \(SystemError.message(number)); the job ends because its input is incomplete\n".utf8)
        _ = Glibc.write(STDERR_FILENO, message, message.count)
        _exit(ExitCode.failed)
    }
}
