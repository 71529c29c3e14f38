import Glibc

/// How many files this process may have open, RLIMIT_NOFILE: a program that needs many raises its soft limit, and those that it starts begin
/// with the one that it began with. systemd.exec(5) asks for both: select(2) cannot take more than 1024.
public enum DescriptorLimit {
    /// What it was before it was raised; nil: it was not. Set once, before there is a second thread.
    nonisolated(unsafe) private static var original: rlim_t?

    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)

    /// To how many files even root can raise a process's limit, proc_sys_fs(5); nil where that cannot be read.
    public static let kernelMax: Int? = {
        // Without /proc nothing is known, and the kernel says it at the start.
        guard let file = try? FileDescriptor.open("/proc/sys/fs/nr_open", O_RDONLY), let bytes = try? file.readAll(limit: 64) else { return nil }
        return Int(String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self))
    }()

    /// Raises the soft limit to the hard one. Where that is refused it stays as it is.
    public static func raise() {
        var limit = rlimit()
        guard original == nil, getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        let before = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        if setrlimit(resource, &limit) == 0 { original = before }
    }

    /// Does what starts a program while the soft limit is what it was, and no higher than it is now.
    static func withOriginal<Value>(_ body: () -> Value) -> Value {
        var now = rlimit()
        guard let original, getrlimit(resource, &now) == 0, original < now.rlim_cur else { return body() }
        var lowered = now
        lowered.rlim_cur = original
        setrlimit(resource, &lowered)
        // What it was a moment ago, it may be again.
        defer { setrlimit(resource, &now) }
        return body()
    }
}
