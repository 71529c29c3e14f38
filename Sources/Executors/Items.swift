import Documents

/// A line from the daemon that lacks what its verb needs.
public struct UnusableItem: Error, Sendable, Equatable {
    public var message: String
    public init(_ message: String) { self.message = message }
}

/// The first line: the settings of the executor, and the spool. Its name is the last part of the program's.
public struct Header: Sendable {
    public var protocolVersion: Int64
    /// The table `[executors.NAME]` of the configuration.
    public var settings: Table
    public var spool: String
    /// The time after which the daemon ends the call.
    public var callMilliseconds: Int64
    /// For `check`: the hosts that jobs name.
    public var hosts: [String]

    public init(line: [UInt8]) throws(UnusableItem) {
        let members = try Members(line: line)
        protocolVersion = try members.integer("protocol")
        settings = members.table["settings"].flatMap { if case .table(let table) = $0.kind { table } else { nil } } ?? Table()
        spool = try members.text("spool")
        callMilliseconds = try members.integer("call_timeout_ms", in: 1...Int64.max, else: 60_000)
        hosts = try members.texts("hosts")
    }
}

/// One try of a job: what every line but the header names.
public struct Run: Sendable, Equatable {
    public var id: String
    public var attempt: Int64
    /// The name at the engine, which no other try of any job has.
    public var name: String
    /// The name that the engine gave it. Nil when it is not known.
    public var handle: String?
    /// The job's directory in the spool.
    public var directory: String

    public init(id: String, attempt: Int64, name: String, handle: String? = nil, directory: String) {
        self.id = id
        self.attempt = attempt
        self.name = name
        self.handle = handle
        self.directory = directory
    }

    init(_ members: Members) throws(UnusableItem) {
        id = try members.text("id")
        attempt = try members.integer("try", in: Self.attempts)
        name = try members.text("name")
        handle = try members.textIfThere("handle")
        directory = try members.text("directory")
        guard directory.utf8.first == UInt8(ascii: "/") else { throw UnusableItem("directory is not a path from /") }
    }

    public init(line: [UInt8]) throws(UnusableItem) { try self.init(Members(line: line)) }

    /// The run that a line is about which lacks other things, so that it can be answered. Nil when its id or its try cannot be read.
    public init?(ofUnusable line: [UInt8]) {
        do throws(UnusableItem) {
            let members = try Members(line: line)
            let (id, attempt) = (try members.text("id"), try members.integer("try", in: Self.attempts))
            self.init(id: id, attempt: attempt, name: "", directory: "")
        } catch { return nil }
    }

    private static let attempts: ClosedRange<Int64> = 1...Int64(Int32.max)

    /// The directory that the wrapper makes first.
    public var startMark: String { "\(directory)/started.\(attempt)" }
    /// The file that says how the try ended.
    public var endMark: String { "\(directory)/end.\(attempt)" }
}

/// A line of `submit`: a try to be started.
public struct Submission: Sendable {
    public var run: Run
    public var arguments: [String]
    /// `KEY=VALUE`.
    public var environment: [String]
    public var workingDirectory: String
    public var umask: Int64
    public var input: String?
    /// The names of the output files in the run's directory. The second is nil when both streams go to the first.
    public var output: String
    public var errorOutput: String?
    /// 0 for no limit.
    public var timeoutMilliseconds: Int64
    public var stopSignal: Int32
    public var killAfterMilliseconds: Int64
    /// Bytes of each output file. 0 for no limit.
    public var outputLimit: Int64
    public var resources: Resources
    public var executorArguments: [String]
    public var directives: [String]
    public var hosts: [String]

    /// The amounts that the job asks for. Nil where it asks for nothing, which a line may write as 0.
    public struct Resources: Sendable, Equatable {
        public var cpus: Int64?
        /// Bytes.
        public var memory: Int64?
        public var gpus: Int64?
        public var nodes: Int64?

        public init(cpus: Int64? = nil, memory: Int64? = nil, gpus: Int64? = nil, nodes: Int64? = nil) {
            self.cpus = cpus
            self.memory = memory
            self.gpus = gpus
            self.nodes = nodes
        }
    }

    public init(run: Run, arguments: [String], environment: [String] = [], workingDirectory: String = "/") {
        self.run = run
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        umask = 0o022
        output = "stdout"
        errorOutput = "stderr"
        timeoutMilliseconds = 0
        stopSignal = 15
        killAfterMilliseconds = 10_000
        outputLimit = 0
        resources = Resources()
        executorArguments = []
        directives = []
        hosts = []
    }

    public init(line: [UInt8]) throws(UnusableItem) {
        let members = try Members(line: line)
        run = try Run(members)
        arguments = try members.texts("arguments")
        guard arguments.first?.isEmpty == false else { throw UnusableItem("arguments names no command") }
        environment = try members.texts("environment")
        workingDirectory = try members.text("working_directory")
        umask = try members.integer("umask", in: 0...0o777, else: 0o022)
        input = try members.textIfThere("input")
        output = try members.textIfThere("stdout") ?? "stdout"
        errorOutput = try members.textIfThere("stderr")
        for name in [output, errorOutput ?? output] where name.isEmpty || name.utf8.contains(UInt8(ascii: "/")) {
            throw UnusableItem("stdout and stderr are names in the job's directory, not paths")
        }
        timeoutMilliseconds = try members.integer("timeout_ms", in: 0...Int64.max / 2, else: 0)
        stopSignal = Int32(try members.integer("stop_signal", in: 1...64, else: 15))
        killAfterMilliseconds = try members.integer("kill_after_ms", in: 0...Int64.max / 2, else: 10_000)
        outputLimit = try members.integer("output_limit", in: 0...Int64.max, else: 0)
        resources = Resources()
        if case .table(let table)? = members.table["resources"]?.kind {
            let given = Members(table)
            func amount(_ key: String) throws(UnusableItem) -> Int64? {
                guard let amount = try given.integerIfThere(key, in: 0...Int64.max), amount > 0 else { return nil }
                return amount
            }
            resources.cpus = try amount("cpus")
            resources.memory = try amount("memory")
            resources.gpus = try amount("gpus")
            resources.nodes = try amount("nodes")
        }
        executorArguments = try members.texts("executor_args")
        directives = try members.texts("directives")
        hosts = try members.texts("hosts")
    }
}

/// A line of `cancel`, `signal` or `extend`: a try, and what shall become of it.
public struct Order: Sendable, Equatable {
    public var run: Run
    /// `cancel`: kill at once.
    public var force: Bool
    /// `signal`: the signal. `cancel`: the signal that asks the command to end.
    public var signal: Int32
    /// `extend`: the time that is added to the limit, which may be negative.
    public var byMilliseconds: Int64

    public init(run: Run, force: Bool = false, signal: Int32 = 15, byMilliseconds: Int64 = 0) {
        self.run = run
        self.force = force
        self.signal = signal
        self.byMilliseconds = byMilliseconds
    }

    public init(line: [UInt8]) throws(UnusableItem) {
        let members = try Members(line: line)
        run = try Run(members)
        force = members.boolean("force")
        signal = Int32(try members.integer("signal", in: 1...64, else: 15))
        byMilliseconds = try members.integer("by_ms", in: Int64.min / 2...Int64.max / 2, else: 0)
    }
}
