import Glibc
import Linux
import Store

/// The value of a variable; nil when it is not set, or empty.
func environment(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return FileName.string(from: value)
}

/// All variables of this process, as `NAME=VALUE`.
func environmentAssignments() -> [String] {
    var assignments: [String] = []
    var entry = environ
    while let text = entry.pointee {
        assignments.append(FileName.string(from: text))
        entry += 1
    }
    return assignments
}

/// Waits for a child process to end. Returns its status as waitpid(2) has it.
func exitStatus(of child: pid_t) -> Int32 {
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    return status
}

/// The home directory of the user that this process acts for: the caller's `HOME`, else that of the user database. Nil for a user
/// without a home in the database.
func homeDirectory() -> String? {
    if getuid() == geteuid(), let home = environment("HOME") { return home }
    // A user database that cannot be read names no home.
    guard let home = (try? User.find(id: geteuid()))?.home, home.hasPrefix("/") else { return nil }
    return home
}

/// The caller's directory. A directory that was removed, or lies outside of this process's root, has no path: the error then ends
/// with `remedy`, which names what works without it.
func currentDirectory(_ remedy: String) throws(Failure) -> String {
    guard let path = getcwd(nil, 0) else {
        throw Failure(ExitCode.failed, "the current directory has no path: \(SystemError.message(errno)); \(remedy)")
    }
    defer { free(path) }
    let bytes = UnsafeRawBufferPointer(start: path, count: strlen(path)).assumingMemoryBound(to: UInt8.self)
    return FileName.string(from: bytes)
}

/// A path made absolute from the caller's directory. `what` names its purpose in errors.
func absolute(_ path: String, _ what: String) throws(Failure) -> String {
    guard !path.isEmpty else { throw .usage("\(what): the path is empty") }
    if path.hasPrefix("/") { return path }
    return "\(try currentDirectory("give the absolute path of \(what) instead of \"\(path)\""))/\(path)"
}

/// Creates a directory and its parents, as mkdir -p does, with mode 0700.
func makeDirectories(_ path: String) throws(SystemError) {
    var prefix = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
        prefix += "/\(part)"
        let failure = try FileName.withCPath(prefix) { mkdir($0, 0o700) == 0 ? 0 : errno }
        if failure != 0, failure != EEXIST { throw SystemError(call: "mkdir", path: prefix, errno: failure) }
    }
}

extension SystemError {
    /// The same error with this path: a call on an open file does not know the path.
    func at(_ path: String) -> SystemError { SystemError(call: call, path: path, errno: errno) }
}

/// A file that the caller names, read whole. It may be a pipe; errors name the path.
func readFile(_ path: String) throws(Failure) -> (bytes: [UInt8], status: FileStatus) {
    try attempt { () throws(SystemError) in
        let file = try FileDescriptor.open(path, O_RDONLY | O_NOCTTY)
        do throws(SystemError) { return (try file.readAll(limit: Source.bytesMax), try file.status()) } catch { throw error.at(path) }
    }
}
