// Benchmarks: how fast the built programs are, beside what the bare system and their peers do in the same run.
//
// - Every rate is a ratio to a reference measured just before and after it, so that a busy or slow machine shifts both.
// - Each measure starts the daemon that lies beside this program, with eight slots, on a spool of its own, and stops it. Spools
//   are removed at the very end: ext4 makes files slowly where many were just removed (up to 20 times), and the next measure
//   would pay for that.
// - Each wait has a limit; past it, or when the daemon or a job fails, the row says so and the next one is measured.
// - Nothing is left: this process adopts whatever its children leave running (child subreaper), and ends and awaits it all
//   before a row is printed. Interrupted, it cleans up first.
//
// Exit code: 0 when everything ran; 1 when a row failed, or with --check when a bar was not met; 2 for usage, or when the
// daemon is not built; 130 when interrupted.

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
