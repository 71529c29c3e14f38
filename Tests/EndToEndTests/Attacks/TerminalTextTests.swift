import Glibc
import Linux
import Testing

/// Texts that others wrote, printed on a terminal.
@Suite("Text on a terminal", .ownThreads)
struct TerminalTextTests {
    /// Characters that a terminal obeys, or shows as nothing.
    static let unsafe: [Unicode.Scalar] = [
        "\u{1B}", "\u{7}", "\u{8}", "\u{B}", "\u{7F}", "\u{85}", "\u{9B}", "\u{9D}", "\u{AD}", "\u{61C}", "\u{180E}", "\u{200B}",
        "\u{200D}",
        "\u{200E}", "\u{200F}", "\u{2028}", "\u{2029}", "\u{202A}", "\u{202E}",
        "\u{2060}", "\u{2066}", "\u{2069}", "\u{3164}", "\u{FEFF}", "\u{FFF9}", "\u{E0041}",
    ]

    private static let calls = [
        "list", "list --json", "show t", "show t --json", "export t --systemd", "export t --crontab", "export t --crontab --system",
        "why t", "next t", "next t --json", "jobs", "jobs --json", "jobs --columns id,error,tags,payload", "status @ID",
        "status @ID --json",
        "why @ID", "journal", "journal --json", "check", "check --json", "fsck", "logs @ID", "logs @ID --json", "top --json", "simulate",
        "prune --dry-run --older-than 1d", "explain \u{202E}x", "show \u{1B}[2J\u{200B}", "no\u{9B}such", "resume --queue other",
    ]

    @Test("No command prints a text that a terminal obeys or hides")
    func commands() throws {
        let spool = try SpoolUnderTest()
        let text = "x" + Self.unsafe.map { "a\($0)[2Jb" }.joined()
        var escaped = ""
        for unit in text.utf16 {
            let digits = String(unit, radix: 16)
            escaped += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
        }
        try Files.write("\(spool.path)/tmp/t.json", """
            {"command": ["printf", "%s", "\(escaped)"], "description": "\(escaped)", "env": {"A": "\(escaped)"}, "payload": "\(escaped)",
             "directory": "/", "schedule": [{"cron": "0 5 * * *"}]}
            """)
        try Files.rename("\(spool.path)/tmp/t.json", "\(spool.path)/tasks/t.json")
        try Files.write("\(spool.path)/tasks/wrong.json", "{\"\(escaped)\": 1}")
        try Files.write("\(spool.path)/control/pause@other", text)
        try spool.logLine("event=defined", "file=tasks/t")
        let id = try #require(spool.ctl("run", "-w", "t").errors.split(whereSeparator: \.isWhitespace).last.map(String.init))
        for line in Self.calls {
            let terminal = try Terminal()
            let words = line.split(separator: " ").map { $0 == "@ID" ? id : String($0) }
            let shown = try terminal.text(of: Commands.onTerminal(terminal, words, spool))
            var rest = shown
            for code in ["0", "1", "2", "31", "32", "33"] {
                rest = rest.split(separator: "\u{1B}[\(code)m", omittingEmptySubsequences: false).joined()
            }
            let found = Set(rest.unicodeScalars.filter { Self.unsafe.contains($0) }.map { String($0.value, radix: 16) })
            #expect(found == [], "\(line) shows \(found.sorted()): \(rest.unicodeScalars.map { $0.escaped(asASCII: true) }.joined())")
            #expect(!shown.isEmpty || line == "fsck", "\(line)")
        }
        #expect(!spool.log.unicodeScalars.contains { Self.unsafe.contains($0) })
    }

    @Test("In a pipe, export and logs print the original bytes")
    func pipes() throws {
        let spool = try SpoolUnderTest()
        try spool.task("t", "command = [\"printf\", \"a\\u001bb\\u200bc\"]\n[[schedule]]\ncron = \"0 5 * * *\"")
        try spool.logLine("event=defined", "file=tasks/t")
        #expect(try spool.ctl("run", "-w", "t").output == "a\u{1B}b\u{200B}c")
        #expect(try spool.ctl("export", "t", "--crontab").output.contains("a\u{1B}b\u{200B}c"))
    }
}

extension Commands {
    /// Runs spoolctl with its output and its errors on a terminal.
    fileprivate static func onTerminal(_ terminal: Terminal, _ words: [String], _ spool: SpoolUnderTest) throws -> Child {
        try Child(
            "\(SpoolUnderTest.programs)/spoolctl", ["--config", spool.configuration] + words,
            environment: spool.environment + ["TERM=xterm"],
            output: terminal.raw, error: terminal.raw)
    }
}
