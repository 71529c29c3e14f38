import Glibc
import Linux
import WorkerProtocol

/// Output files of ended runs that are larger than their limit and wait for a reader.
///
/// The reader is announced by `Waiter` and has not opened the file yet. Meanwhile the run is reported, its slot is free, and its
/// directory may be moved. If this worker ends first, the file stays whole: more is kept than the limit allows, and the reader
/// finds all of it.
struct LaterCuts {
    private var cuts: [LaterCut] = []
    private var waitMilliseconds = LaterCuts.shortestWaitMilliseconds
    /// Nil when no file waits.
    private(set) var nextLookAt: MonotonicInstant?

    private static let shortestWaitMilliseconds: Int64 = 50
    private static let longestWaitMilliseconds: Int64 = 30_000

    mutating func add(_ more: [LaterCut]) {
        guard !more.isEmpty else { return }
        cuts += more
        waitMilliseconds = Self.shortestWaitMilliseconds
        nextLookAt = .now().advanced(byMilliseconds: waitMilliseconds)
    }

    /// Cuts the files for which no reader is expected any more.
    mutating func lookIfDue() {
        guard let nextLookAt, nextLookAt <= .now() else { return }
        lookAtAll()
        waitMilliseconds = min(waitMilliseconds * 2, Self.longestWaitMilliseconds)
        self.nextLookAt = cuts.isEmpty ? nil : .now().advanced(byMilliseconds: waitMilliseconds)
    }

    mutating func lookAtAll() { cuts.removeAll { $0.look() } }
}

/// One file that waits for its reader.
final class LaterCut {
    private var file: LimitedOutput
    private let inode: UInt64
    /// The run's directory. The descriptor follows it when it is moved.
    private let directory: Directory

    init(_ file: LimitedOutput, _ inode: UInt64, in directory: consuming Directory) {
        self.file = file
        self.inode = inode
        self.directory = directory
    }

    /// Cuts the file unless a reader is still expected. Returns false if the file must be checked again.
    func look() -> Bool {
        // The file was removed in the meantime: there is nothing to cut.
        guard let name = file.name(of: inode, in: directory) else { return true }
        do throws(SystemError) {
            if try file.reading(in: directory, as: name) == .unopened, Waiter.isReaderAnnounced(in: directory) { return false }
            try file.cut(in: directory, as: name)
        } catch {
            // A file that cannot be cut stays as it is: larger than the limit, but complete.
        }
        return true
    }
}

extension Waiter {
    /// True when a command waits for the job in this directory and shows its output. Most jobs have no such command.
    static func isReaderAnnounced(in directory: borrowing Directory) -> Bool {
        let file = try? directory.openFile(fileName, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK)  // unreadable: nobody waits
        guard let file else { return false }
        return (try? file.firstLocked(in: outputByte)) != nil  // no locks on this file system: nobody waits
    }
}
