// The programs in `patterns/`, which compute when a schedule is due next.

import Glibc

extension FileStatus {
    /// The reason why a file in `patterns/` is not run. Nil when it may be run.
    public var refusalAsProgram: String? {
        if kind != .file { return "is \(kind.article), not a regular file" }
        if owner != geteuid(), owner != 0 { return "belongs to another user" }
        if mode & 0o022 != 0 { return "can be written by its group or others; chmod go-w it" }
        return mode & 0o111 == 0 ? "is not executable; chmod +x it" : nil
    }
}

extension Spool {
    /// The reason why the program `patterns/KEY` could not be started. Nil when it could.
    public func problem(ofProgram key: String) throws(SystemError) -> String? {
        guard let status = try fs.status("\(Layout.patterns)/\(key)") else { return "is not there" }
        return status.refusalAsProgram
    }
}
