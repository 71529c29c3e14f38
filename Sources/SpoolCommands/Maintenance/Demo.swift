import Glibc
import Linux
import Store

struct Demo {
    private let session: Session
    private let examples: String
    private let daemonProgram: String
    private let path: String
    private let fs: DiskFileSystem
    private var dropped = 0
    /// The files of tasks that repeat during the demo, by task. A file is removed after three runs.
    private var repeating: [String: String] = [:]
    private var shown: [String: String] = [:]
    private var drawnLines = 0

    private static let runsOfTask = 3
    private static let limitMilliseconds: Int64 = 18_000
    /// A task that is not due within this time is run once by hand.
    private static let soonMilliseconds: Int64 = 4000

    init(_ session: Session) throws(Failure) {
        self.session = session
        let here = Self.programDirectory()
        daemonProgram = "\(here)/spoold"
        guard FileName.isAccessible(daemonProgram, X_OK) else {
            throw Failure(ExitCode.failed, "there is no spoold beside spoolctl in \(here): install it there, or build it with swift build")
        }
        examples = try Self.examples(session, here)
        path = try Self.temporaryDirectory()
        fs = try attempt { [path] () throws(SystemError) in try DiskFileSystem(path: path) }
        do throws(SpoolError) { try Spool.prepare(fs) } catch { throw Failure(ExitCode.failed, "\(path): \(error)") }
    }

    // MARK: Finding things

    private static func programDirectory() -> String {
        let bytes = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
            let pointer = UnsafeMutableRawPointer(buffer.baseAddress!).assumingMemoryBound(to: CChar.self)
            count = max(readlink("/proc/self/exe", pointer, 4096), 0)
        }
        return FileName.string(from: bytes).parentDirectory
    }

    /// The examples of an installed program are in `share/doc/spoold` beside its `bin`; those of a built one are in its checkout.
    private static func examples(_ session: Session, _ here: String) throws(Failure) -> String {
        if let given = session.arguments.value("examples") {
            guard isDirectory("\(given)/new") else { throw .usage("--examples: \(given) has no directory new") }
            return given
        }
        // Other directories named examples above the program are ignored: they may be a user's own.
        let installed = "\(here.parentDirectory)/share/doc/spoold/examples"
        if isDirectory("\(installed)/new") { return installed }
        var directory = here
        while !directory.isEmpty {
            let candidate = "\(directory)/examples"
            if FileName.isAccessible("\(directory)/Package.swift"), isDirectory("\(candidate)/new") { return candidate }
            directory = directory.parentDirectory
        }
        throw Failure(
            ExitCode.failed,
            "the examples are not installed: \(installed) does not exist; copy the directory examples of the source there, "
                + "or name it with --examples")
    }

    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func temporaryDirectory() throws(Failure) -> String {
        var template = Array("\(environment("TMPDIR") ?? "/tmp")/spoold-demo-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(SystemError(call: "mkdtemp", errno: errno)) }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    // MARK: Running

    mutating func run() throws(Failure) -> Int32 {
        let output = session.output
        output.line("A spool is a directory. This one is \(path)")
        output.line("")
        try copyTree("data", to: "data")
        try attempt { () throws(SystemError) in try fs.create("spoold.toml", [], mode: 0o600) }
        try placeTasks()
        output.flush()

        let watch = try JobWatch(spool: path)
        let pid = try startDaemon()
        let daemon = try attempt { () throws(SystemError) -> FileDescriptor in try Process.openPidfd(pid) }
        var isOver = false
        do throws(Failure) {
            try dropJobs()
            isOver = try follow(watch, daemon.raw)
        } catch {
            stopDaemon(pid)
            throw error
        }
        stopDaemon(pid)
        try show(isLast: true)
        try epilogue()
        if !isOver { session.complain("some jobs have not ended in time; see \(path)/spoold.log") }
        return isOver ? ExitCode.done : ExitCode.failed
    }

    func startDaemon() throws(Failure) -> pid_t {
        let path = path
        let program = daemonProgram
        return try attempt { () throws(SystemError) in
            let log = try FileDescriptor.open("\(path)/spoold.log", O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
            let null = try FileDescriptor.open("/dev/null", O_RDWR)
            return try Process.spawn(
                program, arguments: [program, "--spool", path, "--config", "\(path)/spoold.toml"], environment: environmentAssignments(),
                descriptors: [(null.raw, 0), (null.raw, 1), (log.raw, 2)], directory: path)
        }
    }

    func stopDaemon(_ pid: pid_t) {
        Glibc.kill(pid, SIGTERM)
        _ = exitStatus(of: pid)
    }

    /// Shows changes until all jobs have ended. False when no job has begun or ended for too long.
    private mutating func follow(_ watch: JobWatch, _ daemon: Int32) throws(Failure) -> Bool {
        var deadline = MonotonicInstant.now()
        var before: [String] = []
        while true {
            let records = try show(isLast: false)
            let now = records.map { "\($0.place.path) \($0.status.attempt)" }
            if now != before { deadline = .now().advanced(byMilliseconds: Self.limitMilliseconds) }
            before = now
            for (task, file) in repeating {
                let ended = records.count { $0.status.task == task && $0.place.state.isTerminal }
                guard ended >= Self.runsOfTask else { continue }
                try attempt { () throws(SystemError) in try fs.removeFile("\(Layout.tasks)/\(file)") }
                repeating[task] = nil
            }
            let ended = records.count { $0.place.state.isTerminal && $0.isComplete }
            if repeating.isEmpty, ended >= dropped, ended == records.count { return true }
            let rest = deadline.millisecondsLeft()
            guard rest > 0 else { return false }
            var poll = pollfd(fd: daemon, events: Int16(POLLIN), revents: 0)
            if Glibc.poll(&poll, 1, 0) > 0 {
                throw Failure(ExitCode.failed, "spoold has ended; see \(path)/spoold.log")
            }
            // A status is written a moment after its directory appears, so incomplete records are watched.
            for record in records where !record.isComplete { watch.add(record.place.path) }
            _ = try watch.wait(for: [], or: [poll], milliseconds: rest)
        }
    }

    // MARK: Submitting

    private mutating func placeTasks() throws(Failure) {
        let context = ReadingContext(now: session.now, zones: session.zones)
        let soon = session.now.advanced(byMilliseconds: Self.soonMilliseconds)
        for file in try names("tasks") where file.hasSuffix(".toml") || file.hasSuffix(".json") {
            try copy("tasks/\(file)", to: "\(Layout.tasks)/\(file)")
            let stem = String(file.dropLast(5))
            let bytes = try content("tasks/\(file)").bytes
            let source = Source(format: file.hasSuffix(".toml") ? .toml : .json, bytes: bytes)
            let task: TaskDefinition
            do throws(Problems) { task = try TaskDefinition(name: stem, source: source, context) } catch {
                throw Failure(file: "\(examples)/tasks/\(file)", error)
            }
            let next = task.schedules.compactMap { $0.recurrence.next(after: session.now, origin: session.now) }.min()
            if let next, next < soon {
                repeating[stem] = file
                session.output.line("  tasks/\(file): repeats; three runs are shown")
            } else {
                var drop = JobDrop(fs)
                _ = try drop.drop(Source(format: .toml, bytes: Array("task = \"\(stem)\"\n".utf8)), name: stem)
                dropped += 1
                session.output.line("  tasks/\(file): not due soon; run once by hand")
            }
        }
    }

    private mutating func dropJobs() throws(Failure) {
        for file in try names("new") {
            try copy("new/\(file)", to: "\(Layout.new)/\(file)")
            dropped += 1
        }
    }

    func names(_ directory: String) throws(Failure) -> [String] {
        let path = "\(examples)/\(directory)"
        return try attempt { () throws(SystemError) in
            do throws(SystemError) {
                return try Directory.open(path).list().filter { $0.kind == .file && !Name.isUnfinished($0.name) }.map(\.name).sorted()
            } catch {
                if error.errno == SystemError.noSuchFile { return [] }
                throw error
            }
        }
    }

    func content(_ file: String) throws(Failure) -> (bytes: [UInt8], mode: UInt32) {
        let path = "\(examples)/\(file)"
        return try attempt { () throws(SystemError) in
            let descriptor = try FileDescriptor.open(path, O_RDONLY)
            return (try descriptor.readAll(limit: Source.bytesMax), try descriptor.status().mode & 0o755)
        }
    }

    /// Copies a file into the spool: composes it in tmp/ and renames it.
    func copy(_ file: String, to target: String) throws(Failure) {
        let (bytes, mode) = try content(file)
        try attempt { () throws(SystemError) in
            let temporary = "\(Layout.temporary)/\(target.split(separator: "/").last ?? "demo")"
            try fs.create(temporary, bytes, mode: mode)
            try fs.rename(temporary, to: target)
        }
    }

    func copyTree(_ directory: String, to target: String) throws(Failure) {
        try attempt { () throws(SystemError) in try fs.makeDirectory(target) }
        for file in try names(directory) { try copy("\(directory)/\(file)", to: "\(target)/\(file)") }
    }

    // MARK: Showing

    /// Redraws the table on a terminal; prints a line for each change in a pipe.
    @discardableResult
    private mutating func show(isLast: Bool) throws(Failure) -> [JobRecord] {
        var records = JobRecords(fs, ReadingContext(now: session.now, zones: session.zones))
        var all: [JobRecord] = []
        var seen: Set<String> = []
        let places = try session.reading { () throws(JournalError) in try records.places(in: JobState.allCases) }
        for place in places.reversed() where seen.insert(place.id).inserted {
            if let record = try session.record(at: place, &records) { all.append(record) }
        }
        let output = session.output
        if output.isTerminal {
            if drawnLines > 0 { output.control("\u{1B}[\(drawnLines)A\u{1B}[J") }
            drawnLines = all.count + 1
            table(all).write(to: output)
        } else if isLast {
            output.line("")
            table(all).write(to: output)
        } else {
            for record in all {
                let text = "\(record.place.state.rawValue)\(record.place.isFile ? "" : "/\(record.place.id)")\t\(result(record))"
                let key = record.place.isFile ? record.place.path : record.place.id
                guard shown[key] != text, record.isComplete else { continue }
                shown[key] = text
                output.line("\(record.place.path)\t\(result(record))")
            }
        }
        output.flush()
        return all
    }

    func table(_ records: [JobRecord]) -> TextTable {
        var table = TextTable(["JOB", "STATE", "TRY", "RESULT", "TOOK"])
        for record in records {
            let status = record.status
            table.add([
                .init(status.name), .init(record.place.state.rawValue, status.colour), .init("\(status.attempt)/\(status.tries)"),
                .init(result(record), status.state == .failed ? .red : nil),
                .init(status.usage.map { TimeText.length($0.wallMilliseconds) } ?? "-"),
            ])
        }
        return table
    }

    func result(_ record: JobRecord) -> String {
        if record.status.state.isTerminal { return record.status.brief }
        if record.place.state == .new, record.status.attempt > 0 { return "waits for its next try" }
        return record.place.state == .running ? "runs" : "waits"
    }

    /// Prints the output of one job, the error of another, and where to look.
    func epilogue() throws(Failure) {
        let output = session.output
        var records = JobRecords(fs, ReadingContext(now: session.now, zones: session.zones))
        let all = try session.reading { () throws(JournalError) -> [JobRecord] in
            var all: [JobRecord] = []
            for place in try records.places(in: [.done, .failed]).reversed() {
                if let record = try records.record(at: place) { all.append(record) }
            }
            return all
        }
        func printed(_ record: JobRecord) throws(Failure) -> [UInt8] {
            let taken = try attempt { () throws(SystemError) in
                try fs.take("\(record.place.path)/\(Layout.outputFile)", limit: 8 << 10, ignoringWriters: true)
            }
            if case .file(_, let bytes) = taken { return bytes }
            return []
        }
        for record in all where record.place.state == .done && record.status.task == nil {
            let bytes = try printed(record)
            guard !bytes.isEmpty else { continue }
            output.line("")
            output.line("What \(record.status.name) printed, from \(record.place.path)/stdout:")
            output.writeOutput(bytes, raw: false)
            break
        }
        if let record = all.first(where: { $0.status.reason == .rejected }) ?? all.first(where: { $0.place.state == .failed }) {
            output.line("")
            output.line("Why \(record.status.name) failed, from \(record.place.path)/status.json:")
            output.line("  \(Output.oneLine(record.status.error ?? record.status.brief))")
        }
        output.line("")
        output.line("Nothing is running any more. Look around:")
        output.line("  ls \(path)/done \(path)/failed")
        output.line("  spoolctl --spool \(path) jobs")
        output.line("  spoolctl --spool \(path) journal")
        output.line("Remove the spool with: rm -r \(path)")
    }
}

extension String {
    /// The path without its last component; empty for `/`.
    fileprivate var parentDirectory: String {
        guard let slash = utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
        return String(self[..<slash])
    }
}
