import Glibc
import Linux
import WorkerProtocol

/// Output files of runs that have ended, which are larger than their limit and wait for a reader.
///
/// The reader is announced, by `Waiter`, and has not opened the file. The run is reported meanwhile, its slot is free, and its directory
/// may be moved. When this worker ends first, the file stays whole: more is kept than was asked for, and the reader finds all of it.
struct LaterCuts {
    private var cuts: [LaterCut] = []
    private var waitMilliseconds = LaterCuts.shortestWaitMilliseconds
    /// Nil when nothing waits.
    private(set) var nextLookAt: MonotonicInstant?

    private static let shortestWaitMilliseconds: Int64 = 50
    private static let longestWaitMilliseconds: Int64 = 30_000

    mutating func add(_ more: [LaterCut]) {
        guard !more.isEmpty else { return }
        cuts += more
        waitMilliseconds = Self.shortestWaitMilliseconds
        nextLookAt = .now().advanced(byMilliseconds: waitMilliseconds)
    }

    /// Cuts what waits for nobody any more.
    mutating func lookIfDue() {
        guard let nextLookAt, nextLookAt <= .now() else { return }
        lookAtAll()
        waitMilliseconds = min(waitMilliseconds * 2, Self.longestWaitMilliseconds)
        self.nextLookAt = cuts.isEmpty ? nil : .now().advanced(byMilliseconds: waitMilliseconds)
    }

    mutating func lookAtAll() { cuts.removeAll { $0.look() } }
}

/// One of them.
final class LaterCut {
    private var file: LimitedOutput
    private let inode: UInt64
    /// The run's directory, wherever it is moved.
    private let directory: Directory

    init(_ file: LimitedOutput, _ inode: UInt64, in directory: consuming Directory) {
        self.file = file
        self.inode = inode
        self.directory = directory
    }

    /// Cuts the file unless a reader of it is still to come. False: look again.
    func look() -> Bool {
        // Removed meanwhile: nothing is to be cut.
        guard let name = file.name(of: inode, in: directory) else { return true }
        do throws(SystemError) {
            if try file.reading(in: directory, as: name) == .unopened, Waiter.isReaderAnnounced(in: directory) { return false }
            try file.cut(in: directory, as: name)
        } catch {
            // What cannot be cut stays as it is: more than was asked for, and nothing is lost.
        }
        return true
    }
}

extension Waiter {
    /// A command waits for the job in this directory, and shows what the job writes.
    static func isReaderAnnounced(in directory: borrowing Directory) -> Bool {
        // Not there is the rule; what cannot be asked is as good as nobody.
        guard let file = try? directory.openFile(fileName, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK) else { return false }
        return (try? file.firstLocked(in: outputByte)) != nil  // a file system without locks: as above
    }
}
