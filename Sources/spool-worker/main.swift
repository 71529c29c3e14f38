// spool-worker: runs jobs one after another for the daemon, survives the daemon, and records the end of each job.
//
// Only spoold starts it. Descriptor 3 is one end of a stream socket pair (see WorkerProtocol). Descriptor 4 is its record file,
// which the daemon has locked. The lock belongs to the open file, so it is held from before the worker begins until it ends, even
// if the daemon dies.
//
// Invariants:
// - One run at a time. Each `run` gets exactly one report. The record file contains the end before the report is sent.
// - The record file is locked for as long as the worker lives. While the command runs, the file says so.
// - The end of the daemon, which closes the socket, ends no job: the worker finishes the current run, records and syncs its end,
//   and exits 0. Without a run it exits at once.
// - SIGTERM stops the current run as the `stop` command does, and SIGUSR1 kills it. Without a run, either signal ends the worker.
//   Signals of a terminal do not reach the worker: it has its own session.
// - All processes that a job starts stay below the worker (child subreaper), however often they fork. Leftovers.swift decides to
//   which run each process belongs. Only processes of the job are signalled.
//
// `spool-worker --user UID:GID:GID,… [CGROUP]` starts as root. It opens that cgroup for its commands to enter, becomes that user
// for good before it does anything else, and serves runs of that user alone. If it cannot become that user, it reports this to
// the daemon and ends.
//
// `spool-worker --confine CONFINEMENT… -- EXECUTABLE ARGUMENT…` is the step between a worker and a confined command: it applies
// the confinement to itself and becomes the command. See Confine.swift.
//
// `spool-worker --become UID:GID:GID,… EXECUTABLE NAME ARGUMENT…` becomes that user for good, and then the program: the daemon calls the
// executors of other users' jobs so. See Become.swift.
//
// Exit codes: 0 the daemon or a signal has ended the worker; 1 the daemon sent something that is not in the protocol; 2 the worker was not
// started as above; 3 it could not start, become the user, or write its record.

import CLinux
import Glibc
import Linux
import WorkerProtocol

StandardDescriptors.open(of: "spool-worker")

private let socketDescriptor: Int32 = 3
private let recordDescriptor: Int32 = 4

private func refuse(_ message: String) -> Never {
    let line = Array("spool-worker: \(message)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
    exit(2)
}

/// Reports to the daemon why this worker cannot run jobs, and ends. The report fits into the socket as a whole. If sending it fails, the
/// daemon notices the end of the worker.
private func cannotServe(_ what: String, _ error: SystemError) -> Never {
    let frame = Report.cannotServe(errno: error.errno, message: "\(what): \(error)").frame()
    _ = send(socketDescriptor, frame, frame.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    exit(3)
}

if CommandLine.arguments.dropFirst().first == "--become" { becomeUser(Array(CommandLine.arguments.dropFirst(2))) }
if CommandLine.arguments.dropFirst().first == "--confine" { confine(Array(CommandLine.arguments.dropFirst(2))) }

let words = Array(CommandLine.arguments.dropFirst())
let credentials = 2...3 ~= words.count && words[0] == "--user" ? Credentials(words[1]) : nil

guard words.isEmpty || credentials != nil, linux_fcntl_int(socketDescriptor, F_SETFD, FD_CLOEXEC) == 0,
    linux_fcntl_int(recordDescriptor, F_SETFD, FD_CLOEXEC) == 0
else { refuse("only spoold can start it, with a socket and a record file") }

// Jobs must not inherit the daemon's protection from the out-of-memory killer. After becoming another user, the worker can no
// longer change it.
try? Process.clearMemoryScore()  // best effort: a user may not lower the score that the whole session has

// cgroups(7): the process that opens the cgroup's file needs the permission, not the one that writes to it.
var group: RawBox?
if words.count == 3 {
    do throws(SystemError) {
        group = RawBox(try FileDescriptor.open("\(words[2])/cgroup.procs", O_WRONLY))
    } catch {
        cannotServe("it could not open its cgroup", error)
    }
}

if let credentials {
    do throws(SystemError) { try credentials.assume() } catch { cannotServe("it did not become user \(credentials.user)", error) }
}

do throws(SystemError) {
    let worker = try Worker(socket: socketDescriptor, record: recordDescriptor, group: group)
    exit(worker.serve())
} catch {
    cannotServe("it did not start", error)
}
