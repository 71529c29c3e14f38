extension SpoolCommand {
    static let completion = SpoolCommand(
        "completion", "bash|zsh|fish", "print the completions of a shell",
        details: [
            "The script asks spoolctl itself what may come next, so it fits every version: commands, options, their values, and the names and ids that the spool holds.",
            "bash: into /etc/bash_completion.d/ or ~/.local/share/bash-completion/completions/spoolctl. zsh: as _spoolctl into a directory of $fpath. fish: into ~/.config/fish/completions/spoolctl.fish.",
        ],
        options: [Option("candidates", value: "N", "what may stand as the Nth word, from 0, of the command line that follows; for the scripts")],
        examples: [
            Example("source <(spoolctl completion bash)", "for this shell"),
            Example("spoolctl completion fish > ~/.config/fish/completions/spoolctl.fish", "for every one"),
        ]
    ) { session throws(Failure) in
        guard session.arguments.value("candidates") == nil else { return try candidates(session) }
        guard let name = session.arguments.operands.first else { throw .usage("completion needs a shell: bash, zsh or fish") }
        guard let script = CompletionScript(rawValue: name), session.arguments.operands.count == 1 else {
            throw .usage("no completions for \"\(session.arguments.operands.joined(separator: " "))\"; there are bash, zsh and fish")
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
