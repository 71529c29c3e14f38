import Glibc

/// The limit of files that this process may have open, RLIMIT_NOFILE. A program that needs many raises its soft limit, and starts other
/// programs with the limit that it had itself. systemd.exec(5) asks for both, because select(2) fails for descriptors above 1023.
public enum DescriptorLimit {
    /// The soft limit before it was raised. Nil when it was not raised. Set once, before there is a second thread.
    nonisolated(unsafe) private static var original: rlim_t?

    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)

    /// The highest limit that even root can set, proc_sys_fs(5). Nil when it cannot be read: the kernel then refuses a higher limit when a
    /// program is started.
    public static let kernelMax: Int? = {
        guard let file = try? FileDescriptor.open("/proc/sys/fs/nr_open", O_RDONLY) else { return nil }  // no /proc: unknown
        guard let bytes = try? file.readAll(limit: 64) else { return nil }  // as above
        return Int(String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self))
    }()

    /// The soft limit.
    public static var now: Int {
        var limit = rlimit()
        return getrlimit(resource, &limit) == 0 ? Int(clamping: limit.rlim_cur) : .max
    }

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
        // This cannot fail, because the limit had this value a moment ago.
        defer { setrlimit(resource, &now) }
        return body()
    }
}
