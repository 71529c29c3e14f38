import CLinux
import Glibc
import Linux
import Store

/// What has come of a job's input, on the disk, so that the job can be given it again.
///
/// The file has no name until it is whole: whoever is killed leaves nothing. It then takes the place of the FIFO, or of the link that the
/// worker has put there. A job that begins afterwards reads the file.
final class KeptInput {
    /// Written to until it is whole, then read only: a file that is open for writing is not taken up in `new/`.
    private var file: FileDescriptor
    private(set) var count: Int64 = 0

    private static let composed = ".\(Layout.inputFile).kept"

    /// Nil where the file system has no files without a name, or takes no more: then nothing is kept.
    init?(in directory: borrowing Directory) {
        // What is not to be had is not kept, and retry says so.
        guard let file = try? directory.openFile(".", O_RDWR | linux_o_tmpfile(), mode: 0o600) else { return nil }
        self.file = file
    }

    /// Adds what has come. False: it is too much to be kept, in all or of what is free on the disk, which is so also of a disk that
    /// cannot be asked or written.
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

    /// What was added at this place, some of it.
    func bytes(at offset: Int64, count most: Int) throws(SystemError) -> [UInt8] {
        try file.read(count: Int(min(Int64(most), count - offset)), at: offset)
    }

    /// Gives the file its name, now that nothing more comes. A file that was cut short by a power cut would be taken for all of the input:
    /// it is synced first.
    func publish(in directory: borrowing Directory) throws(SystemError) {
        try file.sync()
        file = try FileDescriptor.open("/proc/self/fd/\(file.raw)", O_RDONLY)
        // linkat(2): the way for a file without a name, and without a privilege.
        let failure = linkat(AT_FDCWD, "/proc/self/fd/\(file.raw)", directory.raw, Self.composed, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno
        if failure != 0 { throw SystemError(call: "link", path: Self.composed, errno: failure) }
        do throws(SystemError) { try directory.rename(Self.composed, to: Layout.inputFile) } catch {
            try? directory.unlink(Self.composed)  // the error is the news
            throw error
        }
    }
}
