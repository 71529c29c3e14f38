import CLinux
import Glibc
import Linux
import Store

/// The input of a job so far, in a file, so that a retry of the job can get it again.
///
/// The file has no name until the input is complete, so a killed spoolctl leaves no file. It then replaces the FIFO, or the link that
/// the worker has put there. A job that begins afterwards reads the file.
final class KeptInput {
    /// Open for writing until the input is complete, then only for reading: the daemon does not accept a file that is open for writing.
    private var file: FileDescriptor
    private(set) var count: Int64 = 0

    private static let composed = ".\(Layout.inputFile).kept"

    /// Nil when the file system has no files without a name, or no space: then no input is kept.
    init?(in directory: borrowing Directory) {
        // Without this file no input is kept, and `retry` reports that.
        guard let file = try? directory.openFile(".", O_RDWR | linux_o_tmpfile(), mode: 0o600) else { return nil }
        self.file = file
    }

    /// Adds input. False when the input is too large to be kept: larger than the limit or the free space, or when the disk fails.
    func append(_ bytes: [UInt8]) -> Bool {
        let length = count + Int64(bytes.count)
        guard length <= Int64(JobDrop.inputBytesMax) else { return false }
        do throws(SystemError) {
            guard try length <= file.freeBytes() else { return false }
            try file.write(bytes, at: count)
        } catch { return false }
        count = length
        return true
    }

    /// Some of the bytes from an offset on, at most `most`.
    func bytes(at offset: Int64, count most: Int) throws(SystemError) -> [UInt8] {
        try file.read(count: Int(min(Int64(most), count - offset)), at: offset)
    }

    /// Gives the complete file its name. The file is synced first: after a power cut, a truncated file would be taken for all of the
    /// input.
    func publish(in directory: borrowing Directory) throws(SystemError) {
        try file.sync()
        file = try FileDescriptor.open("/proc/self/fd/\(file.raw)", O_RDONLY)
        // linkat(2) describes this way of naming such a file without a privilege.
        let failure = linkat(AT_FDCWD, "/proc/self/fd/\(file.raw)", directory.raw, Self.composed, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno
        if failure != 0 { throw SystemError(call: "link", path: Self.composed, errno: failure) }
        do throws(SystemError) { try directory.rename(Self.composed, to: Layout.inputFile) } catch {
            try? directory.unlink(Self.composed)  // the first error is reported
            throw error
        }
    }
}
