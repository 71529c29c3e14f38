import Glibc
import Linux

/// An executor for tests, whose engine is a directory. Files in it decide what goes wrong:
///
/// - `VERB.MODE`: the next call of the verb goes wrong in this way, once: `lose` does what is asked and dies without an answer, `drop` dies
///   before, `garbage` prints what is no answer after it did what is asked, `hang` does it and never ends, `later`, `refused`, `unknown`
///   answer so.
/// - `hold`: what is submitted does not begin while the file is there.
/// - `forget`: the engine knows no job.
///
/// A job is one of the engine's from the moment at which its process, in a session of its own, says so; it stays one whatever happens to
/// the call.
///
/// `calls` has a line for each call, `submitted` one for each job that the engine took. `surroundings.VERB` has the directory and the
/// variables of the last call.
struct FakeExecutor {
    let spool: SpoolUnderTest
    let engine: String

    /// The configuration of a spool with this executor: quick, so that no test waits long.
    static let configuration = """
        slots = 2
        [executors.fake]
        slots = 3
        poll = "100ms"
        lag = "500ms"
        find_grace = "500ms"

        """
    /// A further line for tests in which a call hangs, and for no others: a call of a busy machine may take as long.
    static let shortCalls = "call_timeout = \"2s\"\n"

    /// A spool with this executor, whose daemon has started.
    static func spool(_ more: String = "") throws -> (SpoolUnderTest, FakeExecutor) {
        let spool = try SpoolUnderTest(configuration: configuration + more, starting: false)
        let fake = try FakeExecutor(spool)
        try spool.start()
        return (spool, fake)
    }

    init(_ spool: SpoolUnderTest) throws {
        self.spool = spool
        engine = "\(spool.out)/engine"
        try Files.makeDirectory(engine)
        try Files.makeDirectory("\(engine)/jobs")
        for directory in [engine, "\(engine)/jobs"] { chmod(directory, 0o777) }
        for file in ["calls", "submitted"] {
            try Files.write("\(engine)/\(file)", "")
            chmod("\(engine)/\(file)", 0o666)
        }
        let directory = "\(spool.whole)/executors"
        try Files.makeDirectory(directory)
        chmod(directory, 0o755)
        try Files.write("\(directory)/fake", Self.program.replacing("ENGINE", with: engine))
        chmod("\(directory)/fake", 0o755)
        _ = try spool.inotify.add(engine, [.created, .deleted, .movedTo, .closedAfterWriting, .modified])
    }

    func set(_ file: String) throws { try Files.write("\(engine)/\(file)", "") }

    func clear(_ file: String) { unlink("\(engine)/\(file)") }

    func lines(_ file: String) -> [String] {
        ((try? Files.text("\(engine)/\(file)")) ?? "").split(separator: "\n").map(String.init)  // not there yet
    }

    private static let program = #"""
        #!/bin/sh
        # spool-executor(7), with an engine of files.
        engine='ENGINE'
        verb=$1
        { pwd; env; } > "$engine/surroundings.$$"
        mv "$engine/surroundings.$$" "$engine/surroundings.$verb"
        echo "$verb $(id -u)" >> "$engine/calls"
        mode=
        for one in lose drop garbage hang later refused unknown; do
            if [ -e "$engine/$verb.$one" ]; then mode=$one; rm -f "$engine/$verb.$one"; break; fi
        done
        text() { printf '%s\n' "$line" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
        number() { printf '%s\n' "$line" | sed -n "s/.*\"$1\":\([0-9-]*\).*/\1/p"; }
        answer() { case $mode in lose|garbage|hang) ;; *) printf '{"id":"%s","try":%s,%s}\n' "$id" "$try" "$1" ;; esac; }
        begin() {
            # The wrapper, which goes on when this program has ended.
            printf '%s\n' "$line" | sed 's/.*"environment":\["//; s/"\],"working_directory".*//; s/","/\n/g' > "$engine/jobs/$name.env"
            printf '%s\n' "$line" | sed 's/.*"arguments":\["\/bin\/sh","-c","//; s/"\],"environment".*//; s/\\"/"/g; s/\\\\/\\/g' \
                > "$engine/jobs/$name.sh"
            input=$(text input) engine=$engine name=$name directory=$directory try=$try setsid sh -c '
                : > "$engine/jobs/$name"
                echo "$name" >> "$engine/submitted"
                while [ -e "$engine/hold" ]; do sleep 0.02; done
                mkdir "$directory/started.$try" 2> /dev/null || exit 0
                while read -r one; do export "$one"; done < "$engine/jobs/$name.env"
                trap "kill -TERM \$! 2> /dev/null" TERM
                # Nobody signals the run before its number is there, and then the command is no copy of this shell any more.
                mark="$directory/started.$try/pid"
                begun="echo \$PPID > \"$mark.new\"; mv \"$mark.new\" \"$mark\""
                sh -c "$begun; . \"$engine/jobs/$name.sh\"" < "${input:-/dev/null}" >> "$directory/stdout" 2>> "$directory/stderr" &
                child=$!
                while :; do wait $child; code=$?; kill -0 $child 2> /dev/null || break; done
                end="\"exit\":$code"
                if [ $code -gt 128 ]; then end="\"signal\":$((code - 128))"; fi
                printf "{%s,\"started\":1000,\"ended\":3500,\"host\":\"n1\"}\n" "$end" > "$directory/end.$try.tmp"
                mv "$directory/end.$try.tmp" "$directory/end.$try"
                : > "$engine/jobs/$name.over"
            ' < /dev/null > /dev/null 2>&1 3<&- &
            until [ -e "$engine/jobs/$name" ] || ! [ -e "$engine" ]; do sleep 0.02; done
        }
        has() { [ -e "$directory/$1" ]; }
        # The number of the run that has begun, once it is there.
        pid() {
            until has "started.$try/pid" || has "end.$try" || ! [ -e "$directory" ]; do sleep 0.02; done
            cat "$directory/started.$try/pid"
        }
        state() {
            if [ -e "$engine/forget" ] || ! [ -e "$engine/jobs/$name" ]; then answer '"state":"gone"'
            elif [ -e "$engine/jobs/$name.over" ]; then answer "\"state\":\"ended\",\"reason\":\"completed\",\"handle\":\"h-$try\""
            elif [ -e "$directory/started.$try" ]; then answer "\"state\":\"running\",\"host\":\"n1\",\"handle\":\"h-$try\""
            else answer "\"state\":\"pending\",\"why\":\"Resources\",\"position\":4,\"handle\":\"h-$try\""; fi
        }
        cancel() {
            if mkdir "$directory/started.$try" 2> /dev/null; then
                echo '{"never_began":true}' > "$directory/end.$try.tmp"
                mv "$directory/end.$try.tmp" "$directory/end.$try"
            elif [ -e "$engine/jobs/$name" ] && ! has "end.$try"; then
                if printf '%s\n' "$line" | grep -q '"force":true'; then
                    kill -KILL -"$(pid)" 2> /dev/null
                    : > "$engine/jobs/$name.over"
                else
                    kill -TERM "$(pid)" 2> /dev/null
                fi
            fi
            answer '"state":"asked"'
        }
        [ "$mode" = drop ] && { echo 'the engine is away' >&2; exit 3; }
        read -r header
        if [ "$verb" = check ]; then
            echo '{"check":"reachable","ok":true,"message":"the engine is there"}'
            echo '{"check":"clock","ok":false,"message":"9 s behind"}'
        fi
        while read -r line; do
            id=$(text id) try=$(number try) name=$(text name) directory=$(text directory)
            case $mode in later|refused|unknown) answer "\"error\":\"$mode\",\"message\":\"the engine says $mode\""; continue ;; esac
            case $verb in
                submit) begin; answer "\"handle\":\"h-$try\"" ;;
                poll|find) state ;;
                cancel) cancel ;;
                signal) kill "-$(number signal)" "$(pid)"; answer '"state":"asked"' ;;
                check) ;;
                # Once, so that a call that is late adds nothing behind the end of the output.
                logs) mkdir "$engine/jobs/$name.brought" 2> /dev/null && echo "brought from afar" >> "$directory/stdout" ;;
                *) answer '"state":"asked"' ;;
            esac
        done
        case $mode in
            lose) exit 1 ;;
            garbage) echo 'sbatch: error: Unable to contact' ;;
            hang) exec sleep 100 ;;
        esac
        exit 0

        """#
}
