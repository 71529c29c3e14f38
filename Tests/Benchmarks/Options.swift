/// The options of the command line.
struct Options {
    /// Uses small numbers, to test that everything runs. The figures then mean little.
    var isSmoke = false
    /// Exits with 1 when a bar is not met.
    var isCheck = false
    var wantsHelp = false
    /// The measures to take. Empty for all.
    var only: [Measure] = []
    /// Prints each row as a line of JSON.
    var isJSON = false
    /// A commit, or a directory of built programs, that is measured in turn with these programs.
    var against: String?
    /// The directory for spools. Nil for a tmpfs and a disk.
    var directory: String?
    /// The number of jobs and tasks of those measures that show how cost grows. Nil for the number of each measure.
    var scale: Int?

    enum Measure: String, CaseIterable {
        case drain, peers, latency, punctuality, recurrence, idle, submit, records, calls, flood, tasks, steady, paths, executors, slurm,
            crontabs, page
    }

    struct Refusal: Error { var message: String }

    static let usage = """
        Usage: Benchmarks [--smoke] [--check] [--json] [--only NAME…] [--scale N] [--against REV|DIR] [--directory DIR]

          --smoke          small numbers, to see that everything runs
          --check          exit with 1 when a bar is not met
          --only NAME…     of \(Measure.allCases.map(\.rawValue).joined(separator: " "))
          --scale N        the number of tasks, of jobs to drain and of files in a flood: 1 to 10000000 (100000, 5000, 100000)
          --json           each row as a line of JSON
          --against X      measures the programs of the commit X, which are built first, or those in the directory X, in turn with these
          --directory DIR  where to make the spools; else in /dev/shm, and in $TMPDIR or /var/tmp

        """

    func wants(_ measure: Measure) -> Bool { only.isEmpty || only.contains(measure) }

    static func read(_ arguments: ArraySlice<String>) -> Result<Options, Refusal> {
        var options = Options()
        var rest = arguments
        while let argument = rest.popFirst() {
            switch argument {
            case "--smoke": options.isSmoke = true
            case "--check": options.isCheck = true
            case "--help", "-h": options.wantsHelp = true
            case "--json": options.isJSON = true
            case "--against":
                guard let against = rest.popFirst() else { return refuse("--against needs a commit or a directory") }
                options.against = against
            case "--scale":
                guard let text = rest.popFirst(), let scale = Int(text), (1...10_000_000).contains(scale) else {
                    return refuse("--scale needs a number from 1 to 10000000")
                }
                options.scale = scale
            case "--directory":
                guard let directory = rest.popFirst() else { return refuse("--directory needs a directory") }
                options.directory = directory
            case "--only":
                while let name = rest.first, !name.hasPrefix("-") {
                    guard let measure = Measure(rawValue: name) else { return refuse("there is no measure \"\(name)\"") }
                    options.only.append(measure)
                    rest.removeFirst()
                }
                if options.only.isEmpty { return refuse("--only needs a name") }
            default: return refuse("unknown argument \"\(argument)\"")
            }
        }
        return .success(options)
    }

    private static func refuse(_ message: String) -> Result<Options, Refusal> {
        .failure(Refusal(message: "\(message); see Benchmarks --help"))
    }
}
