/// The options of the command line.
struct Options {
    /// Uses small numbers, to test that everything runs. The figures then mean little.
    var isSmoke = false
    /// Exits with 1 when a bar is not met.
    var isCheck = false
    var wantsHelp = false
    /// The measures to take. Empty for all.
    var only: [Measure] = []
    /// The directory for spools. Nil for a tmpfs and a disk.
    var directory: String?

    enum Measure: String, CaseIterable {
        case drain, peers, latency, punctuality, recurrence, idle, submit, records, calls
    }

    struct Refusal: Error { var message: String }

    static let usage = """
        Usage: Benchmarks [--smoke] [--check] [--only NAME…] [--directory DIR]

          --smoke          small numbers, to see that everything runs
          --check          exit with 1 when a bar is not met
          --only NAME…     of \(Measure.allCases.map(\.rawValue).joined(separator: " "))
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
