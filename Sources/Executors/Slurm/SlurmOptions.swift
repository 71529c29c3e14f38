/// Options of sbatch that a job gives, in `executor_args` or after `#SBATCH`, as words that cannot undo what the executor needs.
public enum SlurmOptions {
    /// Each option becomes one word, `--partition=long`. Throws a sentence for an option that is not for jobs to set, and for a word that
    /// sbatch would take as the name of a script.
    public static func words(_ given: [String]) throws(UnusableItem) -> [String] {
        var words: [String] = []
        var rest = given[...]
        while let word = rest.popFirst() {
            guard word.utf8.first == UInt8(ascii: "-"), word != "-", word != "--" else {
                throw UnusableItem("\"\(word)\" is no option of sbatch; write an option and its value as one word, \"--partition=long\"")
            }
            let isLong = word.hasPrefix("--")
            var name: String
            var value: String?
            if isLong {
                let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                name = String(parts[0])
                value = parts.count > 1 ? String(parts[1]) : nil
            } else {
                let letter = word.dropFirst().prefix(1)
                guard let long = short[String(letter)] else {
                    throw UnusableItem("\"\(word)\" is not an option that a job may give to sbatch")
                }
                name = long
                value = word.utf8.count > 2 ? String(word.dropFirst(2)) : nil
            }
            try refuse(name, word)
            if value == nil, withValue.contains(name), let next = rest.first, next.utf8.first != UInt8(ascii: "-") {
                value = next
                rest.removeFirst()
            }
            if value == nil, withValue.contains(name) { throw UnusableItem("\"\(word)\" needs a value, as in \"--\(name)=VALUE\"") }
            words.append(value.map { "--\(name)=\($0)" } ?? "--\(name)")
        }
        return words
    }

    /// The options in a text after `#SBATCH`. Words are separated by blanks; quotes keep blanks.
    public static func split(directive: String) throws(UnusableItem) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        for character in directive {
            if let open = quote {
                if character == open { quote = nil } else { word = (word ?? "") + String(character) }
            } else if character == "\"" || character == "'" {
                quote = character
                word = word ?? ""
            } else if character == " " || character == "\t" {
                if let done = word { words.append(done) }
                word = nil
            } else if character == "#", word == nil {
                break
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if quote != nil { throw UnusableItem("#SBATCH \(directive): a quote is not closed") }
        if let word { words.append(word) }
        return words
    }

    private static func refuse(_ name: String, _ word: String) throws(UnusableItem) {
        if name.isEmpty { throw UnusableItem("\"\(word)\" is no option of sbatch") }
        if let why = reserved[name] { throw UnusableItem("\"\(word)\" cannot be given to sbatch: \(why)") }
        // sbatch takes every beginning of a name that is the beginning of one name only.
        if !withValue.contains(name), !alone.contains(name), let full = reserved.keys.sorted().first(where: { $0.hasPrefix(name) }) {
            throw UnusableItem("\"\(word)\" could be read as --\(full), which cannot be given to sbatch; write the option's whole name")
        }
    }

    private static let own = "spoold uses it to know the job"
    private static let outputs = "the job's output goes to its directory in the spool"
    private static let once = "a job of spoold is one job of Slurm, which starts at most once"
    private static let answer = "it changes what sbatch answers"
    private static let elsewhere = "the job's own keys say this"

    private static let reserved: [String: String] = [
        "array": once, "requeue": once, "no-requeue": once, "dependency": once, "job-name": own, "cluster": own, "clusters": own,
        "output": outputs, "error": outputs, "open-mode": outputs, "input": elsewhere, "export": elsewhere, "export-file": elsewhere,
        "get-user-env": elsewhere, "chdir": elsewhere, "workdir": elsewhere, "wait": answer, "parsable": answer, "test-only": answer,
        "quiet": answer, "verbose": answer, "version": answer, "help": answer, "usage": answer, "wrap": "it replaces the job's command",
        "uid": "the job runs as its user", "gid": "the job runs as its user", "ignore-pbs": answer, "kill-on-invalid-dep": once,
    ]

    private static let short: [String: String] = [
        "A": "account", "B": "extra-node-info", "C": "constraint", "D": "chdir", "F": "nodefile", "G": "gpus", "H": "hold", "J":
        "job-name", "L": "licenses", "M": "clusters", "N": "nodes", "O": "overcommit", "Q": "quiet", "S": "core-spec", "V": "version",
        "W": "wait", "a": "array", "b": "begin", "c": "cpus-per-task", "d": "dependency", "e": "error", "h": "help", "i": "input", "k":
        "no-kill", "m": "distribution", "n": "ntasks", "o": "output", "p": "partition", "q": "qos", "s": "oversubscribe", "t": "time",
        "v": "verbose", "w": "nodelist", "x": "exclude",
    ]

    /// Options that must have a value, so the next word may be it.
    private static let withValue: Set<String> = [
        "account", "acctg-freq", "batch", "bb", "bbf", "begin", "comment", "constraint", "container", "core-spec", "cores-per-socket",
        "cpu-freq", "cpus-per-gpu", "cpus-per-task", "deadline", "delay-boot", "distribution", "exclude", "extra-node-info", "gpu-bind",
        "gpu-freq", "gpus", "gpus-per-node", "gpus-per-socket", "gpus-per-task", "gres", "gres-flags", "hint", "licenses", "mail-type",
        "mail-user", "mcs-label", "mem", "mem-bind", "mem-per-cpu", "mem-per-gpu", "mincpus", "network", "nodefile", "nodelist",
        "nodes", "ntasks", "ntasks-per-core", "ntasks-per-gpu", "ntasks-per-node", "ntasks-per-socket", "partition", "power", "prefer",
        "priority", "profile", "qos", "reservation", "signal", "sockets-per-node", "switches", "thread-spec", "threads-per-core",
        "time", "time-min", "tmp", "wait-all-nodes", "wckey",
    ]
    /// Options without a value, or with one that must follow an equals sign.
    private static let alone: Set<String> = [
        "contiguous", "exclusive", "hold", "nice", "no-kill", "overcommit", "oversubscribe", "propagate", "reboot", "spread-job",
        "use-min-nodes",
    ]
}
