import CLinux
import Glibc
import Linux
import WorkerProtocol

/// Keeps a run's output files from filling the disk: of each the beginning and the end stay, half the limit each.
///
/// What holds:
/// - While the command runs, it appends to the files and holds them open, so what is too much is given back as a hole. The files are
///   looked at each second while they grow, less often while they do not: a disk that takes a gigabyte a second loses that much
///   to a job before it is noticed.
/// - When the command has ended, a shorter file takes the place of a file that is too large, and a line in it says how much was left out.
/// - A reader holds a lock on the part of a file that it has not read. That part is given back only when it has become larger than what
///   is free on the file system: a reader that is stopped for ever does not fill the disk. A reader that has the file open when the
///   shorter one takes its place reads on in the old one. For a reader that is announced and has not opened it yet, the file stays as it
///   is: it is cut later, see `LaterCuts`.
/// - Before anything is missing, a file beside the output says what, see `OutputCut`.
struct OutputLimit {
    private let directory: String
    private var files: [LimitedOutput]
    private var waitMilliseconds = OutputLimit.shortestWaitMilliseconds
    private(set) var nextLookAt: MonotonicInstant

    private static let shortestWaitMilliseconds: Int64 = 1000
    private static let longestWaitMilliseconds: Int64 = 30_000

    /// Nil when nothing is limited.
    init?(_ request: RunRequest) {
        guard request.outputLimitBytes > 0 else { return nil }
        directory = request.jobDirectory
        files = Set([request.stdoutName, request.stderrName]).map { LimitedOutput(request, $0) }
        nextLookAt = .now().advanced(byMilliseconds: waitMilliseconds)
    }

    /// Gives back the middle of what has grown too large.
    mutating func look() {
        var hasGrown = false
        // Removed or moved by somebody: the files are no longer ours, now and at the next look.
        if let directory = try? Directory.open(directory) {
            let isAwaited = Waiter.isReaderAnnounced(in: directory)
            for place in files.indices {
                // Removed, or replaced by what is no file: as above.
                guard let grown = try? files[place].giveBack(in: directory, keepingAll: isAwaited) else { continue }
                hasGrown = hasGrown || grown
            }
        }
        let longer = min(waitMilliseconds * 2, Self.longestWaitMilliseconds)
        waitMilliseconds = hasGrown ? Self.shortestWaitMilliseconds : longer
        nextLookAt = .now().advanced(byMilliseconds: waitMilliseconds)
    }

    /// Cuts the middle out of what is too large, once the command has ended. Returns what must be cut later.
    func finish() -> [LaterCut] {
        var later: [LaterCut] = []
        for file in files {
            guard let inode = file.inodeIfTooLarge(inDirectory: directory) else { continue }
            // Moved by somebody: the file is no longer ours.
            guard let opened = try? Directory.open(directory) else { continue }
            let cut = LaterCut(file, inode, in: opened)
            if !cut.look() { later.append(cut) }
        }
        return later
    }
}
