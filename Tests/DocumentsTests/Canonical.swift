import Documents

/// A value without its positions and with its keys sorted. Two such texts can be compared and shown.
func canonical(_ value: Value) -> String {
    switch value.kind {
    case .string(let string): return JSON.write(Value(.string(string)))
    case .integer(let integer): return "\(integer)"
    case .number(let number): return number.double.isNaN ? "nan" : "float(\(number))"
    case .boolean(let boolean): return "\(boolean)"
    case .null: return "null"
    case .dateTime(let dateTime): return "\(dateTime)"
    case .array(let values): return "[\(values.map(canonical).joined(separator: ", "))]"
    case .table(let table):
        let entries = table.entries.map { (Array($0.key.utf8), "\(JSON.write(Value(.string($0.key)))): \(canonical($0.value))") }
        let sorted = entries.sorted { $0.0.lexicographicallyPrecedes($1.0) }
        return "{\(sorted.map(\.1).joined(separator: ", "))}"
    }
}

func toml(_ text: String) throws -> Table {
    guard case .table(let table) = try TOML.parse(Array(text.utf8)).kind else { preconditionFailure("TOML is a table") }
    return table
}

/// The tree of a TOML text in canonical form, or the error's description.
func readingTOML(_ text: String) -> String {
    do { return canonical(try TOML.parse(Array(text.utf8))) } catch { return "\(error)" }
}

/// The tree of a JSON text in canonical form, or the error's description.
func readingJSON(_ text: String) -> String {
    do { return canonical(try JSON.parse(Array(text.utf8))) } catch { return "\(error)" }
}
