// The programs in `patterns/`, which say when a schedule is due next.

import Glibc

extension FileStatus {
    /// Why a file in `patterns/` is not run; nil when nothing stands against it.
    public var refusalAsProgram: String? {
        if kind != .file { return "is \(kind.article), not a regular file" }
        if owner != geteuid(), owner != 0 { return "belongs to another user" }
        if mode & 0o022 != 0 { return "can be written by its group or others; chmod go-w it" }
        return mode & 0o111 == 0 ? "is not executable; chmod +x it" : nil
    }
}

extension Spool {
    /// Why the program `patterns/KEY` could not be asked; nil when it could.
    public func problem(ofProgram key: String) throws(SystemError) -> String? {
        guard let status = try fs.status("\(Layout.patterns)/\(key)") else { return "is not there" }
        return status.refusalAsProgram
    }
}
