import Glibc
import Linux
import Store

/// A variable that is set and not empty.
func environment(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return FileName.string(from: value)
}

/// The home of whom this process acts for: the caller's `HOME`, else what the user database says. Who has none there has no home, not the
/// root directory.
func homeDirectory() -> String? {
    if getuid() == geteuid(), let home = environment("HOME") { return home }
    // A database that cannot be read says nothing.
    guard let home = (try? User.find(id: geteuid()))?.home, home.hasPrefix("/") else { return nil }
    return home
}

/// Where the caller stands. `remedy` says what does without it: a directory that was removed, or that lies outside of what this process
/// can see, has no path, and none takes its place.
func currentDirectory(_ remedy: String) throws(Failure) -> String {
    guard let path = getcwd(nil, 0) else {
        throw Failure(ExitCode.failed, "the current directory cannot be told: \(SystemError.message(errno)); \(remedy)")
    }
    defer { free(path) }
    let bytes = UnsafeRawBufferPointer(start: path, count: strlen(path)).assumingMemoryBound(to: UInt8.self)
    return FileName.string(from: bytes)
}

/// A path that counts from where the caller stands. `what` it is of, for the error.
func absolute(_ path: String, _ what: String) throws(Failure) -> String {
    guard !path.isEmpty else { throw .usage("\(what): an empty path names nothing") }
    if path.hasPrefix("/") { return path }
    return "\(try currentDirectory("give the absolute path of \(what) instead of \"\(path)\""))/\(path)"
}

/// mkdir -p, for the owner alone.
func makeDirectories(_ path: String) throws(SystemError) {
    var prefix = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
        prefix += "/\(part)"
        let failure = try FileName.withCPath(prefix) { mkdir($0, 0o700) == 0 ? 0 : errno }
        if failure != 0, failure != EEXIST { throw SystemError(call: "mkdir", path: prefix, errno: failure) }
    }
}
