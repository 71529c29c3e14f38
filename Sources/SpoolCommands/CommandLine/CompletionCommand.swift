extension Command {
    static let completion = Command(
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

/// What a shell is told once: to ask spoolctl, and what its answer means.
enum CompletionScript: String, CaseIterable {
    case bash, zsh, fish

    var text: String {
        switch self {
        case .bash:
            """
            # bash completion of spoolctl(1)
            _spoolctl() {
                local line
                COMPREPLY=()
                while IFS= read -r line; do
                    case $line in
                        :files) compopt -o default ;;
                        :directories) compopt -o dirnames ;;
                        *) COMPREPLY+=("${line%%$'\\t'*}") ;;
                    esac
                done < <("${COMP_WORDS[0]}" completion --candidates "$COMP_CWORD" -- "${COMP_WORDS[@]}" 2>/dev/null)
                [[ ${COMPREPLY[0]-} == --*= ]] && compopt -o nospace
                return 0
            }
            complete -F _spoolctl spoolctl

            """
        case .zsh:
            """
            #compdef spoolctl
            # zsh completion of spoolctl(1)
            _spoolctl() {
                local line
                local -a candidates
                for line in "${(@f)$("${words[1]}" completion --candidates $((CURRENT - 1)) -- "${words[@]}" 2>/dev/null)}"; do
                    case $line in
                        '') ;;
                        :files) _files && return ;;
                        :directories) _files -/ && return ;;
                        *$'\\t'*) candidates+=("${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}") ;;
                        *) candidates+=("${line//:/\\\\:}") ;;
                    esac
                done
                _describe spoolctl candidates
            }
            if [[ ${funcstack[1]} == _spoolctl ]]; then _spoolctl "$@"; else compdef _spoolctl spoolctl; fi

            """
        case .fish:
            """
            # fish completion of spoolctl(1)
            function __spoolctl_candidates
                set -l words (commandline -opc) (commandline -ct)
                for line in ($words[1] completion --candidates (math (count $words) - 1) -- $words 2>/dev/null)
                    switch $line
                        case :files
                            __fish_complete_path (commandline -ct)
                        case :directories
                            __fish_complete_directories (commandline -ct)
                        case '*'
                            echo $line
                    end
                end
            end
            complete -c spoolctl -f -a '(__spoolctl_candidates)'

            """
        }
    }
}
