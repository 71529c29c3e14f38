import CLinux
import Glibc
import Linux
import Store

// The programs and the machine: what spoold needs beside its spool.
extension Doctor {
    /// No program is run for this: the daemon may be another user's, and so may its directory.
    func worker() -> Diagnosis {
        let paths = Installation.workerPaths(ofProgramIn: Installation.directory(besideDaemon: daemon?.pid))
        guard let program = paths.first(where: { access($0, X_OK) == 0 }) else {
            return .fail(
                "worker", "neither \(paths.joined(separator: " nor ")) can be run: no job can start",
                "install spoold, spoolctl and spool-worker of one version again")
        }
        return .ok("worker", program)
    }

    func zones() -> Diagnosis {
        do throws(RecurrenceError) {
            _ = try session.zones.zone("Europe/London")
            return .ok("time zones", "the time zone database is there")
        } catch {
            return .warn("time zones", "schedules in a time zone cannot be read: \(error)", "install the package tzdata")
        }
    }

    /// The limit of open files of the daemon; where that cannot be read, nothing is said.
    func openFiles() -> Diagnosis? {
        guard let pid = daemon?.pid, let text = Self.text("/proc/\(pid)/limits"),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Max open files") })
        else { return nil }
        let words = line.split(separator: " ")
        guard words.count > 4, let most = Int(words[4]) else { return nil }
        let slots = Self.orNil { () throws(Failure) in try session.configuration().slots } ?? 0
        // A worker needs five descriptors of the daemon, its own files and watches some dozens.
        let needed = 128 + 5 * slots
        guard most < needed else { return .ok("open files", "the daemon may open \(most)") }
        return .fail(
            "open files", "the daemon may open \(most); \(slots) slots need \(needed)", "raise LimitNOFILE in its unit, or its ulimit -n")
    }

    func watches() -> Diagnosis? {
        func limit(_ name: String) -> Int? {
            Self.text("/proc/sys/fs/inotify/\(name)").flatMap { Int($0.prefix { $0.isNumber }) }
        }
        guard let watches = limit("max_user_watches"), let instances = limit("max_user_instances") else { return nil }
        let text = "max_user_watches \(watches), max_user_instances \(instances)"
        guard watches >= 8192, instances >= 128 else {
            let remedy = "sysctl fs.inotify.max_user_watches=65536 fs.inotify.max_user_instances=256, and the same in /etc/sysctl.d"
            return watches < 64 || instances < 8 ? .fail("inotify", text, remedy) : .warn("inotify", text, remedy)
        }
        return .ok("inotify", text)
    }

    /// timedatectl(1) says if any program keeps the clock synchronised. Without systemd there is no diagnosis.
    func clock() -> Diagnosis? {
        guard SystemdUnit.isManager else { return nil }
        switch ProgramAnswer("/bin/sh", ["-c", "timedatectl show -p NTPSynchronized --value"]).line {
        case "yes": return .ok("clock", "synchronised")
        case "no":
            return .warn(
                "clock", "the clock is not synchronised: due times are as wrong as the clock", "run systemd-timesyncd, chrony or ntpd")
        default: return nil
        }
    }

    private static func text(_ path: String) -> String? {
        // A file that cannot be read gives no diagnosis.
        guard let file = try? FileDescriptor.open(path, O_RDONLY), let bytes = try? file.readAll(limit: 1 << 16) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The unit spoold.service, of the system or of the user.
struct SystemdUnit {
    let isOfUser: Bool

    /// sd_booted(3).
    static var isManager: Bool { access("/run/systemd/system", F_OK) == 0 }

    var command: String { isOfUser ? "systemctl --user" : "systemctl" }

    func isEnabled() -> Bool { ProgramAnswer("/bin/sh", ["-c", "\(command) is-enabled spoold"]).code == 0 }
}

/// The exit code and the output of a program that is killed when it does not answer in time.
struct ProgramAnswer {
    /// Nil when it could not be run, or a signal ended it.
    private(set) var code: Int32?
    private(set) var lines: [String] = []
    var line: String { lines.first ?? "" }

    private static let outputBytesMax = 64 << 10

    init(_ program: String, _ arguments: [String]) {
        self.init(program, [program] + arguments, [], input: [], environment: environmentAssignments(), in: nil, 5000)
    }

    /// The answer of an executor.
    init(
        of program: borrowing ExecutorProgram, _ arguments: [String], input: [UInt8], environment: [String], patienceMilliseconds: Int64
    ) {
        self.init(
            ExecutorProgram.executable, [program.path] + arguments, [(program.file.raw, ExecutorProgram.descriptor)], input: input,
            environment: environment, in: "/", patienceMilliseconds)
    }

    private init(
        _ executable: String, _ words: [String], _ more: [(Int32, Int32)], input: [UInt8], environment: [String], in directory: String?,
        _ patienceMilliseconds: Int64
    ) {
        do throws(SystemError) {
            let nothing = try FileDescriptor.open("/dev/null", O_RDWR)
            let file = try FileDescriptor.memory(named: "input")
            // The position stays at the beginning.
            try file.write(input, at: 0)
            let pipe = try Pipe()
            let pid = try Process.spawn(
                executable, arguments: words, environment: environment,
                descriptors: [(file.raw, 0), (pipe.writing.raw, 1), (nothing.raw, 2)] + more, directory: directory, newSession: true)
            let (reading, writing) = pipe.release()
            let output = FileDescriptor(owning: reading)
            close(writing)
            let deadline = MonotonicInstant.now().advanced(byMilliseconds: patienceMilliseconds)
            var bytes: [UInt8] = []
            while bytes.count < Self.outputBytesMax {
                var polled = pollfd(fd: output.raw, events: Int16(POLLIN), revents: 0)
                guard poll(&polled, 1, deadline.pollTimeout()) != 0 else {
                    kill(-pid, SIGKILL)
                    break
                }
                var buffer = [UInt8](repeating: 0, count: 1024)
                let count = read(output.raw, &buffer, buffer.count)
                if count <= 0 { break }
                bytes += buffer.prefix(count)
            }
            let status = exitStatus(of: pid)
            code = linux_wifsignaled(status) == 0 ? linux_wexitstatus(status) : nil
            lines = bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
        } catch {
            code = nil  // the program cannot be run, which is the answer
        }
    }
}
