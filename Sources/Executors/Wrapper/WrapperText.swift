extension Wrapper {
    /// The part of the script that is the same for all runs. The part before it has set the variables that ``Wrapper/script`` names.
    ///
    /// The script is one loop that reads words from a FIFO, which nobody but itself writes to. Signals, timers and the end of the command
    /// all become such words, so none is lost between a look and a wait, and the loop never has to poll. Its processes:
    ///
    ///     this shell ── timers (a subshell with a sleep each)
    ///         └── the keeper (a subshell) ── the command, in a session of its own
    ///
    /// The keeper is the command's parent, so that `times` is that of the command alone. It catches what this shell catches, because an
    /// engine may signal every process of the job. When this shell alone was killed, the keeper takes its place as far as it can: it passes
    /// signals on, and writes the end.
    static let body = #"""
        PATH=${PATH:-/usr/local/bin:/usr/bin:/bin}
        LC_ALL=C
        export PATH LC_ALL
        umask 077
        listening= early= p= begun= missed= w= s= state= user= sys= limit= kill_at= timed_out= stopping= seen=
        beat_timer= limit_timer= kill_timer=

        # Those that end a process and that people send. The number n is forwarded. TERM is the order to end. 33+n forwards n for any n,
        # so that the command can be sent a TERM, a STOP or a KILL alone.
        plain='1 2 3 10 12 14 23 28'
        offset=33
        say() { if [ -n "$listening" ]; then echo "$1" >&9; else early="$early$1
        "; fi; }
        trap 'say stop' 15
        for n in $plain; do trap "say 'forward $n'" "$n"; done
        caught="15 $plain"
        n=0
        while [ "$n" -lt 31 ]; do
            n=$((n + 1))
            trap "say 'forward $n'" "$((offset + n))" 2>/dev/null && caught="$caught $((offset + n))"
        done

        # ---- at most one start
        cd "$dir" 2>/dev/null || { echo "spoold: the job's directory $dir cannot be entered on $(uname -n)" >&2; exit 125; }
        if ! mkdir "started.$try" 2>/dev/null; then
            [ -d "started.$try" ] && exit 124
            echo "spoold: no directory can be made in the job's directory $dir on $(uname -n)" >&2
            exit 125
        fi
        # A late copy may have entered the directory before it was moved away. Its mark may be gone there, because the directory is removed.
        [ -d "$dir/started.$try" ] || exit 124
        # A mark without a pid is soon taken for that of a wrapper that was killed.
        { echo "$$" >"started.$try/pid"; } 2>/dev/null
        # On the disk before the command begins: after a power cut that took the mark, another copy would begin it again.
        sync . 2>/dev/null || sync 2>/dev/null

        # ---- clocks
        # t: milliseconds since the epoch. m: milliseconds of a clock that nobody sets, or of the same clock where there is none.
        read_clock() {
            # Twice, because an engine may signal every process of the job, and so end the first.
            t=$(date +%s.%N)
            [ -n "$t" ] || t=$(date +%s.%N)
            f=${t#*.}
            case $f in [0-9][0-9][0-9]*) f=${f%"${f#???}"} ;; *) f=000 ;; esac
            t=${t%%.*}
            t=$((${t:-0} * 1000 + 1$f - 1000))
        }
        read_time() {
            if read -r m x 2>/dev/null </proc/uptime; then
                x=${m#*.}0
                m=$((${m%.*} * 1000 + 1${x%"${x#??}"}0 - 1000))
            else
                read_clock
                m=$t
            fi
        }
        read_clock
        at=$t
        read_time
        began=$m

        host=$(uname -n)
        case $host in *[!A-Za-z0-9._-]*) host= ;; esac
        { echo "$host" >"started.$try/host"; echo "$at" >"started.$try/at"; } 2>/dev/null

        # ---- the end
        # write_end JSON-MEMBERS: a full disk may have room again later.
        write_end() {
            read_time
            took=$((m > began ? m - began : 0))
            end="{$1,\"started\":$at,\"ended\":$((at + took)),\"user_ms\":${user:-0},\"sys_ms\":${sys:-0},\"host\":\"$host\"}"
            tries=0
            while [ -d "started.$try" ]; do
                printf '%s\n' "$end" 2>/dev/null | dd of="end.$try.tmp" conv=fsync 2>/dev/null ||
                    { printf '%s\n' "$end" >"end.$try.tmp" && sync; } 2>/dev/null
                back=
                { read -r back <"end.$try.tmp"; } 2>/dev/null
                [ "$back" = "$end" ] && mv -f "end.$try.tmp" "end.$try" 2>/dev/null && return
                tries=$((tries + 1))
                [ "$tries" -lt 600 ] || break
                sleep 1
            done
        }
        # A timer that has only just begun does not catch the signal yet.
        end_timers() { # PID…
            for x in $*; do
                n=0
                while kill -15 "$x" 2>/dev/null && [ "$n" -lt 1000 ]; do
                    n=$((n + 1))
                    sleep 0.01 2>/dev/null || { n=$((n + 9)) && sleep 1; }
                done
            done
        }
        # Ends the script, and before it all that it has started for itself. The sleep of a timer would keep an engine waiting.
        leave() { # CODE
            end_timers "$beat_timer" "$limit_timer" "$kill_timer"
            # The keeper has nothing left to do. A signal ends the wait.
            while [ -n "$w" ] && kill -0 "$w" 2>/dev/null; do wait "$w"; done
            exit "$1"
        }
        fail() { # JSON-SENTENCE [EXIT]
            write_end "\"failed\":$1${2:+,\"exit\":$2}"
            leave "${2:-125}"
        }

        # ---- events
        # fifo DESCRIPTOR: opens a FIFO without a name.
        fifo() {
            x="started.$try/events"
            if ! mkfifo "$x" 2>/dev/null; then
                x=$(mktemp -d "${TMPDIR:-/tmp}/spoold.XXXXXX" 2>/dev/null) && mkfifo "$x/events" 2>/dev/null || return 1
                x=$x/events
            fi
            case $1 in 8) exec 8<>"$x" ;; 9) exec 9<>"$x" ;; esac
            rm -f "$x"
            case $x in */spoold.*/events) rmdir "${x%/events}" ;; esac
        }
        fifo 9 || fail '"no FIFO can be made on this host, neither in the job'\''s directory nor in /tmp"'
        listening=1
        [ -z "$early" ] || printf '%s' "$early" >&9

        fine=
        sleep 0.001 2>/dev/null && fine=1
        # timer MILLISECONDS WORD: says the word then. It says the word early when its sleep is ended by others. TERM ends it silently.
        # Nobody ends the timers of a wrapper that was killed, so none is longer than timer_max. Before a later moment several run in turn.
        timer_max=30000
        timer() {
            (
                gone= pid=
                trap 'gone=1; [ -z "$pid" ] || kill "$pid" 2>/dev/null' 15
                if [ -n "$fine" ]; then x=$(($1 % 1000 + 1000)) s=$(($1 / 1000)).${x#1}; else s=$(($1 / 1000 + 1)); fi
                sleep "$s" 9>&- &
                pid=$!
                [ -z "$gone" ] || kill "$pid"
                wait "$pid"
                # The signal ends the wait, and a sleep that has only just begun may have lost its own.
                while [ -n "$gone" ] && kill "$pid" 2>/dev/null; do wait "$pid"; done
                [ -n "$gone" ] || echo "$2" >&9
            ) </dev/null >/dev/null 2>&1 &
        }

        # ---- signals to the command
        # The command leads its group as soon as it has made its session, which may be a moment from now.
        to_group() { # SIGNAL
            n=0
            while :; do
                kill "-$1" "-$p" 2>/dev/null && return
                [ -n "$session" ] && [ -z "$state" ] && [ "$n" -lt 50 ] && kill -0 "$p" 2>/dev/null || break
                n=$((n + 1))
                sleep 0.02 2>/dev/null || sleep 1
            done
            [ -n "$state" ] || kill "-$1" "$p" 2>/dev/null
        }
        stop() {
            [ -z "$stopping" ] || return
            stopping=1
            to_group "$stop_signal"
            read_time
            kill_at=$((m + kill_after))
            await_kill
        }
        await_kill() {
            n=$((kill_at - m))
            timer "$((n < timer_max ? n : timer_max))" kill
            kill_timer=$!
        }

        # ---- the keeper without the wrapper
        # True in the keeper when the wrapper was killed. $$ is the wrapper there too.
        is_alone() {
            kill -0 "$$" 2>/dev/null || return 0
            r=
            { read -r r <"/proc/$$/stat"; } 2>/dev/null
            case ${r##*)} in ' Z'* | ' X'*) return 0 ;; esac
            return 1
        }
        relay() { # NUMBER-OF-THE-SIGNAL-THAT-CAME
            # What comes before the command has a number is passed on when it has one.
            if [ -z "$p" ]; then missed="$missed $1"; return 0; fi
            is_alone || return 0
            case $1 in 15) r=$stop_signal ;; *) r=$(($1 > offset ? $1 - offset : $1)) ;; esac
            kill "-$r" "-$p" 2>/dev/null
        }

        # ---- the limit
        # added: the sum of the lines of the file extend, in milliseconds.
        read_extension() {
            added=0
            [ -s extend ] && [ -f extend ] || return
            while read -r x || [ -n "$x" ]; do
                sign=
                case $x in -*) sign=- x=${x#-} ;; +*) x=${x#+} ;; esac
                f=
                case $x in *.*) f=${x#*.} x=${x%%.*} ;; esac
                case $x$f in '' | *[!0-9]* | ???????????????????*) continue ;; esac
                f=${f}000
                x=1${x:-0}1${f%"${f#???}"}
                # 1SECONDS1MILLIS, because a number that begins with 0 would be octal.
                f=${x#"${x%????}"} x=${x%????}
                z=${x#1} n=1
                while [ -n "$z" ]; do z=${z#?} n=${n}0; done
                added=$((added + ${sign}1 * ((x - n) * 1000 + f - 1000)))
            done <extend
        }
        look_at_limit() {
            [ -z "$stopping" ] || return
            read_extension
            # A number begins a limit where the job has none; a negative one does not.
            [ "$timeout" -gt 0 ] || [ "$added" -gt 0 ] || return
            read_time
            if [ "$((began + timeout + added))" -le "$m" ]; then
                timed_out=1
                stop
            elif [ "$limit" != "$((began + timeout + added))" ]; then
                end_timers "$limit_timer"
                limit= limit_timer=
                # The next beat looks at one that is later.
                [ "$((began + timeout + added - m))" -le "$timer_max" ] || return
                limit=$((began + timeout + added))
                timer "$((limit - m))" limit
                limit_timer=$!
            fi
        }

        # ---- the output
        # A file past the limit keeps its first half and its newest quarter. What the command writes meanwhile may be in neither.
        look_at_output() {
            [ "$output_limit" -gt 0 ] || return
            for x in "$out" ${err:+"$err"}; do
                size=$(wc -c 2>/dev/null <"$x") || continue
                size=$((size))
                [ "$size" -gt "$output_limit" ] || continue
                tail -c "$((output_limit / 4))" "$x" >"$x.$try.tail" 2>/dev/null
                dd if=/dev/null of="$x" bs=1 seek="$((output_limit / 2))" 2>/dev/null
                {
                    printf '\n[spoold: about %s bytes of the output are left out here]\n' \
                        "$((size - output_limit / 2 - output_limit / 4))"
                    cat "$x.$try.tail"
                } 2>/dev/null >>"$x"
                rm -f "$x.$try.tail"
            done
        }

        # ---- the command
        # A shell starts what is to run beside it with INT and QUIT ignored, and most shells cannot undo this. bash does not do so under job
        # control, which gives each command a group of its own too; the others have no job control without a terminal.
        session= clean=env bash=
        if [ -n "${BASH_VERSION-}" ]; then
            bash=1
        else
            command -v setsid >/dev/null 2>&1 && session=setsid
            if /usr/bin/env --default-signal=INT,QUIT true 2>/dev/null; then
                clean='/usr/bin/env --default-signal=INT,QUIT'
            elif command -v perl >/dev/null 2>&1; then
                clean='perl -e $SIG{INT}=$SIG{QUIT}="DEFAULT";exec{$ARGV[0]}@ARGV; env'
            fi
        fi
        # found NAME: 0 when it can be executed, 126 when it may not, 127 when it is not there.
        found() {
            case $1 in
            */*)
                [ -e "$1" ] || return 127
                [ -f "$1" ] && [ -x "$1" ] || return 126
                return 0
                ;;
            esac
            rest=$path: refused=127
            while [ -n "$rest" ]; do
                x=${rest%%:*}
                rest=${rest#*:}
                x=${x:-.}/$1
                [ -f "$x" ] && [ -x "$x" ] && return 0
                [ ! -e "$x" ] || refused=126
            done
            return "$refused"
        }
        # Says "pid PID" and "end CODE-OR-128+SIGNAL WORD…", where the words are the shell's own for the way it ended.
        # The command's process says "begun". Until then it is a copy of this shell, which may lose a signal that the shell catches.
        keep() {
            for x in $caught; do trap "relay $x" "$x"; done
            cd "$work" 2>/dev/null || { echo 'failed directory' >&9; return; }
            [ -z "$input" ] || true 2>/dev/null <"$input" || { echo 'failed input' >&9; return; }
            found "$1"
            x=$?
            [ "$x" = 0 ] || { echo "failed $x" >&9; return; }
            umask "$mask"
            # bash says on standard error which signal ended a job, the others when they are asked.
            if [ -n "$bash" ]; then set -m; exec 2>&8; fi
            { echo begun >&9; become "$@"; } <"${input:-/dev/null}" >&7 2>&6 6>&- 7>&- 8>&- &
            p=$!
            echo "pid $p" >&9
            for x in $missed; do relay "$x"; done
            state=Running
            while :; do
                case $state in *Running* | *Stopped* | *Suspended*) ;; *) break ;; esac
                # It returns early when a signal is caught.
                wait "$p"
                s=$?
                jobs >&8
                echo . >&8
                state=
                while :; do
                    x=
                    read -r x <&8 || continue
                    [ "$x" = . ] && break
                    state=$x
                done
            done
            [ -n "$state" ] || [ -z "$bash" ] || state=Exit
            times >&8
            read -r x <&8
            read -r x <&8
            echo "end $s $x ${state#*]}" >&9
            # The wrapper that has read this has written the end before it ended.
            is_alone && cd "$dir" && [ ! -f "end.$try" ] && umask 077 && take_end "$s $x ${state#*]}"
        }
        # milliseconds of 1m2.345s
        in_milliseconds() {
            x=${1%s}
            f=${x#*.}000
            z=${x#*m}
            x=$((${x%%m*} * 60000 + ${z%%.*} * 1000 + 1${f%"${f#???}"} - 1000))
        }
        number_of() { # WORDS
            case $1 in
            *Hangup*) n=1 ;; *Interrupt*) n=2 ;; *Quit*) n=3 ;; *Illegal*) n=4 ;; *Trace*) n=5 ;; *Abort*) n=6 ;; *Bus*) n=7 ;;
            *loating* | *rithmetic*) n=8 ;; *Killed*) n=9 ;; *'defined signal 1'*) n=10 ;; *Segmentation*) n=11 ;;
            *'defined signal 2'*) n=12 ;; *'roken pipe'*) n=13 ;; *Alarm*) n=14 ;; *Terminated*) n=15 ;;
            *) n=$((s > 128 ? s - 128 : 9)) ;;
            esac
        }
        ended() { # CODE USER SYSTEM WORDS
            s=$1
            in_milliseconds "$2"
            user=$x
            in_milliseconds "$3"
            sys=$x
            state=ended
            case $4 in
            *Done\(*\)*) code=${4#*Done(} code=${code%%)*} n= ;;
            *Done*) code=0 n= ;;
            *Exit*) code=$s n= ;;
            # A shell that does not say it: a code above 128 is taken for a signal.
            '') if [ "$s" -gt 128 ]; then n=$((s - 128)); else code=$s n=; fi ;;
            *) number_of "$4" ;;
            esac
            signal=$n
            end_group
            if [ -n "$signal" ]; then code=$((128 + signal)) x="\"signal\":$signal"; else x="\"exit\":$code"; fi
            finish "$x${timed_out:+,\"timed_out\":true}" "$code"
        }
        take_end() { # The words after "end"
            line=$1
            code=${line%% *} line=${line#* }
            x=${line%% *} line=${line#* }
            case $line in *' '*) ended "$code" "$x" "${line%% *}" "${line#* }" ;; *) ended "$code" "$x" "$line" '' ;; esac
        }
        # Ends what the command left running in its group.
        end_group() {
            kill -0 "-$p" 2>/dev/null || return
            read_time
            [ -n "$stopping" ] || { kill "-$stop_signal" "-$p" 2>/dev/null; kill_at=$((m + kill_after)); }
            # Counts from the first kill, however long this shell stands still before it.
            until=
            while kill -0 "-$p" 2>/dev/null; do
                if [ "$m" -ge "$kill_at" ]; then
                    until=${until:-$((m + 5000))}
                    [ "$m" -lt "$until" ] || break
                    kill -9 "-$p" 2>/dev/null
                fi
                sleep 0.05 2>/dev/null || sleep 1
                read_time
            done
        }
        finish() { # JSON-MEMBERS CODE
            look_at_output
            write_end "$1"
            [ -z "$engine_log" ] || [ -s "$engine_log" ] || rm -f "$engine_log"
            leave "$2"
        }

        rm -f "$out" ${err:+"$err"}
        true 2>/dev/null >"$out" && { [ -z "$err" ] || true 2>/dev/null >"$err"; } || fail "$failed_output"
        (
            fifo 8 || { echo 'failed fifo' >&9; exit; }
            if [ -n "$err" ]; then keep "$@" 7>>"$out" 6>>"$err"; else keep "$@" 7>>"$out" 6>&7; fi
        ) </dev/null >/dev/null 2>&1 &
        w=$!
        { echo "$w" >"started.$try/keeper"; } 2>/dev/null
        waiting=
        beat() {
            read_clock
            { echo "$t" >"beat.$try"; } 2>/dev/null
            timer 20000 beat
            beat_timer=$!
        }
        # What came before the command could be signalled reaches it when it can.
        begin() {
            [ -n "$p" ] && [ -n "$begun" ] || return
            look_at_limit
            for n in $waiting; do if [ "$n" = stop ]; then stop; else to_group "$n"; fi; done
            waiting=
        }
        beat
        while :; do
            line=
            read -r line <&9 || continue
            case $line in
            'pid '*) p=${line#pid } && begin ;;
            begun) begun=1 && begin ;;
            stop) waiting="$waiting stop" && begin ;;
            'forward '*) waiting="$waiting ${line#forward }" && begin ;;
            beat)
                look_at_output
                begin
                beat
                if ! kill -0 "$w" 2>/dev/null && [ -n "$seen" ]; then
                    # Somebody has ended the keeper, so nobody knows the end of the command.
                    if [ -n "$p" ]; then to_group 9; fi
                    finish '"signal":9' 137
                fi
                kill -0 "$w" 2>/dev/null || seen=1
                ;;
            limit) limit= limit_timer=; look_at_limit ;;
            kill)
                read_time
                if [ "$m" -ge "$kill_at" ]; then to_group 9; else await_kill; fi
                ;;
            'failed directory') fail "$failed_directory" ;;
            'failed input') fail "$failed_input" ;;
            'failed 126') fail "$failed_denied" 126 ;;
            'failed 127') fail "$failed_missing" 127 ;;
            failed*) fail '"no FIFO can be made on this host, neither in the job'\''s directory nor in /tmp"' ;;
            'end '*) take_end "${line#end }" ;;
            esac
        done

        """#
}
