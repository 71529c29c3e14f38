import Glibc
import Linux
import Model
import Scheduler
import Store
import WorkerProtocol

/// The settings that all runs of the daemon share.
struct RunSurroundings {
    let spool: String
    let user: User
    /// True when jobs get variables of a session, which its worker knows.
    var hasSessions = Session.own != nil
    var defaultTimeoutMilliseconds: Int64?
    var outputLimitBytes = Configuration().outputLimitBytes
    /// True when the daemon writes the output of jobs to its standard output too.
    var reportsOutput = false
    /// The variables of this process that jobs of its user get too.
    private(set) var inherited: [(name: String, value: String)] = []

    /// Takes these variables of the environment with which this process was started.
    mutating func inherit(_ variables: InheritedVariables) {
        inherited = []
        guard variables != .none else { return }
        var entry = environ
        while let text = entry.pointee {
            entry += 1
            let parts = FileName.string(from: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2, variables.has(String(parts[0])) { inherited.append((String(parts[0]), String(parts[1]))) }
        }
    }

    /// The environment of programs that run as the daemon's own user.
    var variables: [(name: String, value: String)] { user.variables }
}

/// The reason why a run could not be prepared.
struct RunNotPrepared: Error {
    var why: String
}

extension RunRequest {
    /// Makes the request for the current try of a job, to run as `user`. Calls `note` with a sentence for each way in which the run differs
    /// from the job's definition. `isOwn` is true when `user` is the daemon's own user.
    init(_ job: Job, as user: User, isOwn: Bool, _ surroundings: RunSurroundings, note: (String) -> Void) throws(RunNotPrepared) {
        let definition = job.definition
        let directory = "\(surroundings.spool)/\(Layout.directory(of: job.id, .running))"
        var arguments: [String]
        switch definition.action {
        case .arguments(let argv): arguments = argv
        case .line(let line): arguments = definition.shell + [line]
        case .script(let text):
            let file = "\(directory)/\(Layout.scriptFile)"
            arguments = text.hasPrefix("#!") ? [file] : [definition.shell[0], file]
        case .droppedScript: arguments = ["\(directory)/job"]
        }
        let home = user.homeOrRoot
        let working: String
        do throws(RunNotPrepared) { working = try Self.workingDirectory(definition.directory, of: user) } catch {
            guard definition.fallsBack else { throw error }
            working = home
            note("\(error.why); it runs in \"\(home)\"")
        }

        var substitutes = Substitutes()
        // A job that names no directory runs in the root directory when its user's home cannot be entered. So does a line of a crontab,
        // whose directory is HOME: cron(8) goes on where it is then.
        if definition.directory == nil || job.needsNoSlot { substitutes.directories = ["/"] }
        if definition.fallsBack {
            substitutes.directories = [home, "/"]
            substitutes.leavesOutEnvironmentFile = true
            switch definition.action {
            case .line(let line): substitutes.arguments = ["/bin/sh", "-c", line]
            case .script(let text) where !text.hasPrefix("#!"): substitutes.arguments = ["/bin/sh", arguments[1]]
            case .script, .arguments, .droppedScript: break
            }
        }

        var environment = Environment()
        for (name, value) in user.variables { environment.set(name, value) }
        if isOwn { for (name, value) in surroundings.inherited { environment.set(name, value) } }
        // The worker inserts the variables of its session and of `env_file` between these variables and the job's own.
        let file = definition.environmentFile.map { $0.hasPrefix("/") ? $0 : "\(working)/\($0)" }
        if file != nil || surroundings.hasSessions { environment.keepWhatIsSet() }
        for (name, value) in definition.environment {
            // With `fallback`, a program that is missing in the job's own search path may be in the usual one.
            environment.set(name, definition.fallsBack && name == "PATH" ? "\(value):\(User.searchPath)" : value)
        }
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

        let brought = "\(directory)/\(Layout.inputFile)"
        var input = switch definition.standardInput {
        case .file(let path): path
        case .text: brought
        case nil: payload.isEmpty ? nil : payload
        }
        // A job that came as a directory may have its input in there. The worker opens the input later; the run fails when it cannot.
        if input == nil, job.isDirectory {
            do throws(SystemError) {
                _ = try FileStatus.read(brought)
                input = brought
            } catch {
                guard error.errno == ENOENT else { throw RunNotPrepared(why: "its input: \(error)") }
            }
        }

        self.init(
            jobID: job.id.text, attempt: job.attempt, jobDirectory: directory, arguments: arguments,
            environment: environment.lines, workingDirectory: working, umask: definition.umask ?? 0o022,
            stdin: input, stdoutName: Layout.outputFile,
            stderrName: definition.combinesOutput ? Layout.outputFile : Layout.errorFile,
            timeoutMilliseconds: definition.timeoutMilliseconds ?? surroundings.defaultTimeoutMilliseconds ?? 0,
            stopSignal: definition.stopSignal, killAfterMilliseconds: definition.killAfterMilliseconds,
            killsLeftovers: definition.leftovers == .kill,
            outputLimitBytes: definition.outputLimitBytes ?? surroundings.outputLimitBytes, confinement: definition.confinement,
            environmentFile: file, replaceable: environment.kept)
        self.substitutes = substitutes
        if definition.output == .journal { journal = JournalTarget(of: job) }
        (reportsOutput, reportsOutputEnds) = (surroundings.reportsOutput, surroundings.reportsOutput)
    }

    /// The directory in which a job runs: the named one, or the user's home. Throws for a relative directory of a user without a home.
    private static func workingDirectory(_ directory: String?, of user: User) throws(RunNotPrepared) -> String {
        guard let directory else { return user.homeOrRoot }
        if directory.hasPrefix("/") { return directory }
        guard user.hasHome else {
            throw RunNotPrepared(
                why: "directory \"\(directory)\" is relative to the home of user \(user.name), who has none: write an absolute path")
        }
        if directory == "~" || directory.hasPrefix("~/") { return user.home + directory.dropFirst() }
        return "\(user.home)/\(directory)"
    }
}

extension JournalTarget {
    /// journald, and the fields by which the events of the job can be found too.
    init(of job: Job) {
        var fields = [
            "SYSLOG_IDENTIFIER=\(job.task ?? job.name)", "SPOOL_JOB_ID=\(job.id.text)", "SPOOL_NAME=\(job.name)",
            "SPOOL_QUEUE=\(job.definition.queue)", "SPOOL_TRY=\(job.attempt)",
        ]
        if let task = job.task { fields.append("SPOOL_TASK=\(task)") }
        if let unit = SystemdJournal.unit { fields.append("\(unit.field)=\(unit.name)") }
        self.init(socket: SystemdJournal.socketPath, fields: fields)
    }
}

/// The variables of a run, each once, in the order in which they were first set.
private struct Environment {
    private(set) var lines: [String] = []
    /// The number of lines at the front that ``set(_:_:)`` does not replace.
    private(set) var kept = 0

    init() { lines.reserveCapacity(24) }

    /// Has later settings of these variables follow as lines of their own, so that the variables of `env_file` fit in between.
    mutating func keepWhatIsSet() { kept = lines.count }

    mutating func set(_ name: String, _ value: String) {
        let line = "\(name)=\(value)"
        let start = "\(name)="
        if let index = lines[kept...].firstIndex(where: { $0.hasPrefix(start) }) { lines[index] = line } else { lines.append(line) }
    }
}
