import Documents
import ExecutorProtocol

/// One Job and its pod, as the API shows them (batch/v1, core/v1).
public struct KubernetesWord: Sendable, Equatable {
    public enum State: Sendable, Equatable {
        /// Neither the Job nor a pod is there.
        case gone
        case pending(why: String?)
        case running
        case open(String)
        /// The container has ended, or the Job is complete without a pod.
        case ended(End)
        /// It ended without an exit code: the node was lost, or the pod removed.
        case lost(EndReason, String)
    }

    /// The end of a container.
    public struct End: Sendable, Equatable {
        public var exit: Int64
        public var signal: Int64?
        public var hasTimedOut = false
        public var isOutOfMemory = false
        public var started: Int64?
        public var ended: Int64?

        public init(exit: Int64, signal: Int64? = nil) {
            self.exit = exit
            self.signal = signal
        }

        /// The end mark.
        public func mark(host: String?) -> [UInt8] {
            var writer = JSONWriter()
            writer.beginObject()
            // The kernel ends what has used up the memory with KILL.
            if let signal = isOutOfMemory ? 9 : signal {
                writer.key("signal")
                writer.integer(signal)
            } else {
                writer.key("exit")
                writer.integer(exit)
            }
            if hasTimedOut {
                writer.key("timed_out")
                writer.boolean(true)
            }
            for (key, value) in [("started", started ?? ended), ("ended", ended ?? started)] {
                guard let value else { continue }
                writer.key(key)
                writer.integer(value)
            }
            if let host {
                writer.key("host")
                writer.string(host)
            }
            writer.endObject()
            return writer.bytes
        }
    }

    public var state: State
    public var pod: String?
    public var node: String?
    /// When the container began, milliseconds since the epoch.
    public var started: Int64?

    init(_ state: State) { self.state = state }

    /// Reads the objects, each of which may be missing.
    public init(job: Table?, pods: [Table]) {
        // There is one. Were there two, the first would be the run.
        let first = pods.min { ($0.made, $0.podName) < ($1.made, $1.podName) }
        guard let pod = first else {
            self.init(job.map(Self.withoutPod) ?? .gone)
            return
        }
        let status = pod.at("status")
        let container = status?.at("containerStatuses").array?.first { $0.at("name").text == KubernetesJob.container }
        let phase = status.at("phase").text ?? "Unknown"
        let reason = status.at("reason").text
        let current = container?.at("state")
        self.init(.open(phase))
        self.pod = pod.podName
        node = pod.at("spec", "nodeName").text
        started = (current.at("running", "startedAt").text ?? current.at("terminated", "startedAt").text).flatMap(Self.milliseconds)
        if let terminated = current?.at("terminated") {
            guard let exit = terminated.at("exitCode").integer else {
                state = .open("terminated, without an exit code")
                return
            }
            guard 0...255 ~= exit else {
                state = .lost(.failed, "Kubernetes: exit code \(exit)")
                return
            }
            let signal = terminated.at("signal").integer.flatMap { 1...64 ~= $0 ? $0 : nil }
            var end = End(exit: exit, signal: signal)
            end.hasTimedOut = reason == "DeadlineExceeded"
            end.isOutOfMemory = terminated.at("reason").text == "OOMKilled"
            end.started = terminated.at("startedAt").text.flatMap(Self.milliseconds)
            end.ended = terminated.at("finishedAt").text.flatMap(Self.milliseconds)
            state = .ended(end)
        } else if phase == "Failed" {
            let message = ["Kubernetes: \(reason ?? phase)", status.at("message").text].compactMap(\.self).joined(separator: ": ")
            state = .lost(reason == "DeadlineExceeded" ? .timeout : .nodeFail, message)
        } else if phase == "Running" {
            state = .running
        } else if phase == "Pending" {
            let conditions = status.at("conditions").array ?? []
            let unscheduled = conditions.first { $0.at("type").text == "PodScheduled" && $0.at("status").text == "False" }
            state = .pending(why: current.at("waiting", "reason").text ?? unscheduled.at("reason").text)
        }
    }

    private static func withoutPod(_ job: Table) -> State {
        for condition in job.at("status", "conditions").array ?? [] where condition.at("status").text == "True" {
            switch condition.at("type").text {
            // The container's exit code was 0.
            case "Complete": return .ended(End(exit: 0))
            case "Failed":
                let words = [condition.at("reason").text, condition.at("message").text].compactMap(\.self)
                return .lost(.nodeFail, "Kubernetes: the pod is gone: \(words.joined(separator: ": "))")
            default: continue
            }
        }
        return .pending(why: nil)
    }

    /// `2026-11-29T19:00:00Z`, as the API writes times. Nil for anything else.
    static func milliseconds(_ text: String) -> Int64? {
        let numbers = text.split { !("0"..."9").contains($0) }.compactMap { Int64($0) }
        guard text.hasSuffix("Z"), numbers.count >= 6, 1970...9999 ~= numbers[0], 1...12 ~= numbers[1], 1...31 ~= numbers[2],
            0...23 ~= numbers[3], 0...59 ~= numbers[4], 0...60 ~= numbers[5]
        else { return nil }
        // Howard Hinnant's days_from_civil.
        let year = numbers[1] <= 2 ? numbers[0] - 1 : numbers[0]
        let era = year / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * ((numbers[1] + 9) % 12) + 2) / 5 + numbers[2] - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        return (days * 86_400 + numbers[3] * 3600 + numbers[4] * 60 + numbers[5]) * 1000
    }
}

/// A list of objects, as the API gives it.
public struct KubernetesList: Sendable {
    public var items: [Table]
    /// Asks for the rest of the list.
    public var next: String?

    /// Nil for text that is no list.
    public init?(_ bytes: [UInt8]) {
        let limits = Limits(bytes: 256 << 20, values: 20_000_000)
        guard let table = JSON.readableTable(bytes, limits: limits), let items = table.at("items")?.array else { return nil }
        self.items = items.compactMap(\.table)
        let next = table.at("metadata", "continue").text
        self.next = next?.isEmpty == false ? next : nil
    }
}

extension Table {
    fileprivate var podName: String { objectName ?? "" }

    fileprivate var made: String { at("metadata", "creationTimestamp").text ?? "" }

    /// When the object was made, by the server's clock; milliseconds since the epoch.
    public var madeAt: Int64? { KubernetesWord.milliseconds(made) }

    /// The try that a Job runs.
    public var run: (id: String, attempt: Int64)? {
        guard let id = at("metadata", "annotations", "spoold/id").text, !id.utf8.contains(UInt8(ascii: "/")), !id.hasPrefix("."),
            let attempt = at("metadata", "annotations", "spoold/try").text.flatMap({ Int64($0) })
        else { return nil }
        return (id, attempt)
    }

    /// The name of the Job that spoold gave to it and to its pod.
    public var jobName: String? { at("metadata", "labels", KubernetesJob.nameLabel).text }

    /// The name of an object.
    public var objectName: String? { at("metadata", "name").text }

    func at(_ keys: String...) -> Value? {
        var value: Value? = Value(.table(self))
        for key in keys { value = value?.table?[key] }
        return value
    }
}

extension Value {
    func at(_ keys: String...) -> Value? {
        var value: Value? = self
        for key in keys { value = value?.table?[key] }
        return value
    }

    fileprivate var table: Table? { if case .table(let table) = kind { table } else { nil } }
    fileprivate var array: [Value]? { if case .array(let array) = kind { array } else { nil } }
}

extension Value? {
    fileprivate func at(_ keys: String...) -> Value? {
        var value = self
        for key in keys { value = value?.table?[key] }
        return value
    }

    fileprivate var text: String? { if case .string(let text)? = self?.kind { text } else { nil } }
    fileprivate var integer: Int64? { if case .integer(let number)? = self?.kind { number } else { nil } }
    fileprivate var array: [Value]? { self?.array }
}
