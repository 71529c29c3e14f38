/// A name for a command line: the program that does the work, without programs that only prepare for it or run it.
///
/// `cd /srv && flock -n /run/x.lock nice -n 19 /opt/bin/backup --all` is `backup`.
public enum ProgramName {
    public static func of(_ command: String) -> String { name(ShellWords.commands(of: command), depth: 0) ?? "cron" }

    private static func name(_ commands: [[String]], depth: Int) -> String? {
        var last: String?
        for words in commands {
            guard let program = program(words[...], depth: depth) else { continue }
            // A line with nothing but preparing commands is named after the first of these.
            if !program.isPreparation { return program.name }
            last = last ?? program.name
        }
        return last
    }

    /// Commands that prepare for the one that matters: `cd /srv && …`, `test -x /usr/bin/x && …`.
    private static let preparations: Set = [
        "cd", "test", "[", "[[", "sleep", "export", "set", ".", "source", "umask", "ulimit", "true", "false", ":", "exit", "unset", "if",
        "echo", "wait",
        "mkdir", "pushd", "which",
    ]

    /// A command that runs another command: the number of operands before that command, and the options that take a value.
    private struct Wrapper {
        var operands = 0
        var options: Set<String> = []
    }

    private static let wrappers: [String: Wrapper] = [
        "env": Wrapper(options: ["-u", "-C", "--unset", "--chdir"]),
        "nice": Wrapper(options: ["-n", "--adjustment"]), "ionice": Wrapper(options: ["-c", "-n", "--class", "--classdata"]),
        "chronic": Wrapper(), "cronic": Wrapper(), "nohup": Wrapper(), "setsid": Wrapper(), "exec": Wrapper(options: ["-a"]),
        "time": Wrapper(options: ["-f", "-o"]),
        "command": Wrapper(), "builtin": Wrapper(), "busybox": Wrapper(), "run-one": Wrapper(), "ifne": Wrapper(), "torsocks": Wrapper(),
        "timeout": Wrapper(operands: 1, options: ["-s", "-k", "--signal", "--kill-after"]),
        "flock": Wrapper(operands: 1, options: ["-w", "-E", "--wait", "--timeout", "--conflict-exit-code"]),
        "lckdo": Wrapper(operands: 1, options: ["-W"]), "setlock": Wrapper(operands: 1), "solo": Wrapper(),
        "chrt": Wrapper(operands: 1), "taskset": Wrapper(operands: 1), "stdbuf": Wrapper(options: ["-i", "-o", "-e"]),
        "sudo": Wrapper(options: ["-u", "-g", "-C", "-h", "-p", "-r", "-t", "--user", "--group"]), "doas": Wrapper(options: ["-u", "-C"]),
        "systemd-cat": Wrapper(options: ["-t", "-p", "--identifier", "--priority"]),
        "chpst": Wrapper(options: ["-u", "-U", "-b", "-e", "-/", "-n", "-l", "-L", "-m", "-d", "-o", "-p", "-f", "-c", "-r", "-t", "-s"]),
        "then": Wrapper(), "else": Wrapper(), "do": Wrapper(), "!": Wrapper(), "{": Wrapper(),
    ]

    private static let shells: Set = ["sh", "bash", "dash", "ash", "ksh", "zsh", "mksh"]

    private static func program(_ command: ArraySlice<String>, depth: Int) -> (name: String, isPreparation: Bool)? {
        var words = command.drop(while: isAssignment)
        while let first = words.first {
            let name = lastPart(first)
            // `command -v x` only checks that x exists.
            if name == "command", words.dropFirst().first?.hasPrefix("-") == true { return (name, true) }
            if shells.contains(name), let inner = shellCommand(words.dropFirst(), depth: depth) { return (inner, false) }
            // `run-parts --report /etc/cron.daily` is better known by the directory.
            if name == "run-parts", let directory = words.last, directory.hasPrefix("/") { return (lastPart(directory), false) }
            guard let wrapper = wrappers[name] else { return name.isEmpty ? nil : (name, preparations.contains(name)) }
            words.removeFirst()
            if let inner = innerName(wrapper, &words, depth: depth) { return (inner, false) }
            words = words.drop(while: isAssignment)
            if words.isEmpty { return (name, name == "exec") }
        }
        return nil
    }

    /// Drops a wrapper's options and operands. Returns the inner command line when it is one argument, as in `flock FILE -c
    /// LINE`.
    private static func innerName(_ wrapper: Wrapper, _ words: inout ArraySlice<String>, depth: Int) -> String? {
        var operands = wrapper.operands
        while let word = words.first {
            if word == "--" {
                words.removeFirst()
                words = words.dropFirst(operands)
                return nil
            }
            if word == "-c", wrapper.operands > operands, depth < depthMax {
                return name(ShellWords.commands(of: words.dropFirst().first ?? ""), depth: depth + 1)
            }
            if word.hasPrefix("-"), word.count > 1 {
                words.removeFirst()
                if wrapper.options.contains(word) { words = words.dropFirst() }
            } else if operands > 0 {
                words.removeFirst()
                operands -= 1
            } else {
                return nil
            }
        }
        return nil
    }

    private static let depthMax = 4

    /// The command line after `-c`, or the name of the script that the shell runs.
    private static func shellCommand(_ words: ArraySlice<String>, depth: Int) -> String? {
        guard depth < depthMax else { return nil }
        var words = words
        while let word = words.first, word.hasPrefix("-") {
            words.removeFirst()
            // `-c` may be combined with other options: `-lc`.
            if !word.hasPrefix("--"), word.hasSuffix("c") { return name(ShellWords.commands(of: words.first ?? ""), depth: depth + 1) }
        }
        return words.first.map(lastPart)
    }

    private static func isAssignment(_ word: String) -> Bool {
        guard let equals = word.utf8.firstIndex(of: UInt8(ascii: "=")), equals != word.utf8.startIndex else { return false }
        return word.utf8[..<equals].allSatisfy {
            $0 == 0x5F || (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
        }
    }

    private static func lastPart(_ word: String) -> String { word.split(separator: "/").last.map(String.init) ?? word }
}

/// Cuts a shell command line into commands and words, well enough to find a name in it.
enum ShellWords {
    static func commands(of line: String) -> [[String]] {
        var commands: [[String]] = []
        var words: [String] = []
        var word: [UInt8] = []
        var isWord = false
        func endWord() {
            if isWord { words.append(String(decoding: word, as: UTF8.self)) }
            word = []
            isWord = false
        }
        func endCommand() {
            endWord()
            if !words.isEmpty { commands.append(words) }
            words = []
        }
        var bytes = Array(line.utf8)[...]
        while let byte = bytes.popFirst() {
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"): endWord()
            case UInt8(ascii: "&") where word.last == UInt8(ascii: ">") || bytes.first == UInt8(ascii: ">"):
                word.append(byte)
                isWord = true
            case UInt8(ascii: ";"), UInt8(ascii: "&"), UInt8(ascii: "|"), UInt8(ascii: "\n"), UInt8(ascii: "("),
                UInt8(ascii: ")"): endCommand()
            case UInt8(ascii: "\\"):
                if let next = bytes.popFirst() { word.append(next) }
                isWord = true
            case UInt8(ascii: "'"), UInt8(ascii: "\""):
                let inner = bytes.prefix { $0 != byte }
                word += inner
                bytes = bytes.dropFirst(inner.count + 1)
                isWord = true
            case UInt8(ascii: "`"):
                let inner = bytes.prefix { $0 != byte }
                word += inner
                bytes = bytes.dropFirst(inner.count + 1)
                isWord = true
            case UInt8(ascii: "$") where bytes.first == UInt8(ascii: "("):
                var depth = 0
                repeat {
                    guard let inner = bytes.popFirst() else { break }
                    if inner == UInt8(ascii: "(") { depth += 1 }
                    if inner == UInt8(ascii: ")") { depth -= 1 }
                } while depth > 0
                word.append(byte)
                isWord = true
            default:
                word.append(byte)
                isWord = true
            }
        }
        endCommand()
        return commands
    }
}
