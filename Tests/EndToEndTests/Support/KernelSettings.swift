// fs.protected_hardlinks and its like, proc_sys_fs(5), are the whole machine's: a test that changes them holds a lock against those that
// depend on them, and they are put back whatever becomes of the test.

import CLinux
import Glibc
import Linux
import TestSupport
import Testing

/// Has settings of the kernel at some values, or as they are, while it lives; nobody else of these tests changes them meanwhile.
final class KernelSettings {
    /// What keeps links from being a trap. Not protected_fifos and protected_regular, by which users of other tests could not write into
    /// one another's files any more.
    static let protections = ["protected_hardlinks", "protected_symlinks"]

    static let canChange = isRoot && protections.allSatisfy { access("/proc/sys/fs/\($0)", W_OK) == 0 }
    static let reason: Comment = "only root of the machine itself can change the kernel's settings"

    private let lock: FileDescriptor
    private var keeper: (child: Child, input: Int32)?

    /// They stay as they are. Where this user cannot change them they matter to none of the user's tests.
    static func kept() throws -> KernelSettings { try KernelSettings() }

    private init() throws {
        let path = isRoot ? "/run/spoold-tests.lock" : "/dev/null"
        lock = try FileDescriptor.open(path, O_RDONLY | (isRoot ? O_CREAT : 0), mode: 0o600)
        if isRoot { try Self.take(lock, LOCK_SH) }
    }

    /// Both on, as most distributions have them, or both off.
    init(protecting isOn: Bool) throws {
        lock = try FileDescriptor.open("/run/spoold-tests.lock", O_RDONLY | O_CREAT, mode: 0o600)
        try Self.take(lock, LOCK_EX)
        // The one who changes them is a process of its own: when the test is killed it reads the end of its input and puts them back.
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
        // The shell is to wait for its input.
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
