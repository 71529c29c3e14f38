import CLinux
import Glibc
import Linux
import Store

/// Has executors bring the output of runs elsewhere while somebody follows it: by the verb `logs` of spool-executor(7), which changes the
/// output files and nothing else. The daemon brings it too, as it asks for the states, but up to a minute later.
///
/// At most one call is under way, and none begins sooner than ``pauseMilliseconds`` after the last one. An executor that does not know the
/// verb, or whose call takes too long, is not asked again.
final class OutputBringer {
    private final class Call {
        let pid: pid_t
        let ended: FileDescriptor
        let deadline: MonotonicInstant

        init(pid: pid_t, ended: consuming FileDescriptor, deadline: MonotonicInstant) {
            self.pid = pid
            self.ended = ended
            self.deadline = deadline
        }
    }

    private let session: Session
    private var call: Call?
    private var nextAt = MonotonicInstant.now()
    private var isWanted = true
    private var isElsewhere = false

    private static let pauseMilliseconds: Int64 = 2000

    init(_ session: Session) { self.session = session }

    deinit { if let call { kill(-call.pid, SIGKILL) } }

    /// The time until ``bring(_:)`` is to be called again. Nil when nothing is to be brought.
    var millisecondsToNext: Int64? { isWanted && isElsewhere ? (call?.deadline ?? nextAt).millisecondsLeft() : nil }

    /// Readable when a call has ended.
    var polls: [pollfd] { call.map { [pollfd(fd: $0.ended.raw, events: Int16(POLLIN), revents: 0)] } ?? [] }

    /// Begins a call for a job that runs elsewhere, when it is time for one. All calls are for one job.
    func bring(_ record: JobRecord) {
        isElsewhere = record.status.isElsewhere
        takeEnd()
        guard isWanted, call == nil, nextAt <= .now() else { return }
        // A job has a remote state when its directory has been given to its user.
        guard record.place.state == .running, isElsewhere, record.status.remote != nil, let name = record.status.executor
        else {
            nextAt = MonotonicInstant.now().advanced(byMilliseconds: Self.pauseMilliseconds)
            return
        }
        do { try begin(record, name) } catch {
            // The daemon says what is wrong with an executor. The output comes as it brings it.
            isWanted = false
        }
    }

    private func begin(_ record: JobRecord, _ name: String) throws {
        guard try session.mayRunExecutors(for: record) else {
            isWanted = false
            return
        }
        let program = try session.executorProgram(name, besideDaemon: try session.daemon()?.pid)
        let settings = try session.fileConfiguration().executors[name] ?? ExecutorSettings()
        let input = try FileDescriptor.memory(named: "input")
        // The position stays at the beginning.
        try input.write(settings.header(of: name, spool: session.spoolPath) + line(record), at: 0)
        let nothing = try FileDescriptor.open("/dev/null", O_RDWR)
        let pid = try Process.spawn(
            ExecutorProgram.executable, arguments: [program.path, "logs"], environment: session.executorEnvironment(),
            descriptors: [(input.raw, 0), (nothing.raw, 1), (nothing.raw, 2), (program.file.raw, ExecutorProgram.descriptor)],
            directory: "/", newSession: true)
        do throws(SystemError) {
            call = Call(
                pid: pid, ended: try Process.openPidfd(pid),
                deadline: MonotonicInstant.now().advanced(byMilliseconds: settings.callTimeoutMilliseconds))
        } catch {
            kill(-pid, SIGKILL)
            _ = exitStatus(of: pid)
            throw error
        }
    }

    private func line(_ record: JobRecord) -> [UInt8] {
        let status = record.status
        var writer = ExecutorRun(
            id: status.id, number: status.earlierTries + status.attempt, directory: "\(session.spoolPath)/\(record.place.path)"
        ).beginLine()
        writer.member("handle", status.remote?.handle)
        writer.endObject()
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    private func takeEnd() {
        guard let call else { return }
        var status: Int32 = 0
        if call.deadline <= .now() { kill(-call.pid, SIGKILL) }
        guard waitpid(call.pid, &status, call.deadline <= .now() ? 0 : WNOHANG) != 0 else { return }
        isWanted = linux_wifsignaled(status) == 0 && linux_wexitstatus(status) == 0
        self.call = nil
        nextAt = MonotonicInstant.now().advanced(byMilliseconds: Self.pauseMilliseconds)
    }
}
