// Benchmarks: the speed of the built programs, beside that of the bare system and of their peers in the same run.
//
// - Every rate is a ratio to a reference that is measured just before and after it, so that a busy or slow machine changes both.
// - Each measure starts the daemon that lies beside this program, with eight slots, on a spool of its own, and stops it. Spools
//   are removed at the very end: ext4 creates files up to 20 times slower where many were just removed, and the next measure would
//   suffer from that.
// - Each wait has a limit. When it is exceeded, or when the daemon or a job fails, the row shows the failure and the next measure
//   begins.
// - No process is left: this process adopts the processes that its children leave running (child subreaper), and ends all of them
//   before it prints a row. An interruption does this first, too.
//
// Exit code: 0 if everything ran; 1 if a row failed, or with --check if a bar was not met; 2 for wrong usage, or if the daemon is
// not built; 130 after an interruption.

import Glibc

switch Options.read(CommandLine.arguments.dropFirst()) {
case .failure(let refusal):
    complain(refusal.message)
    exit(2)
case .success(let options) where options.wantsHelp:
    print(Options.usage, terminator: "")
case .success(let options):
    exit(Suite.run(options))
}
