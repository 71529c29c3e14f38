import Documents

/// The members of one JSON object, read by name. A member that is null counts as absent.
struct Members {
    let table: Table

    /// A line may hold a job with all its arguments and variables.
    private static let limits = Limits(bytes: 64 << 20, values: 1_000_000)

    init(_ table: Table) { self.table = table }

    init(line: [UInt8]) throws(UnusableItem) {
        let value: Value
        do throws(DocumentError) {
            value = try JSON.parse(line, limits: Self.limits, duplicateKeys: .lastWins)
        } catch {
            throw UnusableItem("not JSON: \(error)")
        }
        guard case .table(let table) = value.kind else { throw UnusableItem("expected a JSON object, found \(value.kindName)") }
        self.table = table
    }

    private func kind(_ key: String) -> Value.Kind? {
        guard let kind = table[key]?.kind else { return nil }
        if case .null = kind { return nil }
        return kind
    }

    func text(_ key: String) throws(UnusableItem) -> String {
        guard let text = try textIfThere(key), !text.isEmpty else { throw UnusableItem("\(key) is missing") }
        return text
    }

    /// A text is an argument, a variable or a path, none of which can contain a NUL.
    func textIfThere(_ key: String) throws(UnusableItem) -> String? {
        guard let kind = kind(key) else { return nil }
        guard case .string(let text) = kind else { throw UnusableItem("\(key) is not a string") }
        if text.utf8.contains(0) { throw UnusableItem("\(key) contains a NUL character") }
        return text
    }

    func texts(_ key: String) throws(UnusableItem) -> [String] {
        guard let kind = kind(key) else { return [] }
        guard case .array(let values) = kind else { throw UnusableItem("\(key) is not an array") }
        var texts: [String] = []
        texts.reserveCapacity(values.count)
        for value in values {
            guard case .string(let text) = value.kind else { throw UnusableItem("\(key) has a member that is not a string") }
            if text.utf8.contains(0) { throw UnusableItem("\(key) contains a NUL character") }
            texts.append(text)
        }
        return texts
    }

    func integer(_ key: String) throws(UnusableItem) -> Int64 {
        guard let number = try integerIfThere(key, in: Int64.min...Int64.max) else { throw UnusableItem("\(key) is missing") }
        return number
    }

    func integer(_ key: String, in range: ClosedRange<Int64>, else absent: Int64? = nil) throws(UnusableItem) -> Int64 {
        guard let number = try integerIfThere(key, in: range) ?? absent else { throw UnusableItem("\(key) is missing") }
        return number
    }

    func integerIfThere(_ key: String, in range: ClosedRange<Int64>) throws(UnusableItem) -> Int64? {
        guard let kind = kind(key) else { return nil }
        guard case .integer(let number) = kind, range.contains(number) else {
            throw UnusableItem("\(key) is not a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func boolean(_ key: String) -> Bool {
        if case .boolean(true)? = kind(key) { true } else { false }
    }
}
