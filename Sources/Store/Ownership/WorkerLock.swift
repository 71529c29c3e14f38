import Glibc
import Linux

/// The flock(2) lock of a worker's record. A worker holds it while it lives, and the lock is visible from every pid namespace.
public enum WorkerLock {
    /// True when a worker holds the lock. The check takes the lock for a moment, so a worker that is being started then uses
    /// another record.
    public static func isHeld(record: String, spool path: String) throws(SystemError) -> Bool {
        do throws(SystemError) {
            return try !FileDescriptor.open("\(path)/\(Layout.workers)/\(record)", O_RDONLY | O_NOFOLLOW).tryLock()
        } catch {
            if error.errno == ENOENT { return false }
            throw error
        }
    }
}
