import Glibc
import Linux

// Users, and the variables of the programs that spoold runs as them.
extension User {
    /// The user that this process runs as. Where the user database does not have that user, the home is that of `HOME`.
    public static func own() throws(SystemError) -> User {
        let id = getuid()
        // The user database has the home of the machine's root, which root of a namespace may not enter.
        let isNamespaceRoot = geteuid() == 0 && !UserNamespace.hasOtherUsers()
        if !isNamespaceRoot, let user = try find(id: id) { return user }
        return User(
            id: id, group: getgid(), name: isNamespaceRoot ? "root" : String(id), home: getenv("HOME").map { String(cString: $0) } ?? "",
            shell: "/bin/sh")
    }

    /// True when the user database names an absolute home. A relative directory is not looked for below `/` instead.
    public var hasHome: Bool { home.hasPrefix("/") }

    /// A user without a home starts in the root directory, as with login(1).
    public var homeOrRoot: String { hasHome ? home : "/" }

    /// The search path of a job that sets none: systemd's default path.
    public static let searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// The environment of programs that spoold runs as this user.
    public var variables: [(name: String, value: String)] {
        [
            ("HOME", homeOrRoot), ("USER", name), ("LOGNAME", name), ("SHELL", "/bin/sh"), ("PATH", Self.searchPath), ("LANG", "C.UTF-8"),
        ]
    }
}
