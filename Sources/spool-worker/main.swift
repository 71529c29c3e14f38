// spool-worker: runs jobs one after another for the daemon, outlives it, and records how each ended.
//
// Started by spoold alone: descriptor 3 is one end of a stream socket pair (see WorkerProtocol), descriptor 4 its record file,
// which the daemon has locked. The lock belongs to the open file, so it holds from before the worker begins until it ends,
// whatever becomes of the daemon.
//
// What holds:
// - One run at a time. For each `run` there is exactly one report, and the record file has its end before the report is sent.
// - The record file is locked for as long as the worker lives. Once the command runs, the file says so.
// - The daemon's end, seen as the socket's, ends no job: the run in progress is finished, its end is recorded and synced, and
//   the worker exits 0. Without a run it exits at once.
// - SIGTERM stops the run in progress as the `stop` command does, SIGUSR1 kills it; without a run either ends the worker.
//   A terminal's signals do not reach it: it has its own session.
// - All that a job starts stays below the worker (child subreaper), however often it forks; see Leftovers.swift for whose
//   each process is. Nothing is signalled that is not the job's.
//
// As `spool-worker --user UID:GID:GID,… [CGROUP]` it is root's to begin with, becomes that user for good before it does anything else but
// open that cgroup for its commands to enter, and serves runs of that user alone. When it cannot become just that, it says so to the
// daemon and ends.
//
// As `spool-worker --confine CONFINEMENT… -- EXECUTABLE ARGUMENT…` it is the step between a worker and a command that is
// confined: it does that to itself and becomes the command. See Confine.swift.
//
// Exit codes: 3 could not become the user, or write its record; 0 done; 1 the daemon spoke something else than the protocol, or a
// system call that cannot fail did; 2 not started as above.

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

/// Says to the daemon why no run can be served. The word goes into the socket whole; if it does not, the end says enough.
private func cannotServe(_ what: String, _ error: SystemError) -> Never {
    let frame = Report.cannotServe(errno: error.errno, message: "\(what): \(error)").frame()
    _ = send(socketDescriptor, frame, frame.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    exit(3)
}

if CommandLine.arguments.dropFirst().first == "--confine" { confine(Array(CommandLine.arguments.dropFirst(2))) }

let words = Array(CommandLine.arguments.dropFirst())
let credentials = 2...3 ~= words.count && words[0] == "--user" ? Credentials(words[1]) : nil

guard words.isEmpty || credentials != nil, linux_fcntl_int(socketDescriptor, F_SETFD, FD_CLOEXEC) == 0,
    linux_fcntl_int(recordDescriptor, F_SETFD, FD_CLOEXEC) == 0
else { refuse("is started by spoold, with its socket and record file, and by nobody else") }

// What protects the daemon when memory runs out is not for jobs. Who has become another user cannot write it any more.
try? Process.clearMemoryScore()  // refused where the score is that of a user's whole session, which stays as it is

// Whoever opens the way into a cgroup needs the right to it, and not who takes it, cgroups(7).
var group: RawBox?
if words.count == 3 {
    do throws(SystemError) {
        group = RawBox(try FileDescriptor.open("\(words[2])/cgroup.procs", O_WRONLY))
    } catch {
        cannotServe("the way into its cgroup is not open", error)
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
