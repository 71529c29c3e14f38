import Glibc

public enum DiskSpace {
    /// The bytes that this user can still write to the file system of a path, statvfs(3). Nil when the file system does not say.
    public static func freeBytes(atPath path: String) -> UInt64? {
        var space = statvfs()
        guard statvfs(path, &space) == 0 else { return nil }
        let (free, isHuge) = UInt64(space.f_bavail).multipliedReportingOverflow(by: UInt64(space.f_frsize))
        return isHuge ? nil : free
    }
}
