import Glibc
import Store

/// A file system on a disk that fails at its Nth change, once or for good, before the change or in the middle of it.
final class FaultyFileSystem: FileSystem {
    enum Fault {
        /// The machine stops before the change. Every later call fails.
        case stop
        /// The machine stops in the middle of the change: half of the bytes are written, or a temporary file has not got its
        /// name.
        case stopWithin
        /// The disk is full in the middle of the change, and has room again afterwards.
        case full
    }

    let disk: DiskFileSystem
    private let fault: Fault
    private let failing: Int?
    private(set) var count = 0
    private(set) var isStopped = false

    /// `failing` is the number of the change that fails, counted from 1. With nil no change fails.
    init(_ disk: DiskFileSystem, _ fault: Fault = .stop, at failing: Int? = nil) {
        self.disk = disk
        self.fault = fault
        self.failing = failing
    }

    /// Counts a change, and fails if it is the failing one. `half` does the part of the change that a fault in its middle leaves.
    fileprivate func change(_ call: String, _ path: String, half: () throws(SystemError) -> Void = {}) throws(SystemError) {
        try look(call, path)
        count += 1
        guard count == failing else { return }
        switch fault {
        case .stop:
            isStopped = true
            throw SystemError(call: call, path: path, errno: EIO)
        case .stopWithin:
            try half()
            isStopped = true
            throw SystemError(call: call, path: path, errno: EIO)
        case .full:
            try half()
            throw SystemError(call: call, path: path, errno: ENOSPC)
        }
    }

    private func look(_ call: String, _ path: String) throws(SystemError) {
        if isStopped { throw SystemError(call: call, path: path, errno: EIO) }
    }

    func list(_ path: String) throws(SystemError) -> [DirectoryEntry] {
        try look("list", path)
        return try disk.list(path)
    }

    func status(_ path: String) throws(SystemError) -> FileStatus? {
        try look("status", path)
        return try disk.status(path)
    }

    func take(_ path: String, limit: Int, ignoringWriters: Bool) throws(SystemError) -> TakenFile {
        try look("take", path)
        return try disk.take(path, limit: limit, ignoringWriters: ignoringWriters)
    }

    func create(_ path: String, _ bytes: [UInt8], mode: UInt32) throws(SystemError) {
        try change("create", path) { () throws(SystemError) in
            try self.disk.create(path, Array(bytes.prefix(bytes.count / 2)), mode: mode)
        }
        try disk.create(path, bytes, mode: mode)
    }

    func replace(_ path: String, _ bytes: [UInt8]) throws(SystemError) {
        try change("replace", path) { () throws(SystemError) in
            try self.disk.create(path + ".tmp", Array(bytes.prefix(bytes.count / 2)), mode: 0o600)
        }
        try disk.replace(path, bytes)
    }

    func makeDirectory(_ path: String) throws(SystemError) {
        try change("mkdir", path)
        try disk.makeDirectory(path)
    }

    func give(_ path: String, to owner: FileOwner, only names: [String]?) throws(SystemError) {
        try change("chown", path)
        try disk.give(path, to: owner, only: names)
    }

    func takeBack(_ path: String) throws(SystemError) {
        try change("chown", path)
        try disk.takeBack(path)
    }

    func rename(_ from: String, to: String) throws(SystemError) {
        try change("rename", from)
        try disk.rename(from, to: to)
    }

    func renameNoReplace(_ from: String, to: String) throws(SystemError) {
        try change("rename", from)
        try disk.renameNoReplace(from, to: to)
    }

    func removeFile(_ path: String) throws(SystemError) {
        try change("unlink", path)
        try disk.removeFile(path)
    }

    func removeTree(_ path: String) throws(SystemError) {
        try change("remove", path) { () throws(SystemError) in
            for entry in try self.disk.list(path).prefix(1) { try self.disk.removeTree("\(path)/\(entry.name)") }
        }
        try disk.removeTree(path)
    }

    func sync(_ path: String) throws(SystemError) {
        try change("fsync", path)
        try disk.sync(path)
    }

    func syncAll() throws(SystemError) {
        try change("syncfs", "")
        try disk.syncAll()
    }

    func openLog(_ path: String) throws(SystemError) -> FaultyLog {
        try change("open", path)
        return FaultyLog(try disk.openLog(path), self, path)
    }
}

final class FaultyLog: AppendLog {
    private let log: DiskLog
    var inode: UInt64 { log.inode }
    private let fs: FaultyFileSystem
    private let path: String

    fileprivate init(_ log: DiskLog, _ fs: FaultyFileSystem, _ path: String) {
        self.log = log
        self.fs = fs
        self.path = path
        size = log.size
    }

    private(set) var size: Int64

    func append(_ bytes: [UInt8]) throws(SystemError) {
        try fs.change("write", path) { () throws(SystemError) in try self.log.append(Array(bytes.prefix(bytes.count / 2))) }
        try log.append(bytes)
        size += Int64(bytes.count)
    }

    func syncData() throws(SystemError) {
        try fs.change("fdatasync", path)
        try log.syncData()
    }

    func truncate(to size: Int64) throws(SystemError) {
        try fs.change("truncate", path)
        try log.truncate(to: size)
        self.size = size
    }
}

/// A file system with one segment of the journal, which has these bytes.
final class OneFile: FileSystem {
    private let bytes: [UInt8]
    private let names: [DirectoryEntry]

    init(_ bytes: [UInt8], isListed: Bool = false) {
        self.bytes = bytes
        names = isListed ? [DirectoryEntry(name: "000000000001.log", kind: .file)] : []
    }

    func take(_ path: String, limit: Int, ignoringWriters: Bool) throws(SystemError) -> TakenFile { .file(Self.status, bytes) }

    private static let status = try! Directory.open("/").status(".")
    private func refuse() -> SystemError { SystemError(call: "change", errno: EROFS) }

    func list(_ path: String) throws(SystemError) -> [DirectoryEntry] { names }
    func status(_ path: String) throws(SystemError) -> FileStatus? {
        var status = Self.status
        status.size = Int64(bytes.count)
        return status
    }
    func create(_ path: String, _ bytes: [UInt8], mode: UInt32) throws(SystemError) { throw refuse() }
    func replace(_ path: String, _ bytes: [UInt8]) throws(SystemError) { throw refuse() }
    func makeDirectory(_ path: String) throws(SystemError) { throw refuse() }
    func give(_ path: String, to owner: FileOwner, only names: [String]?) throws(SystemError) { throw refuse() }
    func takeBack(_ path: String) throws(SystemError) { throw refuse() }
    func rename(_ from: String, to: String) throws(SystemError) { throw refuse() }
    func renameNoReplace(_ from: String, to: String) throws(SystemError) { throw refuse() }
    func removeFile(_ path: String) throws(SystemError) { throw refuse() }
    func removeTree(_ path: String) throws(SystemError) { throw refuse() }
    func sync(_ path: String) throws(SystemError) { throw refuse() }
    func syncAll() throws(SystemError) { throw refuse() }
    func openLog(_ path: String) throws(SystemError) -> DiskLog { throw refuse() }
}
