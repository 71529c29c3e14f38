import Documents

/// The Job of Kubernetes that runs one try, as the API takes it (batch/v1).
///
/// - Its name is in `place.TRY` before it is made, and no other try has it: making it twice makes it once.
/// - It has one pod, which is never started again: `backoffLimit` 0, `restartPolicy` Never.
/// - It stays until its end is in the spool: it has no `ttlSecondsAfterFinished`.
public struct KubernetesJob: Sendable {
    public var place: KubernetesPlace
    public var submission: Submission
    public var image: String
    public var serviceAccount: String?
    /// The text of the file in the job's directory that an argument names.
    public var script: Script?

    public struct Script: Sendable {
        /// The index of the argument.
        public var argument: Int
        public var text: String

        public init(argument: Int, text: String) {
            self.argument = argument
            self.text = text
        }
    }

    /// The container's name.
    public static let container = "job"
    /// The label by which one query finds the jobs of a spool. Its value is ``KubernetesPlace/tag``.
    public static let spoolLabel = "spoold.spool"
    /// The label of a pod that has the name of its job.
    public static let nameLabel = "spoold.job"

    public init(place: KubernetesPlace, submission: Submission, image: String, serviceAccount: String? = nil, script: Script? = nil) {
        self.place = place
        self.submission = submission
        self.image = image
        self.serviceAccount = serviceAccount
        self.script = script
    }

    public var json: [UInt8] {
        var writer = JSONWriter(reserving: 4096)
        writer.beginObject()
        writer.pair("apiVersion", "batch/v1")
        writer.pair("kind", "Job")
        writer.key("metadata")
        metadata(&writer, named: true)
        writer.object("spec") { spec in
            for (key, value) in [("backoffLimit", 0), ("completions", 1), ("parallelism", 1)] {
                spec.key(key)
                spec.integer(value)
            }
            // A pod that is being ended counts as running until it has ended, and only then may be replaced: which backoffLimit forbids.
            spec.pair("podReplacementPolicy", "Failed")
            spec.object("template") { template in
                template.key("metadata")
                metadata(&template, named: false)
                template.object("spec", pod)
            }
        }
        writer.endObject()
        return writer.bytes
    }

    private func metadata(_ writer: inout JSONWriter, named: Bool) {
        writer.beginObject()
        if named { writer.pair("name", place.name) }
        writer.object("labels") { labels in
            labels.pair("app.kubernetes.io/managed-by", "spoold")
            labels.pair(Self.spoolLabel, place.tag)
            labels.pair(Self.nameLabel, place.name)
        }
        // A label has at most 63 characters, and an id may have more.
        writer.object("annotations") { annotations in
            annotations.pair("spoold/id", submission.run.id)
            annotations.pair("spoold/try", String(submission.run.attempt))
        }
        writer.endObject()
    }

    private func pod(_ pod: inout JSONWriter) {
        pod.pair("restartPolicy", "Never")
        if let serviceAccount { pod.pair("serviceAccountName", serviceAccount) }
        let grace = (submission.killAfterMilliseconds + 999) / 1000
        pod.key("terminationGracePeriodSeconds")
        pod.integer(grace)
        // Of the pod and not of the job: so its waiting does not count, and the pod stays to be read.
        if submission.timeoutMilliseconds > 0 {
            pod.key("activeDeadlineSeconds")
            pod.integer((submission.timeoutMilliseconds + 999) / 1000)
        }
        pod.key("containers")
        pod.beginArray()
        pod.beginObject()
        pod.pair("name", Self.container)
        pod.pair("image", image)
        pod.key("command")
        pod.beginArray()
        for word in command { pod.string(Self.escaped(word)) }
        pod.endArray()
        if !isLocalDirectory { pod.pair("workingDir", submission.workingDirectory) }
        pod.key("env")
        pod.beginArray()
        for (name, value) in variables {
            pod.beginObject()
            pod.pair("name", name)
            pod.pair("value", Self.escaped(value))
            pod.endObject()
        }
        pod.endArray()
        pod.object("resources") { resources in
            for kind in ["requests", "limits"] {
                resources.object(kind) { amounts in
                    if let cpus = submission.resources.cpus { amounts.pair("cpu", String(cpus)) }
                    if let memory = submission.resources.memory { amounts.pair("memory", String(memory)) }
                    if let gpus = submission.resources.gpus { amounts.pair("nvidia.com/gpu", String(gpus)) }
                }
            }
        }
        pod.endObject()
        pod.endArray()
    }

    /// The kubelet reads `$(NAME)` in commands and variables, and two dollars as one.
    static func escaped(_ text: String) -> String { text.split(separator: "$", omittingEmptySubsequences: false).joined(separator: "$$") }

    /// A home on this machine is no directory in the container, which then uses its image's.
    private var isLocalDirectory: Bool {
        let home = value("HOME") ?? "/"
        return submission.workingDirectory == home || submission.workingDirectory == submission.run.directory
    }

    private func value(_ name: String) -> String? {
        submission.environment.last { $0.hasPrefix("\(name)=") }.map { String($0.dropFirst(name.count + 1)) }
    }

    private static let scriptVariable = "SPOOLD_SCRIPT"

    private var command: [String] {
        guard let script else { return submission.arguments }
        let words = submission.arguments.enumerated().map { index, word in
            index == script.argument ? "\"$f\"" : String(decoding: ShellText.word(word), as: UTF8.self)
        }
        let line = """
            f=$(mktemp -d)/script && printf %s "$\(Self.scriptVariable)" >"$f" && chmod 700 "$f" || exit 126
            cr=$(printf '\\r')
            unset \(Self.scriptVariable)
            exec \(words.joined(separator: " "))
            """
        return ["/bin/sh", "-c", line]
    }

    /// The job's own variables. Those of this machine's user and directories mean nothing in a container.
    private var variables: [(String, String)] {
        let local: Set = ["HOME", "USER", "LOGNAME", "SHELL", "SPOOL_DIR", "SPOOL_JOB_DIR", "SPOOL_RESULT", "SPOOL_PAYLOAD"]
        var all: [(String, String)] = []
        for line in submission.environment {
            guard let equals = line.firstIndex(of: "="), equals != line.startIndex else { continue }
            let (name, value) = (String(line[..<equals]), String(line[line.index(after: equals)...]))
            if local.contains(name) || name == "PATH" && value == Self.usualPath { continue }
            all.append((name, value))
        }
        if let script { all.append((Self.scriptVariable, script.text)) }
        return all
    }

    /// The search path of a job that sets none.
    private static let usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

extension JSONWriter {
    fileprivate mutating func pair(_ key: String, _ value: String) {
        self.key(key)
        string(value)
    }

    fileprivate mutating func object(_ key: String, _ body: (inout JSONWriter) -> Void) {
        self.key(key)
        beginObject()
        body(&self)
        endObject()
    }
}
