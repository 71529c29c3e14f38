import Glibc
import Linux
import Scheduler
import Store

/// Writes `state/status.json`, the daemon's state for people and programs.
///
/// Invariant: the file is replaced as a whole within a second after each change, also while the disk is full.
final class StatusFile: Part {
    /// The member `state` of the file, unless the daemon has troubles: then it is `degraded`.
    enum State: String {
        case running
        /// A user's daemon ends because it has nothing to do, and root's daemon serves the user.
        case resting
        case stopped
    }

    /// The minimum time between two writes, and the maximum time from a change to its write.
    private static let milliseconds: Int64 = 1000
    /// A file whose room on the disk is used to write the status while the disk is full, and its size.
    private static let spare = "\(Layout.state)/status.spare"
    private static let spareBytes = 16 << 10

    private var writtenAt: MonotonicInstant?
    /// True when the last write failed and the log has reported that.
    private var hasFailed = false
    private let startedAt: Instant
    private let options: DaemonOptions
    private let configuration: ConfigurationFile
    private let slots: SlotLimit
    private let gate: StartGate
    private let drain: Drain
    private let output: JobOutput?
    private let users: UserDaemons?
    private let service: SpoolService
    private let log: Log

    init(
        _ options: DaemonOptions, _ configuration: ConfigurationFile, _ slots: SlotLimit, _ gate: StartGate, _ drain: Drain,
        _ output: JobOutput?, _ users: UserDaemons?, _ service: SpoolService, _ log: Log
    ) {
        self.options = options
        self.configuration = configuration
        self.slots = slots
        self.gate = gate
        self.drain = drain
        self.output = output
        self.users = users
        self.service = service
        self.log = log
        startedAt = service.now
    }

    // MARK: When

    /// Has the next change written at once.
    func hurry() { writtenAt = nil }

    /// Writes the status if something has changed: at once when no job runs and no work waits, otherwise once a second.
    func afterTurn() {
        guard service.isPublishDue else { return }
        guard service.isAtRest || due <= .now() else { return }
        write(.running)
    }

    private var due: MonotonicInstant { writtenAt?.advanced(byMilliseconds: Self.milliseconds) ?? MonotonicInstant(nanoseconds: 0) }

    var wakeAt: Wake { Wake(monotonic: service.isPublishDue ? due : nil) }

    // MARK: Writing

    func write(_ state: State) {
        service.isPublishDue = false
        writtenAt = .now()
        replace(json(state) + [UInt8(ascii: "\n")])
    }

    /// Replaces the file. On a full disk it uses the room of the spare file.
    private func replace(_ bytes: [UInt8]) {
        let fs = service.spool.fs
        do throws(SystemError) {
            do throws(SystemError) {
                try fs.replace(Layout.daemonStatus, bytes)
            } catch {
                guard error.isOfDisk else { throw error }
                try fs.replace(Layout.daemonStatus, bytes, inRoomOf: Self.spare)
                hasFailed = false
                return
            }
            hasFailed = false
            try keepSpare()
        } catch {
            // The next change tries again.
            if !hasFailed { log.write(.warning, "not-published", at: service.now, ["error": "\(error)"]) }
            hasFailed = true
        }
    }

    private func keepSpare() throws(SystemError) {
        let fs = service.spool.fs
        guard service.troubles[.disk] == nil, try fs.status(Self.spare)?.size ?? 0 < Self.spareBytes else { return }
        do throws(SystemError) {
            try fs.create(Self.spare, [UInt8](repeating: UInt8(ascii: " "), count: Self.spareBytes), mode: 0o600)
        } catch {
            // The disk is full. The next change tries again.
            guard error.isOfDisk else { throw error }
            try fs.removeTreeIfThere(Self.spare)
        }
    }

    // MARK: Content

    private func json(_ state: State) -> [UInt8] {
        let scheduler = service.scheduler
        let configured = configuration.inForce
        var writer = JSONWriter(reserving: 1024)
        writer.beginObject()
        writer.member("pid", Int(state == .resting ? getppid() : getpid()))
        let began = state == .resting ? try? Linux.Process.startTime(getppid()) : nil  // root's daemon has ended
        writer.member("pid_start_time", began.map { Int(clamping: $0) })
        writer.member("host", service.spool.host)
        writer.member("version", options.version)
        writer.member("spool", options.spool)
        writer.member("state", service.troubles.isEmpty || state != .running ? state.rawValue : "degraded")
        writer.member("started_at", startedAt)
        writer.member("at", service.now)
        writer.member("slots", configured.slots)
        writer.member("granted", slots.granted)
        writer.member("user_slots", options.user == nil ? nil : configured.slotsOfOneUser)
        writer.member("running", scheduler.runningCount)
        writer.member("waiting", scheduler.jobs.count - scheduler.runningCount)
        writer.member("done", service.health.doneCount)
        writer.member("failed", service.health.failedCount)
        writer.member("tasks", scheduler.definedTaskCount)
        let due = scheduler.nextDue()
        writer.member("next_due", due?.instant)
        writer.member("next_task", due?.task)
        writeQueues(to: &writer)
        writePauses(to: &writer)
        writer.key("configuration")
        configuration.published.write(to: &writer)
        writer.member("held", gate.reason)
        drain.write(to: &writer)
        output?.write(to: &writer)
        writeTroubles(to: &writer)
        if let users {
            writer.key("users")
            users.write(to: &writer)
        }
        writer.key("overdue")
        writer.beginArray()
        for one in scheduler.overdue {
            writer.beginObject()
            writer.member("task", one.task)
            writer.member("since", one.since)
            writer.endObject()
        }
        writer.endArray()
        writeProblems(to: &writer)
        writer.endObject()
        return writer.bytes
    }

    private func writeQueues(to writer: inout JSONWriter) {
        writer.key("queues")
        writer.beginObject()
        let running = service.scheduler.runningByQueue
        let configured = configuration.inForce
        for name in Set(running.keys).union(configured.queueSlots.keys).sorted() {
            writer.key(name)
            writer.beginObject()
            writer.member("running", running[name] ?? 0)
            writer.member("slots", configured.queueSlots[name] ?? configured.slots)
            writer.endObject()
        }
        writer.endObject()
    }

    private func writePauses(to writer: inout JSONWriter) {
        writer.key("paused")
        writer.beginArray()
        for (scope, note) in service.scheduler.pauses.sorted(by: { $0.key.text < $1.key.text }) {
            writer.beginObject()
            writer.member("scope", scope.text)
            writer.member("note", note)
            writer.endObject()
        }
        writer.endArray()
    }

    private func writeTroubles(to writer: inout JSONWriter) {
        writer.key("troubles")
        writer.beginArray()
        for (kind, trouble) in service.troubles.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            writer.beginObject()
            writer.member("of", kind.rawValue)
            writer.member("since", trouble.since)
            writer.member("error", trouble.error)
            writer.member("effect", trouble.effect)
            writer.endObject()
        }
        writer.endArray()
    }

    private func writeProblems(to writer: inout JSONWriter) {
        writer.key("problems")
        writer.beginArray()
        func problem(_ file: String, _ message: String) {
            writer.beginObject()
            writer.member("file", file)
            writer.member("message", message)
            writer.endObject()
        }
        for (file, lines) in service.problems.sorted(by: { $0.key < $1.key }) {
            for line in lines { problem(file, line) }
        }
        for one in service.placement.problems { problem(one.file, one.message) }
        for one in service.scheduler.unanswered {
            let file = "\(Layout.patterns)/\(one.program.key)"
            let asked = "(for schedule \(one.schedule) of \(one.task)); it is asked again at \(one.again.rfc3339)"
            problem(file, "\(file) \(one.why) \(asked)")
        }
        writer.endArray()
    }
}
