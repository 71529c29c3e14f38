/// A shell's completion script: it runs `spoolctl completion --candidates` and hands the answer to the shell.
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
