// The keys of a job that says where it runs: `executor`, `resources`, `executor_args`, `host`.

/// The wishes of a job for the executor that runs it.
///
/// A class, because few jobs have one, and a definition without it stays small.
public final class ExecutorKeys: Sendable {
    /// The resources that a job asks of its executor. Nil means as the executor gives by itself.
    public struct Resources: Sendable, Equatable {
        public var cpus: Int?
        public var memoryBytes: Int64?
        public var gpus: Int?
        public var nodes: Int?

        public init() {}
    }

    /// The executor's name. Nil means that of the queue.
    public let executor: String?
    public let resources: Resources
    /// Arguments for the program of the engine, such as `--partition=long`.
    public let arguments: [String]
    /// The hosts that may run the job. Empty means any.
    public let hosts: [String]

    /// The name that means this machine.
    public static let local = "local"

    /// The largest number of processors, graphics processors or nodes.
    private static let countMax = 1_000_000
    /// The number of arguments and of hosts.
    private static let listMax = 1000

    init(executor: String?, resources: Resources, arguments: [String], hosts: [String]) {
        self.executor = executor
        self.resources = resources
        self.arguments = arguments
        self.hosts = hosts
    }

    /// Nil when the table has none of the keys.
    static func read(_ reader: inout TableReader) -> ExecutorKeys? {
        let executor = reader.name("executor")
        let resources = reader.resources("resources", countMax: countMax)
        let arguments = reader.strings("executor_args") ?? []
        let hosts = reader.hosts("host")
        for (key, list) in [("executor_args", arguments), ("host", hosts)] where list.count > listMax {
            guard let value = reader.table[key] else { continue }
            reader.fail(value.position, "\(key) has \(list.count) entries; at most \(listMax) are allowed")
        }
        let wishes = ["resources", "executor_args", "host"]
        if executor == local {
            for key in wishes {
                guard let value = reader.table[key] else { continue }
                reader.fail(value.position, "\(key) is for an executor, and executor = \"local\" is this machine")
            }
        } else if let executor {
            for key in keysOfThisMachine {
                guard let value = reader.table[key] else { continue }
                if case .boolean(false) = value.kind { continue }
                if key == "output", case .string("files") = value.kind { continue }
                reader.fail(value.position, refusal(of: key, executor: executor))
            }
        }
        guard executor != nil || wishes.contains(where: { reader.table[$0] != nil }) else { return nil }
        return ExecutorKeys(executor: executor, resources: resources, arguments: arguments, hosts: hosts)
    }

    /// The keys that only spool-worker can carry out, on this machine.
    static let keysOfThisMachine = ["nice", "ionice", "limits", "env_file", "fallback", "output"]

    /// The reason why an executor cannot run a job with this key.
    static func refusal(of key: String, executor: String) -> String {
        let instead = switch key {
        case "limits": "; resources says what the job needs there"
        case "env_file": "; env holds variables for it"
        default: ""
        }
        return "\(key) is carried out on this machine, and executor \"\(executor)\" runs the job elsewhere\(instead)"
    }
}

extension JobDefinition {
    /// The executor that the job names. Nil means that of its queue.
    public var executor: String? { executorKeys?.executor }

    /// The reason why the job cannot run by an executor that its queue has, and not the job, named. Nil when it can. Any definition that
    /// names an executor itself was checked when it was read.
    public func refusal(by executor: String) -> (key: String, why: String)? {
        var key: String?
        if fallsBack { key = "fallback" }
        if environmentFile != nil { key = "env_file" }
        if !confinement.isEmpty || cgroupLimits != nil { key = "limits" }
        if output != .files { key = "output" }
        return key.map { ($0, ExecutorKeys.refusal(of: $0, executor: executor)) }
    }

    /// The key that only an executor can carry out, for a job that runs on this machine. Nil when it has none.
    public var wishForExecutor: String? {
        guard let keys = executorKeys, keys.executor != ExecutorKeys.local else { return nil }
        if keys.resources != ExecutorKeys.Resources() { return "resources" }
        if !keys.arguments.isEmpty { return "executor_args" }
        return keys.hosts.isEmpty ? nil : "host"
    }
}

extension TableReader {
    fileprivate mutating func resources(_ key: String, countMax: Int) -> ExecutorKeys.Resources {
        var resources = ExecutorKeys.Resources()
        guard let value = value(key) else { return resources }
        guard case .table(let table) = value.kind else {
            fail(value, key, expected: "a table such as {cpus = 4, memory = \"8G\", gpus = 1}")
            return resources
        }
        var inner = TableReader(table, context)
        resources.cpus = inner.integer("cpus", in: 1...countMax)
        resources.memoryBytes = inner.size("memory")
        resources.gpus = inner.integer("gpus", in: 0...countMax)
        resources.nodes = inner.integer("nodes", in: 1...countMax)
        inner.finish()
        absorb(inner)
        return resources
    }

    /// A host, or a list of hosts. A host that began with a hyphen would be an option of the program that gets it.
    fileprivate mutating func hosts(_ key: String) -> [String] {
        guard let value = value(key) else { return [] }
        let names: [String]
        if case .string(let name) = value.kind { names = [name] } else { names = strings(value, key) ?? [] }
        for name in names where name.isEmpty || name.hasPrefix("-") || name.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) {
            fail(value.position, "\(key): \"\(name)\" is not the name of a host")
        }
        return names
    }
}

/// The lines of a script for another scheduler, which an executor may take over.
public enum ScriptDirectives {
    /// The text after each `mark` and a blank at the beginning of a line, up to the first line that is neither a comment nor blank, as
    /// sbatch(1) reads its script.
    public static func read(_ script: [UInt8], mark: String = "#SBATCH") -> [String] {
        var found: [String] = []
        let mark = Array(mark.utf8)
        for line in script.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true) {
            guard let first = line.first(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else { continue }
            guard first == UInt8(ascii: "#") else { break }
            guard line.starts(with: mark), let next = line.dropFirst(mark.count).first, next == 0x20 || next == 0x09 else { continue }
            let text = String(decoding: line.dropFirst(mark.count), as: UTF8.self)
            let words = text.drop { $0 == " " || $0 == "\t" }
            found.append(String(words.reversed().drop { $0 == " " || $0 == "\t" || $0 == "\r" }.reversed()))
        }
        return found
    }
}
