import Glibc
import TestSupport
import Testing

@testable import Store

/// Definition files in tasks/ and schedules/.
@Suite struct DefinitionFileTests {
    @Test func namesAreTakenByTheirStem() throws {
        let temporary = try TemporarySpool()
        for name in ["a.toml", "b.json", "c.toml", "c.json", ".d.toml", "e.toml~", "f.txt"] { try temporary.write("tasks/\(name)", "") }
        try temporary.disk().makeDirectory("tasks/g")
        let files = try temporary.spool().definitionFiles(in: "tasks").mapValues { $0.sorted() }
        #expect(files == ["a": ["a.toml"], "b": ["b.json"], "c": ["c.json", "c.toml"], "f.txt": ["f.txt"]])
        #expect(try temporary.spool().definitionFiles(in: "tasks", stem: "c") == ["c.toml", "c.json"])
    }

    /// Files in tasks/, the name to read, their text, and the error that is reported.
    static let problems: [([String], String, String, String)] = [
        (["a.json", "a.toml"], "a", "", "tasks/a.json: has the same name as a.toml; only one file may have it, so neither is used"),
        (["a.txt"], "a.txt", "", "tasks/a.txt: is neither .toml nor .json"),
        (["-a.toml"], "-a", "", "tasks/-a.toml: is not a name: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with . or -"),
        (["a.toml"], "a", String(repeating: "#", count: 1 << 20) + "#", "tasks/a.toml: is 1048577 bytes; at most 1048576 are read"),
    ]

    @Test(arguments: problems)
    func whatCannotBeUsedSaysWhy(files: [String], stem: String, text: String, line: String) throws {
        let temporary = try TemporarySpool()
        for file in files { try temporary.write("tasks/\(file)", text) }
        let spool = try temporary.spool()
        do throws(DefinitionProblem) {
            _ = try spool.definition(in: "tasks", stem: stem, files: files)
            Issue.record("it is used")
        } catch {
            #expect(error.lines == [line])
        }
    }

    @Test func aDefinitionIsReadWithItsPlace() throws {
        let temporary = try TemporarySpool()
        let spool = try temporary.spool()
        try temporary.write("tasks/a.toml", "command = \":\"\ntris = 1")
        let file = try #require(try spool.definition(in: "tasks", stem: "a", files: ["a.toml"]))
        #expect(throws: DefinitionProblem(stem: "a", lines: ["tasks/a.toml:2:1: unknown key \"tris\"; did you mean \"tries\"?"])) {
            _ = try spool.task(file, context)
        }
        try temporary.write("schedules/s.toml", "every = 5")
        let schedule = try #require(try spool.definition(in: "schedules", stem: "s", files: ["s.toml"]))
        #expect(throws: DefinitionProblem(stem: "s", lines: ["schedules/s.toml:1:1: no task is named; add task = \"NAME\""])) {
            _ = try spool.schedule(schedule, context)
        }
    }

    @Test func aDefinitionThatIsStillWrittenWaits() throws {
        let temporary = try TemporarySpool()
        let descriptor = try temporary.hold("tasks/a.toml")
        defer { close(descriptor) }
        #expect(try temporary.spool().definition(in: "tasks", stem: "a", files: ["a.toml"]) == nil)
    }
}
