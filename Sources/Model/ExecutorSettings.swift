import ExecutorProtocol

/// `[executors.NAME]` of the configuration: how many jobs an executor may have, how the daemon asks about them, and what the executor
/// itself wants to know.
public struct ExecutorSettings: Sendable, Equatable {
    /// The number of jobs that the executor may have at once.
    public var slots = 1000
    /// The longest time between two questions about running jobs.
    public var pollMilliseconds: Int64 = 60_000
    /// A file that a job writes elsewhere is visible here within this time.
    public var lagMilliseconds: Int64 = 30_000
    /// A run that its engine does not know and that shows no sign of life for this long is lost.
    public var lostAfterMilliseconds: Int64 = 600_000
    /// `lost_after` is set: a run that nobody can be asked about is lost after that time too.
    public var isLostWithoutAnswer = false
    /// A run whose submission was not answered counts as not submitted when the engine has not known it for this long.
    public var findGraceMilliseconds: Int64 = 60_000
    /// A call of the executor is ended after this time.
    public var callTimeoutMilliseconds: Int64 = 60_000
    /// The whole table as JSON, which the executor gets.
    public var text: [UInt8] = Array("{}".utf8)

    public init() {}

    public static let slotsMax = 1_000_000

    static let keys = ["slots", "poll", "lag", "lost_after", "find_grace", "call_timeout"]

    /// The first line of a call, with its newline: see spool-executor(7).
    ///
    /// - Parameter hosts: for `check`, those that jobs name.
    public func header(of executor: String, spool: String, hosts: [String] = []) -> [UInt8] {
        var writer = JSONWriter(reserving: 256)
        writer.beginObject()
        writer.key("protocol")
        writer.integer(ExecutorLines.version)
        writer.key("executor")
        writer.string(executor)
        writer.key("settings")
        writer.raw(text)
        writer.key("spool")
        writer.string(spool)
        writer.key("call_timeout_ms")
        writer.integer(callTimeoutMilliseconds)
        if !hosts.isEmpty {
            writer.key("hosts")
            writer.beginArray()
            for host in hosts { writer.string(host) }
            writer.endArray()
        }
        writer.endObject()
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    init(_ table: Table, _ reader: inout TableReader) {
        var inner = TableReader(table, reader.context)
        slots = inner.integer("slots", in: 1...Self.slotsMax) ?? slots
        let times: [(String, WritableKeyPath<Self, Int64>)] = [
            ("poll", \.pollMilliseconds), ("lag", \.lagMilliseconds), ("lost_after", \.lostAfterMilliseconds),
            ("find_grace", \.findGraceMilliseconds), ("call_timeout", \.callTimeoutMilliseconds),
        ]
        for (key, path) in times {
            guard let milliseconds = inner.milliseconds(key) else { continue }
            if milliseconds < 1, let value = table[key] { inner.fail(value.position, "\(key) must be more than nothing") }
            self[keyPath: path] = max(1, milliseconds)
        }
        isLostWithoutAnswer = table["lost_after"] != nil
        text = Array(JSON.write(Value(.table(table))).utf8)
        // Every other key belongs to the executor, which checks it.
        reader.absorb(inner)
    }
}

extension TableReader {
    mutating func executors(_ key: String, over defaults: [String: ExecutorSettings]) -> [String: ExecutorSettings] {
        var executors = defaults
        guard let value = value(key) else { return executors }
        guard case .table(let table) = value.kind else {
            fail(value, key, expected: "a table of executors")
            return executors
        }
        for entry in table.entries {
            if !Name.isValid(entry.key) { fail(entry.keyPosition, "executor \"\(entry.key)\" is not a name") }
            if entry.key == ExecutorKeys.local {
                fail(entry.keyPosition, "executor \"local\" is this machine; slots says how much it runs")
            }
            guard case .table(let settings) = entry.value.kind else {
                fail(entry.value, "executors.\(entry.key)", expected: "a table with slots")
                continue
            }
            executors[entry.key] = ExecutorSettings(settings, &self)
        }
        return executors
    }
}
