import CLinux
import Glibc
import Linux

/// The real disk.
public final class DiskFileSystem: FileSystem {
    public let path: String
    /// The files in `new/`, `tasks/`, `schedules/` and `control/` that count. Nil means all files, because nobody else can reach
    /// these directories.
    public private(set) var trust: Trust?
    private let top: OpenDirectory
    /// A spare descriptor. It is closed when the system can open nothing more, so that current work can be finished.
    public let reserve = DescriptorReserve()
    private let isRoot = Reader.user == 0
    /// Root accesses a user's part as that user, who may write to all of it.
    private let isAnothers = Reader.isAnother
    /// The directories above those that were given to other users let everybody pass.
    private var isPassable = false
    private var ownDirectories = OwnDirectories()

    /// Called after each rename and removal, with what was done. spoolctl's `--verbose` prints it.
    public var reportChange: ((String) -> Void)?

    /// Opens the spool at an absolute path.
    public init(path: String) throws(SystemError) {
        self.path = path
        top = OpenDirectory(try Directory.open(path))
        trust = try Trust(in: top.opened)
        // If somebody opens a file while `take` holds its lease against writers, the kernel sends a signal, which would end the
        // process.
        _ = linux_ignore_signal(SIGIO)
    }

    /// The status of the spool's directory, wherever it is now.
    public func ownStatus() throws(SystemError) -> FileStatus { try top.opened.descriptor.status() }

    /// True when one of the spool's own directories exists, possibly through a link.
    public func isDirectory(_ path: String) throws(SystemError) -> Bool {
        do throws(SystemError) { return try top.opened.status(path, followingLinks: true).kind == .directory } catch {
            if error.isMissing { return false }
            throw error
        }
    }

    /// Runs an operation that opens a file. If the system can open nothing more, frees the reserve and runs it again.
    public func opening<Value: ~Copyable>(_ body: () throws(SystemError) -> Value) throws(SystemError) -> Value {
        do throws(SystemError) { return try body() } catch {
            guard error.isOutOfDescriptors, reserve.spend() else { throw error }
        }
        return try body()
    }

    private static let openPrefixes = UserPart.claimable.map { "\($0)/" }

    /// True for a name that other users can write to. They may have mounted a FUSE file system there or on the way there, which might
    /// never answer a call.
    private func isInReachOfOthers(_ path: String) -> Bool { isAnothers || Self.openPrefixes.contains { path.hasPrefix($0) } }

    /// True when something is mounted on the way to such a name, or, with `orAtEnd`, over the name itself.
    private func isHidden(_ path: String, orAtEnd: Bool = true) throws(SystemError) -> Bool {
        guard isInReachOfOthers(path) else { return false }
        let slash = UInt8(ascii: "/")
        var end = path.utf8.firstIndex(of: slash) ?? path.endIndex
        while end < path.endIndex {
            end = path.utf8[path.utf8.index(after: end)...].firstIndex(of: slash) ?? path.endIndex
            if orAtEnd || end < path.endIndex, try isMountPoint(String(path[..<end])) { return true }
        }
        return false
    }

    /// The status of the name itself. Nil when something is mounted over it.
    private func look(at name: String, in directory: OpenDirectory, of path: String) throws(SystemError) -> FileStatus? {
        isInReachOfOthers(path) ? try directory.opened.statusUnlessMounted(name) : try directory.opened.status(name)
    }

    public func isMountPoint(_ path: String) throws(SystemError) -> Bool { try top.opened.isMountPoint(path) }

    public func list(_ path: String) throws(SystemError) -> [DirectoryEntry] {
        if try isHidden(path) { return [] }
        do throws(SystemError) { return try opening { () throws(SystemError) in try open(path).list() } } catch {
            if error.errno == ENOENT { return [] }
            throw error
        }
    }

    public func survey(_ path: String) throws(SystemError) -> [(entry: DirectoryEntry, status: FileStatus?)] {
        if try isHidden(path) { return [] }
        let isInReach = isInReachOfOthers("\(path)/")
        do throws(SystemError) {
            let directory = try opening { () throws(SystemError) in try open(path) }
            let entries = try directory.list()
            var found: [(entry: DirectoryEntry, status: FileStatus?)] = []
            found.reserveCapacity(entries.count)
            for entry in entries {
                do throws(SystemError) {
                    let status = isInReach ? try directory.statusUnlessMounted(entry.name) : try directory.status(entry.name)
                    found.append((entry, status))
                } catch {
                    if !error.isMissing { found.append((entry, nil)) }
                }
            }
            return found
        } catch {
            if error.errno == ENOENT { return [] }
            throw error
        }
    }

    public var hasForeign: Bool { trust != nil }

    public func isForeign(_ status: FileStatus) -> Bool { trust.map { status.owner != $0.owner } ?? false }

    public func isUsable(_ status: FileStatus) -> Bool {
        status.kind == .file && !isForeign(status) && trust?.objection(to: status) == nil
    }

    /// The spool now serves everybody, or no longer does.
    public func rulesChanged() throws(SystemError) { trust = try Trust(in: top.opened) }

    /// The spool's own directory, for operations that only the daemon of a shared spool needs.
    public func directory() throws(SystemError) -> Directory { try top.opened.openDirectory(".") }

    /// Checks by an unnamed file that the disk accepts changes, and throws its error if not. Where the caller may not write, or
    /// the file system has no unnamed files, nothing is checked and nothing is thrown.
    public func tryWriting(isSynced: Bool) throws(SystemError) {
        do throws(SystemError) {
            let file = try top.opened.openFile(Layout.temporary, O_WRONLY | linux_o_tmpfile())
            try file.write([UInt8](repeating: 0, count: 4096))
            if isSynced { try file.sync() }
        } catch {
            guard [EACCES, EPERM, ENOENT, EISDIR, EOPNOTSUPP].contains(error.errno) else { throw error }
        }
    }

    public func recordReader() -> RecordReader? {
        var directories: [(state: JobState, raw: Int32)] = []
        for state in [JobState.done, .failed] {
            // If the directory does not exist or cannot be opened, use the path.
            guard let directory = try? top.opened.openFile(Layout.directory(state), O_RDONLY | O_DIRECTORY) else { continue }
            directories.append((state, directory.release()))
        }
        return RecordReader(directories)
    }

    /// One of the spool's own directories may be a link: the spool's creator decides where it is.
    private func open(_ path: String) throws(SystemError) -> Directory {
        if path.utf8.contains(UInt8(ascii: "/")) { return try top.opened.openDirectory(path) }
        return Directory(owning: try top.opened.openFile(path, O_RDONLY | O_DIRECTORY))
    }

    public func foreignOwner(_ path: String) throws(SystemError) -> uid_t? {
        guard let trust, let owner = try status(path)?.owner, owner != trust.owner else { return nil }
        return owner
    }

    public func status(_ path: String) throws(SystemError) -> FileStatus? {
        if try isHidden(path, orAtEnd: false) { return nil }
        do throws(SystemError) { return try look(at: path, in: top, of: path) } catch {
            if error.isMissing { return nil }
            throw error
        }
    }

    public func take(_ path: String, limit: Int, ignoringWriters: Bool) throws(SystemError) -> TakenFile {
        try take(path, nil, limit: limit, ignoringWriters: ignoringWriters)
    }

    public func take(_ path: String, lookedAt status: FileStatus?, limit: Int) throws(SystemError) -> TakenFile {
        // Another user whose directory this is may have mounted something since.
        try take(path, isAnothers ? nil : status, limit: limit, ignoringWriters: false)
    }

    private func take(_ path: String, _ known: FileStatus?, limit: Int, ignoringWriters: Bool) throws(SystemError) -> TakenFile {
        let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
        if known == nil, try isHidden(path, orAtEnd: false) { return .other(.mountPoint) }
        do throws(SystemError) {
            // Check the type by name first: opening a FIFO or a device can have effects.
            let (directory, name) = try place(of: path)
            var known = known
            if known == nil { known = try look(at: name, in: directory, of: path) }
            guard let look = known else { return .other(.mountPoint) }
            let trust = Trust.concerns(path) ? trust : nil
            if let trust, look.owner != trust.owner {
                // The record of a job that ran as another user belongs to that user, but the job's file in it does not.
                let isRecord = look.kind == .directory && JobID(path.split(separator: "/").last ?? "") != nil
                return isRecord ? .other(.directory) : .foreign(look)
            }
            guard look.kind == .file else { return .other(look.kind) }
            let file = try opening { () throws(SystemError) in try directory.opened.openFile(name, flags) }
            // Do this before reading the status, so that all facts are from one moment.
            if !ignoringWriters, !file.excludeWriters() { return .busy }
            // The opened inode decides, even if the name has changed since.
            let status = try file.status()
            guard status.kind == .file, try isOfOwner(status, name, in: directory) else { return .other(status.kind) }
            if let trust {
                if status.owner != trust.owner { return .foreign(status) }
                if let why = trust.objection(to: status) { return .refused(status, why: why) }
            }
            guard status.size <= Int64(limit) else { return .tooLarge(status) }
            let bytes = try file.readAll(limit: limit + 1, size: status.size)
            guard bytes.count <= limit else { return .tooLarge(status) }
            return .file(status, bytes)
        } catch {
            switch error.errno {
            case ENOENT: return .missing
            case ELOOP: return .other(.symbolicLink)
            case ENXIO: return .other(.socket)
            // If root has no access, another user has mounted a file system there.
            case EACCES where isRoot: return .other(.unknown)
            case EAGAIN: return .busy
            default: throw error
            }
        }
    }

    /// The maximum that root reads of another user's file, in bytes. A journal segment is replaced at 8 MiB, or at twice its
    /// snapshot, and a snapshot of a hundred thousand jobs is smaller than this.
    private static let anothersBytesMax: Int64 = 64 << 20

    public func openLines(_ path: String, from offset: Int64) throws(SystemError) -> OpenedFile {
        if try isHidden(path, orAtEnd: false) { return .other(.mountPoint) }
        do throws(SystemError) {
            let (directory, name) = try place(of: path)
            guard let kind = try look(at: name, in: directory, of: path)?.kind else { return .other(.mountPoint) }
            guard kind == .file else { return .other(kind) }
            let file = try opening { () throws(SystemError) in
                try directory.opened.openFile(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
            }
            let status = try file.status()
            guard status.kind == .file, try isOfOwner(status, name, in: directory) else { return .other(status.kind) }
            let held = HeldDescriptor(file)
            let limit = isAnothers ? Self.anothersBytesMax : .max
            return .file(
                FileLines(
                    size: status.size, from: offset, limit: limit, lineMax: Int(min(limit, Int64(FileLines.lineMax))),
                    nextData: { held.file.nextData(from: $0) }
                ) { (piece, offset) throws(SystemError) in try held.file.read(into: piece, at: offset) })
        } catch {
            switch error.errno {
            case ENOENT: return .missing
            case ELOOP: return .other(.symbolicLink)
            default: throw SystemError(call: error.call, path: path, errno: error.errno)
            }
        }
    }

    public func keep(_ path: String, as name: String) throws(SystemError) -> Bool {
        if let there = try status(name) { return try status(path)?.inode == there.inode }
        try top.opened.link(path, to: name)
        return true
    }

    public func create(_ path: String, _ bytes: [UInt8], mode: UInt32) throws(SystemError) {
        let (directory, name) = try place(of: path, isToCreate: true)
        try opening { () throws(SystemError) in
            guard directory !== top else { return try top.opened.writeFile(path, bytes, mode: mode) }
            try directory.opened.writeFresh(name, bytes, mode: mode, asOwnerOf: directory)
        }
    }

    /// As ``replace(_:_:)`` for a text file on a full disk: writes over `spare`, which has room on the disk, and exchanges the
    /// names. The rest of the file after the text is filled with spaces.
    public func replace(_ path: String, _ bytes: [UInt8], inRoomOf spare: String) throws(SystemError) {
        let file = try opening { () throws(SystemError) in try top.opened.openFile(spare, O_WRONLY | O_NOFOLLOW | O_CLOEXEC) }
        let room = Int(clamping: min(try file.status().size, 1 << 20))
        try file.write(bytes + [UInt8](repeating: UInt8(ascii: " "), count: max(0, room - bytes.count)), at: 0)
        try top.opened.exchange(spare, path)
    }

    public func replace(_ path: String, _ bytes: [UInt8]) throws(SystemError) {
        let (directory, name) = try place(of: path, isToCreate: true)
        let temporary = name + ".tmp"
        do throws(SystemError) {
            // A new file: after a power cut the name may belong to another file that is still read.
            try opening { () throws(SystemError) in
                try directory.opened.writeFresh(temporary, bytes, mode: 0o600, asOwnerOf: directory === top ? nil : directory)
            }
        } catch {
            // No reader uses a file that a full disk has only partly accepted.
            try? directory.opened.unlink(temporary)  // most often there is none
            throw error
        }
        do throws(SystemError) { try directory.opened.rename(temporary, to: name) } catch {
            // A directory is in the file's place. It is moved aside, where its owner can find it.
            guard error.errno == EISDIR, directory !== top else { throw error }
            try directory.opened.setAside(name)
            try directory.opened.rename(temporary, to: name)
        }
    }

    /// Gives a file a second name with link(2).
    public func link(_ existing: String, to new: String) throws(SystemError) { try top.opened.link(existing, to: new) }

    public func makeDirectory(_ path: String) throws(SystemError) {
        do throws(SystemError) { try top.opened.makeDirectory(path) } catch {
            if error.errno != EEXIST { throw error }
            return
        }
        ownDirectories.made(path)
    }

    public func spreadDirectories(in path: String) {
        try? open(path).spreadDirectories()  // only a matter of speed, and ext4 alone knows it
    }

    public func rename(_ from: String, to: String) throws(SystemError) {
        let (source, name) = try place(of: from)
        let (target, newName) = try place(of: to)
        try source.opened.rename(name, into: target.opened, as: newName)
        ownDirectories.renamed(from, to)
        reportChange?("renamed \(from) to \(to)")
    }

    public func renameNoReplace(_ from: String, to: String) throws(SystemError) {
        let (source, name) = try place(of: from)
        let (target, newName) = try place(of: to)
        try source.opened.renameNoReplace(name, into: target.opened, as: newName)
        ownDirectories.renamed(from, to)
        reportChange?("renamed \(from) to \(to)")
    }

    /// Swaps two names. Returns false where the file system cannot do this.
    public func exchange(_ first: String, _ second: String) throws(SystemError) -> Bool {
        let (one, name) = try place(of: first)
        let (other, otherName) = try place(of: second)
        do throws(SystemError) { try one.opened.exchange(name, with: other.opened, otherName) } catch {
            if [EINVAL, ENOSYS].contains(error.errno) { return false }
            throw error
        }
        reportChange?("exchanged \(first) and \(second)")
        return true
    }

    public func removeFile(_ path: String) throws(SystemError) {
        let (directory, name) = try place(of: path)
        try directory.opened.unlink(name)
        reportChange?("removed \(path)")
    }

    public func removeTree(_ path: String) throws(SystemError) {
        ownDirectories.leave(path)
        try opening { () throws(SystemError) in try top.opened.removeTree(path) }
        reportChange?("removed \(path)")
    }

    public func removeTree(_ path: String, atMost count: Int, _ raised: inout Int) throws(SystemError) -> Bool {
        ownDirectories.leave(path)
        var moved = raised
        defer { raised = moved }
        return try opening { () throws(SystemError) in try top.opened.removeTree(path, atMost: count, &moved) }
    }

    public func sync(_ path: String) throws(SystemError) {
        let isOwnDirectory = !path.utf8.contains(UInt8(ascii: "/"))
        try opening { () throws(SystemError) in
            try top.opened.openFile(path, O_RDONLY | O_NONBLOCK | (isOwnDirectory ? O_DIRECTORY : O_NOFOLLOW))
        }.sync()
    }

    func setMode(_ path: String, _ mode: UInt32) throws(SystemError) {
        try top.opened.openFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).setMode(mode)
    }

    func setOwner(_ path: String, _ owner: FileOwner) throws(SystemError) {
        try top.opened.openFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).setOwner(owner.user, group: owner.group)
    }

    public func syncAll() throws(SystemError) { try top.opened.syncFileSystem() }

    public func openLog(_ path: String) throws(SystemError) -> DiskLog {
        let (directory, name) = try place(of: path, isToCreate: true)
        guard directory === top else { return try openForeignLog(name, in: directory) }
        let file = try opening { () throws(SystemError) in
            try top.opened.openFile(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        }
        return DiskLog(try file.status(), file: file)
    }

    // MARK: Directories of other users

    /// The directory and name through which a path is accessed.
    ///
    /// A job's directory may belong to another user, who can put links, FIFOs and directories there, and in a sticky new/ even in
    /// the place of the directory itself. So root's daemon opens the directory without following a link, and uses that descriptor
    /// for everything else. It does the same to create a file where everybody may. For all other users, in the spool's other directories
    /// and in ``OwnDirectories``, the path is used as it is, and only its last name is not followed.
    private func place(of path: String, isToCreate: Bool = false) throws(SystemError) -> (OpenDirectory, String) {
        guard isRoot, let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return (top, path) }
        let parent = String(path[..<slash])
        let isGuarded =
            parent.utf8.contains(UInt8(ascii: "/"))
            ? !ownDirectories.contains(parent) : isToCreate && trust?.isShared == true && Layout.shared.contains(parent)
        guard isGuarded else { return (top, path) }
        let directory = try opening { () throws(SystemError) in OpenDirectory(try top.opened.openDirectory(parent)) }
        return (directory, String(path[path.utf8.index(after: slash)...]))
    }

    /// True when a file in another user's directory belongs to that user and is not a link to another user's file. A job's own
    /// file belongs to root.
    private func isOfOwner(_ file: FileStatus, _ name: String, in directory: OpenDirectory) throws(SystemError) -> Bool {
        guard directory !== top else { return true }
        let owner = try directory.opened.descriptor.status().owner
        return owner == 0 || file.owner == owner || file.owner == 0 && file.links == 1 && Source.fileNames.contains(name)
    }

    private func openForeignLog(_ name: String, in directory: OpenDirectory) throws(SystemError) -> DiskLog {
        let owner = try directory.opened.descriptor.status()
        let flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
        do throws(SystemError) {
            let file = try directory.opened.openFile(name, flags)
            let status = try file.status()
            guard status.kind == .file, status.owner == owner.owner else { throw SystemError(call: "open", path: name, errno: EPERM) }
            return DiskLog(status, file: file)
        } catch {
            guard error.errno == ENOENT else { throw error }
            let file = try directory.opened.openFile(name, flags | O_CREAT | O_EXCL)
            try file.setOwner(owner.owner, group: owner.group)
            return DiskLog(try file.status(), file: file)
        }
    }

    public func give(_ path: String, to owner: FileOwner, only names: [String]?) throws(SystemError) {
        try makePassable()
        ownDirectories.leave(path)
        let directory = try top.opened.openDirectory(path)
        guard try directory.descriptor.status().owner != owner.user else { return }
        var all = names ?? []
        if names == nil { all = try directory.list().map(\.name) }
        for name in all { try give(name, in: directory, to: owner) }
        try directory.descriptor.setMode(0o700)
        try directory.descriptor.setOwner(owner.user, group: owner.group)
    }

    private func give(_ name: String, in directory: borrowing Directory, to owner: FileOwner) throws(SystemError) {
        do throws(SystemError) {
            guard try directory.status(name).kind == .file else { return }
        } catch {
            if error.errno == ENOENT { return }
            throw error
        }
        let file = try directory.openFile(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        let status = try file.status()
        guard status.kind == .file, status.owner == 0 else { return }
        guard Source.fileNames.contains(name) else {
            // A file with a second name elsewhere does not belong to the job alone.
            if status.links == 1 { try file.setOwner(owner.user, group: owner.group) }
            return
        }
        let mode = status.mode & 0o777 | (status.mode & 0o100 == 0 ? 0o444 : 0o555)
        guard status.links > 1, status.size <= Source.bytesMax else { return try file.setMode(mode) }
        // Its other name must keep the file unchanged.
        let bytes = try file.readAll(limit: Source.bytesMax)
        try directory.unlink(name)
        let copy = try directory.openFile(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)
        try copy.write(bytes)
        try copy.setMode(mode)
    }

    public func takeBack(_ path: String) throws(SystemError) {
        let directory = try top.opened.openDirectory(path)
        guard try directory.descriptor.status().owner != geteuid() else { return }
        try directory.takeOver()
    }

    /// Lets everybody pass to the directories of jobs. The content of each directory is only for its owner.
    private func makePassable() throws(SystemError) {
        if isPassable { return }
        let passages: [(path: String, bits: mode_t)] = [
            (".", 0o055), (Layout.running, 0o011), (Layout.done, 0o011), (Layout.failed, 0o011), (Layout.state, 0o011),
        ]
        for (path, bits) in passages {
            let directory = try top.opened.openDirectory(path)
            let mode = try directory.descriptor.status().mode
            if mode & bits != bits { try directory.descriptor.setMode(mode | bits) }
        }
        // A job's own spoolctl recognizes the spool by this file.
        let format = try top.opened.openFile(Layout.format, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        try format.setMode(format.status().mode | 0o044)
        isPassable = true
    }
}

/// A descriptor that a closure can capture.
private final class HeldDescriptor {
    let file: FileDescriptor

    init(_ file: consuming FileDescriptor) { self.file = file }
}
