import Glibc

/// A user of the system, as the user database has it.
public struct User: Sendable, Equatable {
    public var id: uid_t
    public var group: gid_t
    public var name: String
    public var home: String
    public var shell: String

    public init(id: uid_t, group: gid_t, name: String, home: String, shell: String) {
        self.id = id
        self.group = group
        self.name = name
        self.home = home
        self.shell = shell
    }

    /// Looks a user up by number, getpwuid_r(3); nil when there is none.
    public static func find(id: uid_t) throws(SystemError) -> User? {
        try find("getpwuid") { getpwuid_r(id, $0, $1, $2, $3) }
    }

    /// Looks a user up by name, getpwnam_r(3); nil when there is none.
    public static func find(name: String) throws(SystemError) -> User? {
        try find("getpwnam") { entry, buffer, size, result in
            name.withCString { getpwnam_r($0, entry, buffer, size, result) }
        }
    }

    private typealias Lookup = (
        UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int, UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
    ) -> Int32

    private static func find(_ call: String, _ lookup: Lookup) throws(SystemError) -> User? {
        var size = 1024
        while true {
            let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: size)
            defer { buffer.deallocate() }
            var entry = passwd()
            var result: UnsafeMutablePointer<passwd>?
            let failure = lookup(&entry, buffer, size, &result)
            switch failure {
            case 0:
                guard result != nil else { return nil }
                return User(
                    id: entry.pw_uid, group: entry.pw_gid, name: string(entry.pw_name), home: string(entry.pw_dir),
                    shell: string(entry.pw_shell))
            case ERANGE where size < 1 << 20: size *= 2
            case EINTR: continue
            // What getpwnam(3) lists as "the given name was not found" in one library or another.
            case ENOENT, ESRCH, EBADF, EPERM: return nil
            default: throw SystemError(call: call, errno: failure)
            }
        }
    }

    private static func string(_ text: UnsafeMutablePointer<CChar>?) -> String {
        guard let text else { return "" }
        let bytes = UnsafeRawBufferPointer(start: text, count: strlen(text)).assumingMemoryBound(to: UInt8.self)
        return FileName.string(from: bytes)
    }
}
