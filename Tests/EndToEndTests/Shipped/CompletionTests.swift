import Testing

/// Each shell completes lines with the script that spoolctl prints for it.
@Suite("Completions", .ownThreads)
struct CompletionTests {
    /// A spool with two tasks and a waiting job.
    static func spool() throws -> (SpoolUnderTest, job: String) {
        let spool = try SpoolUnderTest(starting: false)
        for name in ["nightly", "newer"] { #expect(try spool.ctl("create", name, "--", "true").code == 0) }
        for shell in ["bash", "zsh", "fish"] {
            let script = try spool.ctl("completion", shell)
            #expect(script.code == 0)
            try Files.write("\(spool.base)/\(shell)", script.output)
        }
        return (spool, try spool.ctl("submit", "--", "true").id)
    }

    /// Lines and their completions. JOB stands for the job's id. Nil stands for file names.
    static let lines: [(line: String, candidates: [String])] = [
        ("cre", ["create"]), ("run ", ["newer", "nightly"]), ("run ni", ["nightly"]), ("run --prior", ["--priority"]),
        ("create x --overlap re", ["replace"]), ("pause --task=n", ["newer", "nightly"]), ("pause --task ne", ["newer"]),
        ("cancel ", ["JOB", "true"]), ("why n", ["newer", "nightly"]), ("backfill ni", ["nightly"]), ("help ver", ["version"]),
        ("completion z", ["zsh"]), ("import ", ["crontab", "at"]), ("no-such-command ", []),
        ("jobs --columns id,stat", ["id,state"]), ("jobs --sort -too", ["-took"]), ("submit --user gam", ["games"]),
        ("create x --group=gam", ["games"]), ("jobs --reason exit,timeo", ["exit,timeout"]),
    ]

    @Test("U13: bash completes", .enabled(if: Commands.has("bash"), "bash is not installed"), arguments: lines)
    func bash(_ row: (line: String, candidates: [String])) throws {
        let (spool, job) = try Self.spool()
        // Calls the function as readline does, with the words divided at = too, and prints the candidates.
        let script = """
            compopt() { :; }
            source "$1"
            line="spoolctl $2"
            line=${line//=/ = }
            read -ra COMP_WORDS <<<"$line"
            [[ $line == *' ' ]] && COMP_WORDS+=("")
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _spoolctl
            ((${#COMPREPLY[@]})) && printf '%s\\n' "${COMPREPLY[@]}"
            exit 0
            """
        let result = try Commands.run(
            "env",
            [
                "PATH=\(SpoolUnderTest.programs):/usr/bin:/bin", "SPOOL_DIR=\(spool.path)", "bash", "-c", script, "bash",
                "\(spool.base)/bash", row.line,
            ])
        #expect(result.code == 0, "\(result.error)")
        let expected = row.candidates.map { $0 == "JOB" ? job : $0 }
        #expect(Set(result.output.split(separator: "\n").map(String.init)) == Set(expected), "\(row.line)")
    }

    @Test("U13: fish completes", .enabled(if: Commands.has("fish"), "fish is not installed"), arguments: lines)
    func fish(_ row: (line: String, candidates: [String])) throws {
        let (spool, job) = try Self.spool()
        let result = try Commands.run(
            "env",
            [
                "PATH=\(SpoolUnderTest.programs):/usr/bin:/bin", "HOME=\(spool.base)", "SPOOL_DIR=\(spool.path)", "fish", "--no-config",
                "-c",
                "source \(spool.base)/fish; complete -C 'spoolctl \(row.line)'",
            ])
        #expect(result.code == 0, "\(result.error)")
        let words = result.output.split(separator: "\n").map { String($0.prefix { $0 != "\t" }) }
        let expected = row.candidates.map { candidate in
            candidate == "JOB" ? job
                : row.line.contains("=") ? "\(row.line.split(separator: " ").last?.prefix { $0 != "=" } ?? "")=\(candidate)" : candidate
        }
        #expect(Set(words) == Set(expected), "\(row.line): \(result.output)")
    }

    /// zsh completes only in its line editor, so the test types into a terminal.
    @Test("U13: zsh completes", .enabled(if: Commands.has("zsh") && Commands.has("tmux"), "zsh and tmux are not installed"))
    func zsh() throws {
        let (spool, _) = try Self.spool()
        let socket = "\(spool.base)/tmux"
        func tmux(_ arguments: String...) throws -> Commands.Result {
            try Commands.run("env", ["-u", "TMUX", "tmux", "-S", socket, "-f", "/dev/null"] + arguments)
        }
        try Files.write(
            "\(spool.base)/.zshrc",
            """
            PATH=\(SpoolUnderTest.programs):/usr/bin:/bin\nexport SPOOL_DIR=\(spool.path)\nPS1='> '\nautoload -Uz compinit\n\
            compinit -u -d \(spool.base)/dump\nsource \(spool.base)/zsh\n
            """)
        #expect(
            try tmux("new-session", "-d", "-x", "120", "-y", "40", "env", "ZDOTDIR=\(spool.base)", "LC_ALL=C.UTF-8", "zsh", "-i").code == 0)
        // The terminal's output goes to a file, too. The test waits for the file's growth.
        #expect(try tmux("pipe-pane", "cat >> \(spool.out)/screen").code == 0)
        defer { _ = try? tmux("kill-server") }  // fails when no server was started
        /// Types keys, and waits until the screen shows this text.
        func typed(_ keys: [String], shows text: String) throws {
            for key in keys { _ = try tmux("send-keys", key) }
            _ = try spool.wait(for: "\"\(text)\" on the screen") { () throws -> Bool? in
                try tmux("capture-pane", "-p").output.contains(text) ? true : nil
            }
        }
        try typed([], shows: ">")
        try typed(["spoolctl cre", "Tab"], shows: "spoolctl create")
        try typed(["C-u", "spoolctl run ni", "Tab"], shows: "spoolctl run nightly")
        try typed(["C-u", "spoolctl run ", "Tab", "Tab"], shows: "newer")
        try typed(["C-u", "spoolctl create x --overlap re", "Tab"], shows: "--overlap replace")
    }
}
