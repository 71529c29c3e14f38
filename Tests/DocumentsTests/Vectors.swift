// Where the tests find other projects' test vectors, and how they read files and run programs.

import Documents
import Glibc

/// The vectors of other projects: `SPOOL_VECTORS`, or `../shared/vectors` beside the package. They are not part of it; the
/// tests that need them are skipped where they are missing.
enum Vectors {
    static let directory: String = {
        if let path = getenv("SPOOL_VECTORS") { return String(cString: path) }
        return packageDirectory + "/../shared/vectors"
    }()

    static let packageDirectory: String = {
        var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        parts.removeLast(3)
        return parts.joined(separator: "/")
    }()

    static let toml = directory + "/toml-test/"
    static let json = directory + "/json-test/test_parsing/"

    /// The names of toml-test's list for TOML 1.0 that end in `.toml`; empty when the vectors are missing.
    static let tomlNames: [String] = {
        guard let list = File.read(toml + "files-toml-1.0.0") else { return [] }
        return String(decoding: list, as: UTF8.self).split(separator: "\n").map(String.init).filter { $0.hasSuffix(".toml") }
    }()

    static let jsonNames = File.names(in: json).filter { $0.hasSuffix(".json") }

    static let missing = "no vectors at \(directory); set SPOOL_VECTORS to where they are"
}

/// Larger than any of the vectors.
let generous = Limits(bytes: 1 << 24, depth: 1000, values: 10_000_000)

enum File {
    /// The whole file, or nil when it cannot be opened.
    static func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return readAll(descriptor)
    }

    static func readAll(_ descriptor: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 14)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { return bytes }
            bytes.append(contentsOf: chunk[..<count])
        }
    }

    static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            })
        }
        return names.sorted()
    }
}

/// Runs `program` with the file at `input` as its standard input; returns its exit status and standard output.
///
/// The output goes through a file: a pipe's end could leak into a process that another test starts at the same time.
func run(_ program: String, input: String) -> (status: Int32, output: [UInt8])? {
    let outputPath = "/tmp/documents-tests-output.\(getpid())"
    defer { unlink(outputPath) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    let name = strdup(program)
    defer { free(name) }
    var arguments = [name, nil]
    var child: pid_t = 0
    guard posix_spawn(&child, program, &actions, nil, &arguments, environ) == 0 else { return nil }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    guard let output = File.read(outputPath) else { return nil }
    // WEXITSTATUS; a signal shows as 128 and its number, as in a shell.
    return (status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F), output)
}

/// Deterministic numbers: SplitMix64, so that a failure's seed replays it.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
