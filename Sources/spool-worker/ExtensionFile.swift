import Glibc
import Linux
import WorkerProtocol

extension Extension {
    /// By how much the timeout of the run in this directory has been moved, in milliseconds.
    static func milliseconds(inDirectory directory: String) -> Int64 {
        // Not there is the rule, and what cannot be read moves nothing.
        guard
            let file = try? FileDescriptor.open("\(directory)/\(fileName)", O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK),
            let text = try? file.readAll(limit: bytesMax)
        else { return 0 }
        return milliseconds(text)
    }
}
