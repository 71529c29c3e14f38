// A new spool for each test, served by the built spoold. Tests use it as a person does: with files, signals and programs. Every wait is for
// an event, never for a time. The guard only ends a wait whose event does not happen, and then shows spoold's log and the tree.

import CLinux
import Glibc
import Linux
import TestSupport

final class SpoolUnderTest {
    /// The directory of the test: with the spool, the configuration, the files that jobs write, and spoold's log.
    let base: String
    var path: String { part.map { "\(whole)/users/\($0)" } ?? whole }
    /// The spool that spoold serves.
    var whole: String { "\(base)/spool" }
    /// The user whose part of a spool for everybody this test uses.
    var part: String?
    /// The directory in which jobs write their results. It is watched, so that tests can wait for them.
    var out: String { "\(base)/out" }
    var configuration: String { "\(base)/spoold.toml" }
    var log: String { (try? Files.text("\(base)/log")) ?? "" }  // none before the first start

    /// True to start spoolctl with the configuration as an argument. Otherwise spoolctl finds it.
    var namesConfiguration = true

    let inotify: Inotify
    private let notifications: NotificationSocket
    private(set) var daemon: Child?
    private var gates: [Gate] = []
    private var isMounted = false
    /// The disk of the spool, if it has one of its own.
    private let disk: LoopDisk?

    /// Makes a spool with its directories, and starts spoold on it unless `starting` is false.
    init(configuration: String = "", tmpfsBytes: Int? = nil, disk: LoopDisk? = nil, starting: Bool = true) throws {
        self.disk = disk
        base = try Files.makeTemporaryDirectory()
        inotify = try Inotify()
        notifications = try NotificationSocket(path: "\(base)/notify")
        for directory in ["spool", "out"] { try Files.makeDirectory("\(base)/\(directory)") }
        if let tmpfsBytes {
            try Commands.succeed("mount", "-t", "tmpfs", "-o", "size=\(tmpfsBytes),mode=700", "tmpfs", path)
            isMounted = true
        }
        try disk?.mount(at: path)
        let directories = ["tasks", "schedules", "tmp", "new", "running", "done", "failed", "control", "patterns", "journal", "state"]
        for directory in directories { try Files.makeDirectory("\(path)/\(directory)") }
        try Files.write(self.configuration, configuration)
        let changes: InotifyMask = [.created, .deleted, .movedFrom, .movedTo, .closedAfterWriting, .modified]
        for directory in [base, out] + directories.map({ "\(path)/\($0)" }) { _ = try inotify.add(directory, changes) }
        if starting { try start() }
    }

    deinit {
        if let daemon, !daemon.hasEnded { daemon.kill(SIGKILL) }
        gates.removeAll()
        // Processes that a test leaves running on purpose end here. The workers end when they have no job left.
        Processes.endAll(ofSpool: whole)
        if isMounted { _ = try? Commands.run("umount", "-l", whole) }  // the directory then shows what is left
        disk?.unmount()
        try? Files.removeTree(base)  // what cannot be removed is litter in the temporary directory
    }

    // MARK: The daemon

    static let programs: String = {
        let runner = (try? Directory.open("/proc/self").readSymbolicLink("exe")) ?? "."  // no /proc: no tests either
        return String(runner[..<(runner.lastIndex(of: "/") ?? runner.startIndex)])
    }()

    /// The time zone of spoolctl's caller, so that the machine's zone does not matter.
    var zone = "UTC"

    var environment: [String] {
        ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=\(base)", "SPOOL_DIR=\(path)", "TZ=\(zone)"]
    }

    /// The directory of spoold, the worker and the executors of this test.
    var installed = SpoolUnderTest.programs

    /// Starts spoold and waits until it reports that it is ready.
    func start(environment more: [String] = [], programs: String? = nil, as user: String? = nil) throws {
        // Messages of an earlier daemon must not count.
        forgetNotifications()
        let become = user.map { ["/usr/bin/setpriv", "--reuid", $0, "--regid", "nogroup", "--clear-groups"] } ?? []
        try launch(environment: more, programs: programs, tracer: become)
        _ = try notification("READY=1")
    }

    /// Starts the spoold of the directory `programs`, and does not wait for anything. `tracer` is a program, with its arguments,
    /// that executes spoold as its own process. Without the test's configuration spoold looks for one itself.
    func launch(
        environment more: [String] = [], programs: String? = nil, tracer: [String] = [], arguments: [String] = [],
        withConfiguration: Bool = true
    ) throws {
        precondition(daemon == nil || daemon!.hasEnded, "one daemon at a time")
        let log = try FileDescriptor.open("\(base)/log", O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        let own = more.contains { $0.hasPrefix("TZ=") } ? environment.filter { !$0.hasPrefix("TZ=") } : environment
        let configured = withConfiguration ? ["--config", configuration] : []
        let line = tracer + ["\(programs ?? installed)/spoold", "--spool", whole] + configured + arguments
        daemon = try Child(
            line[0], Array(line.dropFirst()), environment: own + ["NOTIFY_SOCKET=\(base)/notify"] + more, output: log.raw,
            error: log.raw)
    }

    /// Reads the messages of earlier daemons, so that the socket is not full.
    func forgetNotifications() {
        while notifications.receive() != nil {}
    }

    /// Also watches directories of the spool that did not exist at the start.
    func watchAll() throws { for directory in try Files.list(path) where directory != "lost+found" { try watch(directory) } }

    /// Makes a daemon that was started beside the last one the daemon of this test. The last one has ended.
    func lead(_ successor: Child) {
        precondition(daemon == nil || daemon!.hasEnded, "one daemon at a time")
        daemon = successor
    }

    /// Waits for a message to the service manager that begins with this text.
    @discardableResult
    func notification(_ state: String) throws -> String {
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        while true {
            // Asked before the messages are read: a daemon that ends may have sent its last message just before.
            let hasEnded = daemon?.hasEnded == true
            while let message = notifications.receive() {
                if message.hasPrefix(state) { return message }
            }
            guard !hasEnded else { throw failure("spoold ended before it said \(state)") }
            let waitFor = [notifications.raw] + (daemon.map { [$0.pidfd] } ?? [])
            guard awaitReadable(waitFor, until: end) else { throw failure("spoold has not said \(state)") }
        }
    }

    /// Sends a signal to spoold.
    func signal(_ number: Int32) { daemon?.kill(number) }

    /// Waits for spoold's end and returns its exit code, 128 + n for signal n.
    @discardableResult
    func exitCode() throws -> Int32 {
        guard let daemon else { throw failure("spoold was never started") }
        guard let code = daemon.exitCode() else { throw failure("spoold does not end") }
        return code
    }

    /// Ends spoold with SIGTERM, and returns its exit code.
    @discardableResult
    func stop() throws -> Int32 {
        signal(SIGTERM)
        return try exitCode()
    }

    /// Stops spoold, and returns when it stands still. Until then it may be in the midst of a system call. SIGCONT lets it go on.
    func pause() throws {
        guard let daemon else { throw failure("spoold was never started") }
        daemon.kill(SIGSTOP)
        try daemon.awaitStop()
    }

    /// Kills spoold while it writes no file. A kill in between leaves the file that was to replace another.
    func crashBetweenWrites() throws {
        func unfinished() throws -> Bool { try !Commands.run("find", path, "-name", "*.tmp").output.isEmpty }
        try pause()
        while try unfinished() {
            signal(SIGCONT)
            try wait(for: "no unfinished file") { try !unfinished() }
            try pause()
        }
        try crash()
    }

    /// Kills spoold, as a power cut does, but leaves the disk as it is.
    func crash() throws {
        signal(SIGKILL)
        try exitCode()
    }

    func restart() throws {
        try stop()
        try start()
    }

    // MARK: Waiting

    /// Waits until `condition` has a value. It is evaluated again after every change in the spool's directories, in `out` and in spoold's
    /// log, and each second: some of what tests wait for is where nothing is watched, as in a job's own directory or in /proc.
    func wait<Value>(for what: String, until condition: () throws -> Value?) throws -> Value {
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        var events: [InotifyEvent] = []
        while true {
            // Read the events before the condition is evaluated, so that a later change wakes this up.
            events.removeAll(keepingCapacity: true)
            _ = try inotify.readEvents(into: &events)
            if let value = try condition() { return value }
            var waitFor = [inotify.descriptor.raw]
            if let daemon, !daemon.isReaped {
                if daemon.hasEnded {
                    if let value = try condition() { return value }
                    throw failure("spoold ended while waiting for \(what)")
                }
                waitFor.append(daemon.pidfd)
            }
            guard .now() < end else { throw failure("waited in vain for \(what)") }
            _ = awaitReadable(waitFor, until: min(end, MonotonicInstant.now().advanced(byMilliseconds: 1000)))
        }
    }

    func wait(for what: String, until condition: () throws -> Bool) throws {
        _ = try wait(for: what) { () throws -> Bool? in try condition() ? true : nil }
    }

    /// Waits for a line of spoold's log that holds all of these, among those after the first `offset` bytes.
    @discardableResult
    func logLine(_ parts: String..., after offset: Int = 0) throws -> String {
        try wait(for: "a log line with \(parts)") { () throws -> String? in
            for line in String(Substring(self.log.utf8.dropFirst(offset))).wholeLines {
                if parts.allSatisfy({ line.contains($0) }) { return String(line) }
            }
            return nil
        }
    }

    /// The present length of the log, to read only later lines.
    var logLength: Int { log.utf8.count }

    /// Waits for a file that a job makes in `out`, and returns its text.
    @discardableResult
    func output(_ name: String) throws -> String {
        try wait(for: "out/\(name)") { try Files.exists("\(self.out)/\(name)") ? Files.text("\(self.out)/\(name)") : nil }
    }

    /// Waits until a file in `out` has this many whole lines, and returns them.
    @discardableResult
    func lines(_ name: String, count: Int) throws -> [String] {
        try wait(for: "\(count) lines in out/\(name)") { () throws -> [String]? in
            let lines = try self.linesNow(name)
            return lines.count >= count ? lines : nil
        }
    }

    func linesNow(_ name: String) throws -> [String] {
        guard Files.exists("\(out)/\(name)") else { return [] }
        return try Files.text("\(out)/\(name)").wholeLines.map(String.init)
    }

    // MARK: Gates

    /// A FIFO at which jobs wait, with `read x < PATH`, until the test releases them. Which job gets which letters of a line is random.
    func gate(_ name: String = "gate") throws -> Gate {
        let gate = try Gate(path: "\(out)/\(name)")
        gates.append(gate)
        return gate
    }

    // MARK: Failing

    func failure(_ what: String) -> WaitFailed {
        WaitFailed(description: "\(what)\n--- the tree\n\(Files.tree(path))--- out\n\(Files.tree(out))--- spoold's log\n\(log)")
    }
}

/// The time after which a wait without its event fails. A passing test never waits for it. It is so long because a wait for many jobs takes
/// minutes beside many other tests on a slow machine, where each process stands still at times.
let guardMilliseconds: Int64 = 600_000

struct WaitFailed: Error, CustomStringConvertible {
    var description: String
}

/// A gate at which jobs wait. Each line releases one job, and closing it releases all.
final class Gate {
    let path: String
    private let file: FileDescriptor

    init(path: String) throws {
        self.path = path
        guard mkfifo(path, 0o600) == 0 else { throw SystemError(call: "mkfifo", path: path, errno: errno) }
        // Open for reading and writing, so that it has both ends from the start and nobody waits in open(2).
        file = try FileDescriptor.open(path, O_RDWR)
    }

    /// Commands of a shell that wait at the gate with a trap set, and miss no signal: `action` at each, `ready` when the trap is set.
    ///
    /// `read x < PATH` would miss one that comes between the shell's look at its traps and read(2); the shell's `wait` has no such gap.
    /// The child that reads ignores the signal, unless the signal is to end all that the job started.
    func waiting(trap signal: String, _ action: String, ready: String, endsAll: Bool = false) -> String {
        "trap \(endsAll ? "-" : "\"\"") \(signal); read x < \(path) & trap \"\(action)\" \(signal); \(ready); until wait $!; do :; done"
    }

    /// Releases this many jobs, each with this line.
    func release(_ count: Int = 1, _ line: String = "go") throws {
        for _ in 0..<count { try file.write(Array("\(line)\n".utf8)) }
    }

    deinit {
        // Jobs that still wait read the end of the file when the other end is closed too.
        try? release(64, "end")  // at most a page: it never blocks
    }
}
