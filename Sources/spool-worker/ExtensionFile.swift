import Glibc
import Linux
import WorkerProtocol

extension Extension {
    /// The time that was added to the timeout of the run in this directory, in milliseconds. Nil when the file cannot be read now
    /// but may be readable later.
    static func milliseconds(inDirectory directory: String) -> Int64? {
        let flags = O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK
        do throws(SystemError) {
            return milliseconds(try FileDescriptor.open("\(directory)/\(fileName)", flags).readAll(limit: bytesMax))
        } catch {
            // Most runs have no such file. A file that its user has made unreadable adds nothing.
            return error.mayPass ? nil : 0
        }
    }
}
