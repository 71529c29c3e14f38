import CLinux
import Glibc
import Linux
import WorkerProtocol

/// The reason why a command did not start: the error number, and a sentence for the job's owner.
struct StartFailure: Error {
    var errno: Int32
    var message: String
}

/// Starts a run's command in its own session. Returns its process, and its input if another command gives it during the run. The
/// output files exist afterwards even if the start fails.
///
/// `remarks` reports the substitutes that were used, and what was left out. A cgroup in the confinement is the one that is open as `group`,
/// if there is one.
func startCommand(
    _ request: RunRequest, entering group: RawBox?, _ remarks: inout [String]
) throws(StartFailure) -> (process: Process.Started, input: GivenInput?) {
    let output = try openOutput(request.stdoutName, request)
    let hasOneOutput = request.stderrName == request.stdoutName
    let errorOutput = hasOneOutput ? nil : RawBox(try openOutput(request.stderrName, request))

    var request = request
    // The input may be in the directory.
    if request.stdin != nil { _ = try substituteDirectory(of: &request, &remarks) }
    let given: GivenInput? = if let path = request.stdin { try GivenInput(path, request) } else { nil }
    let input: RawBox? =
        if let given { given.reader } else if let path = request.stdin { RawBox(try openInput(path, request)) } else { nil }
    if let given { try setBlocking(given.reader) }

    var descriptors: [(from: Int32, to: Int32)] = []
    descriptors.reserveCapacity(3)
    // Without input, the command inherits descriptor 0, which is /dev/null.
    if let input { descriptors.append((input.raw, 0)) }
    descriptors.append((output.raw, 1))
    descriptors.append((errorOutput?.raw ?? output.raw, 2))

    var failure: StartFailure
    do throws(StartFailure) { return (try start(request, descriptors, group, &remarks), given) } catch { failure = error }
    // Nearly every directory can be entered, so this is checked only now that something has failed.
    if try substituteDirectory(of: &request, &remarks) {
        do throws(StartFailure) { return (try start(request, descriptors, group, &remarks), given) } catch { failure = error }
    }
    // If the machine cannot start any process now, the substitute would not start either.
    let isRefused = SystemError(call: "spawn", errno: failure.errno).isRefusedProcess
    guard let other = request.substitutes.arguments.first, !isRefused else { throw failure }
    request.arguments = request.substitutes.arguments
    remarks.append("\(failure.message); \(other) takes its place")
    return (try start(request, descriptors, group, &remarks), given)
}

private func start(
    _ request: RunRequest, _ descriptors: [(from: Int32, to: Int32)], _ group: RawBox?, _ remarks: inout [String]
) throws(StartFailure) -> Process.Started {
    let executable = try findCommand(request)
    guard request.confinement.isEmpty else { return try startConfined(request, executable, descriptors, group, &remarks) }
    return try spawn(executable, request.arguments, request, descriptors)
}

private func spawn(
    _ executable: String, _ arguments: [String], _ request: RunRequest, _ descriptors: [(from: Int32, to: Int32)]
) throws(StartFailure) -> Process.Started {
    do throws(SystemError) {
        // The worker handles and ignores no signal: see `detach`.
        return try Process.start(
            executable, arguments: arguments, environment: request.environment, descriptors: descriptors,
            directory: request.workingDirectory, umask: mode_t(request.umask & 0o777), newSession: true, resettingSignals: false)
    } catch {
        if error.call == "chdir" { throw notEntered(request.workingDirectory, error) }
        throw describe(error, executable, request)
    }
}

/// The same by way of `--confine`. Returns when the command has begun.
private func startConfined(
    _ request: RunRequest, _ executable: String, _ descriptors: [(from: Int32, to: Int32)], _ group: RawBox?,
    _ remarks: inout [String]
) throws(StartFailure) -> Process.Started {
    var trouble = try Trouble()
    var descriptors = descriptors + [(trouble.raw, Confinement.troubleDescriptor)]
    if let group { descriptors.append((group.raw, Confinement.groupDescriptor)) }
    let words = ["spool-worker", "--confine"] + request.confinement.map { $0.text(isGroupOpen: group != nil) } + ["--", executable]
    let process = try spawn("/proc/self/exe", words + request.arguments, request, descriptors)
    do throws(StartFailure) {
        if try !trouble.check() { remarks.append(Confinement.unlogged) }
    } catch {
        var status: Int32 = 0
        while waitpid(process.pid, &status, 0) < 0 && errno == EINTR {}
        let message = error.message.isEmpty
            ? describe(SystemError(call: "spawn", errno: error.errno), executable, request).message : error.message
        // A limit of the job itself is not a shortage of the machine, which would make the job wait for better times.
        throw StartFailure(errno: error.errno == EAGAIN || error.errno == ENOMEM ? ECANCELED : error.errno, message: message)
    }
    return process
}

// MARK: - Files

// O_APPEND: the part that is cut from a file past its limit stays cut while the job still writes.
private func openOutput(_ name: String, _ request: RunRequest) throws(StartFailure) -> FileDescriptor {
    let path = "\(request.jobDirectory)/\(name)"
    let flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NOCTTY
    do throws(SystemError) {
        // A new file, as nearly always.
        do throws(SystemError) { return try FileDescriptor.open(path, flags | O_EXCL, mode: 0o600) } catch {
            guard error.errno == EEXIST else { throw error }
        }
        // O_NONBLOCK for the opening only: an earlier try may have left a FIFO there that nobody ever reads.
        let output = try FileDescriptor.open(path, flags | O_TRUNC | O_NONBLOCK, mode: 0o600)
        try output.setBlocking()
        return output
    } catch {
        throw StartFailure(errno: error.errno, message: "output \"\(path)\": \(error.message)")
    }
}

// O_NONBLOCK for the opening only: a FIFO without a writer must not block the worker. The command then reads the end at once.
private func openInput(_ path: String, _ request: RunRequest) throws(StartFailure) -> FileDescriptor {
    do throws(SystemError) {
        let input = try FileDescriptor.open(request.absolute(path), O_RDONLY | O_NONBLOCK | O_NOCTTY)
        try input.setBlocking()
        return input
    } catch {
        throw StartFailure(errno: error.errno, message: "standard input \"\(path)\": \(error.message)")
    }
}

/// Makes the descriptor blocking, as the command expects it.
private func setBlocking(_ input: RawBox) throws(StartFailure) {
    let flags = linux_fcntl_int(input.raw, F_GETFL, 0)
    if flags < 0 || linux_fcntl_int(input.raw, F_SETFL, flags & ~O_NONBLOCK) < 0 {
        throw StartFailure(errno: errno, message: "standard input: \(SystemError(call: "fcntl", errno: errno).message)")
    }
}

/// Has a directory that cannot be entered replaced by a substitute. Returns false when it can be entered.
private func substituteDirectory(of request: inout RunRequest, _ remarks: inout [String]) throws(StartFailure) -> Bool {
    guard let error = refusal(toEnter: request.workingDirectory) else { return false }
    let failure = notEntered(request.workingDirectory, error)
    guard let other = request.substitutes.directories.first(where: { refusal(toEnter: $0) == nil }) else { throw failure }
    remarks.append("\(failure.message); it runs in \"\(other)\"")
    request.workingDirectory = other
    return true
}

private func refusal(toEnter directory: String) -> SystemError? {
    defer { _ = chdir("/") }  // "/" is always there; elsewhere an idle worker would keep a file system busy
    do throws(SystemError) { try Process.changeDirectory(directory) } catch { return error }
    return nil
}

private func notEntered(_ directory: String, _ error: SystemError) -> StartFailure {
    StartFailure(errno: error.errno, message: "directory \"\(directory)\": \(error.message)")
}

extension RunRequest {
    /// The path as the command sees it from its directory.
    fileprivate func absolute(_ path: String) -> String { path.utf8.first == UInt8(ascii: "/") ? path : "\(workingDirectory)/\(path)" }
}

/// A descriptor that may be missing. The payload of an Optional could not be borrowed for its number.
final class RawBox {
    private let descriptor: FileDescriptor
    var raw: Int32 { descriptor.raw }
    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
}

// MARK: - Finding the command

// execvp(3): a name without a slash is searched in PATH. A file that may not be executed is skipped, and is the reported reason
// if nothing else is found. The search uses the job's PATH, not the worker's.
private func findCommand(_ request: RunRequest) throws(StartFailure) -> String {
    guard let name = request.arguments.first, !name.isEmpty else {
        throw StartFailure(errno: EINVAL, message: "the command is empty")
    }
    if name.utf8.contains(UInt8(ascii: "/")) { return name }
    let variable = request.environment.first { $0.utf8.starts(with: "PATH=".utf8) }
    let path = variable.map { String($0.dropFirst(5)) } ?? "/bin:/usr/bin"
    var refused: String?
    for directory in path.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
        // An empty element is the current directory, as in every shell.
        let candidate = directory.isEmpty ? "./\(name)" : "\(Substring(directory))/\(name)"
        switch Process.executability(request.absolute(candidate)) {
        case .executable: return candidate
        case .refused: refused = refused ?? candidate
        case .missing: continue
        }
    }
    if let refused { throw StartFailure(errno: EACCES, message: CommandFailure.denied.message("\"\(refused)\" is not executable")) }
    throw StartFailure(errno: ENOENT, message: CommandFailure.notFound.message("\"\(name)\" (PATH=\(path))"))
}

private func describe(_ error: SystemError, _ executable: String, _ request: RunRequest) -> StartFailure {
    let message =
        switch error.errno {
        case ENOENT where Process.executability(request.absolute(executable)) != .missing:
            CommandFailure.notFound.message("the interpreter that the first line of \"\(executable)\" names")
        case ENOENT: CommandFailure.notFound.message("\"\(executable)\"")
        case EACCES: CommandFailure.denied.message("\"\(executable)\" is not executable")
        case ENOEXEC:
            CommandFailure.notExecutable.message("\"\(executable)\" is not a program; a script must begin with a line like #!/bin/sh")
        case EINVAL: "an argument or variable contains a NUL character"
        default: CommandFailure.notExecutable.message("\"\(executable)\": \(error.message)")
        }
    return StartFailure(errno: error.errno, message: message)
}
