// The simulator as a program, for more seeds than the tests have time for.
//
//     Simulator [--seeds N] [--from SEED] [--steps N]   so many seeds, on all processors; exit code 1 when one fails
//     Simulator --seed SEED [--steps N]                 one seed again, shrunk to the fewest steps that fail
//     Simulator --forever [--from SEED]                 upwards until it is interrupted; each that fails is told, shrunk
//     Simulator --bug NAME …                            the same with a bug planted, which some seed is to find
//     Simulator --journal RECORDS                       every bit of a journal of so many records, turned: exit code 1 when one
//                                                       is passed over

import Glibc
import Simulation

// Without this variable each process iterates sets in another order, and a seed could not be repeated exactly.
let variable = "SWIFT_DETERMINISTIC_HASHING"
if getenv(variable) == nil {
    setenv(variable, "1", 1)
    execv("/proc/self/exe", CommandLine.unsafeArgv)
}
exit(SimulatorCommand(CommandLine.arguments.dropFirst()).run())
