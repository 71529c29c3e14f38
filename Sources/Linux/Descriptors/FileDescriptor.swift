import CLinux
import Glibc

/// A file descriptor that closes itself, close(2), when its owner is done with it.
public struct FileDescriptor: ~Copyable, Sendable {
    /// The number, for calls that do not keep it.
    public let raw: Int32

    /// Takes over an open descriptor.
    public init(owning raw: Int32) {
        precondition(raw >= 0, "a descriptor is never negative")
        self.raw = raw
    }

    deinit { _ = Glibc.close(raw) }  // close(2) frees the number even when it reports an error; data was synced before

    /// Gives the descriptor away: the caller closes it.
    public consuming func release() -> Int32 {
        let raw = raw
        discard self
        return raw
    }

    /// Opens a path, open(2) with O_CLOEXEC. `mode` is used with O_CREAT only. See ``withoutWaiting(_:)``.
    public static func open(_ path: String, _ flags: Int32, mode: mode_t = 0) throws(SystemError) -> FileDescriptor {
        let file = FileDescriptor(
            owning: try attempt("open", at: path) { linux_openat(AT_FDCWD, $0, withoutWaiting(flags) | O_CLOEXEC, mode) })
        try Reader.check(file.raw, of: path)
        return file
    }

    /// Adds O_NONBLOCK and O_NOCTTY for a file that is opened for reading with O_NOFOLLOW. Such a path should be a regular file, but
    /// another user may have put a FIFO or a terminal there. Opening then neither waits for a writer nor gets a controlling terminal.
    static func withoutWaiting(_ flags: Int32) -> Int32 {
        flags & O_NOFOLLOW != 0 && flags & O_ACCMODE == O_RDONLY ? flags | O_NONBLOCK | O_NOCTTY : flags
    }

    /// A second descriptor for the same open file, fcntl(2) F_DUPFD_CLOEXEC, numbered `minimum` or above.
    public borrowing func duplicate(atLeast minimum: Int32 = 3) throws(SystemError) -> FileDescriptor {
        let raw = raw
        return FileDescriptor(owning: try attempt("fcntl") { linux_fcntl_int(raw, F_DUPFD_CLOEXEC, minimum) })
    }
}

extension FileDescriptor {
    /// A file in memory without a path, memfd_create(2). `name` is for people who look into /proc.
    public static func memory(named name: String) throws(SystemError) -> FileDescriptor {
        let closesOnExec: UInt32 = 1
        return FileDescriptor(owning: try attempt("memfd_create", at: name) { linux_memfd_create($0, closesOnExec) })
    }
}

// MARK: - Reading

extension FileDescriptor {
    /// Reads once into `buffer`, read(2); 0 at the end of the file.
    public borrowing func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        let raw = raw
        return try attempt("read") { Glibc.read(raw, buffer.baseAddress, buffer.count) }
    }

    /// Reads once into `buffer` at `offset`, pread(2); 0 at the end of the file.
    public borrowing func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(SystemError) -> Int {
        let raw = raw
        return try attempt("pread") { Glibc.pread(raw, buffer.baseAddress, buffer.count, off_t(offset)) }
    }

    /// The position of the next data at or after `offset` that is not a hole of a sparse file, lseek(2) SEEK_DATA. Nil when only a hole
    /// follows. Returns `offset` on a file system that does not know its holes. Moves the position of ``read(into:)``.
    public borrowing func nextData(from offset: Int64) -> Int64? {
        let found = lseek(raw, off_t(offset), Self.seekData)
        if found >= 0 { return Int64(found) }
        return errno == ENXIO ? nil : offset
    }

    /// unistd.h defines it for _GNU_SOURCE only.
    private static let seekData: Int32 = 3

    /// Reads from the present position to the end of the file. Throws EFBIG for more than `limit` bytes, because another user may have
    /// chosen the size of the file. A caller that knows the size of the file gives it.
    public borrowing func readAll(limit: Int, size: Int64? = nil) throws(SystemError) -> [UInt8] {
        let size = if let size { size } else { try status().size }
        // One byte more than the size, so that the common case finds the end in the first read and grows nothing.
        let expected = Int(min(size, Int64(limit)))
        var bytes: [UInt8] = []
        // Files in /proc have the size 0. Files in /proc/sys return their whole content in the first read.
        var capacity = expected > 0 ? expected + 1 : 4096
        while true {
            let chunk = try readChunk(capacity)
            if chunk.isEmpty { return bytes }
            if bytes.isEmpty { bytes = chunk } else { bytes += chunk }
            if bytes.count > limit { throw SystemError(call: "read", errno: EFBIG) }
            if chunk.count < capacity && bytes.count == expected && expected > 0 { return bytes }
            capacity = max(4096, min(bytes.count, 1 << 20))
        }
    }

    /// Reads once, at most so many bytes; none at the end of the file.
    borrowing func readChunk(_ capacity: Int) throws(SystemError) -> [UInt8] {
        let raw = raw
        var failure: Int32 = 0
        let chunk = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            count = 0
            while true {
                let result = Glibc.read(raw, buffer.baseAddress, capacity)
                if result >= 0 { count = result; return }
                if errno != EINTR { failure = errno; return }
            }
        }
        if failure != 0 { throw SystemError(call: "read", errno: failure) }
        return chunk
    }

    /// Reads up to `count` bytes at `offset`, pread(2); fewer at the end of the file.
    public borrowing func read(count: Int, at offset: Int64) throws(SystemError) -> [UInt8] {
        let raw = raw
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = 0
            while filled < count {
                let result = Glibc.pread(raw, buffer.baseAddress! + filled, count - filled, off_t(offset) + filled)
                if result > 0 { filled += result; continue }
                if result == 0 { return }
                if errno != EINTR { failure = errno; return }
            }
        }
        if failure != 0 { throw SystemError(call: "pread", errno: failure) }
        return bytes
    }
}

// MARK: - Writing

extension FileDescriptor {
    /// Writes all bytes at the present position, with as many calls of write(2) as needed.
    public borrowing func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        let raw = raw
        var done = 0
        while done < bytes.count {
            done += try attempt("write") { Glibc.write(raw, bytes.baseAddress! + done, bytes.count - done) }
        }
    }

    /// Writes all bytes at the present position, with as many calls of write(2) as needed.
    public borrowing func write(_ bytes: [UInt8]) throws(SystemError) {
        let raw = raw
        let outcome: Result<Void, SystemError> = bytes.withUnsafeBytes { buffer in
            writeAll(buffer, call: "write") { Glibc.write(raw, $0, $1) }
        }
        try outcome.get()
    }

    /// Writes all bytes at `offset`, with as many calls of pwrite(2) as needed.
    public borrowing func write(_ bytes: [UInt8], at offset: Int64) throws(SystemError) {
        let raw = raw
        var position = off_t(offset)
        let outcome: Result<Void, SystemError> = bytes.withUnsafeBytes { buffer in
            writeAll(buffer, call: "pwrite") {
                let count = Glibc.pwrite(raw, $0, $1, position)
                if count > 0 { position += count }
                return count
            }
        }
        try outcome.get()
    }
}

private func writeAll(
    _ buffer: UnsafeRawBufferPointer, call: String, _ body: (UnsafeRawPointer, Int) -> Int
) -> Result<Void, SystemError> {
    var done = 0
    while done < buffer.count {
        let count = body(buffer.baseAddress! + done, buffer.count - done)
        if count >= 0 { done += count } else if errno != EINTR { return .failure(SystemError(call: call, errno: errno)) }
    }
    return .success(())
}

// MARK: - State

extension FileDescriptor {
    /// Puts data and metadata on the disk, fsync(2). After a failure the content of the disk is unknown.
    public borrowing func sync() throws(SystemError) {
        let raw = raw
        try attempt("fsync") { fsync(raw) }
    }

    /// Puts data, and the metadata needed to read it, on the disk, fdatasync(2).
    public borrowing func syncData() throws(SystemError) {
        let raw = raw
        try attempt("fdatasync") { fdatasync(raw) }
    }

    /// Cuts or extends the file to `size` bytes, ftruncate(2).
    public borrowing func truncate(to size: Int64) throws(SystemError) {
        let raw = raw
        try attempt("ftruncate") { ftruncate(raw, off_t(size)) }
    }

    /// The attributes of the file, fstat(2).
    public borrowing func status() throws(SystemError) -> FileStatus {
        let raw = raw
        var status = stat()
        try attempt("fstat") { fstat(raw, &status) }
        return FileStatus(status)
    }

    /// Sets permission bits, fchmod(2).
    public borrowing func setMode(_ mode: mode_t) throws(SystemError) {
        let raw = raw
        try attempt("fchmod") { fchmod(raw, mode) }
    }

    /// Sets owner and group, fchown(2). `uid_t.max`, which is -1, leaves the owner or the group as it is.
    public borrowing func setOwner(_ owner: uid_t, group: gid_t) throws(SystemError) {
        let raw = raw
        try attempt("fchown") { fchown(raw, owner, group) }
    }

    /// Makes reads and writes wait again after opening with O_NONBLOCK, fcntl(2) F_SETFL.
    public borrowing func setBlocking() throws(SystemError) {
        let raw = raw
        let flags = try attempt("fcntl") { linux_fcntl_int(raw, F_GETFL, 0) }
        try attempt("fcntl") { linux_fcntl_int(raw, F_SETFL, flags & ~O_NONBLOCK) }
    }

    /// Takes the exclusive advisory lock, flock(2) LOCK_EX|LOCK_NB; false when another open file holds it.
    public borrowing func tryLock() throws(SystemError) -> Bool {
        let raw = raw
        do throws(SystemError) {
            try attempt("flock") { linux_flock(raw, LOCK_EX | LOCK_NB) }
            return true
        } catch where error.errno == EWOULDBLOCK {
            return false
        }
    }

    /// Takes a shared advisory lock, flock(2) LOCK_SH|LOCK_NB; false when another open file has the exclusive one. The lock replaces the
    /// one that this open file has. Returns true also on a file system without such locks.
    public borrowing func trySharedLock() throws(SystemError) -> Bool {
        let raw = raw
        do throws(SystemError) {
            try attempt("flock") { linux_flock(raw, LOCK_SH | LOCK_NB) }
            return true
        } catch {
            return error.errno != EWOULDBLOCK
        }
    }

    /// Waits for the exclusive advisory lock and takes it, flock(2) LOCK_EX.
    public borrowing func lock() throws(SystemError) {
        let raw = raw
        try attempt("flock") { linux_flock(raw, LOCK_EX) }
    }

    // MARK: Open file description locks, fcntl(2)

    // Such a lock belongs to one opening of the file. It stays over exec(3), and ends when the last descriptor of the opening is closed.
    // fcntl.h defines the commands for _GNU_SOURCE only.
    private static let getRecordLock: Int32 = 36
    private static let setRecordLock: Int32 = 37
    private static let awaitRecordLock: Int32 = 38

    private borrowing func recordLock(_ command: Int32, _ type: Int32, from: Int64 = 0, count: Int64 = 0) throws(SystemError) -> flock {
        let raw = raw
        var region = flock()
        region.l_type = Int16(type)
        region.l_start = off_t(from)
        region.l_len = off_t(count)
        try attempt("lock") { fcntl(raw, command, &region) }
        return region
    }

    /// Takes the exclusive lock, F_OFD_SETLK; false when another opening of the file holds it. Needs a descriptor for writing.
    public borrowing func tryRecordLock() throws(SystemError) -> Bool {
        do throws(SystemError) {
            _ = try recordLock(Self.setRecordLock, F_WRLCK)
            return true
        } catch where error.errno == EAGAIN || error.errno == EACCES {
            return false
        }
    }

    /// Waits for the exclusive lock and takes it, F_OFD_SETLKW. Blocks the calling thread.
    public borrowing func awaitRecordLock() throws(SystemError) { _ = try recordLock(Self.awaitRecordLock, F_WRLCK) }

    /// True while another opening of the file holds the lock, F_OFD_GETLK.
    public borrowing func isRecordLocked() throws(SystemError) -> Bool {
        try recordLock(Self.getRecordLock, F_RDLCK).l_type != Int16(F_UNLCK)
    }

    /// Takes the shared lock on everything from `offset` on, F_OFD_SETLK, and unlocks what is before it. Throws EAGAIN when another opening
    /// has the exclusive lock.
    public borrowing func lockReading(from offset: Int64) throws(SystemError) {
        _ = try recordLock(Self.setRecordLock, F_RDLCK, from: offset)
        if offset > 0 { _ = try recordLock(Self.setRecordLock, F_UNLCK, count: offset) }
    }

    /// Takes the shared lock on the first `count` bytes, F_OFD_SETLK. Throws EAGAIN when another opening has the exclusive lock.
    public borrowing func lockReading(count: Int64) throws(SystemError) { _ = try recordLock(Self.setRecordLock, F_RDLCK, count: count) }

    /// The position of the first byte in `range` on which another opening has a lock, F_OFD_GETLK. Nil when there is none. Does not wait.
    public borrowing func firstLocked(in range: Range<Int64>) throws(SystemError) -> Int64? {
        var found: Int64?
        var end = range.upperBound
        // The kernel returns any one of several locks. So the search is repeated in the bytes before the one that was found.
        while end > range.lowerBound {
            let lock = try recordLock(Self.getRecordLock, F_WRLCK, from: range.lowerBound, count: end == .max ? 0 : end - range.lowerBound)
            guard lock.l_type != Int16(F_UNLCK) else { break }
            end = max(range.lowerBound, Int64(lock.l_start))
            found = end
        }
        return found
    }

    /// The bytes that this user can still write to the file system, fstatvfs(3).
    public borrowing func freeBytes() throws(SystemError) -> Int64 {
        let raw = raw
        var status = statvfs()
        try attempt("statvfs") { fstatvfs(raw, &status) }
        return Int64(clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
    }

    /// Sets or clears the flag that closes the descriptor when this process becomes another program, fcntl(2) F_SETFD.
    public borrowing func setCloseOnExec(_ isClosed: Bool) throws(SystemError) {
        let raw = raw
        try attempt("fcntl") { linux_fcntl_int(raw, F_SETFD, isClosed ? FD_CLOEXEC : 0) }
    }

    /// Keeps writers out while the file is read. Returns false when somebody has the file open for writing already. Whoever opens it for
    /// writing afterwards waits until this descriptor is closed.
    ///
    /// Takes a read lease, fcntl(2) F_SETLEASE. When a writer waits, the kernel sends SIGIO, which ends a process that does not ignore it.
    /// A lease needs a descriptor opened read-only, by the file's owner or with CAP_LEASE, on a file system with leases. When the system
    /// refuses the lease for any other reason, the result is true and no writer is kept out.
    public borrowing func excludeWriters() -> Bool {
        linux_set_lease(raw, Int32(F_RDLCK)) == 0 || errno != EAGAIN
    }

    /// Ends what ``excludeWriters()`` began. A descriptor that is sent to another process keeps the lease, so that process could hold up
    /// the file's writers.
    public borrowing func admitWriters() { _ = linux_set_lease(raw, Int32(F_UNLCK)) }
}
