import Glibc
import Linux
import WorkerProtocol

extension Extension {
    /// By how much the timeout of the run in this directory has been moved, in milliseconds.
    static func milliseconds(inDirectory directory: String) -> Int64 {
        let flags = O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK
        // Not there is the rule, and what cannot be read moves nothing.
        let text = try? FileDescriptor.open("\(directory)/\(fileName)", flags).readAll(limit: bytesMax)
        return text.map { milliseconds($0) } ?? 0
    }
}
