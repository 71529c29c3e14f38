// spoold: reads the arguments, runs the daemon, and returns its exit code.

import CLinux
import Daemon
import Glibc
import Linux
import Model

StandardDescriptors.open(of: "spoold")
SystemCheck.perform(for: "spoold")

// A write beyond `ulimit -f` shall fail with an error, which names the limit, instead of a signal. Jobs get the default handler
// again.
_ = linux_ignore_signal(SIGXFSZ)

let usage = """
    Usage: spoold [--spool DIR] [--config FILE] [--worker PATH] [--tasks DIR]... [--crontab FILE]
                  [--output stdout|json|files] [--standby] [--drain[=DURATION] | --no-drain]

    Serves a spool: takes up the jobs and tasks that are dropped into it, and runs them when they are due.
    Runs in the foreground and logs to standard error, one event a line. See spoold(8) and spool(5).

      --spool DIR    the spool; else $SPOOL_DIR, else /var/spool/spoold for root and
                     ${XDG_STATE_HOME:-$HOME/.local/state}/spoold for anyone else
      --config FILE  the configuration; else /etc/spoold/spoold.toml for root and
                     ${XDG_CONFIG_HOME:-$HOME/.config}/spoold/spoold.toml for anyone else
      --worker PATH  the spool-worker program; else beside spoold, or in ../libexec/spoold/
      --tasks DIR    also run the tasks defined in DIR, which is only read; may be repeated
      --crontab FILE also run the lines of this crontab, as the own user and with the own variables
      --output stdout|json|files
                     also write the output of jobs to standard output, as lines that begin with task and id or
                     as JSON objects; files, the default, writes it to the jobs' directories alone
      --standby      while another spoold serves the spool, wait, and take over when it ends
      --drain[=DURATION]
                     when told to end, start nothing new and wait for running jobs; after DURATION,
                     such as 20s, stop them. Process 1 does so without being asked
      --no-drain     end at once when told to, even as process 1
      --check        say whether this program could serve the spool, change nothing, and end
      --release-cgroups
                     lift the limits that keep systemd from starting the next spoold in its unit, and end
      --help         this text
      --version      the version

    SIGTERM and SIGINT end it and leave running jobs to their workers, or, with --drain, wait for them: a second
    one stops the jobs, a third one does not wait. SIGQUIT ends it at once. SIGHUP re-reads the configuration;
    SIGUSR2 starts the program anew in the same process (spoolctl restart does so too, and waits).

    """

func fail(_ message: String, code: Int32) -> Never {
    var line = "spoold: \(message)\n"
    // Standard error is closed, so only the exit code reports the failure.
    _ = line.withUTF8 { write(2, $0.baseAddress, $0.count) }
    exit(code)
}

/// The form of `--output`. Nil for `files`.
func outputForm(_ word: String) -> OutputForm? {
    guard word != "files" else { return nil }
    guard let form = OutputForm(rawValue: word) else { fail("--output must be files, stdout or json, not \"\(word)\"", code: 2) }
    return form
}

func environment(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return FileName.string(from: value)
}

func absolute(_ path: String) -> String {
    if path.hasPrefix("/") { return path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path }
    guard let here = getcwd(nil, 0) else { fail("the current directory is gone", code: 1) }
    defer { free(here) }
    return absolute("\(FileName.string(from: here))/\(path)")
}

func isExecutable(_ path: String) -> Bool { FileName.isAccessible(path, X_OK) }

var spool: String?
var configuration: String?
var worker: String?
var isStandby = false
var isCheck = false
var drain: DrainRule?
var output: OutputForm?
var crontab: String?
var taskDirectories: [String] = []
var user: String?
var isAfterRest = false
var arguments = (0..<Int(CommandLine.argc)).compactMap { CommandLine.unsafeArgv[$0].map { FileName.string(from: $0) } }.dropFirst()
if arguments.first == Session.argument { fail(Session.become(Array(arguments.dropFirst())), code: 1) }
while let argument = arguments.popFirst() {
    func value() -> String {
        guard let value = arguments.popFirst() else { fail("\(argument) needs a value; see spoold --help", code: 2) }
        return value
    }
    switch argument {
    case "--spool": spool = value()
    case "--config": configuration = value()
    case "--worker": worker = value()
    case "--standby": isStandby = true
    case "--check": isCheck = true
    case "--crontab": crontab = value()
    case "--tasks": taskDirectories.append(value())
    case "--drain": drain = .wait(stopAfterMilliseconds: nil)
    case "--no-drain": drain = DrainRule.none
    // Arguments that spoold passes to another spoold, see spoold(8).
    case "--serve-user": user = value()
    case "--after-rest": isAfterRest = true
    case _ where argument.hasPrefix("--spool="): spool = String(argument.dropFirst(8))
    case _ where argument.hasPrefix("--config="): configuration = String(argument.dropFirst(9))
    case _ where argument.hasPrefix("--worker="): worker = String(argument.dropFirst(9))
    case "--output": output = outputForm(value())
    case _ where argument.hasPrefix("--output="): output = outputForm(String(argument.dropFirst(9)))
    case _ where argument.hasPrefix("--crontab="): crontab = String(argument.dropFirst(10))
    case _ where argument.hasPrefix("--tasks="): taskDirectories.append(String(argument.dropFirst(8)))
    case _ where argument.hasPrefix("--drain="):
        let text = String(argument.dropFirst(8))
        do throws(RecurrenceError) { drain = .wait(stopAfterMilliseconds: try Span.parse(text).approximateMilliseconds) } catch {
            fail("--drain: \(error.message)", code: 2)
        }
    case "--release-cgroups":
        do throws(DaemonFailure) { try Daemon.releaseGroups() } catch { fail("\(error)", code: 1) }
        exit(0)
    case "--help", "-h":
        print(usage, terminator: "")
        exit(0)
    case "--version":
        print(Version.line(of: "spoold"))
        exit(0)
    default:
        let near = nearest(
            to: argument,
            among: [
                "--spool", "--config", "--worker", "--standby", "--tasks", "--crontab", "--output", "--drain", "--no-drain", "--check",
                "--release-cgroups",
                "--help", "--version",
            ])
        fail("unknown argument \"\(argument)\"\(near.map { "; did you mean \"\($0)\"?" } ?? "")", code: 2)
    }
}

let isRoot = getuid() == 0
let ownEntry = try? User.find(id: getuid())  // unreadable: counts as an entry without a home
// An entry without a home directory does not mean the root directory.
let home = environment("HOME") ?? ownEntry.flatMap { $0.home.hasPrefix("/") ? $0.home : nil }
func userPath(_ variable: String, _ fallback: String) -> String? {
    environment(variable) ?? home.map { "\($0)/\(fallback)" }
}
guard let directory = spool ?? environment("SPOOL_DIR")
    ?? (isRoot ? "/var/spool/spoold" : userPath("XDG_STATE_HOME", ".local/state").map { "\($0)/spoold" })
else { fail("no spool: give --spool DIR, or set SPOOL_DIR or HOME", code: 2) }
// The journal, the status files and the jobs' variables hold the path as text.
guard FileName.isUTF8(absolute(directory)) else { fail("the spool's path is not UTF-8; give the directory another name", code: 1) }
let configurationFile = configuration
    ?? (isRoot ? "/etc/spoold/spoold.toml" : userPath("XDG_CONFIG_HOME", ".config").map { "\($0)/spoold/spoold.toml" })
// Root's daemon passes its own configuration file to the daemons of users, even if the file does not exist.
if let configuration, user == nil, !FileName.isAccessible(configuration, R_OK) {
    fail("there is no configuration file \(configuration)", code: 1)
}

func ownDirectory() -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = buffer.withUnsafeMutableBytes { readlink("/proc/self/exe", $0.bindMemory(to: CChar.self).baseAddress!, $0.count) }
    guard count > 0 else { return "." }
    let path = FileName.string(from: Array(buffer[..<count]))
    return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
}

let workerPaths = Installation.workerPaths(ofProgramIn: ownDirectory())
guard let program = worker.map(absolute) ?? workerPaths.first(where: isExecutable) else {
    fail("no program \(workerPaths.joined(separator: " or ")); name the worker with --worker", code: 1)
}
guard isExecutable(program) else { fail("the worker \(program) cannot be executed", code: 1) }

do throws(DaemonFailure) {
    var options = DaemonOptions(
        spool: absolute(directory), configuration: configurationFile.map(absolute), worker: program, version: Version.text,
        isStandby: isStandby, user: user, isAfterRest: isAfterRest)
    options.output = output
    options.crontab = crontab.map(absolute)
    options.taskDirectories = taskDirectories.map(absolute)
    // The end of process 1 kills all other processes of its container.
    options.drain = drain ?? (getpid() == 1 ? .wait(stopAfterMilliseconds: nil) : .none)
    if isCheck {
        try Daemon.check(options)
        print("spoold \(Version.text)")
    } else {
        try Daemon.serve(options)
    }
} catch {
    fail("\(error)", code: 1)
}
