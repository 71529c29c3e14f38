import Glibc

/// The user namespace of this process, user_namespaces(7).
public enum UserNamespace {
    /// True when the namespace has other users than this process's own. False in a namespace with a single user, as `unshare -r` and
    /// bubblewrap make it: root in it is an ordinary user outside, and cannot become another user.
    public static func hasOtherUsers() -> Bool {
        guard let map = try? FileDescriptor.open("/proc/self/uid_map", O_RDONLY).readAll(limit: 64 << 10) else { return true }  // no /proc
        return hasOtherUsers(map: String(decoding: map, as: UTF8.self))
    }

    /// The answer for the text of `uid_map`. Each of its lines has the first number inside, the first number outside, and the count.
    static func hasOtherUsers(map: String) -> Bool {
        var count: UInt64 = 0
        for line in map.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count == 3, let length = UInt64(fields[2]) else { return true }
            count += length
        }
        return count != 1
    }
}
