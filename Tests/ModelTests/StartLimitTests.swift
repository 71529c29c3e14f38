import Documents
import Recurrence
import TestSupport
import Testing

@testable import Model

/// A job that no kernel could start is refused when it is accepted, at the key that exceeds the limit.
@Suite("Jobs that could not be started")
struct StartLimitTests {
    static func text(_ count: Int) -> String { String(repeating: "x", count: count) }

    struct Row: CustomTestStringConvertible {
        var what: String
        var keys: [(String, Value.Kind)]
        /// Nil if the job is accepted.
        var error: String?
        var testDescription: String { what }
    }

    static func list(_ words: [String]) -> Value.Kind { .array(words.map { Value(.string($0)) }) }

    static let rows: [Row] = [
        Row(what: "an argument as long as may be", keys: [("command", list(["echo", text(131_071)]))]),
        Row(
            what: "an argument of a byte more", keys: [("command", list(["echo", text(131_072)]))],
            error: "command holds 131072 bytes in one piece"),
        Row(what: "a line as long as may be", keys: [("command", .string("#" + text(131_070)))]),
        Row(
            what: "a line of a byte more", keys: [("command", .string("#" + text(131_071)))],
            error: "command holds 131072 bytes in one piece"),
        Row(what: "a script of any length", keys: [("script", .string("#" + text(900_000)))]),
        Row(what: "a variable as long as may be", keys: [("env", .table(Table([entry("A", text(131_069))])))]),
        Row(
            what: "a variable of a byte more", keys: [("env", .table(Table([entry("A", text(131_070))])))],
            error: "env.A holds 131072 bytes"),
        Row(what: "tags as long as may be", keys: [("tags", list((0..<2016).map { _ in text(64) }))]),
        Row(what: "tags of more", keys: [("tags", list((0..<2017).map { _ in text(64) }))], error: "tags holds 131115 bytes"),
        Row(
            what: "a shell's option of more", keys: [("shell", list(["/bin/sh", text(131_072)])), ("command", .string("true"))],
            error: "holds 131072 bytes"),
        Row(
            what: "all together as much as may be",
            keys: [("command", list(["echo"] + (0..<15).map { _ in text(131_071) } + [text(65_000)]))]),
        Row(
            what: "all together more", keys: [("command", list(["echo"] + (0..<16).map { _ in text(131_071) }))],
            error: "command and env are 2097"),
        Row(what: "many short arguments", keys: [("command", list((0..<200_000).map { _ in "xx" }))], error: "command and env are 2200"),
        Row(what: "a path as long as may be", keys: [("directory", .string(path(4095)))]),
        Row(what: "a directory of a byte more", keys: [("directory", .string(path(4096)))], error: "directory is a path of 4096 bytes"),
        Row(what: "a standard input of a byte more", keys: [("stdin", .string(path(4096)))], error: "stdin is a path of 4096 bytes"),
        Row(what: "an env_file of a byte more", keys: [("env_file", .string(path(4096)))], error: "env_file is a path of 4096 bytes"),
        Row(what: "a program of a byte more", keys: [("command", list([path(4096)]))], error: "command is a path of 4096 bytes"),
        Row(what: "a shell of a byte more", keys: [("shell", .string(path(4096)))], error: "shell is a path of 4096 bytes"),
        Row(what: "a name in a path as long as may be", keys: [("directory", .string("/" + text(255)))]),
        Row(
            what: "a name in a path of a byte more", keys: [("directory", .string("/" + text(256)))],
            error: "directory holds a file's name of 256 bytes"),
        Row(what: "as many files as the kernel lets", keys: [("limits", .table(Table([entry("nofile", 4096)])))]),
        Row(
            what: "a file more", keys: [("limits", .table(Table([entry("nofile", 4097)])))],
            error: "limits.nofile is 4097; the kernel lets no process have more than 4096"),
    ]

    static func path(_ count: Int) -> String { String(String(repeating: "/abcdefg", count: count / 8 + 1).prefix(count)) }
    static func entry(_ key: String, _ text: String) -> Table.Entry {
        Table.Entry(key: key, keyPosition: Position(line: 1, column: 1), value: Value(.string(text)))
    }
    static func entry(_ key: String, _ number: Int64) -> Table.Entry {
        Table.Entry(key: key, keyPosition: Position(line: 1, column: 1), value: Value(.integer(number)))
    }

    @Test("Each limit is met at its last byte and refused at the next, at the key's place", arguments: rows)
    func limit(_ row: Row) throws {
        var table = Table()
        for (index, one) in row.keys.enumerated() { table.set(one.0, Value(one.1, at: Position(line: index + 3, column: 7))) }
        if !row.keys.contains(where: { ["command", "script"].contains($0.0) }) { table.set("command", Value(.string("true"))) }
        let context = ReadingContext(now: Instant(milliseconds: 0), zones: ZoneDatabase(), filesMax: 4096)
        // A job in the journal stays readable, even if it exceeds a limit that was added later.
        _ = try JobDefinition.read(table, context)
        do {
            _ = try JobDefinition.accept(table, context)
            #expect(row.error == nil)
        } catch {
            let wanted = try #require(row.error, "\(error.all[0].message)")
            #expect(error.all.count == 1 && error.all[0].message.contains(wanted), "\(error.all.map(\.message))")
            #expect(error.all[0].position.line == 3 || wanted.hasPrefix("limits"))
        }
    }

    @Test("A run whose task and job are together too long to read is refused, not journaled")
    func merged() throws {
        // In JSON each element is on a line of its own.
        let words = "command = [\"true\"" + String(repeating: ",\"\"", count: 99_000) + "]\n"
        let task = Source(format: .toml, bytes: Array((words + "description = \"\(Self.text(250_000))\"").utf8))
        let context = ReadingContext(now: Instant(milliseconds: 0), zones: ZoneDatabase())
        let definition = try TaskDefinition(name: "t", source: task, context)
        let job = Source(format: .toml, bytes: Array("task = \"t\"\npayload = \"\(Self.text(200_000))\"".utf8))
        #expect(throws: Problems.self) { try job.job(context) { _ in definition } }
        let (stored, _, _) = try Source(format: .toml, bytes: Array("task = \"t\"\ndescription = \"\"".utf8)).job(context) { _ in
            definition
        }
        #expect(stored.bytes.count <= Source.bytesMax)
        _ = try stored.table()
    }
}
