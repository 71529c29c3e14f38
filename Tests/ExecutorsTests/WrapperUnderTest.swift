import Documents
import Executors
import Glibc
import Linux
import TestSupport

/// A job's directory, and a shell that runs the wrapper in it.
final class WrapperUnderTest {
    struct Shell: Sendable, CustomStringConvertible {
        var words: [String]
        var description: String { words.joined(separator: " ") }

        /// This shell and all that it starts, under strace(1), which is no parent of it.
        func traced(_ options: [String]) -> Shell {
            Shell(words: ["/usr/bin/strace", "-D", "-f", "-qq", "-o", "/dev/null"] + options + ["--"] + words)
        }
    }

    static let shells: [Shell] = [["/bin/dash"], ["/bin/bash", "--posix"], ["/bin/busybox", "sh"]]
        .filter { FileName.isAccessible($0[0], X_OK) }.map(Shell.init)

    /// The time after which a wait without its event fails. A passing test never waits for it.
    static let guardMilliseconds: Int64 = 600_000

    let path: String
    let shell: Shell
    private var isMounted = false
    var directory: String { "\(path)/job" }

    init(_ shell: Shell) throws {
        self.shell = shell
        path = try makeTemporaryDirectory(in: "/tmp", "spoold-wrapper")
        try Directory.open(path).makeDirectory("job")
    }

    /// Gives the job's directory a file system of its own, of 256 KiB.
    func mountSmallDisk() throws {
        let words = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", directory]
        let pid = try Descriptors.alone { try Process.spawn("/bin/mount", arguments: words, environment: []) }
        guard wait(pid) == 0 else { throw UnusableItem("mount failed") }
        isMounted = true
    }

    deinit {
        let words = ["umount", "-l", directory]
        if isMounted, let pid = try? Descriptors.alone({ try Process.spawn("/bin/umount", arguments: words, environment: []) }) {
            _ = wait(pid)  // without an umount(8) the mount is litter
        }
        try? Directory.open("/tmp").removeTree(String(path.dropFirst(5)))  // a failed test may have left what cannot be removed
    }

    func submission(_ script: String) -> Submission {
        var item = Submission(
            run: Run(id: "7", attempt: 1, name: "spoold-7-1", directory: directory), arguments: ["sh", "-c", script],
            environment: ["PATH=/usr/bin:/bin"])
        // No command is killed because it is slow to obey.
        item.killAfterMilliseconds = 600_000
        return item
    }

    /// Starts the wrapper, and returns its process.
    func start(_ item: Submission) throws -> pid_t {
        try write(item)
        return try start()
    }

    func write(_ item: Submission) throws { try Directory.open(path).writeFile("wrapper", Wrapper(item).script) }

    /// - Parameter path: PATH of the wrapper itself, as the engine gives it.
    func start(path commands: String = "/usr/local/bin:/usr/bin:/bin") throws -> pid_t {
        let null = try FileDescriptor.open("/dev/null", O_RDWR)
        let errors = try FileDescriptor.open("\(path)/errors", O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        let descriptors = [(null.raw, Int32(0)), (null.raw, 1), (errors.raw, 2)]
        return try Descriptors.alone {
            try Process.spawn(
                shell.words[0], arguments: shell.words + ["\(path)/wrapper"], environment: ["PATH=\(commands)", "HOME=/"],
                descriptors: descriptors, directory: "/")
        }
    }

    /// Writes a program that the wrapper finds when its PATH begins with ``path``.
    func writeTool(_ name: String, _ text: String) throws {
        try Descriptors.alone { try Directory.open(path).writeFile(name, Array(text.utf8), mode: 0o700) }
    }

    /// Writes the script with some text put before its only line that begins with `mark`.
    func write(_ item: Submission, inserting text: String, before mark: String) throws {
        let parts = Wrapper(item).script.split(separator: Array("\n\(mark)".utf8), omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw UnusableItem("\(parts.count - 1) lines begin with \"\(mark)\"") }
        try Directory.open(path).writeFile("wrapper", Array(parts.joined(separator: Array("\n\(text)\n\(mark)".utf8))))
    }

    /// The exit code of the wrapper, or 128 + its signal.
    func wait(_ pid: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
    }

    func run(_ item: Submission) throws -> Int32 { wait(try start(item)) }

    func file(_ name: String) throws -> String {
        String(decoding: try Directory.open(directory).readFile(name, limit: 1 << 24), as: UTF8.self)
    }

    func has(_ name: String) -> Bool { FileName.isAccessible("\(directory)/\(name)") }

    /// The text of the wrapper's own standard error.
    func errors() throws -> String { String(decoding: try Directory.open(path).readFile("errors", limit: 1 << 20), as: UTF8.self) }

    func end(_ attempt: Int = 1) throws -> Table {
        let text = try file("end.\(attempt)")
        guard let table = JSON.readableTable(Array(text.utf8)) else { throw UnusableItem("end.\(attempt): \(text)") }
        return table
    }
}

extension Table {
    func integer(_ key: String) -> Int64? { if case .integer(let number)? = self[key]?.kind { number } else { nil } }
    func text(_ key: String) -> String? { if case .string(let text)? = self[key]?.kind { text } else { nil } }
    func boolean(_ key: String) -> Bool { if case .boolean(true)? = self[key]?.kind { true } else { false } }
}

extension WrapperUnderTest {
    /// Waits until a file of the job is there, and has this content if one is given.
    func awaitFile(_ name: String, _ content: String? = nil) throws {
        try awaitChange("\(name), \(content ?? "a file"),") { try has(name) && (content == nil || file(name) == content) }
    }

    /// Waits until the wrapper knows the process of its command, whose trap answers USR2 by `echo told` and which has written `ready`.
    /// The command may be ready before the wrapper and its keeper know of it.
    func awaitKnowledge(_ pid: pid_t) throws {
        try awaitFile("stdout", "ready\n")
        kill(pid, SIGUSR2)
        try awaitFile("stdout", "ready\ntold\n")
    }

    /// Waits until something is so because of a change in the job's directory.
    func awaitChange(_ what: String, until isSo: () throws -> Bool) throws {
        let end = MonotonicInstant.now().advanced(byMilliseconds: WrapperUnderTest.guardMilliseconds)
        let changes = try Inotify()
        _ = try changes.add(directory, [.created, .modified, .closedAfterWriting, .movedTo])
        var events: [InotifyEvent] = []
        while true {
            // Before the look, so that a later change ends the wait.
            _ = try changes.readEvents(into: &events)
            if try isSo() { return }
            guard awaitReadable([changes.descriptor.raw], until: end) else { throw UnusableItem("\(what) does not come") }
        }
    }

    /// The living processes that have this test's directory among their arguments or as their current directory or in a file.
    func processes() throws -> [pid_t] {
        var found: [pid_t] = []
        for entry in try Directory.open("/proc").list() {
            guard let pid = pid_t(entry.name), pid != getpid() else { continue }
            // Not by an optional directory: the compiler leaves it open when a call through it throws.
            let current = try? Directory.open("/proc/\(pid)").readSymbolicLink("cwd")  // it may have ended, or be another user's
            let status = try? ProcessStatus.read(pid)  // it may have ended
            guard let status, !status.isZombie, let current else { continue }
            if current == path || current.hasPrefix("\(path)/") { found.append(pid) }
        }
        return found
    }
}

/// The changes in a job's directory, one after the other, while its wrapper starts.
final class StartChanges {
    private let wrapper: WrapperUnderTest
    private let changes: Inotify
    private var count = 0

    init(_ wrapper: WrapperUnderTest) throws {
        self.wrapper = wrapper
        changes = try Inotify()
        try watch(wrapper.directory)
    }

    private func watch(_ path: String) throws {
        _ = try changes.add(path, [.created, .modified, .closedAfterWriting, .deleted])
    }

    /// Waits for this many changes. Returns false when the command, which writes `ready`, has begun before.
    func reach(_ wanted: Int) throws -> Bool {
        let end = MonotonicInstant.now().advanced(byMilliseconds: WrapperUnderTest.guardMilliseconds)
        while count < wanted {
            var events: [InotifyEvent] = []
            guard awaitReadable([changes.descriptor.raw], until: end) else { throw UnusableItem("the command does not begin") }
            _ = try changes.readEvents(into: &events)
            count += events.count
            // The changes in the mark, too, from now on.
            let isMarked = events.contains { $0.name == "started.1" && $0.mask.contains(.created) }
            if isMarked { try watch("\(wrapper.directory)/started.1") }
            if count < wanted, wrapper.has("stdout"), try wrapper.file("stdout") == "ready\n" { return false }
        }
        return true
    }
}
