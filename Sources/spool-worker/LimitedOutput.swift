import CLinux
import Glibc
import Linux
import WorkerProtocol

/// One output file of a run, kept from growing past its limit.
struct LimitedOutput {
    private let path: String
    private let cutPath: String
    private let jobID: String
    private let limit: Int64
    private var size: Int64 = 0
    /// What is on record as given back, of the file of which inode.
    private var recorded: OutputCut?

    init(_ request: RunRequest, _ name: String) {
        path = "\(request.jobDirectory)/\(name)"
        cutPath = "\(request.jobDirectory)/\(OutputCut.fileName(of: name, attempt: request.attempt))"
        jobID = request.jobID
        limit = request.outputLimitBytes
    }

    private func open() throws(SystemError) -> FileDescriptor {
        try FileDescriptor.open(path, O_RDWR | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK)
    }

    var isTooLarge: Bool {
        // Removed: it is no longer ours.
        guard let file = try? open(), let status = try? file.status() else { return false }
        return status.kind == .file && status.size > limit
    }

    /// Whether anybody reads the file, or has read it and still holds it.
    var hasReader: Bool {
        guard let file = try? open() else { return false }  // as above
        // A file system without locks: nobody can be seen to read.
        return (try? file.firstLocked(in: 0..<Int64.max)) != nil
    }

    /// Gives the middle back to the disk, as far as no reader still wants it. Returns whether the file has grown.
    /// `keepingAll`: a reader comes that has not opened the file yet.
    mutating func giveBack(keepingAll: Bool) throws(SystemError) -> Bool {
        let file = try open()
        let status = try file.status()
        let hasGrown = status.size != size
        size = status.size
        try forgetWhatWasTruncated(status)
        guard status.kind == .file, size > limit else { return hasGrown }
        var middle = limit / 2..<size - (limit - limit / 2)
        // A file system without locks: nobody can be seen to read.
        let unread = (try? file.firstLocked(in: 0..<Int64.max)) ?? (keepingAll ? 0 : nil)
        if let unread, unread < middle.upperBound {
            let wanted = middle.upperBound - max(unread, middle.lowerBound)
            if try wanted <= file.freeBytes() { middle = middle.lowerBound..<max(unread, middle.lowerBound) }
        }
        guard !middle.isEmpty else { return hasGrown }
        var cut = OutputCut(jobID: jobID, inode: status.inode, givenBack: middle)
        if let recorded {
            guard middle.upperBound > recorded.givenBack.upperBound else { return hasGrown }
            cut.givenBack = min(recorded.givenBack.lowerBound, middle.lowerBound)..<middle.upperBound
        }
        try write(cut)
        recorded = cut
        // Where the file system has no holes, the file is cut when the command has ended.
        _ = linux_punch_hole(file.raw, middle.lowerBound, Int64(middle.count))
        return hasGrown
    }

    /// What the job itself has cut off is not missing.
    private mutating func forgetWhatWasTruncated(_ status: FileStatus) throws(SystemError) {
        guard let recorded, recorded.inode != status.inode || status.size < recorded.givenBack.upperBound else { return }
        self.recorded = nil
        if unlink(cutPath) != 0, errno != ENOENT { throw SystemError(call: "unlink", path: cutPath, errno: errno) }
    }

    private func write(_ cut: OutputCut) throws(SystemError) {
        let composed = "\(cutPath).part"
        do throws(SystemError) {
            let file = try FileDescriptor.open(composed, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NOCTTY, mode: 0o600)
            try file.write(Array(cut.text.utf8))
            try rename(composed, to: cutPath)
        } catch {
            _ = unlink(composed)  // the error is the news
            throw error
        }
    }

    private func rename(_ from: String, to: String) throws(SystemError) {
        if Glibc.rename(from, to) != 0 { throw SystemError(call: "rename", path: to, errno: errno) }
    }

    // MARK: The end

    /// Puts a shorter file in the place of one that is too large.
    mutating func cut() throws(SystemError) {
        let file = try open()
        let status = try file.status()
        guard status.kind == .file, status.size > limit else { return }
        try forgetWhatWasTruncated(status)
        let leftOut = status.size - limit
        let notice = Array("\n[spoold: \(leftOut) bytes are left out here; output_limit is \(limit)]\n".utf8)
        let head = limit / 2
        var cut = recorded ?? OutputCut(jobID: jobID, inode: status.inode)
        cut.notice = head..<head + Int64(notice.count)
        cut.leftOutBytes = leftOut
        let composed = "\(path).part"
        do throws(SystemError) {
            let kept = try FileDescriptor.open(composed, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NOCTTY, mode: status.mode & 0o777)
            try copy(0..<head, of: file, to: kept)
            try kept.write(notice)
            try copy(status.size - (limit - head)..<status.size, of: file, to: kept)
            try write(cut)
            try rename(composed, to: path)
        } catch {
            _ = unlink(composed)  // the error is the news
            // The disk has no room for the shorter file: it gets the middle back.
            _ = try giveBack(keepingAll: false)
            throw error
        }
    }

    private func copy(_ range: Range<Int64>, of file: borrowing FileDescriptor, to kept: borrowing FileDescriptor) throws(SystemError) {
        var from = range.lowerBound
        while from < range.upperBound {
            let chunk = try file.read(count: Int(min(range.upperBound - from, 1 << 20)), at: from)
            if chunk.isEmpty { return }  // cut by somebody meanwhile
            from += Int64(chunk.count)
            try kept.write(chunk)
        }
    }
}
