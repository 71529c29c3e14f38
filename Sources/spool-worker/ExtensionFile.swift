import Glibc
import Linux
import WorkerProtocol

extension Extension {
    /// By how much the timeout of the run in this directory has been moved, in milliseconds. Nil: that cannot be read now, and may be in a
    /// while.
    static func milliseconds(inDirectory directory: String) -> Int64? {
        let flags = O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK
        do throws(SystemError) {
            return milliseconds(try FileDescriptor.open("\(directory)/\(fileName)", flags).readAll(limit: bytesMax))
        } catch {
            // Most runs have no such file. One that its user has made unreadable moves nothing.
            return error.mayPass ? nil : 0
        }
    }
}
