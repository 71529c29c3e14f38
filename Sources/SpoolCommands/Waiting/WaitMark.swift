import Glibc
import Linux
import Store

/// A file in a running job's directory that says for which jobs a command in that job waits, for as long as it waits.
///
/// It is locked by the command that waits, so one that was killed leaves nothing that counts. Nobody but people needs it: it tells `why`,
/// and other commands that wait, who waits for whom.
final class WaitMark {
    /// What a mark says.
    struct Wait {
        var ids: [String]
        /// The first that ends is enough.
        var any: Bool
    }

    private static let prefix = ".waiting-"
    private static let bytesMax = 64 << 10

    private let path: String
    private let file: FileDescriptor

    /// Nil where there is no such job in this spool, as when the command runs in no job, or in one of another spool.
    init?(_ session: Session, job: String, _ wait: Wait) {
        path = "\(session.spoolPath)/\(Layout.running)/\(job)/\(Self.prefix)\(getpid())"
        let text = "\(wait.any ? "any" : "all")\n" + wait.ids.joined(separator: "\n") + "\n"
        do throws(SystemError) {
            let file = try FileDescriptor.open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
            guard try file.tryRecordLock() else { return nil }
            try file.write(Array(text.utf8))
            self.file = file
        } catch {
            // Whoever cannot make it waits unseen: what is to be done does not depend on it. What is not locked does not count.
            return nil
        }
    }

    deinit { unlink(path) }

    /// For what commands in a running job wait now.
    static func waits(in directory: String, _ fs: DiskFileSystem) -> [Wait] {
        guard let entries = try? fs.list(directory) else { return [] }  // a job that ended meanwhile has none
        return entries.filter { $0.name.hasPrefix(prefix) }.compactMap { entry in
            let bytes: [UInt8]
            do throws(SystemError) {
                let file = try FileDescriptor.open("\(fs.path)/\(directory)/\(entry.name)", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
                guard try file.isRecordLocked() else { return nil }
                bytes = try file.readAll(limit: bytesMax)
            } catch {
                // The one that waits may take its mark away at any time.
                return nil
            }
            let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
            let ids = lines.dropFirst().filter { JobID($0) != nil }
            return lines.isEmpty || ids.isEmpty ? nil : Wait(ids: ids, any: lines[0] == "any")
        }
    }
}
