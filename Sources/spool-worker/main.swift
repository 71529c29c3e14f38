// spool-worker: runs jobs one after another for the daemon, outlives it, and records how each ended.
//
//     spool-worker --record PATH
//
// Started by spoold alone, with one end of a stream socket pair as descriptor 3 (see WorkerProtocol).
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
// Exit codes: 0 done; 1 the daemon spoke something else than the protocol, or a system call that cannot fail did; 2 not
// started as above, the record is locked by another, or cannot be written.

import CLinux
import Glibc
import Linux

private let socketDescriptor: Int32 = 3

private func refuse(_ message: String) -> Never {
    let line = Array("spool-worker: \(message)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
    exit(2)
}

private let arguments = CommandLine.arguments
guard arguments.count == 3, arguments[1] == "--record" else { refuse("usage: spool-worker --record PATH (started by spoold)") }
guard linux_fcntl_int(socketDescriptor, F_SETFD, FD_CLOEXEC) == 0 else { refuse("descriptor 3 is not the daemon's socket") }

do throws(SystemError) {
    let worker = try Worker(socket: FileDescriptor(owning: socketDescriptor), recordPath: arguments[2])
    exit(worker.serve())
} catch {
    refuse(error.description)
}
