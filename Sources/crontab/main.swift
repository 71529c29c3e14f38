// crontab: shows, checks, replaces, edits and removes the crontab of a user, as Debian's crontab(1).
//
// The program is setgid `crontab`, the group that may write into /var/spool/cron/crontabs. Invariants:
//
// - The right of the group is used for the access lists and for the directory of the crontabs alone, by names that this program makes
//   (CrontabGroup). Everything that the caller names is opened with the caller's own rights. Programs that are started get only these.
// - A crontab is replaced as a whole, by rename(2) of a file that has been checked and synced, or not at all. A crontab that somebody else
//   has changed since an edit began is not replaced.
// - Texts of the caller are kept when they cannot be installed.
//
// Standard output, standard error and exit codes are those of Debian's crontab, because scripts read them. crontab(1) lists the exceptions.
//
// Exit codes: 0 done; 1 not done.

import CLinux
import Glibc
import Linux

StandardDescriptors.open(of: "crontab")

// Nothing needs the rights of another user, if the program was made setuid by mistake.
guard setresuid(getuid(), getuid(), getuid()) == 0 else { fail("crontab: setresuid: \(SystemError.message(errno))") }
let group = CrontabGroup()
// A file that would grow beyond the caller's limit is then an error of write(2), after which the crontab is as it was.
_ = linux_ignore_signal(SIGXFSZ)

let invocation = Invocation.read()
let input = invocation.openInput()
let tabs = TabDirectory.open(group)
AccessLists.check(invocation, group)

switch invocation.operation {
case .help: usage()
case .list: list(invocation, tabs)
case .remove: remove(invocation, tabs)
case .edit: Edit(invocation).run(tabs)
case .replace(let name):
    guard let input else { preconditionFailure("a replacement has an input") }
    guard let text = NewTab.read(input, named: name) else { exit(1) }
    if NewTab(text, from: name).install(invocation, tabs, over: .anything) != .installed { exit(1) }
}
exit(0)
