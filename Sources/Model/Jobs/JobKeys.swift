// Reads each key of a job, in the order of the manual's table of keys.

extension TableReader {
    mutating func action(isScript: Bool) -> JobDefinition.Action {
        let keys = ["command", "script"]
        let given = keys.filter { table[$0] != nil }
        if isScript {
            expect(keys)
            if let key = given.first, let value = table[key] {
                fail(value.position, "\(key) in a script: the script itself is what runs")
            }
            return .droppedScript
        }
        if given.count == 2, let second = table["script"] {
            fail(second.position, "command and script are both given", hint: "keep one of them")
        }
        if let command = value("command") {
            expect(["script"])
            return action(command: command)
        }
        if let script = string("script") {
            if script.utf8.allSatisfy({ $0 == 0x20 || $0 == 0x0A }), let value = table["script"] {
                fail(value.position, "script is empty")
            } else if script.hasPrefix("#!"), script.utf8.prefix(while: { $0 != 0x0A }).last == 0x0D, let value = table["script"] {
                // execve(2): the interpreter's name extends to the first LF.
                fail(
                    value.position,
                    "script: the first line ends with CR LF, and the kernel takes the CR for a part of the interpreter's name",
                    hint: "end its lines with LF")
            }
            return .script(script)
        }
        // A misspelt `comand` is reported as a misspelt key, and not also as a missing command.
        if given.isEmpty, !table.entries.contains(where: { nearest(to: $0.key, among: keys) != nil }) {
            fail(
                Position(line: 1, column: 1), "nothing to run: give command, script or task",
                hint: table.entries.isEmpty ? "the file is empty" : nil)
        }
        return .line("")
    }

    private mutating func action(command: Value) -> JobDefinition.Action {
        switch command.kind {
        case .string(let line):
            if line.utf8.allSatisfy({ $0 == 0x20 }) { fail(command.position, "command is empty") }
            if line.utf8.contains(0) { fail(command.position, "command contains a NUL character") }
            return .line(line)
        case .array:
            let arguments = strings(command, "command") ?? ["?"]
            if arguments.isEmpty || arguments[0].isEmpty { fail(command.position, "command is empty") }
            return .arguments(arguments)
        default:
            fail(command, "command", expected: "a list of strings (an argv) or a string (a shell line)")
            return .line("")
        }
    }

    mutating func payload(_ key: String) -> [UInt8]? {
        guard let value = value(key) else { return nil }
        let bytes = Array(JSON.write(value).utf8)
        if bytes.count > JobDefinition.payloadBytesMax {
            fail(value.position, "payload is \(bytes.count) bytes as JSON; at most \(JobDefinition.payloadBytesMax) are allowed")
        }
        return bytes
    }

    /// The path of a file, or `{text = "…"}`.
    mutating func standardInput(_ key: String) -> JobInput? {
        guard let value = value(key) else { return nil }
        guard case .table(let table) = value.kind else {
            if case .string(let path) = value.kind { return .file(path) }
            fail(value, key, expected: "the path of a file, or {text = \"…\"}")
            return nil
        }
        var inner = TableReader(table, context)
        let text = inner.string("text")
        if table["text"] == nil { inner.fail(value.position, "\(key) has no text", hint: "add text = \"…\"") }
        inner.finish()
        absorb(inner)
        return text.map { .text($0) }
    }

    mutating func environment(_ key: String) -> [(name: String, value: String)] {
        guard let value = value(key) else { return [] }
        guard case .table(let table) = value.kind else {
            fail(value, key, expected: "a table of variables")
            return []
        }
        var result: [(name: String, value: String)] = []
        for entry in table.entries {
            if entry.key.isEmpty || entry.key.utf8.contains(UInt8(ascii: "=")) || entry.key.utf8.contains(0) {
                fail(entry.keyPosition, "\"\(entry.key)\" cannot be the name of a variable")
            }
            switch entry.value.kind {
            case .string(let text):
                if text.utf8.contains(0) { fail(entry.value.position, "env.\(entry.key) contains a NUL character") }
                result.append((entry.key, text))
            case .integer(let number): result.append((entry.key, String(number)))
            case .boolean(let flag): result.append((entry.key, String(flag)))
            default: fail(entry.value, "env.\(entry.key)", expected: "a string")
            }
        }
        return result
    }

    mutating func shell(_ key: String) -> [String] {
        guard let value = value(key) else { return ["/bin/sh", "-c"] }
        switch value.kind {
        case .string(let path) where path.hasPrefix("/"): return [path, "-c"]
        case .array:
            let words = strings(value, key) ?? []
            if let first = words.first, first.hasPrefix("/") { return words }
        default: break
        }
        fail(value, key, expected: "an absolute path, or a list that begins with one, such as [\"/bin/bash\", \"-ec\"]")
        return []
    }

    /// Octal in a string (`"022"`), or a TOML octal number (`0o022`).
    mutating func umask(_ key: String) -> UInt32? {
        guard let value = value(key) else { return nil }
        switch value.kind {
        case .integer(let number) where (0...0o777).contains(number): return UInt32(number)
        case .string(let text):
            if text.utf8.allSatisfy({ (0x30...0x37).contains($0) }), let number = UInt32(text, radix: 8), number <= 0o777 {
                return number
            }
        default: break
        }
        fail(value.position, "umask must be octal from \"000\" to \"777\"")
        return nil
    }

    mutating func deadline(_ key: String, zone: Zone) -> Deadline? {
        guard let value = value(key) else { return nil }
        // The form of the text decides: `2h` is a duration from the due time, `in 2h` and `+2h` are instants from now.
        if case .string(let text) = value.kind, let span = try? Span.parse(text) {  // otherwise an instant, read below
            return .after(span.approximateMilliseconds)
        }
        switch value.kind {
        case .integer(let number) where number < Instant.bareMillisecondsMin:
            return span(value, key).map { .after($0.approximateMilliseconds) }
        case .number: return span(value, key).map { .after($0.approximateMilliseconds) }
        case .string, .integer, .dateTime: return instant(value, key, zone: zone).map { .at($0) }
        default:
            fail(value, key, expected: "a duration such as \"2h\" or an instant")
            return nil
        }
    }

    mutating func signal(_ key: String) -> Int32? {
        guard let value = value(key) else { return nil }
        switch value.kind {
        case .string(let text):
            if let number = Signal.number(text) { return number }
            fail(
                value.position, "\(key) \"\(text)\" is not a signal",
                hint: nearest(to: text.uppercased(), among: Signal.names.map(\.name)).map { "did you mean \"\($0)\"?" })
            return nil
        case .integer(let number) where (1...64).contains(number): return Int32(number)
        default:
            fail(value, key, expected: "a signal's name or number, such as \"TERM\"")
            return nil
        }
    }

    mutating func exitCodes(_ key: String) -> [Int]? {
        guard let value = value(key) else { return nil }
        guard case .array(let elements) = value.kind, !elements.isEmpty else {
            fail(value, key, expected: "a list of exit codes such as [0, 2]")
            return nil
        }
        return elements.compactMap { exitCode($0, key) }
    }

    private mutating func exitCode(_ value: Value, _ key: String) -> Int? {
        if case .integer(let code) = value.kind, (0...255).contains(code) { return Int(code) }
        fail(value.position, "\(key) must hold exit codes from 0 to 255")
        return nil
    }

    mutating func backoff(_ key: String) -> Backoff {
        var backoff = Backoff()
        guard let value = value(key) else { return backoff }
        guard case .table(let table) = value.kind else {
            if let span = span(value, key) {
                backoff.initialMilliseconds = span.approximateMilliseconds
                backoff.maxMilliseconds = max(backoff.maxMilliseconds, backoff.initialMilliseconds)
            }
            return backoff
        }
        var inner = TableReader(table, context)
        if let initial = inner.milliseconds("initial") { backoff.initialMilliseconds = initial }
        if let factor = inner.number("factor", in: 1...1000) { backoff.factor = factor }
        if let limit = inner.milliseconds("max") {
            backoff.maxMilliseconds = limit
        } else {
            backoff.maxMilliseconds = max(backoff.maxMilliseconds, backoff.initialMilliseconds)
        }
        if let jitter = inner.number("jitter", in: 0...1) { backoff.jitter = jitter }
        inner.finish()
        absorb(inner)
        return backoff
    }

    mutating func number(_ key: String, in range: ClosedRange<Double>) -> Double? {
        guard let value = value(key) else { return nil }
        let number: Double
        switch value.kind {
        case .integer(let whole): number = Double(whole)
        case .number(let written): number = written.double
        default:
            fail(value, key, expected: "a number")
            return nil
        }
        guard range.contains(number) else {
            fail(value.position, "\(key) is \(number), outside \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }

    mutating func retryRule(_ key: String) -> RetryRule {
        var rule = RetryRule()
        guard let value = value(key) else { return rule }
        let elements: [Value]
        if case .array(let list) = value.kind { elements = list } else { elements = [value] }
        rule.kinds = []
        for element in elements {
            if case .string(let word) = element.kind {
                if let kind = RetryRule.Kind(rawValue: word) {
                    rule.kinds?.insert(kind)
                } else {
                    let words = RetryRule.Kind.allCases.map(\.rawValue)
                    fail(
                        element.position, "\(key) knows \(words.joined(separator: ", ")) and exit codes, not \"\(word)\"",
                        hint: nearest(to: word, among: words).map { "did you mean \"\($0)\"?" })
                }
            } else if let code = exitCode(element, key) {
                rule.exitCodes.insert(code)
            }
        }
        return rule
    }

    mutating func keep(_ key: String) -> (milliseconds: Int64?, count: Int?) {
        guard let value = value(key) else { return (nil, nil) }
        guard case .table(let table) = value.kind else {
            return (span(value, key)?.approximateMilliseconds, nil)
        }
        var inner = TableReader(table, context)
        let result = (inner.milliseconds("age"), inner.integer("count", in: 0...1_000_000_000))
        inner.finish()
        absorb(inner)
        return result
    }
}
