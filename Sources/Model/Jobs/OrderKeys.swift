// Keys that make jobs wait for one another: `locks`, `after`, `unique`.

/// The jobs that a job waits for, and the required end of these jobs.
public struct After: Sendable, Hashable {
    public enum When: String, Sendable, CaseIterable { case success, failure, end }

    /// Ids of jobs, or names of tasks. A task means its latest run.
    public var all: [String]
    public var when = When.success

    public init(all: [String], when: When = .success) {
        self.all = all
        self.when = when
    }

    /// True when a job that ended this way satisfies the condition.
    public func isMet(by state: JobState) -> Bool {
        switch when {
        case .success: state == .done
        case .failure: state == .failed
        case .end: state.isTerminal
        }
    }
}

/// The value of `unique`: a key that only one job holds at a time.
public struct Unique: Sendable, Hashable {
    /// The time for which a job holds its key.
    public enum Holding: String, Sendable, CaseIterable {
        /// While the job waits or runs, and afterwards as long as its record is kept.
        case recorded
        /// While the job waits or runs.
        case active
    }

    public var key: String
    public var holding: Holding

    public init(key: String, holding: Holding = .recorded) {
        self.key = key
        self.holding = holding
    }
}

/// The key of `unique` as a file name.
public enum UniqueKey {
    /// The maximum length of the file name, in bytes.
    public static let lengthMax = 240

    /// The name of the file that records the job that holds the key: the key, with characters that file names cannot contain
    /// written as `%2F`.
    public static func fileName(_ key: String) -> String {
        var bytes: [UInt8] = []
        for byte in key.utf8 {
            let isPlain = byte > 0x20 && byte != 0x7F && byte != UInt8(ascii: "/") && byte != UInt8(ascii: "%")
            if isPlain, !(bytes.isEmpty && byte == UInt8(ascii: ".")) {
                bytes.append(byte)
            } else {
                let digits = Array("0123456789ABCDEF".utf8)
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension TableReader {
    /// A name, or a list of names without duplicates.
    mutating func names(_ key: String) -> [String] {
        guard let value = value(key) else { return [] }
        return words(value, key, "a name: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with . or -") { Name.isValid($0) }
    }

    mutating func after(_ key: String) -> After? {
        guard let value = value(key) else { return nil }
        var after = After(all: [])
        if case .table(let table) = value.kind {
            var inner = TableReader(table, context)
            if let list = inner.value("all") {
                after.all = inner.jobsAndTasks(list, "\(key).all")
            } else {
                inner.fail(value.position, "\(key) names nothing to wait for", hint: "add all = [\"ID or task\"]")
            }
            after.when = inner.choice("when", as: After.When.self) ?? .success
            inner.finish()
            absorb(inner)
        } else {
            after.all = jobsAndTasks(value, key)
        }
        return after.all.isEmpty ? nil : after
    }

    private mutating func jobsAndTasks(_ value: Value, _ key: String) -> [String] {
        words(value, key, "a job's id or a task's name") { JobID($0) != nil || Name.isValid($0) }
    }

    private mutating func words(_ value: Value, _ key: String, _ what: String, where isRight: (String) -> Bool) -> [String] {
        let elements: [Value]
        if case .array(let list) = value.kind { elements = list } else { elements = [value] }
        var result: [String] = []
        for element in elements {
            guard case .string(let text) = element.kind, isRight(text) else {
                var found = element.kind.article
                if case .string(let text) = element.kind { found = "\"\(text)\"" }
                fail(element.position, "\(key) must hold \(what); \(found) is not one")
                return []
            }
            if !result.contains(text) { result.append(text) }
        }
        return result
    }

    /// A key, or a table with a key and the time for which it is held.
    mutating func unique(_ key: String) -> Unique? {
        guard case .table(let table)? = table[key]?.kind
        else { return string(key).map { Unique(key: checked($0, key, at: self.table[key])) } }
        let place = value(key)
        var inner = TableReader(table, context)
        let text = inner.string("key")
        if table["key"] == nil {
            inner.fail(place?.position ?? Position(line: 1, column: 1), "\(key) names no key", hint: "add key = \"…\"")
        }
        let holding = inner.choice("while", as: Unique.Holding.self) ?? .recorded
        inner.finish()
        absorb(inner)
        return text.map { Unique(key: checked($0, "\(key).key", at: table["key"]), holding: holding) }
    }

    private mutating func checked(_ text: String, _ shown: String, at value: Value?) -> String {
        let position = value?.position ?? Position(line: 1, column: 1)
        if text.isEmpty { fail(position, "\(shown) is empty") }
        if UniqueKey.fileName(text).utf8.count > UniqueKey.lengthMax {
            fail(
                position, "\(shown) is \(text.utf8.count) bytes long; about \(UniqueKey.lengthMax) are allowed", hint: "use a digest of it")
        }
        return text
    }
}

extension Source {
    /// The `unique` of a job's file that has been read before.
    public var unique: Unique? {
        guard let table = try? table() else { return nil }  // never: the text was read before without an error
        switch table["unique"]?.kind {
        case .string(let key)?: return Unique(key: key)
        case .table(let inner)?:
            guard case .string(let key)? = inner["key"]?.kind else { return nil }
            guard case .string(let word)? = inner["while"]?.kind, let holding = Unique.Holding(rawValue: word)
            else { return Unique(key: key) }
            return Unique(key: key, holding: holding)
        default: return nil
        }
    }
}
