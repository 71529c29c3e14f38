/// The program that runs on the other host during a call: lines of requests on its standard input, answers on its standard output.
///
/// Nothing is installed there but a POSIX shell and the usual commands. The login shell of the user may be any: it gets one line without a
/// backslash or an exclamation mark, in which `sh` reads the program itself from the connection, byte for byte. What `.bashrc` or a
/// message of the day print comes before the first line that bears the mark, and is passed over.
///
/// A request is `VERB NUMBER DIRECTORY …`, an answer `MARK NUMBER WORD …`. Requests are carried out in their order.
///
///     state N DIR TRY           absent | waiting | starting | running HOST PID AT | ended | dead
///     get N DIR FILE FROM MOST  data COUNT SIZE, then COUNT bytes and a newline. SIZE is - when there is no such file
///     make N DIR NAME           made NAME: the directory is there; NAME is that of the home, the given one if it had none
///     size N DIR FILE           size COUNT: what is there of a file that is being sent
///     put N DIR FILE TAG FROM COUNT SIZE, then COUNT bytes: there | absent | failed. FROM is a multiple of 65536
///     keep N DIR                kept: what was sent is on the disk
///     begin N DIR TRY           begun HOST PID AT | waiting | absent
///     cancel N DIR TRY SIGNAL   never | ended | asked | dead | absent
///     signal N DIR TRY SIGNAL   ended | asked | dead | absent
///     remove N DIR              removed
///     list N -                  one line `list DIR` for each directory with an end mark, then `listed`
///     check N -                 one line `check NAME yes|no TEXT` for each check, then `checked`
///
/// `begin` starts nothing in a directory that is not there, and the wrapper nothing in one with a start mark. So requests that arrive late,
/// after a directory was removed, start nothing.
public enum FarSide {
    /// The line for the login shell. It reads `text`, and runs it only when nothing of it is missing or was read by somebody else.
    public static func line(mark: String) -> String {
        let count = text(mark: mark).utf8.count
        return "exec sh -c 's=$(dd bs=1 count=\(count) 2>/dev/null); case $s in \"#\(mark)\"*\"#\(mark)\") eval \"$s\";; *) exit 97;; esac'"
    }

    /// The program, which knows the mark of this call.
    public static func text(mark: String) -> String { "#\(mark)\nmark=\(mark)\n\(program)#\(mark)" }

    /// The version of the requests and answers above.
    public static let version = 1

    /// A request for more bytes of a file is refused.
    public static let chunkBytesMax = 1 << 20

    private static let program = #"""
        LC_ALL=C
        export LC_ALL
        umask 077
        [ -n "$HOME" ] || HOME=$(cd && pwd)
        base=$HOME/.spoold
        say() { printf '%s %s\n' "$mark" "$*"; }
        # Copies exactly so many bytes of standard input, which nobody may read ahead.
        if dd bs=1 count=0 iflag=fullblock </dev/null >/dev/null 2>&1; then
            take() {
                [ "$1" -lt 65536 ] || dd bs=65536 count=$(($1 / 65536)) iflag=fullblock 2>/dev/null || return
                [ $(($1 % 65536)) = 0 ] || dd bs=$(($1 % 65536)) count=1 iflag=fullblock 2>/dev/null
            }
        else
            take() { dd bs=1 count="$1" 2>/dev/null; }
        fi
        sleep 0.01 2>/dev/null && nap=0.02 || nap=1
        size() {
            set -- $(ls -lnd "$1" 2>/dev/null)
            count=${5:--}
        }
        durable() { sync "$@" 2>/dev/null || sync; }
        plain() { [ -f "$1" ] && [ ! -L "$1" ]; }
        # True while the wrapper of this try lives, or its keeper, which does the most needed when the wrapper alone was killed. A number
        # that another process was given does not name the directory.
        lives() {
            for who in pid keeper; do
                pid=
                read -r pid <"$d/started.$1/$who"
                case $pid in '' | 0 | *[!0-9]*) continue ;; esac
                if [ -r /proc/self/cmdline ]; then
                    case $(tr '\0' ' ' <"/proc/$pid/cmdline") in *"$dir"*) return 0 ;; esac
                elif kill -0 "$pid"; then
                    return 0
                fi
            done
            return 1
        } 2>/dev/null
        facts() {
            at= host=
            read -r at <"$d/started.$1/at"
            read -r host <"$d/started.$1/host"
            at=${at:--} host=${host:--}
        } 2>/dev/null
        state() {
            if ! [ -d "$d" ]; then
                say "$seq" absent
            elif plain "$d/end.$1"; then
                say "$seq" ended
            elif ! [ -d "$d/started.$1" ]; then
                say "$seq" waiting
            elif ! [ -s "$d/started.$1/pid" ]; then
                # The wrapper writes it at once, if it was not killed in between.
                case $(find "$d/started.$1" -prune -mmin +1 2>/dev/null) in '') say "$seq" starting ;; *) say "$seq" dead ;; esac
            elif lives "$1"; then
                facts "$1"
                say "$seq" running "$host" "$pid" "$at"
            elif plain "$d/end.$1"; then
                # It ended between the two looks.
                say "$seq" ended
            else
                say "$seq" dead
            fi
        }
        get() {
            f=$d/$1 n=0
            if plain "$f"; then size "$f"; else count=-; fi
            if [ "$count" != - ]; then
                n=$((count - $2))
                [ "$n" -le "$3" ] || n=$3
                [ "$n" -ge 0 ] || n=0
            fi
            say "$seq" data "$n" "$count"
            [ "$n" = 0 ] || tail -c +$(($2 + 1)) "$f" 2>/dev/null | head -c "$n"
            echo
        }
        make() {
            mkdir -p "$base" && [ -s "$base/.name" ] || {
                echo "$1" >"$base/.name.$$" && ln "$base/.name.$$" "$base/.name"
                rm -f "$base/.name.$$"
            } 2>/dev/null
            name=
            read -r name <"$base/.name" 2>/dev/null
            if [ -n "$name" ] && { mkdir "$d" 2>/dev/null || [ -d "$d" ]; }; then
                say "$seq" made "$name"
            else
                say "$seq" failed "$base"
            fi
        }
        put() {
            part=$d/.$1.$2.part
            if ! [ -d "$d" ]; then
                take "$4" >/dev/null
                say "$seq" absent
                return
            elif [ "$5" = 0 ]; then
                : >"$part"
            else
                take "$4" | dd ibs=65536 obs=65536 seek=$(($3 / 65536)) conv=notrunc of="$part" 2>/dev/null
            fi
            size "$part"
            [ "$count" != - ] && [ "$count" -ge $(($3 + $4)) ] || {
                # The rest of the bytes is still in the connection, so nothing after them could be understood.
                say "$seq" failed "$d/$1"
                exit 1
            }
            [ $(($3 + $4)) != "$5" ] || { chmod 700 "$part" && mv -f "$part" "$d/$1"; } || {
                say "$seq" failed "$d/$1"
                exit 1
            }
            say "$seq" there
        }
        begin() {
            [ -f "$d/wrapper.$1" ] || {
                say "$seq" absent
                return
            }
            if ! [ -d "$d/started.$1" ]; then
                (
                    cd "$d" || exit
                    if command -v setsid >/dev/null; then exec setsid sh "$d/wrapper.$1"; else exec nohup sh "$d/wrapper.$1"; fi
                ) </dev/null >/dev/null 2>&1 &
                tries=0
                until [ -s "$d/started.$1/at" ] || [ "$tries" = 250 ]; do
                    sleep "$nap"
                    tries=$((tries + 1))
                done
            fi
            if [ -d "$d/started.$1" ]; then
                lives "$1"
                facts "$1"
                say "$seq" begun "$host" "${pid:--}" "$at"
            else
                say "$seq" waiting
            fi
        }
        cancel() {
            if ! [ -d "$d" ]; then
                say "$seq" absent
            elif mkdir "$d/started.$1" 2>/dev/null; then
                echo '{"never_began":true}' >"$d/end.$1.tmp" && durable "$d/end.$1.tmp" && mv "$d/end.$1.tmp" "$d/end.$1"
                durable "$d"
                say "$seq" never
            else
                signal "$@"
            fi
        }
        signal() {
            if ! [ -d "$d" ]; then
                say "$seq" absent
            elif plain "$d/end.$1"; then
                say "$seq" ended
            elif lives "$1"; then
                kill -"$2" "$pid"
                say "$seq" asked
            else
                say "$seq" dead
            fi
        }
        check() {
            mkdir -p "$base"
            if echo >"$base/.check.$$"; then
                say "$seq" check writable yes "$base"
            else
                say "$seq" check writable no "$base"
            fi
            rm -f "$base/.check.$$"
            set -- $(df -Pk "$base" | tail -n 1)
            case $4 in
            '' | *[!0-9]*) ;;
            *[0-9][0-9][0-9][0-9][0-9]) say "$seq" check space yes "$4" ;;
            *) say "$seq" check space no "$4" ;;
            esac
            # logind.conf(5): then it ends what a session leaves running.
            case $(busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager KillUserProcesses) in
            *true) say "$seq" check session no ;;
            *) say "$seq" check session yes ;;
            esac
            say "$seq" checked
        }
        boot=- zone=-
        # Silently: of an early end of the connection, the last line of standard error is taken for the reason.
        {
            read -r boot </proc/sys/kernel/random/boot_id
            read -r zone <"$base/.name"
        } 2>/dev/null
        # What came before may not have ended its line.
        echo
        say hello 1 "$(date +%s)" "$boot" "$zone" "$(id -un)" "$base"
        while read -r verb seq dir a b c e g; do
            # The directories have names that spoold made; anything else is a mistake and must not leave the base.
            case $dir in -) d= ;; '' | .* | -* | *[!A-Za-z0-9._-]*) verb=bad ;; *) d=$base/$dir ;; esac
            case $verb in
            state) state "$a" ;;
            get) get "$a" "$b" "$c" ;;
            make) make "$a" ;;
            size)
                size "$d/.$a.$b.part"
                say "$seq" size "$count"
                ;;
            put) put "$a" "$b" "$c" "$e" "$g" ;;
            keep)
                durable "$d"/* "$d" "$base"
                say "$seq" kept
                ;;
            begin) begin "$a" ;;
            cancel) cancel "$a" "$b" ;;
            signal) signal "$a" "$b" ;;
            list)
                for file in "$base"/*/end.*; do
                    file=${file#"$base/"}
                    [ "$file" = "*/end.*" ] || say "$seq" list "${file%%/*}"
                done
                say "$seq" listed
                ;;
            check) check ;;
            remove)
                mv "$d" "$base/.$dir" 2>/dev/null
                rm -rf "$base/.$dir"
                say "$seq" removed
                ;;
            *)
                say "$seq" bad
                exit 1
                ;;
            esac
        done 2>/dev/null

        """#
}
