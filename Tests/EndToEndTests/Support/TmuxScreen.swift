// A terminal with a screen and a keyboard, tmux(1). Tests type keys into it and read its screen.

import Glibc
import Testing

final class TmuxScreen {
    private let spool: SpoolUnderTest
    private let socket: String
    private let name: String

    /// Starts a command line of the shell on a screen of this size.
    init(_ spool: SpoolUnderTest, columns: Int = 80, rows: Int = 24, environment: [String] = [], _ line: String) throws {
        self.spool = spool
        name = "screen-\(UInt64.random(in: 0...(.max)))"
        socket = "\(spool.base)/\(name)"
        let variables = spool.environment + ["PATH=\(SpoolUnderTest.programs):/usr/bin:/bin", "LC_ALL=C.UTF-8"] + environment
        // The command starts when the screen is watched, so that no output is missed.
        let begin = try spool.gate("\(name).gate")
        try run("new-session", "-d", "-x", "\(columns)", "-y", "\(rows)", "env", "-u", "NO_COLOR") {
            $0 + variables + ["sh", "-c", "read x < \(begin.path); \(line)"]
        }
        // The output is written to a file too, whose growth is the event to wait for.
        try run("pipe-pane", "cat >> \(spool.out)/\(name).shown")
        try begin.release()
    }

    deinit { _ = try? tmux(["kill-server"]) }  // gone when the test has ended it

    private func tmux(_ arguments: [String]) throws -> Commands.Result {
        try Commands.run("env", ["-u", "TMUX", "LC_ALL=C.UTF-8", "tmux", "-u", "-S", socket, "-f", "/dev/null"] + arguments)
    }

    @discardableResult
    private func run(_ arguments: String..., more: ([String]) -> [String] = { $0 }) throws -> String {
        let result = try tmux(more(arguments))
        guard result.code == 0 else { throw spool.failure("tmux \(arguments): \(result.error)") }
        return result.output
    }

    /// The lines on the screen.
    var text: String { get throws { try run("capture-pane", "-p") } }
    /// The lines on the screen with their sequences for colours.
    var styled: String { get throws { try run("capture-pane", "-p", "-e") } }
    /// True for the alternate screen, which programs like editors use.
    var isAlternate: Bool { get throws { try run("display-message", "-p", "#{alternate_on}") == "1\n" } }
    var hasCursor: Bool { get throws { try run("display-message", "-p", "#{cursor_flag}") == "1\n" } }

    /// Presses keys, by tmux's names for them.
    func press(_ keys: String...) throws { try run("send-keys") { $0 + keys } }

    func resize(columns: Int, rows: Int) throws { try run("resize-window", "-x", "\(columns)", "-y", "\(rows)") }

    /// Ends the terminal, as closing its window does.
    func close() throws { _ = try tmux(["kill-server"]) }

    /// Waits until the screen shows all of these texts, and returns it.
    @discardableResult
    func shows(_ parts: String...) throws -> String {
        try shows(what: "\(parts)") { text in parts.allSatisfy { text.contains($0) } }
    }

    /// Waits until the screen does not show this text any more.
    func showsNoMore(_ part: String) throws { try shows(what: "no \(part)") { !$0.contains(part) } }

    @discardableResult
    func shows(what: String, _ condition: (String) -> Bool) throws -> String {
        var last = ""
        do {
            return try spool.wait(for: "\(what) on the screen") { () throws -> String? in
                last = try self.text
                return condition(last) ? last : nil
            }
        } catch {
            throw WaitFailed(description: "\(error)\n--- the screen\n\(last)")
        }
    }
}
