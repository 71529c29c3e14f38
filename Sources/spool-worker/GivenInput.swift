import Glibc
import Linux
import WorkerProtocol

/// The standard input that another command gives to a run while it lasts. See `Waiter`.
///
/// Invariant: the job reads the end of its input only when all input was given. Until then the worker holds the FIFO open for
/// writing, so that the death of the giver does not look like the end of the input. This type detects that death, and the run is
/// then ended.
final class GivenInput {
    enum State { case open, complete, broken }

    /// The end of the FIFO that the command reads.
    let reader: RawBox
    private let waiter: FileDescriptor
    private let inotify: Inotify
    private var writer: RawBox?
    private let directory: String
    /// The time of the next check. The giver's file is closed a moment before its lock is released.
    private(set) var lookAt: MonotonicInstant?

    private static let lockMilliseconds: Int64 = 10

    /// Returns nil when the job's input is not a FIFO of this kind.
    init?(_ path: String, _ request: RunRequest) throws(StartFailure) {
        directory = request.jobDirectory
        guard path == "\(directory)/stdin" else { return nil }
        let gone = StartFailure(
            errno: EPIPE,
            message: "its standard input was given by a spoolctl submit -w that has ended, and is not kept: submit the job again")
        do throws(SystemError) {
            // If the file does not exist, opening it later gives the better error.
            let status = try FileStatus.read(path)
            if status.kind == .symbolicLink, try Directory.open(directory).readSymbolicLink("stdin") == Waiter.inputGone {
                throw gone.asSystemError
            }
            guard status.kind == .fifo, status.owner == geteuid() else { return nil }
            inotify = try Inotify()
            let file = "\(directory)/\(Waiter.fileName)"
            do throws(SystemError) {
                // Watch before the first check, so that no event is missed.
                _ = try inotify.add(file, [.attributesChanged, .closedWithoutWriting])
                waiter = try FileDescriptor.open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
                guard try waiter.firstLocked(in: Waiter.waitingByte) != nil else { throw gone.asSystemError }
                let reading = try FileDescriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
                let writing = try FileDescriptor.open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
                // All input was stored in the meantime, so this is an ordinary input file.
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

    /// The command has begun. Input that it has read cannot be given again, unless all of it is stored in the file.
    func begin() {
        let link = ".stdin.part"
        do throws(SystemError) {
            let directory = try Directory.open(directory)
            try directory.makeSymbolicLink(link, to: Waiter.inputGone)
            // Exchange the names, so that input stored at this moment is not lost.
            try directory.exchange(link, "stdin")
            if try directory.status(link).kind == .file { try directory.exchange(link, "stdin") }
            try directory.unlink(link)
        } catch {
            // If the FIFO cannot be replaced, the next run finds it without its giver.
        }
    }

    /// A descriptor that becomes readable when the waiter's file changes.
    var raw: Int32 { writer == nil ? -1 : inotify.descriptor.raw }

    func look() -> State {
        lookAt = nil
        guard writer != nil else { return .complete }
        var events: [InotifyEvent] = []
        _ = try? inotify.readEvents(into: &events)  // only the file's state counts; an event is only a reason to check it
        // After an error, neither state is known.
        let isThere: Bool
        do throws(SystemError) { isThere = try waiter.firstLocked(in: Waiter.waitingByte) != nil } catch { return .open }
        if let mode = try? waiter.status().mode, mode == Waiter.modeAtEndOfInput {  // unknown: not complete yet
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
