import Glibc

/// How many files this process may have open, RLIMIT_NOFILE. A program that needs many raises its soft limit, and starts other programs
/// with the limit that it had itself. systemd.exec(5) asks for both, because select(2) cannot take more than 1024.
public enum DescriptorLimit {
    /// The soft limit before it was raised; nil when it was not. Set once, before there is a second thread.
    nonisolated(unsafe) private static var original: rlim_t?

    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)

    /// The number of files to which even root cannot raise a process's limit any further, proc_sys_fs(5); nil where that cannot be read.
    public static let kernelMax: Int? = {
        // Without /proc the limit is unknown, and the kernel refuses what is above it when a program is started.
        guard let file = try? FileDescriptor.open("/proc/sys/fs/nr_open", O_RDONLY) else { return nil }
        guard let bytes = try? file.readAll(limit: 64) else { return nil }  // as above
        return Int(String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self))
    }()

    /// Raises the soft limit to the hard one. When the system refuses that, the limit stays as it is.
    public static func raise() {
        var limit = rlimit()
        guard original == nil, getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        let before = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        if setrlimit(resource, &limit) == 0 { original = before }
    }

    /// Calls `body`, which starts a program, with the original soft limit, unless the present one is lower.
    static func withOriginal<Value>(_ body: () -> Value) -> Value {
        var now = rlimit()
        guard let original, getrlimit(resource, &now) == 0, original < now.rlim_cur else { return body() }
        var lowered = now
        lowered.rlim_cur = original
        setrlimit(resource, &lowered)
        // Never refused: the limit had this value a moment ago.
        defer { setrlimit(resource, &now) }
        return body()
    }
}
