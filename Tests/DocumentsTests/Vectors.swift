// The paths of other projects' test vectors, and functions to read files and run programs.

import Documents
import Glibc
import TestSupport

/// The vectors of TOML and JSON, below `vectorDirectory`.
enum Vectors {
    static let toml = vectorDirectory + "/toml-test/"
    static let json = vectorDirectory + "/json-test/test_parsing/"

    /// The files of toml-test's list for TOML 1.1 that end in `.toml`, and the valid files of its list for 1.0, which are valid
    /// in 1.1 as well. Empty if the vectors are missing.
    static let tomlNames = tomlList("1.1.0") + Set(tomlList("1.0.0")).subtracting(tomlList("1.1.0"))
        .filter { $0.hasPrefix("valid/") }.sorted()

    private static func tomlList(_ version: String) -> [String] {
        guard let list = readFile(toml + "files-toml-\(version)") else { return [] }
        return String(decoding: list, as: UTF8.self).split(separator: "\n").map(String.init).filter { $0.hasSuffix(".toml") }
    }

    static let jsonNames = File.names(in: json).filter { $0.hasSuffix(".json") }

    static let missing = "no vectors at \(vectorDirectory); set SPOOL_VECTORS to where they are"
}

/// These limits are larger than any of the vectors.
let generous = Limits(bytes: 1 << 24, depth: 1000, values: 10_000_000)

enum File {
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

/// Runs `program` with the file `input` as its standard input. Returns its exit status and standard output.
///
/// The output goes to a file. A pipe's end could leak into a process that another test starts at the same time.
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
    guard Descriptors.alone({ posix_spawn(&child, program, &actions, nil, &arguments, environ) }) == 0 else { return nil }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    guard let output = readFile(outputPath) else { return nil }
    // WEXITSTATUS. As in a shell, a signal counts as 128 plus its number.
    return (status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F), output)
}
