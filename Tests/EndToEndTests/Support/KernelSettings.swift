// Settings such as fs.protected_hardlinks, proc_sys_fs(5), concern the whole machine. A test that changes them holds a lock against tests
// that depend on them, and they are restored even if the test is killed.

import CLinux
import Glibc
import Linux
import TestSupport
import Testing

/// Keeps settings of the kernel at some values, or as they are, while it exists. No other test changes them meanwhile.
final class KernelSettings {
    /// The settings that protect links. protected_fifos and protected_regular are not among them, because with these the users of other
    /// tests could not write into each other's files.
    static let protections = ["protected_hardlinks", "protected_symlinks"]

    static let canChange = isRoot && protections.allSatisfy { access("/proc/sys/fs/\($0)", W_OK) == 0 }
    static let reason: Comment = "only root of the machine itself can change the kernel's settings"

    private let lock: FileDescriptor
    private var keeper: (child: Child, input: Int32)?

    /// Leaves the settings as they are. An ordinary user cannot change them, and that user's tests do not depend on them.
    static func kept() throws -> KernelSettings { try KernelSettings() }

    private init() throws {
        let path = isRoot ? "/run/spoold-tests.lock" : "/dev/null"
        lock = try FileDescriptor.open(path, O_RDONLY | (isRoot ? O_CREAT : 0), mode: 0o600)
        if isRoot { try Self.take(lock, LOCK_SH) }
    }

    /// Sets both on, as most distributions have them, or both off.
    init(protecting isOn: Bool) throws {
        lock = try FileDescriptor.open("/run/spoold-tests.lock", O_RDONLY | O_CREAT, mode: 0o600)
        try Self.take(lock, LOCK_EX)
        // A separate process changes them. When the test is killed, this process reads the end of its input and restores them.
        let script = """
            cd /proc/sys/fs || exit
            for pair; do name=${pair%%=*}; old="$old $name=$(cat $name)"; done
            trap 'for pair in $old; do echo ${pair#*=} > ${pair%%=*}; done' EXIT
            trap exit HUP INT TERM
            for pair; do echo ${pair#*=} > ${pair%%=*}; done
            echo ready
            read end
            """
        let input = try Pipe()
        let output = try Pipe()
        // The shell waits for its input.
        _ = linux_fcntl_int(input.reading.raw, F_SETFL, 0)
        let pairs = Self.protections.map { "\($0)=\(isOn ? 1 : 0)" }
        let child = try Child(
            "/bin/sh", ["-c", script, "sh"] + pairs, environment: [], input: input.reading.raw, output: output.writing.raw, error: 2)
        let ends = input.release()
        close(ends.reading)
        keeper = (child, ends.writing)
        guard awaitReadable([output.reading.raw], until: MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)) else {
            throw WaitFailed(description: "the kernel's settings cannot be changed")
        }
    }

    private static func take(_ lock: borrowing FileDescriptor, _ operation: Int32) throws {
        while linux_flock(lock.raw, operation) != 0 { guard errno == EINTR else { throw SystemError(call: "flock", errno: errno) } }
    }

    deinit {
        guard let keeper else { return }
        close(keeper.input)
        _ = keeper.child.exitCode()
    }
}
