extension SpoolCommand {
    static let completion = SpoolCommand(
        "completion", "bash|zsh|fish", "print the completion script of a shell",
        details: [
            """
            The script runs spoolctl for the candidates, so it fits every version. It completes commands, options, values of options, \
            and the names and ids in the spool.
            """,
            """
            Where to put the script: bash, /etc/bash_completion.d/ or ~/.local/share/bash-completion/completions/spoolctl; zsh, a file \
            _spoolctl in a directory of $fpath; fish, ~/.config/fish/completions/spoolctl.fish.
            """,
        ],
        options: [Option("candidates", value: "N", "for the scripts: print the candidates for word N (from 0) of the operands")],
        examples: [
            Example("source <(spoolctl completion bash)", "in this shell"),
            Example("spoolctl completion fish > ~/.config/fish/completions/spoolctl.fish", "in every new shell"),
        ]
    ) { session throws(Failure) in
        guard session.arguments.value("candidates") == nil else { return try candidates(session) }
        guard let name = session.arguments.operands.first else { throw .usage("completion needs the name of a shell: bash, zsh or fish") }
        guard let script = CompletionScript(rawValue: name), session.arguments.operands.count == 1 else {
            throw .usage("no completions for \"\(session.arguments.operands.joined(separator: " "))\"; expected bash, zsh or fish")
        }
        session.output.write(script.text)
        return ExitCode.done
    }

    private static func candidates(_ session: Session) throws(Failure) -> Int32 {
        let words = Array(session.arguments.operands.prefix(try session.count("candidates", default: 0) + 1))
        switch try Completion(session, words: words).candidates() {
        case .files: session.output.line(":files")
        case .directories: session.output.line(":directories")
        case .words(let found):
            for one in found {
                session.output.line(Output.oneLine(one.text) + (one.meaning.isEmpty ? "" : "\t" + Output.oneLine(one.meaning)))
            }
        }
        return ExitCode.done
    }
}
