import CLinux
import Glibc
import Linux
import WorkerProtocol

/// Keeps a run's output files from filling the disk: of each the beginning and the end stay, half the limit each.
///
/// While the command runs, it appends to the files and holds them open, so what is too much is given back as a hole; when it
/// has ended, the hole is closed and a line says how much was dropped. The files are looked at each second while they grow,
/// less often while they do not: a disk that takes a gigabyte a second loses that much to a job before it is noticed.
struct OutputLimit {
    private let paths: [String]
    private let limit: Int64
    private var sizes: [Int64]
    private var waitMilliseconds = OutputLimit.shortestWaitMilliseconds
    /// Monotonic nanoseconds.
    private(set) var nextLookAt: Int64

    private static let shortestWaitMilliseconds: Int64 = 1000
    private static let longestWaitMilliseconds: Int64 = 30_000

    /// Nil when nothing is limited.
    init?(_ request: RunRequest) {
        guard request.outputLimitBytes > 0 else { return nil }
        limit = request.outputLimitBytes
        paths = Set([request.stdoutName, request.stderrName]).map { "\(request.jobDirectory)/\($0)" }
        sizes = paths.map { _ in 0 }
        nextLookAt = Clock.monotonicNanoseconds() + waitMilliseconds * 1_000_000
    }

    /// Gives back the middle of what has grown too large.
    mutating func look() {
        var hasGrown = false
        for (place, path) in paths.enumerated() {
            guard let file = try? open(path), let size = try? file.status().size else { continue }  // removed: no longer ours
            hasGrown = hasGrown || size != sizes[place]
            sizes[place] = size
            // Where the file system has no holes, the file is cut when the command has ended.
            if size > limit { _ = linux_punch_hole(file.raw, limit / 2, size - limit) }
        }
        let longer = min(waitMilliseconds * 2, Self.longestWaitMilliseconds)
        waitMilliseconds = hasGrown ? Self.shortestWaitMilliseconds : longer
        nextLookAt = Clock.monotonicNanoseconds() + waitMilliseconds * 1_000_000
    }

    /// Cuts the middle out of what is too large, once the command has ended.
    func finish() {
        // What cannot be cut stays as it is: more than was asked for, and nothing is lost.
        for path in paths { try? cut(path) }
    }

    private func open(_ path: String) throws(SystemError) -> FileDescriptor {
        try FileDescriptor.open(path, O_RDWR | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK)
    }

    private func cut(_ path: String) throws(SystemError) {
        let file = try open(path)
        let size = try file.status().size
        guard size > limit else { return }
        let notice = Array("\n[spoold: \(size - limit) bytes are left out here; output_limit is \(limit)]\n".utf8)
        var from = size - limit / 2
        var to = limit / 2
        // The tail moves toward the beginning, so it never overwrites what is still to be read, but for the notice's length.
        var carried = notice
        while from < size {
            let chunk = try file.read(count: Int(min(size - from, 1 << 20)), at: from)
            if chunk.isEmpty { break }
            from += Int64(chunk.count)
            carried += chunk
            // Behind what has been read there is room.
            let count = Int(min(Int64(carried.count), from - to))
            try file.write(Array(carried[..<count]), at: to)
            to += Int64(count)
            carried.removeFirst(count)
        }
        try file.write(carried, at: to)
        try file.truncate(to: to + Int64(carried.count))
    }
}
