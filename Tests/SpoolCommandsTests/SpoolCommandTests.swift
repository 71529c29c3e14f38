import Store
import Testing

@testable import SpoolCommands

@Suite("The table of commands") struct SpoolCommandTests {
    @Test("No two commands have the same name")
    func names() { #expect(Set(SpoolCommand.all.map(\.name)).count == SpoolCommand.all.count) }

    @Test("Every option can be told apart from the others and from those of every command", arguments: SpoolCommand.all.map(\.name))
    func options(_ name: String) throws {
        let options = try #require(SpoolCommand.named(name)).options + Option.global
        let long = options.flatMap { [$0.name] + ($0.alias.map { [$0] } ?? []) }
        let short = options.compactMap(\.short)
        #expect(Set(long).count == long.count, "\(long.sorted())")
        #expect(Set(short).count == short.count, "\(short.sorted())")
    }

    @Test("Every command has a summary in the imperative, examples, and help for each option", arguments: SpoolCommand.all.map(\.name))
    func texts(_ name: String) throws {
        let command = try #require(SpoolCommand.named(name))
        #expect(command.summary.first?.isLowercase == true && command.summary.last != ".")
        #expect(!command.examples.isEmpty)
        #expect(command.examples.allSatisfy { $0.command.contains("spoolctl ") && !$0.what.isEmpty })
        #expect(command.options.allSatisfy { !$0.help.isEmpty && $0.help.last != "." })
        #expect(command.details.allSatisfy { $0.last == "." }, "a paragraph ends with its sentence")
    }

    static let wrapped: [(text: String, columns: Int, lines: [String])] = [
        ("", 10, []),
        ("one two", 10, ["one two"]),
        ("one two three", 10, ["one two", "three"]),
        ("exactly 10", 10, ["exactly 10"]),
        ("a wordthatislongerthantheline b", 10, ["a", "wordthatislongerthantheline", "b"]),
    ]

    @Test("Help is wrapped at blanks", arguments: wrapped)
    func wrap(_ row: (text: String, columns: Int, lines: [String])) { #expect(Columns.wrapped(row.text, to: row.columns) == row.lines) }
}
