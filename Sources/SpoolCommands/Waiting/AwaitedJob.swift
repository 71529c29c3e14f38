import Glibc
import Linux
import Store

/// A job that this command waits for from before it was submitted: whose output it shows, and whose input it may give. See `Waiter`.
final class AwaitedJob {
    private let directory: Directory
    private let waiter: FileDescriptor
    private let input: InputFeed?

    /// Makes what is needed in the job's directory, which nobody knows yet.
    /// `showsOutput`: all that the job writes is going to be read.
    /// `feedsInput`: standard input is to be given to the job while it runs.
    init(_ path: String, showsOutput: Bool, feedsInput: Bool) throws(SystemError) {
        directory = try Directory.open(path)
        waiter = try directory.openFile(Waiter.fileName, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: Waiter.mode)
        // Of a umask that takes rights away.
        try waiter.setMode(Waiter.mode)
        try waiter.lockReading(count: (showsOutput ? Waiter.outputByte : Waiter.waitingByte).upperBound)
        input = feedsInput ? try InputFeed(path, waiter: waiter.raw) : nil
    }

    /// Begins to give the input. Called once, when signals are blocked that another thread would take.
    func start() throws(SystemError) { try input?.start() }

    /// Whether the job will miss some of its input when this command ends now. One that has not begun reads what is stored of it.
    func breaksOff(hasBegun: Bool) -> Bool {
        guard let input, hasBegun || !input.isStored else { return false }
        // A file of our own that is open: if it cannot be asked, the worker cannot know the end either.
        return (try? waiter.status().mode) != Waiter.modeAtEndOfInput
    }

    /// It is not waited for any more.
    func stopWaiting() {
        input?.finish()
        try? directory.unlink(Waiter.fileName)  // ENOENT: the record was removed
    }
}
