@_exported import WorkerProtocol

/// The limits on a job's memory, processors and processes, which a cgroup of its own enforces.
public struct CgroupLimits: Sendable, Hashable {
    public var memoryBytes: Int64?
    /// 100 is one processor.
    public var processorPercent: Double?
    public var tasks: Int?
    /// True when the job fails if no cgroup is available.
    public var isRequired: Bool
}

extension TableReader {
    mutating func nice(_ key: String) -> Confinement? {
        integer(key, in: -20...19).map { .nice($0) }
    }

    /// ionice(1)'s classes: `idle`, `best-effort`, `best-effort:7`, `realtime:0`.
    mutating func ioPriority(_ key: String) -> Confinement? {
        guard let value = value(key) else { return nil }
        if case .string(let text) = value.kind {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            let classes = ["realtime": 1, "best-effort": 2, "idle": 3]
            if let number = classes[String(parts[0])], parts.count <= 2 {
                // ioprio_set(2): the class above 13 bits of level; 4 is the middle. Idle has no levels.
                if parts.count == 1 { return .ioPriority(number << 13 | (number == 3 ? 0 : 4)) }
                if number != 3, let level = Int(parts[1]), (0...7).contains(level) { return .ioPriority(number << 13 | level) }
            }
        }
        fail(value.position, "\(key) must be idle, best-effort or realtime, the latter two with a level such as \"best-effort:7\"")
        return nil
    }

    mutating func limits(_ key: String) -> (resources: [Confinement], cgroup: CgroupLimits?) {
        guard let value = value(key) else { return ([], nil) }
        guard case .table(let table) = value.kind else {
            fail(value, key, expected: "a table such as {nofile = 1024, memory = \"1G\"}")
            return ([], nil)
        }
        var inner = TableReader(table, context)
        var resources: [Confinement] = []
        for resource in LimitedResource.all where inner.table[resource.name] != nil {
            if let limit = inner.limit(resource) { resources.append(limit) }
        }
        inner.expect(LimitedResource.all.map(\.name))
        let memory = inner.size("memory")
        let percent = inner.number("cpu_percent", in: 1...100_000)
        let tasks = inner.integer("tasks", in: 1...4_194_304)
        let isRequired = inner.boolean("required") ?? true
        inner.finish()
        absorb(inner)
        guard memory != nil || percent != nil || tasks != nil else { return (resources, nil) }
        return (resources, CgroupLimits(memoryBytes: memory, processorPercent: percent, tasks: tasks, isRequired: isRequired))
    }

    private mutating func limit(_ resource: LimitedResource) -> Confinement? {
        if case .string("unlimited")? = table[resource.name]?.kind {
            expect([resource.name])
            return .limit(resource: resource.number, nil)
        }
        let number: Int64? =
            switch resource.unit {
            case .count: integer(resource.name, in: 0...1_000_000_000).map { Int64($0) }
            case .bytes: size(resource.name)
            // Whole seconds, at least one: the kernel replaces 0 by 1.
            case .seconds: milliseconds(resource.name).map { max(1, ($0 + 999) / 1000) }
            }
        return number.map { .limit(resource: resource.number, UInt64($0)) }
    }

    /// A smaller limit has no room for a beginning, an end and the line between them.
    private static var leastOutputLimit: Int64 { 1024 }

    mutating func outputLimit(_ key: String) -> Int64? {
        guard let bytes = size(key) else { return nil }
        if bytes < Self.leastOutputLimit, let value = table[key] {
            fail(value.position, "\(key) is \(bytes); at least \(Self.leastOutputLimit)")
        }
        return bytes
    }

    /// Bytes: a number, or a text with K, M, G or T, powers of 1024 (`64K`, `1.5 GiB`).
    mutating func size(_ key: String) -> Int64? {
        guard let value = value(key) else { return nil }
        switch value.kind {
        case .integer(let number) where number >= 0: return number
        case .string(let text):
            if let bytes = Self.size(text) { return bytes }
        default: break
        }
        fail(value.position, "\(key) must be a size: bytes, or a number with K, M, G or T such as \"64M\"")
        return nil
    }

    static func size(_ text: String) -> Int64? {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let number = Double(digits), number >= 0, digits.first != "." else { return nil }
        var unit = text[digits.endIndex...].drop { $0 == " " }.uppercased()
        if unit.hasSuffix("IB") { unit.removeLast(2) } else if unit.hasSuffix("B") { unit.removeLast() }
        guard let power = ["": 0, "K": 1, "M": 2, "G": 3, "T": 4][unit] else { return nil }
        let bytes = (0..<power).reduce(number) { bytes, _ in bytes * 1024 }
        return Int64(exactly: bytes.rounded(.down))
    }
}
