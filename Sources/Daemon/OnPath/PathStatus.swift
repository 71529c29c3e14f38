import Glibc
import Linux
import Scheduler

/// Reads the state of a path that a schedule waits for.
enum PathStatus {
    /// Nil when nothing is there.
    static func read(_ path: ExactPath) throws(SystemError) -> FileStatus? {
        do throws(SystemError) { return try FileStatus.read(path.text) } catch {
            if error.isMissing { return nil }
            throw error
        }
    }

    /// A number that changes with the file and with its content, as far as size and time of modification show it.
    static func fingerprint(_ path: ExactPath, _ status: FileStatus) -> UInt64 {
        stableHash("\(path.text)\u{0}\(status.inode)\u{0}\(status.size)\u{0}\(status.modifiedNanoseconds)")
    }

    /// True when the file was changed so recently that another change may give it the same time.
    static func isFresh(_ status: FileStatus) -> Bool {
        let time = Clock.now() * 1_000_000
        let tick = PathLooks.Wait.tick.milliseconds * 1_000_000
        return status.modifiedNanoseconds > time - tick && status.modifiedNanoseconds < time + tick
    }

    enum Readiness {
        /// Nobody has the file open for writing, or this process may not find that out.
        case whole
        /// Somebody has the file open for writing, or the check is impossible at the moment.
        case written
        /// Another file is at the path now, or none.
        case another
    }

    static func readiness(_ path: ExactPath, _ fingerprint: UInt64) -> Readiness {
        do throws(SystemError) {
            let file = try FileDescriptor.open(path.text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
            if !file.excludeWriters() { return .written }
            let status = try file.status()
            return status.kind == .file && Self.fingerprint(path, status) == fingerprint ? .whole : .another
        } catch {
            if error.isMissing || error.errno == ELOOP { return .another }
            if error.isShortage || [EAGAIN, EINTR].contains(error.errno) { return .written }
            // This process may not read the file, so it cannot find out whether somebody writes it.
            return .whole
        }
    }
}
