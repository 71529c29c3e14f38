import CLinux
import Glibc

/// Checks that the system has what every program needs.
public enum SystemCheck {
    /// Ends the process with exit code 1 when /dev/null is not a device or /proc is not mounted. Jobs get /dev/null as their input. Swift
    /// reads a program's arguments from /proc and would have none without it.
    public static func perform(for program: StaticString) {
        var null = stat()
        if stat("/dev/null", &null) != 0 || null.st_mode & S_IFMT != S_IFCHR {
            refuse(program, "/dev/null is missing or not a device; make it with `mknod -m 666 /dev/null c 1 3`")
        }
        if access("/proc/self/cmdline", R_OK) != 0 {
            refuse(program, "/proc is not mounted, so the arguments cannot be read; mount it with `mount -t proc proc /proc`")
        }
    }

    static func refuse(_ program: StaticString, _ why: String) -> Never {
        _ = "\(program): \(why)\n".withCString { write(STDERR_FILENO, $0, strlen($0)) }  // a failure cannot be reported anywhere
        exit(1)
    }
}
