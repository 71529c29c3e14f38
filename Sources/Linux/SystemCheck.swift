import CLinux
import Glibc

/// What a program needs of the system before it can do anything.
public enum SystemCheck {
    /// Ends the process with 1 when /dev/null is no device, or when /proc is not mounted. Without /dev/null no job can be given its input.
    /// Swift reads a program's arguments from /proc: without it they would all be ignored.
    public static func perform(for program: StaticString) {
        var null = stat()
        if stat("/dev/null", &null) != 0 || null.st_mode & S_IFMT != S_IFCHR {
            refuse(program, "/dev/null is missing or no device; make it with `mknod -m 666 /dev/null c 1 3`")
        }
        if access("/proc/self/cmdline", R_OK) != 0 {
            refuse(program, "/proc is not mounted, so the arguments cannot be read; mount it with `mount -t proc proc /proc`")
        }
    }

    static func refuse(_ program: StaticString, _ why: String) -> Never {
        _ = "\(program): \(why)\n".withCString { write(STDERR_FILENO, $0, strlen($0)) }  // nowhere else to say it
        exit(1)
    }
}
