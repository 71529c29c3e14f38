import Documents
import Glibc
import Linux

/// A spool's running jobs, and calls of an executor for them, as the daemon makes them.
final class RemoteCalls {
    let base: String
    let executor: String
    var spool: String { "\(base)/spool" }
    /// A directory for what jobs write.
    var out: String { "\(base)/out" }
    /// The table [executors.NAME], as JSON.
    var settings: String
    /// The time after which a call is ended.
    var callMilliseconds = 60_000
    /// Further variables of the executor, `NAME=VALUE`.
    var variables: [String] = []
    private let program: String
    private var jobs = 0

    init(_ executor: String, settings: String = "{}") throws {
        self.executor = executor
        self.settings = settings
        base = try Files.makeTemporaryDirectory()
        for directory in ["spool", "spool/running", "spool/done", "out", "bin"] { try Files.makeDirectory("\(base)/\(directory)") }
        program = "\(base)/bin/\(executor)"
        try Files.symlink("\(SpoolUnderTest.programs)/spool-executor", program)
    }

    /// Calls of the executor ssh for these hosts, with so many slots each.
    convenience init(hosts: [FarHost], slots: Int = 1000, more: String = "") throws {
        try self.init("ssh")
        try Files.write("\(base)/ssh_config", hosts.map(\.configuration).joined())
        let names = hosts.map { "\"\($0.name)\":\(slots)" }.joined(separator: ",")
        settings = "{\"config\":\"\(base)/ssh_config\",\"hosts\":{\(names)}\(more)}"
    }

    deinit { try? Files.removeTree(base) }  // litter in the temporary directory at worst

    /// One try of a job.
    struct Job {
        var id: String
        var attempt = 1
        var directory: String
        var handle: String?
        fileprivate var submission: [(String, String)]

        fileprivate var run: [(String, String)] {
            [
                ("id", quoted(id)), ("try", "\(attempt)"), ("name", quoted("spoold-\(id)-\(attempt)")), ("directory", quoted(directory)),
                ("handle", handle.map(quoted) ?? "null"),
            ]
        }

        func text(_ file: String) throws -> String { try Files.text("\(directory)/\(file)") }
        var hasEnded: Bool { Files.exists("\(directory)/end.\(attempt)") }
        var hasStarted: Bool { Files.exists("\(directory)/started.\(attempt)") }
        /// The end mark.
        func end() throws -> Table {
            guard let table = JSON.readableTable(try Files.bytes("\(directory)/end.\(attempt)")) else {
                throw WaitFailed(description: "no end: \(try text("end.\(attempt)"))")
            }
            return table
        }
    }

    /// A job that runs a line of the shell. `members` are further members of the line of `submit`, as JSON.
    func job(_ line: String, id: String? = nil, _ members: [String: String] = [:]) throws -> Job {
        jobs += 1
        let number = String(1000 + jobs).dropFirst()
        let id = id ?? "20261121T020000.\(number)Z-job\(jobs)-34fg24"
        let directory = "\(spool)/running/\(id)"
        try Files.makeDirectory(directory)
        let variables = [
            "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=\(home)", "SPOOL_JOB_DIR=\(directory)", "SPOOL_RESULT=\(directory)/result",
        ]
        var all = [
            "arguments": "[\"/bin/sh\",\"-c\",\(quoted(line))]", "environment": "[\(variables.map(quoted).joined(separator: ","))]",
            "working_directory": "\"/\"", "umask": "18", "input": "null", "stdout": "\"stdout\"", "stderr": "\"stderr\"", "timeout_ms": "0",
            "stop_signal": "15", "kill_after_ms": "10000", "output_limit": "0",
        ]
        for (key, value) in members { all[key] = value }
        return Job(id: id, directory: directory, submission: all.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
    }

    // MARK: Calls

    struct Outcome {
        var code: Int32
        var answers: [Table]
        var errors: String

        func answer(_ job: Job) -> Table? { answers.first { $0.text("id") == job.id } }
    }

    /// The header and the lines of a call.
    func input(_ items: [[(String, String)]]) -> String {
        let header = [
            ("protocol", "1"), ("executor", quoted(executor)), ("settings", settings), ("spool", quoted(spool)),
            ("call_timeout_ms", "\(callMilliseconds)"),
        ]
        return ([header] + items).map { "{\($0.map { "\(quoted($0.0)):\($0.1)" }.joined(separator: ","))}\n" }.joined()
    }

    func start(_ verb: String, _ items: [[(String, String)]]) throws -> Commands.Running {
        try Commands.Running("env", ["HOME=\(home)"] + variables + [program, verb], input: input(items))
    }

    /// The home of the jobs' user on this side, which is not there at first: kubectl makes it.
    private var home: String { "\(base)/home-here" }

    func end(_ running: Commands.Running) throws -> Outcome {
        let result = try running.end()
        let answers = result.output.split(separator: "\n").compactMap { JSON.readableTable(Array($0.utf8)) }
        return Outcome(code: result.code, answers: answers, errors: result.error)
    }

    func submitItems(_ jobs: [Job]) -> [[(String, String)]] { jobs.map { $0.run + $0.submission } }
    func items(_ jobs: [Job]) -> [[(String, String)]] { jobs.map(\.run) }

    func submit(_ jobs: Job...) throws -> Outcome { try end(start("submit", submitItems(jobs))) }
    func poll(_ jobs: Job...) throws -> Outcome { try end(start("poll", items(jobs))) }
    func find(_ jobs: Job...) throws -> Outcome { try end(start("find", items(jobs))) }
    func check() throws -> Outcome { try end(start("check", [])) }
    func order(_ verb: String, _ job: Job, _ members: [(String, String)] = []) throws -> Outcome {
        try end(start(verb, [job.run + members]))
    }

    /// Submits a job, which must be taken.
    func submitted(_ job: Job) throws -> Job {
        let outcome = try submit(job)
        guard let handle = outcome.answer(job)?.text("handle") else { throw WaitFailed(description: "not submitted: \(outcome)") }
        var job = job
        job.handle = handle
        return job
    }

    /// Polls until each job has ended. The time between two calls is that of the calls.
    @discardableResult
    func pollToEnd(_ jobs: Job...) throws -> [Outcome] {
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        var outcomes: [Outcome] = []
        while jobs.contains(where: { !$0.hasEnded }) {
            outcomes.append(try self.end(start("poll", items(jobs.filter { !$0.hasEnded }))))
            guard MonotonicInstant.now() < end else { throw WaitFailed(description: "no end: \(outcomes.suffix(2))\n\(Files.tree(base))") }
        }
        return outcomes
    }

    /// Waits for something in a directory, which is that for what jobs write unless another one is given.
    func awaitOut(_ what: String, in directory: String? = nil, until condition: () throws -> Bool) throws {
        let inotify = try Inotify()
        _ = try inotify.add(directory ?? out, [.created, .modified, .movedTo, .closedAfterWriting])
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        while try !condition() {
            guard awaitEvent(inotify.descriptor.raw, end) else {
                throw WaitFailed(description: "\(what) does not come\n\(Files.tree(base))")
            }
            var events: [InotifyEvent] = []
            _ = try inotify.readEvents(into: &events)
        }
    }

    func awaitFile(_ name: String, in directory: String? = nil) throws {
        let path = "\(directory ?? out)/\(name)"
        try awaitOut(path, in: directory) { Files.exists(path) }
    }
}

private func awaitEvent(_ raw: Int32, _ end: MonotonicInstant) -> Bool {
    var polled = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
    return poll(&polled, 1, end.pollTimeout()) > 0
}

private func quoted(_ text: String) -> String { JSON.write(Value(.string(text))) }

extension Table {
    func number(_ key: String) -> Int64? {
        if case .integer(let number)? = self[key]?.kind { number } else { nil }
    }

    func boolean(_ key: String) -> Bool? {
        if case .boolean(let value)? = self[key]?.kind { value } else { nil }
    }
}
