import CLinux
import Glibc
import Linux

/// The real disk.
public final class DiskFileSystem: FileSystem {
    public let path: String
    /// Which files in `new/`, `tasks/`, `schedules/` and `control/` count; nil: all that are there, for nobody else can reach them.
    public private(set) var trust: Trust?
    private let top: OpenDirectory
    /// Spent when nothing more can be opened, so that what is under way comes to its end.
    public let reserve = DescriptorReserve()
    private let isRoot = geteuid() == 0
    /// Root looks at a user's part as that user, who may write to all of it.
    private let isAnothers = getuid() == 0 && geteuid() != 0
    /// The directories on the way to those that were given away let everybody through.
    private var isPassable = false

    /// Opens the spool at an absolute path.
    public init(path: String) throws(SystemError) {
        self.path = path
        top = OpenDirectory(try Directory.open(path))
        trust = try Trust(in: top.opened)
        // Whoever opens a file just while `take` keeps writers out has the kernel say so, which would end the process.
        _ = linux_ignore_signal(SIGIO)
    }

    /// What the system knows of the spool's directory itself, wherever it is now.
    public func ownStatus() throws(SystemError) -> FileStatus { try top.opened.descriptor.status() }

    /// Whether one of the spool's own directories is there, by way of a link too.
    public func isDirectory(_ path: String) throws(SystemError) -> Bool {
        do throws(SystemError) { return try top.opened.status(path, followingLinks: true).kind == .directory } catch {
            if error.isMissing { return false }
            throw error
        }
    }

    /// Does what opens something, again with the reserve when the system can open nothing more.
    public func opening<Value: ~Copyable>(_ body: () throws(SystemError) -> Value) throws(SystemError) -> Value {
        do throws(SystemError) { return try body() } catch {
            guard error.isOutOfDescriptors, reserve.spend() else { throw error }
        }
        return try body()
    }

    private static let openPrefixes = UserPart.claimable.map { "\($0)/" }

    /// Whether something is mounted over a name to which others may write, or on the way from there. That may be a FUSE file system, and
    /// never answer what it is asked.
    private func isHidden(_ path: String) throws(SystemError) -> Bool {
        guard isAnothers || Self.openPrefixes.contains(where: { path.hasPrefix($0) }) else { return false }
        let slash = UInt8(ascii: "/")
        var end = path.utf8.firstIndex(of: slash) ?? path.endIndex
        while end < path.endIndex {
            end = path.utf8[path.utf8.index(after: end)...].firstIndex(of: slash) ?? path.endIndex
            if try isMountPoint(String(path[..<end])) { return true }
        }
        return false
    }

    public func isMountPoint(_ path: String) throws(SystemError) -> Bool { try top.opened.isMountPoint(path) }

    public func list(_ path: String) throws(SystemError) -> [DirectoryEntry] {
        if try isHidden(path) { return [] }
        do throws(SystemError) { return try opening { () throws(SystemError) in try open(path).list() } } catch {
            if error.errno == ENOENT { return [] }
            throw error
        }
    }

    /// The spool has become everybody's, or is so no more.
    public func rulesChanged() throws(SystemError) { trust = try Trust(in: top.opened) }

    /// The spool itself, for what only a daemon of everybody's does.
    public func directory() throws(SystemError) -> Directory { try top.opened.openDirectory(".") }

    /// Finds out whether the disk takes changes, by a file that has no name: throws what it says. Where the caller may not write, or the
    /// file system knows no such files, nothing is found out and nothing thrown.
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
            // What is not there, or cannot be opened, is looked for by its path.
            guard let directory = try? top.opened.openFile(Layout.directory(state), O_RDONLY | O_DIRECTORY) else { continue }
            directories.append((state, directory.release()))
        }
        return RecordReader(directories)
    }

    /// One of the spool's own directories may be a link: it is where whoever made the spool wants it.
    private func open(_ path: String) throws(SystemError) -> Directory {
        if path.utf8.contains(UInt8(ascii: "/")) { return try top.opened.openDirectory(path) }
        return Directory(owning: try top.opened.openFile(path, O_RDONLY | O_DIRECTORY))
    }

    public func foreignOwner(_ path: String) throws(SystemError) -> uid_t? {
        guard let trust, let owner = try status(path)?.owner, owner != trust.owner else { return nil }
        return owner
    }

    public func status(_ path: String) throws(SystemError) -> FileStatus? {
        if try isHidden(path) { return nil }
        do throws(SystemError) { return try top.opened.status(path) } catch {
            if error.isMissing { return nil }
            throw error
        }
    }

    public func take(_ path: String, limit: Int, ignoringWriters: Bool) throws(SystemError) -> TakenFile {
        let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
        if try isHidden(path) { return .other(.mountPoint) }
        do throws(SystemError) {
            // A FIFO or device is told by its name first: opening a device can have effects.
            let (directory, name) = try place(of: path)
            let look = try directory.opened.status(name)
            let trust = Trust.concerns(path) ? trust : nil
            if let trust, look.owner != trust.owner {
                // The record of a job that ran as another user is that user's, and the job's file in it is not.
                let isRecord = look.kind == .directory && JobID(name) != nil
                return isRecord ? .other(.directory) : .foreign(look)
            }
            guard look.kind == .file else { return .other(look.kind) }
            let file = try opening { () throws(SystemError) in try directory.opened.openFile(name, flags) }
            // Before anything is known of it, so that all that is known is of one moment.
            if !ignoringWriters, !file.excludeWriters() { return .busy }
            // The opened inode decides, whatever the name meant a moment ago.
            let status = try file.status()
            guard status.kind == .file, try isOfOwner(status, name, in: directory) else { return .other(status.kind) }
            if let trust {
                if status.owner != trust.owner { return .foreign(status) }
                if let why = trust.objection(to: status) { return .refused(status, why: why) }
            }
            guard status.size <= Int64(limit) else { return .tooLarge(status) }
            let bytes = try file.readAll(limit: limit + 1)
            guard bytes.count <= limit else { return .tooLarge(status) }
            return .file(status, bytes)
        } catch {
            switch error.errno {
            case ENOENT: return .missing
            case ELOOP: return .other(.symbolicLink)
            case ENXIO: return .other(.socket)
            // What keeps root out is a file system that another user has mounted there.
            case EACCES where isRoot: return .other(.unknown)
            case EAGAIN: return .busy
            default: throw error
            }
        }
    }

    /// How much root reads of a file of another user's, in bytes. A segment of the journal is begun anew at 8 MiB, or at twice its first
    /// part, which holds a hundred thousand jobs in less than this.
    private static let anothersBytesMax: Int64 = 64 << 20

    public func openLines(_ path: String, from offset: Int64) throws(SystemError) -> OpenedFile {
        if try isHidden(path) { return .other(.mountPoint) }
        do throws(SystemError) {
            let (directory, name) = try place(of: path)
            let kind = try directory.opened.status(name).kind
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
        let (directory, name) = try place(of: path)
        try opening { () throws(SystemError) in
            guard directory !== top else { return try top.opened.writeFile(path, bytes, mode: mode) }
            try directory.opened.writeFresh(name, bytes, mode: mode, asOwnerOf: directory)
        }
    }

    /// As ``create(_:_:mode:)``, but never over what is there: after a power cut that may be another name of a file that is read.
    private func createAnew(_ path: String, _ bytes: [UInt8]) throws(SystemError) {
        let (directory, name) = try place(of: path)
        try opening { () throws(SystemError) in
            try directory.opened.writeFresh(name, bytes, mode: 0o600, asOwnerOf: directory === top ? nil : directory)
        }
    }

    /// As ``replace(_:_:)`` for a text file on a full disk: written over `spare`, which has its room and changes places with it.
    /// What it is longer than the text is filled with spaces.
    public func replace(_ path: String, _ bytes: [UInt8], inRoomOf spare: String) throws(SystemError) {
        let file = try opening { () throws(SystemError) in try top.opened.openFile(spare, O_WRONLY | O_NOFOLLOW | O_CLOEXEC) }
        let room = Int(clamping: min(try file.status().size, 1 << 20))
        try file.write(bytes + [UInt8](repeating: UInt8(ascii: " "), count: max(0, room - bytes.count)), at: 0)
        try top.opened.exchange(spare, path)
    }

    public func replace(_ path: String, _ bytes: [UInt8]) throws(SystemError) {
        do throws(SystemError) { try createAnew(path + ".tmp", bytes) } catch {
            // Of what a full disk has taken a part of, nobody makes anything.
            try? removeFile(path + ".tmp")  // most often there is none
            throw error
        }
        let (directory, name) = try place(of: path)
        do throws(SystemError) { try directory.opened.rename(name + ".tmp", to: name) } catch {
            // A directory in the file's place: whoever put it there finds it beside.
            guard error.errno == EISDIR, directory !== top else { throw error }
            try directory.opened.setAside(name)
            try directory.opened.rename(name + ".tmp", to: name)
        }
    }

    /// Gives a file a second name, link(2).
    public func link(_ existing: String, to new: String) throws(SystemError) { try top.opened.link(existing, to: new) }

    public func makeDirectory(_ path: String) throws(SystemError) {
        do throws(SystemError) { try top.opened.makeDirectory(path) } catch {
            if error.errno != EEXIST { throw error }
        }
    }

    public func rename(_ from: String, to: String) throws(SystemError) {
        let (source, name) = try place(of: from)
        let (target, newName) = try place(of: to)
        try source.opened.rename(name, into: target.opened, as: newName)
    }

    public func renameNoReplace(_ from: String, to: String) throws(SystemError) {
        let (source, name) = try place(of: from)
        let (target, newName) = try place(of: to)
        try source.opened.renameNoReplace(name, into: target.opened, as: newName)
    }

    public func removeFile(_ path: String) throws(SystemError) {
        let (directory, name) = try place(of: path)
        try directory.opened.unlink(name)
    }

    public func removeTree(_ path: String) throws(SystemError) {
        try opening { () throws(SystemError) in try top.opened.removeTree(path) }
    }

    public func removeTree(_ path: String, atMost count: Int, _ raised: inout Int) throws(SystemError) -> Bool {
        var moved = raised
        defer { raised = moved }
        return try opening { () throws(SystemError) in try top.opened.removeTree(path, atMost: count, &moved) }
    }

    public func sync(_ path: String) throws(SystemError) {
        let isOwnDirectory = !path.utf8.contains(UInt8(ascii: "/"))
        try opening { () throws(SystemError) in
            try top.opened.openFile(path, O_RDONLY | (isOwnDirectory ? O_DIRECTORY : O_NOFOLLOW))
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
        let (directory, name) = try place(of: path)
        guard directory === top else { return try openForeignLog(name, in: directory) }
        let file = try opening { () throws(SystemError) in
            try top.opened.openFile(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        }
        return DiskLog(try file.status(), file: file)
    }

    // MARK: Directories of other users

    /// Where a path's last name is to be looked up.
    ///
    /// What stands in a job's directory may be another user's, who puts links, FIFOs and directories there as he likes, and in a
    /// sticky new/ even in the place of the directory itself. So root's daemon opens it without following a link, and does
    /// all else by that descriptor; the same in directories where everybody may put something. For everybody else, and in the spool's
    /// other directories, it is the path as it stands.
    private func place(of path: String) throws(SystemError) -> (OpenDirectory, String) {
        guard isRoot, let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return (top, path) }
        let isDeep = path.utf8[..<slash].contains(UInt8(ascii: "/"))
        guard isDeep || trust?.isShared == true && Layout.shared.contains(String(path[..<slash])) else { return (top, path) }
        let directory = try opening { () throws(SystemError) in OpenDirectory(try top.opened.openDirectory(String(path[..<slash]))) }
        return (directory, String(path[path.utf8.index(after: slash)...]))
    }

    /// Whether a file in another user's directory is that user's, and not a link to somebody's. A job's own file is root's.
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
            // What is somewhere else, too, is not only the job's.
            if status.links == 1 { try file.setOwner(owner.user, group: owner.group) }
            return
        }
        let mode = status.mode & 0o777 | (status.mode & 0o100 == 0 ? 0o444 : 0o555)
        guard status.links > 1, status.size <= Source.bytesMax else { return try file.setMode(mode) }
        // Where else it is, it is to stay as it is.
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

    /// Lets everybody through to the directories of jobs; what each holds is its owner's alone.
    private func makePassable() throws(SystemError) {
        if isPassable { return }
        for (path, bits) in [(".", 0o055), (Layout.running, 0o011), (Layout.done, 0o011), (Layout.failed, 0o011),
            (Layout.state, 0o011)] as [(String, mode_t)] {
            let directory = try top.opened.openDirectory(path)
            let mode = try directory.descriptor.status().mode
            if mode & bits != bits { try directory.descriptor.setMode(mode | bits) }
        }
        // By it a job's own spoolctl knows the spool.
        let format = try top.opened.openFile(Layout.format, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        try format.setMode(format.status().mode | 0o044)
        isPassable = true
    }
}

/// A descriptor that a closure can hold.
private final class HeldDescriptor {
    let file: FileDescriptor

    init(_ file: consuming FileDescriptor) { self.file = file }
}

/// A directory that several can hold.
private final class OpenDirectory {
    let opened: Directory

    init(_ directory: consuming Directory) { opened = directory }
}

extension Directory {
    /// Makes a file under a name, in another user's directory perhaps, whatever has that name.
    fileprivate borrowing func writeFresh(
        _ name: String, _ bytes: [UInt8], mode: UInt32, asOwnerOf directory: OpenDirectory?
    ) throws(SystemError) {
        let file = try makeFresh(name, mode: mode)
        let owner = try directory.map { directory throws(SystemError) in try directory.opened.descriptor.status() }
        do throws(SystemError) {
            try file.write(bytes)
            if let owner, owner.owner != 0 { try file.setOwner(owner.owner, group: owner.group) }
        } catch {
            throw SystemError(call: error.call, path: name, errno: error.errno)
        }
    }

    private borrowing func makeFresh(_ name: String, mode: UInt32) throws(SystemError) -> FileDescriptor {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC
        // Somebody may put a new one there each time; he loses interest, or his own job its record.
        for _ in 0..<16 {
            do throws(SystemError) { return try openFile(name, flags, mode: mode) } catch {
                guard error.errno == EEXIST else { throw error }
            }
            do throws(SystemError) { try unlink(name) } catch {
                if error.errno == EISDIR { try setAside(name) } else if error.errno != ENOENT { throw error }
            }
        }
        throw SystemError(call: "open", path: name, errno: EEXIST)
    }

    /// Gives what has a name that is needed another one.
    fileprivate borrowing func setAside(_ name: String) throws(SystemError) {
        for number in 1...16 {
            // Somebody may have made the first of them; nobody can make all that a number may be.
            let other = number < 8 ? number : Int.random(in: 1 << 32..<1 << 62)
            do throws(SystemError) { return try renameNoReplace(name, to: "\(name).aside\(other)") } catch {
                guard error.errno == EEXIST else { throw error }
            }
        }
        throw SystemError(call: "rename", path: name, errno: EEXIST)
    }
}
