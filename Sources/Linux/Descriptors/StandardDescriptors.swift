import CLinux
import Glibc

/// Descriptors 0, 1 and 2, which whoever starts a program may have closed.
public enum StandardDescriptors {
    /// Opens /dev/null for each of 0, 1 and 2 that is closed, so that no file opened later gets its number. The first statement of every
    /// program: a journal that was opened as 2 would take what is meant for standard error.
    ///
    /// Reading 0, or writing 1 or 2, still fails with EBADF as it does on a closed descriptor: 0 is opened for writing, the others for
    /// reading. Ends the process with 1 when that cannot be done: a program that went on would damage files.
    public static func open(of program: StaticString) {
        for number in Int32(0)...2 where fcntl(number, F_GETFD) < 0 {
            // The lowest free number is this one: those below are taken.
            var raw: Int32
            repeat { raw = linux_openat(AT_FDCWD, "/dev/null", number == 0 ? O_WRONLY : O_RDONLY, 0) } while raw < 0 && errno == EINTR
            if raw == number { continue }
            let why = SystemError.message(errno)
            SystemCheck.refuse(program, "descriptor \(number) is closed, and /dev/null cannot be opened for it: \(why)")
        }
    }

    /// True when there is a standard input. The one that ``open(of:)`` put in place of a closed one does not count.
    public static var hasInput: Bool {
        let flags = linux_fcntl_int(STDIN_FILENO, F_GETFL, 0)
        return flags >= 0 && flags & O_ACCMODE != O_WRONLY
    }
}
