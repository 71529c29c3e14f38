import Glibc
import Linux

/// The lock of a worker's record, flock(2): held for as long as the worker lives, whichever namespace it is looked at from.
public enum WorkerLock {
    /// Whether a worker holds it. For that moment it is taken, so that a worker that is being started takes another record.
    public static func isHeld(record: String, spool path: String) throws(SystemError) -> Bool {
        do throws(SystemError) {
            return try !FileDescriptor.open("\(path)/\(Layout.workers)/\(record)", O_RDONLY | O_NOFOLLOW).tryLock()
        } catch {
            if error.errno == ENOENT { return false }
            throw error
        }
    }
}
