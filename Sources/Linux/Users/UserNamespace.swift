import Glibc

/// The user namespace of this process, user_namespaces(7).
public enum UserNamespace {
    /// True when there are other users here than this process's own. False in a namespace that maps one number alone, as `unshare -r`
    /// and bubblewrap make it: who is root there is an ordinary user outside, and can become nobody else.
    public static func hasOtherUsers() -> Bool {
        // Unreadable (no /proc): nothing is known of a namespace, and the machine's own has every user.
        guard let map = try? FileDescriptor.open("/proc/self/uid_map", O_RDONLY).readAll(limit: 64 << 10) else { return true }
        return hasOtherUsers(map: String(decoding: map, as: UTF8.self))
    }

    /// The same, of the text of `uid_map`: on each line the first number inside, the first number outside, and how many.
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
