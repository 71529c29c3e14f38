import Store
import Testing

@testable import SpoolCommands

@Suite("Completion without a spool") struct CompletionTests {
    static let lines: [(line: [String], has: [String], hasNot: [String])] = [
        (["sub"], ["submit"], ["cancel"]),
        (["submit", "--time"], ["--timeout"], ["--tag"]),
        (["jobs", "--state", ""], ["new", "running", "done", "failed"], []),
        (["jobs", "--state", "new,f"], ["new,failed"], ["failed"]),
        (["jobs", "--state=r"], ["--state=running"], ["running"]),
        (["jobs", "--sort", "-too"], ["-took"], []),
        (["create", "x", "--overlap", "r"], ["replace"], ["wait"]),
        (["help", "res"], ["restart", "result", "resume"], ["retry"]),
        (["completion", ""], ["bash", "zsh", "fish"], []),
        (["import", ""], ["crontab", "at"], []),
        (["nosuchcommand", ""], [], ["submit"]),
        (["--json", "sub"], ["submit"], []),
    ]

    @Test("The words that may follow at the cursor", arguments: lines)
    func line(_ row: (line: [String], has: [String], hasNot: [String])) throws {
        let completion = try Completion(call(.completion), words: ["spoolctl"] + row.line)
        guard case .words(let words) = completion.candidates() else {
            Issue.record("files, not words")
            return
        }
        let texts = Set(words.map(\.text))
        #expect(texts.isSuperset(of: row.has), "\(texts)")
        #expect(texts.isDisjoint(with: row.hasNot), "\(texts)")
    }

    static let paths = [(["submit", "--file", ""], false), (["check", ""], false), (["submit", "--spool", ""], true)]

    @Test("The shell completes files and directories", arguments: paths)
    func path(_ row: (line: [String], isDirectory: Bool)) throws {
        switch try Completion(call(.completion), words: ["spoolctl"] + row.line).candidates() {
        case .files: #expect(!row.isDirectory)
        case .directories: #expect(row.isDirectory)
        case .words(let words): Issue.record("\(words)")
        }
    }
}
