import Glibc
import Linux
import Model
import Scheduler
import Store
import WorkerProtocol

/// What every job of the spool has in common.
struct RunSurroundings {
    let spool: String
    let user: User
    var defaultTimeoutMilliseconds: Int64?
    var outputLimitBytes = Configuration().outputLimitBytes

    /// Where programs are found when the job does not say: the usual directories, as systemd has them.
    static let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// What is in the environment of everything that runs.
    var variables: [(name: String, value: String)] {
        [
            ("HOME", user.home), ("USER", user.name), ("LOGNAME", user.name), ("SHELL", "/bin/sh"), ("PATH", Self.path),
            ("LANG", "C.UTF-8"),
        ]
    }
}

/// Why a run could not even be prepared.
struct RunNotPrepared: Error {
    var why: String
}

extension RunRequest {
    /// The request for a job's current try. Reads `env_file`, so it may fail.
    init(_ job: Job, _ surroundings: RunSurroundings) throws(RunNotPrepared) {
        let definition = job.definition
        let directory = "\(surroundings.spool)/\(Layout.directory(of: job.id, .running))"
        let home = surroundings.user.home
        var arguments: [String]
        switch definition.action {
        case .arguments(let argv): arguments = argv
        case .line(let line): arguments = definition.shell + [line]
        case .script(let text):
            let file = "\(directory)/\(Layout.scriptFile)"
            arguments = text.hasPrefix("#!") ? [file] : [definition.shell[0], file]
        case .droppedScript: arguments = ["\(directory)/job"]
        }
        var working = definition.directory ?? home
        if working == "~" || working.hasPrefix("~/") { working = home + working.dropFirst() }
        if !working.hasPrefix("/") { working = "\(home)/\(working)" }

        var environment = Environment()
        for (name, value) in surroundings.variables { environment.set(name, value) }
        if let file = definition.environmentFile {
            try environment.read(file.hasPrefix("/") ? file : "\(working)/\(file)")
        }
        for (name, value) in definition.environment { environment.set(name, value) }
        let payload = definition.payload == nil ? "" : "\(directory)/\(Layout.payloadFile)"
        let started = job.startedAt ?? job.due
        environment.set("SPOOL_DIR", surroundings.spool)
        environment.set("SPOOL_JOB_ID", job.id.text)
        environment.set("SPOOL_JOB_DIR", directory)
        environment.set("SPOOL_NAME", job.name)
        environment.set("SPOOL_TASK", job.task ?? "")
        environment.set("SPOOL_SCHEDULE", job.schedule ?? "")
        environment.set("SPOOL_DUE", job.due.rfc3339)
        environment.set("SPOOL_DELAY_MS", String(started.milliseconds - job.due.milliseconds))
        environment.set("SPOOL_TRY", String(job.attempt))
        environment.set("SPOOL_TRIES", String(definition.tries))
        environment.set("SPOOL_PAYLOAD", payload)
        environment.set("SPOOL_RESULT", "\(directory)/\(Layout.resultFile)")
        environment.set("SPOOL_TAGS", definition.tags.joined(separator: ","))
        environment.set("SPOOL_PATH", job.paths.joined(separator: "\n"))

        var input = definition.standardInput ?? (payload.isEmpty ? nil : payload)
        let brought = "\(directory)/\(Layout.inputFile)"
        if input == nil, job.isDirectory, access(brought, F_OK) == 0 { input = brought }

        self.init(
            jobID: job.id.text, attempt: job.attempt, jobDirectory: directory, arguments: arguments,
            environment: environment.lines, workingDirectory: working, umask: definition.umask ?? 0o022,
            stdin: input, stdoutName: Layout.outputFile,
            stderrName: Layout.errorFile,
            timeoutMilliseconds: definition.timeoutMilliseconds ?? surroundings.defaultTimeoutMilliseconds ?? 0,
            stopSignal: definition.stopSignal, killAfterMilliseconds: definition.killAfterMilliseconds,
            killsLeftovers: definition.leftovers == .kill,
            outputLimitBytes: definition.outputLimitBytes ?? surroundings.outputLimitBytes, confinement: definition.confinement)
    }
}

/// Variables in the order they were first set, each once.
private struct Environment {
    private(set) var lines: [String] = []

    init() { lines.reserveCapacity(24) }

    mutating func set(_ name: String, _ value: String) {
        let line = "\(name)=\(value)"
        let start = "\(name)="
        if let index = lines.firstIndex(where: { $0.hasPrefix(start) }) { lines[index] = line } else { lines.append(line) }
    }

    /// Lines of `KEY=value` as systemd's EnvironmentFile= has them: blank lines and those that begin with `#` or `;` say
    /// nothing, a value in one pair of quotes loses them, and `export ` may stand before the name.
    mutating func read(_ path: String) throws(RunNotPrepared) {
        let bytes: [UInt8]
        do throws(SystemError) {
            let file = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
            guard try file.status().kind == .file else { throw SystemError(call: "read", path: path, errno: EINVAL) }
            bytes = try file.readAll(limit: 1 << 20)
        } catch {
            throw RunNotPrepared(why: "env_file \"\(path)\": \(error.message)")
        }
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            var text = String(decoding: line, as: UTF8.self)
            while text.last?.isWhitespace == true { text.removeLast() }
            while text.first?.isWhitespace == true { text.removeFirst() }
            if text.isEmpty || text.hasPrefix("#") || text.hasPrefix(";") { continue }
            if text.hasPrefix("export ") { text.removeFirst(7) }
            guard let equals = text.firstIndex(of: "="), equals != text.startIndex, !text.utf8.contains(0) else {
                throw RunNotPrepared(why: "env_file \"\(path)\" line \(index + 1): expected KEY=value")
            }
            var value = String(text[text.index(after: equals)...])
            if value.count >= 2, let quote = value.first, quote == "\"" || quote == "'", value.last == quote {
                value = String(value.dropFirst().dropLast())
            }
            set(String(text[..<equals]), value)
        }
    }
}
