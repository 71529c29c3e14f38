import CLinux
import Glibc

/// An open directory. Every name is relative to it, so calls reach the same directory even when its path changes.
///
/// Names may be relative paths (`running/ID`). A symbolic link in the last component is not followed, except with `followingLinks`.
public struct Directory: ~Copyable, Sendable {
    /// The directory's descriptor.
    public let descriptor: FileDescriptor

    /// The descriptor's number, for calls that do not keep it.
    public var raw: Int32 { descriptor.raw }

    /// Takes over a descriptor of an open directory.
    public init(owning descriptor: consuming FileDescriptor) { self.descriptor = descriptor }

    /// Opens a directory, open(2) with O_DIRECTORY, following symbolic links.
    public static func open(_ path: String) throws(SystemError) -> Directory {
        Directory(owning: try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY))
    }

    /// Opens a directory in this one, openat(2). Throws ENOTDIR when `name` is anything else, even a link to a directory.
    public borrowing func openDirectory(_ name: String) throws(SystemError) -> Directory {
        Directory(owning: try openFile(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
    }

    /// Opens a file, openat(2) with O_CLOEXEC. `mode` is used with O_CREAT only. See ``FileDescriptor/withoutWaiting(_:)``.
    public borrowing func openFile(_ name: String, _ flags: Int32, mode: mode_t = 0o600) throws(SystemError) -> FileDescriptor {
        let raw = raw
        let file = FileDescriptor(
            owning: try attempt("open", at: name) { linux_openat(raw, $0, FileDescriptor.withoutWaiting(flags) | O_CLOEXEC, mode) })
        try Reader.check(file.raw, of: name)
        return file
    }

    /// Puts the names in this directory on the disk, fsync(2).
    public borrowing func sync() throws(SystemError) { try descriptor.sync() }

    /// Writes all changes of the directory's file system to the disk, syncfs(2).
    public borrowing func syncFileSystem() throws(SystemError) {
        let raw = raw
        try attempt("syncfs") { linux_syncfs(raw) }
    }
}

// MARK: - Names

extension Directory {
    /// mkdirat(2).
    public borrowing func makeDirectory(_ name: String, mode: mode_t = 0o700) throws(SystemError) {
        let raw = raw
        try attempt("mkdir", at: name) { mkdirat(raw, $0, mode) }
    }

    /// Tells the file system that the directories made in this one are unrelated, as those at the top of a hierarchy: ioctl_iflags(2)
    /// FS_TOPDIR_FL. ext4 then distributes them over its block groups. Other file systems refuse the flag.
    public borrowing func spreadDirectories() throws(SystemError) {
        let raw = raw
        var flags: Int32 = 0
        try attempt("ioctl") { linux_get_inode_flags(raw, &flags) }
        if flags & linux_topdir_flag == 0 { try attempt("ioctl") { linux_set_inode_flags(raw, flags | linux_topdir_flag) } }
    }

    /// Renames within this directory, renameat(2). A file that has the new name is replaced.
    public borrowing func rename(_ old: String, to new: String) throws(SystemError) {
        let raw = raw
        try attempt("rename", at: old) { oldPath throws(SystemError) in
            try FileName.withCPath(new) { renameat(raw, oldPath, raw, $0) }
        }
    }

    /// Renames into another directory, renameat(2). A file that has the new name is replaced.
    public borrowing func rename(_ old: String, into directory: borrowing Directory, as new: String) throws(SystemError) {
        let (from, to) = (raw, directory.raw)
        try attempt("rename", at: old) { oldPath throws(SystemError) in
            try FileName.withCPath(new) { renameat(from, oldPath, to, $0) }
        }
    }

    /// Renames within this directory, renameat2(2) RENAME_NOREPLACE. Throws EEXIST when the new name exists.
    public borrowing func renameNoReplace(_ old: String, to new: String) throws(SystemError) {
        let raw = raw
        try attempt("rename", at: old) { oldPath throws(SystemError) in
            try FileName.withCPath(new) { linux_renameat2(raw, oldPath, raw, $0, LINUX_RENAME_NOREPLACE) }
        }
    }

    /// Renames into another directory, renameat2(2) RENAME_NOREPLACE. Throws EEXIST when the new name exists.
    public borrowing func renameNoReplace(_ old: String, into directory: borrowing Directory, as new: String) throws(SystemError) {
        let (from, to) = (raw, directory.raw)
        try attempt("rename", at: old) { oldPath throws(SystemError) in
            try FileName.withCPath(new) { linux_renameat2(from, oldPath, to, $0, LINUX_RENAME_NOREPLACE) }
        }
    }

    /// Swaps two names, renameat2(2) RENAME_EXCHANGE.
    public borrowing func exchange(_ first: String, _ second: String) throws(SystemError) {
        let raw = raw
        try attempt("rename", at: first) { firstPath throws(SystemError) in
            try FileName.withCPath(second) { linux_renameat2(raw, firstPath, raw, $0, LINUX_RENAME_EXCHANGE) }
        }
    }

    /// Swaps a name with one in another directory, renameat2(2) RENAME_EXCHANGE. Throws EINVAL where the file system cannot do this.
    public borrowing func exchange(_ first: String, with directory: borrowing Directory, _ second: String) throws(SystemError) {
        let (one, other) = (raw, directory.raw)
        try attempt("rename", at: first) { firstPath throws(SystemError) in
            try FileName.withCPath(second) { linux_renameat2(one, firstPath, other, $0, LINUX_RENAME_EXCHANGE) }
        }
    }

    /// Gives a file a second name, linkat(2). For a symbolic link, the link itself gets the name, not its target.
    public borrowing func link(_ existing: String, to new: String) throws(SystemError) {
        let raw = raw
        try attempt("link", at: existing) { existingPath throws(SystemError) in
            try FileName.withCPath(new) { linkat(raw, existingPath, raw, $0, 0) }
        }
    }

    /// symlinkat(2).
    public borrowing func makeSymbolicLink(_ name: String, to target: String) throws(SystemError) {
        let raw = raw
        try attempt("symlink", at: name) { path throws(SystemError) in
            try FileName.withCPath(target) { symlinkat($0, raw, path) }
        }
    }

    /// unlinkat(2).
    public borrowing func unlink(_ name: String) throws(SystemError) {
        let raw = raw
        try attempt("unlink", at: name) { unlinkat(raw, $0, 0) }
    }

    /// Removes an empty directory, unlinkat(2) AT_REMOVEDIR.
    public borrowing func removeDirectory(_ name: String) throws(SystemError) {
        let raw = raw
        try attempt("rmdir", at: name) { unlinkat(raw, $0, AT_REMOVEDIR) }
    }

    /// The attributes of a name, fstatat(2). Those of a symbolic link itself, unless `followingLinks` is true.
    public borrowing func status(_ name: String, followingLinks: Bool = false) throws(SystemError) -> FileStatus {
        let raw = raw
        var status = stat()
        try attempt("stat", at: name) { fstatat(raw, $0, &status, followingLinks ? 0 : AT_SYMLINK_NOFOLLOW) }
        return FileStatus(status)
    }

    /// True when another file system, or another part of this one, is mounted at a name, statx(2) STATX_ATTR_MOUNT_ROOT. The mounted file
    /// system is not asked, because it may never answer. False when there is no such name, and always before Linux 5.8.
    public borrowing func isMountPoint(_ name: String) throws(SystemError) -> Bool {
        let raw = raw
        var status = statx()
        let flags = AT_SYMLINK_NOFOLLOW | LINUX_AT_NO_AUTOMOUNT | LINUX_AT_STATX_DONT_SYNC
        do throws(SystemError) {
            try attempt("statx", at: name) { linux_statx(raw, $0, flags, 0, &status) }
        } catch {
            if error.isOutOfReach || error.errno == ENOSYS { return false }
            throw error
        }
        return status.stx_attributes & UInt64(STATX_ATTR_MOUNT_ROOT) != 0
    }

    /// The attributes of a name and of a symbolic link itself; nil when something is mounted there. One call of statx(2), which asks the
    /// mounted file system no more than ``isMountPoint(_:)``. So the attributes of a file on a network may be a few seconds old.
    public borrowing func statusUnlessMounted(_ name: String) throws(SystemError) -> FileStatus? {
        let raw = raw
        var status = statx()
        let flags = AT_SYMLINK_NOFOLLOW | LINUX_AT_NO_AUTOMOUNT | LINUX_AT_STATX_DONT_SYNC
        do throws(SystemError) {
            try attempt("statx", at: name) { linux_statx(raw, $0, flags, UInt32(STATX_BASIC_STATS), &status) }
        } catch {
            // EACCES: another user's FUSE file system. It refuses root its attributes, but not whether it is mounted. The others: a sandbox
            // that does not know the call.
            guard [EACCES, ENOSYS, EPERM].contains(error.errno) else { throw error }
            return try isMountPoint(name) ? nil : self.status(name)
        }
        return status.stx_attributes & UInt64(STATX_ATTR_MOUNT_ROOT) != 0 ? nil : FileStatus(status)
    }

    /// The target of a symbolic link, readlinkat(2).
    public borrowing func readSymbolicLink(_ name: String) throws(SystemError) -> String {
        let raw = raw
        let target = UnsafeMutablePointer<CChar>.allocate(capacity: Int(PATH_MAX))
        defer { target.deallocate() }
        let count = try attempt("readlink", at: name) { readlinkat(raw, $0, target, Int(PATH_MAX)) }
        let bytes = UnsafeRawBufferPointer(start: target, count: count).assumingMemoryBound(to: UInt8.self)
        return FileName.string(from: bytes)
    }
}

/// ``attempt(_:at:_:)`` for a call with a second path. An error that `body` throws about that path is passed on.
@discardableResult
private func attempt(
    _ call: String, at path: String, _ body: (UnsafePointer<CChar>) throws(SystemError) -> Int32
) throws(SystemError) -> Int32 {
    let outcome: Result<Int32, SystemError> = try FileName.withCPath(path) { pointer in
        do throws(SystemError) {
            while true {
                let result = try body(pointer)
                if result >= 0 { return .success(result) }
                let number = errno
                if number != EINTR { return .failure(SystemError(call: call, path: path, errno: number)) }
            }
        } catch {
            return .failure(error)
        }
    }
    return try outcome.get()
}

// MARK: - Whole files

extension Directory {
    /// The content of a regular file.
    ///
    /// Throws ELOOP for a symbolic link, EINVAL for a FIFO or a device, EISDIR for a directory, and EFBIG for more than `limit` bytes. It
    /// never waits for any of these (O_NOFOLLOW, O_NONBLOCK, O_NOCTTY), and checks the size before it reads.
    public borrowing func readFile(_ name: String, limit: Int) throws(SystemError) -> [UInt8] {
        let file = try openFile(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
        do throws(SystemError) {
            return try file.readRegular(limit: limit)
        } catch {
            throw SystemError(call: error.call, path: name, errno: error.errno)
        }
    }

    /// Creates or overwrites a file in place, without syncing it. A crash meanwhile leaves an incomplete file.
    public borrowing func writeFile(_ name: String, _ bytes: [UInt8], mode: mode_t = 0o600) throws(SystemError) {
        let file = try openFile(name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NOCTTY, mode: mode)
        do throws(SystemError) {
            try file.write(bytes)
        } catch {
            throw SystemError(call: error.call, path: name, errno: error.errno)
        }
    }
}

extension FileDescriptor {
    fileprivate borrowing func readRegular(limit: Int) throws(SystemError) -> [UInt8] {
        let status = try status()
        if status.kind == .directory { throw SystemError(call: "read", errno: EISDIR) }
        if status.kind != .file { throw SystemError(call: "read", errno: EINVAL) }
        if status.size > Int64(limit) { throw SystemError(call: "read", errno: EFBIG) }
        return try readAll(limit: limit)
    }
}
