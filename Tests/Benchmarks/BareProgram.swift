import CLinux
import Glibc
import Linux

/// Starts a program as directly as the system allows: posix_spawn(3) with everything prepared before. This is the reference for
/// the daemon's rates.
final class BareProgram {
    private let path: String
    private let arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let environment: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private var attributes = posix_spawnattr_t()

    /// The variables of bare programs, peers and the daemon. They are few, as those of a job are.
    static let environment = ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/", "LANG=C"]

    init(_ words: [String]) {
        path = words[0]
        arguments = Self.strings(words)
        environment = Self.strings(Self.environment)
        posix_spawnattr_init(&attributes)
        // This process blocks the signals that it reads from a descriptor. Its children must not block them.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    }

    deinit {
        posix_spawnattr_destroy(&attributes)
        for strings in [arguments, environment] {
            var next = strings
            while let string = next.pointee {
                free(string)
                next += 1
            }
            strings.deallocate()
        }
    }

    private static func strings(_ strings: [String]) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> {
        let pointers = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: strings.count + 1)
        for (index, string) in strings.enumerated() { pointers[index] = strdup(string) }
        pointers[strings.count] = nil
        return pointers
    }

    /// Starts the program with its standard output at `output`.
    func spawn(output: Int32? = nil) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let output { posix_spawn_file_actions_adddup2(&actions, output, 1) }
        var pid: pid_t = 0
        let failure = posix_spawn(&pid, path, &actions, &attributes, arguments, environment)
        if failure != 0 { throw SystemError(call: "spawn", path: path, errno: failure) }
        return pid
    }

    /// Waits for the end of any child.
    static func awaitOne() throws {
        while waitpid(-1, nil, 0) < 0 {
            if errno != EINTR { throw SystemError(call: "waitpid", errno: errno) }
        }
    }

    /// Runs the program `count` times, `atOnce` at a time. Returns the wall and processor seconds of all runs, including those of
    /// this process.
    func drain(_ count: Int, atOnce: Int) throws -> (wall: Double, processor: Double) {
        let processor = System.ownSeconds() + System.childrenSeconds()
        let wall = try System.seconds {
            var running = 0
            for _ in 0..<count {
                if running == atOnce {
                    try Self.awaitOne()
                    running -= 1
                }
                _ = try spawn()
                running += 1
            }
            for _ in 0..<running { try Self.awaitOne() }
        }
        return (wall, System.ownSeconds() + System.childrenSeconds() - processor)
    }
}
