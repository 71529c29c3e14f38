import Glibc
import Linux

/// The users who may have a crontab: those in /etc/cron.allow if that file exists, else those who are not in /etc/cron.deny. root always
/// may.
///
/// A file that exists and cannot be read keeps out everybody but root. Each line is one name. A last line counts without its newline too.
enum AccessLists {
    private static let allow = "/etc/cron.allow"
    private static let deny = "/etc/cron.deny"
    /// No list of users is longer.
    private static let bytesMax = 64 << 20

    /// Ends the program if the user may not have a crontab.
    static func check(_ invocation: Invocation, _ group: CrontabGroup) {
        let user = invocation.user.name
        group.begin()
        let isAllowed = user == "root" || isListed(user)
        group.end()
        if isAllowed { return }
        guard getuid() != 0 else { fail("The user \(user) cannot use this program (\(programName))") }
        complain("You (\(user)) are not allowed to use this program (\(programName))")
        complain("See crontab(1) for more information")
        invocation.log("AUTH", about: "crontab command not allowed")
        exit(1)
    }

    private static func isListed(_ user: String) -> Bool {
        do throws(Unreadable) {
            if let names = try names(in: allow) { return names.contains(FileName.bytes(of: user)[...]) }
            if let names = try names(in: deny) { return !names.contains(FileName.bytes(of: user)[...]) }
            return true
        } catch {
            complain("\(error.path): \(error.reason)")
            return false
        }
    }

    private struct Unreadable: Error {
        var path: String
        var reason: String
    }

    private static func names(in path: String) throws(Unreadable) -> [ArraySlice<UInt8>]? {
        do throws(SystemError) {
            let file = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
            return try file.readAll(limit: bytesMax).split(separator: 0x0A)
        } catch {
            if error.errno == ENOENT { return nil }
            throw Unreadable(path: path, reason: error.message)
        }
    }
}
