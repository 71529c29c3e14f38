// Reading a document gives a tree, or an error with a position in the document. A tree can be written and read back unchanged, and editing
// a valid text gives a valid text.

import Documents

@Sendable func fuzzTOML(_ bytes: [UInt8]) {
    do {
        let value = try TOML.parse(bytes)
        guard case .table(let table) = value.kind else { fatalError("TOML is a table") }
        let tree = canonical(value)
        let written = TOML.write(table)
        expect(readTOML(written) == tree, "\(written) reads as \(readTOML(written)), not as \(tree)")
        edit(bytes, table)
    } catch {
        expectInside(error, bytes)
    }
}

@Sendable func fuzzJSON(_ bytes: [UInt8]) {
    do {
        let value = try JSON.parse(bytes)
        let tree = canonical(value)
        for written in [JSON.write(value), JSON.write(value, pretty: true), String(decoding: JSON.compact(bytes), as: UTF8.self)] {
            expect(readJSON(written) == tree, "\(written) reads as \(readJSON(written)), not as \(tree)")
        }
    } catch {
        expectInside(error, bytes)
        _ = JSON.compact(bytes)
        // A text whose only fault is a repeated key can be read with `.lastWins`.
        _ = try? JSON.parse(bytes, duplicateKeys: .lastWins)
    }
}

@Sendable func fuzzScript(_ bytes: [UInt8]) {
    do {
        guard case .table(let table) = try ScriptHeader.parse(bytes).kind else { fatalError("a header is a table") }
        expect(readTOML(TOML.write(table)) == canonical(Value(.table(table))), "the header is written and read back")
    } catch {
        expectInside(error, bytes)
    }
}

/// Sets a key, adds one, and removes all.
private func edit(_ bytes: [UInt8], _ table: Table) {
    do {
        var editor = try TOMLEditor(String(decoding: bytes, as: UTF8.self))
        var expected = table
        if let key = table.entries.last?.key {
            try editor.set(key, to: Value(.string("x\ny")))
            expected.set(key, Value(.string("x\ny")))
        }
        let names = ["added", "many"].map { name in table[name] == nil ? name : name + String(repeating: "x", count: bytes.count) }
        try editor.set(names[0], to: Value(.integer(1)))
        expected.set(names[0], Value(.integer(1)))
        try editor.append(tableArray: names[1], table)
        expected.set(names[1], Value(.array([Value(.table(table))])))
        // Reads without limits, because the added keys may exceed them.
        let limits = Limits(bytes: .max, depth: .max, values: .max)
        expect(readTOML(editor.text, limits) == canonical(Value(.table(expected))), "edited to \(editor.text)")
        expect(editor.removeElement(of: names[1], at: 0), "what was appended is removed")
        for entry in expected.entries { editor.remove(entry.key) }
        expect(readTOML(editor.text) == "{}", "nothing is left in \(editor.text)")
    } catch {
        // The editor has limits, which these documents may exceed.
        let isTooDeep = error.message.contains("deep") || error.message.contains("nest")
        expect(table.entries.count > 1000 || bytes.count > 10_000 || isTooDeep, "\(error)")
    }
}

func expectInside(_ error: DocumentError, _ bytes: [UInt8]) {
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    let position = error.position
    expect((1...lines.count).contains(position.line), "\(error): there are \(lines.count) lines")
    let length = lines[position.line - 1].count
    expect((1...length + 1).contains(position.column), "\(error): the line has \(length) bytes")
}

// MARK: Trees

/// A value without its positions and with its keys sorted.
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
        return "{\(entries.sorted { $0.0.lexicographicallyPrecedes($1.0) }.map(\.1).joined(separator: ", "))}"
    }
}

private func readTOML(_ text: String, _ limits: Limits = .standard) -> String {
    do { return canonical(try TOML.parse(Array(text.utf8), limits: limits)) } catch { return "\(error)" }
}

private func readJSON(_ text: String) -> String {
    do { return canonical(try JSON.parse(Array(text.utf8))) } catch { return "\(error)" }
}
