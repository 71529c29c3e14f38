import Glibc
import Linux
import WorkerProtocol

/// The standard input of a run that a command gives while the run lasts, see `Waiter`.
///
/// What holds: the job sees the end of its input only when all of it was given. Until then the worker holds the FIFO open for writing, so
/// that the death of whoever gives it is no end; it is found out here, and ends the run.
final class GivenInput {
    enum State { case open, complete, broken }

    /// The end of the FIFO that the command reads.
    let reader: RawBox
    private let waiter: FileDescriptor
    private let inotify: Inotify
    private var writer: RawBox?
    private let directory: String
    /// When to look again: the file is closed a moment before its lock goes.
    private(set) var lookAt: MonotonicInstant?

    private static let lockMilliseconds: Int64 = 10

    /// Nil: the job's input is no FIFO of this kind.
    init?(_ path: String, _ request: RunRequest) throws(StartFailure) {
        directory = request.jobDirectory
        guard path == "\(directory)/stdin" else { return nil }
        let gone = StartFailure(
            errno: EPIPE, message: "its standard input was given by a spoolctl submit -w that has ended, and is not kept: submit it anew")
        do throws(SystemError) {
            // Where it does not exist, the error says so better when it is opened.
            let status = try FileStatus.read(path)
            if status.kind == .symbolicLink, try Directory.open(directory).readSymbolicLink("stdin") == Waiter.inputGone {
                throw gone.asSystemError
            }
            guard status.kind == .fifo, status.owner == geteuid() else { return nil }
            inotify = try Inotify()
            let file = "\(directory)/\(Waiter.fileName)"
            do throws(SystemError) {
                // Before it is looked at, so that nothing falls between.
                _ = try inotify.add(file, [.attributesChanged, .closedWithoutWriting])
                waiter = try FileDescriptor.open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
                guard try waiter.firstLocked(in: Waiter.waitingByte) != nil else { throw gone.asSystemError }
                let reading = try FileDescriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
                let writing = try FileDescriptor.open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
                // All of it was stored meanwhile: it is an input as any.
                guard try reading.status().kind == .fifo, try writing.status().kind == .fifo else { return nil }
                reader = RawBox(reading)
                writer = RawBox(writing)
            } catch {
                throw error.errno == ENOENT || error.errno == ENXIO ? gone.asSystemError : error
            }
        } catch {
            if error.errno == EPIPE { throw gone }
            throw StartFailure(errno: error.errno, message: "standard input \"\(path)\": \(error.message)")
        }
    }

    /// The command has begun: what it is given cannot be given again, unless all of it is stored there.
    func begin() {
        let link = ".stdin.part"
        do throws(SystemError) {
            let directory = try Directory.open(directory)
            try directory.makeSymbolicLink(link, to: Waiter.inputGone)
            // Exchanged, so that what was stored at this moment is not lost.
            try directory.exchange(link, "stdin")
            if try directory.status(link).kind == .file { try directory.exchange(link, "stdin") }
            try directory.unlink(link)
        } catch {
            // What cannot be replaced stays a FIFO, which the next run finds without its giver.
        }
    }

    /// Readable when something has happened to the waiter's file.
    var raw: Int32 { writer == nil ? -1 : inotify.descriptor.raw }

    func look() -> State {
        lookAt = nil
        guard writer != nil else { return .complete }
        var events: [InotifyEvent] = []
        // Nothing but the file counts; events only say when to look.
        _ = try? inotify.readEvents(into: &events)
        // An error is no news of either.
        let isThere: Bool
        do throws(SystemError) { isThere = try waiter.firstLocked(in: Waiter.waitingByte) != nil } catch { return .open }
        if let mode = try? waiter.status().mode, mode == Waiter.modeAtEndOfInput {
            writer = nil
            return .complete
        }
        if !isThere { return .broken }
        if events.contains(where: { $0.mask.contains(.closedWithoutWriting) }) {
            lookAt = .now().advanced(byMilliseconds: Self.lockMilliseconds)
        }
        return .open
    }
}

extension StartFailure {
    fileprivate var asSystemError: SystemError { SystemError(call: "open", errno: errno) }
}
