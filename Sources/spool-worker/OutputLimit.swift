import CLinux
import Glibc
import Linux
import WorkerProtocol

/// Keeps a run's output files from filling the disk. Of each file the beginning and the end are kept, half the limit each.
///
/// Invariants:
/// - While the command runs, it appends to the files and holds them open, so the excess is given back to the disk as a hole. The
///   files are checked each second while they grow, and less often while they do not: on a disk that takes a gigabyte a second, a
///   job can use that much before it is noticed.
/// - When the command has ended, a shorter file replaces a file that is too large. A line in it says how much was left out.
/// - A reader holds a lock on the part of a file that it has not read. That part is given back only when it is larger than the
///   free space of the file system, so that a stopped reader does not fill the disk. A reader that has the file open when the
///   shorter one replaces it reads on in the old file. If a reader is announced and has not opened the file yet, the file stays
///   as it is and is cut later, see `LaterCuts`.
/// - Before any part is removed, a file beside the output describes it, see `OutputCut`.
struct OutputLimit {
    private let directory: String
    private var files: [LimitedOutput]
    private var waitMilliseconds = OutputLimit.shortestWaitMilliseconds
    private(set) var nextLookAt: MonotonicInstant

    private static let shortestWaitMilliseconds: Int64 = 1000
    private static let longestWaitMilliseconds: Int64 = 30_000

    /// Returns nil when nothing is limited.
    init?(_ request: RunRequest) {
        guard request.outputLimitBytes > 0 else { return nil }
        directory = request.jobDirectory
        files = Set([request.stdoutName, request.stderrName]).map { LimitedOutput(request, $0) }
        nextLookAt = .now().advanced(byMilliseconds: waitMilliseconds)
    }

    /// Gives back the middle of the files that have grown too large.
    mutating func look() {
        var hasGrown = false
        if let directory = try? Directory.open(directory) {  // removed or moved: its files are not limited any more
            let isAwaited = Waiter.isReaderAnnounced(in: directory)
            for place in files.indices {
                guard let grown = try? files[place].giveBack(in: directory, keepingAll: isAwaited) else { continue }  // as above
                hasGrown = hasGrown || grown
            }
        }
        let longer = min(waitMilliseconds * 2, Self.longestWaitMilliseconds)
        waitMilliseconds = hasGrown ? Self.shortestWaitMilliseconds : longer
        nextLookAt = .now().advanced(byMilliseconds: waitMilliseconds)
    }

    /// Cuts the middle out of the files that are too large, once the command has ended. Returns the cuts that must be made later.
    func finish() -> [LaterCut] {
        var later: [LaterCut] = []
        for file in files {
            guard let inode = file.inodeIfTooLarge(inDirectory: directory) else { continue }
            guard let opened = try? Directory.open(directory) else { continue }  // as above
            let cut = LaterCut(file, inode, in: opened)
            if !cut.look() { later.append(cut) }
        }
        return later
    }
}
