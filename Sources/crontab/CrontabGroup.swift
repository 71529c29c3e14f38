import Glibc
import Linux

/// The right of the group `crontab`, which the program has by its setgid bit. It is off but for the calls between `begin` and `end`.
///
/// Invariant: no call between the two takes a name from the caller. exec(3) makes the effective group the saved one, so a program that is
/// started while the right is off has no way back to it.
struct CrontabGroup: Sendable {
    private let own = getgid()
    private let crontab = getegid()

    init() { end() }

    func begin() { become(crontab) }
    func end() { become(own) }

    private func become(_ group: gid_t) {
        // The kernel never refuses a change between real, effective and saved group. Nothing may go on with the wrong rights.
        guard setegid(group) == 0, getegid() == group else { fail("crontab: setegid: \(SystemError.message(errno))") }
    }
}
