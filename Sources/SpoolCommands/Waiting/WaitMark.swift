import Glibc
import Linux
import Store

/// A file in a running job's directory that names the jobs for which a command in that job waits. It exists while the command waits.
///
/// The waiting command locks the file, so the file of a killed command does not count. `why`, and other commands that wait, read these
/// files to find jobs that wait for one another.
final class WaitMark {
    /// The content of a mark.
    struct Wait {
        var ids: [String]
        /// True when the end of one of these jobs is enough.
        var any: Bool
    }

    private static let prefix = ".waiting-"
    private static let bytesMax = 64 << 10

    private let path: String
    private let file: FileDescriptor

    /// Nil when this spool has no such running job: the command runs in no job, or in a job of another spool.
    init?(_ session: Session, job: String, _ wait: Wait) {
        path = "\(session.spoolPath)/\(Layout.running)/\(job)/\(Self.prefix)\(getpid())"
        let text = "\(wait.any ? "any" : "all")\n" + wait.ids.joined(separator: "\n") + "\n"
        do throws(SystemError) {
            let file = try FileDescriptor.open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
            guard try file.tryRecordLock() else { return nil }
            try file.write(Array(text.utf8))
            self.file = file
        } catch {
            // Without a mark the command waits as well, and only the search for rings misses it.
            return nil
        }
    }

    deinit { unlink(path) }

    /// The waits of all commands in a running job.
    static func waits(in directory: String, _ fs: DiskFileSystem) -> [Wait] {
        guard let entries = try? fs.list(directory) else { return [] }  // a job that ended meanwhile has no marks
        return entries.filter { $0.name.hasPrefix(prefix) }.compactMap { entry in
            let bytes: [UInt8]
            do throws(SystemError) {
                let file = try FileDescriptor.open("\(fs.path)/\(directory)/\(entry.name)", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
                guard try file.isRecordLocked() else { return nil }
                bytes = try file.readAll(limit: bytesMax)
            } catch {
                // The waiting command may remove its mark at any time.
                return nil
            }
            let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
            let ids = lines.dropFirst().filter { JobID($0) != nil }
            return lines.isEmpty || ids.isEmpty ? nil : Wait(ids: ids, any: lines[0] == "any")
        }
    }
}
