// The test suites toml-test (its list for TOML 1.1) and JSONTestSuite.

import Documents
import Glibc
import TestSupport
import Testing

@Suite struct ConformanceTests {
    @Test(.enabled(if: !Vectors.tomlNames.isEmpty, "\(Vectors.missing)"), arguments: Vectors.tomlNames)
    func tomlTest(name: String) throws {
        let document = try #require(readFile(Vectors.toml + name))
        if name.hasPrefix("invalid/") {
            #expect(throws: DocumentError.self) { try TOML.parse(document, limits: generous) }
        } else {
            let value = try TOML.parse(document, limits: generous)
            let expected = try JSON.parse(try #require(readFile(Vectors.toml + name.dropLast(5) + ".json")), limits: generous)
            #expect(difference(value, tagged: expected) == nil)
        }
    }

    @Test(.enabled(if: !Vectors.jsonNames.isEmpty, "\(Vectors.missing)"), arguments: Vectors.jsonNames)
    func jsonTestSuite(name: String) throws {
        let document = try #require(readFile(Vectors.json + name))
        switch name.first {
        case "y":
            let value = try JSON.parse(document, limits: generous, duplicateKeys: .lastWins)
            let again = try JSON.parse(Array(JSON.write(value).utf8), limits: generous)
            #expect(canonical(again) == canonical(value))
        case "n":
            #expect(throws: DocumentError.self) { try JSON.parse(document, limits: generous, duplicateKeys: .lastWins) }
        default:
            _ = try? JSON.parse(document, limits: generous)  // both results are right; only a trap is a fault
        }
    }

    /// The decoder lies beside the test program, in the same directory and configuration.
    private static let decoder: String = {
        var path = [CChar](repeating: 0, count: 4096)
        guard readlink("/proc/self/exe", &path, path.count - 1) > 0 else { return "" }
        return path.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }.split(separator: "/").dropLast()
            .map { "/\($0)" }.joined() + "/toml-test-decoder"
    }()

    /// Each file costs a process, so only every seventh is tested. The test above has read all of them.
    @Test(
        .enabled(if: !Vectors.tomlNames.isEmpty, "\(Vectors.missing)"),
        .enabled(if: access(decoder, X_OK) == 0, "toml-test-decoder is not built at \(decoder)"))
    func theDecoderSpeaksTomlTestsProtocol() throws {
        for name in stride(from: 0, to: Vectors.tomlNames.count, by: 7).map({ Vectors.tomlNames[$0] }) {
            let (status, output) = try #require(run(ConformanceTests.decoder, input: Vectors.toml + name))
            if name.hasPrefix("invalid/") {
                #expect(status == 1, "\(name)")
                #expect(output.isEmpty, "\(name)")
            } else {
                #expect(status == 0, "\(name)")
                let expected = try JSON.parse(try #require(readFile(Vectors.toml + name.dropLast(5) + ".json")), limits: generous)
                let written = try JSON.parse(output, limits: generous)
                #expect(difference(tagged: written, tagged: expected) == nil, "\(name)")
            }
        }
    }
}

// MARK: - Comparing with toml-test's tagged JSON

/// The path and kind of the first difference between `value` and `tagged`, or nil.
private func difference(_ value: Value, tagged: Value, at path: String = "") -> String? {
    switch (value.kind, tagged.kind) {
    case (.array(let values), .array(let expected)):
        if values.count != expected.count { return "\(path): \(values.count) elements, not \(expected.count)" }
        for (index, pair) in zip(values, expected).enumerated() {
            if let found = difference(pair.0, tagged: pair.1, at: "\(path)[\(index)]") { return found }
        }
        return nil
    case (.table(let table), .table(let expected)):
        if table.count != expected.count { return "\(path): \(table.count) keys, not \(expected.count)" }
        for entry in expected.entries {
            guard let value = table[entry.key] else { return "\(path): no key \(entry.key)" }
            if let found = difference(value, tagged: entry.value, at: "\(path).\(entry.key)") { return found }
        }
        return nil
    case (_, .table(let leaf)):
        guard case .string(let type) = leaf["type"]?.kind, case .string(let text) = leaf["value"]?.kind else {
            return "\(path): a table is expected"
        }
        return isSame(value, type: type, text: text) ? nil : "\(path): \(canonical(value)) is not the \(type) \(text)"
    default:
        return "\(path): an array is expected"
    }
}

private func isSame(_ value: Value, type: String, text: String) -> Bool {
    switch (value.kind, type) {
    case (.string(let string), "string"): string.utf8.elementsEqual(text.utf8)
    case (.integer(let integer), "integer"): integer == Int64(text)
    case (.number(let number), "float"): number.double.isNaN ? text == "nan" : number.double == Double(text)
    case (.boolean(let boolean), "bool"): "\(boolean)" == text
    case (.dateTime(let dateTime), _):
        dateTime == dateTimeOf(text) && type == tag(of: dateTime)
    default: false
    }
}

private func tag(of dateTime: DateTime) -> String {
    switch dateTime.kind {
    case .offsetDateTime: "datetime"
    case .localDateTime: "datetime-local"
    case .localDate: "date-local"
    case .localTime: "time-local"
    }
}

private func dateTimeOf(_ text: String) -> DateTime? {
    guard case .dateTime(let dateTime)? = try? toml("x = \(text)")["x"]?.kind else { return nil }
    return dateTime
}

/// Compares two tagged trees by value, not by spelling.
private func difference(tagged: Value, tagged expected: Value) -> String? {
    difference(untagged(tagged), tagged: expected)
}

private func untagged(_ tagged: Value) -> Value {
    switch tagged.kind {
    case .array(let values):
        return Value(.array(values.map(untagged)))
    case .table(let table):
        if table.count == 2, case .string(let type) = table["type"]?.kind, case .string(let text) = table["value"]?.kind {
            switch type {
            case "string": return Value(.string(text))
            case "integer": return Value(Int64(text).map { .integer($0) } ?? .null)
            case "float": return Value(Double(text).map { .number(Number($0)) } ?? .null)
            case "bool": return Value(.boolean(text == "true"))
            default:
                guard let dateTime = dateTimeOf(text), tag(of: dateTime) == type else { return Value(.null) }
                return Value(.dateTime(dateTime))
            }
        }
        return Value(.table(Table(table.entries.map {
            Table.Entry(key: $0.key, keyPosition: $0.keyPosition, value: untagged($0.value))
        })))
    default:
        return tagged
    }
}
