import Linux
import Model
import Scheduler
import Store
import WorkerProtocol

/// The standard input of an executor's program: a header, then one line of JSON for each run. See spool-executor(7).
struct ExecutorInput {
    private(set) var bytes: [UInt8]

    init(executor: String, _ settings: ExecutorSettings, spool: String) { bytes = settings.header(of: executor, spool: spool) }

    /// Adds a run that is to be submitted.
    mutating func add(_ item: ExecutorCall.Item, _ request: RunRequest) {
        let job = item.job
        var writer = begin(item, directory: request.jobDirectory)
        writer.list("arguments", request.arguments)
        writer.list("environment", request.environment)
        writer.member("working_directory", request.workingDirectory)
        writer.member("umask", Int(request.umask))
        writer.member("input", request.stdin)
        writer.member("stdout", request.stdoutName)
        writer.member("stderr", request.stderrName)
        writer.member("timeout_ms", Int(request.timeoutMilliseconds))
        writer.member("stop_signal", Int(request.stopSignal))
        writer.member("kill_after_ms", Int(request.killAfterMilliseconds))
        writer.member("output_limit", Int(request.outputLimitBytes))
        writer.key("resources")
        writer.beginObject()
        let resources = job.definition.executorKeys?.resources ?? ExecutorKeys.Resources()
        for (key, value) in [
            ("cpus", resources.cpus), ("memory", resources.memoryBytes.map { Int($0) }), ("gpus", resources.gpus),
            ("nodes", resources.nodes),
        ] {
            if let value { writer.member(key, value) }
        }
        writer.endObject()
        writer.list("executor_args", job.definition.executorKeys?.arguments ?? [])
        writer.list("directives", Self.directives(of: job))
        writer.list("hosts", job.definition.executorKeys?.hosts ?? [])
        end(&writer)
    }

    /// Adds a run for any other verb.
    mutating func add(_ item: ExecutorCall.Item, _ verb: ExecutorCall.Verb, directory: String) {
        var writer = begin(item, directory: directory)
        writer.member("handle", item.handle)
        if verb == .cancel { writer.member("force", item.force) }
        if let signal = item.signal { writer.member("signal", Int(signal)) }
        if let milliseconds = item.byMilliseconds { writer.member("by_ms", Int(milliseconds)) }
        end(&writer)
    }

    private func begin(_ item: ExecutorCall.Item, directory: String) -> JSONWriter {
        ExecutorRun(id: item.job.id.text, number: item.job.runNumber, directory: directory).beginLine()
    }

    private mutating func end(_ writer: inout JSONWriter) {
        writer.endObject()
        bytes += writer.bytes
        bytes.append(UInt8(ascii: "\n"))
    }

    /// The lines for sbatch(1) in the job's script.
    private static func directives(of job: Job) -> [String] {
        switch job.definition.action {
        case .droppedScript: return ScriptDirectives.read(job.source.bytes)
        case .script(let text): return ScriptDirectives.read(Array(text.utf8))
        case .arguments, .line: return []
        }
    }
}

extension JSONWriter {
    fileprivate mutating func list(_ key: String, _ values: [String]) {
        self.key(key)
        beginArray()
        for value in values { string(value) }
        endArray()
    }
}
