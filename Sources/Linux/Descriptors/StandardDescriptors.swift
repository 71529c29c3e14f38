import CLinux
import Glibc

/// Descriptors 0, 1 and 2, which may be closed when a program starts.
public enum StandardDescriptors {
    /// Opens /dev/null for each of 0, 1 and 2 that is closed, so that no file opened later gets its number. Every program calls this first:
    /// error messages would be written into a journal that was opened as 2.
    ///
    /// 0 is opened for writing and the others for reading, so that reading 0 and writing 1 or 2 still fails with EBADF. When /dev/null
    /// cannot be opened, the process ends with exit code 1, because it could damage files.
    public static func open(of program: StaticString) {
        for number in Int32(0)...2 where fcntl(number, F_GETFD) < 0 {
            // The kernel returns the lowest free number: this one, because those below are open.
            var raw: Int32
            repeat { raw = linux_openat(AT_FDCWD, "/dev/null", number == 0 ? O_WRONLY : O_RDONLY, 0) } while raw < 0 && errno == EINTR
            if raw == number { continue }
            let why = SystemError.message(errno)
            SystemCheck.refuse(program, "descriptor \(number) is closed, and /dev/null cannot be opened for it: \(why)")
        }
    }

    /// True when there is a standard input. /dev/null from ``open(of:)`` does not count.
    public static var hasInput: Bool {
        let flags = linux_fcntl_int(STDIN_FILENO, F_GETFL, 0)
        return flags >= 0 && flags & O_ACCMODE != O_WRONLY
    }
}
