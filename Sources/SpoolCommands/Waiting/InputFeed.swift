import CLinux
import Glibc
import Linux
import Store

/// Copies standard input into the FIFO of a job, on a thread of its own: neither a slow job nor a slow reader of its output holds up the
/// other.
///
/// The input is read ahead of the job, into a file, as far as that keeps it: so a job that ends early can be given all of it again.
/// Only the thread changes what is below `// MARK: The thread`.
final class InputFeed: @unchecked Sendable {
    private let directory: Directory
    /// Keeps what was written while the job has not begun, and a write from failing when the job reads no more.
    private let reader: FileDescriptor
    private let waiter: Int32
    /// Closed by ``finish()``: the thread is to come to its end.
    private var stopWriter: Int32
    private let stopReader: Int32
    /// The thread writes here when it begins to store what is whole, and closes it when it is done.
    private let news: Int32
    private var newsWriter: Int32
    private var hasStarted = false

    /// What was written to a pipe before the job ended may take so long to be read.
    private static let drainMilliseconds: Int64 = 100
    /// After that, a read that somebody else's read of the same input holds up is not waited for.
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

    /// Called once, when signals are blocked that the thread would take.
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

    /// Stores what is whole by now. Nobody gives the job anything any more afterwards.
    func finish() {
        guard hasStarted, stopWriter >= 0 else { return }
        close(stopWriter)
        stopWriter = -1
        var polled = pollfd(fd: news, events: Int16(POLLIN), revents: 0)
        guard poll(&polled, 1, Int32(Self.drainMilliseconds) + Self.endMilliseconds) > 0 else { return }
        var byte: UInt8 = 0
        // Storing takes as long as the disk needs.
        while Glibc.read(news, &byte, 1) != 0 { _ = poll(&polled, 1, -1) }
    }

    /// Whether all of the input is stored in the job's directory.
    var isStored: Bool {
        // A directory that cannot be looked at has it not.
        (try? directory.status(Layout.inputFile))?.kind == .file
    }

    // MARK: The thread

    private var writer: Int32
    /// What has come, until it is too much to be kept.
    private var kept: KeptInput?
    private var isKept = true
    /// How much of ``kept`` was given to the job.
    private var given: Int64 = 0
    /// What has come and is not in ``kept``.
    private var chunk: [UInt8] = []
    private var isAtEnd = false

    private static let chunkBytes = 64 << 10

    private var hasPending: Bool { (kept.map { $0.count > given } ?? false) || !chunk.isEmpty }

    private func copy() {
        defer { close(newsWriter) }
        while !isAtEnd || hasPending {
            // While it is kept, the input is read ahead of the job.
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
        // This was all. The worker then closes its writing end, and the job sees the end when ours is closed, too.
        if fchmod(waiter, Waiter.modeAtEndOfInput) != 0 { fail("chmod", errno) }
        close(writer)
    }

    /// The job has ended: what was written for it before is kept, if that is all there is.
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
        // EAGAIN: whoever shares the input made it so, and was faster.
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
        // What cannot be stored is not kept, as before: retry says so.
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

    /// The job is not to take what it has got for all of its input: the end of this command tells the worker.
    private func fail(_ call: String, _ number: Int32) -> Never {
        let message = Array("spoolctl: stdin: \(call): \(SystemError.message(number)); the job ends, for its input breaks off\n".utf8)
        _ = Glibc.write(STDERR_FILENO, message, message.count)
        _exit(ExitCode.failed)
    }
}
