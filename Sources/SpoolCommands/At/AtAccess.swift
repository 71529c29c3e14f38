import Glibc
import Linux

/// at.allow(5) and at.deny(5): the users in /etc/at.allow if that file exists, else those who are not in /etc/at.deny, else root alone.
enum AtAccess {
    static func isAllowed(_ errors: Output) -> Bool {
        guard geteuid() != 0 else { return true }
        guard let user = (try? User.find(id: geteuid())) ?? nil else { return false }  // a user without a name is on no list
        do throws(SystemError) {
            if let allowed = try names(in: "/etc/at.allow") { return allowed.contains(user.name) }
            return try names(in: "/etc/at.deny").map { !$0.contains(user.name) } ?? false
        } catch {
            errors.line("\(error)")
            return false
        }
    }

    /// One name a line; nil when there is no file. A last line counts without its newline too.
    private static func names(in path: String) throws(SystemError) -> Set<String>? {
        do throws(SystemError) {
            let bytes = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY).readAll(limit: 64 << 20)
            return Set(bytes.split(separator: 0x0A).map { FileName.string(from: Array($0)) })
        } catch where error.errno == ENOENT {
            return nil
        }
    }
}
