// Linux: thin Swift over system calls. Each function makes one call, or a few that belong together. It repeats a call that EINTR
// interrupted, does not wait when it opens files of other users, opens everything close-on-exec, and throws SystemError with the call, the
// path and errno. File names are Strings that keep any bytes (FileName). Nothing here logs, tries again after a failure, or knows jobs.

import Glibc

/// A system call that failed: the call, its path, and the error number.
public struct SystemError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The call's name as in its manual page, `open`.
    public var call: String
    /// The path that the call was given, which may be relative to a directory. Nil when the call has no path.
    public var path: String?
    /// The error number, errno(3).
    public var errno: Int32

    public init(call: String, path: String? = nil, errno: Int32) {
        self.call = call
        self.path = path
        self.errno = errno
    }

    /// `open new/x.toml: Permission denied`.
    public var description: String {
        guard let path else { return "\(call): \(message)" }
        return "\(call) \(path): \(message)"
    }

    /// The system's text for ``errno``, strerror(3): `Permission denied`.
    public var message: String { SystemError.message(errno) }

    /// The system's text for an error number, strerror(3).
    public static func message(_ errno: Int32) -> String {
        guard let text = strerror(errno) else { return "error \(errno)" }
        return String(cString: text)
    }
}

// MARK: - Numbers by name

extension SystemError {
    public static let noSuchFile: Int32 = ENOENT
    public static let exists: Int32 = EEXIST
    public static let permissionDenied: Int32 = EACCES
    public static let notPermitted: Int32 = EPERM
    public static let inputOutput: Int32 = EIO
}

// MARK: - Calling

/// Makes a call, and repeats it while signals interrupt it. Throws errno when it returns a negative number.
@discardableResult
func attempt<Value: SignedInteger>(_ call: String, _ path: String? = nil, _ body: () -> Value) throws(SystemError) -> Value {
    while true {
        let result = body()
        if result >= 0 { return result }
        let number = Glibc.errno
        if number != EINTR { throw SystemError(call: call, path: path, errno: number) }
    }
}

/// ``attempt`` for a call that takes a path.
@discardableResult
func attempt<Value: SignedInteger>(
    _ call: String, at path: String, _ body: (UnsafePointer<CChar>) -> Value
) throws(SystemError) -> Value {
    let outcome: Result<Value, SystemError> = try FileName.withCPath(path) { pointer in
        while true {
            let result = body(pointer)
            if result >= 0 { return .success(result) }
            let number = Glibc.errno
            if number != EINTR { return .failure(SystemError(call: call, path: path, errno: number)) }
        }
    }
    return try outcome.get()
}
