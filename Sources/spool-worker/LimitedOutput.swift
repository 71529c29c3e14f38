import CLinux
import Glibc
import Linux
import WorkerProtocol

/// One output file of a run, kept from growing past its limit.
struct LimitedOutput {
    private let name: String
    private let cutName: String
    private let jobID: String
    private let limit: Int64
    private var size: Int64 = 0
    /// The recorded part that was given back, and the inode of its file.
    private var recorded: OutputCut?

    init(_ request: RunRequest, _ name: String) {
        self.name = name
        cutName = OutputCut.fileName(of: name, attempt: request.attempt)
        jobID = request.jobID
        limit = request.outputLimitBytes
    }

    private func open(in directory: borrowing Directory, as name: String? = nil) throws(SystemError) -> FileDescriptor {
        try directory.openFile(name ?? self.name, O_RDWR | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK)
    }

    /// The inode of the file in the run's directory at this path, if the file is larger than its limit.
    func inodeIfTooLarge(inDirectory path: String) -> UInt64? {
        let status = try? FileStatus.read("\(path)/\(name)")  // removed: there is nothing to cut
        guard let status, status.kind == .file, status.size > limit else { return nil }
        return status.inode
    }

    /// The present name of the file with this inode: the output of a try is renamed when the next try begins.
    func name(of inode: UInt64, in directory: borrowing Directory) -> String? {
        let entries: [DirectoryEntry]
        // A removed directory has no files.
        do throws(SystemError) { entries = try directory.list() } catch { return nil }
        for entry in entries where entry.name == name || entry.name.hasPrefix("\(name).") {
            if let status = try? directory.status(entry.name), status.inode == inode { return entry.name }  // removed: not it
        }
        return nil
    }

    /// The state of a file that is too large.
    enum Reading {
        /// Nobody has opened it.
        case unopened
        /// Somebody reads it, or has read it and still holds it.
        case opened
        /// Nobody has opened it, and its excess is larger than the free space of the file system.
        case tooLargeToWait
    }

    func reading(in directory: borrowing Directory, as name: String) throws(SystemError) -> Reading {
        let file = try open(in: directory, as: name)
        if (try? file.firstLocked(in: 0..<Int64.max)) != nil { return .opened }  // no locks on this file system: no reader is detected
        return try file.status().size - limit > file.freeBytes() ? .tooLargeToWait : .unopened
    }

    /// Gives the middle back to the disk, except the part that a reader has not read. Returns true if the file has grown.
    /// `keepingAll` is true when a reader is announced that has not opened the file yet.
    mutating func giveBack(in directory: borrowing Directory, as name: String? = nil, keepingAll: Bool) throws(SystemError) -> Bool {
        let file = try open(in: directory, as: name)
        let status = try file.status()
        let hasGrown = status.size != size
        size = status.size
        try forgetWhatWasTruncated(status, in: directory)
        guard status.kind == .file, size > limit else { return hasGrown }
        var middle = limit / 2..<size - (limit - limit / 2)
        let unread = (try? file.firstLocked(in: 0..<Int64.max)) ?? (keepingAll ? 0 : nil)  // no locks: no reader is detected
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
        try write(cut, in: directory)
        recorded = cut
        // On a file system without holes, the file is cut when the command has ended.
        _ = linux_punch_hole(file.raw, middle.lowerBound, Int64(middle.count))
        return hasGrown
    }

    /// A part that the job itself has truncated is not missing.
    private mutating func forgetWhatWasTruncated(_ status: FileStatus, in directory: borrowing Directory) throws(SystemError) {
        guard let recorded, recorded.inode != status.inode || status.size < recorded.givenBack.upperBound else { return }
        self.recorded = nil
        do throws(SystemError) { try directory.unlink(cutName) } catch where error.errno == ENOENT {}
    }

    private func write(_ cut: OutputCut, in directory: borrowing Directory) throws(SystemError) {
        let composed = "\(cutName).part"
        do throws(SystemError) {
            let file = try directory.openFile(composed, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NOCTTY, mode: 0o600)
            try file.write(Array(cut.text.utf8))
            try directory.rename(composed, to: cutName)
        } catch {
            try? directory.unlink(composed)  // the first error is the one to report
            throw error
        }
    }

    // MARK: The end

    /// Replaces a file that is too large by a shorter one. `name` is the file's present name.
    mutating func cut(in directory: borrowing Directory, as name: String) throws(SystemError) {
        let file = try open(in: directory, as: name)
        let status = try file.status()
        guard status.kind == .file, status.size > limit else { return }
        try forgetWhatWasTruncated(status, in: directory)
        let leftOut = status.size - limit
        let notice = Array("\n[spoold: \(leftOut) bytes are left out here; output_limit is \(limit)]\n".utf8)
        let head = limit / 2
        var cut = recorded ?? OutputCut(jobID: jobID, inode: status.inode)
        cut.notice = head..<head + Int64(notice.count)
        cut.leftOutBytes = leftOut
        let composed = "\(name).part"
        do throws(SystemError) {
            let kept = try directory.openFile(composed, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NOCTTY, mode: status.mode & 0o777)
            try copy(0..<head, of: file, to: kept)
            try kept.write(notice)
            try copy(status.size - (limit - head)..<status.size, of: file, to: kept)
            try write(cut, in: directory)
            try directory.rename(composed, to: name)
        } catch {
            try? directory.unlink(composed)  // the first error is the one to report
            // The disk has no room for the shorter file: give the middle back.
            _ = try giveBack(in: directory, as: name, keepingAll: false)
            throw error
        }
    }

    private func copy(_ range: Range<Int64>, of file: borrowing FileDescriptor, to kept: borrowing FileDescriptor) throws(SystemError) {
        var from = range.lowerBound
        while from < range.upperBound {
            let chunk = try file.read(count: Int(min(range.upperBound - from, 1 << 20)), at: from)
            if chunk.isEmpty { return }  // somebody has truncated the file in the meantime
            from += Int64(chunk.count)
            try kept.write(chunk)
        }
    }
}
