// Executors: the pure parts of spool-executor, which runs the jobs of a spool on other machines.
//
// Contract:
//
// - No clock, no disk, no process: texts in, values or texts out.
// - `Header`, `Run`, `Submission` and `Order` are the lines that spoold writes to an executor, and `Answer` is a line that the executor
//   writes back. Both are JSON, one line each (spool-executor(7)). Members that are not known are ignored.
// - `Wrapper` is the script in POSIX sh that runs on the other machine around the command. It is the only program that starts a command,
//   and it does so at most once for each try.
// - `Slurm` reads what Slurm's programs print and builds what they are given.
// - The folder `SSH` has the program of the other host and the reading of its answers, names and choice of hosts. `Kubernetes` has the
//   Job of a try and the meaning of what the API says of it.
