// toml-test-decoder: the decoder that https://github.com/toml-lang/toml-test runs against a TOML reader.
//
// Reads TOML on standard input and writes it as JSON on standard output, each leaf as {"type": …, "value": "…"}. When the
// input is not TOML, says why on standard error and exits with 1.

import Documents
import Glibc

func readStandardInput() -> [UInt8] {
    var input: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = read(STDIN_FILENO, &chunk, chunk.count)
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { return input }
        input.append(contentsOf: chunk[..<count])
    }
}

func writeAll(_ bytes: [UInt8], to descriptor: Int32) {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { exit(2) }
        rest = rest.dropFirst(count)
    }
}

func leaf(_ type: String, _ value: String, into writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("type")
    writer.string(type)
    writer.key("value")
    writer.string(value)
    writer.endObject()
}

func encode(_ value: Value, into writer: inout JSONWriter) {
    switch value.kind {
    case .string(let string): leaf("string", string, into: &writer)
    case .integer(let integer): leaf("integer", String(integer), into: &writer)
    case .number(let number): leaf(number.isWhole ? "integer" : "float", number.text, into: &writer)
    case .boolean(let boolean): leaf("bool", String(boolean), into: &writer)
    case .dateTime(let dateTime):
        let type =
            switch dateTime.kind {
            case .offsetDateTime: "datetime"
            case .localDateTime: "datetime-local"
            case .localDate: "date-local"
            case .localTime: "time-local"
            }
        leaf(type, dateTime.description, into: &writer)
    case .null:
        preconditionFailure("TOML has no null")
    case .array(let values):
        writer.beginArray()
        for value in values { encode(value, into: &writer) }
        writer.endArray()
    case .table(let table):
        writer.beginObject()
        for entry in table.entries {
            writer.key(entry.key)
            encode(entry.value, into: &writer)
        }
        writer.endObject()
    }
}

do {
    let document = try TOML.parse(readStandardInput(), limits: Limits(bytes: 1 << 30, depth: 1000, values: .max))
    var writer = JSONWriter()
    encode(document, into: &writer)
    writeAll(writer.bytes + [UInt8(ascii: "\n")], to: STDOUT_FILENO)
} catch {
    writeAll(Array("\(error)\n".utf8), to: STDERR_FILENO)
    exit(1)
}
