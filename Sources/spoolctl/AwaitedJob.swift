import CLinux
import Glibc
import Linux
import Store

/// A job that this command waits for from before it was submitted: whose output it shows, and whose input it may give. See `Waiter`.
final class AwaitedJob {
    private let directory: Directory
    private let waiter: FileDescriptor
    private let input: Feed?

    /// Makes what is needed in the job's directory, which nobody knows yet.
    /// `showsOutput`: all that the job writes is going to be read.
    /// `feedsInput`: standard input is to be given to the job while it runs.
    init(_ path: String, showsOutput: Bool, feedsInput: Bool) throws(SystemError) {
        directory = try Directory.open(path)
        waiter = try directory.openFile(Waiter.fileName, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: Waiter.mode)
        // Of a umask that takes rights away.
        try waiter.setMode(Waiter.mode)
        try waiter.lockReading(count: (showsOutput ? Waiter.outputByte : Waiter.waitingByte).upperBound)
        input = feedsInput ? try Feed(directory, waiter: waiter.raw) : nil
    }

    /// Begins to give the input. Called once, when signals are blocked that another thread would take.
    func start() throws(SystemError) { try input?.start() }

    /// Whether the job will miss some of its input when this command ends now.
    var breaksOff: Bool {
        guard input != nil else { return false }
        // A file of our own that is open: if it cannot be asked, the worker cannot know the end either.
        return (try? waiter.status().mode) != Waiter.modeAtEndOfInput
    }

    /// It is not waited for any more. ENOENT: the record was removed.
    func end() { try? directory.unlink(Waiter.fileName) }
}

/// Copies standard input into the FIFO of a job, on a thread of its own: neither a slow job nor a slow reader of its output holds up the other.
private final class Feed: @unchecked Sendable {
    /// Keeps what was written while the job has not begun, and a write from failing when the job reads no more.
    private let reader: FileDescriptor
    private var writer: Int32
    private let waiter: Int32

    init(_ directory: borrowing Directory, waiter: Int32) throws(SystemError) {
        let raw = directory.raw
        if mkfifoat(raw, Layout.inputFile, 0o600) != 0 { throw SystemError(call: "mkfifo", path: Layout.inputFile, errno: errno) }
        reader = try directory.openFile(Layout.inputFile, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        let writing = try directory.openFile(Layout.inputFile, O_WRONLY | O_NOFOLLOW)
        writer = writing.release()
        self.waiter = waiter
    }

    func start() throws(SystemError) {
        var thread = pthread_t()
        let failure = pthread_create(&thread, nil, { feed in
            Unmanaged<Feed>.fromOpaque(feed!).takeRetainedValue().copy()
            return nil
        }, Unmanaged.passRetained(self).toOpaque())
        if failure != 0 { throw SystemError(call: "pthread_create", errno: failure) }
        pthread_detach(thread)
    }

    private func copy() {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(STDIN_FILENO, &buffer, buffer.count)
            if count > 0 {
                var done = 0
                while done < count {
                    let written = buffer.withUnsafeBytes { Glibc.write(writer, $0.baseAddress! + done, count - done) }
                    if written >= 0 { done += written } else if errno != EINTR { fail("write", errno) }
                }
            } else if count == 0 {
                return end()
            } else if errno == EAGAIN {
                // Whoever shares it made it so.
                var polled = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
                _ = poll(&polled, 1, -1)
            } else if errno != EINTR {
                fail("read", errno)
            }
        }
    }

    /// Says that this was all. The worker then closes its writing end, and the job sees the end when ours is closed, too.
    private func end() {
        if fchmod(waiter, Waiter.modeAtEndOfInput) != 0 { fail("chmod", errno) }
        close(writer)
        writer = -1
    }

    /// The job is not to take what it has got for all of its input: the end of this command tells the worker.
    private func fail(_ call: String, _ number: Int32) -> Never {
        let message = Array("spoolctl: stdin: \(call): \(SystemError.message(number)); the job ends, for its input breaks off\n".utf8)
        _ = Glibc.write(STDERR_FILENO, message, message.count)
        _exit(ExitCode.failed)
    }
}
