import Glibc
import Linux
import Store

/// A job that this command waits for since before the job was submitted: the command shows its output and can give its input. See
/// `Waiter`.
final class AwaitedJob {
    private let directory: Directory
    private let waiter: FileDescriptor
    private let input: InputFeed?

    /// Creates the files for waiting in the job's directory, before the job is submitted.
    /// `showsOutput`: this command reads all that the job writes.
    /// `feedsInput`: this command gives its standard input to the job while it runs.
    init(_ path: String, showsOutput: Bool, feedsInput: Bool) throws(SystemError) {
        directory = try Directory.open(path)
        waiter = try directory.openFile(Waiter.fileName, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: Waiter.mode)
        // The umask may have removed rights.
        try waiter.setMode(Waiter.mode)
        try waiter.lockReading(count: (showsOutput ? Waiter.outputByte : Waiter.waitingByte).upperBound)
        input = feedsInput ? try InputFeed(path, waiter: waiter.raw) : nil
    }

    /// Starts the thread that gives the input. Called once, after blocking the signals that another thread would receive.
    func start() throws(SystemError) { try input?.start() }

    /// True when the job would miss some of its input if this command ended now. A job that has not begun reads the stored input.
    func breaksOff(hasBegun: Bool) -> Bool {
        guard let input, hasBegun || !input.isStored else { return false }
        // When fstat(2) fails on this open file, the worker cannot learn of the end of the input either.
        return (try? waiter.status().mode) != Waiter.modeAtEndOfInput
    }

    /// Ends the waiting.
    func stopWaiting() {
        input?.finish()
        try? directory.unlink(Waiter.fileName)  // ENOENT: the record was removed
    }
}
