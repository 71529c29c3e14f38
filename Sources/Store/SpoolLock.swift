import Glibc
import Linux

/// The lock by which one daemon at most serves a spool: an open-file-description lock on `state/lock`, which the kernel
/// lets go of when its holder dies, and which can be asked about without being taken. The file says who holds it.
public struct SpoolLock: ~Copyable {
    private let file: FileDescriptor

    /// Who has the spool.
    public struct Holder: Sendable, Equatable {
        public var pid: Int32
        public var host: String
    }

    /// Takes the lock of the spool at `path`. Nil when another process has it: `holder` says which.
    public static func acquire(spool path: String, host: String) throws(SystemError) -> SpoolLock? {
        let file = try FileDescriptor.open("\(path)/\(Layout.lock)", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, mode: 0o600)
        var region = flock()
        region.l_type = Int16(F_WRLCK)
        guard fcntl(file.raw, 37 /* F_OFD_SETLK */, &region) == 0 else {
            if errno == EAGAIN || errno == EACCES { return nil }
            throw SystemError(call: "lock", path: Layout.lock, errno: errno)
        }
        try file.truncate(to: 0)
        try file.write(Array("\(getpid()) \(host)\n".utf8), at: 0)
        return SpoolLock(file: file)
    }

    private init(file: consuming FileDescriptor) { self.file = file }

    /// The daemon that serves the spool now; nil when none does.
    public static func holder(spool path: String) throws(SystemError) -> Holder? {
        let file: FileDescriptor
        do throws(SystemError) {
            file = try FileDescriptor.open("\(path)/\(Layout.lock)", O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        } catch {
            if error.errno == ENOENT { return nil }
            throw error
        }
        var region = flock()
        region.l_type = Int16(F_RDLCK)
        guard fcntl(file.raw, 36 /* F_OFD_GETLK */, &region) == 0 else {
            throw SystemError(call: "lock", path: Layout.lock, errno: errno)
        }
        guard region.l_type != Int16(F_UNLCK) else { return nil }
        let words = String(decoding: try file.read(count: 512, at: 0), as: UTF8.self).split(whereSeparator: \.isWhitespace)
        return Holder(pid: words.first.flatMap { Int32($0) } ?? 0, host: words.dropFirst().first.map(String.init) ?? "?")
    }
}
