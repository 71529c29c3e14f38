// spool-executor: runs the jobs of a spool on other machines. `executors/slurm`, `executors/ssh` and `executors/kubernetes` are links
// to it.
//
// spoold starts it as the job's user: `NAME VERB`, where the last part of NAME is the executor. Standard input has the header and then one
// item in each line, standard output gets one line for each item, as soon as its answer is known (spool-executor(7)).
//
// Invariants:
// - An item whose answer is not known has no line. A question that failed is no answer.
// - The program keeps nothing between two calls. Every fact is in the job's directory or at the engine.
//
// Exit codes: 0 all items were looked at; 1 the engine could not be asked; 2 the call is not one of the protocol's.

import ExecutorProtocol
import Executors
import Glibc
import Linux

StandardDescriptors.open(of: "spool-executor")

// The daemon may be gone, and an answer that nobody reads is no reason to stop half way.
signal(SIGPIPE, SIG_IGN)

let name = CommandLine.arguments.first.map { String($0.split(separator: "/").last ?? "") } ?? ""
let words = Array(CommandLine.arguments.dropFirst())
guard words.count == 1, let verb = Verb(rawValue: words[0]) else {
    let verbs = Verb.allCases.map(\.rawValue).joined(separator: "|")
    Told.refuse("usage: \(name) \(verbs), with the lines of spool-executor(7) on standard input")
}

var lines = InputLines(STDIN_FILENO)
let header: Header
do {
    guard let line = try lines.next() else { Told.refuse("standard input is empty: expected the header") }
    header = try Header(line: line)
} catch let error as UnusableItem {
    Told.refuse("the header: \(error.message)")
} catch {
    Told.refuse("standard input: \(error)")
}
guard header.protocolVersion == ExecutorLines.version else {
    Told.answer(.speaks(ExecutorLines.version))
    exit(0)
}

let executor: any Executor
switch name {
case "slurm": executor = SlurmExecutor(header)
case "ssh":
    do throws(SSHSettings.Mistake) { executor = try SSHExecutor(header) } catch { Told.refuse("[executors.ssh] \(error.message)") }
case "kubernetes":
    do throws(KubernetesSettings.Mistake) { executor = try KubernetesExecutor(header) } catch {
        Told.refuse("[executors.kubernetes] \(error.message)")
    }
default: Told.refuse("there is no executor \"\(name)\" in this program, which is to be called as slurm, ssh or kubernetes")
}
let code = perform(verb, of: executor, reading: &lines)
Program.endRest()
exit(code)
